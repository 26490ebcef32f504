package tasks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/tasks"
)

func TestWhereTasksAreDelegatedTo(t *testing.T) {
	type found struct {
		name, to   string
		when       []string
		loop, vars string
		apart      string
		uses       []string
	}
	for name, c := range map[string]struct {
		text string
		want []found
	}{
		"nowhere": {"- {name: a, command: x}\n- block: [{command: y}]\n  when: z", nil},
		"a task": {
			"- {name: a, command: x, delegate_to: \"{{ groups.lbs | first }}\", when: [b, 'c == 1'], tags: step1}",
			[]found{{name: "a", to: "{{ groups.lbs | first }}", when: []string{"b", "c == 1"}, uses: []string{"b", "c", "groups"}}},
		},
		"the block around it": {
			"- delegate_to: lb1\n  when: a\n  block:\n    - {name: b, command: x, when: c}\n    - {name: d, command: x, delegate_to: lb2}\n    - name: e\n      when: f\n      block:\n        - {name: g, command: x, when: h}",
			[]found{
				{name: "b", to: "lb1", when: []string{"a", "c"}, uses: []string{"a", "c"}},
				{name: "d", to: "lb2", when: []string{"a"}, uses: []string{"a"}},
				{name: "g", to: "lb1", when: []string{"a", "f", "h"}, uses: []string{"a", "f", "h"}},
			},
		},
		"always, but not rescue": {
			"- block: [{name: a, command: x}]\n  rescue: [{name: b, command: x, delegate_to: lb1}, {name: c, block: [{name: d, command: x, delegate_to: lb2}]}]\n  always: [{name: e, command: x, delegate_to: lb3}, {block: [{name: f, command: x, delegate_to: lb4}], always: [{name: g, command: x, delegate_to: lb5}]}]",
			[]found{{name: "e", to: "lb3"}, {name: "f", to: "lb4"}, {name: "g", to: "lb5"}},
		},
		"a loop that it needs": {
			"- {name: a, command: x, delegate_to: '{{ item }}', loop: \"{{ groups[kind] }}\"}",
			[]found{{name: "a", to: "{{ item }}", loop: "loop: \"{{ groups[kind] }}\"\n", uses: []string{"groups", "kind"}}},
		},
		"a loop that only its condition needs": {
			"- {name: a, command: x, delegate_to: lb1, with_items: [1, 2], when: lb.n == 1, loop_control: {loop_var: lb, index_var: at, label: l}}",
			[]found{{name: "a", to: "lb1", when: []string{"lb.n == 1"}, loop: "with_items: [1, 2]\nloop_control:\n  loop_var: lb\n  index_var: at\n"}},
		},
		"a loop that it does not need": {
			"- {name: a, command: '{{ item }}', delegate_to: lb1, loop: '{{ asked.stdout_lines }}'}",
			[]found{{name: "a", to: "lb1"}},
		},
		"variables of its own": {
			"- vars: {a: '{{ c }}', b: '{{ d }}', e: 1}\n  block:\n    - {name: t, command: x, delegate_to: '{{ a }}', vars: {a: '{{ b }}'}}",
			[]found{{name: "t", to: "{{ a }}", vars: "a: '{{ b }}'\nb: '{{ d }}'\n", uses: []string{"a", "b", "d"}}},
		},
		"variables that name themselves": {
			"- {name: t, command: x, delegate_to: '{{ a }}', vars: {a: '{{ b }}', b: '{{ a }}'}}",
			[]found{{name: "t", to: "{{ a }}", vars: "a: '{{ b }}'\nb: '{{ a }}'\n", uses: []string{"a", "b"}}},
		},
		"another host's variables": {
			"- {name: t, command: x, delegate_to: \"{{ hostvars[groups.db[0]]['asked'].stdout }}\"}",
			[]found{{name: "t", to: "{{ hostvars[groups.db[0]]['asked'].stdout }}", uses: []string{"asked", "db", "groups", "hostvars", "stdout"}}},
		},
		"in a way of its own": {
			"- {name: a, command: x, delegate_to: sw1, connection: local}\n- block: [{name: b, command: x, delegate_to: sw1}]\n  vars: {ansible_user: x}\n- {name: c, command: x, delegate_to: sw1, ignore_unreachable: true}\n- {name: d, command: x, delegate_to: sw1, ignore_unreachable: false}",
			[]found{
				{name: "a", to: "sw1", apart: "it says connection of its own"},
				{name: "b", to: "sw1", apart: "it sets ansible_user"},
				{name: "c", to: "sw1", apart: "it says ignore_unreachable"},
				{name: "d", to: "sw1"},
			},
		},
		"no text": {"- {name: a, command: x, delegate_to: [a]}\n- {name: b, command: x, delegate_to: }\n- {name: c, command: x, delegate_to: !unsafe '{{ a }}'}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			list, problems := read(t, tasks.Drain, c.text)
			require.Empty(t, problems)
			var got []found
			for _, task := range list {
				for _, d := range task.Delegates {
					f := found{name: d.Name, to: d.To, when: d.When, loop: d.Loop, apart: d.Apart, uses: d.Uses}
					for _, v := range d.Vars {
						f.vars += v.Text
					}
					require.Positive(t, d.Pos.Line)
					got = append(got, f)
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestASecretDelegationIsHidden(t *testing.T) {
	list, _ := read(t, tasks.Drain, "- no_log: true\n  block: [{name: a, command: x, delegate_to: lb1}]")
	require.True(t, list[0].Delegates[0].NoLog)
}
