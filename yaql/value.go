// Package yaql evaluates expressions of YAQL, the query language of OpenStack's Heat templates, as the Python library does
// with the options Heat gives it.
package yaql

import (
	"iter"
	"maps"
	"math"
	"slices"
)

// Lazy is a value of the caller that is opened only when an expression has to look into it. Elements that an expression
// merely carries from one place to another come out as the same Lazy they went in as.
type Lazy interface {
	// Open gives nil, a bool, an int64, a float64, a string, a []any or a *Map; its children may be Lazy again.
	Open() any
}

// Open gives a value's plain kind; its children may still be Lazy.
func Open(v any) any {
	for range 100 { // a Lazy may give a Lazy, but not without end
		l, ok := v.(Lazy)
		if !ok {
			return plain(v)
		}
		v = l.Open()
	}
	return nil
}

// plain widens what a careless caller may pass: an int is an int64.
func plain(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case float32:
		return float64(v)
	}
	return v
}

// Map is a dict: keys in the order they were first set, which is what Python promises.
// Keys that are equal in Python (1, 1.0 and true) are one key.
type Map struct {
	keys   []any
	values []any
	index  map[any]int
}

// NewMap gives an empty dict.
func NewMap() *Map { return &Map{} }

// Len counts the keys.
func (m *Map) Len() int { return len(m.keys) }

// Get finds a key's value.
func (m *Map) Get(key any) (any, bool) {
	if i, ok := m.index[hashKey(key)]; ok {
		return m.values[i], true
	}
	return nil, false
}

// Set puts a value under a key; a known key keeps its place.
func (m *Map) Set(key, v any) {
	k := hashKey(key)
	if i, ok := m.index[k]; ok {
		m.values[i] = v
		return
	}
	if m.index == nil {
		m.index = map[any]int{}
	}
	m.index[k] = len(m.keys)
	m.keys, m.values = append(m.keys, key), append(m.values, v)
}

// Delete takes a key out, if it is there.
func (m *Map) Delete(key any) {
	k := hashKey(key)
	i, ok := m.index[k]
	if !ok {
		return
	}
	delete(m.index, k)
	m.keys, m.values = slices.Delete(m.keys, i, i+1), slices.Delete(m.values, i, i+1)
	for k, at := range m.index {
		if at > i {
			m.index[k] = at - 1
		}
	}
}

// Keys gives the keys in order.
func (m *Map) Keys() []any { return slices.Clone(m.keys) }

// All ranges over keys and values in order.
func (m *Map) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for i, k := range m.keys {
			if !yield(k, m.values[i]) {
				return
			}
		}
	}
}

func (m *Map) clone() *Map {
	return &Map{keys: slices.Clone(m.keys), values: slices.Clone(m.values), index: maps.Clone(m.index)}
}

// Kinds that exist only while an expression is evaluated.
type (
	// pyList is Python's mutable list, which some functions give: it is never equal to a tuple, as which yaql keeps lists.
	pyList struct{ items []any }
	// set keeps its members in the order they came; Python's order is accidental.
	set struct{ m *Map }
	// view is what keys(), values() and items() give: it can be read again and again, but has no positions.
	view struct {
		m    *Map
		kind byte // 'k', 'v' or 'i'
	}
	// rule is key => value where it is not the name of an argument.
	rule struct{ key, value any }
)

func newSet() *set { return &set{m: NewMap()} }

func (s *set) has(v any) bool { _, ok := s.m.Get(v); return ok }

func (s *set) add(v any) {
	if !s.has(v) {
		s.m.Set(v, nil)
	}
}

func (w *view) items() []any {
	switch w.kind {
	case 'k':
		return w.m.keys
	case 'v':
		return w.m.values
	}
	out := make([]any, len(w.m.keys))
	for i, k := range w.m.keys {
		out[i] = []any{k, w.m.values[i]}
	}
	return out
}

// sequence gives the elements of what Python calls a sequence: a tuple or a list, no string.
func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case *pyList:
		return v.items, true
	}
	return nil, false
}

// isSet tells what Python calls a set: a dict's values are none, as they may repeat.
func isSet(v any) bool {
	switch v := v.(type) {
	case *set:
		return true
	case *view:
		return v.kind != 'v'
	}
	return false
}

func sizeOf(v any) int64 {
	switch v := v.(type) {
	case *set:
		return int64(v.m.Len())
	case *view:
		return int64(v.m.Len())
	}
	return 0
}

// members gives the elements of a set, or of a view that is one.
func members(v any) ([]any, bool) {
	switch v := v.(type) {
	case *set:
		return v.m.keys, true
	case *view:
		return v.items(), v.kind != 'v'
	}
	return nil, false
}

func truth(v any) bool {
	switch v := Open(v).(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *pyList:
		return len(v.items) > 0
	case *Map:
		return v.Len() > 0
	case *set:
		return v.m.Len() > 0
	case *view:
		return v.m.Len() > 0
	}
	return true
}

// number widens bools, ints and floats to what Python compares them as.
func number(v any) (i int64, f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v), v, true, true
		}
		return 0, v, false, true
	}
	return 0, 0, false, false
}
