package runner

import (
	"fmt"
	"slices"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
)

// finish takes stock of a lane's play. It was gone through when clean; else it was left
// in the middle, and how the process ended says what that means.
func (r *run) finish(l *lane, clean bool, out Outcome) {
	p := l.current
	l.current = nil
	state := ended
	var unknown, broken []string
	for _, h := range p.active {
		s := l.at[h]
		switch {
		case s.lost:
			state = failed
		case clean || s.whole || s.last && s.unit == len(p.Units)-1:
			for _, u := range p.Units[max(0, s.unit):] {
				r.record.host(u.ID, h, hostEnded, event.Event{})
			}
			p.due = slices.DeleteFunc(p.due, func(d string) bool { return d == h })
		case s.unit < 0 && !s.seen:
			r.record.host(p.Units[0].ID, h, hostUntouched, event.Event{})
			broken = append(broken, h)
		case !out.Known:
			r.record.host(p.Units[max(0, s.unit)].ID, h, hostUnknown, event.Event{})
			unknown = append(unknown, h)
		default:
			r.record.host(p.Units[max(0, s.unit)].ID, h, hostStopped, event.Event{})
			broken = append(broken, h)
		}
	}
	if len(unknown) > 0 || !out.Known && len(broken) > 0 && !clean {
		state = failed
		r.failures = append(r.failures, Failure{
			Unit: p.ID, Role: p.Role, State: string(hostUnknown), Hosts: unknown, Log: l.folder,
			Message: "its process ended in the middle, what became of it is unknown: " + out.Text,
		})
	} else if len(broken) > 0 {
		state = failed
	}
	active := p.active
	p.active = nil
	r.conclude(l, p, state)
	r.report(event.Event{
		Kind: event.UnitEnd, Stage: p.Stage, Unit: p.ID, Role: p.Role, State: p.state.String(), Hosts: active,
		Seconds: r.Now().Sub(p.began).Seconds(), Changed: l.changed(), Lost: l.lost(),
	})
}

// conclude decides what the play is now.
func (r *run) conclude(l *lane, p *play, state playState) {
	p.failures = append(p.failures, l.lost()...)
	if p.Batches && len(p.failures) <= r.allowed(p) && (state == ended || len(p.failures) > 0) && len(p.batches) > 0 {
		p.state = waiting // for its next batch
		return
	}
	r.settle(p)
	if p.state == failed && !r.KeepGoing && r.stopping == "" {
		r.stop(p.ID + " failed")
	}
}

// settle gives a play that has nothing more to do in this invocation its state.
func (r *run) settle(p *play) {
	switch {
	case len(p.due) == 0:
		p.state = ended
		r.finished = append(r.finished, p.ID)
	case len(p.failures) == 0 && p.held && len(p.batches) == 0 && r.stopping == "":
		p.state = held
	default:
		p.state = failed
	}
	for _, u := range p.Units {
		r.record.unitEnded(u.ID, p.state, r.Now())
	}
}

// allowed is how many hosts of a rolling role may fail.
func (r *run) allowed(p *play) int {
	role := r.Plan.RoleByName(p.Role)
	size, ok := roles.ParseSize(role.Rolling.MaxFailures)
	if !ok {
		return 0
	}
	if size.Percent {
		return len(role.Members) * size.N / 100
	}
	return size.N
}

// fail notes a play whose process did not start.
func (r *run) fail(p *play, host string, err error) {
	p.state = failed
	r.failures = append(r.failures, Failure{Unit: p.ID, Role: p.Role, Host: host, State: string(hostFailed), Message: err.Error()})
	if !r.KeepGoing {
		r.stop(p.ID + " failed")
	}
}

// result sums up.
func (r *run) result() Result {
	res := Result{Failures: r.failures, Ended: r.finished, State: Done, Out: r.out()}
	for _, p := range r.score.plays {
		if !p.state.over() {
			res.Open = append(res.Open, p.ID)
		}
	}
	switch {
	case len(r.failures) > 0:
		res.State = Failing
	case len(res.Open) > 0:
		res.State = Stopped
		res.Reason = r.stopping
		if i := slices.IndexFunc(r.score.plays, func(p *play) bool { return p.state == held }); i >= 0 && res.Reason == "" {
			p := r.score.plays[i]
			res.Reason = fmt.Sprintf("%d hosts of %s are left", len(p.due), p.Role)
		}
	}
	return res
}

// out gives the hosts that a rolling play took out of traffic and did not bring back.
func (r *run) out() []Out {
	var out []Out
	for _, p := range r.score.plays {
		if !slices.ContainsFunc(p.Units, func(u planner.Unit) bool { return u.Kind == planner.KindDrain }) {
			continue
		}
		for _, h := range p.due {
			if why, is := r.record.outOfTraffic(p, h); is {
				out = append(out, Out{Host: h, Role: p.Role, Why: why})
			}
		}
	}
	return out
}
