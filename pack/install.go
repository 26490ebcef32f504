package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Archive is a file that holds a pack or an export of packs.
type Archive struct {
	Path  string // on disk
	Shown string // its name for people
}

// Options say what may be done that would be refused otherwise.
type Options struct {
	Downgrade bool // put a lower version in the place of a higher one
	// Force replaces what was edited, was written here, or has other files under the same
	// version, and leaves services without what they need where a pack is removed. What is
	// replaced is kept in any case.
	Force bool
	// Misfit leaves values that do not fit the new version as they are.
	Misfit bool
}

// Done says what became of a pack.
type Done struct {
	Pack    string `json:"pack"`
	Version string `json:"version,omitempty"`
	// Was is the version that stood there before; "" where there was none, and
	// "unversioned" for a folder without pack.yaml.
	Was string `json:"was,omitempty"`
	// Kept is the folder in which that one was kept; "" where nothing was replaced.
	Kept      string   `json:"kept,omitempty"`
	Unchanged bool     `json:"unchanged,omitempty"` // it was installed already
	Removed   bool     `json:"removed,omitempty"`
	Edited    []string `json:"edited,omitempty"` // files of the old one that were edited
	Values    bool     `json:"values,omitempty"` // values of its parameters came along
	// Missing are parameters that must have a value and have none yet.
	Missing []services.Parameter `json:"-"`
}

// incoming is a pack that waits to be put in place.
type incoming struct {
	services.Service
	from  string // its folder, below the store's
	shown string // what it came in
	sums  string
}

// Install puts the packs of the archives in place, all of them or none: it changes nothing
// where the sink has an error in the end. values are what the project gives parameters.
func (s *Store) Install(files []Archive, values *services.Values, o Options, sink *source.Sink) ([]Done, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	var all []incoming
	for i, f := range files {
		from := fmt.Sprintf("%s/%d", staged, i+1)
		own := &source.Sink{}
		svc, entries, err := unpack(f.Path, f.Shown, s.path(from), s.Limits, own)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("unpack %s: %w", f.Shown, err), s.clear())
		}
		sink.Merge(own.Problems())
		if entries == nil || svc.Pack == nil || own.Failed() {
			continue
		}
		all = append(all, incoming{Service: svc, from: from, shown: f.Shown})
	}
	return s.putInPlace("install", all, values, nil, o, sink)
}

// ready makes an empty folder for what comes.
func (s *Store) ready() error {
	if err := s.prepare(); err != nil {
		return err
	}
	return errors.Join(s.clear(), os.MkdirAll(s.path(staged), 0o755)) //nolint:gosec // as the packs themselves
}

// clear removes what was unpacked, and the folders for it where nothing else needs them.
func (s *Store) clear() error {
	if err := os.RemoveAll(s.path(staged)); err != nil {
		return err
	}
	if entries, err := os.ReadDir(s.path(hidden)); err != nil || len(entries) > 1 {
		return nil //nolint:nilerr // there is nothing to clear
	}
	err := os.RemoveAll(s.path(hidden))
	if s.made {
		_ = os.Remove(s.Dir) // unless something else is in it by now
	}
	return err
}

// putInPlace checks all that is to come against what is there, and makes the change. bring
// has the texts of files of values that come along, by pack.
func (s *Store) putInPlace(what string, all []incoming, values *services.Values, bring map[string]string, o Options, sink *source.Sink) ([]Done, error) {
	before, packs, err := s.installed()
	if err != nil {
		return nil, err
	}
	var done []Done
	var moves []move
	files := map[string]string{}
	first := map[string]string{}
	for i := range all {
		in := &all[i]
		if at, twice := first[in.Name]; twice {
			sink.Errorf(source.Pos{File: in.shown}, "pack %s comes in %s too", in.Name, at).WithHint("give one of the two")
			continue
		}
		first[in.Name] = in.shown
		sums, err := os.ReadFile(s.path(path.Join(in.from, services.PackSums)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		in.sums = string(sums)
		d := Done{Pack: in.Name, Version: in.Pack.Version}
		m := move{Pack: in.Name, Version: in.Pack.Version, Folder: in.Name, From: in.from}
		old := packs[in.Name]
		if old == nil {
			s.free(in, before, sink)
		} else {
			m.Folder, d.Was, d.Edited = old.Folder, noVersion, old.Edited
			if old.Pack != nil {
				d.Was = old.Pack.Version
			}
			d.Unchanged = s.replaces(in, old, o, sink)
		}
		own := &source.Sink{}
		values.Check(&in.Service, own)
		d.Missing = values.Missing(&in.Service)
		if !o.Misfit && !d.Unchanged {
			misfit(in, own.Problems(), newly(d.Missing, old, values), sink)
		}
		if m.Keep, err = s.keepAs(in.Name, old); err != nil {
			return nil, err
		}
		if old != nil && !d.Unchanged {
			d.Kept = path.Join(s.Shown, m.Keep)
		}
		if text, brought := bring[in.Name]; brought {
			files[in.Name] = text
			d.Values = true
		}
		done = append(done, d)
		if !d.Unchanged {
			moves = append(moves, m)
		}
	}
	after := map[string]*incoming{}
	for i := range all {
		after[all[i].Name] = &all[i]
	}
	unmet(before, after, sink)
	if sink.Failed() || len(moves)+len(files) == 0 {
		return done, s.clear()
	}
	return done, s.carryOut(what, moves, files)
}

// free refuses a pack whose place or name something else has.
func (s *Store) free(in *incoming, before []services.Service, sink *source.Sink) {
	for _, svc := range before {
		if strings.EqualFold(svc.Name, in.Name) {
			sink.Errorf(svc.Pos, "service %s is defined here, where pack %s cannot replace it", svc.Name, in.Name).WithHint("take the file away, or rename the service")
			return
		}
	}
	if _, err := os.Lstat(s.path(in.Name)); err == nil {
		sink.Errorf(source.Pos{File: path.Join(s.Shown, in.Name)}, "is in the way of pack %s", in.Name).WithHint("move it away")
	}
}

// replaces tells whether the same pack is installed already, and refuses to replace what
// would be missed.
func (s *Store) replaces(in *incoming, old *Installed, o Options, sink *source.Sink) (same bool) {
	at := source.Pos{File: path.Join(s.Shown, old.Folder)}
	switch {
	case old.Link:
		linked(at, sink)
	case old.Read > services.Whole && old.Pack == nil:
		// It can't be read, and is kept.
	case old.Pack == nil && !o.Force:
		sink.Errorf(at, "is no pack: it has no %s", services.PackFile).WithHint("--force puts pack " + in.Name + " in its place and keeps it")
	case old.Own && !o.Force:
		sink.Errorf(at, "was written here and not installed").WithHint("--force puts pack " + in.Name + " " + in.Pack.Version + " in its place and keeps it")
	case len(old.Edited) > 0 && !o.Force:
		sink.Errorf(at, "was edited since it was installed: %s", strings.Join(old.Edited, ", ")).
			WithHint("--force puts pack " + in.Name + " " + in.Pack.Version + " in its place and keeps it; upstep pack build makes a pack of it, under a version of its own")
	}
	if old.Pack == nil || old.Pack.Version == "" {
		return false
	}
	c := services.ComparePackVersions(in.Pack.Version, old.Pack.Version)
	switch {
	case c < 0 && !o.Downgrade:
		sink.Errorf(source.Pos{File: in.shown}, "pack %s %s is lower than %s, which is installed", in.Name, in.Pack.Version, old.Pack.Version).
			WithHint("--downgrade installs it; upstep pack rollback " + in.Name + " puts back the version that was replaced last")
	case c == 0 && old.sums == in.sums && len(old.Edited) == 0:
		return true
	case c == 0 && old.sums != in.sums && !old.Own && !o.Force:
		sink.Errorf(source.Pos{File: in.shown}, "pack %s %s has other files than the %s that is installed", in.Name, in.Pack.Version, old.Pack.Version).
			WithHint("whoever built it should have given it another version; --force installs it")
	}
	return false
}

// linked refuses to change what stands elsewhere.
func linked(at source.Pos, sink *source.Sink) {
	sink.Errorf(at, "is a link to a folder, which may be others' as well").WithHint("put the folder itself in its place, or take the link away")
}

// newly gives the parameters that lack a value which the old version did not ask for. A
// pack that comes for the first time may come before its values.
func newly(missing []services.Parameter, old *Installed, values *services.Values) []services.Parameter {
	if old == nil || old.Pack == nil {
		return nil
	}
	before := values.Missing(&old.Service)
	return slices.DeleteFunc(slices.Clone(missing), func(p services.Parameter) bool {
		return slices.ContainsFunc(before, func(q services.Parameter) bool { return q.Name == p.Name })
	})
}

// misfit refuses a pack that the project's values do not fit.
func misfit(in *incoming, problems source.Problems, missing []services.Parameter, sink *source.Sink) {
	for _, p := range problems {
		p.Hint = strings.TrimSuffix("so says pack "+in.Name+" "+in.Pack.Version+"; "+p.Hint, "; ")
		sink.Merge(source.Problems{p})
	}
	for _, p := range missing {
		sink.Errorf(p.Pos, "parameter %q of pack %s has no value", p.Name, in.Name).WithHint("it is new in version " + in.Pack.Version)
	}
	if len(missing) > 0 || problems.Count(source.Error) > 0 {
		sink.Warnf(source.Pos{File: in.shown}, "the values of pack %s do not fit version %s", in.Name, in.Pack.Version).WithHint("--keep-values installs it all the same and leaves them as they are")
	}
}

// unmet reports what packs would lack after the change: of those that come all of it, of
// the others what they do not lack already.
func unmet(before []services.Service, after map[string]*incoming, sink *source.Sink) {
	var then []services.Service
	come := map[string]bool{}
	for _, svc := range before {
		if in := after[svc.Name]; in != nil {
			svc = in.Service
			come[svc.Name] = true
		}
		then = append(then, svc)
	}
	for name, in := range after {
		if !come[name] {
			then = append(then, in.Service)
		}
	}
	now, later := &source.Sink{}, &source.Sink{}
	services.CheckNeeds(before, now)
	services.CheckNeeds(then, later)
	lacking := map[string]bool{}
	for _, p := range now.Problems() {
		lacking[p.Pos.String()] = true
	}
	for _, p := range later.Problems() {
		if !lacking[p.Pos.String()] {
			sink.Merge(source.Problems{p})
		}
	}
}
