package settings

import (
	"regexp"
	"strings"

	"github.com/upstep/upstep/source"
)

// inClear refuses a secret that stands in the file.
func (r reader) inClear(v source.Node, what, key string) bool {
	hint := "write " + key + ": {env: NAME} or {file: PATH}"
	if v.Tag() == "!vault" {
		r.sink.Errorf(v.Pos(), "%s: a vault is opened by Ansible, which sends no notifications", what).WithHint(hint)
	} else {
		r.sink.Errorf(v.Pos(), "%s must not stand here in clear", what).WithHint(hint)
	}
	return false
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// kept reads where a secret is kept. A prefix may stand before some.
func (r reader) kept(v source.Node, what string, prefix bool) (Secret, bool) {
	known := []string{"env", "file"}
	if prefix {
		known = append(known, "prefix")
	}
	f := source.ReadFields(v, what, r.sink, known...)
	s := Secret{Env: f.Line("env"), File: f.Line("file"), Prefix: f.String("prefix")}
	switch {
	case s.Env != "" && s.File != "":
		r.sink.Errorf(v.Pos(), "%s has both env and file", what).WithHint("leave one of them out")
	case s.Env != "" && !variableName.MatchString(s.Env):
		r.sink.Errorf(f.PosOf("env"), "%q cannot name an environment variable", s.Env).WithHint("use letters, digits and _")
	case s.Env == "" && s.File == "":
		if !f.Misspelt("env") && !f.Misspelt("file") {
			r.sink.Errorf(v.Pos(), "%s says neither env nor file", what).WithHint("write {env: NAME} or {file: PATH}")
		}
	case strings.ContainsAny(s.Prefix, "\n"):
		r.sink.Errorf(f.PosOf("prefix"), "prefix of %s must be one line", what)
	default:
		return s, true
	}
	return s, false
}

// word reads a text of one line in which inputs may stand.
func (r reader) word(v source.Node, what string) (string, bool) {
	switch {
	case v.Tag() == "!vault":
		return "", r.inClear(v, what, "it")
	case v.Kind() != source.Scalar:
		r.sink.Errorf(v.Pos(), "%s must be a single value, not %s", what, v.Kind())
		return "", false
	case !r.inputs.Known(v.Text()):
		v.Substitute(r.inputs, r.sink) // which says why
		return "", false
	}
	text := v.Substitute(r.inputs, r.sink).Text()
	if c, odd := source.Control(text, ""); odd {
		r.sink.Errorf(v.Pos(), "%s has a control character (%U)", what, c).WithHint("take it out")
		return "", false
	}
	return text, true
}

// words reads a list of texts, or one.
func (r reader) words(v source.Node, what string) ([]string, bool) {
	list := v.Items()
	if v.Kind() == source.Scalar {
		list = []source.Node{v}
	}
	var out []string
	good := len(list) > 0
	for _, it := range list {
		text, ok := r.word(it, what)
		out, good = append(out, text), good && ok
	}
	return out, good
}
