package playbooks

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func sums(files []File) []byte {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(sumLine(hash(f.Data), f.Path))
	}
	return []byte(b.String())
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// sumLine writes a line as GNU sha256sum does: a backslash before it says that the name
// is escaped.
func sumLine(sum, name string) string {
	if escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name); escaped != name {
		return `\` + sum + "  " + escaped + "\n"
	}
	return sum + "  " + name + "\n"
}

// readSumLine reads such a line; a * before the name marks what was read as binary.
func readSumLine(line string) (sum, name string, ok bool) {
	line, escaped := strings.CutPrefix(line, `\`)
	sum, name, ok = strings.Cut(line, " ")
	if !ok || len(sum) != 2*sha256.Size || name == "" || name[0] != ' ' && name[0] != '*' {
		return "", "", false
	}
	name = name[1:]
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return sum, name, true
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
		if sum, name, ok := readSumLine(strings.TrimRight(line, "\r\n")); ok && filepath.IsLocal(name) && filepath.Clean(name) == name {
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
