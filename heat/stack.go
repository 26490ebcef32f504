package heat

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// StackName is the name that templates see as their stack's.
const StackName = "overcloud"

// Stack is a template with the values of its parameters.
type Stack struct {
	engine    *Engine
	template  *template
	given     map[string]any // by its parent
	values    map[string]any // parameters that were read
	children  map[string]*Stack
	chains    map[string][]*Stack
	failed    map[string]bool
	deciding  map[string]bool
	decisions map[string]bool
	once      map[source.Node]*Value // outputs and values of resources, which are evaluated once
	depth     int                    // how many templates it is nested in
}

// deepest is how far templates may nest; Heat's own limit is far lower.
const deepest = 40

// Stack makes the stack of a type of the registry. It is nil for a type that is
// nothing, and for one that could not be read, which was reported.
func (e *Engine) Stack(name string, at source.Pos, given map[string]any) *Stack {
	return e.stack(name, "", at, given, 0)
}

func (e *Engine) stack(name, from string, at source.Pos, given map[string]any, depth int) *Stack {
	path, builtin, at := e.resolve(name, from, at)
	if path == "" {
		if builtin != None {
			e.fail(at, "the registry has no "+builtin, "map it to a template or to "+None+" in an environment (-e)")
		}
		return nil
	}
	return e.open(path, at, given, depth)
}

func (e *Engine) open(path string, at source.Pos, given map[string]any, depth int) *Stack {
	if depth > deepest {
		e.fail(at, "templates nest deeper than "+strconv.Itoa(deepest), "break the circle of resources")
		return nil
	}
	t := e.template(path, at)
	if t == nil {
		return nil
	}
	return &Stack{engine: e, template: t, given: given, depth: depth}
}

// Template gives the name of the stack's template.
func (s *Stack) Template() string { return s.template.name }

// Output gives an output's value, and its declaration.
func (s *Stack) Output(name string) (value any, declared source.Node, ok bool) {
	out, ok := s.template.outputs[name]
	if !ok {
		return nil, source.Node{}, false
	}
	if c := out.Get("condition"); c.Exists() && !s.condition(s.ask(c), c.Pos()) {
		return nil, out, true
	}
	return s.kept(out.Get("value")), out, true
}

// kept is value for what several ask for: it is evaluated once, and finds circles.
func (s *Stack) kept(n source.Node) *Value {
	if v, ok := s.once[n]; ok {
		return v
	}
	if s.once == nil {
		s.once = map[source.Node]*Value{}
	}
	s.once[n] = s.value(n)
	return s.once[n]
}

func (s *Stack) value(n source.Node) *Value { return &Value{Node: n, stack: s} }

// remember notes of what is evaluated once whether it could be: who asks again is told
// no problem a second time, but has to know that the value is not whole.
func (s *Stack) remember(what string, f func()) {
	before := s.engine.broken
	f()
	if s.engine.broken == before {
		return
	}
	if s.failed == nil {
		s.failed = map[string]bool{}
	}
	s.failed[what] = true
}

// ask gives what stands at a place where a condition does.
func (s *Stack) ask(n source.Node) *Value { return &Value{Node: n, stack: s, asked: true} }

// parameter gives a parameter's value.
func (s *Stack) parameter(name string, at source.Pos) any {
	switch name {
	case "OS::stack_name":
		return StackName
	case "OS::stack_id", "OS::project_id":
		return name
	}
	if v, ok := s.values[name]; ok {
		if s.failed["get_param "+name] {
			s.engine.broken++
		}
		return v
	}
	if s.values == nil {
		s.values = map[string]any{}
	}
	s.values[name] = nil // while it is being found
	s.remember("get_param "+name, func() { s.values[name] = s.find(name, at) })
	return s.values[name]
}

func (s *Stack) find(name string, at source.Pos) any {
	e := s.engine
	var declared source.Node
	ok := false
	if s.template != nil {
		declared, ok = s.template.parameters[name]
	}
	given, isGiven := s.given[name]
	switch {
	case isGiven && ok && yaql.Open(given) == nil: // null is no value, and is not none either
		return nothing(declared.Get("type").Text())
	case isGiven:
		return e.cast(e.property(given, declared, at), declared, at)
	}
	if v, set := e.given(name); set && (!ok || yaql.Open(v) != nil) {
		e.note(name, e.defaults[name].Pos().File, declared)
		if !ok {
			e.sink.Warnf(at, "parameter %s is not declared by this template; the environment's value is taken", name).
				WithHint("declare it under parameters:")
		}
		return e.cast(v, declared, at)
	}
	if !ok {
		e.fail(at, "parameter "+name+" is not declared by this template and has no value", undeclaredHint(name, s.template))
		return nil
	}
	if d := declared.Get("default"); d.Exists() && d.Kind() != source.Null {
		e.note(name, "default", declared)
		return e.cast(e.plain(d), declared, at)
	}
	return e.absent(name, declared, at)
}

// nothing is the empty value of a type: what a nested template's parameter is when its
// property is null. heat/engine/properties.py: Property.get_value.
func nothing(kind string) any {
	switch kind {
	case "number":
		return int64(0)
	case "boolean":
		return false
	case "json":
		return yaql.NewMap()
	case "comma_delimited_list":
		return []any{}
	}
	return ""
}

// property gives what a parent passes the shape in which it arrives as a parameter.
// heat/engine/properties.py, heat/engine/resources/template_resource.py: child_params.
func (e *Engine) property(v any, declared source.Node, at source.Pos) any {
	kind := declared.Get("type").Text()
	ok := true
	switch open := yaql.Open(v).(type) {
	case string:
		if kind == "boolean" {
			ok = strings.EqualFold(open, "true") || strings.EqualFold(open, "false")
		}
	case bool:
		ok = kind != "json" && kind != "comma_delimited_list"
	case int64:
		ok = kind == "number" || kind == "string"
	case float64:
		ok = kind == "number"
	case []any:
		if kind == "comma_delimited_list" {
			return e.joined(open, at)
		}
		ok = kind == "json"
	case *yaql.Map:
		ok = kind == "json"
	}
	if !ok && kind != "" {
		e.fail(at, "the value that "+declared.Pos().Short()+" is given is no "+kind+": "+snippetOf(v), "give a value of the type that the nested template declares")
	}
	return v
}

// joined takes a list through the text with commas that Heat passes it as.
func (e *Engine) joined(list []any, at source.Pos) any {
	var parts []string
	for i, it := range list {
		switch open := yaql.Open(it).(type) {
		case nil:
			parts = append(parts, "")
			continue
		case string:
			parts = append(parts, open)
			continue
		case *yaql.Map:
			if _, all := yaql.Open(list[0]).(*yaql.Map); all {
				for key, val := range open.All() {
					parts = append(parts, ".member."+strconv.Itoa(i)+"."+text(key)+"="+text(val))
				}
				continue
			}
		}
		e.fail(at, "a comma_delimited_list passed to a nested template holds "+snippetOf(it)+", which is no text", "put it in quotes")
		return nil
	}
	return strings.Join(parts, ",")
}

func snippetOf(v any) string { return firstOf(inText(v)) }

func undeclaredHint(name string, t *template) string {
	if t == nil {
		return ""
	}
	if hint := source.DidYouMean(name, sorted(t.parameters)); hint != "" {
		return hint
	}
	return "declare it under parameters:, or set it in an environment (-e) under parameter_defaults:"
}

func (e *Engine) note(name, origin string, declared source.Node) {
	if e.used[name] == nil || origin != "default" {
		e.used[name] = &Used{Name: name, Origin: origin, Hidden: declared.Get("hidden").Scalar() == true}
	}
}

// absent is a parameter that is declared and has no value from anywhere.
func (e *Engine) absent(name string, declared source.Node, at source.Pos) any {
	kind := declared.Get("type").Text()
	m := e.missing[name]
	if m == nil {
		m = &Missing{Name: name, Type: kind}
		e.missing[name] = m
	}
	if !slices.ContainsFunc(m.At, func(q source.Pos) bool { return q.File == at.File }) {
		m.At = append(m.At, at)
	}
	if e.placeholders {
		e.note(name, "placeholder", declared)
		return Placeholder(name, kind)
	}
	e.broken++
	return nil
}

// Placeholder is what stands for a parameter of a type that has no value.
func Placeholder(name, kind string) any {
	if v := nothing(kind); v != "" {
		return v
	}
	for _, prefix := range []string{"Docker", "Container"} {
		if i := strings.Index(name, prefix); i >= 0 && strings.Contains(name[i+len(prefix):], "Image") {
			short := strings.NewReplacer("Docker", "", "Container", "", "Image", "").Replace(name)
			return "192.168.24.1:8787/tripleo/centos-binary-" + strings.ToLower(short) + ":current-tripleo"
		}
	}
	return "__" + name + "__"
}

// cast gives a parameter's value the type that is declared, as Heat does.
// https://opendev.org/openstack/heat/src/branch/stable/train/heat/engine/parameters.py
func (e *Engine) cast(v any, declared source.Node, at source.Pos) any {
	open := yaql.Open(v)
	if open == nil {
		return nil // it was reported
	}
	s, isText := open.(string)
	switch kind := declared.Get("type").Text(); kind {
	case "string":
		if isText {
			return v
		}
		return text(open)
	case "number":
		switch open.(type) {
		case int64, float64, bool:
			return v
		}
		if n, ok := number(s); ok {
			return n
		}
		e.fail(at, firstOf(inText(open))+" is no number, as the parameter's type says", "")
		return nil
	case "boolean":
		switch strings.ToLower(strings.TrimSpace(text(open))) {
		case "1", "t", "true", "on", "y", "yes":
			return true
		case "0", "f", "false", "off", "n", "no":
			return false
		}
		e.fail(at, firstOf(inText(open))+" is no boolean, as the parameter's type says", "write true or false")
		return nil
	case "comma_delimited_list":
		out := []any{}
		list, is := open.([]any)
		switch {
		case is:
			for _, it := range list {
				out = append(out, text(it))
			}
		case !isText:
			e.fail(at, firstOf(inText(open))+" is no list, as the parameter's type says", "write a text with commas, or a list")
		case s != "":
			for part := range strings.SplitSeq(s, ",") {
				out = append(out, part)
			}
		}
		return out
	case "json":
		if isText {
			return e.parseJSON(s, at)
		}
	case "":
		if declared.Exists() {
			e.fail(declared.Pos(), "the parameter says no type", "write type: string, number, boolean, json or comma_delimited_list")
		}
	default:
		e.fail(declared.Get("type").Pos(), "Heat has no type "+kind, source.DidYouMean(kind, []string{"string", "number", "boolean", "json", "comma_delimited_list"}))
	}
	return v
}

func (e *Engine) parseJSON(s string, at source.Pos) any {
	if s == "" {
		return ""
	}
	n, ok := source.ParseForeign(source.File{Name: at.File, Text: []byte(s)}, &source.Sink{})
	if !ok || !json.Valid([]byte(s)) {
		e.fail(at, "the value of a parameter of type json is no JSON: "+firstOf(s), "")
		return nil
	}
	return e.plain(n)
}

func firstOf(s string) string { return strconv.Quote(shortened(s, 40)) }

// shortened gives the beginning of a text.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Description gives the template's description, on one line.
func (s *Stack) Description() string {
	return strings.Join(strings.Fields(s.template.root.Get("description").Text()), " ")
}
