package yaql

import (
	"math"
	"math/bits"
	"strings"
)

func (n *binaryNode) eval(st *state, sc *scope) (any, error) {
	left, err := st.eval(n.left, sc)
	if err != nil {
		return nil, err
	}
	switch n.op {
	case ".", "?.":
		if n.op == "?." && Open(left) == nil {
			return nil, nil
		}
		return st.dot(left, n.right, sc)
	case "->":
		inner, ok := left.(*scope)
		if !ok {
			return nil, noOperator("->", left, nil)
		}
		return st.eval(n.right, inner)
	case "and", "or":
		if truth(left) == (n.op == "or") {
			return left, nil
		}
		return st.eval(n.right, sc)
	}
	right, err := st.eval(n.right, sc)
	if err != nil {
		return nil, err
	}
	return st.operate(n.op, left, right)
}

// dot is a method call, a dict's value, or the same of each element of a list.
func (st *state) dot(left any, right node, sc *scope) (any, error) {
	if call, ok := right.(*callNode); ok {
		v, err := st.invoke(call.names.methods, call.name, call.args, []any{left}, sc)
		if err != nil {
			return nil, at(err, call.offset())
		}
		return v, nil
	}
	name, ok := keywordOf(right)
	if !ok {
		return nil, &Error{Offset: right.offset(), Message: "a name or a method must follow the dot", kind: noMatch}
	}
	v := Open(left)
	if m, ok := v.(*Map); ok {
		if e, ok := m.Get(name); ok {
			return e, nil
		}
		return nil, at(missing(name), right.offset())
	}
	if !isIterable(v) {
		return nil, &Error{Offset: right.offset(), Message: kindOf(v) + " has no " + name}
	}
	return st.mapped(v, func(e any) (any, error) { return st.dot(e, right, sc) }), nil
}

func (n *unaryNode) eval(st *state, sc *scope) (any, error) {
	raw, err := st.eval(n.value, sc)
	if err != nil {
		return nil, err
	}
	if n.op == "not" {
		return !truth(raw), nil
	}
	switch v := Open(raw).(type) {
	case int64:
		if n.op == "+" {
			return v, nil
		}
		return arithmetic("-", int64(0), v)
	case float64:
		if n.op == "-" {
			v = -v
		}
		return v, nil
	}
	return nil, noOperator(n.op, raw, nil)
}

func noOperator(op string, left, right any) error {
	return &Error{
		Offset: -1, Message: "cannot do " + op + " with " + kindOf(left) + " and " + kindOf(right), kind: noMatch,
	}
}

// operate applies an operator that needs both its values.
func (st *state) operate(op string, a, b any) (any, error) {
	switch op {
	case "=":
		return st.equal(a, b)
	case "!=":
		same, err := st.equal(a, b)
		return !same, err
	case "in":
		return st.holds(a, b)
	case "<", ">", "<=", ">=":
		return st.compare(op, a, b)
	case "=~", "!~":
		return st.matchOperator(op, Open(a), Open(b))
	}
	a, b = Open(a), Open(b)
	if isNumber(a) && isNumber(b) {
		return arithmetic(op, a, b)
	}
	switch op {
	case "+":
		return st.join(a, b)
	case "*":
		if _, ok := integer(a); ok {
			a, b = b, a
		}
		if n, ok := integer(b); ok {
			return st.times(a, n)
		}
	case "-":
		x, isA := a.(*set)
		y, isB := b.(*set)
		if isA && isB {
			return st.difference(x, y)
		}
	}
	return nil, noOperator(op, a, b)
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64:
		return true
	}
	return false
}

// join is + of what is no number.
func (st *state) join(a, b any) (any, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return st.text(x + y)
		}
	case *Map:
		if y, ok := b.(*Map); ok {
			return st.update(x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			return append(append(make([]any, 0, len(x)+len(y)), x...), y...), st.charge(len(x) + len(y))
		}
	case *set:
		if y, ok := b.(*set); ok {
			return st.union(x, y)
		}
	}
	if isIterable(a) && isIterable(b) {
		return st.chain(a, b), nil
	}
	return nil, noOperator("+", a, b)
}

// update is one dict with another's values laid over it.
func (st *state) update(a, b *Map) (any, error) {
	if err := st.charge(a.Len() + b.Len()); err != nil {
		return nil, err
	}
	out := a.clone()
	for k, v := range b.All() {
		out.Set(k, v)
	}
	return out, nil
}

func (st *state) times(v any, n int64) (any, error) {
	n = max(n, 0)
	size := int64(0)
	if s, ok := v.(string); ok {
		size = int64(len(s))
	} else if items, ok := sequence(v); ok {
		size = int64(len(items))
	} else {
		return nil, noOperator("*", v, n)
	}
	if size == 0 {
		n = 0
	}
	if n > maxText || size*n > maxText {
		return nil, &Error{Offset: -1, Message: "a value grows too long", kind: limits}
	}
	if s, ok := v.(string); ok {
		return st.text(strings.Repeat(s, int(n)))
	}
	if err := st.charge(int(size * n)); err != nil {
		return nil, err
	}
	items, _ := sequence(v)
	out := make([]any, 0, size*n)
	for range n {
		out = append(out, items...)
	}
	if _, ok := v.(*pyList); ok {
		return &pyList{out}, nil
	}
	return out, nil
}

func tooLarge() error { return failf("a number grows too large") }

func arithmetic(op string, a, b any) (any, error) {
	x, isX := a.(int64)
	y, isY := b.(int64)
	if isX && isY {
		return integers(op, x, y)
	}
	_, f, _, _ := number(a)
	_, g, _, _ := number(b)
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "/":
		if g == 0 {
			return nil, failf("division by zero")
		}
		return f / g, nil
	}
	if g == 0 {
		return nil, failf("modulo by zero")
	}
	r := math.Mod(f, g)
	if r != 0 && (r < 0) != (g < 0) {
		r += g
	}
	return r, nil
}

func integers(op string, x, y int64) (any, error) {
	switch op {
	case "+":
		if s := x + y; (s > x) == (y > 0) {
			return s, nil
		}
		return nil, tooLarge()
	case "-":
		if d := x - y; (d < x) == (y > 0) {
			return d, nil
		}
		return nil, tooLarge()
	case "*":
		hi, lo := bits.Mul64(magnitude(x), magnitude(y))
		if hi != 0 || lo > math.MaxInt64 {
			return nil, tooLarge()
		}
		return x * y, nil
	}
	if y == 0 {
		return nil, failf("division by zero")
	}
	if x == math.MinInt64 && y == -1 {
		return nil, tooLarge()
	}
	q, r := x/y, x%y // Go rounds to zero, Python down
	if r != 0 && (r < 0) != (y < 0) {
		q, r = q-1, r+y
	}
	if op == "/" {
		return q, nil
	}
	return r, nil
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}
