package runner_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/runner"
)

// opening is when the windows of these tests open next, by the clock of a night.
func opening() time.Time { return time.Unix(1, 0).Add(3 * time.Hour) }

// TestAWindowThatClosesAtEveryMoment closes it each time that the run asks in turn. What
// is at work ends, nothing begins, and the next run does the rest.
func TestAWindowThatClosesAtEveryMoment(t *testing.T) {
	plan := project(t, write(t, rolling), rollingHosts)
	for at := 0; ; at++ {
		n := newNight(t, plan)
		asked, begun := 0, 0
		n.open = func(time.Time) (bool, time.Time) {
			asked++
			return asked <= at, opening()
		}
		n.seen = func(e event.Event) {
			if e.Kind == event.UnitStart {
				require.LessOrEqual(t, asked, at, "%s began outside the window, at %d", e.Unit, at)
				begun++
			}
		}
		a := n.goOn(t, 0, false)
		require.NoError(t, a.err)
		if a.result.State == runner.Done {
			require.Greater(t, at, 10)
			n.requireOnce(t)
			return
		}
		require.Equal(t, runner.Stopped, a.result.State)
		require.Equal(t, "outside the maintenance window, the next opens "+opening().Format("Mon 15:04"), a.result.Reason)
		require.Empty(t, a.result.Failures)
		require.Positive(t, a.result.Left)
		if at == 0 {
			require.Zero(t, begun)
			require.Empty(t, n.procs, "not even the preflight")
		}
		n.open, n.seen = nil, func(event.Event) {}
		a = n.goOn(t, 0, false)
		require.NoError(t, a.err, "closed at %d", at)
		require.Equal(t, runner.Done, a.result.State, "closed at %d: %+v", at, a.result)
		n.requireOrder(t)
		n.requireOnce(t)
	}
}

// TestARunWaitsForItsWindow has it closed in the beginning, and again behind each third
// unit, until a while after it is asked for.
func TestARunWaitsForItsWindow(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.now, n.options.WaitForWindow = time.Now, true
	shut, opens := true, time.Time{}
	n.open = func(at time.Time) (bool, time.Time) {
		if shut && opens.IsZero() {
			opens = at.Add(30 * time.Millisecond)
		}
		if shut = shut && at.Before(opens); shut {
			return false, opens
		}
		return true, at.Add(time.Hour)
	}
	begun, waits, opened, ended := 0, 0, 0, 0
	n.seen = func(e event.Event) {
		switch {
		case e.Kind == event.UnitStart:
			require.False(t, shut, "%s began outside the window", e.Unit)
			begun++
		case e.Kind == event.UnitEnd:
			if ended++; ended%3 == 0 {
				shut, opens = true, time.Time{}
			}
		case e.Kind == event.Wait:
			require.Empty(t, e.Stage, "it is no approval")
			require.Contains(t, e.Message, "outside the maintenance window: waits until ")
			waits++
		case e.Message == "the maintenance window is open":
			opened++
		}
	}
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	require.Equal(t, begun, ended)
	require.GreaterOrEqual(t, waits, ended/3, "but behind the last, where nothing is left to begin")
	require.Equal(t, waits, opened)
	n.requireOrder(t)
	n.requireOnce(t)
}

func TestARunThatWaitsForItsWindowIsStopped(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.options.WaitForWindow = true
	n.open = func(time.Time) (bool, time.Time) { return false, opening() }
	n.stop = make(chan string, 1)
	n.seen = func(e event.Event) {
		if e.Kind == event.Wait {
			n.stop <- "stopped by the operator"
		}
	}
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Stopped, a.result.State)
	require.Equal(t, "stopped by the operator", a.result.Reason)
	require.Empty(t, n.log)

	n.seen = func(event.Event) {}
	n.open = func(time.Time) (bool, time.Time) { return false, time.Time{} }
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, "outside the maintenance window, which never opens", a.result.Reason)
}

// TestNobodyIsAskedOutsideTheWindow goes to a stage that wants approval.
func TestNobodyIsAskedOutsideTheWindow(t *testing.T) {
	n := newNight(t, project(t, write(t, "upgrade.yaml\nstages: [control-plane, {name: non-control-plane, approve: true}]\n"+rolling[1+len("upgrade.yaml\n"):]), rollingHosts))
	open := true
	n.open = func(time.Time) (bool, time.Time) { return open, opening() }
	n.seen = func(e event.Event) { open = open && (e.Kind != event.UnitEnd || e.Unit != "control-plane/1/step3/Db") }
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Empty(t, a.result.Waits)
	require.Contains(t, a.result.Reason, "outside the maintenance window")
	open, n.seen = true, func(event.Event) {}
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, "non-control-plane", a.result.Waits)
}

// TestNothingToDoNeedsNoWindow goes on with a run that has ended.
func TestNothingToDoNeedsNoWindow(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	require.Equal(t, runner.Done, n.goOn(t, 0, false).result.State)
	n.open = func(time.Time) (bool, time.Time) { return false, opening() }
	require.Equal(t, runner.Done, n.goOn(t, 0, false).result.State)
}
