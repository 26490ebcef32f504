package runner_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/runner"
)

// started counts the processes of a playbook.
func (s *site) started(book string) int {
	n := 0
	for _, p := range s.procs {
		if p.book == book {
			n++
		}
	}
	return n
}

func TestAProcessThatComesToNoPlayFailsItAndIsNotStartedForEver(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.broken = "Api.yml"
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State, a.result)
	require.Equal(t, 1, n.started("Api.yml"))
	require.Len(t, a.result.Failures, 1)
	require.Equal(t, "control-plane/1/step1/Api", a.result.Failures[0].Unit)
	require.Contains(t, a.result.Failures[0].Message, "it is gone")

	n.broken = ""
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	n.requireOrder(t)
	n.requireOnce(t)
}

func TestAPlaybookBeforeTheUpgradeThatDoesNotBeginFails(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.broken = "before.yml"
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State, a.result)
	require.Equal(t, 1, n.started("before.yml"))
	require.Equal(t, "before/1", a.result.Failures[0].Unit)
	require.NotContains(t, a.result.Ended, "before/1")
}

func TestAHostThatIsLostBeforeTheFirstPlayFailsIt(t *testing.T) {
	for role, host := range map[string]string{"Api": "a2", "Web": "w1"} {
		n := newNight(t, project(t, write(t, rolling), rollingHosts))
		n.silent = []string{host}
		a := n.goOn(t, 0, false)
		require.NoError(t, a.err)
		require.Equal(t, runner.Failing, a.result.State, a.result)
		require.Len(t, a.result.Failures, 1)
		f := a.result.Failures[0]
		require.Equal(t, []string{host}, f.Hosts)
		require.Equal(t, journal.Unreachable, f.State)
		require.Equal(t, "no route", f.Message)
		require.Equal(t, role, f.Role)

		n.silent = nil
		a = n.goOn(t, 0, false)
		require.NoError(t, a.err)
		require.Equal(t, runner.Done, a.result.State, a.result)
		n.requireOnce(t)
	}
}

// TestOnlyTheGateOfABatchLetsItsHostsPass has a task of the play itself, but not its
// gate, fail on the batch's healthy hosts.
func TestOnlyTheGateOfABatchLetsItsHostsPass(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.waitFail = true
	n.fail = func(unit, host string) bool { return unit == "non-control-plane/1/step2/Web" && host == "w3" }
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State)
	var failed []string
	for _, f := range a.result.Failures {
		failed = append(failed, f.Hosts...)
	}
	require.ElementsMatch(t, []string{"w2", "w3"}, failed)

	n = newNight(t, project(t, write(t, rolling), rollingHosts))
	n.fail = func(unit, host string) bool { return unit == "non-control-plane/1/step2/Web" && host == "w3" }
	a = n.goOn(t, 0, false)
	require.Equal(t, runner.Failing, a.result.State)
	i := slices.IndexFunc(a.events, func(e event.Event) bool { return e.Kind == event.UnitEnd && e.State == string(journal.Failed) })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, []string{"w2", "w3"}, a.events[i].Hosts)
	require.Equal(t, []string{"w2"}, a.events[i].Done)
}

func TestAPlayBeforeTheUpgradeWithoutHostsIsEnded(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.managers = nil
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	require.Contains(t, a.result.Ended, "before/1")

	j, err := journal.Open(context.Background(), n.dir, journal.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	done, err := j.Progress(context.Background(), n.run)
	require.NoError(t, err)
	require.True(t, runner.Complete(n.plan, done))
}

// TestAPlayBeforeTheUpgradeThatWasKilledRunsAgain ends the process of a play whose hosts
// only Ansible knows, in its middle.
func TestAPlayBeforeTheUpgradeThatWasKilledRunsAgain(t *testing.T) {
	for at := 1; ; at++ {
		n := newNight(t, project(t, write(t, rolling), rollingHosts))
		n.managers = []string{"manager", "manager2", "manager3"}
		if a := n.goOn(t, at, true); !a.killed {
			return
		}
		a := n.goOn(t, 0, false)
		require.NoError(t, a.err)
		require.Equal(t, runner.Done, a.result.State, a.result)
		for _, unit := range []string{"before/1", "after/1"} {
			for _, h := range n.managers {
				require.Equal(t, 1, n.ran[unit+" "+h], "%s on %s, killed at write %d", unit, h, at)
			}
		}
	}
}

// killIn kills upstep, not its processes, when a task of a unit that hangs begins.
func (n *night) killIn(t *testing.T, unit string) {
	t.Helper()
	n.hung = unit
	n.seen = func(e event.Event) {
		if e.Kind == event.Start && e.Unit == unit {
			runtime.Goexit()
		}
	}
	require.True(t, n.goOn(t, 0, false).killed)
	n.seen = func(event.Event) {}
}

func TestStopIsHeardWhileAnEarlierProcessIsAwaited(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.killIn(t, "control-plane/1/step1/Db")
	begun := len(n.procs)
	n.stop = make(chan string, 1)
	n.stop <- "the operator"
	n.seen = func(e event.Event) {
		if e.State == event.Stopping {
			close(n.free)
		}
	}
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Stopped, a.result.State)
	require.Equal(t, "the operator", a.result.Reason)
	require.Len(t, n.procs, begun)

	n.stop, n.seen = nil, func(event.Event) {}
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	n.requireOnce(t)
}

func TestAUnitThatTakesTooLongIsEnded(t *testing.T) {
	n := newNight(t, project(t, write(t, strings.Replace(rolling, "batch: [1, 2]", "batch: [1, 2], unit_timeout: 4s", 1)), rollingHosts))
	n.now = time.Now
	n.hung = "non-control-plane/1/step2/Web"
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State, a.result)
	require.Len(t, a.result.Failures, 1)
	f := a.result.Failures[0]
	require.Equal(t, journal.Unknown, f.State)
	require.Equal(t, []string{"w1"}, f.Hosts)
	require.Contains(t, f.Message, "took longer than its unit_timeout of 4s")

	close(n.free)
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
}

func TestEndingAtOnceReachesTheProcessesOfAKilledUpstep(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.killIn(t, "control-plane/1/step1/Db")
	n.patience = 50 * time.Millisecond
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Stopped, a.result.State, a.result)
	close(n.free)
	n.patience = 0
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	n.requireOnce(t)
}
