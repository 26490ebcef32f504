package heat

import (
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// attribute gives an attribute of a resource: an output of a nested template, or the
// value of an OS::Heat::Value.
func (s *Stack) attribute(resource, attr string, path []any, at source.Pos) any {
	e := s.engine
	declared, ok := s.template.resources[resource]
	if !ok {
		hint := source.DidYouMean(resource, sorted(s.template.resources))
		if hint == "" {
			hint = "declare it under resources:"
		}
		e.fail(at, "the template has no resource "+resource, hint)
		return nil
	}
	if c := declared.Get("condition"); c.Exists() && !s.condition(s.value(c), c.Pos()) {
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
		return child.attribut(attr, path, at)
	case builtin == None:
		return nil
	case builtin == "OS::Heat::Value" && attr == "value":
		properties := declared.Get("properties")
		v := e.cast(s.kept(properties.Get("value")), properties, at)
		return walk(v, path, nil)
	case builtin == "OS::Heat::ResourceChain":
		return s.chain(declared.Get("properties"), attr, path, at)
	}
	if e.placeholders {
		e.note(resource+"."+attr, "placeholder")
		return "__" + resource + "_" + attr + "__"
	}
	e.fail(at, "attribute "+attr+" of "+resource+" ("+typeName+") is known only in a running cloud",
		"map the type to a template in an environment (-e), or give --placeholders")
	return nil
}

// attribut is attribute for a nested stack itself.
func (s *Stack) attribut(attr string, path []any, at source.Pos) any {
	v, _, ok := s.Output(attr)
	if !ok {
		hint := source.DidYouMean(attr, sorted(s.template.outputs))
		if hint == "" {
			hint = "declare it under outputs: there"
		}
		s.engine.fail(at, s.template.name+" has no output "+attr, hint)
		return nil
	}
	return walk(v, path, nil)
}

func (s *Stack) child(resource, file string, properties source.Node, at source.Pos) *Stack {
	if c, ok := s.children[resource]; ok {
		return c
	}
	given := map[string]any{}
	for key, value := range properties.Pairs() {
		given[key.Text()] = s.value(value)
	}
	if s.children == nil {
		s.children = map[string]*Stack{}
	}
	s.children[resource] = s.engine.open(file, at, given, s.depth+1)
	return s.children[resource]
}

// chain gives an attribute of every stack of an OS::Heat::ResourceChain.
func (s *Stack) chain(properties source.Node, attr string, path []any, at source.Pos) any {
	given := map[string]any{}
	for key, value := range properties.Get("resource_properties").Pairs() {
		given[key.Text()] = s.value(value)
	}
	types, _ := yaql.Open(s.value(properties.Get("resources"))).([]any)
	out := []any{}
	for _, t := range types {
		name, _ := yaql.Open(t).(string)
		child := s.engine.stack(name, s.template.path, at, given, s.depth+1)
		if child == nil {
			out = append(out, nil)
			continue
		}
		out = append(out, child.attribut(attr, path, at))
	}
	return out
}

// walk follows a path of keys and indices; what is not there is otherwise.
func walk(v any, path []any, otherwise any) any {
	for _, step := range path {
		switch open := yaql.Open(v).(type) {
		case *yaql.Map:
			next, ok := open.Get(yaql.Open(step))
			if !ok {
				return otherwise
			}
			v = next
		case []any:
			i, ok := index(step)
			if ok && i < 0 {
				i += len(open)
			}
			if !ok || i < 0 || i >= len(open) {
				return otherwise
			}
			v = open[i]
		default:
			return otherwise
		}
	}
	return v
}

func index(step any) (int, bool) {
	i, ok := yaql.Open(step).(int64)
	return int(i), ok
}

// condition decides a condition: a name, a function, or a truth value.
func (s *Stack) condition(v any, at source.Pos) bool {
	switch c := yaql.Open(v).(type) {
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
	s.decisions[name] = s.condition(s.value(n), n.Pos())
	return s.decisions[name]
}
