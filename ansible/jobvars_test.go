package ansible

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
)

// carry gives the values of all events, as an answer takes them.
func carry(all []event.Event) (out []event.Value) {
	for _, e := range only(all, event.Vars) {
		out = append(out, e.Values...)
	}
	return out
}

func named(values []event.Value, host, name string) *event.Value {
	for i := range values {
		if values[i].Host == host && values[i].Name == name {
			return &values[i]
		}
	}
	return nil
}

func TestVariablesCrossToAnotherProcess(t *testing.T) {
	t.Parallel()
	s := onStage(t, 2, map[string]string{
		"one.yml": play("One", "s/1/step0/Web", "", `
    - name: Register
      ansible.builtin.command: echo "from {{ inventory_hostname }} {{ '{{' }} not_a_template {{ '}}' }}"
      register: said
    - ansible.builtin.set_fact:
        number: 7
        list: [1, two, {three: null}]
        raw: !unsafe "{{ not_a_template }}"
    - ansible.builtin.command: echo {{ item }}
      loop: [a, b]
      register: looped
    - ansible.builtin.add_host:
        name: added
        groups: [extra]
        colour: red
    - ansible.builtin.group_by:
        key: "is_{{ inventory_hostname }}"
        parents: [sorted]
    - ansible.builtin.command: echo hunter2-password
      no_log: true
      register: hidden
    - ansible.builtin.set_fact:
        quiet: hunter3-password
      no_log: true
    - no_log: true
      block:
        - ansible.builtin.command: echo {{ item }}
          loop: [hunter4-password]
          register: deep
    - ansible.builtin.add_host:
        name: secretly
        password_of: hunter5-password
      no_log: true
    - ansible.builtin.command: echo once
      run_once: true
      register: once
`) + play("Again", "s/1/step1/Web", "", "    - ansible.builtin.command: echo again\n      register: said\n"),
		"two.yml": play("Two", "s/1/step2/Web", "", `
    - ansible.builtin.assert:
        that:
          - said.stdout == 'again'
          - first.stdout == 'from ' ~ inventory_hostname ~ ' ' ~ '{' ~ '{ not_a_template }' ~ '}'
          - number == 7
          - list[2].three is none
          - raw == '{' ~ '{ not_a_template }' ~ '}'
          - looped.results[1].stdout == 'b'
          - "'added' in groups.extra"
          - hostvars.added.colour == 'red'
          - "inventory_hostname in groups['is_' ~ inventory_hostname]"
          - "inventory_hostname in groups.sorted"
          - hidden.stdout == 'hunter2-password'
          - quiet == 'hunter3-password'
          - deep.results[0].stdout == 'hunter4-password'
          - hostvars.secretly.password_of == 'hunter5-password'
          - once.stdout == 'once'
        quiet: true
`) + play("Three", "s/1/step3/Web", "", "    - ansible.builtin.command: echo three\n      register: third\n"),
	}, Options{})
	p := s.start("one.yml")
	one := follow(t, p, toGo)
	require.Equal(t, 0, p.Outcome().Code, p.Outcome().Output)
	values := carry(one)
	said := named(values, "h1", "said")
	require.NotNil(t, said)
	require.False(t, said.Secret)
	require.Equal(t, "one.yml:8", said.Task)
	require.NotContains(t, string(said.JSON), "invocation")
	require.NotContains(t, string(named(values, "h1", "looped").JSON), "invocation")
	for _, name := range []string{"hidden", "quiet", "deep"} {
		require.True(t, named(values, "h2", name).Secret, name)
	}
	// what changed, and nothing twice
	counts := map[string]int{}
	for _, v := range values {
		counts[string(v.Kind)+v.Host+"/"+v.Name]++
	}
	require.Equal(t, 2, counts["h1/said"])
	require.Equal(t, 1, counts["h1/number"])
	require.Equal(t, 1, counts["host/added"])
	nowhere(t, filepath.Dir(p.folder), "hunter")

	first, other := *said, *named(values, "h2", "said")
	first.Name, other.Name = "first", "first"
	p = s.start("two.yml")
	two := follow(t, p, func(e event.Event) event.Answer {
		if e.Play == "Two" {
			return event.Answer{Do: event.Go, Values: append(values, first, other)}
		}
		return event.Answer{Do: event.Go}
	})
	require.Equal(t, 0, p.Outcome().Code, p.Outcome().Output)
	require.Nil(t, named(carry(two), "h1", "said"), "what was loaded is not told again")
	require.NotNil(t, named(carry(two), "h1", "third"))
}

// nowhere requires that a text stands in no file below a folder.
func nowhere(t *testing.T, dir string, texts ...string) {
	t.Helper()
	for name, text := range read(t, dir) {
		if strings.HasSuffix(name, ".py") || strings.HasSuffix(name, ".pyc") {
			continue
		}
		for _, secret := range texts {
			if i := strings.Index(text, secret); i >= 0 {
				require.Fail(t, "a secret stands in "+name, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
}

func TestSecretsStandInNoFile(t *testing.T) {
	needAnsible(t)
	vault := filepath.Join(t.TempDir(), "vault")
	require.NoError(t, os.WriteFile(vault, []byte("open sesame\n"), 0o600))
	encrypt := func(name, text string) string {
		out, err := exec.CommandContext(t.Context(), "ansible-vault", "encrypt_string", "--vault-password-file", vault, "--name", name, text).Output()
		require.NoError(t, err)
		return string(out) + "\n"
	}
	whole := filepath.Join(t.TempDir(), "whole.yml")
	require.NoError(t, os.WriteFile(whole, []byte("from_file: canary-file-1\ndeep: {list: [canary-file-2, 12345678]}\nlong: |\n  canary-line-1\n  canary-line-2\n"), 0o600))
	require.NoError(t, exec.CommandContext(t.Context(), "ansible-vault", "encrypt", "--vault-password-file", vault, whole).Run())
	wholeText, err := os.ReadFile(whole)
	require.NoError(t, err)
	env := "canary-env-1"
	t.Setenv("MY_PASSWORD", env)
	body := mark("begin") + `
    - name: Say {{ from_e }}
      ansible.builtin.debug:
        msg: "{{ from_e }} {{ quoted }} {{ json_e }} {{ 99887766 }} {{ inline }} {{ from_group }} {{ from_file }} {{ deep.list }} {{ lookup('env', 'MY_PASSWORD') }}"
      register: told
    - ansible.builtin.set_fact:
        kept: "{{ from_file }}-tail"
    - ansible.builtin.command: printf '%s\n' "{{ long }}"
      register: printed
    - ansible.builtin.command: sh -c 'echo out {{ inline }}; echo err {{ from_e }} $MY_PASSWORD >&2; exit {{ code }}'
    - ansible.builtin.set_fact:
        unseen: "{{ worker_only }}"
`
	s := onStage(t, 1, map[string]string{
		"ok.yml":                play("One", "s/1/step0/Web", "  vars_files: [../whole.yml]\n", strings.ReplaceAll(body, "{{ code }}", "0")),
		"bad.yml":               play("One {{ from_e }}", "s/1/step0/Web", "  vars_files: [../whole.yml]\n", strings.ReplaceAll(body, "{{ code }}", "3")),
		"/whole.yml":            string(wholeText),
		"/group_vars/web.yml":   encrypt("inline", "canary-inline-1") + encrypt("worker_only", "canary-worker-1"),
		"/group_vars/all/v.yml": string(wholeText),
		"/host_vars/h1.yml":     encrypt("from_group", "canary-group-1"),
	}, Options{Args: []string{
		"--vault-password-file", vault, "-e", `from_e=canary-extra-1 quoted="canary extra 'two'"`, "-e", `{"json_e": "canary\"json\n1", "n": 99887766}`,
	}})
	secrets := []string{
		"canary-extra-1", "canary extra", "canary\\\"json", "canary-inline-1", "canary-worker-1", "canary-group-1", "canary-file", "canary-line", env,
		"12345678", "99887766", "canary",
	}
	for _, book := range []string{"ok.yml", "bad.yml"} {
		t.Run(book, func(t *testing.T) {
			p := s.start(book)
			require.NotContains(t, strings.Join(p.leader.args, " "), "canary")
			all := follow(t, p, func(event.Event) event.Answer {
				for name := range read(t, p.folder) {
					require.NotContains(t, name, varsPrefix)
				}
				return event.Answer{Do: event.Go}
			})
			o := p.Outcome()
			require.True(t, o.Known, o.Output)
			if book == "ok.yml" {
				require.Equal(t, 0, o.Code, o.Output)
				require.True(t, named(carry(all), "h1", "told").Secret)
				require.True(t, named(carry(all), "h1", "kept").Secret)
				require.True(t, named(carry(all), "h1", "unseen").Secret)
				require.Contains(t, string(named(carry(all), "h1", "printed").JSON), "canary-line-1")
			} else {
				failed := only(all, event.Failed)
				require.Len(t, failed, 1)
				require.Equal(t, "out ******", strings.ReplaceAll(failed[0].Stdout, "$REDACTED$", "******")) // newer Ansible hides, too
				require.Equal(t, "err ****** ******", failed[0].Stderr)
				require.Equal(t, "One ******", failed[0].Play)
			}
			nowhere(t, p.folder, secrets...)
		})
	}
}

func TestExtraVariablesAreReadAsAnsibleReadsThem(t *testing.T) {
	needAnsible(t)
	for _, text := range []string{
		"a=b", "a=1 b=two", `a="x y" b='p q'`, `a="x  y"`, `a={{ x | default('p q') }} b=1`, `a=b=c`, `a=x\=y`, "free a=1 form", `a="tab\there" b=\u00e9\x41`,
		"a=1\nb=2", `a='it\'s'`, "a=ü", "a=", `a="" b=''`, "  a=1  b=2 ", "a=\"x\ny\"", `a=\\n`, "a={% if x %} y {% endif %} b=2",
	} {
		want, err := exec.CommandContext(t.Context(), "python3", "-c",
			"import sys,json\nfrom ansible.parsing.splitter import parse_kv\nprint(json.dumps(parse_kv(sys.argv[1])))", text).Output()
		if err != nil {
			continue // Ansible fails, too
		}
		got, err := keyValues(text)
		require.NoError(t, err, text)
		made, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(made), text)
	}
	_, err := keyValues(`a="open`)
	require.ErrorIs(t, err, errUnbalanced)
}

func TestOptionsOfTheUser(t *testing.T) {
	dir := t.TempDir()
	out, removed, err := runArgs([]string{
		"--become", "-u", "root", "--forks=9", "-e", "@file.yml", "-ea=1", "--extra-vars", `{"b": 2}`, "-vv", "--list-tasks", "-i", "x", "-f3",
	}, dir)
	require.NoError(t, err)
	require.Equal(t, []string{
		"--become", "-u", "root", "--forks=9", "--extra-vars=@file.yml", "--extra-vars=@" + removed[0], "--extra-vars=@" + removed[1], "-vv", "-f", "3",
	}, out)
	info, err := os.Stat(removed[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	_, _, err = runArgs([]string{"-K"}, dir)
	require.ErrorIs(t, err, errAsks)
	_, _, err = runArgs([]string{"-e"}, dir)
	require.Error(t, err)
}

func TestFactsAreSharedAndForgotten(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{
		"one.yml": play("One", "s/1/step0/Web", "", "    - ansible.builtin.setup: {gather_subset: ['!all']}\n"),
		"two.yml": play("Two", "s/1/step1/Web", "", "    - ansible.builtin.assert: {that: ansible_facts.hostname is defined}\n") +
			play("Three", "s/1/step1/Web", "", "    - ansible.builtin.assert: {that: ansible_facts.hostname is not defined}\n"),
	}, Options{})
	follow(t, s.start("one.yml"), toGo)
	p := s.start("two.yml")
	follow(t, p, func(e event.Event) event.Answer {
		if e.Play == "Three" {
			return event.Answer{Do: event.Go, Forget: []string{"h1"}}
		}
		return event.Answer{Do: event.Go}
	})
	require.Equal(t, 0, p.Outcome().Code, p.Outcome().Output)
}

func TestTheUsersSettingsStayInCharge(t *testing.T) {
	t.Parallel()
	cb := "from ansible.plugins.callback import CallbackBase\nimport os\nclass CallbackModule(CallbackBase):\n" +
		"    CALLBACK_TYPE = 'notification'\n    CALLBACK_NAME = 'mine'\n    def v2_playbook_on_start(self, playbook):\n" +
		"        open(os.environ['MARKS'] + '/mine', 'w').write('mine')\n"
	nested := "    - ansible.builtin.shell: ansible-playbook -i h9, -c local $MARKS/../tree/inner.yml && echo $ANSIBLE_PIPELINING > $MARKS/pipelining\n      run_once: true\n"
	s := onStage(t, 1, map[string]string{
		"/cb/mine.py":  cb,
		"/ansible.cfg": "[defaults]\ncallback_plugins = ./cb\nfact_caching = memory\n[ssh_connection]\npipelining = False\n",
		"run.yml":      play("One", "s/1/step0/Web", "", nested),
		"inner.yml":    "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n",
	}, Options{})
	set, err := s.tool.settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, settings{callbacks: []string{s.path("cb")}, facts: true, pipeline: true, home: "~/.ansible"}, set)
	p := s.start("run.yml")
	all := follow(t, p, toGo)
	require.Equal(t, 0, p.Outcome().Code, p.Outcome().Output)
	require.Equal(t, "mine", s.marks("mine"))
	require.Empty(t, s.marks("pipelining"))
	require.Len(t, only(all, event.Gate), 1, "an Ansible that a task starts has no gates")
}

func TestTheUsersOutputStrategyVaultAndBecomeStayInCharge(t *testing.T) {
	t.Parallel()
	become := "    - ansible.builtin.command: id -un\n      register: who\n"
	if os.Geteuid() == 0 { // others would need a password
		become += "      become: true\n    - ansible.builtin.assert: {that: who.stdout == 'nobody'}\n"
	}
	needAnsible(t)
	encrypt := exec.CommandContext(t.Context(), "ansible-vault", "encrypt_string", "--vault-password-file", "/dev/stdin", "--name", "vaulted", "canary-word")
	encrypt.Stdin = strings.NewReader("open\n")
	vaulted, err := encrypt.Output()
	require.NoError(t, err)
	s := onStage(t, 3, map[string]string{
		"/ansible.cfg": "[defaults]\nstdout_callback = mine\ncallback_plugins = ./cb\nstrategy = host_pinned\nvault_password_file = ./word\n" +
			"[privilege_escalation]\nbecome_method = su\nbecome_user = nobody\nbecome_flags = -s /bin/sh\n",
		"/cb/mine.py": `DOCUMENTATION = '''
    name: mine
    type: stdout
    short_description: says little
'''
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'mine'
    def v2_playbook_on_play_start(self, play):
        self._display.display('MINE ' + play.strategy)
`,
		"/word":               "open\n",
		"/group_vars/web.yml": string(vaulted) + "\n",
		"run.yml": play("One", "s/1/step0/Web", "", "    - ansible.builtin.assert: {that: vaulted == 'canary-' ~ 'word'}\n"+become+
			"    - ansible.builtin.debug: {msg: 'it is {{ vaulted }}'}\n"),
	}, Options{})
	p := s.start("run.yml")
	all := follow(t, p, toGo)
	o := p.Outcome()
	require.Equal(t, 0, o.Code, only(all, event.Failed))
	require.Equal(t, "MINE host_pinned\n", o.Output)
	require.Equal(t, "it is ******", strings.ReplaceAll(only(all, event.OK)[len(only(all, event.OK))-1].Message, "$REDACTED$", "******"))
	require.Equal(t, []string{"gate One [h1 h2 h3] unit=s/1/step0/Web", "play One [h1 h2 h3] unit=s/1/step0/Web", "end  []"},
		shown(only(all, event.Gate, event.Play, event.End)))
	nowhere(t, p.folder, "canary")
}
