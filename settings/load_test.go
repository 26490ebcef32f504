package settings_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// load reads a text as upgrade.yaml, with --set for each further argument.
func load(t *testing.T, text string, set ...string) (settings.Settings, string) {
	t.Helper()
	sink := &source.Sink{}
	var given []settings.Given
	for _, arg := range set {
		if g, ok := settings.ParseSet(arg, sink); ok {
			given = append(given, g)
		}
	}
	s := settings.Load(fstest.MapFS{"upgrade.yaml": {Data: []byte(text)}}, "upgrade.yaml", "", given, sink)
	return s, sink.Problems().Error()
}

func TestEveryKeyIsRead(t *testing.T) {
	s, problems := load(t, `name: web application
description: |
  Several
  lines.
inputs:
  cluster: {description: the cluster, required: true}
  batch: {type: integer, default: 2}
  note:
stages: [prepare, {name: live, approve: yes}]
steps: {step10: last, 2: stop, 0: ~}
vars: {former: train}
play: {become: true}
deployment_tasks:
  before: [{name: Say it, hosts: "{{ cluster }}-web", tasks: [{debug: }], vars: {a: 1}, play: {become: false}}]
  after: [{hosts: all, tasks: [{debug: }]}]
ordering: dependencies
identical_tasks: once
parallelism: 3
forks: 20
`, "cluster=blue")
	require.Empty(t, problems)
	require.Equal(t, "web application", s.Name)
	require.Equal(t, "upgrade.yaml", s.File)
	require.Len(t, s.Digest, 64)
	require.False(t, s.Partial)
	require.Equal(t, []settings.Step{{Number: 0}, {Number: 2, Name: "stop"}, {Number: 10, Name: "last"}}, s.Steps)
	require.Len(t, s.Stages, 2)
	require.True(t, s.Stages[1].Approve)
	require.Equal(t, source.Pos{File: "upgrade.yaml", Line: 9, Column: 19}, s.Stages[1].Pos)
	require.Equal(t, []string{"former"}, s.Vars.Names)
	require.Equal(t, "become", s.Play[0].Name)
	require.Equal(t, "blue-web", s.Before[0].Hosts)
	require.Equal(t, []string{"a"}, s.Before[0].Vars.Names)
	require.Len(t, s.After[0].Tasks, 1)
	require.Equal(t, settings.Dependencies, s.Ordering)
	require.Equal(t, settings.Once, s.IdenticalTasks)
	require.Equal(t, 3, s.Parallelism)
	require.Equal(t, 20, s.Forks)
	require.Equal(t, map[string]string{"cluster": "blue", "batch": "2"}, s.Values().Set)
	require.Equal(t, []string{"cluster", "batch", "note"}, s.Values().Declared)
}

func TestWithoutTheFileTheDefaultsHold(t *testing.T) {
	sink := &source.Sink{}
	s := settings.Load(fstest.MapFS{}, "upgrade.yaml", "", nil, sink)
	require.Empty(t, sink.Problems())
	require.Equal(t, settings.Settings{Stages: settings.DefaultStages(), Ordering: settings.Barrier, IdenticalTasks: settings.Each}, s)
}

const (
	howSteps  = "\n  hint: write steps: {0: validate, 1: stop}"
	howStages = "\n  hint: write stages: [control-plane, non-control-plane]"
	howTasks  = "\n  hint: write - {name: ..., hosts: ..., tasks: [...]}"
)

func TestEveryProblemOfUpgradeYAML(t *testing.T) {
	long := strings.Repeat("a", 201)
	for text, want := range map[string]string{
		"- a":              "1:1: upgrade.yaml must be a mapping, not a list\n  hint: its keys are name, description, inputs, from, to, releases, stages, steps, vars, play, notify, deployment_tasks, ordering, identical_tasks, parallelism, forks, window",
		"nme: x":           `1:1: unknown key "nme" in upgrade.yaml` + "\n  hint: did you mean \"name\"?",
		"name: [a]":        "1:7: name of upgrade.yaml must be a single value, not a list",
		`name: "a\nb"`:     "1:7: name of upgrade.yaml must be one line",
		`name: "\e[31m"`:   "1:7: name of upgrade.yaml has a control character (U+001B)\n  hint: take it out",
		"name: a\nname: b": "2:1: duplicate key \"name\"\n  hint: it stands first in line 1; remove one of the two",

		"steps: [stop]":                    "1:8: steps must be a mapping of numbers to names, with at least one, not a list" + howSteps,
		"steps: {}":                        "1:8: steps must be a mapping of numbers to names, with at least one, not nothing" + howSteps,
		"steps: 5":                         "1:8: steps must be a mapping of numbers to names, with at least one, not a single value" + howSteps,
		"steps: {1: a, step1: b}":          "1:15: step 1 stands twice in steps\n  hint: it stands first at upgrade.yaml:1; remove one of the two",
		"steps: {1000: a}":                 "1:9: step number 1000 is too large\n  hint: steps go from 0 to 999",
		"steps: {step1000: a}":             "1:9: step number 1000 is too large\n  hint: steps go from 0 to 999",
		"steps: {99999999999999999999: a}": "1:9: step number 99999999999999999999 is too large\n  hint: steps go from 0 to 999",
		"steps: {-1: a}":                   `1:9: step "-1" is no number` + howSteps,
		"steps: {stop: a}":                 `1:9: step "stop" is no number` + howSteps,
		"steps: {01: a}":                   `1:9: step "01" is no number` + "\n  hint: did you mean 1?",
		"steps: {1: [a]}":                  "1:12: the name of step 1 must be a single value, not a list" + howSteps,
		`steps: {1: "a\eb"}`:               "1:12: the name of step 1 has a control character (U+001B)\n  hint: take it out",
		"steps: {999: a}":                  "",

		"stages: one":                         "1:9: stages must be a list with at least one stage, not a single value" + howStages,
		"stages: []":                          "1:9: stages must be a list with at least one stage, not nothing" + howStages,
		"stages: [~]":                         "1:10: a stage must be a name or a mapping, not nothing" + howStages,
		"stages: [[a]]":                       "1:10: a stage must be a name or a mapping, not a list" + howStages,
		"stages: [{approve: true}]":           "1:10: the stage has no name\n  hint: add name: VALUE",
		"stages: [{name: a, aprove: true}]":   `1:20: unknown key "aprove" in the stage` + "\n  hint: did you mean \"approve\"?",
		"stages: [{name: a, approve: maybe}]": `1:29: approve of the stage must be true or false, not "maybe"`,
		"stages: [A]":                         `1:10: stage name "A" is not usable as a file name` + "\n  hint: use small letters, digits and -, beginning with a letter",
		"stages: [" + long + "]":              "1:10: a stage name of 201 bytes is too long for a file name\n  hint: use at most 200",
		"stages: [rollback]":                  `1:10: stage name "rollback" is taken by upstep itself` + "\n  hint: choose another name",
		"stages: [a, a]":                      `1:13: duplicate stage "a"` + "\n  hint: name each stage once",

		"inputs: [a]":                   "1:9: inputs must be a mapping, not a list\n  hint: write inputs: {NAME: {type: string, description: ...}}",
		"inputs: {a: 1}":                "1:13: the input must be a mapping, not a single value\n  hint: its keys are type, description, default, required",
		"inputs: {step: }":              `1:10: input name "step" cannot be used` + "\n  hint: use letters, digits and _, beginning with a letter or _; names that begin with upstep_, and step, are upstep's own; some words are Python's or YAML's",
		"inputs: {a: {type: strin}}":    `1:20: type of the input must be one of string, integer, number, boolean, list, map, not "strin"` + "\n  hint: did you mean \"string\"?",
		"inputs: {a: {required: true}}": "1:10: input \"a\" has no value\n  hint: give it one with --set a=VALUE, or in a file with --inputs",
		"inputs: {a: {required: true, type: integer, default: x}}": `1:54: input "a" must be of type integer, not "x"`,
		"inputs: {a: {type: boolean, default: maybe}}":             `1:38: input "a" must be of type boolean, not "maybe"`,
		"inputs: {a: {type: list, default: {b: 1}}}":               `1:35: input "a" must be of type list, not "{\"b\":1}"`,
		"inputs: {a: }\nvars: {a: 1}":                              `2:8: variable "a" is also an input` + "\n  hint: the input stands at upgrade.yaml:1; rename one of the two",
		"vars: [a]":                                                "1:7: vars of upgrade.yaml must be a mapping, not a list",
		"vars: {step: 1}":                                          `1:8: variable "step" is set by upstep itself` + "\n  hint: choose another name",
		"play: {serial: 1}":                                        `1:8: play keyword "serial" is set by upstep itself` + "\n  hint: leave it out",
		"identical_tasks: onse":                                    `1:18: identical_tasks of upgrade.yaml must be one of each, once, not "onse"` + "\n  hint: did you mean \"once\"?",
		"ordering: barier":                                         `1:11: ordering of upgrade.yaml must be one of barrier, dependencies, not "barier"` + "\n  hint: did you mean \"barrier\"?",
		"parallelism: 0":                                           `1:14: parallelism of upgrade.yaml must be a whole number, 1 or more, not "0"`,
		"forks: many":                                              `1:8: forks of upgrade.yaml must be a whole number, 1 or more, not "many"`,
		"releases: {}":                                             "1:11: releases must be a list, not nothing\n  hint: write releases: [{from: VERSION, to: VERSION, services: FOLDER}]",
		"releases: [a]":                                            "1:12: a release must be a mapping, not a single value\n  hint: write releases: [{from: VERSION, to: VERSION, services: FOLDER}]",
		"releases: [{from: 1, to: 1}]":                             "1:12: a release from 1 to itself\n  hint: from and to are two versions",
		"releases: [{from: 1, to: 2}, {from: 1, to: 2}]":           "1:30: the jump from 1 to 2 stands twice\n  hint: it stands first in upgrade.yaml:1; remove one of the two",
		"releases: [{from: 1, to: a/b}]":                           "1:26: version \"a/b\" is not usable in a folder's name\n  hint: write it without spaces and slashes",
		"releases: [{from: 1, to: 2, services: ../x}]":             "1:39: services: ../x leads out of the project\n  hint: name a folder of the project",
		"releases: [{from: 1, to: 2, blocked: true}]":              "1:38: blocked takes the reason, not true\n  hint: write blocked: WHY",
		"from: 1":                                                      "1:7: warning: from says nothing without releases\n  hint: declare the jumps that exist under releases:",
		"deployment_tasks: 5":                                          "1:19: deployment_tasks must be a mapping, not a single value\n  hint: its keys are before, after",
		"deployment_tasks: {befor: []}":                                `1:20: unknown key "befor" in deployment_tasks` + "\n  hint: did you mean \"before\"?",
		"deployment_tasks: {before: {}}":                               "1:28: deployment tasks must be a list, not a mapping" + howTasks,
		"deployment_tasks: {before: [5]}":                              "1:29: an element of deployment_tasks must be a mapping, not a single value" + howTasks,
		"deployment_tasks: {before: [{hosts: a}]}":                     "1:29: deployment tasks without tasks\n  hint: add tasks: with a list of them",
		"deployment_tasks: {before: [{hosts: a, task: []}]}":           `1:40: unknown key "task" in an element of deployment_tasks` + "\n  hint: did you mean \"tasks\"?",
		"deployment_tasks: {before: [{hosts: a, tasks: x}]}":           "1:47: tasks must be a list of tasks, not a single value\n  hint: every task begins with \"- \"",
		"deployment_tasks: {before: [{tasks: []}]}":                    "1:29: an element of deployment_tasks has no hosts\n  hint: add hosts: VALUE",
		"deployment_tasks: {before: [{tasks: [], hosts: ' '}]}":        "1:48: hosts of an element of deployment_tasks is empty\n  hint: write hosts: PATTERN",
		"deployment_tasks: {before: [{tasks: [], hosts: '{{ no }}'}]}": `1:48: "{{ no }}" names no, which is no input` + "\n  hint: declare it under inputs: in upgrade.yaml",
	} {
		t.Run(text, func(t *testing.T) {
			if want != "" {
				want = "upgrade.yaml:" + want
			}
			s, problems := load(t, text)
			require.Equal(t, want, problems)
			require.NotEmpty(t, s.Stages, "planning goes on with some stage")
		})
	}
}

func TestInputsTakeTheirValues(t *testing.T) {
	const unset = "-"
	for name, c := range map[string]struct{ declared, set, text, json string }{
		"text":                       {"{}", "a=x y", "x y", `"x y"`},
		"text that looks like more":  {"{}", "a=007", "007", `"007"`},
		"empty text":                 {"{}", "a=", "", `""`},
		"text with =":                {"{}", "a=b=c", "b=c", `"b=c"`},
		"an integer":                 {"{type: integer}", "a=-7", "-7", "-7"},
		"an integer with zeros":      {"{type: integer}", "a=007", "007", "7"},
		"a number":                   {"{type: number}", "a=1.5", "1.5", "1.5"},
		"a truth":                    {"{type: boolean}", "a=Yes", "true", "true"},
		"a list":                     {"{type: list}", "a=[x, 1]", "x,1", `["x",1]`},
		"a map":                      {"{type: map}", "a={x: 1}", `{"x":1}`, `{"x":1}`},
		"a default":                  {"{default: d}", "", "d", `"d"`},
		"a default that is a number": {"{default: 3}", "", "3", `"3"`},
		"a list by default":          {"{type: list, default: [x, y]}", "", "x,y", `["x","y"]`},
		"given wins over default":    {"{default: d}", "a=g", "g", `"g"`},
		"nothing":                    {"{}", "", unset, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var set []string
			if c.set != "" {
				set = []string{c.set}
			}
			s, problems := load(t, "inputs: {a: "+c.declared+"}", set...)
			require.Empty(t, problems)
			text, ok := s.Values().Set["a"]
			if !ok {
				text = unset
			}
			require.Equal(t, c.text, text)
			require.Equal(t, c.json, s.Inputs[0].JSON)
		})
	}
}

func TestWrongValuesAreNamedByWhereTheyCameFrom(t *testing.T) {
	for set, want := range map[string]string{
		"a":       "--set a: not a setting\n  hint: write --set name=value",
		"=x":      "--set =x: not a setting\n  hint: write --set name=value",
		"nme=x":   "--set nme=x: unknown input \"nme\"\n  hint: did you mean \"name\"?",
		"zzzz=x":  "--set zzzz=x: unknown input \"zzzz\"\n  hint: declare it under inputs: in upgrade.yaml",
		"n=x":     `--set n=x: input "n" must be of type integer, not "x"`,
		"n=1.5":   `--set n=1.5: input "n" must be of type integer, not "1.5"`,
		"f=.5":    `--set f=.5: input "f" must be of type number, not ".5"`,
		"f=1e999": `--set f=1e999: input "f" must be of type number, not "1e999"`,
		"b=maybe": `--set b=maybe: input "b" must be of type boolean, not "maybe"`,
		"l=x":     `--set l=x: input "l" must be of type list, not "x"`,
		"m=[x]":   `--set m=[x]: input "m" must be of type map, not "[\"x\"]"`,
		"l=[x":    "--set l=[x:1:1: [ is opened here and not closed\n  hint: close it with ]; quote a value that only begins with it",
	} {
		_, problems := load(t, "inputs: {name: {}, n: {type: integer}, f: {type: number}, b: {type: boolean}, l: {type: list}, m: {type: map}}", set)
		require.Equal(t, want, problems)
	}
	sink := &source.Sink{}
	require.Empty(t, settings.ParseInputs(source.File{Name: "i.yaml", Text: []byte("- a")}, sink))
	require.Equal(t, "i.yaml:1:1: inputs must be a mapping of names to values, not a list", sink.Problems().Error())
	given := settings.ParseInputs(source.File{Name: "i.yaml", Text: []byte("l: [a]\nn: 3\n")}, sink)
	require.Len(t, given, 2)
	require.Equal(t, "i.yaml:2:1", given[1].Pos.String())
}

func TestWhatCannotBeReadIsNotHeldAgainstOthers(t *testing.T) {
	for text, want := range map[string]bool{"name: x": false, "a: 'b": true, "- x": true, "inputs: 5": true, "stages: 5": true, "": true, "nope: 1": false} {
		s, _ := load(t, text)
		require.Equal(t, want, s.Partial, text)
		sink := &source.Sink{}
		s.Values().Expand("{{ x }}", source.Pos{}, sink)
		require.Equal(t, want, !sink.Failed(), text)
	}
	_, problems := load(t, "inputs: 5", "a=1")
	require.NotContains(t, problems, "unknown input")
}
