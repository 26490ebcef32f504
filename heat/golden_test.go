package heat

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

// golden is a case that Heat itself has decided.
type golden struct {
	Expression string          `json:"e"`
	Template   int             `json:"t"`        // one of the file's
	Version    string          `json:"v"`        // wallaby, if it says none
	Declared   json.RawMessage `json:"declared"` // parameter P
	Env        json.RawMessage `json:"env"`      // P in parameter_defaults
	Given      json.RawMessage `json:"given"`    // P as a property of a nested template
	Result     json.RawMessage `json:"r"`
	Error      string          `json:"error"` // as Heat words it
}

func (g golden) String() string {
	s := g.Expression
	for _, part := range []struct{ name, text string }{{"version", g.Version}, {"declared", string(g.Declared)}, {"env", string(g.Env)}, {"given", string(g.Given)}} {
		if part.text != "" {
			s += " " + part.name + "=" + part.text
		}
	}
	return s
}

// evaluate gives the JSON of the case's output, or what is reported.
func (g golden) evaluate(t testing.TB, root string, templates []string) (value, problems string) {
	t.Helper()
	version := g.Version
	if version == "" {
		version = "wallaby"
	}
	text := strings.NewReplacer("@VERSION@", version, "@BODY@", g.Expression).Replace(templates[g.Template])
	if g.Declared != nil {
		text = strings.Replace(text, "parameters: {}", "parameters: {P: "+string(g.Declared)+"}", 1)
	}
	sink := &source.Sink{}
	e := NewEngine(&Files{Root: root}, false, sink)
	put := func(name, text string) {
		n, ok := source.ParseForeign(source.File{Name: name, Text: []byte(text)}, sink)
		if ok {
			e.templates[filepath.Join(root, name)] = newTemplate(filepath.Join(root, name), name, n)
		}
	}
	if put("main.yaml", text); sink.Failed() {
		return "", sink.Problems().Error()
	}
	name := "main.yaml"
	if g.Given != nil {
		name = "parent.yaml"
		put(name, "heat_template_version: wallaby\nresources:\n  C: {type: ./main.yaml, properties: {P: "+string(g.Given)+"}}\noutputs:\n  out: {value: {get_attr: [C, out]}}\n")
	}
	if g.Env != nil {
		n, ok := source.ParseForeign(source.File{Name: "env.yaml", Text: []byte("P: " + string(g.Env))}, sink)
		require.True(t, ok)
		maps.Insert(e.defaults, maps.All(fields(n)))
	}
	s := e.Stack(filepath.Join(root, name), source.Pos{File: "test"}, nil)
	require.NotNil(t, s)
	whole := e.Watch(func() {
		v, _, _ := s.Output("out")
		value = jsonOf(v)
	})
	switch {
	case len(e.Missing()) > 0:
		return "", "parameter " + e.Missing()[0].Name + " has no value"
	case !whole || sink.Failed():
		return "", strings.TrimSpace(sink.Problems().Error())
	}
	return value, ""
}

func TestFunctionsDoAsHeatsOwn(t *testing.T) {
	text, err := os.ReadFile("testdata/functions.json")
	require.NoError(t, err)
	var file struct {
		Templates []string `json:"templates"`
		Cases     []golden `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(text, &file))
	root := tree(t, map[string]string{"text.txt": "line\n"})
	met := map[string]bool{}
	for _, g := range file.Cases {
		value, problems := g.evaluate(t, root, file.Templates)
		want := ""
		if g.Error == "" {
			n, ok := source.ParseForeign(source.File{Text: g.Result}, &source.Sink{})
			require.True(t, ok)
			want = jsonOf(NewEngine(&Files{}, false, &source.Sink{}).plain(n))
		}
		if value == want && (problems != "") == (g.Error != "") {
			continue
		}
		reason := g.reason()
		if met[reason] = true; reason == "" {
			t.Errorf("%s\n  Heat: %s%s\n  here: %s%s", g, want, g.Error, value, problems)
		}
	}
	for _, d := range different() {
		require.True(t, met[d.reason], "nothing differs any more because %s", d.reason)
	}
}

func (g golden) reason() string {
	for _, d := range different() {
		if regexp.MustCompile(d.expression).MatchString(g.String()) && regexp.MustCompile(d.error).MatchString(g.Error) {
			return d.reason
		}
	}
	return ""
}

type difference struct{ expression, error, reason string }

// different lists where this package does not do as Heat, and why.
func different() []difference {
	return []difference{
		{`constraints`, `^InvalidSchemaError`, "constraints are checked by Heat when it deploys; a value that breaks one is still the one that tasks see"},
		{`version=(2013|2014|2015)`, `^|must be`, "versions before 2015-10-15 take fewer shapes of list_join, str_replace; no template of an upgrade is so old"},
		{`version=(2019-01-01|stein|Rocky)|^{"filter": \[\[1\], \[1\]\]}$`, `^InvalidTemplateVersion`, "a version that Heat does not know is taken as the newest"},
		{`(?s)^  c: true\n  d:|data": \[{"if"`, `^StackValidationFailed`, "what nothing asks for is not evaluated, so what is wrong there is not told"},
		{`1: a|{true: a}|map_replace: .*1: one|{1: \[a\]`, ``, "keys are texts, as they are once they came through JSON"},
		{`\.inf|\.nan`, ``, "infinity and what is no number stand in no template"},
		{`"map_merge": ""`, ``, "Heat takes an empty text for an empty list by accident"},
		{`sha3|blake2b`, ``, "Heat's manual promises only the algorithms that every Python has"},
		{`Ref|Fn::`, `not supported in this version`, "a key that once was a function is an ordinary key"},
		{`{a: =}`, `could not determine`, "YAML 1.2 knows no value tag"},
		{`1e\+20|"1e3"`, ``, "a number with an exponent and no dot is a text to YAML 1.1 and a number to JSON; nobody writes such a parameter"},
	}
}
