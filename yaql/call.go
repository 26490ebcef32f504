package yaql

import (
	"slices"
	"strings"
)

// function is one overload of a name.
type function struct {
	params []param
	rest   *param // of *args
	kwargs bool   // takes any names, as **kwargs
	rules  bool   // key => value are values, not named arguments
	do     func(c *call) (any, error)
}

type param struct {
	name     string
	typ      string // see fits
	nullable bool
	optional bool
}

// call is a function with its arguments: values of typed parameters are open, absent ones nil and not given.
type call struct {
	*state
	name  string
	scope *scope
	args  []any
	raw   []any // before they were opened
	given []bool
	rest  []any
	named *Map
}

// argval is an argument on its way: evaluated or, for a lambda, not.
type argval struct {
	node  node
	value any
	ready bool
	key   node // of a rule
	left  bool // left out
}

func lazyType(t string) bool { return t == "lambda" || t == "rule" }

// invoke finds the overload that takes the arguments, as yaql does: by their number and names first, then by their values.
// prefix holds arguments that are values already, such as a method's receiver.
func (st *state) invoke(overloads []*function, name string, args []argument, prefix []any, sc *scope) (any, error) {
	if len(overloads) == 0 {
		what := "function"
		if prefix != nil {
			what = "method"
		}
		return nil, failf("there is no %s %s()", what, name)
	}
	pos, named, err := split(overloads[0].rules, name, args, prefix)
	if err != nil {
		return nil, err
	}
	candidates := make([]*function, 0, 8)
	for _, f := range overloads {
		if f.accepts(pos, named) {
			candidates = append(candidates, f)
		}
	}
	if len(candidates) > 0 {
		if err := st.evaluate(candidates[0], pos, named, sc); err != nil {
			return nil, err
		}
	}
	var best *call
	var found *function
	for _, f := range candidates {
		c := f.bind(st, name, pos, named, sc)
		if c == nil || found != nil && found.narrower(f) {
			continue
		}
		if found != nil && !f.narrower(found) {
			return nil, failf("%s(): more than one meaning fits", name)
		}
		best, found = c, f
	}
	if best == nil {
		return nil, &Error{Offset: -1, Message: name + "() does not take these arguments" + kinds(pos), kind: noMatch}
	}
	if err := best.weighTexts(); err != nil {
		return nil, err
	}
	return found.do(best)
}

// weighTexts charges for long arguments: whatever is done with a text, it is read.
func (c *call) weighTexts() error {
	n := 0
	for _, items := range [][]any{c.args, c.rest} {
		for _, v := range items {
			switch v := v.(type) {
			case string:
				n += len(v) / 32
			case *view, *set:
				n += int(sizeOf(v)) / 4
			}
		}
	}
	return c.charge(n)
}

func kinds(pos []argval) string {
	var out []string
	for _, a := range pos {
		if _, ok := a.node.(*constantNode); ok || a.ready {
			out = append(out, kindOf(a.value))
		} else {
			out = append(out, "an expression")
		}
	}
	if out == nil {
		return ""
	}
	return ": " + strings.Join(out, ", ")
}

type namedArg struct {
	name string
	argval
}

func split(rules bool, name string, args []argument, prefix []any) ([]argval, []namedArg, error) {
	pos := make([]argval, 0, len(prefix)+len(args))
	for _, v := range prefix {
		pos = append(pos, argval{value: v, ready: true})
	}
	var named []namedArg
	for _, a := range args {
		switch {
		case a.value == nil:
			pos = append(pos, argval{left: true})
		case a.key == nil || rules:
			v := argval{node: a.value, key: a.key}
			if c, ok := a.value.(*constantNode); ok && a.key == nil {
				v.value = c.value
			}
			pos = append(pos, v)
		default:
			word, ok := keywordOf(a.key)
			if !ok {
				return nil, nil, &Error{Offset: a.key.offset(), Message: name + "(): the name of an argument must be a word"}
			}
			named = slices.DeleteFunc(named, func(n namedArg) bool { return n.name == word })
			named = append(named, namedArg{word, argval{node: a.value}})
		}
	}
	return pos, named, nil
}

// accepts looks at the number and the names of arguments.
func (f *function) accepts(pos []argval, named []namedArg) bool {
	if len(pos) > len(f.params) && f.rest == nil {
		return false
	}
	used := 0
	for i, p := range f.params {
		byName := slices.ContainsFunc(named, func(n namedArg) bool { return n.name == p.name })
		byPlace := i < len(pos) && !pos[i].left
		if byName {
			used++
		}
		if byName && byPlace || !byName && !byPlace && !p.optional {
			return false
		}
	}
	for i := range pos {
		if i >= len(f.params) && pos[i].left {
			return false
		}
		p := f.param(i)
		if (p.typ == "rule") != (pos[i].key != nil) && (p.typ == "rule" || p.typ != "mapping") {
			return false
		}
		if c, ok := pos[i].node.(*constantNode); ok && pos[i].key == nil && !p.takes(c.value) {
			return false
		}
	}
	return used == len(named) || f.kwargs
}

func (f *function) param(i int) *param {
	if i < len(f.params) {
		return &f.params[i]
	}
	return f.rest
}

// evaluate works out arguments once, whatever overload takes them in the end.
func (st *state) evaluate(f *function, pos []argval, named []namedArg, sc *scope) error {
	for i := range pos {
		a := &pos[i]
		if a.ready || a.left || lazyType(f.param(i).typ) {
			continue
		}
		v, err := st.eval(a.node, sc)
		if err != nil {
			return err
		}
		if a.key != nil {
			k, err := st.eval(a.key, sc)
			if err != nil {
				return err
			}
			v = &rule{Open(k), v}
		}
		a.value, a.ready = v, true
	}
	for i := range named {
		a := &named[i]
		if j := slices.IndexFunc(f.params, func(p param) bool { return p.name == a.name }); j >= 0 && lazyType(f.params[j].typ) {
			continue
		}
		v, err := st.eval(a.node, sc)
		if err != nil {
			return err
		}
		a.value, a.ready = v, true
	}
	return nil
}

// bind gives the call of an overload, or nil when a value does not fit.
func (f *function) bind(st *state, name string, pos []argval, named []namedArg, sc *scope) *call {
	n := len(f.params)
	c := &call{state: st, name: name, scope: sc, given: make([]bool, n)}
	both := make([]any, 2*n)
	c.args, c.raw = both[:n:n], both[n:]
	for i := range pos {
		if pos[i].left {
			continue
		}
		p := f.param(i)
		v, ok := p.convert(&pos[i], sc)
		if !ok {
			return nil
		}
		if i >= n {
			c.rest = append(c.rest, v)
			continue
		}
		c.args[i], c.raw[i], c.given[i] = v, pos[i].value, true
	}
	for i := range named {
		a := &named[i]
		j := slices.IndexFunc(f.params, func(p param) bool { return p.name == a.name })
		if j < 0 {
			if c.named == nil {
				c.named = NewMap()
			}
			c.named.Set(a.name, a.value)
			continue
		}
		v, ok := f.params[j].convert(&a.argval, sc)
		if !ok {
			return nil
		}
		c.args[j], c.raw[j], c.given[j] = v, a.value, true
	}
	return c
}

func (p *param) convert(a *argval, sc *scope) (any, bool) {
	switch p.typ {
	case "lambda":
		if a.node == nil {
			return &lambda{value: a.value}, true
		}
		return &lambda{node: a.node, scope: sc}, true
	case "rule":
		return [2]*lambda{{node: a.key, scope: sc}, {node: a.node, scope: sc}}, a.key != nil
	case "any":
		return a.value, p.nullable || Open(a.value) != nil
	}
	v := Open(a.value)
	return v, p.takes(v)
}

// takes tells whether a value has a parameter's type.
func (p *param) takes(v any) bool {
	if p.typ == "lambda" || p.typ == "rule" {
		return true
	}
	if v = Open(v); v == nil {
		return p.nullable
	}
	return fits(p.typ, v)
}

func fits(typ string, v any) bool {
	ok := true
	switch typ {
	case "int":
		_, ok = integer(v)
	case "num":
		ok = isNumber(v)
	case "str":
		_, ok = v.(string)
	case "bool":
		_, ok = v.(bool)
	case "iter":
		ok = isIterable(v)
	case "iterator":
		_, ok = v.(*iterator)
	case "list":
		ok = isIterable(v) && !isSet(v)
	case "seq":
		_, ok = sequence(v)
	case "dict":
		_, ok = v.(*Map)
	case "set":
		ok = isSet(v)
	case "regex":
		_, ok = v.(*regex)
	case "ordering":
		_, ok = v.(*ordering)
	case "mapping":
		_, ok = v.(*rule)
	}
	return ok
}

// narrower tells whether an overload asks for more than another one of the same arguments.
func (f *function) narrower(g *function) bool {
	more := false
	for i := range max(len(f.params), len(g.params)) {
		p, q := f.param(i), g.param(i)
		if p == nil || q == nil || p.typ == q.typ {
			continue
		}
		if wider(q.typ, p.typ) {
			more = true
		} else if wider(p.typ, q.typ) {
			return false
		}
	}
	return more
}

func wider(a, b string) bool {
	return a == "any" && b != "any" || (a == "iter" || a == "list") && (b == "seq" || b == "iterator" || b == "set")
}
