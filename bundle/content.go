package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/source"
)

// Content is what a bundle is made of.
type Content struct {
	Name, Version string
	Upstep        string // the version that makes it
	OldestAnsible string // what a run needs
	Route         *planner.Route
	Tree          *playbooks.Tree // of the route, as it was emitted
	Project       string          // the folder of the project
	Inventory     string          // a file or folder; "": see Route
	More          []string        // further files and folders of the project, below it
	Binary        string          // the upstep that travels
	Packages      string          // a folder with the packages of Ansible; "": none
	Ansible       *Ansible        // what these are
	SignKey       *SignKey        // nil: not signed
}

// ArtefactError names a payload file that is not as it was planned.
type ArtefactError struct{ File, Reason string }

// Error gives the file and the reason.
func (e *ArtefactError) Error() string { return e.File + " " + e.Reason }

// Hint says what to do.
func (e *ArtefactError) Hint() string {
	return "a bundle carries what was planned: put the file that the service names where it was, or plan and emit again"
}

// Build writes the bundle to a new folder, as it will be unpacked, and gives what it is.
// Input that cannot travel is a *BinaryError, *PatternError, *SharedError, *ArtefactError
// or *PlaceError; it says nothing of other errors than those of the system.
func Build(ctx context.Context, c Content, dir string) (*Manifest, error) {
	arch, err := inspect(c.Binary)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Format: Format, Name: c.Name, Version: c.Version, Architecture: arch, Upstep: c.Upstep, Title: titleOf(c.Route), Ansible: c.Ansible, Artefacts: []Artefact{}}
	for _, p := range c.Route.Hops {
		if p.Hop != nil {
			m.Route = append(m.Route, Hop{p.Hop.From, p.Hop.To})
		}
	}
	s := &stage{ctx: ctx, dir: dir, there: map[string]bool{}}
	for _, f := range c.Tree.Files {
		s.put(archive.Bytes(treeFolder+"/"+f.Path, f.Data, f.Executable))
		if f.Path == "plan.json" {
			m.Plan = archive.Sum(f.Data)
		}
	}
	s.disk(BinaryFile, c.Binary, true)
	if m.Artefacts, err = s.artefacts(c); err != nil {
		return nil, err
	}
	for _, name := range c.More {
		s.folder(c.Project, name, ProjectFolder)
	}
	if m.Inventory, err = s.inventory(c); err != nil {
		return nil, err
	}
	if c.Ansible != nil {
		for _, p := range c.Ansible.Packages {
			s.disk(packageFolder+"/"+p.File, filepath.Join(c.Packages, p.File), false)
		}
	}
	text, err := launcher(m, c.OldestAnsible)
	if err != nil {
		return nil, err
	}
	s.put(archive.Bytes(LauncherFile, text, true))
	m.Executable = executables(s.entries)
	doc, err := m.encode()
	if err != nil {
		return nil, err
	}
	s.put(archive.Bytes(ManifestFile, doc, false))
	sums := archive.Sums(s.entries)
	s.put(archive.Bytes(SumsFile, sums, false))
	if c.SignKey != nil {
		s.put(archive.Bytes(SignatureFile, sign(*c.SignKey, sums, m), false))
	}
	return m, s.err
}

// titleOf says for people what a route upgrades.
func titleOf(r *planner.Route) string {
	name := strings.Join(strings.Fields(r.Hops[0].Name), " ")
	if r.Hops[0].Hop == nil {
		return name
	}
	return strings.TrimSpace(name + " " + r.Title())
}

// PlaceError says why a file cannot travel.
type PlaceError struct{ File, Reason string }

// Error gives the file and the reason.
func (e *PlaceError) Error() string { return e.File + " " + e.Reason }

// stage is the folder in which a bundle is made. After an error it does nothing more.
type stage struct {
	ctx     context.Context //nolint:containedctx // of one Build
	dir     string
	entries []archive.Entry
	there   map[string]bool
	err     error
}

// put writes a file and notes its sum; one that is there already stays, if it is the same.
func (s *stage) put(f archive.File) {
	if s.err == nil {
		s.err = s.ctx.Err()
	}
	if s.err != nil {
		return
	}
	if err := archive.CheckPath(f.Path); err != nil {
		s.err = &PlaceError{f.Path, "cannot travel: " + err.Error()}
		return
	}
	if s.entries, s.err = s.write(f); s.err != nil {
		s.err = fmt.Errorf("bundle %s: %w", f.Path, s.err)
	}
}

func (s *stage) write(f archive.File) ([]archive.Entry, error) {
	if s.there[f.Path] {
		return s.entries, nil // named twice, as by a service and with --add
	}
	s.there[f.Path] = true
	path := filepath.Join(s.dir, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as it is unpacked
		return s.entries, err
	}
	in, err := f.Open()
	if err != nil {
		return s.entries, err
	}
	defer func() { _ = in.Close() }()
	mode := fs.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // below the stage
	if err != nil {
		return s.entries, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(out, sum), &steady{s.ctx, in})
	if err := errors.Join(err, out.Close()); err != nil {
		return s.entries, err
	}
	return append(s.entries, archive.Entry{Path: f.Path, Executable: f.Executable, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}), nil
}

// steady reads until its context ends.
type steady struct {
	ctx context.Context //nolint:containedctx // of one copy
	r   io.Reader
}

func (s *steady) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// fail keeps the first error.
func (s *stage) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// disk puts a file of the disk.
func (s *stage) disk(path, file string, runs bool) {
	f, err := archive.Disk(path, file)
	if err != nil {
		s.fail(err)
		return
	}
	f.Executable = f.Executable || runs
	s.put(f)
}

// folder puts a file or a folder of files that stands below root, at the same path below
// another folder.
func (s *stage) folder(root, name, below string) {
	if !filepath.IsLocal(name) {
		s.fail(&PlaceError{name, "is not below the project"})
		return
	}
	from := filepath.Join(root, name)
	// What a link leads to travels in its place.
	real, err := filepath.EvalSymlinks(from)
	if err != nil {
		s.fail(&PlaceError{name, "cannot travel: " + source.Cause(err).Error()})
		return
	}
	s.fail(filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(real, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == ".upstep" || d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return &PlaceError{path, "is no regular file, nor a link to one"}
		}
		s.disk(filepath.ToSlash(filepath.Join(below, name, rel)), path, false)
		return s.err
	}))
}

// artefacts puts the payload files that the services name, each once.
func (s *stage) artefacts(c Content) ([]Artefact, error) {
	out := []Artefact{}
	for _, p := range c.Route.Hops {
		for i := range p.Services {
			for _, a := range p.Services[i].Artefacts {
				path := ProjectFolder + "/" + a.File
				s.disk(path, filepath.Join(c.Project, filepath.FromSlash(a.File)), false)
				if s.err != nil {
					return nil, s.err
				}
				if at := slices.IndexFunc(s.entries, func(e archive.Entry) bool { return e.Path == path }); s.entries[at].SHA256 != a.SHA256 {
					return nil, &ArtefactError{a.File, "is not what was planned: its SHA-256 is " + s.entries[at].SHA256}
				}
				if !slices.Contains(out, Artefact(a)) {
					out = append(out, Artefact(a))
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Artefact) int { return strings.Compare(a.File, b.File) })
	return out, nil
}

// inventory puts the inventory, or makes one.
func (s *stage) inventory(c Content) (Inventory, error) {
	switch {
	case c.Inventory != "":
		return Included, s.given(c.Inventory)
	case c.Route.Hops[0].HostsKnown && !onlyItself(c.Route):
		return Site, s.err
	}
	text, err := itself(c.Route)
	if err != nil {
		return "", err
	}
	s.put(archive.Bytes(inventoryFolder+"/hosts.yml", text, false))
	return Itself, s.err
}

// given puts an inventory: a folder as it stands, a file with the folders of variables
// beside it, as Ansible reads them.
func (s *stage) given(inventory string) error {
	info, err := os.Stat(inventory)
	if err != nil {
		return err
	}
	if info.IsDir() {
		s.folder(inventory, ".", inventoryFolder)
		return s.err
	}
	parent := filepath.Dir(inventory)
	for _, name := range []string{filepath.Base(inventory), "group_vars", "host_vars"} {
		if _, err := os.Stat(filepath.Join(parent, name)); err == nil {
			s.folder(parent, name, inventoryFolder)
		}
	}
	return s.err
}
