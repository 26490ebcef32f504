package tasks

import (
	"strings"

	"github.com/upstep/upstep/source"
)

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
		r.useText(bareExpression(key), v, t)
	case source.List:
		for it := range v.Elements() {
			r.use(key, it, t)
		}
	case source.Map:
		for k, inner := range v.Pairs() {
			r.use(k.Text(), inner, t)
		}
	}
}

func (r *Reader) useText(bare bool, v source.Node, t *Task) {
	text := v.Text()
	if !bare && strings.IndexByte(text, '{') < 0 {
		return
	}
	x := expression{r: r, t: t, v: v, across: strings.Contains(text, "vars")}
	if bare {
		x.read(text, 0)
		return
	}
	for {
		open := strings.IndexByte(text, '{')
		if open < 0 || open+1 >= len(text) {
			return
		}
		text = text[open+1:]
		switch text[0] {
		case '{':
			text = text[1+x.read(text[1:], '}'):]
		case '%':
			text = text[1+x.read(text[1:], '%'):]
		case '#':
			_, text, _ = strings.Cut(text, "#}")
		}
	}
}

// expression reads Jinja expressions of one value.
type expression struct {
	r      *Reader
	t      *Task
	v      source.Node
	across bool // variables are looked up by name (vars, hostvars): attributes and strings may be names
}

// read notes the names in an expression that ends with the closing character and "}",
// or with the text, and gives how far it went.
func (x *expression) read(s string, closing byte) int {
	depth := 0
	before := byte(0) // the last character that is no space
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == closing && depth == 0 && i+1 < len(s) && s[i+1] == '}':
			return i + 2
		case c == '\'' || c == '"':
			end := i + 1
			for end < len(s) && s[end] != c {
				if s[end] == '\\' {
					end++
				}
				end++
			}
			if end = min(end, len(s)); x.across {
				x.name(s[i+1 : end])
			}
			i = end + 1
		case isWord(c):
			end := i + 1
			for end < len(s) && isWord(s[end]) {
				end++
			}
			if before != '|' && (before != '.' || x.across) {
				x.name(s[i:end])
			}
			i = end
		default:
			switch c {
			case '{':
				depth++
			case '}':
				depth = max(0, depth-1)
			}
			i++
		}
		if c != ' ' && c != '\t' && c != '\n' {
			before = c
		}
	}
	return len(s)
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// name notes a variable at the first place that names it.
func (x *expression) name(s string) {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return
	}
	switch s {
	case "and", "or", "not", "in", "is", "if", "else", "elif", "endif", "for", "endfor", "true", "false", "none", "True", "False", "None", "defined", "default":
		return
	case "upstep_bootstrap":
		x.t.Bootstrap = true
	}
	if _, seen := x.r.uses[s]; !seen {
		x.r.uses[strings.Clone(s)] = x.v.Pos()
	}
}
