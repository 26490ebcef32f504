package heat

import (
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// attribute gives an attribute of a resource: an output of a nested template, or the
// value of an OS::Heat::Value.
func (s *Stack) attribute(resource, attr string, path []any, at source.Pos) any {
	e := s.engine
	declared, ok := s.resource(resource, at)
	if !ok {
		return nil
	}
	kind := declared.Get("type")
	name := yaql.Open(s.value(kind))
	typeName, _ := name.(string)
	file, builtin, place := e.resolve(typeName, s.template.path, kind.Pos())
	switch {
	case file != "":
		child := s.child(resource, file, declared.Get("properties"), place)
		if child == nil {
			return nil
		}
		return child.outputAt(attr, path, at)
	case builtin == None:
		return nil
	case builtin == "OS::Heat::Value" && attr == "value":
		properties := declared.Get("properties")
		v := e.typed(s.kept(properties.Get("value")), properties, at)
		return walk(v, path, false)
	case builtin == "OS::Heat::ResourceChain":
		return s.chain(resource, declared.Get("properties"), attr, path, at)
	}
	if e.placeholders {
		e.note(resource+"."+attr, "placeholder", source.Node{})
		return "__" + resource + "_" + attr + "__"
	}
	e.fail(at, "attribute "+attr+" of "+resource+" ("+typeName+") is known only in a running cloud",
		"map the type to a template in an environment (-e), or give --placeholders")
	return nil
}

// resource gives the declaration of a resource that is there: its condition holds.
func (s *Stack) resource(name string, at source.Pos) (source.Node, bool) {
	declared, ok := s.template.resources[name]
	if !ok {
		hint := source.DidYouMean(name, sorted(s.template.resources))
		if hint == "" {
			hint = "declare it under resources:"
		}
		s.engine.fail(at, "the template has no resource "+name, hint)
		return declared, false
	}
	if c := declared.Get("condition"); c.Exists() && !s.condition(s.ask(c), c.Pos()) {
		s.engine.fail(at, "resource "+name+" is not there, as its condition does not hold", "ask the same condition here: if: [CONDITION, VALUE, OTHER]")
		return declared, false
	}
	return declared, true
}

// outputAt gives what stands at a path of an output of the stack itself.
func (s *Stack) outputAt(attr string, path []any, at source.Pos) any {
	v, _, ok := s.Output(attr)
	if !ok {
		hint := source.DidYouMean(attr, sorted(s.template.outputs))
		if hint == "" {
			hint = "declare it under outputs: there"
		}
		s.engine.fail(at, s.template.name+" has no output "+attr, hint)
		return nil
	}
	return walk(v, path, false)
}

func (s *Stack) child(resource, file string, properties source.Node, at source.Pos) *Stack {
	if c, ok := s.children[resource]; ok {
		if c == nil {
			s.engine.broken++ // it was reported
		}
		return c
	}
	given := map[string]any{}
	for key, value := range properties.Pairs() {
		if !s.omitted(value) {
			given[key.Text()] = s.value(value)
		}
	}
	if s.children == nil {
		s.children = map[string]*Stack{}
	}
	s.children[resource] = s.engine.open(file, at, given, s.depth+1)
	return s.children[resource]
}

// typed gives the value of an OS::Heat::Value the type that it says, if it says one.
func (e *Engine) typed(v any, properties source.Node, at source.Pos) any {
	if t := properties.Get("type"); !t.Exists() {
		return v
	}
	if yaql.Open(v) == nil {
		return nothing(properties.Get("type").Text())
	}
	if list, is := yaql.Open(v).([]any); is && properties.Get("type").Text() == "comma_delimited_list" {
		return list
	}
	return e.cast(v, properties, at)
}

// chain gives an attribute of every stack of an OS::Heat::ResourceChain.
func (s *Stack) chain(resource string, properties source.Node, attr string, path []any, at source.Pos) any {
	out := []any{}
	for _, child := range s.links(resource, properties, at) {
		if child == nil {
			out = append(out, nil)
			continue
		}
		out = append(out, child.outputAt(attr, path, at))
	}
	return out
}

// links gives the stacks of a chain, which are made once: a chain of chains that is
// asked twice on every floor would double on each.
func (s *Stack) links(resource string, properties source.Node, at source.Pos) []*Stack {
	if links, ok := s.chains[resource]; ok {
		if s.failed["chain "+resource] {
			s.engine.broken++
		}
		return links
	}
	if s.chains == nil {
		s.chains = map[string][]*Stack{}
	}
	s.remember("chain "+resource, func() {
		entries, _ := Entries(s.value(properties.Get("resource_properties")))
		given := map[string]any{}
		for _, p := range entries {
			given[p.Name] = p.Value
		}
		types, ok := yaql.Open(s.value(properties.Get("resources"))).([]any)
		if !ok {
			s.engine.fail(at, "the chain "+resource+" names no list of resources", "write resources: [TYPE, ...]")
		}
		for _, t := range types {
			name, _ := yaql.Open(t).(string)
			s.chains[resource] = append(s.chains[resource], s.engine.stack(name, s.template.path, at, given, s.depth+1))
		}
	})
	return s.chains[resource]
}

// walk follows a path of keys and indices. A path that leads nowhere gives an empty text
// in a parameter, where indices may be written as text too, and null in an attribute:
// heat/engine/hot/functions.py, GetParam; heat/engine/attributes.py.
func walk(v any, path []any, parameter bool) any {
	var nowhere any
	if parameter {
		nowhere = ""
	}
	for _, step := range path {
		step = yaql.Open(step)
		switch step.(type) {
		case string, int64, bool:
		default:
			return nowhere
		}
		var ok bool
		switch open := yaql.Open(v).(type) {
		case *yaql.Map:
			v, ok = open.Get(step)
		case []any:
			var i int
			if i, ok = place(step, len(open), parameter); ok {
				v = open[i]
			}
		case string:
			letters := []rune(open)
			var i int
			if i, ok = place(step, len(letters), parameter); ok {
				v = string(letters[i])
			}
		}
		if !ok {
			return nowhere
		}
	}
	return v
}

// place reads a step of a path as a place among n; those below 0 count from the end.
func place(step any, n int, texts bool) (int, bool) {
	var i int64
	ok := true
	switch t := step.(type) {
	case int64:
		i = t
	case bool:
		if t {
			i = 1
		}
	case string:
		if i, ok = pythonInt(t); !texts {
			ok = false
		}
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok && i >= 0 && i < int64(n)
}

// condition decides a condition: a name, a function, or a truth value.
func (s *Stack) condition(v any, at source.Pos) bool {
	switch c := yaql.Open(v).(type) {
	case nil: // as if there were none: heat/engine/conditions.py, is_enabled
		return true
	case bool:
		return c
	case string:
		return s.named(c, at)
	}
	s.engine.fail(at, "this is no condition", "name one of conditions:, or write equals, not, and, or")
	return false
}

func (s *Stack) named(name string, at source.Pos) bool {
	if d, ok := s.decisions[name]; ok {
		if s.failed["condition "+name] {
			s.engine.broken++
		}
		return d
	}
	n, ok := s.template.conditions[name]
	switch {
	case !ok:
		hint := source.DidYouMean(name, sorted(s.template.conditions))
		if hint == "" {
			hint = "declare it under conditions:"
		}
		s.engine.fail(at, "the template has no condition "+name, hint)
		return false
	case s.deciding[name]:
		s.engine.fail(at, "condition "+name+" hangs on itself", "break the circle")
		return false
	}
	if s.deciding == nil {
		s.deciding, s.decisions = map[string]bool{}, map[string]bool{}
	}
	s.deciding[name] = true
	s.remember("condition "+name, func() {
		holds, is := yaql.Open(s.ask(n)).(bool)
		if !is {
			s.engine.fail(n.Pos(), "condition "+name+" is neither true nor false", "write equals, not, and, or")
		}
		s.decisions[name] = holds
	})
	return s.decisions[name]
}
