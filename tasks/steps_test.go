package tasks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// read reads a task list and gives its problems too.
func read(t *testing.T, list tasks.ListName, text string) ([]tasks.Task, source.Problems) {
	t.Helper()
	sink := &source.Sink{}
	root, ok := source.Parse(source.File{Name: "s.yaml", Text: []byte(text)}, sink)
	require.True(t, ok, sink.Problems().Error())
	return tasks.NewReader(sink, false).List(root, list), sink.Problems()
}

// shape writes down which task goes to which steps.
func shape(list []tasks.Task) string {
	var out []string
	for _, t := range list {
		out = append(out, fmt.Sprintf("%s %v", t.Name, t.Steps))
	}
	return strings.Join(out, "; ")
}

func TestTasksGoToTheStepsTheirTagsName(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a word":                    {"- {name: a, command: x, tags: step3}", "a [3]"},
		"a comma list":              {"- {name: a, command: x, tags: 'step0, validation'}", "a [0]"},
		"a YAML list":               {"- {name: a, command: x, tags: [validation, step2]}", "a [2]"},
		"a list of comma lists":     {"- {name: a, command: x, tags: ['step1,step2', x]}", "a [1 2]"},
		"several steps":             {"- {name: a, command: x, tags: [step4, step1, step4]}", "a [1 4]"},
		"common in every step":      {"- {name: a, command: x, tags: common}\n- {name: b, command: x, tags: step2}\n- {name: c, command: x, tags: step5}", "a [2 5]; b [2]; c [5]"},
		"a block gives its steps":   {"- name: a\n  tags: step1\n  block:\n    - command: x\n    - command: y", "a [1]"},
		"a block adds to its tasks": {"- name: a\n  tags: step1\n  block:\n    - {command: x, tags: step2}\n    - command: y", "a [1]; a [2]"},
		"a block is split":          {"- name: a\n  block:\n    - {command: x, tags: step1}\n    - {command: y, tags: step2}\n    - {command: z, tags: [step1, step2]}", "a [1]; a [2]"},
		"blocks in blocks":          {"- name: a\n  block:\n    - tags: step1\n      block:\n        - command: x\n    - tags: step3\n      block:\n        - command: y", "a [1]; a [3]"},
		"common in a block":         {"- name: a\n  block:\n    - {command: x, tags: common}\n    - {command: y, tags: step1}\n- {name: b, command: z, tags: step2}", "a [1]; a [2]; b [2]"},
	} {
		t.Run(name, func(t *testing.T) {
			list, problems := read(t, tasks.Upgrade, c.text)
			require.Empty(t, problems)
			require.Equal(t, c.want, shape(list))
		})
	}
}

func TestASplitBlockKeepsWhatIsInEachStep(t *testing.T) {
	list, problems := read(t, tasks.Upgrade, `# why it is done
- name: Both
  when: ready
  block:
    # the first
    - name: One
      command: one
      tags: step1
    - name: Two        # the second
      command: two
      tags: step2
  rescue:
    - name: Mend
      command: mend
  always:
    - name: Last
      command: last
`)
	require.Empty(t, problems)
	require.Len(t, list, 2)
	require.Equal(t, `# why it is done
- name: Both
  when: ready
  block:
    # the first
    - name: One
      command: one
      tags: step1
  rescue:
    - name: Mend
      command: mend
  always:
    - name: Last
      command: last
`, list[0].Text)
	require.NotContains(t, list[1].Text, "One")
	require.Contains(t, list[1].Text, "    - name: Two        # the second\n")
	require.Contains(t, list[1].Text, "rescue:")
}

func TestTasksThatAreInNoStepAreProblems(t *testing.T) {
	for name, c := range map[string]struct{ text, want, hint string }{
		"no tag at all":     {"- {name: a, command: x}", `s.yaml:1:3: task "a" is in no step`, "add tags: stepN"},
		"another tag only":  {"- {name: a, command: x, tags: validation}", `s.yaml:1:3: task "a" is in no step`, "add tags: stepN"},
		"nearly a step":     {"- {name: a, command: x, tags: Step_3}", `s.yaml:1:31: tag "Step_3" is no step`, "did you mean step3?"},
		"too large a step":  {"- {name: a, command: x, tags: step9999}", "s.yaml:1:31: step number 9999 is too large", "steps go from 0 to 999"},
		"within a block":    {"- name: a\n  block:\n    - {command: x, tags: step1}\n    - {name: b, command: y}", `s.yaml:4:7: task "b" is in no step`, "add tags: stepN"},
		"not a task at all": {"- just text", "s.yaml:1:3: a task must be a mapping, not a single value", "write - name: ..."},
		"tags of a mapping": {"- {name: a, command: x, tags: {a: b}}", "s.yaml:1:31: tags must be a word or a list of words, not a mapping", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := read(t, tasks.Upgrade, c.text)
			require.NotEmpty(t, problems)
			found := false
			for _, p := range problems {
				found = found || strings.HasPrefix(p.String(), c.want) && strings.Contains(p.Hint, c.hint)
			}
			require.True(t, found, problems.Error())
		})
	}
}

func TestRollbackOfWhatCameAfterTheUpgrade(t *testing.T) {
	list, problems := read(t, tasks.Rollback, "- {name: a, command: x, tags: post_upgrade}\n- {name: b, command: x, tags: [post_upgrade, step2]}\n- {name: c, command: x, tags: step1}")
	require.Empty(t, problems)
	require.Equal(t, "a [0]; b [2]; c [1]", shape(list))
	require.True(t, list[0].PostOnly)
	require.False(t, list[2].PostOnly)
}

func TestWhatATaskDoesIsKnown(t *testing.T) {
	list, problems := read(t, tasks.Upgrade, `- name: a
  command: x {{ given.attribute }} {{ other | default('text') }}
  register: out
  when: not skipped and upstep_bootstrap
  notify:
    - Restart a
    - "Restart b"
  run_once: true
  throttle: 1
  tags: step1
- name: f
  set_fact: {one: 1, two: 2, cacheable: true}
  tags: step1
`)
	require.Empty(t, problems)
	require.Equal(t, []string{"out"}, list[0].Registers)
	require.Equal(t, []string{"one", "two"}, list[1].SetsFacts)
	require.True(t, list[0].Once)
	require.True(t, list[0].Throttle)
	require.True(t, list[0].Bootstrap)
	var marked []string
	for _, m := range list[0].Notifies {
		marked = append(marked, list[0].Text[m.Start:m.End])
	}
	require.Equal(t, []string{"Restart a", `"Restart b"`}, marked)
}

func TestUsesAreNamesOfVariablesOnly(t *testing.T) {
	sink := &source.Sink{}
	root, ok := source.Parse(source.File{Name: "s.yaml", Text: []byte(`- name: a
  command: x {{ used.attribute }} {{ 'quoted' }} {% if looped %}{% endif %}
  environment: {THEIRS: "{{ hostvars['h'].theirs }}"}
  when: condition is defined
  vars: {mine: 1}
  tags: step1
`)}, sink)
	require.True(t, ok)
	r := tasks.NewReader(sink, false)
	r.List(root, tasks.Upgrade)
	names := map[string]bool{}
	for _, u := range r.Uses() {
		names[u.Name] = true
	}
	for _, want := range []string{"used", "theirs", "looped", "condition"} {
		require.True(t, names[want], want)
	}
	for _, not := range []string{"attribute", "quoted", "mine"} {
		require.False(t, names[not], not)
	}
}
