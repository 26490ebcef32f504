package heat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// tree writes files below a folder of its own.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

// stackOf gives the stack of a tree's main.yaml, with env.yaml if it has one.
func stackOf(t *testing.T, root string, placeholders bool) (*Engine, *Stack, *source.Sink) {
	t.Helper()
	sink := &source.Sink{}
	e := NewEngine(&Files{Root: root, Vars: map[string]any{"roles": []any{map[string]any{"name": "Web", "about": `it's "mine"`}}, "networks": []any{}}}, placeholders, sink)
	if _, err := os.Stat(filepath.Join(root, "env.yaml")); err == nil {
		require.True(t, e.AddEnvironment(filepath.Join(root, "env.yaml")), sink.Problems())
	}
	s := e.Stack(filepath.Join(root, "main.yaml"), source.Pos{File: "test"}, map[string]any{"Given": "from above"})
	require.NotNil(t, s, sink.Problems())
	return e, s, sink
}

func jsonOf(v any) string { return pythonJSON(Plain(v)) }

const head = `heat_template_version: wallaby
parameters:
  Text: {type: string, default: abc}
  Number: {type: number, default: '7'}
  Flag: {type: boolean, default: 'on'}
  Truth: {type: string, default: true}
  List: {type: comma_delimited_list, default: 'a,b,c'}
  Empty: {type: comma_delimited_list, default: ''}
  Map: {type: json, default: {x: {y: deep}, l: [10, 20]}}
  Json: {type: json, default: '{"k": [1, 2]}'}
  Named: {type: boolean, default: true}
  Given: {type: string, default: own}
  Day: {type: string, default: 2020-01-01}
  Set: {type: string, default: own}
  Both: {type: json, default: {}}
  Image: {type: string, default: 'registry:5000/ns/web:latest'}
conditions:
  is_abc: {equals: [{get_param: Text}, abc]}
  is_not: {not: is_abc}
  either: {or: [is_not, {equals: [1, 1]}]}
  all: {and: [is_abc, either, {get_param: Flag}]}
resources:
  Child: {type: ./child.yaml, properties: {Name: {get_param: Text}, Unset: null}}
  Mapped: {type: "OS::Test::Mapped"}
  Nothing: {type: "OS::Heat::None"}
  Gone: {type: ./child.yaml, condition: is_not}
  Value: {type: "OS::Heat::Value", properties: {type: json, value: {a: [{b: c}]}}}
  Chain: {type: "OS::Heat::ResourceChain", properties: {resources: ["OS::Test::Mapped", "OS::Test::None"], resource_properties: {Name: chained}}}
  Server: {type: "OS::Nova::Server"}
  Self: {type: "OS::Heat::Value", properties: {value: {get_attr: [Self, value]}}}
outputs:
  out:
    value:
`

func files(body string) map[string]string {
	var b strings.Builder
	for line := range strings.SplitSeq(body, "\n") {
		b.WriteString("      " + line + "\n")
	}
	return map[string]string{
		"main.yaml": head + b.String(),
		"child.yaml": `heat_template_version: rocky
parameters:
  Name: {type: string}
  Unset: {type: string, default: by default}
outputs:
  silent: {condition: {equals: [1, 2]}, value: 1}
  role_data:
    value: {name: {get_param: Name}, unset: {get_param: Unset}, tasks: [{a: 1}, {b: {get_param: Name}}]}
`,
		"env.yaml": `resource_registry:
  OS::Test::Mapped: OS::Test::Other
  OS::Test::Other: child.yaml
  OS::Test::No*: OS::Heat::None
  OS::Wild::*: OS::Test::*
parameter_defaults:
  Set: by environment
  Name: everyone
  Undeclared: from nowhere
`,
		"text.txt": "line\n",
	}
}

func TestFunctions(t *testing.T) {
	for body, want := range map[string]string{
		`{get_param: Text}`:                                `"abc"`,
		`{get_param: Number}`:                              `7`,
		`{get_param: Flag}`:                                `true`,
		`{get_param: Truth}`:                               `"True"`,
		`{get_param: List}`:                                `["a", "b", "c"]`,
		`{get_param: Empty}`:                               `[]`,
		`{get_param: [Map, x, y]}`:                         `"deep"`,
		`{get_param: [Map, l, 1]}`:                         `20`,
		`{get_param: [Map, no, way]}`:                      `""`,
		`{get_param: [Text, none]}`:                        `""`,
		`{get_param: [Json, k, 0]}`:                        `1`,
		`{if: [{get_param: Named}, 1, 2]}`:                 `1`,
		`{get_param: Given}`:                               `"from above"`,
		`{get_param: Set}`:                                 `"by environment"`,
		`{get_param: 'OS::stack_name'}`:                    `"overcloud"`,
		`{get_param: [Map, {get_param: Both}]}`:            `""`,
		`{get_attr: [Child, role_data, name]}`:             `"abc"`,
		`{get_attr: [Child, role_data, unset]}`:            `""`,
		`{get_attr: [Mapped, role_data, unset]}`:           `"by default"`,
		`{get_attr: [Child, silent]}`:                      `null`,
		`{get_attr: [Child, role_data, tasks]}`:            `[{"a": 1}, {"b": "abc"}]`,
		`{get_attr: [Child, role_data, missing]}`:          `null`,
		`{get_attr: [Mapped, role_data, name]}`:            `"everyone"`,
		`{get_attr: [Nothing, anything]}`:                  `null`,
		`{if: [is_not, {get_attr: [Gone, role_data]}, 1]}`: `1`,
		`{get_attr: [Value, value, a, 0, b]}`:              `"c"`,
		`{get_attr: [Chain, role_data, name]}`:             `["chained", null]`,
		`{get_file: text.txt}`:                             `"line\n"`,
		`{if: [is_abc, yes, no]}`:                          `true`,
		`{if: [is_not, yes, {get_param: Text}]}`:           `"abc"`,
		`{if: [all, 1, 2]}`:                                `1`,
		`{if: [{not: {equals: [1, 1.0]}}, 1, 2]}`:          `2`,
		`{if: [{get_param: Flag}, 1, 2]}`:                  `1`,
		`{if: [{contains: [b, {get_param: List}]}, 1, 2]}`: `1`,
		`{a: {if: [is_not, 1]}, b: {if: [is_abc, 2]}}`:     `{"b": 2}`,
		`[{if: [is_not, 1]}, 2]`:                           `[2]`,
		`{str_replace: {template: "$A and $AB, B", params: {$A: 1, $AB: [x], B: $A}}}`:  `"1 and [\"x\"], $A"`,
		`{str_replace: {template: a-b, params: {a: true, b: null}}}`:                    `"True-"`,
		`{str_split: [',', 'a,b,c']}`:                                                   `["a", "b", "c"]`,
		`{str_split: [',', 'a,b,c', 1]}`:                                                `"b"`,
		`{list_join: ['-', [a, b], [c, null]]}`:                                         `"a-b-c-"`,
		`{list_join: [', ', [{x: 1}]]}`:                                                 `"{\"x\": 1}"`,
		`{list_concat: [[1], null, [1, 2]]}`:                                            `[1, 1, 2]`,
		`{list_concat_unique: [[1, {a: 1}], [{a: 1}, 2]]}`:                              `[1, {"a": 1}, 2]`,
		`{map_merge: [{a: 1, b: 2}, null, {b: 3}]}`:                                     `{"a": 1, "b": 3}`,
		`{map_replace: [{a: x, b: y}, {keys: {a: z}, values: {y: {get_param: Text}}}]}`: `{"b": "abc", "z": "x"}`,
		`{filter: [[null, 2], [1, 2, null, 3]]}`:                                        `[1, 3]`,
		`{digest: [md5, abc]}`:                                                          `"900150983cd24fb0d6963f7d28e17f72"`,
		`{digest: [sha256, '']}`:                                                        `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`,
		`{make_url: {scheme: http, host: '::1', port: 80, path: a b, query: {q: x y}, username: u, password: 'p@'}}`:                      `"http://u:p%40@[::1]:80/a%20b?q=x+y"`,
		`{repeat: {template: {'%n%': '%n%/%m%'}, for_each: {'%n%': ['1', '2'], '%m%': [x, y]}}}`:                                          `[{"1": "1/x"}, {"1": "1/y"}, {"2": "2/x"}, {"2": "2/y"}]`,
		`{repeat: {template: '%n%%m%', for_each: {'%n%': [a, b], '%m%': [x, y]}, permutations: false}}`:                                   `["ax", "by"]`,
		`{yaql: {expression: '$.data.a + $.data.b', data: {a: [1], b: {get_param: List}}}}`:                                               `[1, "a", "b", "c"]`,
		`{yaql: {expression: 'concat($.data.rightSplit(separator => ":", maxSplits => 1)[0], ":pcmklatest")', data: {get_param: Image}}}`: `"registry:5000/ns/web:pcmklatest"`,
		`{name: x, setup: {filter_by: a}, not_a_call: {get_param: Text, and: more}}`:                                                      `{"name": "x", "not_a_call": {"and": "more", "get_param": "Text"}, "setup": {"filter_by": "a"}}`,
		`{mode: 0644, on: yes, quoted: 'yes', when: 12:30, f: 1.50}`:                                                                      `{"f": 1.5, "mode": 420, "on": true, "quoted": "yes", "when": 750}`,
	} {
		root := tree(t, files(body))
		_, s, sink := stackOf(t, root, false)
		v, _, ok := s.Output("out")
		require.True(t, ok, body)
		require.Equal(t, want, jsonOf(v), body)
		require.Empty(t, sink.Problems(), body)
	}
}

func TestWhatCannotBeEvaluatedIsReportedOnceWithItsPlace(t *testing.T) {
	for body, want := range map[string]string{
		`{get_param: Txt}`:                                    "main.yaml:34:7: parameter Txt is not declared by this template and has no value\n  hint: did you mean \"Text\"?",
		`{get_attr: [Chld, role_data]}`:                       "main.yaml:34:7: the template has no resource Chld\n  hint: did you mean \"Child\"?",
		`{get_attr: [Child, rol_data]}`:                       "main.yaml:34:7: child.yaml has no output rol_data\n  hint: did you mean \"role_data\"?",
		`{get_attr: [Server, name]}`:                          "main.yaml:34:7: attribute name of Server (OS::Nova::Server) is known only in a running cloud\n  hint: map the type to a template in an environment (-e), or give --placeholders",
		`{get_attr: [Self, value]}`:                           "main.yaml:30:55: this value is made of itself\n  hint: break the circle of get_attr or get_param",
		`{get_file: none.txt}`:                                "main.yaml:34:7: cannot read the file none.txt: no such file or directory\n  hint: the path is taken from the template's folder",
		`{get_attr: [Gone, role_data]}`:                       "main.yaml:34:7: resource Gone is not there, as its condition does not hold\n  hint: ask the same condition here: if: [CONDITION, VALUE, OTHER]",
		`{if: [{str_split: [a, b]}, 1, 2]}`:                   "main.yaml:34:13: Heat takes no str_split in a condition\n  hint: write equals, not, and, or, get_param, or, since pike, yaql and contains",
		`{repeat: {template: a, for_each: {a: [1]}}}`:         "main.yaml:34:7: repeat can't be evaluated: {\"repeat\":{\"template\":\"a\",\"for_each\":{\"a\":[1]}}}\n  hint: write repeat: {template: ..., for_each: {NAME: [TEXT, ...]}}",
		`{if: [is_abd, 1, 2]}`:                                "main.yaml:34:13: the template has no condition is_abd\n  hint: did you mean \"is_abc\"?",
		`{if: [is_abc]}`:                                      "main.yaml:34:7: if can't be evaluated: {\"if\":[\"is_abc\"]}\n  hint: write if: [CONDITION, VALUE, OTHER]",
		`{str_replace: {template: a}}`:                        "main.yaml:34:7: str_replace can't be evaluated: {\"str_replace\":{\"template\":\"a\"}}\n  hint: write str_replace: {template: TEXT, params: {NAME: VALUE}}",
		`{str_split: [',', 'a', 4]}`:                          "main.yaml:34:7: str_split: there is no part 4 of \"a\"\n  hint: parts count from 0",
		`{list_join: [',', {a: 1}]}`:                          "main.yaml:34:7: list_join can't be evaluated: {\"list_join\":[\",\",{\"a\":1}]}\n  hint: write list_join: [SEPARATOR, LIST, ...]",
		`{digest: [md6, a]}`:                                  "main.yaml:34:7: digest can't be evaluated: {\"digest\":[\"md6\",\"a\"]}\n  hint: write digest: [md5, TEXT], or sha1, sha224, sha256, sha384, sha512",
		`{list_join: ['', [{get_param: A}, {get_param: B}]]}`: "main.yaml:34:25: parameter A is not declared by this template and has no value\n  hint: declare it under parameters:, or set it in an environment (-e) under parameter_defaults:",
	} {
		root := tree(t, files(body))
		e, s, sink := stackOf(t, root, false)
		whole := e.Watch(func() {
			v, _, _ := s.Output("out")
			jsonOf(v)
		})
		require.False(t, whole, body)
		require.Equal(t, want, strings.TrimSpace(sink.Problems().Error()), body)
	}
}

func TestYaqlThatCannotBeEvaluatedShowsWhere(t *testing.T) {
	for expression, part := range map[string]string{
		"$.data.(":        "yaql expression can't be evaluated",
		"$.data.nosuch()": "yaql expression can't be evaluated",
	} {
		root := tree(t, files(`{yaql: {expression: '`+expression+`', data: 1}}`))
		e, s, sink := stackOf(t, root, false)
		require.False(t, e.Watch(func() { v, _, _ := s.Output("out"); jsonOf(v) }))
		p := sink.Problems()
		require.Len(t, p, 1)
		require.Contains(t, p[0].Message, part)
		require.Equal(t, 34, p[0].Line)
		require.Contains(t, p[0].Hint, expression)
	}
}

func TestAnEnvironmentsValueStandsInForAnUndeclaredParameter(t *testing.T) {
	_, s, sink := stackOf(t, tree(t, files(`{get_param: Undeclared}`)), false)
	v, _, _ := s.Output("out")
	require.Equal(t, `"from nowhere"`, jsonOf(v))
	require.Contains(t, sink.Problems().Error(), "main.yaml:34:7: warning: parameter Undeclared is not declared by this template; the environment's value is taken")
}

func TestParametersWithoutAValue(t *testing.T) {
	text := "heat_template_version: rocky\nparameters:\n"
	for name, kind := range map[string]string{"Password": "string", "Count": "number", "Flag": "boolean", "Map": "json", "List": "comma_delimited_list", "ContainerNovaApiImage": "string", "DockerHeatImage": "string"} {
		text += "  " + name + ": {type: " + kind + "}\n"
	}
	text += "outputs:\n  out:\n    value: [{get_param: Password}, {get_param: Count}, {get_param: Flag}, {get_param: Map}, {get_param: List}, {get_param: ContainerNovaApiImage}, {get_param: DockerHeatImage}]\n"
	root := tree(t, map[string]string{"main.yaml": text})

	e, s, _ := stackOf(t, root, true)
	v, _, _ := s.Output("out")
	require.Equal(t, `["__Password__", 0, false, {}, [], "192.168.24.1:8787/tripleo/centos-binary-novaapi:current-tripleo", "192.168.24.1:8787/tripleo/centos-binary-heat:current-tripleo"]`, jsonOf(v))
	require.Len(t, e.Used(), 7)
	require.Equal(t, "placeholder", e.Used()[0].Origin)

	e, s, _ = stackOf(t, root, false)
	require.False(t, e.Watch(func() { v, _, _ := s.Output("out"); jsonOf(v) }))
	require.Len(t, e.Missing(), 7)
	require.Equal(t, "Password", e.Missing()[6].Name)
	require.Equal(t, "main.yaml", e.Missing()[6].At[0].File)
}

func TestValuesThatHoldNoFunctionStandAsTheyWereWritten(t *testing.T) {
	_, s, _ := stackOf(t, tree(t, files(`- name: "as it stands"  # and why
  mode: 0644
  shell: |
    echo a
     b
  flag: yes
- {get_attr: [Child, role_data, tasks]}
- name: {get_param: Text}
  # about the lines
  lines: {list_join: ["\n", [a, b, '']]}`)), false)
	v, _, _ := s.Output("out")
	require.Equal(t, `- name: "as it stands" # and why
  mode: 0644
  shell: |
    echo a
     b
  flag: yes
-
  - {a: 1}
  - b: abc
- name: abc
  # about the lines
  lines: |
    a
    b
`, source.Encode(Compose(v)))
}

func TestEnvironments(t *testing.T) {
	root := tree(t, map[string]string{
		"a.yaml": "parameter_defaults:\n  Services: [a]\n  Map: {x: {p: 1}}\n  Word: one\n  Over: 1\n",
		"b.yaml": "parameter_merge_strategies: {default: merge, Map: deep_merge, Over: overwrite}\nparameter_defaults:\n  Services: [b]\n  Map: {x: {q: 2}}\n  Word: two\n  Over: 2\n",
		"c.yaml": "- not an environment\n",
		"d.yaml": "resource_registry: [x]\n",
	})
	sink := &source.Sink{}
	e := NewEngine(&Files{Root: root}, false, sink)
	require.True(t, e.AddEnvironment(filepath.Join(root, "a.yaml")))
	require.True(t, e.AddEnvironment(filepath.Join(root, "b.yaml")))
	for name, want := range map[string]string{"Services": `["a", "b"]`, "Map": `{"x": {"p": 1, "q": 2}}`, "Word": `"onetwo"`, "Over": `2`} {
		v, ok := e.Parameter(name)
		require.True(t, ok)
		require.Equal(t, want, jsonOf(v), name)
	}
	require.Empty(t, sink.Problems())
	require.False(t, e.AddEnvironment(filepath.Join(root, "c.yaml")))
	e.AddEnvironment(filepath.Join(root, "d.yaml"))
	e.AddEnvironment(filepath.Join(root, "none.yaml"))
	require.Equal(t, `c.yaml:1:1: an environment must be a mapping, not a list
  hint: its keys are resource_registry, parameter_defaults and parameters
d.yaml:1:20: resource_registry must be a mapping, not a list
  hint: write TYPE: TEMPLATE below it
none.yaml: cannot read the environment: no such file or directory`, strings.TrimSpace(sink.Problems().Error()))
}

func TestJinjaSourcesAreRendered(t *testing.T) {
	root := tree(t, map[string]string{
		"main.yaml": "heat_template_version: rocky\nresources:\n  A: {type: base.yaml}\n  B: {type: web-part.yaml}\noutputs:\n  out: {value: [{get_attr: [A, x]}, {get_attr: [B, x]}, {get_attr: [A, y]}]}\n",
		"base.j2.yaml": "outputs:\n  y: {value: [{{ roles }}, {{networks|default([])}}, {% raw %}'{{ item }}'{% endraw %}, \"{{ '{{' }} x {{ '}}' }}\"]}\n" +
			"  x:\n    value:\n{%- for role in roles if 'a' in role.tags|default(['a']) and role.name|default('') %}\n      - {{role.name.lower()}}\n{%- endfor %}\n",
		"part.role.j2.yaml": "{% set list = [1] %}{% set _ = list.pop() %}{% set _ = list.append(role.name) %}outputs:\n  x: {value: {{list[0]}} }\n",
	})
	_, s, sink := stackOf(t, root, false)
	v, _, _ := s.Output("out")
	require.Equal(t, `[["web"], "Web", [[{"about": "it's \"mine\"", "name": "Web"}], [], "{{ item }}", "{{ x }}"]]`, jsonOf(v), sink.Problems())

	_, err := render([]byte("{% macro m(n) %}{{ m(n+1) }}{% endmacro %}{{ m(1) }}"), root, nil)
	require.ErrorContains(t, err, "the macro m calls itself")
}

func TestDatesAreTexts(t *testing.T) {
	_, s, _ := stackOf(t, tree(t, files(`{d: 2001-12-14, t: "2001-12-14", p: {get_param: Day}, n: 2001-12}`)), false)
	v, _, _ := s.Output("out")
	require.Equal(t, "d: \"2001-12-14\"\nt: \"2001-12-14\"\np: \"2020-01-01\"\nn: 2001-12\n", source.Encode(Compose(v)))
}

func TestWildcardsOfTheRegistry(t *testing.T) {
	e := NewEngine(&Files{Root: "/t"}, false, &source.Sink{})
	for name, to := range map[string]string{"OS::A::*": "OS::B::*", "OS::B::X": "x.yaml", "OS::A::Z*": "OS::Heat::None", "OS::*PreConfig": "pre.yaml", "OS::Loop::A": "OS::Loop::B", "OS::Loop::B": "OS::Loop::A"} {
		e.registry[name] = mapping{to: to, from: "/t/env.yaml"}
	}
	e.globs = []string{"OS::A::*", "OS::A::Z*", "OS::*PreConfig"}
	for name, want := range map[string][2]string{
		"OS::A::X":         {"/t/x.yaml", ""},
		"OS::A::Y":         {"", "OS::B::Y"},
		"OS::A::Zed":       {"", None},
		"OS::WebPreConfig": {"/t/pre.yaml", ""},
		"OS::Other":        {"", "OS::Other"},
		"OS::Loop::A":      {"", None},
		"/abs/own.yaml":    {"/abs/own.yaml", ""},
	} {
		path, builtin, _ := e.resolve(name, "", source.Pos{})
		require.Equal(t, want, [2]string{path, builtin}, name)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, body := range []string{"{get_param: [Map, x]}", "{get_attr: [Chain, role_data]}", "{repeat: {template: a, for_each: {a: [1]}}}", "{yaql: {expression: $.data, data: 1}}", "[{if: [either, 1]}]"} {
		f.Add(body)
	}
	root := f.TempDir()
	for name, text := range files("null") {
		require.NoError(f, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	f.Fuzz(func(t *testing.T, body string) {
		sink := &source.Sink{}
		e := NewEngine(&Files{Root: root}, false, sink)
		text := files(body)["main.yaml"]
		n, ok := source.ParseForeign(source.File{Name: "main.yaml", Text: []byte(text)}, sink)
		if !ok {
			return
		}
		s := &Stack{engine: e, template: newTemplate(filepath.Join(root, "main.yaml"), "main.yaml", n)}
		whole := e.Watch(func() {
			if v, _, ok := s.Output("out"); ok {
				Plain(v)
				source.Encode(Compose(v))
			}
		})
		if !whole && len(e.Missing()) == 0 {
			require.True(t, sink.Failed())
		}
		for _, p := range sink.Problems() {
			require.Positive(t, p.Line, p.String())
		}
	})
}

var _ yaql.Lazy = (*Value)(nil)
