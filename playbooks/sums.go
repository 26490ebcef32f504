package playbooks

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upstep/upstep/archive"
)

// sums lists the files' sums as sha256sum -c reads them.
func sums(files []File) []byte {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(archive.SumLine(archive.Sum(f.Data), f.Path))
	}
	return []byte(b.String())
}

// recordedSums reads which files an earlier emit wrote. Paths that lead out of the
// folder are not believed, and a list without the files that every tree has is not
// upstep's.
func recordedSums(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return map[string]string{}, nil //nolint:nilerr // no list, nothing recorded
	}
	data, err := os.ReadFile(path) //nolint:gosec // the emitted tree's own file
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if sum, name, ok := archive.ReadSumLine(strings.TrimRight(line, "\r\n")); ok && filepath.IsLocal(name) && filepath.Clean(name) == name {
			out[name] = sum
		}
	}
	if out["plan.json"] == "" || out["upgrade.yml"] == "" {
		return map[string]string{}, nil
	}
	return out, nil
}

// throughLink tells whether a path of the tree leads through a link, and so to files
// that are not in it.
func throughLink(dir, path string) bool {
	for p := filepath.Dir(path); p != "."; p = filepath.Dir(p) {
		if info, err := os.Lstat(filepath.Join(dir, p)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}
