package ansible

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

func lines(c Check) []string {
	var out []string
	for _, f := range c.Findings {
		line := f.String() + ": " + f.Message
		if f.Hint != "" {
			line += " | " + f.Hint
		}
		out = append(out, line)
	}
	return out
}

func unchecked(c Check) []string {
	var out []string
	for _, h := range c.Unchecked {
		out = append(out, h.String())
	}
	return out
}

func TestEveryProblemOfATreeIsFoundInOneCheck(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"upgrade.yml": "- import_playbook: one.yml\n- import_playbook: two.yml\n- import_playbook: three.yml\n",
		"one.yml": `---
- name: One
  hosts: all
  gather_facts: false
  tasks:
    - name: Unit
      ansible.builtin.import_tasks: unit/one.yml
  handlers:
    - name: Restart
      bash: echo
`,
		"two.yml": `---
- name: Two
  hostss: all
  hosts: all
  tasks: []
- name: Three
  hosts: nobody_there
  tasks:
    - name: Missing
      ansible.builtin.import_tasks: unit/missing.yml
    - import_tasks: none.yml
    - import_role:
        name: nowhere
    - name: Block
      block:
        - name: In it
          comand: {a: b}
        - name: Fine
          ansible.builtin.debug:
`,
		"unit/one.yml": `---
# RPC pin, service nova_compute
- name: RPC pin nova-compute
  exec: "crudini --set /etc/nova/nova.conf upgrade_levels compute $upgrade_level_nova_compute"
  tags: step1
- name: From a collection that is not here
  no.such.module:
    a: 1
- name: Free text
  ansible.builtin.copy: foo
- name: Two modules
  ansible.builtin.command: a
  ansible.builtin.shell: b
`,
	})
	before := read(t, dir)
	c, err := New(Options{}).SyntaxCheck(t.Context(), dir, []string{"upgrade.yml", "one.yml", "two.yml"}, nil)
	require.NoError(t, err)
	attribute := "two.yml:2" // the play; its line since 2.19
	if since(t, 19) {
		attribute = "two.yml:3"
	}
	require.Equal(t, []string{attribute + " (what stands in the same block, play or file)"}, unchecked(c))
	require.Equal(t, before, read(t, dir), "the tree was changed")
	got := strings.Join(lines(c), "\n")
	for _, want := range []string{
		`one.yml:10:7: unknown module "bash" | did you mean "ansible.builtin.shell"?`,
		`two.yml:13:15: the role 'nowhere' was not found`,
		attribute + `:3: 'hostss' is not a valid attribute for a Play`,
		`two.yml:10:7: unit/missing.yml does not exist`,
		`two.yml:11:7: none.yml does not exist`,
		`upgrade.yml:3:3: three.yml does not exist`,
		`two.yml:17:11: unknown module "comand" | did you mean "ansible.builtin.command"?`,
		`unit/one.yml:4:3: unknown module "exec" | did you mean "ansible.builtin.shell"?`,
		`unit/one.yml:7:3: unknown module "no.such.module" | its collection must be installed: ansible-galaxy collection install no.such`,
		`unit/one.yml:11:3: conflicting action statements`,
	} {
		require.Contains(t, got, want)
	}
	require.NotContains(t, got, os.TempDir())
	require.Equal(t, "exec", c.Findings[6].Module)
	if since(t, 19) { // it sees free text only when the task runs
		require.Len(t, c.Findings, 10)
		return
	}
	require.Contains(t, got, `unit/one.yml:9:3: module "ansible.builtin.copy" takes no free text | give its parameters by name`)
	require.Len(t, c.Findings, 11)
}

func TestACleanTreeHasNoFindings(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"a.yml":                  "- hosts: nowhere\n  roles: [r]\n  vars_files: [vars.yml, ../shared/vars.yml]\n  tasks:\n    - import_tasks: t.yml\n",
		"t.yml":                  "- ansible.builtin.debug:\n- mine: free text is a problem at run time only if the module is unknown\n",
		"vars.yml":               "a: 1\n",
		"library/mine.py":        "#!/usr/bin/python\n",
		"roles/r/tasks/main.yml": "- ansible.builtin.debug:\n",
	})
	project := tree(t, map[string]string{"shared/vars.yml": "b: 1\n", "ansible.cfg": "[defaults]\n"})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "t.yml"), []byte("- ansible.builtin.debug:\n- mine: {}\n"), 0o600))
	c, err := New(Options{Dir: project}).SyntaxCheck(t.Context(), dir, []string{"a.yml"}, nil)
	require.NoError(t, err)
	require.Empty(t, lines(c))
	require.Empty(t, c.Unchecked)
}

func TestAModuleOfTheProjectIsNotCalledUnknown(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"a.yml":           "- hosts: all\n  tasks:\n    - mine: some text\n    - exec: some text\n    - exec: again\n",
		"library/mine.py": "#!/usr/bin/python\n",
	})
	c, err := New(Options{}).SyntaxCheck(t.Context(), dir, []string{"a.yml"}, nil)
	require.NoError(t, err)
	want := []string{
		`a.yml:4:7: unknown module "exec" | did you mean "ansible.builtin.shell"?`,
		`a.yml:5:7: unknown module "exec" | did you mean "ansible.builtin.shell"?`,
	}
	if !since(t, 19) {
		want = append([]string{`a.yml:3:7: module "mine" takes no free text | give its parameters by name`}, want...)
	}
	require.Equal(t, want, lines(c))
}

func TestAFileThatIsNoYAMLHidesOnlyItself(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"a.yml":                  "- hosts: all\n  roles: [r]\n  tasks:\n    - import_tasks: bad.yml\n    - import_tasks: good.yml\n",
		"bad.yml":                "- name: A\n  debug:\n   x: [\n- name: B\n",
		"good.yml":               "- exec: {}\n",
		"roles/r/vars/main.yml":  "a: b: c\n",
		"roles/r/tasks/main.yml": "- cmd: {}\n",
	})
	c, err := New(Options{}).SyntaxCheck(t.Context(), dir, []string{"a.yml"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"bad.yml (not valid YAML)", "roles/r/vars/main.yml (not valid YAML)"}, unchecked(c))
	require.Len(t, c.Findings, 4, lines(c))
	require.Equal(t, "bad.yml", c.Findings[0].File)
	require.Contains(t, c.Findings[0].Message, "not valid YAML: ")
	require.Equal(t, "good.yml", c.Findings[1].File)
	require.Equal(t, "roles/r/tasks/main.yml", c.Findings[2].File)
	require.Equal(t, "roles/r/vars/main.yml", c.Findings[3].File)
}

func TestAProblemWithoutAPlaceHidesNoOtherPlaybook(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{"a.yml": "- hosts: all\n  tasks: [{exec: {}}]\n", "b.yml": "- hosts: all\n  tasks:\n    - run: {}\n"})
	c, err := New(Options{}).SyntaxCheck(t.Context(), dir, []string{"none.yml", "a.yml", "b.yml"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		": the playbook: none.yml could not be found",
		`a.yml:2:11: unknown module "exec" | did you mean "ansible.builtin.shell"?`,
		`b.yml:3:7: unknown module "run" | did you mean "ansible.builtin.shell"?`,
	}, lines(c))
	require.Equal(t, []string{
		"a.yml:2 (what stands in the same block, play or file)", "none.yml (what comes after its problem)",
	}, unchecked(c))
}

func TestTheCheckIsBounded(t *testing.T) {
	fake(t, "ansible-playbook", `
n=$(($(cat "$COUNT" 2>/dev/null || echo 0)+1)); echo $n >"$COUNT"
for p; do :; done
printf '[ERROR]: problem %s\nOrigin: %s:%s:3\n' $n "$p" $n >&2
exit 4`)
	dir := tree(t, map[string]string{"a.yml": "- hosts: all\n"})
	tool := New(Options{Env: []string{"COUNT=" + filepath.Join(t.TempDir(), "n")}})
	c, err := tool.SyntaxCheck(t.Context(), dir, []string{"a.yml"}, func(string, int) bool { return true })
	require.NoError(t, err)
	require.Len(t, c.Findings, MaxFindings)
	require.Equal(t, []string{"a.yml (the check ended after 50 problems)"}, unchecked(c))
}

func TestTheFormOfAnsible219(t *testing.T) {
	// Complains of the first line with exec, as the newer release words it.
	fake(t, "ansible-playbook", `
for p; do :; done
n=$(grep -n 'exec:' "$p" | head -1 | cut -d: -f1)
echo '[WARNING]: Could not match supplied host pattern, ignoring: web' >&2
[ -z "$n" ] && exit 0
cat >&2 <<EOF
[ERROR]: couldn't resolve module/action 'exec'. This often indicates a misspelling, missing collection, or incorrect module path.
Origin: $p:$n:7

$n     - exec: a
      ^ column 7

EOF
exit 4`)
	dir := tree(t, map[string]string{"a.yml": "- hosts: web\n  tasks:\n    - exec: {}\n    - debug:\n    - exec:\n        a: b\n"})
	c, err := New(Options{}).SyntaxCheck(t.Context(), dir, []string{"a.yml"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		`a.yml:3:7: unknown module "exec" | did you mean "ansible.builtin.shell"?`,
		`a.yml:5:7: unknown module "exec" | did you mean "ansible.builtin.shell"?`,
	}, lines(c))
	require.Empty(t, c.Unchecked)
}

func TestTheCallersMaskGetsFilesOfTheCopy(t *testing.T) {
	fake(t, "ansible-playbook", `
for p; do :; done
grep -q fine "$p" && exit 0
printf '[ERROR]: bad\nOrigin: %s:1:3\n' "$p" >&2; exit 4`)
	dir := tree(t, map[string]string{"sub/a.yml": "- hosts: web\n"})
	var asked string
	c, err := New(Options{}).SyntaxCheck(t.Context(), dir, []string{"sub/a.yml"}, func(path string, line int) bool {
		asked = fmt.Sprint(filepath.Base(path), line)
		require.NotContains(t, path, dir)
		return os.WriteFile(path, []byte("fine"), 0o600) == nil
	})
	require.NoError(t, err)
	require.Equal(t, "a.yml1", asked)
	require.Equal(t, []Finding{{Pos: source.Pos{File: "sub/a.yml", Line: 1, Column: 3}, Message: "bad"}}, c.Findings)
}

func TestACrashOfAnsibleIsAnErrorAndNoFinding(t *testing.T) {
	for script, want := range map[string]string{
		"echo 'ERROR! Unexpected Exception, this is probably a bug: x' >&2; exit 250": "ansible-playbook: Unexpected Exception, this is probably a bug: x",
		"echo 'ansible-playbook: error: unrecognized arguments: -z' >&2; exit 2":      "ansible-playbook: unrecognized arguments: -z",
		"exit 7": "ansible-playbook: exit code 7",
	} {
		fake(t, "ansible-playbook", script)
		c, err := New(Options{}).SyntaxCheck(t.Context(), tree(t, map[string]string{"a.yml": ""}), []string{"a.yml"}, nil)
		require.EqualError(t, err, want)
		require.Empty(t, c.Findings)
	}
}

func TestACheckThatIsCancelledLeavesNoCopy(t *testing.T) {
	tmp := t.TempDir()
	dir := tree(t, map[string]string{"a.yml": "- hosts: all\n"})
	fake(t, "ansible-playbook", "sleep 300")
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := New(Options{}).SyntaxCheck(ctx, dir, []string{"a.yml"}, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestTheMirrorCopiesTextAndLinksPayload(t *testing.T) {
	dir := tree(t, map[string]string{"a.yml": "- hosts: all\n", "roles/r/files/big": strings.Repeat("x", maxCopied+1), "run.sh": "#!/bin/sh\n"})
	require.NoError(t, os.Symlink("a.yml", filepath.Join(dir, "link.yml")))
	project := tree(t, map[string]string{"vars/x.yml": "", filepath.Base(dir) + "/old.yml": ""})
	m, err := newMirror(dir, project)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(m.root, "link.yml"))
	require.FileExists(t, filepath.Join(m.root, "../vars/x.yml"))
	require.NoFileExists(t, filepath.Join(m.root, "old.yml"))
	info, err := os.Lstat(filepath.Join(m.root, "roles/r/files/big"))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	for path, want := range map[string]string{
		filepath.Join(m.root, "u/a.yml"):     "u/a.yml",
		filepath.Join(m.top, "vars/x.yml"):   "../vars/x.yml",
		filepath.Join(dir, "../other/y.yml"): "../other/y.yml",
		"/elsewhere/z.yml":                   "/elsewhere/z.yml",
	} {
		got, inside := m.name(path)
		require.Equal(t, want, got)
		require.Equal(t, want == "u/a.yml", inside)
	}
	require.NoError(t, m.close())
	require.NoDirExists(t, m.top)
	require.DirExists(t, filepath.Join(project, "vars"))
}

func TestTheOtherUsesOfAnUnknownModuleAreFoundInTheSameRun(t *testing.T) {
	needAnsible(t)
	runs := filepath.Join(t.TempDir(), "runs")
	script := "echo run >>\"$RUNS\"; PATH=${PATH#*:} exec ansible-playbook \"$@\"\n"
	fake(t, "ansible-playbook", script)
	var unit strings.Builder
	for range 20 {
		unit.WriteString("- name: A\n  exec: foo\n  loop:\n    - exec: data\n  vars:\n    text: |\n      - exec: text\n")
	}
	dir := tree(t, map[string]string{
		"a.yml": "- hosts: all\n  vars:\n    list:\n      - exec: data\n  tasks:\n  - import_tasks: u.yml\n  - exec: here\n" +
			"  handlers:\n    - exec: there\n      # a comment\n    - block:\n      - name: Inner\n        exec: within\n",
		"u.yml":           unit.String(),
		"vars/main.yml":   "a:\n  - exec: data\n",
		"files/other.txt": "- exec: no task\n",
	})
	c, err := New(Options{Env: []string{"RUNS=" + runs}}).SyntaxCheck(t.Context(), dir, []string{"a.yml"}, nil)
	require.NoError(t, err)
	require.Empty(t, c.Unchecked)
	require.Len(t, c.Findings, 23, lines(c))
	require.Equal(t, `a.yml:7:5: unknown module "exec" | did you mean "ansible.builtin.shell"?`, lines(c)[0])
	require.Contains(t, lines(c)[1], "a.yml:9:7: ")
	require.Contains(t, lines(c)[2], "a.yml:13:9: ")
	require.Contains(t, lines(c)[3], "u.yml:2:3: ")
	text, err := os.ReadFile(runs)
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(text), "run"), 3, "one that finds it, one that asks for the module before 2.19, one that is clean")
}
