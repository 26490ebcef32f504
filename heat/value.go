// Package heat evaluates OpenStack Heat templates as far as they say what an upgrade
// does: parameters, conditions, nested templates and Heat's functions. Values are
// opened when something asks for them, so what nobody asks for is never evaluated.
package heat

import (
	"maps"
	"slices"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// Value is a value of a template that is evaluated when it is opened. It knows where
// it was written, so that what holds no function is written out as its author wrote it.
type Value struct {
	Node   source.Node
	stack  *Stack
	asked  bool // it stands in a condition
	state  opening
	inner  any  // what Open gives
	failed bool // something in it could not be evaluated
	call   any  // what the function that stands here gave, unopened
}

type opening int

const (
	closed opening = iota
	underWay
	open
)

var _ yaql.Lazy = (*Value)(nil)

// Open gives nil, a bool, an int64, a float64, a string, []any or a *yaql.Map. What
// can't be evaluated is reported, and is nil.
func (v *Value) Open() any {
	e := v.stack.engine
	if !e.work(1, v.Node.Pos()) {
		return nil
	}
	switch v.state {
	case open:
		if v.failed { // who asks again is told that it is not whole
			e.broken++
		}
		return v.inner
	case underWay:
		e.fail(v.Node.Pos(), "this value is made of itself", "break the circle of get_attr or get_param")
		return nil
	case closed:
	}
	v.state = underWay
	before := e.broken
	v.inner = v.open()
	v.state, v.failed = open, e.broken != before
	return v.inner
}

func (v *Value) open() any {
	n, s := v.Node, v.stack
	switch n.Kind() {
	case source.List:
		out := make([]any, 0, n.Len())
		for it := range n.Elements() {
			if v.asked || !s.omitted(it) {
				out = append(out, v.part(it))
			}
		}
		return out
	case source.Map:
		if name, arg, is := s.function(n, v.asked); is {
			v.call = v.apply(name, arg)
			return yaql.Open(v.call)
		}
		m := yaql.NewMap()
		for key, val := range n.Pairs() {
			if v.asked || !s.omitted(val) {
				m.Set(key.Text(), v.part(val))
			}
		}
		return m
	case source.Missing, source.Null, source.Scalar:
	}
	return n.Scalar()
}

func (v *Value) part(n source.Node) *Value { return &Value{Node: n, stack: v.stack, asked: v.asked} }

// Entry is a key of a mapping with its value, and the key as it was written, if it was.
type Entry struct {
	Name  string
	Key   source.Node
	Value any
}

// Entries gives the keys of a mapping in their order, with the keys as they were
// written where the mapping stands in a template; ok is false for other shapes.
func Entries(v any) (entries []Entry, ok bool) {
	m, is := yaql.Open(v).(*yaql.Map)
	if !is {
		return nil, false
	}
	written := map[string]source.Node{}
	if at, is := origin(v); is {
		for key := range at.Pairs() {
			written[key.Text()] = key
		}
	}
	for key, val := range m.All() {
		name := text(key)
		entries = append(entries, Entry{name, written[name], val})
	}
	return entries, true
}

// origin gives the mapping or list as it was written, which functions may have led to.
func origin(v any) (source.Node, bool) {
	at, is := v.(*Value)
	for is {
		at.Open()
		if at.call == nil {
			return at.Node, at.Node.Kind() != source.Missing
		}
		at, is = at.call.(*Value)
	}
	return source.Node{}, false
}

// Place gives where a value was written; the zero Pos for one that functions made.
func Place(v any) source.Pos {
	if n, is := origin(v); is {
		return n.Pos()
	}
	if at, is := v.(*Value); is {
		return at.Node.Pos()
	}
	return source.Pos{}
}

// Compose gives a value as it is to be written: what holds no function as it was
// written, with its comments, all else made anew.
func Compose(v any) source.Node {
	switch t := v.(type) {
	case *Value:
		switch {
		case !t.Node.Exists():
			return source.Of(nil)
		case t.stack.pure(t.Node):
			return t.Node
		}
		inner := t.Open()
		if t.call != nil {
			return Compose(t.call).Bare()
		}
		return composeAt(inner, t.Node)
	default:
		return composeAt(v, source.Node{})
	}
}

func composeAt(v any, like source.Node) source.Node {
	switch t := v.(type) {
	case []any:
		items := make([]source.Node, len(t))
		for i, it := range t {
			items[i] = Compose(it)
		}
		return source.ListOf(items, like)
	case *yaql.Map:
		keys := map[string]source.Node{}
		for key := range like.Pairs() {
			keys[key.Text()] = key
		}
		var pairs []source.Pair
		for key, val := range t.All() {
			name := text(key)
			pairs = append(pairs, source.Pair{Key: keys[name], Name: name, Value: Compose(val)})
		}
		return source.MapOf(pairs, like)
	case yaql.Lazy:
		return Compose(t)
	default:
		return source.Of(t)
	}
}

// Plain gives a value with all that it holds opened, for comparisons.
func Plain(v any) any {
	switch t := yaql.Open(v).(type) {
	case []any:
		out := make([]any, len(t))
		for i, it := range t {
			out[i] = Plain(it)
		}
		return out
	case *yaql.Map:
		out := yaql.NewMap()
		for key, val := range t.All() {
			out.Set(key, Plain(val))
		}
		return out
	default:
		return t
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Written gives the value as it stands in its template, if it stands in one.
func (v *Value) Written() source.Node {
	if n, ok := origin(v); ok {
		return n
	}
	return v.Node
}

// Text gives a single value as text; "" for null, a list or a mapping.
func Text(v any) string {
	switch open := yaql.Open(v).(type) {
	case nil, []any, *yaql.Map:
		return ""
	default:
		return text(open)
	}
}
