package yaql

// An expression is somebody else's: what it may cost is bounded.
const (
	maxSteps = 3_000_000 // nodes evaluated, elements passed, and some for every long text
	maxNodes = 20 * maxDepth
	maxText  = 1 << 22 // bytes of one string
)

// state is one evaluation.
type state struct {
	steps int
	depth int
	stops []func() // of generators that may have been left half-way
}

// Eval gives the value of the expression for a root, which it calls $. The result holds no iterators; children that were
// Lazy in the root may still be, and lists and dicts of the root are handed on, not copied. The error is an *Error.
func (e *Expression) Eval(root any) (any, error) {
	st := &state{}
	defer func() {
		for _, stop := range st.stops {
			stop()
		}
	}()
	v, err := st.eval(e.root, &scope{args: []any{root}})
	if err == nil {
		v, err = st.finish(v, 0)
	}
	if err != nil {
		return nil, at(err, e.root.offset())
	}
	return v, nil
}

// charge counts work done, and ends an evaluation that does too much.
func (st *state) charge(n int) error {
	if st.steps += n; st.steps > maxSteps || n < 0 {
		return &Error{Offset: -1, Message: "the evaluation takes too many steps", kind: limits}
	}
	return nil
}

func (st *state) enter() error {
	if st.depth++; st.depth > maxNodes {
		return &Error{Offset: -1, Message: "the evaluation is nested too deep", kind: limits}
	}
	return st.charge(1)
}

func (st *state) eval(n node, sc *scope) (any, error) {
	err := st.enter()
	defer func() { st.depth-- }()
	if err != nil {
		return nil, at(err, n.offset())
	}
	v, err := n.eval(st, sc)
	if err != nil {
		return nil, at(err, n.offset())
	}
	return v, nil
}

// text bounds strings an expression makes.
func (st *state) text(s string) (any, error) {
	if len(s) > maxText {
		return nil, &Error{Offset: -1, Message: "a text grows too long", kind: limits}
	}
	return s, st.charge(len(s) / 16)
}

// weigh charges for looking into a whole value, before it is compared or written: a value may hold itself many times over.
func (st *state) weigh(v any, depth int) error {
	if depth > maxDepth {
		return &Error{Offset: -1, Message: "a value is nested too deep", kind: limits}
	}
	if err := st.charge(1); err != nil {
		return err
	}
	var items []any
	switch v := Open(v).(type) {
	case string:
		return st.charge(len(v) / 64)
	case []any:
		items = v
	case *pyList:
		items = v.items
	case *set:
		items = v.m.keys
	case *view:
		items = v.items()
	case *Map:
		for k, e := range v.All() {
			if err := st.weigh(k, depth+1); err != nil {
				return err
			}
			if err := st.weigh(e, depth+1); err != nil {
				return err
			}
		}
	}
	for _, e := range items {
		if err := st.weigh(e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (st *state) equal(a, b any) (bool, error) {
	if err := st.weigh(a, 0); err != nil {
		return false, err
	}
	if err := st.weigh(b, 0); err != nil {
		return false, err
	}
	return Equal(a, b), nil
}

func (n *constantNode) eval(*state, *scope) (any, error) { return n.value, nil }

func (n *variableNode) eval(_ *state, sc *scope) (any, error) { return sc.get(n.index, n.name), nil }

func (n *wrapNode) eval(st *state, sc *scope) (any, error) { return st.eval(n.value, sc) }

func (n *callNode) eval(st *state, sc *scope) (any, error) {
	for s := sc; s != nil; s = s.parent {
		if f, ok := s.funcs[n.name]; ok {
			return st.callDefined(f, n, sc)
		}
	}
	return st.invoke(n.names.functions, n.name, n.args, nil, sc)
}

// callDefined calls what def() has defined.
func (st *state) callDefined(f *lambda, n *callNode, sc *scope) (any, error) {
	inner := &scope{parent: f.scope}
	for _, a := range n.args {
		if a.value == nil {
			return nil, failf("%s(): an argument is left out", n.name)
		}
		v, err := st.eval(a.value, sc)
		if err != nil {
			return nil, err
		}
		if a.key == nil {
			inner.args = append(inner.args, v)
			continue
		}
		name, ok := keywordOf(a.key)
		if !ok {
			return nil, failf("%s(): the name of an argument must be a word", n.name)
		}
		inner.set(name, v)
	}
	if f.node == nil {
		return f.value, nil
	}
	return st.eval(f.node, inner)
}

func keywordOf(n node) (string, bool) {
	c, ok := n.(*constantNode)
	if !ok || !c.keyword {
		return "", false
	}
	s, ok := c.value.(string)
	return s, ok
}

func (n *listNode) eval(st *state, sc *scope) (any, error) {
	out := make([]any, 0, len(n.args))
	for _, a := range n.args {
		if a.value == nil || a.key != nil {
			return nil, failf("a list takes values only")
		}
		v, err := st.eval(a.value, sc)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (n *dictNode) eval(st *state, sc *scope) (any, error) {
	m := NewMap()
	for _, a := range n.args {
		if a.key == nil {
			return nil, failf("a dict takes key => value only")
		}
		k, err := st.eval(a.key, sc)
		if err != nil {
			return nil, err
		}
		v, err := st.eval(a.value, sc)
		if err != nil {
			return nil, err
		}
		if err := st.weigh(k, 0); err != nil {
			return nil, err
		}
		m.Set(Open(k), v)
	}
	return m, nil
}

func (n *indexNode) eval(st *state, sc *scope) (any, error) {
	raw, err := st.eval(n.value, sc)
	if err != nil {
		return nil, err
	}
	var keys []any
	for _, a := range n.args {
		if a.value == nil || a.key != nil {
			return nil, &Error{Offset: -1, Message: "an index is one value, or a key and a default", kind: noMatch}
		}
		k, err := st.eval(a.value, sc)
		if err != nil {
			return nil, err
		}
		keys = append(keys, Open(k))
	}
	v := Open(raw)
	if items, ok := sequence(v); ok && len(keys) == 1 {
		if i, ok := integer(keys[0]); ok {
			return element(items, i)
		}
	}
	if m, ok := v.(*Map); ok && (len(keys) == 1 || len(keys) == 2) {
		if err := st.weigh(keys[0], 0); err != nil {
			return nil, err
		}
		if e, ok := m.Get(keys[0]); ok {
			return e, nil
		}
		if len(keys) == 2 {
			return n.defaultOf(st, sc)
		}
		return nil, missing(keys[0])
	}
	return nil, &Error{Offset: -1, Message: "cannot take an element of " + kindOf(v) + " this way", kind: noMatch}
}

func (n *indexNode) defaultOf(st *state, sc *scope) (any, error) { return st.eval(n.args[1].value, sc) }

func missing(key any) error { return failf("there is no key %s", repr(key)) }

// integer takes what Python takes for an int: a bool is one.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func element(items []any, i int64) (any, error) {
	if i < 0 {
		i += int64(len(items))
	}
	if i < 0 || i >= int64(len(items)) {
		return nil, &Error{Offset: -1, Message: "the index is out of range", kind: noLength}
	}
	return items[i], nil
}
