package yaql

import (
	"slices"
	"strings"
)

// entry is a line of the library. Its signature lists parameters as name:type, with ? after a type that takes null, = after
// one that may be left out, * before one that takes all that follow, and ** for arguments of any name.
// A name begins with a dot when it is a method only, and ends with one when it is a function and a method.
type entry struct {
	name      string
	signature string
	do        func(c *call) (any, error)
}

// names are the overloads of a name, as a function and as a method.
type names struct{ functions, methods []*function }

// lookup reads the signatures of one name: an expression knows few of them.
func lookup(name string) *names {
	name = strings.TrimRight(name, "_")
	n := &names{}
	for _, part := range [][]entry{
		systemLibrary(), branchingLibrary(), mathLibrary(), stringLibrary(), regexLibrary(),
		queryLibrary(), searchLibrary(), orderLibrary(), generatorLibrary(), collectionLibrary(), dictLibrary(), setLibrary(),
	} {
		for _, e := range part {
			if strings.Trim(e.name, ".") != name {
				continue
			}
			f := e.function()
			if strings.HasPrefix(e.name, ".") || strings.HasSuffix(e.name, ".") {
				n.methods = append(n.methods, f)
			}
			if !strings.HasPrefix(e.name, ".") {
				n.functions = append(n.functions, f)
			}
		}
	}
	return n
}

func (e entry) function() *function {
	f := &function{do: e.do}
	words := strings.Fields(e.signature)
	if i := slices.Index(words, "=>"); i >= 0 {
		f.rules, words = true, slices.Delete(words, i, i+1)
	}
	for _, w := range words {
		if w == "**" {
			f.kwargs = true
			continue
		}
		name, typ, _ := strings.Cut(w, ":")
		p := param{name: name}
		typ, p.optional = strings.CutSuffix(typ, "=")
		p.typ, p.nullable = strings.CutSuffix(typ, "?")
		if rest, ok := strings.CutPrefix(name, "*"); ok {
			p.name = rest
			f.rest = &p
			continue
		}
		f.params = append(f.params, p)
	}
	return f
}

func (c *call) str(i int, absent string) string {
	if s, ok := c.args[i].(string); ok {
		return s
	}
	return absent
}

func (c *call) int(i int, absent int64) int64 {
	if n, ok := integer(c.args[i]); ok {
		return n
	}
	return absent
}

func (c *call) lambda(i int) *lambda {
	l, _ := c.args[i].(*lambda)
	return l
}

// ask applies a lambda for its truth.
func (c *call) ask(l *lambda, args ...any) (bool, error) {
	v, err := c.apply(l, args...)
	return err == nil && truth(v), err
}

// selected applies a lambda that may not have been given.
func (c *call) selected(l *lambda, v any) (any, error) {
	if l == nil {
		return v, nil
	}
	return c.apply(l, v)
}
