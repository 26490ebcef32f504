package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
)

// UnmetError says that a selection leaves out what it depends on.
type UnmetError struct {
	Unit string
	On   []string
}

// Error names the first of what is left out.
func (e *UnmetError) Error() string {
	return fmt.Sprintf("%s waits for %s, which has not ended and is not selected", e.Unit, e.On[0])
}

// resume takes over what earlier invocations did: nothing, for a new run.
func (r *run) resume(ctx context.Context, stop <-chan string) error {
	r.gates = gates{approved: map[string]bool{}, answers: make(chan decision, 1)}
	maps.Copy(r.gates.approved, r.Approved)
	if r.Journal != nil {
		if err := r.load(ctx); err != nil {
			return err
		}
		if err := r.adopt(ctx, stop); err != nil {
			return err
		}
		r.values = valueLog{}
		for _, run := range []journal.RunID{journal.RunID(r.Plan.Undo), r.Run} { // a rollback knows what the upgrade learned
			if run == "" {
				continue
			}
			values, err := r.Journal.Values(context.WithoutCancel(ctx), run)
			if err != nil {
				return err
			}
			r.values.add(0, values)
		}
	}
	r.choose()
	if err := r.narrow(); err != nil {
		return err
	}
	return r.undecided()
}

// UndecidedError says that a task that must run once may have run or not.
type UndecidedError struct{ Unit string }

// Error names the unit.
func (e *UndecidedError) Error() string {
	return e.Unit + " holds a task that runs once, and how it ended is unknown"
}

// Hint says how to decide.
func (e *UndecidedError) Hint() string {
	return "look at the hosts: if it was done, upstep skip RUN " + e.Unit + " --reason TEXT; if not, --rerun " + e.Unit
}

// undecided refuses to guess about what runs once.
func (r *run) undecided() error {
	for _, p := range r.score.plays {
		for _, u := range p.Units {
			if p.state != waiting || !u.Once || slices.Contains(r.Rerun, u.ID) {
				continue
			}
			for _, h := range r.done.Units[u.ID].Hosts {
				if h.State == journal.Unknown {
					return &UndecidedError{u.ID}
				}
			}
		}
	}
	return nil
}

// load reads what the run did.
func (r *run) load(ctx context.Context) (err error) {
	r.done, err = r.Journal.Progress(ctx, r.Run)
	return err
}

// did tells whether a host has ended all units of a play.
func (r *run) did(p *play, host string) bool {
	return !slices.ContainsFunc(p.Units, func(u planner.Unit) bool {
		unit := r.done.Units[u.ID]
		switch {
		case slices.Contains(r.Rerun, u.ID):
			return true
		case unit.State == journal.Skipped, unit.Hosts[host].State.Passed():
			return false
		}
		// What runs once has run for all, also for a host that came later.
		return !u.Once || !anyEnded(unit)
	})
}

// choose says of every play which hosts it has left and which of them this invocation
// takes.
func (r *run) choose() {
	for _, p := range r.score.plays {
		p.state, p.lost, p.active, p.batches, p.began, p.reached, p.blocked, p.retried = waiting, nil, nil, nil, time.Time{}, 0, nil, nil
		p.over = r.done.EndOf(p.Units)
		if p.members != nil {
			r.chooseHosts(p)
		} else if r.done.Units[p.ID].State.Passed() {
			p.state = ended
		}
	}
}

// chooseHosts has those that had begun come first.
func (r *run) chooseHosts(p *play) {
	var begun, fresh []string
	for _, h := range p.members {
		switch {
		case r.did(p, h):
		case slices.ContainsFunc(p.Units, func(u planner.Unit) bool { return r.done.Units[u.ID].Hosts[h].State != "" }):
			begun = append(begun, h)
		default:
			fresh = append(fresh, h)
		}
	}
	p.due = append(begun, fresh...)
	if len(p.due) == 0 {
		p.state = ended
		return
	}
	p.take = slices.DeleteFunc(slices.Clone(p.due), func(h string) bool {
		return len(r.Hosts) > 0 && !slices.Contains(r.Hosts, h) || slices.Contains(r.Exclude, h)
	})
	if !p.Batches {
		return
	}
	ro := r.Plan.RoleByName(p.Role).Rolling
	share := ro.Percentage
	if r.Percentage > 0 {
		share = r.Percentage
	}
	if share < 100 {
		p.take = p.take[:min(len(p.take), roles.Canary(len(p.members), share))]
	}
	p.batches = batches(p.take, ro.Batches)
}

// batches cuts hosts into batches as large as those of the plan.
func batches(hosts []string, like [][]string) [][]string {
	var out [][]string
	for i := 0; len(hosts) > 0; i++ {
		n := len(hosts)
		if len(like) > 0 {
			n = min(n, len(like[min(i, len(like)-1)]))
		}
		out = append(out, hosts[:n:n])
		hosts = hosts[n:]
	}
	return out
}

// narrow leaves out what is not selected.
func (r *run) narrow() error {
	if !r.Selection.narrow() {
		return nil
	}
	for _, p := range r.score.plays {
		if p.state == waiting && (!r.Has(p.Play) || p.members != nil && len(p.take) == 0) {
			p.state = left
		}
	}
	if r.WithoutDependencies {
		return nil
	}
	for _, p := range r.score.plays {
		if p.state != waiting || p.Role == "" {
			continue
		}
		if on := r.score.leftBefore(p); len(on) > 0 {
			return &UnmetError{Unit: p.ID, On: on}
		}
	}
	return nil
}

// adopt takes in what processes of a killed upstep have left, and waits for those that
// still run: none is ever started beside them.
func (r *run) adopt(ctx context.Context, stop <-chan string) error {
	processes, err := r.Journal.Processes(ctx, r.Run)
	if err != nil {
		return err
	}
	r.choose()
	r.adopting = true
	for _, p := range processes {
		r.number = max(r.number, p.Number)
		if !p.Ended.IsZero() {
			continue
		}
		l := r.laneOf(p.Book)
		l.number, l.folder, l.adopted, l.early = p.Number, p.Folder, true, map[string]event.Event{}
		r.record.at[p.Number] = p.Offset
		r.reseat(l)
		proc, err := r.Executor.Adopt(p.Folder, p.Offset)
		if err != nil {
			// It was killed before it was started, or on a machine that is lost.
			if l.current != nil {
				r.finish(l, false, Outcome{Text: err.Error()})
			}
			r.record.processEnded(p.Number, err.Error(), r.Now())
			continue
		}
		r.report(event.Event{Kind: event.Note, Message: "taking over what " + p.Book + " of an interrupted run does or did"})
		r.follow(context.WithoutCancel(ctx), l, proc)
	}
	if err := r.pump(ctx, stop, func() {}); err != nil {
		return err
	}
	for _, l := range r.lanes {
		l.adopted = false
	}
	r.adopting, r.failures = false, nil // what it failed is what this invocation takes up again
	return r.load(context.WithoutCancel(ctx))
}

// reseat finds the play that a process was at, and where its hosts were.
func (r *run) reseat(l *lane) {
	for _, p := range l.plays {
		at := map[string]*seat{}
		var active []string
		reached := 0
		for i, u := range p.Units {
			for h, host := range r.done.Units[u.ID].Hosts {
				if host.State == journal.Started {
					if at[h] == nil { // units begin for all hosts, and end one by one
						active = append(active, h)
						at[h] = &seat{unit: i, changed: host.Changed, acted: true} // for all that is known
					}
					reached = max(reached, i)
				}
			}
		}
		if len(active) == 0 {
			continue
		}
		slices.Sort(active)
		if p.members == nil {
			p.due = r.remaining(p)
			p.take = p.due
		}
		l.current, l.at, l.reached, l.began, p.reached = p, at, reached, true, reached
		l.since = r.done.Units[p.Units[reached].ID].Started
		p.state, p.active, p.began = running, active, r.done.Units[p.Units[0].ID].Started
		return
	}
}

// remaining gives the hosts of a deployment's play that it was begun on and that have not
// ended it.
func (r *run) remaining(p *play) []string {
	var out []string
	for h := range r.done.Units[p.ID].Hosts {
		if !r.did(p, h) {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out
}
