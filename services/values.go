package services

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Values are what an installation gives the parameters of its packs. They stand apart
// from the packs, so that a pack can be exchanged under them.
type Values struct {
	shown string
	files map[string]*valuesFile // by the pack's name
}

type valuesFile struct {
	shown, digest string
	root          source.Node
	entries       []source.Entry
	broken        bool            // it could not be read: what it lacks is not told
	known         map[string]bool // parameters of any pack that it was given to
	given         bool
}

// ReadValues reads NAME.yaml for each pack from a folder, which need not be there; shown
// is its name for people.
func ReadValues(fsys fs.FS, shown string, sink *source.Sink) *Values {
	v := &Values{shown, map[string]*valuesFile{}}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			sink.Errorf(source.Pos{File: shown}, "read parameters: %v", source.Cause(err))
		}
		return v
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !source.IsYAML(e.Name()) {
			continue
		}
		name := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
		f := &valuesFile{shown: path.Join(shown, e.Name()), known: map[string]bool{}}
		if first := v.files[name]; first != nil {
			sink.Errorf(source.Pos{File: f.shown}, "stands beside %s, and only one can be read", path.Base(first.shown)).WithHint("remove one of the two")
			continue
		}
		v.files[name] = f
		f.read(fsys, e.Name(), sink)
	}
	return v
}

func (f *valuesFile) read(fsys fs.FS, name string, sink *source.Sink) {
	f.broken = true
	file, ok := source.Read(fsys, name, f.shown, "parameters", sink)
	if !ok {
		return
	}
	f.digest = archive.Sum(file.Text)
	root, ok := source.Parse(file, sink)
	if !ok {
		return
	}
	if root.Kind() != source.Map {
		sink.Errorf(root.Pos(), "values of parameters must be a mapping, not %s", root.Kind()).WithHint("write NAME: VALUE for each")
		return
	}
	f.take(root)
}

func (f *valuesFile) take(root source.Node) {
	f.broken, f.root, f.entries = false, root, root.Entries()
}

// of gives a pack's file of values; one without values where there is none.
func (v *Values) of(pack string) *valuesFile {
	if f := v.files[pack]; f != nil {
		return f
	}
	return &valuesFile{shown: path.Join(v.shown, pack+".yaml"), known: map[string]bool{}}
}

func (f *valuesFile) entry(name string) (source.Entry, bool) {
	i := slices.IndexFunc(f.entries, func(e source.Entry) bool { return e.Key.Text() == name })
	if i < 0 {
		return source.Entry{}, false
	}
	return f.entries[i], true
}

// Give makes variables of their services out of the packs' parameters, and reports values
// that do not fit, and parameters that must have one and have none.
func (v *Values) Give(all []Service, sink *source.Sink) {
	for i := range all {
		s := &all[i]
		if s.Pack == nil {
			continue
		}
		f := v.of(s.Name)
		f.fit(s, sink)
		if f.digest != "" {
			s.Pack.ValuesFile, s.Pack.ValuesDigest = f.shown, f.digest
		}
		for _, p := range f.missing(s) {
			what := ""
			if p.Description != "" {
				what = " (" + strings.TrimSpace(p.Description) + ")"
			}
			sink.Errorf(p.Pos, "parameter %q of pack %s has no value%s", p.Name, s.Name, what).WithHint("write " + p.Name + ": VALUE into " + f.shown)
		}
		f.give(s, sink)
	}
}

// give sets the variables.
func (f *valuesFile) give(s *Service, sink *source.Sink) {
	var set []source.Pair
	for _, p := range s.Pack.Parameters {
		if e, given := f.entry(p.Name); given {
			set = append(set, source.Pair{Key: e.Key, Value: e.Value})
		} else if p.Default.Exists() {
			set = append(set, source.Pair{Name: p.Name, Value: p.Default})
		}
	}
	if len(set) == 0 {
		return
	}
	// Their names were checked where they are declared.
	vars := tasks.ReadVars(source.MapOf(set, source.Node{}), "the parameters", &source.Sink{})
	for _, p := range s.Pack.Parameters {
		if e, given := f.entry(p.Name); given && slices.Contains(vars.Uses[p.Name], p.Name) {
			sink.Errorf(e.Value.Pos(), "the value of parameter %q names the parameter itself, which has no end", p.Name).WithHint("name the variable that it takes its value from differently")
		}
	}
	own := s.Vars
	s.Vars = tasks.Vars{Names: slices.Concat(own.Names, vars.Names), Text: own.Text, Uses: map[string][]string{}}
	if s.Vars.Text != "" && !strings.HasSuffix(s.Vars.Text, "\n") {
		s.Vars.Text += "\n"
	}
	s.Vars.Text += vars.Text
	maps.Copy(s.Vars.Uses, own.Uses)
	maps.Copy(s.Vars.Uses, vars.Uses)
}

// fit checks the values that there are.
func (f *valuesFile) fit(s *Service, sink *source.Sink) {
	f.given = true
	for i := range s.Pack.Parameters {
		p := &s.Pack.Parameters[i]
		f.known[p.Name] = true
		if e, given := f.entry(p.Name); given {
			p.fits(e.Value, "parameter \""+p.Name+"\"", sink)
		}
	}
}

// missing gives the parameters that must have a value and have none.
func (f *valuesFile) missing(s *Service) []Parameter {
	var out []Parameter
	for _, p := range s.Pack.Parameters {
		if _, given := f.entry(p.Name); p.Required && !given && !f.broken {
			out = append(out, p)
		}
	}
	return out
}

// Know takes the packs of another release for ones that have the same values: what they
// take is not unknown.
func (v *Values) Know(all []Service) {
	for _, s := range all {
		if s.Pack == nil {
			continue
		}
		f := v.of(s.Name)
		f.given = true
		for _, p := range s.Pack.Parameters {
			f.known[p.Name] = true
		}
	}
}

// Unknown reports values that none of the packs takes to which they were given.
func (v *Values) Unknown(sink *source.Sink) {
	var names []string
	for name, f := range v.files {
		if f.given {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		f := v.files[name]
		if !f.given {
			hint := source.DidYouMean(name, names)
			if hint == "" {
				hint = "install the pack, or take the file away"
			}
			sink.Warnf(source.Pos{File: f.shown}, "values for %q, and there is no pack of that name", name).WithHint(hint)
			continue
		}
		f.unknown(name, sink)
	}
}

func (f *valuesFile) unknown(pack string, sink *source.Sink) {
	for _, e := range f.entries {
		name := e.Key.Text()
		if f.known[name] {
			continue
		}
		known := slices.Sorted(maps.Keys(f.known))
		hint := source.DidYouMean(name, known)
		switch {
		case hint != "":
		case len(known) == 0:
			hint = "it has none: take the file away"
		default:
			hint = "it has " + strings.Join(known, ", ")
		}
		sink.Errorf(e.Key.Pos(), "unknown parameter %q of pack %s", name, pack).WithHint(hint)
	}
}

// Check reports what of a pack's values does not fit the pack.
func (v *Values) Check(s *Service, sink *source.Sink) {
	f := v.of(s.Name)
	f.fit(s, sink)
	f.unknown(s.Name, sink)
}

// Missing gives the parameters of a pack that must have a value and have none.
func (v *Values) Missing(s *Service) []Parameter { return v.of(s.Name).missing(s) }

// Has tells whether a parameter of a pack was given a value.
func (v *Values) Has(pack, parameter string) bool {
	_, given := v.of(pack).entry(parameter)
	return given
}

// Joined gives the values of several packs as one document, by pack, and for which of
// them there are any. What is encrypted stays so.
func (v *Values) Joined(packs []string) (doc string, with []string) {
	var all []source.Pair
	for _, name := range packs {
		if f := v.files[name]; f != nil && f.root.Exists() {
			all = append(all, source.Pair{Name: name, Value: f.root})
			with = append(with, name)
		}
	}
	return source.Encode(source.MapOf(all, source.Node{})), with
}

// Add takes values of several packs out of one document, and gives the text of a file for
// each pack that has none yet.
func (v *Values) Add(file source.File, sink *source.Sink) map[string]string {
	root, ok := source.Parse(file, sink)
	if !ok {
		return nil
	}
	if root.Kind() != source.Map {
		sink.Errorf(root.Pos(), "parameters of packs must be a mapping of packs, not %s", root.Kind()).WithHint("upstep pack export --parameters writes such files")
		return nil
	}
	out := map[string]string{}
	for _, e := range root.Entries() {
		name := e.Key.Text()
		switch {
		case e.Value.Kind() != source.Map:
			sink.Errorf(e.Value.Pos(), "values of pack %q must be a mapping, not %s", name, e.Value.Kind())
		case !validName.MatchString(name):
			sink.Errorf(e.Key.Pos(), "%q can be the name of no pack", name)
		case v.files[name] == nil:
			f := &valuesFile{shown: file.Name, known: map[string]bool{}}
			f.take(e.Value)
			v.files[name] = f
			out[name] = source.Encode(e.Value)
		}
	}
	return out
}
