package tasks

import (
	"strings"

	"github.com/upstep/upstep/source"
)

// inspect walks a task once and notes what planning must know about it: what it
// registers, notifies and uses, and whether it runs once.
func (r *Reader) inspect(n source.Node, it *item) {
	t := &it.report
	for _, e := range n.Entries() {
		key := e.Key.Text()
		if r.heat {
			r.noHeat(e.Value)
		}
		switch key {
		case "block", "rescue", "always":
			for _, inner := range e.Value.Items() {
				r.inspect(inner, it)
			}
			continue
		case "run_once":
			on, known := source.ParseBool(e.Value.Text())
			t.Once = t.Once || on || !known // an expression may be true
		case "throttle":
			t.Throttle = true
		case "register":
			t.Registers = append(t.Registers, e.Value.Text())
		case "set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact":
			for _, f := range e.Value.Entries() {
				if f.Key.Text() != "cacheable" {
					t.SetsFacts = append(t.SetsFacts, f.Key.Text())
				}
			}
		case "vars":
			for _, own := range e.Value.Entries() {
				r.locals[own.Key.Text()] = true
			}
		case "loop_control":
			r.locals[e.Value.Get("loop_var").Text()] = true
			r.locals[e.Value.Get("index_var").Text()] = true
		case "notify":
			it.notify = append(it.notify, scalars(e.Value)...)
		}
		r.use(key, e.Value, t)
	}
}

func scalars(v source.Node) []source.Node {
	if v.Kind() == source.Scalar {
		return []source.Node{v}
	}
	var out []source.Node
	for _, it := range v.Items() {
		if it.Kind() == source.Scalar {
			out = append(out, it)
		}
	}
	return out
}

func (r *Reader) noHeat(v source.Node) {
	if name, is := HeatFunction(v); is {
		NeedsImport(v, name, r.sink)
		return
	}
	for _, it := range v.Items() {
		r.noHeat(it)
	}
	for _, e := range v.Entries() {
		r.noHeat(e.Value)
	}
}

// bareExpression tells the keys whose values are Jinja without braces.
func bareExpression(key string) bool {
	switch key {
	case "when", "changed_when", "failed_when", "until", "that", "var":
		return true
	}
	return false
}

// use notes the variables that a value's expressions name.
func (r *Reader) use(key string, v source.Node, t *Task) {
	switch v.Kind() {
	case source.Scalar:
		r.useText(key, v, t)
	case source.List:
		for _, it := range v.Items() {
			r.use(key, it, t)
		}
	case source.Map:
		for _, e := range v.Entries() {
			r.use(e.Key.Text(), e.Value, t)
		}
	}
}

func (r *Reader) useText(key string, v source.Node, t *Task) {
	text := v.Text()
	if bareExpression(key) {
		r.useExpression(text, v.Pos(), t)
		return
	}
	for {
		open := strings.Index(text, "{")
		if open < 0 || open+1 >= len(text) {
			return
		}
		if text[open+1] != '{' && text[open+1] != '%' {
			text = text[open+1:]
			continue
		}
		end := strings.Index(text[open:], "}")
		if end < 0 {
			end = len(text) - open
		}
		// A "}" inside a string or a literal mapping ends the piece early; the rest is
		// read as an expression of its own, so that no name is missed.
		if closing := strings.Index(text[open:], string(closer(text[open+1]))+"}"); closing > end {
			end = closing
		}
		r.useExpression(text[open+2:open+end], v.Pos(), t)
		text = text[open+end:]
	}
}

func closer(open byte) byte {
	if open == '{' {
		return '}'
	}
	return '%'
}

// useExpression notes the names in a Jinja expression. Attributes and strings are
// names of something else, except where another host's variables are looked up.
func (r *Reader) useExpression(x string, at source.Pos, t *Task) {
	across := strings.Contains(x, "hostvars")
	for i := 0; i < len(x); {
		c := x[i]
		switch {
		case c == '\'' || c == '"':
			end := i + 1
			for end < len(x) && x[end] != c {
				if x[end] == '\\' {
					end++
				}
				end++
			}
			if across && i+1 <= min(end, len(x)) {
				r.useName(x[i+1:min(end, len(x))], at, t)
			}
			i = end + 1
		case isWord(c):
			end := i
			for end < len(x) && isWord(x[end]) {
				end++
			}
			attribute := i > 0 && x[i-1] == '.'
			if !attribute || across {
				r.useName(x[i:end], at, t)
			}
			i = end
		default:
			i++
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func (r *Reader) useName(name string, at source.Pos, t *Task) {
	if name == "upstep_bootstrap" {
		t.Bootstrap = true
	}
	if _, seen := r.uses[name]; !seen {
		r.uses[name] = at
	}
}
