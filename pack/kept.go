package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
)

// Kept is a version that was replaced or taken away.
type Kept struct {
	Pack    string `json:"-"`
	Version string `json:"version"`
	Folder  string `json:"folder"` // below the folder of services
	number  int
}

// noVersion stands for the version of a folder without pack.yaml.
const noVersion = "unversioned"

var keptName = regexp.MustCompile(`^([0-9]{4,9})-(.+)$`)

// Kept gives the kept versions of a pack, the one that was kept last at the end.
func (s *Store) Kept(pack string) ([]Kept, error) {
	entries, err := os.ReadDir(s.path(path.Join(kept, pack)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []Kept
	for _, e := range entries {
		if m := keptName.FindStringSubmatch(e.Name()); m != nil && e.IsDir() {
			n, _ := strconv.Atoi(m[1]) // at most nine digits
			out = append(out, Kept{pack, m[2], path.Join(kept, pack, e.Name()), n})
		}
	}
	slices.SortFunc(out, func(a, b Kept) int { return a.number - b.number })
	return out, err
}

// keepAs gives the folder in which the installed version is to be kept.
func (s *Store) keepAs(pack string, p *Installed) (string, error) {
	entries, err := os.ReadDir(s.path(path.Join(kept, pack)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	n := 1
	for _, e := range entries { // whatever they are, their numbers are taken
		if m := keptName.FindStringSubmatch(e.Name()); m != nil {
			last, _ := strconv.Atoi(m[1])
			n = max(n, last+1)
		}
	}
	version := noVersion
	if p != nil && p.Pack != nil && p.Pack.Version != "" {
		version = p.Pack.Version
	}
	return path.Join(kept, pack, fmt.Sprintf("%04d-%s", n, version)), nil
}
