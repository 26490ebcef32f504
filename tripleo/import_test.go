package tripleo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tripleo"
)

// tree is the templates of a test: a service x whose template is given, on roles.
type tree struct {
	roles string // roles_data.yaml
	x     string // below outputs.role_data.value
	head  string // of the template, above outputs
	env   string
}

// imported imports a tree; it gives the files by path, and what was reported.
func imported(t *testing.T, tr tree, workflow tripleo.Workflow) (map[string]string, *tripleo.Project, string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	if tr.roles == "" {
		tr.roles = "- {name: Web, ServicesDefault: [OS::TripleO::Services::X]}\n"
	}
	if tr.head == "" {
		tr.head = "heat_template_version: rocky\n"
	}
	var value strings.Builder
	for line := range strings.SplitSeq(strings.Trim(tr.x, "\n"), "\n") {
		value.WriteString("      " + line + "\n")
	}
	write("roles_data.yaml", tr.roles)
	write("overcloud-resource-registry-puppet.yaml", "resource_registry: {OS::TripleO::Services::X: s/x.yaml}\n")
	write("s/x.yaml", tr.head+"outputs:\n  role_data:\n    value:\n"+value.String())
	o := tripleo.Options{Templates: dir, Workflow: workflow}
	if tr.env != "" {
		write("env.yaml", tr.env)
		o.Environments = []string{filepath.Join(dir, "env.yaml")}
	}
	sink := &source.Sink{}
	p := tripleo.Import(o, sink)
	files := map[string]string{}
	if p != nil {
		for _, f := range p.Files {
			files[f.Path] = f.Text
		}
	}
	return files, p, strings.ReplaceAll(sink.Problems().Error(), dir+"/", "")
}

func TestStepsOfBlocks(t *testing.T) {
	for name, c := range map[string]struct{ tasks, want, said string }{
		"the block names the step of all its tasks": {
			`- {when: step|int == 1 and a, block: [{name: b, when: step == '1', command: c}]}`,
			"- tags: step1\n  when: a\n  block:\n    - name: b\n      command: c\n", "",
		},
		"tasks name their own steps": {
			`- {name: n, block: [{name: b, when: step|int == 1, command: c}, {name: d, when: 'step|int in [2, 3]', command: c}]}`,
			"- name: n\n  block:\n    - name: b\n      tags: step1\n      command: c\n    - name: d\n      tags: [step2, step3]\n      command: c\n", "",
		},
		"rescue goes along, as a number": {
			`- {when: step|int <= 1, block: [{name: b, command: c}], rescue: [{name: r, when: step == '0', command: c}]}`,
			"- tags: [step0, step1]\n  block:\n    - name: b\n      command: c\n  rescue:\n    - name: r\n      when: step|int == 0\n      command: c\n", "",
		},
		"always runs in a step of its own": {
			`- {block: [{name: b, when: step|int == 1, command: c}], always: [{name: a, when: step|int == 2, command: c}]}`,
			"- tags: [step1, step2]\n  block:\n    - name: b\n      when: step|int == 1\n      command: c\n  always:\n    - name: a\n      when: step|int == 2\n      command: c\n", "",
		},
		"a task within that can never run is told": {
			`- {block: [{name: b, when: step|int == 1, command: c}, {name: d, when: step|int == 9, command: c}]}`,
			"- block:\n    - name: b\n      tags: step1\n      command: c\n",
			`s/x.yaml:7:64: warning: "d": "step|int == 9" holds in no step of upgrade_tasks, whose last is 5`,
		},
		"tags within name no step where conditions do": {
			`- {when: step|int == 1, block: [{name: b, tags: step2, command: c}]}`,
			"- tags: step1\n  block:\n    - name: b\n      command: c\n", "",
		},
		"other tags stay": {
			`- {name: b, tags: [never, x], when: step|int == 2, command: c}`,
			"- name: b\n  tags: [never, x, step2]\n  command: c\n", "",
		},
		"conditions that are no text stay": {
			`- {name: b, when: [false, step|int == 2], command: c}`,
			"- name: b\n  tags: step2\n  when: false\n  command: c\n", "",
		},
	} {
		files, _, said := imported(t, tree{x: "service_name: x\nupgrade_tasks:\n  " + c.tasks + "\n  - {name: last, when: step|int == 5, command: c}\n"}, tripleo.Upgrade)
		_, text, ok := strings.Cut(files["services/x.yaml"], "upgrade_tasks:\n")
		require.True(t, ok, name+said)
		var want strings.Builder
		for line := range strings.Lines(c.want) {
			want.WriteString("  " + line)
		}
		require.Equal(t, want.String(), strings.TrimSuffix(text, "  - name: last\n    tags: step5\n    command: c\n"), name)
		first, _, _ := strings.Cut(said, "\n")
		require.Equal(t, c.said, first, name)
	}
}

func TestOcatasTags(t *testing.T) {
	files, _, said := imported(t, tree{head: "heat_template_version: ocata\n", x: `
service_name: x
upgrade_tasks:
  - name: block
    block:
      - {name: one, tags: step1, command: c}
      - {name: none, command: c}
  - {name: all, tags: common, command: c}
  - {name: ever, tags: always, command: c}
  - {name: some, tags: "step6,step2,validation", command: c}
  - {name: never, command: c}
`}, tripleo.Upgrade)
	require.Equal(t, `# s/x.yaml
service_name: x
upgrade_tasks:
  - name: block
    block:
      - name: one
        tags: step1
        command: c
  - name: all
    tags: [step0, step1, step2, step3, step4, step5]
    command: c
  - name: ever
    tags: [always, step0, step1, step2, step3, step4, step5]
    command: c
  - name: some
    tags: [step2, validation]
    command: c
`, files["services/x.yaml"])
	require.Equal(t, 3, strings.Count(said, "warning: "), said)
}

func TestRolesOfTripleO(t *testing.T) {
	all := `
service_name: x
upgrade_tasks: [{name: u, when: step|int == 1, command: c}]
upgrade_batch_tasks: [{name: b, when: step|int == 1, command: c}]
external_upgrade_tasks: [{name: e, when: step|int == 1, command: c}]
`
	stages := func(roles string) string {
		_, p, said := imported(t, tree{roles: strings.ReplaceAll(roles, "X]", "OS::TripleO::Services::X]"), x: all}, tripleo.Upgrade)
		require.NotNil(t, p, said)
		var out []string
		for _, r := range p.Summary.Roles {
			out = append(out, r.Name+" "+r.Stage)
		}
		return strings.Join(out, ", ")
	}
	require.Equal(t, "A-batch upgrade-batch, B-batch upgrade-batch, A control-plane, B non-control-plane, External external-upgrade",
		stages("- {name: A, ServicesDefault: [X]}\n- {name: B, ServicesDefault: [X]}\n"), "the first role leads where nothing is said")
	require.Contains(t, stages("- {name: A, ServicesDefault: [X]}\n- {name: B, tags: [controller], ServicesDefault: [X]}\n"), "A non-control-plane, B control-plane")
	require.Contains(t, stages("- {name: A, disable_upgrade_deployment: true, ServicesDefault: [X]}\n- {name: B, ServicesDefault: [X]}\n- {name: C, ServicesDefault: [X]}\n"),
		"A non-control-plane, B control-plane, C control-plane")
	require.Equal(t, "A-batch-tasks upgrade-batch, A-batch-batch upgrade-batch, External-batch upgrade-batch, A control-plane, A-batch non-control-plane, External non-control-plane, External-tasks external-upgrade",
		stages("- {name: A, ServicesDefault: [X]}\n- {name: A-batch, ServicesDefault: [X]}\n- {name: External, ServicesDefault: [X]}\n"), "no made role takes another's name")
	files, _, _ := imported(t, tree{roles: "- {name: A, disable_upgrade_deployment: true, upgrade_batch_size: 3, ServicesDefault: [OS::TripleO::Services::X]}\n", x: all}, tripleo.Upgrade)
	require.Equal(t, 2, strings.Count(files["roles.yaml"], "batch: 3\n"), files["roles.yaml"])
}

func TestAServiceThatSaysTheSameOnSeveralRolesIsOneFile(t *testing.T) {
	tr := tree{
		roles: "- {name: A, ServicesDefault: [OS::TripleO::Services::X]}\n- {name: B, ServicesDefault: [OS::TripleO::Services::X]}\n- {name: C, ServicesDefault: [OS::TripleO::Services::X]}\n",
		head:  "heat_template_version: rocky\nparameters:\n  RoleParameters: {type: json, default: {}}\n",
		env:   "parameter_defaults:\n  AParameters: {Word: own}\n",
		x: `
service_name: x
upgrade_tasks:
  - name: u
    when: step|int == 1
    command: {list_join: [' ', [say, {get_param: [RoleParameters, Word]}]]}
`,
	}
	files, _, said := imported(t, tr, tripleo.Upgrade)
	require.Empty(t, said)
	require.Len(t, files, 4, "two services, roles.yaml, upgrade.yaml")
	require.Contains(t, files["services/x.yaml"], "command: say own\n")
	require.Contains(t, files["services/x_b.yaml"], `command: "say "`)
	require.Equal(t, 2, strings.Count(files["roles.yaml"], "    - x_b\n"))

	// Where only one hop differs, every hop has both.
	tr.x = `
service_name: x
fast_forward_upgrade_tasks:
  - {name: same, when: [step|int == 1, release == 'ocata'], command: c}
  - name: other
    when: [step|int == 1, release == 'pike']
    command: {list_join: [' ', [say, {get_param: [RoleParameters, Word]}]]}
`
	files, p, said := imported(t, tr, tripleo.FastForward) // ocata and pike, and none between
	require.Empty(t, said)
	require.Equal(t, []string{"ocata", "pike"}, p.Summary.Releases)
	for _, path := range []string{"releases/ocata/x.yaml", "releases/ocata/x_b.yaml", "releases/pike/x.yaml", "releases/pike/x_b.yaml"} {
		require.Contains(t, files, path)
	}
	require.Equal(t, 1, strings.Count(files["roles.yaml"], "    - x\n"))
}

func TestMistakesAreToldWhereTheyStand(t *testing.T) {
	for name, c := range map[string]struct {
		tree tree
		said string
	}{
		"a name that leads out of the project": {
			tree{x: "service_name: ../../x\nupgrade_tasks: [{name: u, when: step|int == 1, command: c}]"},
			`s/x.yaml:5:21: service_name "../../x" is not usable as a file name`,
		},
		"a role's name": {
			tree{roles: "- {name: My Role, ServicesDefault: []}\n", x: "service_name: x"},
			`roles_data.yaml:1:10: role name "My Role" is not usable`,
		},
		"an unknown service": {
			tree{roles: "- {name: A, ServicesDefault: [OS::TripleO::Services::Y]}\n", x: "service_name: x"},
			`roles_data.yaml:1:31: the registry has no OS::TripleO::Services::Y`,
		},
		"a section of an environment": {
			tree{x: "service_name: x\nupgrade_tasks: [{name: u, when: step|int == 1, command: c}]", env: "parameter_default: {A: 1}\n"},
			`env.yaml:1:1: warning: an environment has no section parameter_default; it is not read`,
		},
		"nothing in a list": {
			tree{x: "service_name: x\nupgrade_tasks: [{name: u, when: step|int == 1, command: c}, null]"},
			`s/x.yaml:6:67: warning: upgrade_tasks holds nothing where a task belongs`,
		},
		"a text compared with a number": {
			tree{x: "service_name: x\nupgrade_tasks: [{name: u, when: step == 1, command: c}]"},
			`s/x.yaml:6:39: warning: "u": "step == 1" compares a text with a number, which never holds in TripleO; it is taken as meant`,
		},
	} {
		_, _, said := imported(t, c.tree, tripleo.Upgrade)
		first, _, _ := strings.Cut(said, "\n")
		require.Equal(t, c.said, first, name)
	}
}

func TestFastForward(t *testing.T) {
	files, p, said := imported(t, tree{x: `
service_name: x
fast_forward_upgrade_tasks:
  - {name: all hosts, when: [step|int == 1, release == 'ocata'], command: c}
  - {name: one host, when: [step|int == 8, "release in ['ocata', 'queens']", a], command: c}
  - {name: every step, when: "release != 'pike'", command: c}
  - {name: misspelt, when: [step|int == 1, release == 'Ocata'], command: c}
`}, tripleo.FastForward)
	require.Equal(t, []string{"ocata", "pike", "queens"}, p.Summary.Releases, "none between is left out")
	require.Equal(t, "newton", p.Summary.From)
	require.Equal(t, `# s/x.yaml
service_name: x
upgrade_tasks:
  - name: all hosts
    tags: step1
    command: c
  - name: one host
    tags: step8
    when:
      - a
      - "inventory_hostname == groups[upstep_role][0]"
    command: c
  - name: every step
    tags: [step0, step1, step2, step3, step4, step5, step6, step7, step8, step9]
    when: "step|int <= 3 or inventory_hostname == groups[upstep_role][0]"
    command: c
`, files["releases/ocata/x.yaml"])
	require.NotContains(t, files, "releases/pike/x.yaml")
	require.Contains(t, said, `warning: "misspelt": "release == 'Ocata'" holds in no step of fast_forward_upgrade_tasks`)
}
