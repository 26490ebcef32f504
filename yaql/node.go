package yaql

import "strconv"

// place is a node's byte offset.
type place int

func (p place) offset() int { return int(p) }

type node interface {
	offset() int
	eval(st *state, sc *scope) (any, error)
}

// argument is one of a call's; one that was left out, as in f(,1), has no value.
type argument struct {
	key   node // of key => value, else nil
	value node
}

type (
	constantNode struct {
		place
		value   any
		keyword bool
	}
	variableNode struct {
		place
		index int // $ and $1 are 0, others than numbers -1
		name  string
	}
	callNode struct {
		place
		name  string
		args  []argument
		names *names
	}
	binaryNode struct {
		place
		op          string
		left, right node
	}
	unaryNode struct {
		place
		op    string
		value node
	}
	indexNode struct {
		place
		value node
		args  []argument
	}
	listNode struct {
		place
		args []argument
	}
	dictNode struct {
		place
		args []argument
	}
	// wrapNode is a parenthesis. It is kept, because what stands in one is neither a name nor a method.
	wrapNode struct {
		place
		value node
	}
)

func newVariable(t token) node {
	if t.text == "" {
		return &variableNode{place(t.offset), 0, "1"}
	}
	return &variableNode{place(t.offset), position(t.text), t.text}
}

// position gives the index of a variable that has a number for a name, else -1.
func position(name string) int {
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 1000 && strconv.Itoa(n) == name {
		return n - 1
	}
	return -1
}

// scope holds variables, and stands within another.
type scope struct {
	parent *scope
	args   []any // $1, $2 ...
	named  map[string]any
	funcs  map[string]*lambda
}

func (sc *scope) get(index int, name string) any {
	for ; sc != nil; sc = sc.parent {
		if index >= 0 && index < len(sc.args) {
			return sc.args[index]
		}
		if sc.named != nil {
			if v, ok := sc.named[name]; ok {
				return v
			}
		}
	}
	return nil
}

func (sc *scope) set(name string, v any) {
	if len(name) > 0 && name[0] == '$' {
		name = name[1:]
	}
	if name == "" {
		name = "1"
	}
	if i := position(name); i >= 0 && i < len(sc.args) {
		sc.args[i] = v
		return
	}
	if sc.named == nil {
		sc.named = map[string]any{}
	}
	sc.named[name] = v
}

// lambda is an expression to be evaluated later, where it was written.
type lambda struct {
	node  node
	value any // instead of a node
	scope *scope
}

func (st *state) apply(l *lambda, args ...any) (any, error) {
	if l.node == nil {
		return l.value, nil
	}
	return st.eval(l.node, &scope{parent: l.scope, args: args})
}
