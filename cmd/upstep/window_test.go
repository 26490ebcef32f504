package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

func TestWhetherARunFitsIntoItsWindow(t *testing.T) {
	rec := recorded(t, "failed")
	from, to := calendar.Clock(22*60), calendar.Clock(5*60)
	night := []calendar.Window{{From: from, To: to, Days: []calendar.Day{calendar.Day(time.Friday)}, Zone: "UTC"}}
	friday := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC) }
	const (
		closed = "the next maintenance window opens Fri 22:00, for 7h00m"
		within = "the maintenance window is open until Sat 05:00, for 2h00m"
	)
	for name, c := range map[string]struct {
		windows []calendar.Window
		now     time.Time
		seconds float64 // of each unit; 0: not known
		chosen  runner.Selection
		plan    string // what plan says
		run     string // what a run says as it begins, where that differs
	}{
		"nothing to estimate from": {night, friday(12), 0, runner.Selection{}, closed + "; no earlier run to estimate from", ""},
		"before, and it fits":      {night, friday(12), 60, runner.Selection{}, closed + "; about 7m by an earlier run: it fits", ""},
		"before, and it does not":  {night, friday(12), 5000, runner.Selection{}, closed + "; about 9h43m by an earlier run: it does not fit, and what has not begun by then is left for the next", ""},
		"within, and it fits":      {night, friday(27), 600, runner.Selection{}, within + "; about 1h10m by an earlier run: it fits", ""},
		"within, and it does not":  {night, friday(27), 2000, runner.Selection{}, within + "; about 3h53m by an earlier run: it does not fit, and what has not begun by then is left for the next", ""},
		"a part of it fits":        {night, friday(27), 2000, runner.Selection{Stages: []string{"non-control-plane"}}, within + "; about 33m by an earlier run: it fits", ""},
		"always": {
			[]calendar.Window{{To: calendar.EndOfDay}}, friday(12), 60, runner.Selection{}, "the maintenance window is always open", "nothing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := *rec.plan
			plan.Windows = c.windows
			w, err := windowOf(&plan)
			require.NoError(t, err)
			l := newLedger(&plan, journal.Progress{}, c.now)
			l.chosen = c.chosen.Has
			if c.seconds > 0 {
				l.known = map[string]float64{}
				for _, s := range l.plays {
					l.known[s.Units[0].ID] = c.seconds
				}
			}
			require.Equal(t, c.plan, l.fit(w, c.now))
			if c.run == "" {
				c.run = c.plan
			}
			if c.run == "nothing" {
				c.run = ""
			}
			require.Equal(t, c.run, l.fitNow(w, c.now))
		})
	}
	done := newLedger(rec.plan, journal.Progress{}, friday(12))
	for _, s := range done.plays {
		s.state = before
	}
	w, err := windowOf(&planner.Plan{Windows: night})
	require.NoError(t, err)
	require.Empty(t, done.fitNow(w, friday(12)), "nothing is left")
	require.Empty(t, done.fitNow(nil, friday(12)))
	_, err = windowOf(&planner.Plan{Windows: []calendar.Window{{Zone: "Nowhere"}}})
	require.EqualError(t, err, `unknown time zone "Nowhere"`)
	require.Equal(t, exitInvalid, codeOf(t.Context(), err))
}

// TestAViewOfARunThatWaitsForItsWindow says what is waited for, until something begins.
func TestAViewOfARunThatWaitsForItsWindow(t *testing.T) {
	rec := recorded(t, "failed")
	l := newLedger(rec.plan, journal.Progress{}, rec.events[0].Time)
	v := newLiveView(&bytes.Buffer{}, nil, false)
	tell := func(e event.Event) {
		l.take(e)
		v.report(l, e)
	}
	wait := event.Event{Kind: event.Wait, Message: "outside the maintenance window: waits until Sat 22:00"}
	tell(rec.events[0])
	tell(wait)
	require.Equal(t, wait.Message, l.where())
	require.False(t, v.paused, "nobody is asked, so the frame stays")
	tell(event.Event{Kind: event.Note, Message: "notification ops: nobody was told of run.wait"})
	require.Equal(t, wait.Message, l.where())
	tell(event.Event{Kind: event.Start, Time: rec.events[0].Time, Stage: "preflight", Host: "db1"})
	require.Contains(t, l.where(), "preflight: 1 host")
	tell(wait)
	tell(event.Event{Kind: event.UnitStart, Stage: "control-plane", Unit: "control-plane/1/step0/Api"})
	require.Contains(t, l.where(), "control-plane")
	v.end(outcome{app: &app{}, ledger: l})
}
