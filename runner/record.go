package runner

import (
	"context"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
)

// record gathers what happened since the last commit. Without a journal nothing is
// kept, as in a run that only checks.
type record struct {
	journal *journal.Journal
	run     journal.RunID
	changes []func(*journal.Tx)
	span    *span // the last of changes, as long as events of one process follow each other
	at      map[int]int64
}

// span is consecutive events of a process.
type span struct {
	process  int
	from, to int64
	events   []event.Event
}

func (r *record) add(f func(*journal.Tx)) {
	r.span = nil
	if r.journal != nil {
		r.changes = append(r.changes, f)
	}
}

// taken records an event that stands before an offset in its process's file; offset 0 is
// for events that stand in none, of which only the names of secrets are kept.
func (r *record) taken(process int, offset int64, e event.Event) {
	if offset == 0 {
		r.add(func(t *journal.Tx) { t.Values(e.Values) })
		return
	}
	if r.span == nil || r.span.process != process {
		s := &span{process: process, from: r.at[process]}
		r.add(func(t *journal.Tx) { t.Taken(s.process, s.from, s.to, s.events...) })
		r.span = s
	}
	r.span.to, r.at[process] = offset, offset
	r.span.events = append(r.span.events, e)
}

func (r *record) event(e event.Event) { r.add(func(t *journal.Tx) { t.Event(e) }) }

func (r *record) processStarted(p journal.Process) {
	r.add(func(t *journal.Tx) { t.ProcessStarted(p) })
}

func (r *record) processEnded(number int, outcome string, at time.Time) {
	r.add(func(t *journal.Tx) { t.ProcessEnded(number, outcome, at) })
}

func (r *record) unitStarted(unit, digest string, hosts []string, at time.Time) {
	r.add(func(t *journal.Tx) { t.UnitStarted(unit, digest, hosts, at) })
}

func (r *record) host(unit, host string, h journal.Host) {
	r.add(func(t *journal.Tx) { t.Host(unit, host, h) })
}

func (r *record) unitEnded(unit string, s journal.State, at time.Time) {
	r.add(func(t *journal.Tx) { t.UnitEnded(unit, s, at) })
}

func (r *record) postUpgrade() { r.add(func(t *journal.Tx) { t.PostUpgrade() }) }

// commit puts everything on disk. What was gathered stays gathered when that fails.
func (r *record) commit(ctx context.Context) error {
	if len(r.changes) == 0 {
		return nil
	}
	err := r.journal.Write(ctx, r.run, func(t *journal.Tx) error {
		for _, f := range r.changes {
			f(t)
		}
		return nil
	})
	if err == nil {
		r.changes, r.span = nil, nil
	}
	return err
}
