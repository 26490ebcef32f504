package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/notify"
	"github.com/upstep/upstep/runner"
)

// noticed plays a recording to notices, and gives what they tell.
func noticed(r recording, done journal.Progress, f runFlags) ([]notify.Message, outcome) {
	var out []notify.Message
	n := &notices{
		plan: r.plan, send: func(m notify.Message) { out = append(out, m) }, stages: map[string]*stageNotice{},
		typed:  func(command string) string { return command },
		common: notify.Message{Project: "folders", Run: "7", By: "alice on control1", Try: 2},
	}
	v := &watcher{n}
	o := r.play(v, done, f)
	n.end(&o, o.err, o.code)
	return out, o
}

// watcher has notices see what a view does.
type watcher struct{ *notices }

func (w *watcher) report(l *ledger, e event.Event) { w.take(l, e) }
func (w *watcher) end(outcome)                     {}

// brief words messages for tests.
func brief(list []notify.Message) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%s %s%s", m.Event, m.Stage, m.Role)
		if m.Batch > 0 {
			fmt.Fprintf(&b, " %d %v", m.Batch, m.Hosts)
		}
		if m.State != "" {
			b.WriteString(" " + m.State)
		}
		if m.Message != "" {
			b.WriteString(": " + m.Message)
		}
		if len(m.FailedHosts) > 0 {
			fmt.Fprintf(&b, " failed=%v", m.FailedHosts)
		}
		if len(m.OutOfTraffic) > 0 {
			fmt.Fprintf(&b, " out=%v", m.OutOfTraffic)
		}
		if m.Next != "" {
			b.WriteString(" next=" + m.Next)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestWhatARunIsNotifiedOf(t *testing.T) {
	failed := recorded(t, "failed")
	list, o := noticed(failed, journal.Progress{}, runFlags{})
	require.Equal(t, `run.start  started
stage.start control-plane started
stage.success control-plane ended
stage.start non-control-plane started
batch.start non-control-planeWeb 1 [web1] started
batch.success non-control-planeWeb 1 [web1] ended
batch.start non-control-planeWeb 2 [web2 web3] started
batch.failure non-control-planeWeb 2 [web2 web3] failed: non-control-plane/1/step4/Web failed on web2: non-zero return code failed=[web2] out=[web2]
stage.failure non-control-plane failed: non-control-plane/1/step4/Web failed on web2: non-zero return code failed=[web2] out=[web2]
run.failure  failed: non-control-plane/1/step4/Web failed on web2: non-zero return code failed=[web2] out=[web2] next=upstep run
`, brief(list))
	for _, m := range list {
		require.Equal(t, []any{"folders", "7", "alice on control1", 2}, []any{m.Project, m.Run, m.By, m.Try})
		require.False(t, m.Time.IsZero())
		require.Equal(t, len(m.Hosts), m.Count)
		require.NotEmpty(t, m.Hosts)
	}
	batch := list[7]
	require.Equal(t, "non-control-plane/1/Web", batch.Unit)
	require.Equal(t, 1, batch.Tries)
	require.Greater(t, batch.Seconds, 1.0)
	require.Equal(t, []string{"web2"}, batch.Failures[0].Hosts)
	require.Contains(t, batch.Failures[0].Task, "Start the web server (services/web.yaml:")
	require.Len(t, list[0].Hosts, 6)
	require.Len(t, list[1].Hosts, 3)

	list, _ = noticed(recorded(t, "resumed"), progress(o.ledger), runFlags{})
	require.Equal(t, `run.start  started
stage.start non-control-plane started
batch.start non-control-planeWeb 1 [web2] started
batch.success non-control-planeWeb 1 [web2] ended
stage.success non-control-plane ended
run.success  done
`, brief(list))

	list, _ = noticed(recorded(t, "resumed"), progress(o.ledger), runFlags{viewFlags: viewFlags{expectUnchanged: true}})
	last := list[len(list)-1]
	require.Equal(t, "run.failure", last.Event)
	require.Equal(t, "tasks changed hosts, though nothing was to change", last.Message)
}

// TestWhatIsNoticedOfOtherEnds makes up what recordings do not have.
func TestWhatIsNoticedOfOtherEnds(t *testing.T) {
	rec := recorded(t, "failed")
	at := rec.events[0].Time
	start := event.Event{Kind: event.RunStart, Time: at}
	unit := func(kind event.Kind, state string) event.Event {
		return event.Event{Kind: kind, Time: at.Add(time.Minute), Stage: "control-plane", Unit: "control-plane/1/step0/Api", Role: "Api", Hosts: []string{"api1", "api2"}, State: state}
	}
	end := event.Event{Kind: event.RunEnd, Time: at}
	stopped := runner.Result{State: runner.Stopped, Reason: "outside the maintenance window, the next opens Sat 22:00"}
	for name, c := range map[string]struct {
		events []event.Event
		result runner.Result
		want   string
	}{
		"nothing to do":           {[]event.Event{start, end}, runner.Result{State: runner.Done}, ""},
		"a window that is closed": {[]event.Event{start, end}, stopped, "run.stop  stopped: outside the maintenance window, the next opens Sat 22:00 next=upstep run\n"},
		"a window is waited for":  {[]event.Event{start, {Kind: event.Wait, Message: "waits until Sat"}, end}, stopped, "run.wait : waits until Sat\nrun.stop  stopped: outside the maintenance window, the next opens Sat 22:00 next=upstep run\n"},
		"an approval":             {[]event.Event{start, {Kind: event.Wait, Run: "20261121-1", Stage: "live", Message: "stage live waits for approval"}, end}, stopped, "run.wait live: stage live waits for approval next=upstep approve 20261121-1 live\nrun.stop  stopped: outside the maintenance window, the next opens Sat 22:00 next=upstep run\n"},
		"it never began":          {nil, runner.Result{State: runner.Failing}, ""},
		"left by a killed upstep": {[]event.Event{unit(event.UnitStart, ""), unit(event.UnitEnd, "ended"), start, end}, runner.Result{State: runner.Done}, ""},
		"the operator stopped it": {[]event.Event{start, unit(event.UnitStart, ""), unit(event.UnitEnd, "stopped"), end}, stopped, "run.start  started\nstage.start control-plane started\nrun.stop  stopped: outside the maintenance window, the next opens Sat 22:00 next=upstep run\n"},
		"hosts that were not ready": {
			[]event.Event{start, {Kind: event.Failed, Stage: "preflight", Host: "db1", Time: at}, end},
			runner.Result{State: runner.PreflightFailed, Failures: []runner.Failure{{Hosts: []string{"db1"}, State: journal.Failed, Message: "disk is full"}}},
			"run.start  started\nrun.failure  preflight_failed: preflight failed on db1: disk is full failed=[db1] next=upstep run\n",
		},
		"a failure that the role bears": {
			[]event.Event{start, unit(event.UnitStart, ""), {Kind: event.Failed, Unit: "control-plane/1/step0/Api", Host: "api2", Message: "no", Time: at}, unit(event.UnitEnd, "failed"), end},
			runner.Result{State: runner.Failing, Failures: []runner.Failure{{Unit: "u", Hosts: []string{"api2"}, State: journal.Failed, Message: "no"}}},
			"run.start  started\nstage.start control-plane started\nstage.failure control-plane failed: control-plane/1/step0/Api failed on api2: no failed=[api2]\nrun.failure  failed: u failed on api2: no failed=[api2] next=upstep run\n",
		},
		"nobody saw the end": {
			[]event.Event{start, unit(event.UnitStart, ""), {Kind: event.Note, State: event.Stopping, Message: "failed"}, unit(event.UnitEnd, "unknown"), end},
			runner.Result{State: runner.Failing, Failures: []runner.Failure{{Unit: "u", Hosts: []string{"api1", "api2"}, State: journal.Unknown, Message: "gone"}}},
			"run.start  started\nstage.start control-plane started\nstage.failure control-plane failed: control-plane/1/step0/Api unknown on api1, api2: nobody saw how it ended failed=[api1 api2]\nrun.failure  failed: u unknown on api1, api2: gone failed=[api1 api2] next=upstep run\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rec
			r.events, r.result = c.events, c.result
			if len(c.events) == 0 {
				r.events = []event.Event{{Kind: event.Note, Time: at}}
			}
			list, _ := noticed(r, journal.Progress{}, runFlags{})
			require.Equal(t, c.want, brief(list))
		})
	}
	var out []notify.Message
	n := &notices{plan: rec.plan, send: func(m notify.Message) { out = append(out, m) }, on: true}
	n.end(&outcome{plan: rec.plan}, fmt.Errorf("write journal: disk is full"), exitUnexpected)
	require.Equal(t, "run.failure  broken: write journal: disk is full\n", brief(out))
}
