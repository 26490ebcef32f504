package tasks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

const toStep = "\n  hint: add tags: stepN, or tags: common for every step of this service"

const (
	always = " even where --tags chooses other steps\n  hint: take the tag away: without it the task runs in its steps as well"
	never  = " not run, except where --tags chooses its part of the plan\n  hint: take the tag away and say when: it runs, or take the task away"
	ends   = " out all that comes after it in the play: other services' tasks, health gates, the return to traffic\n  hint: put what may be left out into a block with when:; to stop the upgrade, use ansible.builtin.fail"
	clears = " hides hosts that failed from the gates, and the upgrade would go on\n  hint: mend what fails in a rescue: of its own block, or say failed_when:"
)

func TestEveryProblemOfATaskListSaysWhereAndHowToMend(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a mapping where a list belongs":  {"a: {}", "s.yaml:1:1: upgrade_tasks must be a list of tasks, not a mapping\n  hint: every task begins with \"- \""},
		"one value where a list belongs":  {"a", "s.yaml:1:1: upgrade_tasks must be a list of tasks, not a single value\n  hint: every task begins with \"- \""},
		"a task that is text":             {"- a\n- {command: x, tags: step1}", "s.yaml:1:3: a task must be a mapping, not a single value\n  hint: write - name: ..., then the module and its arguments"},
		"a task that is empty":            {"-\n- {command: x, tags: step1}", "s.yaml:1:2: a task must be a mapping, not nothing\n  hint: write - name: ..., then the module and its arguments"},
		"a task that is a list":           {"- - command: x", "s.yaml:1:3: a task must be a mapping, not a list\n  hint: write - name: ..., then the module and its arguments"},
		"no step":                         {"- name: a\n  command: x", `s.yaml:1:3: task "a" is in no step` + toStep},
		"no step and no name":             {"- command: x", "s.yaml:1:3: task without a name is in no step" + toStep},
		"only other tags":                 {"- {name: a, tags: [x, stepwise, mystep1, step1x, step]}", `s.yaml:1:3: task "a" is in no step` + toStep},
		"post_upgrade outside rollback":   {"- {name: a, tags: post_upgrade}", `s.yaml:1:3: task "a" is in no step` + toStep},
		"a step with an underscore":       {"- {name: a, tags: step_3}", "s.yaml:1:19: tag \"step_3\" is no step\n  hint: did you mean step3?"},
		"a step with a capital":           {"- {name: a, tags: [Step3, step1]}", "s.yaml:1:20: tag \"Step3\" is no step\n  hint: did you mean step3?"},
		"steps with spaces and dashes":    {"- {name: a, tags: 'step 2, step-3, step1'}", "s.yaml:1:19: tag \"step 2\" is no step\n  hint: did you mean step2?\ns.yaml:1:19: tag \"step-3\" is no step\n  hint: did you mean step3?"},
		"a step in capitals":              {"- {name: a, tags: STEP1}", "s.yaml:1:19: tag \"STEP1\" is no step\n  hint: did you mean step1?"},
		"steps with spaces between":       {"- {name: a, tags: step1 step2}", "s.yaml:1:19: tag \"step1 step2\" is no step\n  hint: put a comma between tags: step1, step2"},
		"an inner task with a near miss":  {"- block:\n    - {name: b, tags: step_2}\n    - {name: c, tags: step1}", "s.yaml:2:23: tag \"step_2\" is no step\n  hint: did you mean step2?"},
		"steps with ; between":            {"- {name: a, tags: [step1;step2, step3]}", "s.yaml:1:20: tag \"step1;step2\" is no step\n  hint: put a comma between tags: step1, step2"},
		"common and a step with a space":  {"- {name: a, tags: [common step2, step3]}", "s.yaml:1:20: tag \"common step2\" is no step\n  hint: put a comma between tags: common, step2"},
		"common with a capital":           {"- {name: a, tags: [Common, step3]}", "s.yaml:1:20: tag \"Common\" is not common\n  hint: did you mean common?"},
		"steps from and to":               {"- {name: a, tags: [step1-3, step4]}\n- {name: a, tags: step1-step3}", "s.yaml:1:20: tag \"step1-3\" is no step\n  hint: name each step: step1, ...\ns.yaml:2:19: tag \"step1-step3\" is no step\n  hint: name each step: step1, ..."},
		"other tags with spaces":          {"- {name: a, tags: [a b, first step, 'x/y', '{{ step1 }} + step2', step1]}", ""},
		"a step in the plural":            {"- {name: a, tags: [steps2, step1]}", "s.yaml:1:20: tag \"steps2\" is no step\n  hint: did you mean step2?"},
		"a step with a zero before":       {"- {name: a, tags: [step01, step1]}", "s.yaml:1:20: tag \"step01\" is no step\n  hint: did you mean step1?"},
		"tags with spaces between":        {"- {name: a, tags: [step1 validation, step1]}", "s.yaml:1:20: tag \"step1 validation\" is no step\n  hint: put a comma between tags: step1, validation"},
		"a step beyond all":               {"- {name: a, tags: [step1000, step999]}", "s.yaml:1:20: step number 1000 is too large\n  hint: steps go from 0 to 999"},
		"a step beyond numbers":           {"- {name: a, tags: [step99999999999999999999, step1]}", "s.yaml:1:20: step number 99999999999999999999 is too large\n  hint: steps go from 0 to 999"},
		"tags that are a mapping":         {"- {name: a, tags: {step1: x}}", "s.yaml:1:19: tags must be a word or a list of words, not a mapping\n  hint: write tags: step1"},
		"a tag that is a list":            {"- {name: a, tags: [step1, [x], ~]}", "s.yaml:1:27: a tag must be a word, not a list\n  hint: write tags: [step1, other]\ns.yaml:1:32: a tag must be a word, not nothing\n  hint: write tags: [step1, other]"},
		"a block that is a mapping":       {"- block: {command: x}\n  tags: step1", "s.yaml:1:10: block must be a list of tasks, not a mapping\n  hint: every task begins with \"- \""},
		"a block without a list":          {"- block:\n  tags: step1", "s.yaml:1:9: block must be a list of tasks, not nothing\n  hint: every task begins with \"- \""},
		"a rescue that is text":           {"- block: [{command: x}]\n  rescue: x\n  tags: step1", "s.yaml:2:11: rescue must be a list of tasks, not a single value\n  hint: every task begins with \"- \""},
		"text in always":                  {"- block: [{command: x}]\n  always: [x]\n  tags: step1", "s.yaml:2:12: a task must be a mapping, not a single value\n  hint: write - name: ..., then the module and its arguments"},
		"text in a block":                 {"- block:\n    - x\n    - {command: y}\n  tags: step1", "s.yaml:2:7: a task must be a mapping, not a single value\n  hint: write - name: ..., then the module and its arguments"},
		"rescue beside no task":           {"- block: []\n  rescue: [{command: x}]\n  tags: step1", "s.yaml:2:11: rescue without a task under block\n  hint: give block: the tasks that it stands by, or take rescue away"},
		"always without a block":          {"- name: a\n  command: x\n  always:\n    - command: y\n  tags: step1", "s.yaml:4:5: always without a task under block\n  hint: give block: the tasks that it stands by, or take always away"},
		"rescue of nothing within":        {"- block:\n    - command: x\n  always:\n    - block: []\n      rescue: [{command: x}]\n      always: []\n  tags: step1", "s.yaml:5:15: rescue without a task under block\n  hint: give block: the tasks that it stands by, or take rescue away"},
		"always and never beside a step":  {"- {name: a, tags: [step1, always]}\n- {name: b, tags: 'never, step2'}\n", "s.yaml:1:27: warning: a task tagged always runs" + always + "\ns.yaml:2:19: warning: a task tagged never does" + never},
		"always and never around steps":   {"- tags: always\n  block:\n    - {name: a, tags: step1}\n    - {name: b, tags: [step2, never]}\n", "s.yaml:1:9: warning: a task tagged always runs" + always + "\ns.yaml:4:31: warning: a task tagged never does" + never},
		"always beside no step":           {"- {name: a, tags: always}", `s.yaml:1:3: task "a" is in no step` + toStep},
		"an end of the play":              {"- {meta: end_play, tags: step1}", "s.yaml:1:10: meta: end_play leaves" + ends},
		"an end of the batch in a block":  {"- block:\n    - block: [{ansible.builtin.meta: end_batch, when: x}]\n  tags: step1", "s.yaml:2:38: meta: end_batch leaves" + ends},
		"an end of the play in a rescue":  {"- block: [{command: x}]\n  rescue: [{ansible.legacy.meta: end_play}]\n  tags: step1", "s.yaml:2:34: meta: end_play leaves" + ends},
		"an end of the play as an action": {"- {action: meta end_play, tags: step1}", "s.yaml:1:12: meta: end_play leaves" + ends},
		"an end of the host":              {"- {meta: end_host, tags: step1}", "s.yaml:1:10: warning: meta: end_host takes the host out of the rest of the play: on a rolling role it counts as failed, on another it is back in the next step\n  hint: put what may be left out into a block with when:"},
		"errors that are cleared":         {"- {meta: clear_host_errors, tags: step1}", "s.yaml:1:10: meta: clear_host_errors" + clears},
		"meta that does no harm":          {"- {meta: refresh_inventory, tags: step1}\n- {meta: flush_handlers, tags: step1}\n- {meta: reset_connection, tags: step1}\n- {action: meta, tags: step1}", ""},
		"one of a block's tasks no step":  {"- block:\n    - {name: b}\n    - {command: y, tags: step1}", `s.yaml:2:7: task "b" is in no step` + toStep},
		"a nested block's task no step":   {"- block:\n    - name: i\n      block: [{name: b}, {name: c, tags: step2}]", `s.yaml:3:15: task "b" is in no step` + toStep},
		"all common, so never":            {"- {name: a, tags: common}", "s.yaml:1:3: warning: the upgrade_tasks of this service are all common and it has no step: they never run\n  hint: give one task a step: tags: stepN"},
		"several, in the order of places": {"- name: a\n- b\n- {name: c, tags: step_1}", "s.yaml:1:3: task \"a\" is in no step" + toStep + "\ns.yaml:2:3: a task must be a mapping, not a single value\n  hint: write - name: ..., then the module and its arguments\ns.yaml:3:19: tag \"step_1\" is no step\n  hint: did you mean step1?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := read(t, tasks.Upgrade, c.text)
			require.Equal(t, c.want, problems.Error())
		})
	}
}

func TestListsWithoutStepsTakeAnyTags(t *testing.T) {
	list, problems := read(t, tasks.Drain, "- {name: a}\n- {name: b, tags: [x, step3]}\n- name: c\n  block: [{name: d}]")
	require.Empty(t, problems)
	require.Equal(t, "a []; b []; c []", shape(list))
	require.Equal(t, []int{1, 2, 3}, []int{list[0].Index, list[1].Index, list[2].Index})
}

func TestWhatEndsAPlayIsAProblemInEveryListButADeployments(t *testing.T) {
	const text = "- {meta: end_play}\n- {meta: end_host}\n- {meta: clear_host_errors}\n- {name: x, command: x, tags: [never, always]}\n"
	const cleared = "s.yaml:3:10: meta: clear_host_errors" + clears + "\ns.yaml:4:32: warning: a task tagged never does" + never
	for _, name := range []tasks.ListName{tasks.Preflight, tasks.Drain, tasks.Unlink, tasks.Health, tasks.Restore, tasks.Establish} {
		_, problems := read(t, name, text)
		require.Len(t, problems, 4, "%s", name)
		require.Contains(t, problems.Error(), "s.yaml:1:10: meta: end_play leaves"+ends, "%s", name)
	}
	_, problems := read(t, tasks.Deployment, text)
	require.Equal(t, cleared, problems.Error())
	root, sink := parse(t, "- {name: a, meta: end_play}")
	tasks.NewReader(sink, false).Handlers(root)
	require.Equal(t, "s.yaml:1:19: meta: end_play leaves"+ends, sink.Problems().Error())
}

func TestFilesThatTasksTakeInAreLookedAt(t *testing.T) {
	root, sink := parse(t, "- name: a\n  notify: Restart\n- block:\n    - meta: end_play\n  rescue:\n    - {command: x, notify: ['{{ b }}', c]}\n- text\n")
	require.Equal(t, []string{"Restart", "{{ b }}", "c"}, tasks.Included(root, sink))
	require.Equal(t, "s.yaml:4:13: meta: end_play leaves"+ends, sink.Problems().Error())
	root, sink = parse(t, "a: b")
	require.Empty(t, tasks.Included(root, sink))
	require.Empty(t, sink.Problems())
}

func TestWhatIsNotThereHasNoTasks(t *testing.T) {
	r := tasks.NewReader(&source.Sink{}, false)
	require.Empty(t, r.List(source.Node{}, tasks.Upgrade))
	require.Empty(t, r.Handlers(source.Node{}))
	require.Empty(t, tasks.ReadKeywords(source.Node{}, tasks.PlayLevel, &source.Sink{}))
	list, problems := read(t, tasks.Upgrade, "[]")
	require.Empty(t, problems)
	require.Empty(t, list)
}

func TestHeatFunctionsAreLeftToTheImport(t *testing.T) {
	const how = " is not evaluated here\n  hint: upstep import tripleo evaluates templates; or write the value itself"
	text := "- name: a\n  command: {str_replace: {template: x}}\n  vars: {v: {get_param: X}}\n  tags: step1\n" +
		"- get_attr: [a, b]\n- name: b\n  block:\n    - name: c\n      command: {get_param: Y}\n    - {list_concat: []}\n  rescue:\n    - shell: {if: [a, b]}\n  tags: step2\n"
	for heat, want := range map[bool]string{
		true: "s.yaml:2:12: Heat function str_replace" + how + "\ns.yaml:3:13: Heat function get_param" + how + "\ns.yaml:5:3: Heat function get_attr" + how +
			"\ns.yaml:9:16: Heat function get_param" + how + "\ns.yaml:10:7: Heat function list_concat" + how + "\ns.yaml:12:14: Heat function if" + how,
		false: `s.yaml:5:3: task without a name is in no step` + toStep,
	} {
		sink := &source.Sink{}
		root, ok := source.Parse(source.File{Name: "s.yaml", Text: []byte(text)}, sink)
		require.True(t, ok)
		tasks.NewReader(sink, heat).List(root, tasks.Upgrade)
		require.Equal(t, want, sink.Problems().Error(), "in a template: %v", heat)
	}
	sink := &source.Sink{}
	root, _ := source.Parse(source.File{Name: "s.yaml", Text: []byte("{yaql: {expression: x}}")}, sink)
	require.Empty(t, tasks.NewReader(sink, true).List(root, tasks.Upgrade))
	require.Equal(t, "s.yaml:1:1: Heat function yaql"+how, sink.Problems().Error())
}

// parse gives the top of a file that is fine.
func parse(t *testing.T, text string) (source.Node, *source.Sink) {
	t.Helper()
	sink := &source.Sink{}
	root, ok := source.Parse(source.File{Name: "s.yaml", Text: []byte(text)}, sink)
	require.True(t, ok, sink.Problems().Error())
	return root, sink
}

func TestHandlersAreReadWithTheirNames(t *testing.T) {
	root, sink := parse(t, `# restarts it
- name: Restart "a" # of a
  service: {name: a}
  listen: [topics, "it's all"]
  notify:
    - Reload b
- listen: only topic
  command: x
`)
	list := tasks.NewReader(sink, false).Handlers(root)
	require.Empty(t, sink.Problems())
	require.Len(t, list, 2)
	marked := func(h tasks.Handler, marks []source.Mark) []string {
		var out []string
		for _, m := range marks {
			out = append(out, h.Text[m.Start:m.End])
		}
		return out
	}
	require.Equal(t, `Restart "a"`, list[0].Name)
	require.Equal(t, "# restarts it\n- name: Restart \"a\" # of a\n  service: {name: a}\n  listen: [topics, \"it's all\"]\n  notify:\n    - Reload b\n", list[0].Text)
	require.Equal(t, []string{`Restart "a"`}, marked(list[0], list[0].Names))
	require.Equal(t, []string{"topics", `"it's all"`}, marked(list[0], list[0].Listens))
	require.Equal(t, []string{"Reload b"}, marked(list[0], list[0].Notifies))
	require.Equal(t, "it's all", list[0].Listens[1].Value)
	require.Empty(t, list[1].Name)
	require.Empty(t, list[1].Names)
	require.Equal(t, []string{"only topic"}, marked(list[1], list[1].Listens))
}

func TestEveryProblemOfAHandler(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no name":          {"- command: x", "s.yaml:1:3: a handler without a name\n  hint: add name:, which notify: refers to"},
		"a block":          {"- name: a\n  block: [{command: x}]", "s.yaml:1:3: handler \"a\" is a block\n  hint: Ansible takes only plain tasks as handlers: use listen: on each"},
		"the same name":    {"- {name: a, command: x}\n- {name: a, command: y}", "s.yaml:2:3: duplicate handler \"a\"\n  hint: it stands first at s.yaml:1; Ansible would run only the last"},
		"not a list":       {"a: b", "s.yaml:1:1: handlers must be a list of tasks, not a mapping\n  hint: every task begins with \"- \""},
		"not a task":       {"- a", "s.yaml:1:3: a task must be a mapping, not a single value\n  hint: write - name: ..., then the module and its arguments"},
		"a name as a list": {"- {name: [a], command: x}", "s.yaml:1:3: a handler without a name\n  hint: add name:, which notify: refers to"},
	} {
		t.Run(name, func(t *testing.T) {
			root, sink := parse(t, c.text)
			tasks.NewReader(sink, false).Handlers(root)
			require.Equal(t, c.want, sink.Problems().Error())
		})
	}
}

func TestPlayKeywordsAreKeptAsWritten(t *testing.T) {
	root, sink := parse(t, "become: yes # as root\nenvironment:\n  PATH: /bin\n\n  # more\n  LANG: C\nremote_user: '{{ user }}'\n")
	list := tasks.ReadKeywords(root, tasks.BlockLevel, sink)
	require.Empty(t, sink.Problems())
	require.Equal(t, []tasks.Keyword{
		{Name: "become", Text: "become: yes # as root\n", Pos: source.Pos{File: "s.yaml", Line: 1, Column: 1}},
		{Name: "environment", Text: "environment:\n  PATH: /bin\n\n  # more\n  LANG: C\n", Pos: source.Pos{File: "s.yaml", Line: 2, Column: 1}},
		{Name: "remote_user", Text: "remote_user: '{{ user }}'\n", Pos: source.Pos{File: "s.yaml", Line: 7, Column: 1}},
	}, list)
	require.True(t, tasks.OnBlock("become"))
	require.False(t, tasks.OnBlock("vars_files"))
}

func TestVarsAreKeptAsWritten(t *testing.T) {
	root, sink := parse(t, "vars:\n    # of a\n    a: 0644\n    b: !vault |\n      $ANSIBLE_VAULT\n\n    # last\nother: 1\n")
	v := tasks.ReadVars(root.Get("vars"), "vars of it", sink)
	require.Empty(t, sink.Problems())
	require.Equal(t, tasks.Vars{Names: []string{"a", "b"}, Text: "# of a\na: 0644\nb: !vault |\n  $ANSIBLE_VAULT\n\n# last\n"}, v)
	root, sink = parse(t, "{}")
	require.Equal(t, tasks.Vars{}, tasks.ReadVars(root, "vars of it", sink))
}

func TestEveryProblemOfPlayKeywordsAndVars(t *testing.T) {
	play := func(level tasks.Level) func(source.Node, *source.Sink) {
		return func(v source.Node, sink *source.Sink) { tasks.ReadKeywords(v, level, sink) }
	}
	vars := func(v source.Node, sink *source.Sink) { tasks.ReadVars(v, "vars of it", sink) }
	for name, c := range map[string]struct {
		read       func(source.Node, *source.Sink)
		text, want string
	}{
		"keywords as a list":        {play(tasks.PlayLevel), "- become", "s.yaml:1:1: play must be a mapping of play keywords, not a list"},
		"a keyword that is ours":    {play(tasks.PlayLevel), "serial: 1", "s.yaml:1:1: play keyword \"serial\" is set by upstep itself\n  hint: leave it out"},
		"another order":             {play(tasks.PlayLevel), "order: sorted", "s.yaml:1:1: play keyword \"order\" would take hosts in another order than the plan\n  hint: leave it out: hosts go in the order of the inventory"},
		"vars among the keywords":   {play(tasks.BlockLevel), "vars: {a: 1}", "s.yaml:1:1: play keyword \"vars\" is set by upstep itself\n  hint: variables go into vars: beside play:"},
		"a play's on a service":     {play(tasks.BlockLevel), "gather_subset: min", "s.yaml:1:1: play keyword \"gather_subset\" cannot stand on a service\n  hint: it holds for a whole play: put it under play: of the role or of upgrade.yaml"},
		"a play's on a role":        {play(tasks.PlayLevel), "gather_subset: min", ""},
		"a keyword nearly right":    {play(tasks.PlayLevel), "becom: yes", "s.yaml:1:1: unknown play keyword \"becom\"\n  hint: did you mean \"become\"?"},
		"a keyword nobody knows":    {play(tasks.PlayLevel), "frobnicate: 1", "s.yaml:1:1: unknown play keyword \"frobnicate\""},
		"vars as a list":            {vars, "- a", "s.yaml:1:1: vars of it must be a mapping, not a list"},
		"a variable that is ours":   {vars, "upstep_role: x\nstep: 3\nsteps: 1", "s.yaml:1:1: variable \"upstep_role\" is set by upstep itself\n  hint: choose another name\ns.yaml:2:1: variable \"step\" is set by upstep itself\n  hint: choose another name"},
		"a name that is none":       {vars, "a-b: 1\n2c: 1\n_d: 1", "s.yaml:1:1: variable name \"a-b\" cannot be used\n  hint: use letters, digits and _, beginning with a letter or _, and no word that is Python's or YAML's own\ns.yaml:2:1: variable name \"2c\" cannot be used\n  hint: use letters, digits and _, beginning with a letter or _, and no word that is Python's or YAML's own"},
		"a word of Python":          {vars, "class: 1\nClass: 1", "s.yaml:1:1: variable name \"class\" cannot be used\n  hint: use letters, digits and _, beginning with a letter or _, and no word that is Python's or YAML's own"},
		"a key that YAML reads":     {vars, "on: 1\n\"yes\": 1", "s.yaml:1:1: variable name \"on\" cannot be used\n  hint: use letters, digits and _, beginning with a letter or _, and no word that is Python's or YAML's own"},
		"a variable merged from it": {vars, "<<: {upstep_x: 1}", "s.yaml:1:6: variable \"upstep_x\" is set by upstep itself\n  hint: choose another name"},
	} {
		t.Run(name, func(t *testing.T) {
			root, sink := parse(t, c.text)
			c.read(root, sink)
			require.Equal(t, c.want, sink.Problems().Error())
		})
	}
}
