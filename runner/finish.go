package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/roles"
)

// finish takes stock of a lane's play. When clean it was gone through; else it was left
// in the middle, and how its process ended says what that means.
func (r *run) finish(l *lane, clean bool, out Outcome) {
	p := l.current
	if l.overdue && !clean {
		out = Outcome{Text: "it " + r.tooLong(p)}
	}
	end := len(p.Units) - 1
	for _, s := range l.at {
		if clean || s.whole {
			r.enter(l, end)
		}
	}
	l.current = nil
	var done, unknown []string
	broken := false
	for _, h := range p.active {
		s := l.at[h]
		switch {
		case s.lost:
		case clean || s.whole || s.last && s.unit == end:
			for n := max(0, s.unit); n <= end; n++ {
				r.endHost(p, n, h, s)
			}
			done = append(done, h)
			p.due = slices.DeleteFunc(slices.Clone(p.due), func(d string) bool { return d == h })
		case s.unit < 0:
			broken = true // nothing of it began
			r.record.host(p.Units[0].ID, h, journal.Host{State: journal.Stopped, Ended: r.Now()})
		case out.Known:
			broken = true
			r.record.host(p.Units[s.unit].ID, h, journal.Host{State: journal.Stopped, Changed: s.changed, Ended: r.Now()})
		default:
			unknown = append(unknown, h)
			r.record.host(p.Units[s.unit].ID, h, journal.Host{State: journal.Unknown, Changed: s.changed, Ended: r.Now(), Message: out.Text})
		}
	}
	switch {
	case len(unknown) > 0:
		r.failures = append(r.failures, Failure{
			Unit: p.ID, Role: p.Role, Hosts: unknown, State: journal.Unknown, Folder: l.folder,
			Message: "its process ended in the middle: " + out.Text,
		})
	case broken && len(l.lost()) == 0 && r.stopping == "":
		r.failures = append(r.failures, Failure{
			Unit: p.ID, Role: p.Role, Hosts: p.active, State: journal.Failed, Folder: l.folder,
			Message: "its process did not go through it: " + out.Text,
		})
	}
	active := p.active
	p.active = nil
	r.conclude(p, broken || len(unknown) > 0)
	r.report(event.Event{
		Kind: event.UnitEnd, Stage: p.Stage, Unit: p.ID, Role: p.Role, State: r.said(p, l.lost(), unknown, broken), Hosts: active, Done: done,
		Seconds: r.Now().Sub(p.began).Seconds(),
	})
}

// said is how views name the end of a play or of a batch.
func (r *run) said(p *play, lost, unknown []string, broken bool) string {
	switch {
	case len(unknown) > 0:
		return string(journal.Unknown)
	case len(lost) > 0 || p.state == failed:
		return string(journal.Failed)
	case broken:
		return string(journal.Stopped)
	}
	return string(journal.Ended)
}

// conclude decides what a play is after it, or one of its batches, was gone through.
func (r *run) conclude(p *play, broken bool) {
	if p.Batches && !broken && len(p.due) > 0 && len(p.lost) <= r.allowed(p) && (len(p.batches) > 0 || r.again(p)) {
		p.state = waiting // for its next batch
		for _, u := range p.Units[:p.reached+1] {
			r.record.unitEnded(u.ID, journal.Ended, r.Now()) // for these hosts
		}
		p.notBefore = r.Now().Add(time.Duration(r.Plan.RoleByName(p.Role).Rolling.Pause))
		return
	}
	r.settle(p)
	if p.state == failed {
		r.hold(p)
	}
}

// again takes up hosts that could not leave traffic, once the role's others are done.
// They have had the time to get rid of their sessions.
func (r *run) again(p *play) bool {
	if len(p.blocked) == 0 {
		return false
	}
	is := func(h string) bool { return slices.Contains(p.blocked, h) }
	p.batches = batches(p.blocked, r.Plan.RoleByName(p.Role).Rolling.Batches)
	p.lost = slices.DeleteFunc(p.lost, is)
	r.failures = slices.DeleteFunc(r.failures, func(f Failure) bool { return p.unit(f.Unit) >= 0 && slices.ContainsFunc(f.Hosts, is) })
	r.report(event.Event{
		Kind: event.Note, Stage: p.Stage, Unit: p.ID, Role: p.Role,
		Message: "tried again at the end of " + p.Role + ", for they could not leave traffic: " + strings.Join(p.blocked, ", "),
	})
	p.retried, p.blocked = append(p.retried, p.blocked...), nil
	return true
}

// hold lets nothing more begin behind a failure, unless the operator wants to go on.
func (r *run) hold(p *play) {
	if !r.KeepGoing && !r.adopting {
		r.stop(p.ID + " failed")
	}
}

// settle gives a play that has nothing more to do in this invocation its state.
func (r *run) settle(p *play) {
	open := func(h string) bool { return slices.Contains(p.due, h) }
	lost := func(h string) bool { return slices.Contains(p.lost, h) }
	missed := slices.ContainsFunc(p.take, func(h string) bool { return open(h) && !lost(h) })
	state := journal.Failed
	switch {
	case len(p.due) == 0:
		p.state, state, p.over = ended, journal.Ended, r.Now()
		r.finished = append(r.finished, p.ID)
	case missed || len(p.lost) > r.allowed(p):
		p.state = failed
	case len(p.lost) > 0:
		p.state = tolerated
	case len(r.Hosts)+len(r.Exclude) > 0:
		p.state, state = limited, journal.Started
	default:
		p.state, state = partial, journal.Started
	}
	if state == journal.Started || p.began.IsZero() {
		return
	}
	for _, u := range p.Units[:p.reached+1] {
		r.record.unitEnded(u.ID, state, r.Now())
	}
}

// allowed is how many hosts of a play's role may fail before it stops: none, if it is not rolling.
func (r *run) allowed(p *play) int {
	role := r.Plan.RoleByName(p.Role)
	if role == nil || role.Rolling == nil {
		return 0
	}
	size, _ := roles.ParseSize(role.Rolling.MaxFailures)
	return size.AtMost(len(role.Members))
}

// fail notes a play whose process did not start.
func (r *run) fail(p *play, err error) {
	p.state = failed
	r.failures = append(r.failures, Failure{Unit: p.ID, Role: p.Role, State: journal.Failed, Message: err.Error()})
	r.hold(p)
}

// result sums up.
func (r *run) result() Result {
	res := Result{State: Done, Failures: r.failures, Ended: r.finished, Waits: r.gates.waits}
	for _, id := range r.finished {
		res.Units += len(r.score.byID[id].Units)
	}
	var reasons []string
	for _, p := range r.score.plays {
		if p.state != ended {
			res.Open = append(res.Open, p.ID)
			res.Left += len(p.Units)
		}
		if p.state == partial {
			reasons = append(reasons, fmt.Sprintf("%d hosts of %s are left", len(p.due), p.Role))
		}
	}
	if res.Kept = r.kept(); len(res.Kept) > 0 && r.stopping == "" {
		for _, k := range res.Kept {
			reasons = append(reasons, k.String(r.Now()))
		}
	}
	for _, p := range r.score.plays {
		if p.state == left || p.state == limited {
			why := "not everything was selected"
			if !slices.ContainsFunc(r.score.plays, func(p *play) bool { return !p.began.IsZero() }) {
				why = "nothing that is selected is left to do"
			}
			reasons = append(reasons, why)
			res.Narrowed = true
			break
		}
	}
	ended := func(f Failure) bool { return r.interrupted && f.State == journal.Unknown } // as the operator asked
	switch {
	case r.refused:
		res.State, res.Reason = PreflightFailed, r.stopping
	case slices.ContainsFunc(r.failures, func(f Failure) bool { return !ended(f) }):
		res.State = Failing
	case r.stopping != "":
		res.State, res.Reason = Stopped, r.stopping
	case len(reasons) > 0:
		res.State, res.Reason = Stopped, strings.Join(reasons, "; ")
	}
	return res
}
