package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// lane is a playbook and the process that goes through its plays, when there is one.
type lane struct {
	book    string
	plays   []*play
	process Process
	number  int                    // of the process, in the run
	gate    *event.Event           // it waits here
	current *play                  // it works on this
	folder  string                 // of the process
	adopted bool                   // left by an upstep that was killed: nobody answers it
	known   int                    // how much of the shared values it was told
	began   bool                   // the current play did, after its answer
	reached int                    // the furthest unit of the current play that began
	trouble string                 // what the process said of its own failure
	since   time.Time              // when that unit began
	overdue bool                   // it took longer than it may, and its process is being ended
	opened  bool                   // some play began in the process's life
	dead    []string               // hosts that the process lost, and knows no more
	left    bool                   // the process was told to end
	early   map[string]event.Event // what took hosts out of the process before a play began
	// rebooted are hosts whose facts are those of before.
	rebooted []string
	at       map[string]*seat
}

// seat is how far a host is in the lane's current play.
type seat struct {
	unit    int  // the unit of the play that it was last seen in; -1 before the first
	last    bool // it came to that unit's end
	whole   bool // it went through all units of the play
	lost    bool
	changed bool // in the unit
	acted   bool // a task of the unit was not skipped
}

// dispatch gives leave to what may begin, and starts processes for it.
func (r *run) dispatch(ctx context.Context) {
	if r.checkup != nil {
		r.look(ctx)
		return
	}
	ready := r.score.ready()
	r.atGates(ctx, ready)
	if r.halted() {
		return
	}
	busy := 0
	for _, l := range r.lanes {
		if l.process != nil {
			busy++
		}
	}
	for _, p := range ready {
		l := r.laneOf(p.book)
		if l.process != nil || !r.mayBegin(ctx, p) {
			continue
		}
		if r.Parallelism > 0 && busy >= r.Parallelism {
			r.makeRoom(ready)
			break
		}
		if err := r.start(ctx, l); err != nil {
			r.fail(p, err)
			continue
		}
		busy++
	}
	r.unstick()
}

// unstick ends processes that wait for what can't come any more: behind a failure.
func (r *run) unstick() {
	if len(r.answers) > 0 || r.waits() {
		return
	}
	for _, l := range r.lanes {
		if l.process != nil && l.gate == nil {
			return
		}
	}
	for _, l := range r.lanes {
		if l.gate != nil && !l.adopted {
			r.answer(l, event.Answer{Do: event.Stop})
		}
	}
}

// atGates answers the plays that wait, or lets them wait. Where one of them halts the run,
// those that were let wait before it are told as well: nothing else would.
func (r *run) atGates(ctx context.Context, ready []*play) {
	halted := r.halted()
	for _, l := range r.lanes {
		if l.gate != nil && !l.adopted {
			r.atGate(ctx, l, ready)
		}
	}
	if r.halted() && !halted {
		r.atGates(ctx, ready)
	}
}

// atGate answers the play that a lane waits at, or lets it wait.
func (r *run) atGate(ctx context.Context, l *lane, ready []*play) {
	id := l.gate.Unit
	p := r.score.byID[id]
	switch {
	case r.halted() || !l.wanted():
		r.answer(l, event.Answer{Do: event.Stop})
	case id == "": // it names the role's hosts and gathers their facts
		r.answer(l, event.Answer{Do: event.Go, Hosts: l.allHosts(), Forget: l.rebooted})
		l.rebooted = nil
	case len(l.rebooted) > 0:
		// What is known of a host is that of before: another process gathers it anew.
		r.answer(l, event.Answer{Do: event.Stop})
	case p == nil || p.state != waiting:
		r.answer(l, event.Answer{Do: event.Skip})
	case l.passed(p):
		// A play before has hosts left, such as those of a batch that lost one: another
		// process takes them.
		r.answer(l, event.Answer{Do: event.Stop})
	case len(p.batches) > 0 && slices.ContainsFunc(p.batches[0], func(h string) bool { return slices.Contains(l.dead, h) }):
		r.answer(l, event.Answer{Do: event.Stop})
	case slices.Contains(ready, p) && r.mayBegin(ctx, p):
		r.begin(l, p)
	}
}

// passed tells whether the lane came past a play that still waits.
func (l *lane) passed(p *play) bool {
	for _, q := range l.plays {
		if q == p {
			return false
		}
		if q.state == waiting {
			return true
		}
	}
	return false
}

// wanted tells whether a lane has anything to do yet in this invocation.
func (l *lane) wanted() bool {
	return slices.ContainsFunc(l.plays, func(p *play) bool { return p.state == waiting })
}

// allHosts gives the hosts that the lane's plays still have to do; none for those of a
// deployment, which are known when they are there.
func (l *lane) allHosts() []string {
	var out []string
	for _, p := range l.plays {
		if p.state != waiting {
			continue
		}
		for _, h := range p.take {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// makeRoom ends a process that waits for what is not ready yet; its place is free when
// it has gone.
func (r *run) makeRoom(ready []*play) {
	for _, l := range r.lanes {
		if l.gate != nil && !l.adopted && !slices.Contains(ready, r.score.byID[l.gate.Unit]) {
			r.answer(l, event.Answer{Do: event.Stop})
			return
		}
	}
}

// laneOf gives the lane of a playbook.
func (r *run) laneOf(book string) *lane {
	for _, l := range r.lanes {
		if l.book == book {
			return l
		}
	}
	l := &lane{book: book}
	for _, q := range r.score.plays {
		if q.book == book {
			l.plays = append(l.plays, q)
		}
	}
	r.lanes = append(r.lanes, l)
	return l
}

// start makes the process of a lane.
func (r *run) start(ctx context.Context, l *lane) error {
	r.number++
	l.number, l.known, l.adopted, l.opened, l.left, l.overdue, l.early = r.number, 0, false, false, false, false, map[string]event.Event{}
	l.dead = nil
	l.folder = filepath.Join(r.Folder, fmt.Sprintf("%02d-%s", r.number, strings.TrimSuffix(l.book, ".yml")))
	r.record.processStarted(journal.Process{Number: r.number, Book: l.book, Folder: l.folder, Started: r.Now()})
	if err := r.record.commit(ctx); err != nil {
		return err
	}
	p, err := r.Executor.Start(context.WithoutCancel(ctx), Job{Folder: l.folder, Book: l.book, Forks: r.forks(l)})
	if err != nil {
		r.record.processEnded(r.number, err.Error(), r.Now())
		return err
	}
	r.follow(context.WithoutCancel(ctx), l, p)
	return nil
}

// answer is sent when what it stands for is on disk.
func (r *run) answer(l *lane, a event.Answer) {
	if a.Do == event.Go {
		var news []event.Value
		news, l.known = r.values.since(l.known, l.number)
		a.Values = append(news, a.Values...)
	}
	l.gate, l.left = nil, a.Do == event.Stop
	r.answers = append(r.answers, answer{l, a})
}

// begin gives leave to a play, or to its next batch.
func (r *run) begin(l *lane, p *play) {
	if p.members == nil && p.due == nil { // a deployment's hosts are known now
		p.due = slices.DeleteFunc(slices.Clone(l.gate.Hosts), func(h string) bool { return r.did(p, h) })
		p.take = p.due
	}
	hosts := r.nextHosts(p)
	if len(hosts) == 0 {
		if p.members == nil { // nothing is left to do in it, also where no host matched
			r.open(l, p, nil)
			r.finish(l, true, Outcome{Known: true})
		} else {
			r.settle(p)
		}
		r.answer(l, event.Answer{Do: event.Skip})
		return
	}
	a := event.Answer{Do: event.Go, Hosts: hosts}
	if p.Batches {
		// The run itself takes the share of hosts that a percentage leaves.
		for _, h := range hosts {
			a.Values = append(a.Values, event.Value{Host: h, Name: "upstep_whole", JSON: json.RawMessage("true")})
		}
	}
	if fact := playbooks.LeaveFact(r.Plan, p.Play); fact != "" {
		for _, h := range hosts {
			a.Values = append(a.Values, event.Value{Host: h, Name: fact, JSON: json.RawMessage("true")})
		}
	}
	r.open(l, p, hosts)
	r.answer(l, a)
}

// nextHosts gives the hosts that a play, or its next batch, works on. Hosts that the role
// lost before stay lost: Ansible left them out too.
func (r *run) nextHosts(p *play) []string {
	for _, q := range r.score.plays {
		if q == p || q.Role != p.Role || p.Role == "" {
			continue
		}
		for _, h := range q.lost {
			if slices.Contains(p.take, h) && !slices.Contains(p.lost, h) {
				p.lost = append(p.lost, h)
			}
		}
	}
	here := func(hosts []string) []string {
		return slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return slices.Contains(p.lost, h) })
	}
	if !p.Batches {
		return here(p.take)
	}
	for len(p.batches) > 0 {
		hosts := here(p.batches[0])
		p.batches = p.batches[1:]
		if len(hosts) > 0 {
			return hosts
		}
	}
	return nil
}

// open notes that a play begins on hosts. Those that the process lost on its way there
// fail in it.
func (r *run) open(l *lane, p *play, hosts []string) {
	p.state, p.active, p.began, l.current = running, hosts, r.Now(), p
	l.at = map[string]*seat{}
	for _, h := range hosts {
		l.at[h] = &seat{unit: -1}
	}
	if p.Stage == planner.PostUpgrade && r.Plan.Undo == "" {
		r.record.postUpgrade()
	}
	l.reached, l.since, l.began, l.opened, l.trouble = 0, p.began, false, true, ""
	r.record.unitStarted(p.Units[0].ID, r.Plan.Digest(p.Units[0].ID), hosts, p.began)
	r.report(event.Event{Kind: event.UnitStart, Stage: p.Stage, Unit: p.ID, Role: p.Role, Hosts: hosts})
	for _, h := range hosts {
		if e, lost := l.early[h]; lost {
			l.at[h].lost = true
			r.lose(l, e)
		}
	}
}

// took takes an event of a process.
func (r *run) took(l *lane, e event.Event, offset int64) {
	r.place(l, &e)
	r.record.taken(l.number, offset, e)
	switch e.Kind { //nolint:exhaustive // the others are of tasks
	case event.Gate:
		if l.current != nil {
			r.finish(l, l.began, Outcome{Known: true})
		}
		l.gate = &e
		return
	case event.End:
		if l.current != nil {
			r.finish(l, l.began && e.State == "" && len(l.lost()) == 0, Outcome{Known: true, Text: l.trouble})
		}
		return
	case event.Play:
		l.began = true
	case event.Note:
		l.trouble = e.Message
	case event.Vars:
		r.values.add(l.number, e.Values)
		return
	}
	if l.current == nil && isLoss(e) {
		l.early[e.Host] = e
	}
	if l.current == nil || e.Host == "" || e.Item != "" || r.move(l, e) {
		r.Report(e)
	}
}

// isLoss tells whether an event takes a host out of its process.
func isLoss(e event.Event) bool {
	return (e.Kind == event.Failed || e.Kind == event.Unreachable) && e.Item == "" && !e.Ignored && !e.Rescued
}

// place says where in the plan an event belongs, and where its task was written.
func (r *run) place(l *lane, e *event.Event) {
	e.Run = string(r.Run)
	if p := l.current; p != nil {
		e.Stage, e.Role = p.Stage, p.Role
		if e.Unit == "" && e.Kind != event.Gate {
			e.Unit = p.ID
		}
	}
	if e.Task != nil && e.Task.File != "" {
		if file, line, ok := r.Tree.Origin(e.Task.File, e.Task.Line); ok {
			e.Task.Source = fmt.Sprintf("%s:%d", file, line)
		}
	}
}

// move moves a host on in the current play, and tells whether that is worth telling.
func (r *run) move(l *lane, e event.Event) bool {
	s := l.at[e.Host]
	if s == nil {
		return true // a host that was added
	}
	if (e.Kind == event.OK || e.Kind == event.Changed) && e.Task != nil && strings.TrimPrefix(e.Task.Action, "ansible.builtin.") == "reboot" {
		l.rebooted = append(l.rebooted, e.Host)
	}
	p := l.current
	own := e.Task != nil && !strings.Contains(e.Task.File, "/") // the play's, not a unit's
	if i := p.unit(e.Unit); i >= 0 && !own {
		r.enter(l, i)
		if i != s.unit {
			for n := max(0, s.unit); n < i && s.unit >= 0; n++ {
				r.endHost(p, n, e.Host, s)
			}
			s.unit, s.last, s.changed, s.acted = i, false, false, false
		}
		s.changed = s.changed || e.Kind == event.Changed
		s.acted = s.acted || !onVersions(e) && (e.Kind == event.OK || e.Kind == event.Changed || e.Kind == event.Failed || e.Kind == event.Unreachable)
		s.last = e.Last && e.Kind != event.Start && e.Kind != event.Retry
	}
	switch {
	case !isLoss(e):
	case own && e.Kind == event.Failed && playbooks.IsGate(e.Task.Name):
		s.whole = true
		return false
	default:
		s.lost = true
		r.lose(l, e)
	}
	return true
}

// enter notes that the current play came to another of its units.
func (r *run) enter(l *lane, unit int) {
	p := l.current
	for ; l.reached < unit; l.reached++ {
		id := p.Units[l.reached+1].ID
		var hosts []string
		for _, h := range p.active {
			if !l.at[h].lost {
				hosts = append(hosts, h)
			}
		}
		l.since = r.Now()
		r.record.unitStarted(id, r.Plan.Digest(id), hosts, l.since)
	}
	p.reached = max(p.reached, l.reached)
}

// onVersions tells whether an event is of a task that decides by a version: it does nothing
// to a host that others would notice.
func onVersions(e event.Event) bool { return e.Task != nil && planner.OnVersions(e.Task.File) }

// endHost records that a host ended a unit of a play. One that nothing was done on to take it
// out of traffic is in it.
func (r *run) endHost(p *play, unit int, host string, s *seat) {
	h := journal.Host{State: journal.Ended, Ended: r.Now()}
	if unit == s.unit {
		h.Changed = s.changed
		if !s.acted && p.Units[unit].Kind == planner.KindDrain {
			h.State = journal.Skipped
		}
	}
	r.record.host(p.Units[unit].ID, host, h)
}

// lose notes that a host failed.
func (r *run) lose(l *lane, e event.Event) {
	p := l.current
	state := journal.Failed
	if e.Kind == event.Unreachable {
		state = journal.Unreachable
	}
	p.lost, l.dead = append(p.lost, e.Host), append(l.dead, e.Host)
	at := p.Units[max(0, l.at[e.Host].unit)]
	if p.Batches && at.Kind == planner.KindDrain && state == journal.Failed && !onVersions(e) && !slices.Contains(p.retried, e.Host) {
		p.blocked = append(p.blocked, e.Host)
	}
	unit := at.ID
	r.record.host(unit, e.Host, journal.Host{
		State: state, Changed: l.at[e.Host].changed, Ended: e.Time, Message: e.Message, Task: e.Task, Stderr: e.Stderr,
	})
	r.failures = append(r.failures, Failure{
		Unit: unit, Role: p.Role, Hosts: []string{e.Host}, State: state, Task: e.Task,
		Message: e.Message, Stdout: e.Stdout, Stderr: e.Stderr, Folder: l.folder,
	})
}

// lost gives the hosts that failed in the current play.
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
