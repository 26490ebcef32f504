package ansible

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
)

// results gives what happened to tasks, without starts.
func results(all []event.Event) []string {
	return shown(only(all, event.OK, event.Changed, event.Skipped, event.Failed, event.Unreachable, event.Retry))
}

func TestEveryKindOfResultIsTold(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{
		"run.yml": play("One", "s/1/step0/Web", "", `
    - name: Mark {{ inventory_hostname }}
      ansible.builtin.import_tasks: s/1/step0/Web.yml
`) + play("Lost", "s/1/step1/Web", "", `
    - ansible.builtin.import_tasks: s/1/step1/Web.yml
`),
		"s/1/step0/Web.yml": `
- name: Tried
  ansible.builtin.shell: echo x >> $MARKS/tried; test $(wc -l < $MARKS/tried) -ge 3
  register: tried
  until: tried is success
  retries: 4
  delay: 0.01
- name: Left out
  ansible.builtin.command: "false"
  when: false
- name: Ignored
  ansible.builtin.command: "false"
  ignore_errors: true
- name: Looped
  ansible.builtin.command: test {{ item }} != b
  loop: [a, b]
  ignore_errors: true
- name: Away
  ansible.builtin.command: "true"
  delegate_to: localhost
- block:
    - name: Saved
      ansible.builtin.command: "false"
    - name: Never
      ansible.builtin.command: "false"
  rescue:
    - name: Saving
      ansible.builtin.debug:
        msg: saved
- name: Taken in
  ansible.builtin.include_tasks: Web.more.yml
- name: Hidden
  ansible.builtin.command: sh -c 'echo hunter2-pass; exit 1'
  no_log: true
  ignore_errors: true
- name: Hidden reason
  ansible.builtin.fail:
    msg: "{{ ['hunter', 3] | join }} because of {{ item }}"
  loop: [it]
  no_log: true
  ignore_errors: true
- name: Fine
  ansible.builtin.debug:
    msg: fine
`,
		"s/1/step0/Web.more.yml": "- name: Within\n  ansible.builtin.command: 'true'\n",
		"s/1/step1/Web.yml": `
- name: Lost
  ansible.builtin.ping:
  vars: {ansible_connection: ssh, ansible_ssh_host: 127.0.0.1, ansible_port: 1}
`,
	}, Options{})
	p := s.start("run.yml")
	all := follow(t, p, toGo)
	at := " unit=s/1/step0/Web"
	require.Equal(t, []string{
		"retry h1 Tried" + at + " 1/5", "retry h1 Tried" + at + " 2/5", "changed h1 Tried" + at,
		"skipped h1 Left out" + at,
		"failed h1 Ignored" + at + " ignored",
		"failed h1 Looped item=b" + at + " ignored", "failed h1 Looped" + at + " ignored",
		"changed h1 Away" + at,
		"failed h1 Saved" + at + " rescued", "ok h1 Saving" + at,
		"ok h1 Taken in" + at, "changed h1 Within unit=s/1/step0/Web.more",
		"failed h1 Hidden" + at + " ignored",
		"failed h1 Hidden reason" + at + " ignored", "failed h1 Hidden reason" + at + " ignored",
		"ok h1 Fine" + at + " last",
		"unreachable h1 Lost unit=s/1/step1/Web last",
	}, results(all))
	require.Equal(t, "end  [h1]", show(all[len(all)-1]))
	find := func(kind event.Kind, name string) event.Event {
		for _, e := range only(all, kind) {
			if e.Task.Name == name {
				return e
			}
		}
		require.Fail(t, "no such event", name)
		return event.Event{}
	}
	hidden := find(event.Failed, "Hidden")
	require.True(t, hidden.NoLog)
	require.Equal(t, "the result is hidden by no_log", hidden.Message)
	require.Empty(t, hidden.Stdout)
	require.Equal(t, "localhost", find(event.Changed, "Away").Delegate)
	require.Equal(t, "fine", find(event.OK, "Fine").Message)
	tried := find(event.Changed, "Tried")
	require.Equal(t, "s/1/step0/Web.yml", tried.Task.File)
	require.Equal(t, 2, tried.Task.Line)
	require.NotEmpty(t, tried.Task.ID)
	require.Equal(t, "ansible.builtin.shell", tried.Task.Action)
	require.Positive(t, tried.Seconds)
	require.WithinDuration(t, time.Now(), tried.Time, time.Minute)
	require.Contains(t, find(event.Unreachable, "Lost").Message, "Connection refused")
	require.Len(t, only(all, event.Start), len(only(all, event.OK, event.Changed, event.Skipped, event.Failed, event.Unreachable))-2) // two are of items
	require.Equal(t, 4, p.Outcome().Code)
	require.Empty(t, only(all, event.Note))
	nowhere(t, p.folder, "hunter2", "hunter3")
}

func TestTheUnitOfATask(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{
		"run.yml": play("Free", "", "  strategy: free\n  handlers:\n    - ansible.builtin.import_tasks: handlers/web.yml\n", `
    - ansible.builtin.import_tasks: s/1/step0/Web.yml
    - ansible.builtin.include_tasks: s/1/step0/Db.yml
`) + play("Gate", "s/1/health/Web", "", `
    - name: Health
      ansible.builtin.include_tasks: s/1/health/Web.gate.yml
`) + play("Handled", "s/1/step2/Web", "  handlers:\n    - ansible.builtin.import_tasks: handlers/web.yml\n", `
    - ansible.builtin.import_tasks: s/1/step2/Web.yml
`),
		"handlers/web.yml": "- name: Restart\n  ansible.builtin.debug:\n",
		"s/1/step0/Web.yml": `
- name: Role within
  ansible.builtin.include_role:
    name: ours
- name: Role kept
  ansible.builtin.import_role:
    name: ours
`,
		"s/1/step2/Web.yml":         "- name: Changes\n  ansible.builtin.command: 'true'\n  notify: Restart\n- name: Plain\n  ansible.builtin.debug:\n- ansible.builtin.meta: flush_handlers\n",
		"s/1/step0/Db.yml":          "- name: Db\n  ansible.builtin.command: 'true'\n  notify: Restart\n",
		"s/1/health/Web.gate.yml":   "- name: Ask\n  ansible.builtin.include_tasks: Web.yml\n",
		"s/1/health/Web.yml":        "- name: Asked\n  ansible.builtin.debug:\n",
		"roles/ours/tasks/main.yml": "- name: Of the role\n  ansible.builtin.debug:\n- name: More\n  ansible.builtin.include_tasks: more.yml\n",
		"roles/ours/tasks/more.yml": "- name: More of the role\n  ansible.builtin.debug:\n",
	}, Options{})
	p := s.start("run.yml")
	all := follow(t, p, toGo)
	require.Equal(t, 0, p.Outcome().Code, p.Outcome().Output)
	web, db, health := " unit=s/1/step0/Web", " unit=s/1/step0/Db", " unit=s/1/health/Web"
	got := results(all)
	// what stands in the play itself counts to the unit before it
	require.ElementsMatch(t, []string{
		"ok h1 Role within" + web, "ok h1 ours : Of the role" + web, "ok h1 ours : More" + web, "ok h1 ours : More of the role" + web,
		"ok h1 ours : Of the role" + web, "ok h1 ours : More" + web, "ok h1 ours : More of the role" + web,
		"ok h1 ansible.builtin.include_tasks" + web, "changed h1 Db" + db, "ok h1 Restart" + db,
		"ok h1 Health" + health, "ok h1 Ask" + health, "ok h1 Asked" + health,
		"changed h1 Changes unit=s/1/step2/Web", "ok h1 Plain unit=s/1/step2/Web", "ok h1 Restart unit=s/1/step2/Web last",
	}, got)
	for _, e := range only(all, event.OK) {
		if e.Task.Name == "ours : More of the role" {
			require.Equal(t, "roles/ours/tasks/more.yml", e.Task.File)
		}
	}
}

func TestHugeAndBinaryResultsAreCut(t *testing.T) {
	t.Parallel()
	// Newer Ansible refuses what is not UTF-8, unless the user says otherwise.
	s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", `
    - name: Huge
      ansible.builtin.shell: head -c 5000000 /dev/zero | tr '\0' x; echo the end
      register: huge
    - name: Huge and failed
      ansible.builtin.shell: head -c 5000000 /dev/zero | tr '\0' x; echo the end; head -c 20000 /dev/zero | tr '\0' '\1' >&2; exit 1
      ignore_errors: true
    - name: Binary
      ansible.builtin.shell: head -c 3000 /dev/urandom; printf '\377\0\376'; exit 1
      ignore_errors: true
`)}, Options{Env: []string{"ANSIBLE_MODULE_STRICT_UTF8_RESPONSE=False"}})
	p := s.start("run.yml")
	all := follow(t, p, toGo)
	failed := only(all, event.Failed)
	require.Len(t, failed, 2)
	require.True(t, strings.HasPrefix(failed[0].Stdout, "[cut: 49"), failed[0].Stdout[:40])
	require.True(t, strings.HasSuffix(failed[0].Stdout, "xxthe end"))
	require.LessOrEqual(t, len(failed[0].Stdout), 8<<10+40)
	require.NotEmpty(t, failed[1].Stdout)
	var value struct{ Stdout string }
	require.NoError(t, json.Unmarshal(named(carry(all), "h1", "huge").JSON, &value))
	require.Len(t, value.Stdout, 5_000_007)
	text, err := os.ReadFile(filepath.Join(p.folder, eventsFile))
	require.NoError(t, err)
	require.True(t, utf8.Valid(text))
	for line := range bytes.Lines(text) {
		require.True(t, json.Valid(line))
		if !bytes.HasPrefix(line, []byte(`{"kind":"vars"`)) {
			require.LessOrEqual(t, len(line), 64<<10)
		}
	}
}

func TestTwoHundredHostsLoseNoEvent(t *testing.T) {
	t.Parallel()
	s := onStage(t, 200, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		"    - name: Fact\n      ansible.builtin.set_fact:\n        mine: \"{{ inventory_hostname }}\"\n")}, Options{})
	job := s.job("run.yml")
	job.Forks = 20
	all := follow(t, s.begin(job), toGo)
	seen := map[string]int{}
	for _, l := range shown(only(all, event.Start, event.OK)) {
		seen[l]++
	}
	require.Len(t, seen, 400)
	for l, n := range seen {
		require.Equal(t, 1, n, l)
	}
	values := carry(all)
	require.Len(t, values, 200)
	require.JSONEq(t, `"h77"`, string(named(values, "h77", "mine").JSON))
}

func TestACallbackThatFailsIsToldAndStopsTheRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at, with string
		began    bool
	}{
		"at a result":   {"        self._tell('changed' if", "        raise ValueError('it broke')\n        self._tell('changed' if", true},
		"at a gate":     {"        batch = dict(", "        raise ValueError('it broke')\n        batch = dict(", false},
		"at its start":  {"        self._buffer = b''", "        raise ValueError('it broke')\n        self._buffer = b''", false},
		"at its import": {"    import yaml\n", "    import no_such_thing\n    import yaml\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", mark("one")) + play("Two", "s/1/step0/Web", "", mark("two"))}, Options{})
			s.tool.plugin = bytes.Replace(callback, []byte(c.at), []byte(c.with), 1)
			require.NotEqual(t, callback, s.tool.plugin)
			p := s.start("run.yml")
			all := follow(t, p, toGo)
			notes := only(all, event.Note)
			require.NotEmpty(t, notes)
			require.Regexp(t, "it broke|no_such_thing", notes[0].Message)
			require.Equal(t, c.began, p.Outcome().Began)
			require.Equal(t, 99, p.Outcome().Code)
			require.Empty(t, s.marks("two"))
			if !c.began {
				require.Empty(t, s.marks("one"))
			}
		})
	}
}

// unheld requires that a process is ended for want of the callback.
func unheld(t *testing.T, s *stage, p *Process, why string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	_, _, err := p.Next(ctx)
	var e *NotLoadedError
	require.ErrorAs(t, err, &e, p.Outcome().Output)
	require.Regexp(t, why, err.Error())
	_, _, again := p.Next(ctx)
	require.Equal(t, err, again)
	require.Eventually(t, func() bool { return !p.Running() }, 2*time.Second, 10*time.Millisecond)
	o := p.Outcome()
	require.True(t, o.Began, "what it did is unknown")
	require.False(t, o.Known)
	require.Equal(t, err, o.Fault)
	require.Empty(t, s.marks("two"))
}

const endless = "    - ansible.builtin.command: sleep 30\n"

func TestAnAnsibleThatCantLoadTheCallbackIsEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ plugin, why string }{
		"no Python":   {"def x(:\n", `Ansible did not load upstep's plugin: cannot load: invalid syntax \(upstep.py, line 1\)`},
		"no class":    {"# none\n", `plugin: as it seems to be invalid: module .* has no attribute 'CallbackModule'`},
		"no callback": {"class CallbackModule:\n    pass\n", "Ansible did not load upstep's plugin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", endless+mark("two"))}, Options{})
			s.tool.plugin = []byte(c.plugin)
			unheld(t, s, s.start("run.yml"), c.why)
		})
	}
}

func TestAnAnsibleThatKnowsNothingOfTheCallbackIsEnded(t *testing.T) {
	for name, c := range map[string]struct{ env, task string }{
		"it is not told where the plugin is": {"-u ANSIBLE_CALLBACK_PLUGINS", endless + mark("two")},
		"nor that upstep asks":               {"-u UPSTEP_EVENTS", endless + mark("two")},
		"and prints nothing":                 {"-u UPSTEP_EVENTS ANSIBLE_CALLBACK_PLUGINS=cb ANSIBLE_STDOUT_CALLBACK=mute", mark("one")},
	} {
		t.Run(name, func(t *testing.T) {
			needAnsible(t)
			fake(t, "ansible-playbook", "PATH=${PATH#*:} exec env "+c.env+" ansible-playbook \"$@\"\n")
			s := onStage(t, 1, map[string]string{
				"run.yml": play("One", "s/1/step0/Web", "", c.task),
				"/cb/mute.py": `DOCUMENTATION = '''
    name: mute
    type: stdout
    short_description: says nothing
'''
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'mute'
`,
			}, Options{})
			unheld(t, s, s.start("run.yml"), "did not say why; whatever starts it")
		})
	}
}

func TestHostsThatWereLostStandAtNoFurtherGate(t *testing.T) {
	t.Parallel()
	s := onStage(t, 3, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", mark("one")+
		"    - ansible.builtin.fail:\n      when: inventory_hostname == 'h2'\n      register: why\n") + play("Two", "s/1/step1/Web", "", mark("two"))}, Options{})
	p := s.start("run.yml")
	all := follow(t, p, func(e event.Event) event.Answer {
		if e.Play == "Two" {
			return event.Answer{Do: event.Go, Hosts: []string{"h1"}}
		}
		return event.Answer{Do: event.Go}
	})
	require.Equal(t, []string{
		"gate One [h1 h2 h3] unit=s/1/step0/Web", "play One [h1 h2 h3] unit=s/1/step0/Web",
		"gate Two [h1 h3] unit=s/1/step1/Web", "play Two [h1] unit=s/1/step1/Web", "end  [h2]",
	}, shown(only(all, event.Gate, event.Play, event.End)))
	require.Equal(t, "h1", s.marks("two"))
	require.NotNil(t, named(carry(all), "h2", "why"))
}

func TestAnAnswerThatCantBeFollowedStops(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]event.Answer{
		"a host that the play has not": {Do: event.Go, Hosts: []string{"h1", "nobody"}},
		"no such verb":                 {Do: "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", mark("one"))}, Options{})
			p := s.start("run.yml")
			all := follow(t, p, func(event.Event) event.Answer { return a })
			require.Len(t, only(all, event.Note), 1)
			require.True(t, p.Outcome().Stopped)
			require.Empty(t, s.marks("one"))
		})
	}
}

func TestAPlaybookThatCantBeReadBeginsNothing(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": "- hosts: [\n"}, Options{})
	p := s.start("run.yml")
	require.Empty(t, drainAll(t, p))
	o := p.Outcome()
	require.False(t, o.Known)
	require.False(t, o.Began)
	require.Equal(t, 4, o.Code)
	require.Contains(t, o.Output, "run.yml")
}

func TestExtraVariablesThatCantBeReadAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", mark("one"))}, Options{Args: []string{"-e", `{"a": "canary-1234`}})
	p := s.start("run.yml")
	require.Empty(t, drainAll(t, p))
	require.False(t, p.Outcome().Began)
	require.Contains(t, p.Outcome().Output, "(extra vars)")
	nowhere(t, p.folder, "canary")
}

func TestAMissingAnsiblePlaybookIsTold(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(Options{Dir: t.TempDir()}).Start(t.Context(), Job{Folder: filepath.Join(t.TempDir(), "run"), Tree: "/", Book: "x.yml"})
	var e *NotInstalledError
	require.ErrorAs(t, err, &e)
}

// BenchmarkCallback tells what the callback costs: 200 local hosts and 5 tasks.
func BenchmarkCallback(b *testing.B) {
	dir := b.TempDir()
	var tasks strings.Builder
	for i := range 5 {
		fmt.Fprintf(&tasks, "    - name: Task %d\n      ansible.builtin.command: 'true'\n      register: r%d\n", i, i)
	}
	require.NoError(b, os.WriteFile(filepath.Join(dir, "inventory"), []byte(hosts(200)), 0o600))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "run.yml"), []byte(play("One", "s/1/step0/Web", "", tasks.String())), 0o600))
	b.Run("without", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "ansible-playbook", "-i", "inventory", "-f", "20", "run.yml")
			cmd.Dir = dir
			require.NoError(b, cmd.Run())
			b.ReportMetric(float64(cmd.ProcessState.SystemTime()+cmd.ProcessState.UserTime())/1e9, "cpu-s/op")
		}
	})
	b.Run("with", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			p, err := New(Options{Dir: dir}).Start(b.Context(), Job{Folder: filepath.Join(b.TempDir(), fmt.Sprint(i)), Tree: dir, Book: "run.yml", Inventory: []string{"inventory"}, Forks: 20})
			require.NoError(b, err)
			for {
				e, _, err := p.Next(b.Context())
				if err != nil {
					break
				}
				if e.Kind == event.Gate {
					require.NoError(b, p.Answer(event.Answer{Do: event.Go}))
				}
			}
			b.ReportMetric(float64(p.leader.ProcessState.SystemTime()+p.leader.ProcessState.UserTime())/1e9, "cpu-s/op")
			require.NoError(b, p.Close())
		}
	})
}
