// Package pack carries packs between installations: a pack is in place whole, in its old
// version or its new one, whenever what changes it is killed.
package pack

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Store is a folder of services, with the packs that are installed in it. What it keeps
// for itself stands in its hidden folder .packs, which readers of services pass over.
// One process at a time may change it: the caller holds the project's lock.
type Store struct {
	Dir    string // on disk
	Shown  string // its name for people
	Limits archive.Limits
	// ValuesDir is the folder of the parameters' values on disk.
	ValuesDir string
	made      bool // Dir, by this process
	changed   bool // something was, by the last change
	// killed, in tests, ends the process before a change that it is told the name of.
	killed func(before string)
}

// DefaultLimits bound a pack that is read, unless whoever reads it allows more.
func DefaultLimits() archive.Limits { return archive.Limits{Files: 10_000, Bytes: 512 << 20} }

// Installed is a pack that stands in the folder of services.
type Installed struct {
	services.Service
	Folder string // its folder's name
	// Own: no archive brought it, it was written here.
	Own bool
	// Link: its folder is a link to one, which stays as it is.
	Link bool
	// Edited lists files that are not as the archive brought them, below the folder.
	Edited []string
	sums   string // its list of sums
}

// installed gives the services of the folder as they are read, and the packs among them.
// What is wrong with them is for validate to tell.
func (s *Store) installed() ([]services.Service, map[string]*Installed, error) {
	packs := map[string]*Installed{}
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, packs, nil
	}
	all := services.Load(os.DirFS(s.Dir), s.Shown, &source.Sink{})
	for _, svc := range all {
		folder, ok := s.folder(svc)
		if !ok || svc.Name == "" {
			continue
		}
		p := &Installed{Service: svc, Folder: folder}
		if err := p.compare(filepath.Join(s.Dir, folder)); err != nil {
			return nil, nil, err
		}
		packs[svc.Name] = p
	}
	return all, packs, nil
}

// folder gives the folder's name of a service that has one.
func (s *Store) folder(svc services.Service) (string, bool) {
	rel := strings.TrimPrefix(strings.TrimPrefix(svc.Pos.File, path.Clean(s.Shown)), "/")
	folder, rest, ok := strings.Cut(rel, "/")
	return folder, ok && strings.HasPrefix(rest, "service.y")
}

// Installed gives the packs of the folder, sorted by name. A folder without pack.yaml is
// none.
func (s *Store) Installed() ([]Installed, error) {
	all, packs, err := s.installed()
	var out []Installed
	for _, svc := range all {
		if p := packs[svc.Name]; p != nil && p.Pack != nil {
			out = append(out, *p)
		}
	}
	return out, err
}

// compare finds what was edited since the pack was installed.
func (p *Installed) compare(dir string) error {
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		p.Link = true
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return err
		}
	}
	list, err := os.ReadFile(filepath.Join(dir, services.PackSums)) //nolint:gosec // a pack's own file
	if errors.Is(err, fs.ErrNotExist) {
		p.Own = true
		return nil
	}
	if err != nil {
		return err
	}
	p.sums = string(list)
	entries, err := entriesOf(dir)
	if err != nil {
		return err
	}
	err = archive.CheckSums(list, services.PackSums, entries)
	var differ *archive.SumsError
	switch {
	case errors.As(err, &differ):
		p.Edited = append(append(append(p.Edited, differ.Changed...), differ.Missing...), differ.Extra...)
	case err != nil:
		p.Edited = []string{services.PackSums}
	}
	return nil
}

// entriesOf gives the files of a pack's folder, hidden ones left out.
func entriesOf(dir string) ([]archive.Entry, error) {
	var out []archive.Entry
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if file != dir && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		entry := archive.Entry{Path: filepath.ToSlash(rel)}
		if e.Type().IsRegular() {
			data, err := os.ReadFile(file) //nolint:gosec // a pack's own file
			if err != nil {
				return err
			}
			entry.SHA256, entry.Size = archive.Sum(data), int64(len(data))
		}
		out = append(out, entry)
		return nil
	})
	return out, err
}
