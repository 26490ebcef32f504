package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Load reads upgrade.yaml, or upgrade.yml, and gives its inputs the values of this run. A project
// without the file gets the defaults. prefix is put before the name shown to people.
func Load(fsys fs.FS, name, prefix string, given []Given, sink *source.Sink) Settings {
	s := Settings{Stages: DefaultStages(), Ordering: Barrier, IdenticalTasks: Each}
	name = spelling(fsys, name, prefix, sink)
	if name == "" {
		s.bind(given, sink)
		return s
	}
	f, ok := source.Read(fsys, name, path.Join(prefix, name), "settings", sink)
	if !ok {
		s.Partial = true
		return s
	}
	sum := sha256.Sum256(f.Text)
	s.File, s.Digest = f.Name, hex.EncodeToString(sum[:])
	s.read(f, given, sink)
	return s
}

// spelling gives the name under which the file is there, NAME.yaml or NAME.yml; "" when
// it is not.
func spelling(fsys fs.FS, name, prefix string, sink *source.Sink) string {
	stem := strings.TrimSuffix(strings.TrimSuffix(name, ".yml"), ".yaml")
	var found []string
	for _, n := range []string{stem + ".yaml", stem + ".yml"} {
		if _, err := fs.Lstat(fsys, n); !errors.Is(err, fs.ErrNotExist) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return ""
	case 2:
		sink.Errorf(source.Pos{File: path.Join(prefix, found[1])}, "stands beside %s, and only one can be read", found[0]).
			WithHint("remove one of the two")
	}
	return found[0]
}

// read reads the text of upgrade.yaml.
func (s *Settings) read(file source.File, given []Given, sink *source.Sink) {
	root, ok := source.Parse(file, sink)
	if s.Partial = !ok || root.Kind() != source.Map; !ok {
		return
	}
	f := source.ReadFields(root, "upgrade.yaml", sink, "name", "description", "inputs", "from", "to", "releases", "stages",
		"steps", "vars", "play", "notify", "deployment_tasks", "ordering", "identical_tasks", "parallelism", "forks", "window")
	s.Name = f.Line("name")
	s.inputs(f.Get("inputs"), sink)
	s.bind(given, sink)
	s.Stages = s.stages(f, sink)
	s.Steps = steps(f.Get("steps"), sink)
	if v := f.Get("vars"); v.Exists() {
		s.Vars = tasks.ReadVars(v, "vars of upgrade.yaml", sink)
		s.clashes(v, sink)
	}
	s.Play = tasks.ReadKeywords(f.Get("play"), tasks.PlayLevel, sink)
	d := source.ReadFields(f.Get("deployment_tasks"), "deployment_tasks", sink, "before", "after")
	s.Before = deployments(d.Get("before"), s.Values(), sink)
	s.After = deployments(d.Get("after"), s.Values(), sink)
	s.Ordering = f.OneOf("ordering", Barrier, Barrier, Dependencies)
	s.IdenticalTasks = f.OneOf("identical_tasks", Each, Each, Once)
	s.Parallelism = f.Int("parallelism", 1, 0)
	s.Forks = f.Int("forks", 1, 0)
	s.Windows = windows(f.Get("window"), sink)
	s.Notify = reader{s.Values(), sink}.notifications(f.Get("notify"))
	said := sink.Problems().Count(source.Error)
	s.Releases = s.releases(f.Get("releases"), sink)
	if v := f.Get("from"); v.Kind() == source.Map {
		s.Installed = s.installed(v, sink)
	} else {
		s.From = s.version(f, "from", sink)
	}
	s.To = s.version(f, "to", sink)
	s.ReleasesBroken = sink.Problems().Count(source.Error) > said
}

// version reads where an upgrade begins or ends, which an input may say.
func (s *Settings) version(f source.Fields, key string, sink *source.Sink) string {
	if !f.Has(key) {
		return ""
	}
	if len(s.Releases) == 0 && !s.Partial {
		sink.Warnf(f.PosOf(key), "%s says nothing without releases", key).WithHint("declare the jumps that exist under releases:")
	}
	return s.Values().Expand(f.String(key), f.PosOf(key), sink)
}

// installed reads how hosts are asked where an upgrade begins.
func (s *Settings) installed(v source.Node, sink *source.Sink) *Installed {
	m := source.ReadFields(v, "from", sink, "probe", "hosts")
	out := &Installed{Probe: strings.TrimSpace(m.Required("probe")), Hosts: strings.TrimSpace(s.Values().Expand(m.Required("hosts"), m.PosOf("hosts"), sink)), Pos: v.Pos()}
	if len(s.Releases) == 0 && !s.Partial {
		sink.Warnf(v.Pos(), "from says nothing without releases").WithHint("declare the jumps that exist under releases:")
	}
	return out
}

// clashes reports inputs and vars of the same name: one would hide the other.
func (s *Settings) clashes(v source.Node, sink *source.Sink) {
	for _, e := range v.Entries() {
		for _, in := range s.Inputs {
			if in.Name == e.Key.Text() {
				sink.Errorf(e.Key.Pos(), "variable %q is also an input", in.Name).WithHint("the input stands at " + in.Pos.Short() + "; rename one of the two")
			}
		}
	}
}

var stageName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (s *Settings) stages(f source.Fields, sink *source.Sink) []Stage {
	v := f.Get("stages")
	if !v.Exists() {
		return DefaultStages()
	}
	const how = "write stages: [control-plane, non-control-plane]"
	if v.Kind() != source.List || v.Len() == 0 {
		s.Partial = true
		sink.Errorf(v.Pos(), "stages must be a list with at least one stage, not %s", shape(v)).WithHint(how)
		return DefaultStages()
	}
	var out []Stage
	for _, it := range v.Items() {
		st := Stage{Name: it.Text(), Pos: it.Pos()}
		if it.Kind() == source.Map {
			m := source.ReadFields(it, "the stage", sink, "name", "approve")
			st.Name, st.Approve = m.Required("name"), m.Bool("approve")
		} else if st.Name == "" || it.Kind() == source.Null {
			st.Name = ""
			sink.Errorf(it.Pos(), "a stage must be a name or a mapping, not %s", shape(it)).WithHint(how)
		}
		switch {
		case st.Name == "":
			s.Partial = true
			continue
		case len(st.Name) > source.NameLimit:
			sink.Errorf(it.Pos(), "a stage name of %d bytes is too long for a file name", len(st.Name)).WithHint("use at most " + strconv.Itoa(source.NameLimit))
		case !stageName.MatchString(st.Name):
			sink.Errorf(it.Pos(), "stage name %q is not usable as a file name", st.Name).WithHint("use small letters, digits and -, beginning with a letter")
		case slices.Contains([]string{"rollback", "preflight", "before", "after", "handlers", "roles", "upgrade", "vars", "links", "versions", "retire"}, st.Name):
			sink.Errorf(it.Pos(), "stage name %q is taken by upstep itself", st.Name).WithHint("choose another name")
		case slices.ContainsFunc(out, func(o Stage) bool { return o.Name == st.Name }):
			sink.Errorf(it.Pos(), "duplicate stage %q", st.Name).WithHint("name each stage once")
			continue
		}
		out = append(out, st)
	}
	if len(out) == 0 {
		return DefaultStages()
	}
	return out
}

// steps reads the declared steps; nil when any may be used, or when what is declared
// cannot be said for sure.
func steps(v source.Node, sink *source.Sink) []Step {
	if !v.Exists() {
		return nil
	}
	const how = "write steps: {0: validate, 1: stop}"
	if v.Kind() != source.Map || len(v.Entries()) == 0 {
		sink.Errorf(v.Pos(), "steps must be a mapping of numbers to names, with at least one, not %s", shape(v)).WithHint(how)
		return nil
	}
	out := []Step{}
	first := map[int]source.Pos{}
	whole := true
	for _, e := range v.Entries() {
		n, ok := number(e.Key, sink)
		at, twice := first[n]
		switch {
		case !ok:
			whole = false
			continue
		case twice:
			sink.Errorf(e.Key.Pos(), "step %d stands twice in steps", n).WithHint("it stands first at " + at.Short() + "; remove one of the two")
			continue
		case e.Value.Kind() != source.Scalar && e.Value.Kind() != source.Null:
			sink.Errorf(e.Value.Pos(), "the name of step %d must be a single value, not %s", n, e.Value.Kind()).WithHint(how)
		default:
			if r, is := source.Control(strings.TrimSpace(e.Value.Text()), ""); is {
				sink.Errorf(e.Value.Pos(), "the name of step %d has a control character (%U)", n, r).WithHint("take it out")
			}
		}
		first[n] = e.Key.Pos()
		name := ""
		if e.Value.Kind() == source.Scalar { // a null may be written as ~
			name = strings.TrimSpace(e.Value.Text())
		}
		out = append(out, Step{n, name})
	}
	if !whole {
		return nil
	}
	slices.SortFunc(out, func(a, b Step) int { return a.Number - b.Number })
	return out
}

// number reads 3 or step3.
func number(key source.Node, sink *source.Sink) (int, bool) {
	text := strings.TrimPrefix(key.Text(), "step")
	n, err := strconv.Atoi(text)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange) || n < 0:
		sink.Errorf(key.Pos(), "step %q is no number", key.Text()).WithHint("write steps: {0: validate, 1: stop}")
	case n > tasks.MaxStep:
		sink.Errorf(key.Pos(), "step number %s is too large", text).WithHint("steps go from 0 to " + strconv.Itoa(tasks.MaxStep))
	case text != strconv.Itoa(n):
		sink.Errorf(key.Pos(), "step %q is no number", key.Text()).WithHint("did you mean " + strconv.Itoa(n) + "?")
	default:
		return n, true
	}
	return 0, false
}

// shape names what a value is, telling an empty mapping or list from others.
func shape(v source.Node) string {
	if k := v.Kind(); k == source.List && v.Len() > 0 || k == source.Map && len(v.Entries()) > 0 || k == source.Scalar {
		return k.String()
	}
	return "nothing"
}

func deployments(v source.Node, vals source.Values, sink *source.Sink) []Deployment {
	if !v.Exists() {
		return nil
	}
	if v.Kind() != source.List {
		sink.Errorf(v.Pos(), "deployment tasks must be a list, not %s", v.Kind()).WithHint("write - {name: ..., hosts: ..., tasks: [...]}")
		return nil
	}
	var out []Deployment
	for _, it := range v.Items() {
		if it.Kind() != source.Map {
			sink.Errorf(it.Pos(), "an element of deployment_tasks must be a mapping, not %s", it.Kind()).WithHint("write - {name: ..., hosts: ..., tasks: [...]}")
			continue
		}
		f := source.ReadFields(it, "an element of deployment_tasks", sink, "name", "hosts", "tasks", "vars", "play")
		d := Deployment{Name: f.Line("name"), Pos: it.Pos()}
		if f.Required("hosts") != "" {
			d.Hosts = strings.TrimSpace(f.Get("hosts").Substitute(vals, sink).Text())
			if d.Hosts == "" && vals.Known(f.Get("hosts").Text()) {
				sink.Errorf(f.PosOf("hosts"), "hosts of an element of deployment_tasks is empty").WithHint("write hosts: PATTERN")
			}
		}
		if f.Lacks("tasks") {
			sink.Errorf(it.Pos(), "deployment tasks without tasks").WithHint("add tasks: with a list of them")
		}
		d.Tasks = tasks.NewReader(sink, false).List(f.Get("tasks"), tasks.Deployment)
		if w := f.Get("vars"); w.Exists() {
			d.Vars = tasks.ReadVars(w, "vars of the deployment tasks", sink)
		}
		d.Play = tasks.ReadKeywords(f.Get("play"), tasks.PlayLevel, sink)
		out = append(out, d)
	}
	return out
}
