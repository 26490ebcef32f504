package runner

import (
	"fmt"
	"time"

	"github.com/upstep/upstep/event"
)

// glance is how often a run that waits for a window looks at the clock, at least: timers
// stand still while a machine sleeps, and clocks are set.
const glance = time.Minute

// alarm gives a channel on which the earliest of what has its time comes: the end of a
// pause or of the time that a unit may take, a window. off ends it.
func (r *run) alarm() (c <-chan time.Time, off func()) {
	var next time.Time
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, p := range r.score.plays {
		if r.pausing(p) {
			sooner(p.notBefore)
		}
	}
	for _, l := range r.lanes {
		if t, has := r.deadline(l); has {
			sooner(t)
		}
	}
	if opens := r.gates.opens; !opens.IsZero() {
		sooner(opens)
		sooner(r.Now().Add(glance))
	}
	if next.IsZero() {
		return nil, func() {}
	}
	timer := time.NewTimer(next.Sub(r.Now()))
	return timer.C, func() { timer.Stop() }
}

// deadline says when the unit that a lane is at must have ended.
func (r *run) deadline(l *lane) (time.Time, bool) {
	if l.current == nil || l.process == nil || l.overdue {
		return time.Time{}, false
	}
	limit := r.limit(l.current)
	return l.since.Add(limit), limit > 0
}

// limit is how long each unit of a play may take; 0: as long as it wants.
func (r *run) limit(p *play) time.Duration {
	if role := r.Plan.RoleByName(p.Role); role != nil && role.Rolling != nil {
		return time.Duration(role.Rolling.UnitTimeout)
	}
	return 0
}

// expire ends the processes whose units took too long.
func (r *run) expire() {
	for _, l := range r.lanes {
		if t, has := r.deadline(l); !has || t.After(r.Now()) {
			continue
		}
		l.overdue = true
		r.report(event.Event{Kind: event.Note, Message: l.current.Units[l.reached].ID + ": it " + r.tooLong(l.current) + "; its process is ended"})
		go func(p Process) { _ = p.Terminate() }(l.process)
	}
}

// tooLong says why a unit was ended.
func (r *run) tooLong(p *play) string {
	return fmt.Sprintf("took longer than its unit_timeout of %v", r.limit(p))
}
