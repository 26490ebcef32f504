package roles_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/source"
)

// parse reads a text as roles.yaml, with an input that has a value, one that is empty,
// and one that has none.
func parse(text string) ([]roles.Role, bool, string) {
	sink := &source.Sink{}
	vals := source.Values{Declared: []string{"cluster", "empty", "unset"}, Set: map[string]string{"cluster": "blue", "empty": ""}}
	all, whole := roles.Load(fstest.MapFS{"roles.yaml": {Data: []byte(text)}}, "roles.yaml", "", vals, sink)
	return all, whole, sink.Problems().Error()
}

func TestHostsAreReadFromTextAndList(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "Web",
		"hosts: web":                       "web",
		"hosts: ' web '":                   "web",
		"hosts: [web, '!web1']":            "web,!web1",
		"hosts: [web, 'dbs:!db1', '::1']":  "web,dbs,!db1,::1",
		"hosts: '{{ cluster }}-web'":       "blue-web",
		"hosts: ['{{ cluster }}', b]":      "blue,b",
		"hosts: '{{ unset }}'":             "",
		"hosts: ['{{ unset }}', b]":        "",
		"hosts: 'a{{ empty }}b'":           "ab",
		"hosts: {{ cluster }}":             "!1:22: a value that begins with {{ must be quoted",
		"hosts: ''":                        "!1:22: hosts of the role is empty",
		"hosts: []":                        "!1:22: hosts must be an inventory pattern, not a list",
		"hosts: [[a]]":                     "!1:23: hosts must be an inventory pattern, not a list",
		"hosts: [a, ~]":                    "!1:26: hosts must be an inventory pattern, not nothing",
		"hosts: {a: b}":                    "!1:22: hosts must be an inventory pattern, not a mapping",
		"hosts: '{{ empty }}'":             "!1:22: hosts of the role is empty",
		"hosts: [a, '{{ empty }}']":        "!1:26: hosts of the role is empty",
		"hosts: '{{ groups[0] }}'":         `!1:22: "{{ groups[0] }}": only {{ input }} can stand here`,
		"hosts: '{{ clutser }}'":           `!1:22: "{{ clutser }}" names clutser, which is no input`,
		"hosts: '{{ empty }}{{ empty }} '": "!1:22: hosts of the role is empty",
	} {
		t.Run(text, func(t *testing.T) {
			all, _, problems := parse("- {name: Web, " + text + "}\n")
			first, _, _ := strings.Cut(problems, "\n")
			if wrong, is := strings.CutPrefix(want, "!"); is {
				require.Equal(t, "roles.yaml:"+wrong, first)
				require.LessOrEqual(t, strings.Count(problems, "roles.yaml:"), 1, "one mistake is one problem")
				return
			}
			require.Empty(t, problems)
			require.Equal(t, want, all[0].Hosts)
		})
	}
}

func TestEveryProblemOfARole(t *testing.T) {
	const list = "\n  hint: begin each role with - name: NAME"
	const rolling = "\n  hint: write rolling: {} for one host at a time; remove the line if all hosts go together"
	long := "- {name: " + strings.Repeat("a", 201) + "}"
	for text, want := range map[string]string{
		"name: Web":                      "1:1: roles must be a list, not a mapping" + list,
		"- Web":                          "1:3: a role must be a mapping, not a single value" + list,
		"[]":                             ": no role found\n  hint: write a list of roles: - name: Controller",
		"":                               ": file is empty\n  hint: remove it, or give it content",
		"- {nme: Web}":                   "1:4: unknown key \"nme\" in the role\n  hint: did you mean \"name\"?",
		"- {hosts: a}":                   "1:3: the role has no name\n  hint: add name: VALUE",
		"- {name: [a]}":                  "1:10: name of the role must be a single value, not a list",
		"- {name: 1a}":                   "1:10: role name \"1a\" is not usable as a file name\n  hint: use letters, digits, _ and -, beginning with a letter",
		long:                             "1:10: a role name of 201 bytes is too long for a file name\n  hint: use at most 200",
		"- {name: plan}":                 "1:10: role name \"plan\" is taken by a file of the emitted playbooks\n  hint: choose another name",
		`- {name: A, description: "\e"}`: "1:26: description of the role has a control character (U+001B)\n  hint: take it out",
		"- {name: A, services: s}":       "1:23: services of the role must be a list, not \"s\"\n  hint: write services: [s]",
		"- {name: A, services: [[s]]}":   "1:24: every element of services must be a single value, not a list",
		"- {name: A, services: [s, s]}":  "1:27: \"s\" stands twice in the role\n  hint: it stands first at roles.yaml:1",
		"- {name: A, rolling: 5}":        "1:22: rolling must be a mapping, not \"5\"" + rolling,
		"- {name: A, rolling: true}":     "1:22: rolling must be a mapping, not \"true\"" + rolling,
		"- name: A\n  rolling:\n    # batch: 2\n":                        "2:11: rolling of the role has nothing in it" + rolling,
		"- {name: A, rolling: ~}":                                        "1:22: rolling of the role has nothing in it" + rolling,
		"- {name: A, rolling: {drain: host}}":                            "1:30: drain of rolling must be one of batch, role, not \"host\"\n  hint: write drain: batch or drain: role",
		"- {name: A, rolling: {batch: 0}}":                               "1:30: a batch of 0 would take no host\n  hint: write 1 or more",
		"- {name: A, rolling: {batch: []}}":                              "1:30: batch is empty\n  hint: write batch: 1, or a list such as [1, \"25%\"]",
		"- {name: A, rolling: {batch: 200%}}":                            "1:30: a batch of 200% is more than all hosts\n  hint: percentages go up to 100%",
		"- {name: A, rolling: {percentage: [1]}}":                        "1:35: percentage must be from 1 to 100, not \"\"\n  hint: it is the share of the hosts that one run takes; 100 takes all",
		"- {name: A, rolling: {pause: soon}}":                            "1:30: pause of rolling must be a duration such as 30s or 5m, not \"soon\"\n  hint: write 90s, 5m or 1h30m; a bare number counts seconds",
		"- {name: A, health: {tries: 0}}":                                "1:29: tries of health must be a whole number, 1 or more, not \"0\"",
		"- {name: A, health: {tries: 2, consecutive: 3}}":                "1:45: 3 good answers in a row cannot come from 2 tries\n  hint: raise tries, or lower consecutive",
		"- {name: A, rolling: {health: {tries: 2}}, health: {tries: 3}}": "1:31: health stands twice in the role\n  hint: it stands also at roles.yaml:1",
		"- {name: A}\n- {name: a}":                                       "2:10: duplicate role \"a\"\n  hint: it is defined first at roles.yaml:1",
	} {
		t.Run(text, func(t *testing.T) {
			_, _, problems := parse(text)
			require.Equal(t, "roles.yaml:"+want, strings.Replace(problems, "roles.yaml: ", "roles.yaml:: ", 1))
		})
	}
}

func TestWhetherAllRolesWereReadIsKnown(t *testing.T) {
	for text, want := range map[string]bool{
		"- {name: A, services: [s]}": true, "- {name: A, servces: [s]}": false, "- {name: A, services: s}": false, "- {name: A, services: [s, [t]]}": false,
		"- {name: A}\n- x": false, "- {hosts: a}": false, "a: 'b": false, "[]": false, "- {name: A, nope: 1}": false,
	} {
		_, whole, _ := parse(text)
		require.Equal(t, want, whole, text)
	}
}

func TestAFolderOfRolesIsReadByName(t *testing.T) {
	fsys := fstest.MapFS{
		"p/roles/b.yaml": {Data: []byte("- name: B\n")}, "p/roles/a.YML": {Data: []byte("- name: A\n")},
		"p/roles/.c.yaml": {Data: []byte("- name: C\n")}, "p/roles/notes.txt": {}, "p/roles/web/tasks/main.yml": {},
	}
	sink := &source.Sink{}
	all, whole := roles.Load(fsys, "p/roles", "", source.Values{}, sink)
	require.Empty(t, sink.Problems())
	require.True(t, whole)
	require.Len(t, all, 2)
	require.Equal(t, "A", all[0].Name)
	require.Equal(t, "p/roles/b.yaml:1:9", all[1].Pos.String())
}
