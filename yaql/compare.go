package yaql

import (
	"cmp"
	"strings"
)

// compare compares values, for what their size costs.
func (st *state) compare(op string, a, b any) (bool, error) {
	a, b = Open(a), Open(b)
	for _, v := range []any{a, b} {
		if _, ok := v.(string); !ok && !isSet(v) {
			continue
		}
		if err := st.weigh(v, 0); err != nil {
			return false, err
		}
	}
	return compare(op, a, b)
}

// compare orders numbers, texts and sets; null comes before everything else.
func compare(op string, a, b any) (bool, error) {
	if a == nil || b == nil {
		order := 0
		if b != nil {
			order = -1
		} else if a != nil {
			order = 1
		}
		return ordered(op, order), nil
	}
	if isNumber(a) && isNumber(b) {
		x, isX := a.(int64)
		y, isY := b.(int64)
		if isX && isY {
			return ordered(op, cmp.Compare(x, y)), nil
		}
		_, f, _, _ := number(a)
		_, g, _, _ := number(b)
		if f != f || g != g { // not a number
			return false, nil
		}
		return ordered(op, cmp.Compare(f, g)), nil
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return ordered(op, strings.Compare(x, y)), nil
		}
	}
	x, isX := members(a)
	y, isY := members(b)
	if !isX || !isY {
		return false, noOperator(op, a, b)
	}
	if op == ">" || op == ">=" {
		x, y = y, x
	}
	return subset(x, y) && (len(op) == 2 || len(x) < len(y)), nil
}

func ordered(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// holds is "in": of a text in a text, or of a value in a collection.
func (st *state) holds(v, in any) (bool, error) {
	where := Open(in)
	if s, ok := where.(string); ok {
		if sub, ok := Open(v).(string); ok {
			return strings.Contains(s, sub), st.charge(len(s) / 64)
		}
		return false, noOperator("in", v, in)
	}
	if !isIterable(where) {
		return false, noOperator("in", v, in)
	}
	if err := st.weigh(v, 0); err != nil {
		return false, err
	}
	if s, ok := where.(*set); ok {
		return s.has(v), nil
	}
	if w, ok := where.(*view); ok && w.kind == 'k' {
		_, ok := w.m.Get(v)
		return ok, nil
	}
	for e, err := range st.all(where) {
		if err != nil {
			return false, err
		}
		if same, err := st.equal(e, v); same || err != nil {
			return same, err
		}
	}
	return false, nil
}
