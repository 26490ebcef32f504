package bundle

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upstep/upstep/archive"
)

// walk gives the paths of what stands in the folder of a bundle, sorted, but for what runs
// have written there.
func walk(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case rel == stateFolder && d.IsDir():
			return fs.SkipDir
		case !d.IsDir():
			out = append(out, rel)
		}
		return nil
	})
	return out, err
}

// read gives what stands in the folder of a bundle; strange names what is no regular file.
func read(dir string) (entries []archive.Entry, strange []string, err error) {
	list, err := walk(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range list {
		name := filepath.Join(dir, filepath.FromSlash(path))
		info, err := os.Lstat(name)
		if err != nil {
			return nil, nil, err
		}
		if !info.Mode().IsRegular() {
			strange = append(strange, path)
			continue
		}
		sum, err := sumOf(name)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, archive.Entry{Path: path, Executable: info.Mode()&0o100 != 0, Size: info.Size(), SHA256: sum})
	}
	return entries, strange, nil
}

func sumOf(name string) (string, error) {
	f, err := os.Open(name) //nolint:gosec // below the bundle
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return archive.SumOf(f)
}
