package main

import (
	"context"
	"slices"
	"time"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

// window is when work may begin; nil: at any time.
type window struct{ *calendar.Calendar }

// windowOf gives the window of a plan.
func windowOf(p *planner.Plan) (*window, error) {
	if len(p.Windows) == 0 {
		return nil, nil //nolint:nilnil // no window is a fact, not a failure
	}
	c, err := calendar.New(p.Windows, time.Local)
	if err != nil {
		return nil, usageError{err, "window in upgrade.yaml says the time zone: mend it and plan again"}
	}
	return &window{c}, nil
}

// window gives what this invocation has to keep to. A check changes nothing.
func (s *invocation) window() (*window, error) {
	if s.flags.check || s.flags.ignoreWindow {
		return nil, nil //nolint:nilnil // as windowOf
	}
	return windowOf(s.plan)
}

// asked gives what the runner asks; nil where there is no window.
func (w *window) asked() func(time.Time) (open bool, until time.Time) {
	if w == nil {
		return nil
	}
	return w.Open
}

// windowText words how a plan and its window fit together; nothing where it has none.
func (a *app) windowText(ctx context.Context, p *planner.Plan) string {
	w, err := windowOf(p)
	if w == nil || err != nil {
		return "" // what was planned now has zones that there are
	}
	now := time.Now()
	l := newLedger(p, journal.Progress{}, now)
	// An estimate is a convenience: without a journal there is none.
	if j, err := journal.OpenForReading(ctx, a.dir); err == nil {
		l.known, _ = j.Durations(ctx, p.Name)
		_ = j.Close()
	}
	return l.fit(w, now)
}

// fitNow is fit at the begin of a run, for which a note is kept; nothing where there is
// nothing to say.
func (l *ledger) fitNow(w *window, now time.Time) string {
	if n, of := l.ended(); w == nil || n == of {
		return ""
	}
	if open, until := w.Open(now); open && until.IsZero() {
		return ""
	}
	return l.fit(w, now)
}

// opensFor gives when the window opens that the run is waiting for; zero: it is not.
func (acc *account) opensFor(now time.Time) time.Time {
	waiting := func(arg string) bool { return arg == "--wait-for-window" || arg == "--wait-for-window=true" }
	if acc.owner == nil || !slices.ContainsFunc(acc.last().Who.Command, waiting) || !acc.idle() {
		return time.Time{}
	}
	w, err := windowOf(acc.plan)
	if w == nil || err != nil {
		return time.Time{}
	}
	if open, until := w.Open(now); !open {
		return until
	}
	return time.Time{}
}

// fit words how long the window is open, and whether what is left fits into it.
func (l *ledger) fit(w *window, now time.Time) string {
	text, room := "", time.Duration(0)
	open, until := w.Open(now)
	switch {
	case open && until.IsZero():
		return "the maintenance window is always open"
	case !open && until.IsZero():
		return "the maintenance window never opens"
	case open:
		room = until.Sub(now)
		text = "the maintenance window is open until " + calendar.Moment(until, now) + ", for " + roughly(room)
	default:
		text = "the next maintenance window opens " + calendar.Moment(until, now)
		if _, closes := w.Open(until); !closes.IsZero() {
			room = closes.Sub(until)
			text += ", for " + roughly(room)
		}
	}
	left, known := l.left(now)
	switch {
	case !known:
		return text + "; no earlier run to estimate from"
	case room == 0 || left <= room:
		return text + "; about " + roughly(left) + " by an earlier run: it fits"
	}
	return text + "; about " + roughly(left) + " by an earlier run: it does not fit, and what has not begun by then is left for the next"
}
