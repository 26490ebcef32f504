package source

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Values are the inputs of a run, by name, that may stand as {{ name }} where plain
// YAML is expected.
type Values struct {
	Declared []string
	Set      map[string]string
	Partial  bool // others may be declared where it could not be read: none is reported as unknown
}

var simpleExpression = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)

// Substitute gives the value with every {{ input }} in it replaced. Anything else in
// braces is a problem. An input that is declared and has no value is left standing:
// it was reported where it is declared.
func (v Node) Substitute(vals Values, sink *Sink) Node {
	if v.n == nil || !strings.Contains(v.flat(), "{") {
		return v
	}
	out := v
	out.n = substitute(v.target(), func(n *yaml.Node) string { return vals.expand(n, v.doc, sink) })
	out.end = 0
	return out
}

// flat joins the scalars below a value.
func (v Node) flat() string {
	var b strings.Builder
	v.Each(func(n Node) { b.WriteString(n.Text()) })
	return b.String()
}

func substitute(n *yaml.Node, expand func(*yaml.Node) string) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = substitute(deref(child), expand)
	}
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{") {
		c.Value = expand(n)
	}
	return &c
}

// Known tells whether Expand can expand a text.
func (vals Values) Known(text string) bool {
	for _, m := range simpleExpression.FindAllStringSubmatch(text, -1) {
		if _, ok := vals.Set[m[1]]; !ok {
			return false
		}
	}
	rest := simpleExpression.ReplaceAllString(text, "")
	return !strings.Contains(rest, "{{") && !strings.Contains(rest, "{%")
}

func (vals Values) expand(n *yaml.Node, d *document, sink *Sink) string {
	return vals.Expand(n.Value, Pos{d.name, n.Line, n.Column}, sink)
}

// Expand gives a text with every {{ input }} in it replaced; "" where that cannot be
// done, which was reported then.
func (vals Values) Expand(text string, at Pos, sink *Sink) string {
	out := simpleExpression.ReplaceAllStringFunc(text, func(m string) string {
		name := simpleExpression.FindStringSubmatch(m)[1]
		if s, ok := vals.Set[name]; ok {
			return s
		}
		if vals.Partial || slices.Contains(vals.Declared, name) {
			return "\x00"
		}
		hint := DidYouMean(name, vals.Declared)
		if hint == "" {
			hint = "declare it under inputs: in upgrade.yaml"
		}
		sink.Errorf(at, "%q names %s, which is no input", text, name).WithHint(hint)
		return "\x00"
	})
	if strings.Contains(out, "\x00") {
		return ""
	}
	if strings.Contains(out, "{{") || strings.Contains(out, "{%") {
		sink.Errorf(at, "%q: only {{ input }} can stand here", text).
			WithHint("this is decided when planning, before Ansible's variables are known")
		return ""
	}
	return out
}
