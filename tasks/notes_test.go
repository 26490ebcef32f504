package tasks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

func TestMarksPointAtTheNamesOfHandlers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want [][]string // of each task, the marked texts
	}{
		"a word":             {"- {command: x, tags: step1}\n- name: a\n  notify: Restart a\n  tags: step1", [][]string{nil, {"Restart a"}}},
		"a word, a comment":  {"- name: a\n  notify: Restart a # now\n  tags: step1", [][]string{{"Restart a"}}},
		"quotes":             {"- name: a\n  notify: ['it''s', \"q\\\"d\"]\n  tags: step1", [][]string{{"'it''s'", `"q\"d"`}}},
		"a list in brackets": {"- {name: a, notify: [p, q], tags: step1}", [][]string{{"p", "q"}}},
		"a folded name":      {"- name: a\n  notify: >-\n    Restart\n    a\n  tags: step1", [][]string{{`"Restart a"`}}},
		"behind emoji":       {"- 🚀: é\n  'é🚀': {notify: x, é: y}\n  notify: [é🚀, z]\n  tags: step1", [][]string{{"é🚀", "z"}}},
		"by an alias":        {"- {command: &n R, tags: step1}\n- {notify: *n, tags: step1}", [][]string{nil, {"R"}}},
		"a split block": {
			"- block:\n    - {notify: one, tags: step1}\n    - notify:\n        - two\n        - both\n      tags: step2\n    - name: c\n      notify: three\n      tags: [step1, step2]\n  rescue:\n    - notify: four",
			[][]string{{"one", "three", "four"}, {"two", "both", "three", "four"}},
		},
		"a split block in brackets": {"- {block: [{notify: one, tags: step1}, {notify: two, tags: step2}]}", [][]string{{"one"}, {"two"}}},
		"nothing to mark":           {"- {notify: [], tags: step1}\n- {notify: , tags: step1}\n- {notify: {a: b}, tags: step1}", [][]string{nil, nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			list, problems := read(t, tasks.Upgrade, c.text)
			require.Empty(t, problems)
			require.Len(t, list, len(c.want))
			for i, task := range list {
				var got []string
				for _, m := range task.Notifies {
					got = append(got, task.Text[m.Start:m.End])
				}
				require.Equal(t, c.want[i], got, task.Text)
			}
		})
	}
}

func TestWhatATaskIsKnownToDo(t *testing.T) {
	type known struct {
		once, throttle, bootstrap bool
		registers, facts          []string
	}
	for name, c := range map[string]struct {
		text string
		want known
	}{
		"nothing special":           {"- {command: x, tags: step1}", known{}},
		"once":                      {"- {command: x, run_once: yes, tags: step1}", known{once: true}},
		"not once":                  {"- {command: x, run_once: false, tags: step1}", known{}},
		"once, an expression":       {"- {command: x, run_once: '{{ y }}', tags: step1}", known{once: true}},
		"once within a block":       {"- block: [{command: x, run_once: true}]\n  tags: step1", known{once: true}},
		"once in rescue":            {"- block: [{command: x}]\n  rescue: [{block: [{command: y, run_once: on}]}]\n  tags: step1", known{once: true}},
		"throttled":                 {"- {command: x, throttle: 2, tags: step1}", known{throttle: true}},
		"not throttled":             {"- {command: x, throttle: 0, tags: step1}", known{}},
		"bootstrap in when":         {"- {command: x, when: upstep_bootstrap, tags: step1}", known{bootstrap: true}},
		"bootstrap in a list":       {"- command: x\n  when:\n    - a\n    - not upstep_bootstrap | bool\n  tags: step1", known{bootstrap: true}},
		"bootstrap in braces":       {"- {command: 'x {{ upstep_bootstrap }}', tags: step1}", known{bootstrap: true}},
		"bootstrap only as text":    {"- {command: upstep_bootstrap, tags: step1}", known{}},
		"registers, within a block": {"- block: [{command: x, register: a}]\n  always: [{command: x, register: b}]\n  tags: step1", known{registers: []string{"a", "b"}}},
		"facts":                     {"- {set_fact: {a: 1, b: 2, cacheable: yes}, tags: step1}", known{facts: []string{"a", "b"}}},
		"facts by their long name":  {"- {ansible.builtin.set_fact: {a: 1}, tags: step1}", known{facts: []string{"a"}}},
		"facts as words":            {"- {set_fact: 'a=1 b={{ c == d }} cacheable=yes', tags: step1}", known{facts: []string{"a", "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			list, problems := read(t, tasks.Upgrade, c.text)
			require.Empty(t, problems)
			got := list[0]
			require.Equal(t, c.want, known{got.Once, got.Throttle, got.Bootstrap, got.Registers, got.SetsFacts})
		})
	}
}

func TestUsesNameEachVariableWhereItIsFirstUsed(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"braces":                     {"- shell: a {{ b }} c {{d.e}} {{ f['g'] }}", []string{"b", "d", "f"}},
		"bare expressions":           {"- when: a == 'b' and c is defined\n  changed_when: d.rc in [0, 2]\n  failed_when: [e, not f]\n  until: g", []string{"a", "c", "d", "e", "f", "g"}},
		"assert and debug":           {"- assert: {that: [a > 1], fail_msg: b}\n- debug: {var: c}", []string{"a", "c"}},
		"filters are no variables":   {"- shell: '{{ a | mandatory | combine(b) }}'", []string{"a", "b"}},
		"statements and comments":    {"- shell: '{% if a %}{# b #}{% for c in d %}{{ c }}{% endfor %}{% endif %} {not} }} e'", []string{"a", "c", "d"}},
		"braces inside":              {"- shell: \"{{ {'a': b}['}}'] }} {{ c }}\"", []string{"b", "c"}},
		"another host's":             {"- shell: \"{{ hostvars['h'].a }} {{ hostvars[i]['b'] }}\"", []string{"a", "b", "h", "hostvars", "i"}},
		"looked up by name":          {"- shell: \"{{ lookup('vars', 'a') }} {{ vars['b'] }}\"", []string{"a", "b", "lookup", "vars"}},
		"a task's own":               {"- shell: '{{ a }} {{ b }} {{ c }}'\n  vars: {a: '{{ d }}'}\n  loop_control: {loop_var: b, index_var: c}", []string{"d"}},
		"deep in arguments":          {"- m: {x: [{y: '{{ a }}'}], z: {when: b}}", []string{"a", "b"}},
		"of blocks and rescues":      {"- block: [{shell: '{{ a }}'}]\n  rescue: [{shell: '{{ b }}'}]\n  when: c", []string{"a", "b", "c"}},
		"braces that never close":    {"- shell: \"{{ a b 'c\"", []string{"a", "b"}},
		"escapes in an expression":   {"- shell: '{{ \"a\\\"b\" + c }}'", []string{"c"}},
		"nothing at all":             {"- shell: 'awk {print} { {'", nil},
		"white space of every kind":  {"- shell: |\n    {{ a\n       .b\n       | c }}\n    {%- if d -%}", []string{"a", "d"}},
		"numbers and words of Jinja": {"- when: not 1 < 2e3 or true and none is none", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			root, sink := parse(t, c.text)
			r := tasks.NewReader(sink, false)
			r.List(root, tasks.Drain)
			var got []string
			for _, u := range r.Uses() {
				got = append(got, u.Name)
				require.Equal(t, "s.yaml", u.Pos.File)
				require.Positive(t, u.Pos.Line)
			}
			require.ElementsMatch(t, c.want, got)
		})
	}
	root, sink := parse(t, "- shell: x\n- shell: '{{ a }}'\n- shell: '{{ a }}'")
	r := tasks.NewReader(sink, false)
	r.List(root, tasks.Drain)
	require.Equal(t, []tasks.Use{{Name: "a", Pos: source.Pos{File: "s.yaml", Line: 2, Column: 10}}}, r.Uses())
}
