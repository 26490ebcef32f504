package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/planner"
)

// lane is a playbook and the process that goes through its plays, when there is one.
type lane struct {
	book    string
	plays   []*play
	process Process
	number  int          // of the process, in the run
	gate    *event.Event // it waits here
	current *play        // it works on this
	adopted bool         // left by an upstep that was killed: it takes no answer
	ending  bool         // it was told to end
	known   int          // how much of the shared values it knows
	at      map[string]*seat
}

// seat is how far a host is in the lane's current play.
type seat struct {
	unit  int  // the unit of the play that it was last seen in; -1 before the first event
	last  bool // it came to that unit's end
	lost  bool
	whole bool // it went through all of the play's units
	retry bool // a failed try of the play was rescued
}

// dispatch gives leave to what may begin, and starts processes for it.
func (r *run) dispatch(ctx context.Context) {
	ready := r.score.ready()
	for _, l := range r.lanes {
		if l.gate != nil && !l.adopted {
			r.atGate(l, ready)
		}
	}
	if r.stopping != "" {
		return
	}
	busy := 0
	for _, l := range r.lanes {
		if l.process != nil {
			busy++
		}
	}
	for _, p := range ready {
		l := r.laneOf(p)
		if l.process != nil || !r.mayBegin(p) {
			continue
		}
		if r.Parallelism > 0 && busy >= r.Parallelism && !r.makeRoom(ready) {
			return
		}
		if err := r.start(ctx, l); err != nil {
			r.fail(p, "", err)
			continue
		}
		busy++
	}
}

// atGate answers the play that a lane waits at, or lets it wait.
func (r *run) atGate(l *lane, ready []*play) {
	if r.stopping != "" || !r.wanted(l) {
		r.answer(l, event.Answer{Do: event.Stop})
		return
	}
	if l.gate.Unit == "" { // it names the role's hosts and gathers their facts
		r.answer(l, event.Answer{Do: event.Go, Hosts: l.allHosts()})
		return
	}
	p := r.score.byID[l.gate.Unit]
	switch {
	case p == nil || p.state != waiting && p.state != running:
		r.answer(l, event.Answer{Do: event.Skip})
	case l.passed(p) != nil:
		// The play before has hosts left, such as those of a batch that is tried again:
		// another process takes them.
		r.answer(l, event.Answer{Do: event.Stop})
	case slices.Contains(ready, p) && r.mayBegin(p):
		r.begin(l, p)
	}
}

// passed gives a play that the lane came past while it still has hosts to do.
func (l *lane) passed(p *play) *play {
	for _, q := range l.plays {
		if q == p {
			return nil
		}
		if (q.state == waiting || q.state == running) && len(q.due) > 0 {
			return q
		}
	}
	return nil
}

// wanted tells whether a lane still has something to do in this invocation.
func (r *run) wanted(l *lane) bool {
	return slices.ContainsFunc(l.plays, func(p *play) bool { return p.state == waiting || p.state == running })
}

func (l *lane) allHosts() []string {
	var out []string
	for _, p := range l.plays {
		if p.state != waiting && p.state != running {
			continue
		}
		for _, h := range p.due {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// makeRoom ends a process that waits for what is not ready yet.
func (r *run) makeRoom(ready []*play) bool {
	for _, l := range r.lanes {
		if l.gate != nil && !l.adopted && !slices.Contains(ready, r.score.byID[l.gate.Unit]) {
			r.answer(l, event.Answer{Do: event.Stop})
			return false // its place is free when it has gone
		}
	}
	return false
}

func (r *run) laneOf(p *play) *lane {
	for _, l := range r.lanes {
		if l.book == p.book {
			return l
		}
	}
	l := &lane{book: p.book}
	for _, q := range r.score.plays {
		if q.book == p.book {
			l.plays = append(l.plays, q)
		}
	}
	r.lanes = append(r.lanes, l)
	return l
}

// start makes the process of a lane. It touches no host before it is answered.
func (r *run) start(ctx context.Context, l *lane) error {
	r.number++
	folder := filepath.Join(r.Folder, fmt.Sprintf("%02d-%s", r.number, strings.TrimSuffix(l.book, ".yml")))
	r.record.processStarted(r.number, l.book, folder, r.Now())
	if err := r.commit(ctx); err != nil {
		return err
	}
	p, err := r.Executor.Start(context.WithoutCancel(ctx), Job{Folder: folder, Book: l.book})
	if err != nil {
		r.record.processEnded(r.number, err.Error(), r.Now())
		return err
	}
	l.process, l.number, l.known, l.adopted = p, r.number, 0, false
	go r.pump(context.WithoutCancel(ctx), l, p)
	return nil
}

// answer is sent when what it stands for is written down.
func (r *run) answer(l *lane, a event.Answer) {
	if a.Do == event.Go {
		a.Values, l.known = r.values.since(l.known, l)
	}
	if a.Do == event.Stop {
		l.ending = true
	}
	l.gate = nil
	r.answers = append(r.answers, answer{l, a})
}

// begin gives leave to a play, or to its next batch.
func (r *run) begin(l *lane, p *play) {
	hosts := p.due
	if p.Batches {
		if len(p.batches) == 0 {
			r.answer(l, event.Answer{Do: event.Skip})
			return
		}
		hosts = p.batches[0]
		p.batches = p.batches[1:]
		hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return !slices.Contains(p.due, h) })
	}
	if hosts == nil { // not known before: those of the play itself
		hosts = slices.Clone(l.gate.Hosts)
		p.due = hosts
	}
	if len(hosts) == 0 {
		r.settle(p)
		r.answer(l, event.Answer{Do: event.Skip})
		return
	}
	p.state, p.active, l.current = running, hosts, p
	l.at = map[string]*seat{}
	for _, h := range hosts {
		l.at[h] = &seat{unit: -1}
	}
	for _, u := range p.Units {
		r.record.unitStarted(u.ID, r.Plan.Digest(u), hosts, r.Now())
	}
	r.report(event.Event{Kind: event.UnitStart, Stage: p.Stage, Unit: p.ID, Role: p.Role, Hosts: hosts})
	a := event.Answer{Do: event.Go, Hosts: hosts}
	if p.Batches {
		// The run itself takes the share of hosts that a percentage leaves.
		for _, h := range hosts {
			a.Values = append(a.Values, event.Value{Host: h, Name: "upstep_whole", JSON: json.RawMessage("true")})
		}
	}
	extra := a.Values
	r.answer(l, a)
	last := &r.answers[len(r.answers)-1]
	last.Values = append(last.Values, extra...)
}

// took takes an event of a process.
func (r *run) took(l *lane, e event.Event, offset int64) {
	r.place(l, &e)
	r.record.event(l.number, offset, e)
	switch e.Kind { //nolint:exhaustive // the others are for views
	case event.Gate:
		if l.current != nil {
			r.finish(l, true, Outcome{})
		}
		l.gate = &e
		return
	case event.End:
		if l.current != nil {
			r.finish(l, len(l.lost()) == 0, Outcome{Known: true})
		}
		return
	case event.Vars:
		r.values.add(l, e.Values)
		l.known = max(l.known, 0)
		r.record.values(e.Values)
		return
	}
	if l.current != nil && e.Host != "" && e.Item == "" {
		r.seat(l, e)
	}
	r.Report(e)
}

// place says where in the plan an event belongs, and where its task was written.
func (r *run) place(l *lane, e *event.Event) {
	e.Run = r.ID
	if l.current != nil {
		e.Stage, e.Role = l.current.Stage, l.current.Role
		if e.Unit == "" {
			e.Unit = l.current.ID
		}
	}
	if e.Task != nil && e.Task.File != "" {
		if file, line, ok := r.Tree.Origin(e.Task.File, e.Task.Line); ok {
			e.Task.Source = fmt.Sprintf("%s:%d", file, line)
		}
	}
}

// seat moves a host on in the current play.
func (r *run) seat(l *lane, e event.Event) {
	s := l.at[e.Host]
	if s == nil {
		return // a delegated or an added host
	}
	p := l.current
	own := e.Task == nil || !strings.Contains(e.Task.File, "/") // of the play itself, not of a unit
	if i := slices.IndexFunc(p.Units, func(u planner.Unit) bool { return u.ID == e.Unit }); i >= 0 && !own {
		if i > s.unit && s.unit >= 0 && !s.lost {
			for _, u := range p.Units[s.unit:i] {
				r.record.host(u.ID, e.Host, hostEnded, e)
			}
		}
		s.unit, s.last = i, e.Last && e.Kind != event.Start
		if s.last && !s.lost {
			r.record.host(p.Units[i].ID, e.Host, hostEnded, e)
		}
	}
	switch {
	case e.Kind == event.Failed && own && p.Batches:
		// The batch's end says that another host was lost; this one went through.
		s.whole = true
	case e.Kind == event.Failed && e.Rescued:
		s.retry = true
	case e.Kind == event.Failed && !e.Ignored, e.Kind == event.Unreachable && !e.Ignored:
		s.lost = true
		r.lose(l, e)
	}
}

// lose notes that a host failed.
func (r *run) lose(l *lane, e event.Event) {
	p := l.current
	state := hostFailed
	if e.Kind == event.Unreachable {
		state = hostUnreachable
	}
	p.lost = append(p.lost, e.Host)
	unit := e.Unit
	if !slices.ContainsFunc(p.Units, func(u planner.Unit) bool { return u.ID == unit }) && len(p.Units) > 0 {
		unit = p.Units[max(0, l.at[e.Host].unit)].ID
	}
	r.record.host(unit, e.Host, state, e)
	r.failures = append(r.failures, Failure{
		Unit: unit, Role: p.Role, Host: e.Host, State: string(state), Task: e.Task,
		Message: e.Message, Stdout: e.Stdout, Stderr: e.Stderr, Log: l.folder,
	})
}

func (l *lane) lost() []string {
	var out []string
	for h, s := range l.at {
		if s.lost {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out
}
