package heat

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// None is the type of a resource that is nothing.
const None = "OS::Heat::None"

// Engine evaluates the templates of one tree with one set of environments.
type Engine struct {
	files        *Files
	sink         *source.Sink
	placeholders bool
	templates    map[string]*template
	read         []source.File // every file read, for those who measure
	registry     map[string]mapping
	globs        []string // keys of registry with a *, in their order
	defaults     map[string]source.Node
	topLevel     map[string]source.Node // parameters: of environments, which no nested template sees
	merged       map[string]any         // values that several environments add to
	broken       int                    // problems so far; what follows from one is not told as another
	quiet        bool
	watching     int // how many Watch are under way
	worked       int
	missing      map[string]*Missing
	used         map[string]*Used
	pureness     map[source.Node]bool
	expressions  map[string]*yaql.Expression
}

// mapping is what the resource registry makes of a type.
type mapping struct {
	to   string
	from string // the file that says so
	at   source.Pos
}

// Missing is a parameter that has no value, and the templates that want one.
type Missing struct {
	Name, Type string
	At         []source.Pos // where it is asked for, once in each template
}

// Used is a parameter that was read while evaluating: what it was, and where from.
type Used struct {
	Name   string `json:"name"`
	Origin string `json:"from"`             // the file that gave it, or "default", "placeholder"
	Hidden bool   `json:"hidden,omitempty"` // the template hides it: it is a secret
}

// NewEngine makes an engine. What is wrong goes to the sink; with placeholders a
// parameter without a value gets one that shows its name.
func NewEngine(files *Files, placeholders bool, sink *source.Sink) *Engine {
	return &Engine{
		files: files, sink: sink, placeholders: placeholders, templates: map[string]*template{}, registry: map[string]mapping{},
		defaults: map[string]source.Node{}, topLevel: map[string]source.Node{}, merged: map[string]any{}, missing: map[string]*Missing{}, used: map[string]*Used{},
		pureness: map[source.Node]bool{}, expressions: map[string]*yaql.Expression{},
	}
}

// AddEnvironment reads an environment file: its resource registry and its parameters
// go over those of earlier ones.
func (e *Engine) AddEnvironment(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		e.sink.Errorf(source.Pos{File: path}, "cannot find the environment: %v", err)
		return false
	}
	f, err := e.files.read(path)
	if err != nil {
		e.sink.Errorf(source.Pos{File: f.Name}, "cannot read the environment: %v", source.Cause(err))
		return false
	}
	e.read = append(e.read, f)
	root, ok := source.ParseForeign(f, e.sink)
	if !ok {
		return false
	}
	if root.Kind() != source.Map {
		e.sink.Errorf(root.Pos(), "an environment must be a mapping, not %s", root.Kind()).
			WithHint("its keys are resource_registry, parameter_defaults and parameters")
		return false
	}
	for key := range root.Pairs() {
		if known := sections(); !slices.Contains(known, key.Text()) {
			e.sink.Warnf(key.Pos(), "an environment has no section %s; it is not read", key.Text()).WithHint(cmp.Or(source.DidYouMean(key.Text(), known), "its sections are "+strings.Join(known, ", ")))
		}
	}
	e.addRegistry(root.Get("resource_registry"), path)
	strategies := root.Get("parameter_merge_strategies")
	for _, section := range []string{"parameters", "parameter_defaults"} {
		values := root.Get(section)
		if k := values.Kind(); k != source.Map && k != source.Missing && k != source.Null {
			e.sink.Errorf(values.Pos(), "%s must be a mapping, not %s", section, k).WithHint("write NAME: value below it")
		}
		for key, value := range values.Pairs() {
			if section == "parameters" {
				e.topLevel[key.Text()] = value
			} else {
				e.addParameter(key.Text(), value, strategies)
			}
		}
	}
	return true
}

// sections are what an environment may hold.
// https://docs.openstack.org/heat/train/template_guide/environment.html
func sections() []string {
	return []string{"resource_registry", "parameter_defaults", "parameters", "parameter_merge_strategies", "encrypted_param_names", "event_sinks"}
}

func (e *Engine) addRegistry(registry source.Node, path string) {
	if k := registry.Kind(); k != source.Map && k != source.Missing && k != source.Null {
		e.sink.Errorf(registry.Pos(), "resource_registry must be a mapping, not %s", k).WithHint("write TYPE: TEMPLATE below it")
	}
	for key, value := range registry.Pairs() {
		name := key.Text()
		switch value.Kind() {
		case source.Map, source.List: // resources: and hooks are of single deployments
			if name != "resources" {
				e.sink.Errorf(value.Pos(), "the registry maps %s to %s", name, value.Kind()).WithHint("name a template, another type, or " + None)
			}
			continue
		case source.Missing, source.Null, source.Scalar:
		}
		to := value.Text()
		if value.Kind() == source.Null {
			to = None
		}
		if strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://") {
			e.sink.Errorf(value.Pos(), "the registry maps %s to %s, and nothing is fetched", name, to).WithHint("name a file")
			to = None
		}
		if _, again := e.registry[name]; !again && strings.Contains(name, "*") {
			e.globs = append(e.globs, name)
		}
		e.registry[name] = mapping{to, path, value.Pos()}
	}
}

// addParameter takes a parameter's value. Where an environment says how values are
// merged (parameter_merge_strategies, Heat since Wallaby), it adds to the earlier one.
func (e *Engine) addParameter(name string, value, strategies source.Node) {
	strategy := strategies.Get(name).Text()
	if strategy == "" {
		strategy = strategies.Get("default").Text()
	}
	before, had := e.given(name)
	e.defaults[name] = value
	delete(e.merged, name)
	if !had || strategy != "merge" && strategy != "deep_merge" {
		return
	}
	now := e.plain(value)
	switch old := yaql.Open(before).(type) {
	case []any:
		if more, ok := yaql.Open(now).([]any); ok {
			e.merged[name] = append(append([]any{}, old...), more...)
		}
	case *yaql.Map:
		if more, ok := yaql.Open(now).(*yaql.Map); ok {
			e.merged[name] = merge(old, more, strategy == "deep_merge")
		}
	case string:
		if more, ok := yaql.Open(now).(string); ok {
			e.merged[name] = old + more
		}
	}
}

func merge(a, b *yaql.Map, deep bool) *yaql.Map {
	out := yaql.NewMap()
	for k, v := range a.All() {
		out.Set(k, v)
	}
	for k, v := range b.All() {
		if old, had := out.Get(k); had && deep {
			x, isMap := yaql.Open(old).(*yaql.Map)
			y, both := yaql.Open(v).(*yaql.Map)
			if isMap && both {
				v = merge(x, y, true)
			}
		}
		out.Set(k, v)
	}
	return out
}

// given gives what the environments say of a parameter.
func (e *Engine) given(name string) (any, bool) {
	if v, ok := e.merged[name]; ok {
		return v, true
	}
	if n, ok := e.defaults[name]; ok {
		return e.plain(n), true
	}
	return nil, false
}

// plain gives a value that stands outside of any template.
func (e *Engine) plain(n source.Node) any { return &Value{Node: n, stack: &Stack{engine: e}} }

// resolve follows a type through the registry: to a template's path, or to a type that
// Heat itself knows. The place is where the last mapping stands, at where there is none.
func (e *Engine) resolve(name, from string, at source.Pos) (path, builtin string, place source.Pos) {
	seen := map[string]bool{}
	for {
		if isTemplate(name) {
			return e.files.locate(name, from), "", at
		}
		m, ok := e.registry[name]
		if !ok {
			m, ok = e.glob(name)
		}
		switch {
		case !ok:
			return "", name, at
		case seen[name]:
			e.fail(m.at, "the registry maps "+name+" to itself", "map it to a template, or to "+None)
			return "", None, at
		}
		seen[name] = true
		name, from, at = m.to, m.from, m.at
	}
}

// glob finds the pattern that a type matches: the one with the longest text before
// its *, of several the later. A * at the end of both sides stands for the same text.
func (e *Engine) glob(name string) (mapping, bool) {
	best, found := mapping{}, -1
	for _, pattern := range e.globs {
		head, tail, _ := strings.Cut(pattern, "*")
		if len(head) < found || pattern == name || len(name) < len(head)+len(tail) || !strings.HasPrefix(name, head) || !strings.HasSuffix(name, tail) {
			continue
		}
		best, found = e.registry[pattern], len(head)
		if to, star := strings.CutSuffix(best.to, "*"); star && tail == "" {
			best.to = to + name[len(head):]
		}
	}
	return best, found >= 0
}

func isTemplate(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".template") || strings.HasSuffix(name, ".yml")
}

// fail reports what can't be evaluated. While a value is being evaluated only the
// first problem is told: the others follow from it.
func (e *Engine) fail(at source.Pos, message, hint string) {
	e.broken++
	if e.quiet {
		return
	}
	e.quiet = e.watching > 0
	e.sink.Errorf(at, "%s", message).WithHint(hint)
}

// Watch runs f, and tells whether all that it evaluated could be.
func (e *Engine) Watch(f func()) bool {
	before := e.broken
	e.quiet = false
	e.watching++
	f()
	e.watching--
	e.quiet = false
	return e.broken == before
}

// mostWork is how many values an engine opens, and how many bytes its functions write: many
// times what the largest tree of templates takes.
const mostWork = 1 << 26

// work counts what is done, so that values made of each other many times over end.
func (e *Engine) work(n int, at source.Pos) bool {
	if e.worked > mostWork {
		e.broken++
		return false
	}
	if e.worked += n; e.worked > mostWork {
		e.fail(at, "the templates make too much: this value is where evaluating them was given up", "look for values that hold each other several times")
		return false
	}
	return true
}

// Missing gives the parameters without a value, sorted by name.
func (e *Engine) Missing() []Missing {
	var out []Missing
	for _, name := range sorted(e.missing) {
		out = append(out, *e.missing[name])
	}
	return out
}

// Used gives the parameters that were read, sorted by name.
func (e *Engine) Used() []Used {
	var out []Used
	for _, name := range sorted(e.used) {
		out = append(out, *e.used[name])
	}
	return out
}

// Read gives every file that was read.
func (e *Engine) Read() []source.File { return e.read }

// Parameter gives what the environments set a parameter to.
func (e *Engine) Parameter(name string) (any, bool) { return e.given(name) }

// Parameters gives the names of the parameters that the environments set.
func (e *Engine) Parameters() []string {
	names := maps.Clone(e.defaults)
	return sorted(names)
}

// Outside gives a value that stands in no template, such as one of roles_data.yaml.
func (e *Engine) Outside(n source.Node) any { return e.plain(n) }

// Setting gives a parameter's value by the environments, or the default that a
// template which was read gives it.
func (e *Engine) Setting(name string) (any, bool) {
	if v, ok := e.given(name); ok {
		return v, true
	}
	for _, path := range sorted(e.templates) {
		if t := e.templates[path]; t != nil {
			if d := t.parameters[name].Get("default"); d.Exists() {
				return e.plain(d), true
			}
		}
	}
	return nil, false
}

// TopLevel gives what the environments set a parameter of the whole deployment to, which
// no nested template sees.
func (e *Engine) TopLevel(name string) (any, bool) {
	if n, ok := e.topLevel[name]; ok {
		return e.plain(n), true
	}
	return e.given(name)
}

// Forget forgets what the environments so far set a parameter to.
func (e *Engine) Forget(name string) {
	delete(e.defaults, name)
	delete(e.merged, name)
}
