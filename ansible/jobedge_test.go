package ansible

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
)

func TestAPlayOfNobodyStillAsks(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": "- name: None\n  hosts: all:!all\n  tasks: []\n" + play("One", "s/1/step0/Web", "", mark("one"))}, Options{})
	all := follow(t, s.start("run.yml"), toGo)
	require.Equal(t, []string{
		"gate None []", "play None []", "gate One [h1] unit=s/1/step0/Web", "play One [h1] unit=s/1/step0/Web", "end  []",
	}, shown(only(all, event.Gate, event.Play, event.End)))
}

func TestTheInventoryCanBeReadAgainThoughExtraVariablesAreGone(t *testing.T) {
	t.Parallel()
	s := onStage(t, 2, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", `
    - ansible.builtin.meta: refresh_inventory
    - ansible.builtin.assert: {that: extra == 'given'}
`) + play("Two", "s/1/step1/Web", "", mark("two"))}, Options{Args: []string{"-e", "extra=given"}})
	p := s.start("run.yml")
	all := follow(t, p, func(e event.Event) event.Answer {
		return event.Answer{Do: event.Go, Hosts: []string{"h2"}}
	})
	require.Equal(t, 0, p.Outcome().Code, p.Outcome().Output)
	require.Equal(t, "h2", s.marks("two"))
	require.Empty(t, only(all, event.Note))
}

func TestOnlyTheChosenHostsOfABatchRun(t *testing.T) {
	t.Parallel()
	s := onStage(t, 4, map[string]string{"run.yml": play("One", "s/1/step0/Web", "  serial: 2\n  order: reverse_inventory\n", mark("one")+
		"    - ansible.builtin.shell: echo once >> $MARKS/once\n      run_once: true\n")}, Options{})
	p := s.start("run.yml")
	all := follow(t, p, func(e event.Event) event.Answer {
		return event.Answer{Do: event.Go, Hosts: e.Hosts[:1]}
	})
	require.Equal(t, []string{
		"gate One [h4 h3] unit=s/1/step0/Web", "play One [h4] unit=s/1/step0/Web",
		"gate One [h2 h1] unit=s/1/step0/Web", "play One [h2] unit=s/1/step0/Web", "end  []",
	}, shown(only(all, event.Gate, event.Play, event.End)))
	require.Equal(t, "h4 h2", s.marks("one"))
	require.Equal(t, "once once", s.marks("once"))
}

func TestWhatWasRegisteredBeforeAStopIsKept(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		"    - ansible.builtin.command: echo kept\n      register: kept\n    - ansible.builtin.command: echo hidden-word\n      register: hidden\n      no_log: true\n") +
		play("Two", "s/1/step1/Web", "", mark("two"))}, Options{})
	p := s.start("run.yml")
	ctx := within(t, 20e9)
	_, _, err := p.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, p.Answer(event.Answer{Do: event.Go}))
	require.NoError(t, p.Close()) // upstep is gone
	a, err := Adopt(p.folder, 0)
	require.NoError(t, err)
	defer func() { _ = a.Close() }()
	all := drainAll(t, a)
	require.NotNil(t, named(carry(all), "h1", "kept"))
	require.Nil(t, named(carry(all), "h1", "hidden"))
	nowhere(t, p.folder, "hidden-word")
}

func TestWhatWasRegisteredBeforeAnsibleGaveUpIsKept(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		"    - ansible.builtin.command: echo kept\n      register: kept\n") + strings.Replace(play("Two", "s/1/step1/Web", "", mark("two")), "hosts: web", "hosts: '{{ nobody_knows }}'", 1)}, Options{})
	p := s.start("run.yml")
	all := follow(t, p, toGo)
	require.False(t, p.Outcome().Known)
	require.NotEqual(t, 0, p.Outcome().Code)
	require.NotNil(t, named(carry(all), "h1", "kept"))
}

func TestADaemonThatATaskStartsDoesNotHoldTheLock(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		"    - ansible.builtin.shell: setsid sleep 60 >/dev/null 2>&1 & echo $! > $MARKS/pid\n")}, Options{})
	p := s.start("run.yml")
	follow(t, p, toGo)
	require.True(t, p.Outcome().Known)
	pid, err := strconv.Atoi(s.marks("pid"))
	require.NoError(t, err)
	require.True(t, runs(pid))
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}
