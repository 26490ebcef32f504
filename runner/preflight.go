package runner

import (
	"context"
	"slices"
	"strings"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/playbooks"
)

// preflightBook is the playbook of what is looked at before anything changes.
const preflightBook = playbooks.PreflightBook

// preflight asks every host that has something left to do whether it answers and is
// ready, and gives all that is wrong.
func (r *run) preflight(ctx context.Context, stop <-chan string) ([]Failure, error) {
	if !slices.ContainsFunc(r.score.plays, func(p *play) bool { return p.state == waiting }) {
		return nil, nil
	}
	l := &lane{book: preflightBook}
	if err := r.start(ctx, l); err != nil {
		return nil, err
	}
	r.warmUp(ctx)
	var found []Failure
	done := ctx.Done()
	for l.process != nil {
		select {
		case m := <-r.messages:
			if m.lane != l {
				r.take(m) // one that warms up: it comes to its first gate, and waits there
				break
			}
			if m.err == nil {
				found = r.checked(l, m, found)
				break
			}
			out := l.process.Outcome()
			if !out.Known && len(found) == 0 && r.stopping == "" {
				found = append(found, Failure{State: journal.Unknown, Message: "preflight did not come to its end: " + out.Text, Folder: l.folder})
			}
			r.gone(l, m.err)
		case why := <-stop:
			r.stop(why)
		case <-done:
			done = nil
			r.stop(interruption(ctx))
			go func(p Process) { _ = p.Terminate() }(l.process)
		}
		if err := r.record.commit(context.WithoutCancel(ctx)); err != nil {
			_ = l.process.Close()
			return found, err
		}
		if l.gate != nil {
			r.look(l)
		}
	}
	return found, nil
}

// warmUp starts the processes of what comes first: they take half a second to come to
// their first gate, and touch no host before they are answered.
func (r *run) warmUp(ctx context.Context) {
	room := 8 // each takes some 60 MB while it waits
	if r.Parallelism > 0 {
		room = r.Parallelism - 1 // beside the preflight's
	}
	for _, p := range r.score.plays {
		l := r.laneOf(p.book)
		switch {
		case room <= 0:
			return
		case p.state != waiting || l.process != nil:
		case r.start(ctx, l) != nil:
			return // it is tried again when it is due, and told then
		default:
			room--
		}
	}
}

// coolDown ends the processes that wait for what will not come.
func (r *run) coolDown(ctx context.Context) error {
	r.stopping = "preflight"
	for !r.idle() {
		r.dispatch(ctx)
		if err := r.commit(ctx); err != nil {
			r.abandon()
			return err
		}
		r.take(<-r.messages)
	}
	return nil
}

// look answers a play of the preflight.
func (r *run) look(l *lane) {
	a := event.Answer{Do: event.Go}
	if role, of := strings.CutPrefix(l.gate.Unit, "preflight/"); of {
		if a.Hosts = r.pending(role); len(a.Hosts) == 0 {
			a.Do = event.Skip
		}
	}
	if r.stopping != "" {
		a = event.Answer{Do: event.Stop}
	}
	l.gate = nil
	_ = l.process.Answer(a) // a process that is gone tells so itself
}

// pending gives the hosts of a role that have something to do in this invocation.
func (r *run) pending(role string) []string {
	var out []string
	for _, p := range r.score.plays {
		if p.Role != role || p.state != waiting {
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

// checked takes an event of the preflight.
func (r *run) checked(l *lane, m message, found []Failure) []Failure {
	e := m.event
	r.place(l, &e)
	e.Stage = "preflight"
	r.record.taken(l.number, m.offset, e)
	switch e.Kind { //nolint:exhaustive // the others are progress
	case event.Gate:
		l.gate = &e
		return found
	case event.End:
		return found
	case event.Vars:
		r.values.add(l.number, e.Values)
		return found
	case event.Failed, event.Unreachable:
		if e.Item != "" || e.Kind == event.Failed && e.Ignored {
			break
		}
		// The last play repeats for each host what its checks said.
		if slices.ContainsFunc(found, func(f Failure) bool { return f.Hosts[0] == e.Host }) && !e.Rescued {
			break
		}
		f := Failure{
			Unit: e.Unit, Role: strings.TrimPrefix(e.Unit, "preflight/"), Hosts: []string{e.Host}, State: journal.Failed, Task: e.Task,
			Message: e.Message, Stdout: e.Stdout, Stderr: e.Stderr, Folder: l.folder,
		}
		if e.Kind == event.Unreachable {
			f.State = journal.Unreachable
		}
		found = append(found, f)
	}
	r.Report(e)
	return found
}
