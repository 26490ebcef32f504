package yaql

import (
	"slices"
	"strconv"
	"strings"
)

// Equal tells whether Python would call two values equal: 1 == 1.0, true == 1, and the order of a dict does not matter.
func Equal(a, b any) bool {
	a, b = Open(a), Open(b)
	if i, f, isInt, ok := number(a); ok {
		j, g, bothInt, ok := number(b)
		return ok && isInt == bothInt && i == j && (isInt || f == g)
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		s, ok := b.(string)
		return ok && a == s
	case []any:
		s, ok := b.([]any)
		return ok && slices.EqualFunc(a, s, Equal)
	case *pyList:
		s, ok := b.(*pyList)
		return ok && slices.EqualFunc(a.items, s.items, Equal)
	case *Map:
		m, ok := b.(*Map)
		return ok && equalMaps(a, m)
	case *view:
		if a.kind == 'v' {
			return a == b
		}
	}
	if s, ok := members(a); ok {
		t, ok := members(b)
		return ok && len(s) == len(t) && subset(s, t)
	}
	return a == b
}

func equalMaps(a, b *Map) bool {
	if a.Len() != b.Len() {
		return false
	}
	for k, v := range a.All() {
		w, ok := b.Get(k)
		if !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

func subset(a, b []any) bool {
	s := newSet()
	for _, v := range b {
		s.add(v)
	}
	return !slices.ContainsFunc(a, func(v any) bool { return !s.has(v) })
}

type (
	none      struct{}
	composite string
)

// hashKey gives a comparable value that is the same for values that are Equal.
func hashKey(v any) any {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return v
	}
	v = Open(v)
	if i, f, isInt, ok := number(v); ok {
		if isInt {
			return i
		}
		return f
	}
	switch v := v.(type) {
	case nil:
		return none{}
	case []any, *pyList, *Map, *set, *view:
		var b strings.Builder
		writeKey(&b, v)
		return composite(b.String())
	}
	return v // a string, or what is equal only to itself
}

// writeKey writes a value so that equal values give equal texts.
func writeKey(b *strings.Builder, v any) {
	v = Open(v)
	if i, f, isInt, ok := number(v); ok {
		if isInt {
			b.WriteString("i" + strconv.FormatInt(i, 10) + ";")
			return
		}
		b.WriteString("f" + strconv.FormatFloat(f, 'g', -1, 64) + ";")
		return
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("n;")
	case string:
		b.WriteString("s" + strconv.Itoa(len(v)) + ":" + v)
	case []any:
		writeKeys(b, '(', v)
	case *pyList:
		writeKeys(b, '[', v.items)
	case *Map:
		parts := make([]string, 0, v.Len())
		for k, e := range v.All() {
			var p strings.Builder
			writeKey(&p, k)
			writeKey(&p, e)
			parts = append(parts, p.String())
		}
		slices.Sort(parts)
		b.WriteString("{" + strings.Join(parts, "") + "}")
	default:
		items, _ := members(v)
		parts := make([]string, 0, len(items))
		for _, e := range items {
			var p strings.Builder
			writeKey(&p, e)
			parts = append(parts, p.String())
		}
		slices.Sort(parts)
		b.WriteString("<" + strings.Join(parts, "") + ">")
	}
}

func writeKeys(b *strings.Builder, open byte, items []any) {
	b.WriteByte(open)
	for _, v := range items {
		writeKey(b, v)
	}
	b.WriteByte(')')
}
