package main

import (
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/notify"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// notices makes messages of what happens in a run. It keeps to the order of the events.
type notices struct {
	plan   *planner.Plan
	common notify.Message       // what every message says
	send   func(notify.Message) // waits for nobody
	typed  func(string) string  // a command about the project, as it is typed
	on     bool                 // the invocation has begun
	begun  bool                 // something of it has
	stages map[string]*stageNotice
}

// stageNotice is what was told of a stage.
type stageNotice struct {
	began time.Time // in this invocation
	told  bool      // how it ended
}

// take makes messages of an event that the ledger has taken.
func (n *notices) take(l *ledger, e event.Event) {
	switch {
	case e.Kind == event.RunStart:
		n.on = true
	case e.Kind == event.Wait:
		m := notify.Message{Stage: e.Stage, Message: e.Message}
		if e.Stage != "" {
			m.Next = n.typed("upstep approve " + e.Run + " " + shellWord(e.Stage))
		}
		n.tell("run.wait", e.Time, m)
	case e.Kind == event.UnitStart && n.on:
		n.begin(e.Time)
		n.enter(l, e)
	case e.Kind == event.UnitEnd: // also of what an earlier invocation has left
		n.leave(l, e)
	case e.Kind == event.RunEnd:
		n.settle(l, "", e.Time)
	case e.Stage == playbooks.Preflight && n.on:
		n.begin(e.Time)
	}
}

// tell sends a message with what all of them say.
func (n *notices) tell(what string, at time.Time, m notify.Message) {
	c := n.common
	m.Event, m.Time, m.Project, m.Run, m.By, m.Try = what, at, c.Project, c.Run, c.By, c.Try
	m.Count = len(m.Hosts)
	n.send(m)
}

// begin tells of the run's begin when something of it does. A run that only finds its
// window closed, or nothing to do, has not begun.
func (n *notices) begin(at time.Time) {
	if !n.begun {
		n.begun = true
		n.tell("run.start", at, notify.Message{State: string(journal.Started), Hosts: hostsOf(n.plan), Versions: versions(n.plan, "", "")})
	}
}

// stage gives what was told of a stage, nil for what is none.
func (n *notices) stage(name string) *stageNotice {
	if !slices.ContainsFunc(n.plan.Stages, func(s planner.Stage) bool { return s.Name == name }) {
		return nil
	}
	if n.stages[name] == nil {
		n.stages[name] = &stageNotice{}
	}
	return n.stages[name]
}

// enter tells of the begin of a batch, and of its stage.
func (n *notices) enter(l *ledger, e event.Event) {
	if s := n.stage(e.Stage); s != nil && s.began.IsZero() {
		n.settle(l, e.Stage, e.Time) // stages never overlap
		s.began = e.Time
		n.tell("stage.start", e.Time, notify.Message{
			Stage: e.Stage, State: string(journal.Started), Hosts: l.hostsOfStage(e.Stage), Versions: versions(n.plan, e.Stage, ""),
		})
	}
	if s := l.of[e.Unit]; s != nil && s.Batches {
		n.tell("batch.start", e.Time, n.batch(s, e))
	}
}

// batch is what there is to say of a batch.
func (n *notices) batch(s *sheet, e event.Event) notify.Message {
	m := notify.Message{
		Stage: e.Stage, Role: s.Role, Unit: e.Unit, Batch: s.batch, Hosts: e.Hosts, State: string(s.state), Seconds: e.Seconds,
		Versions: versions(n.plan, e.Stage, s.Role),
	}
	if role := n.plan.RoleByName(s.Role); role != nil && role.Rolling != nil {
		m.Tries = role.Rolling.Tries
	}
	return m
}

// leave tells how a batch ended, and its stage.
func (n *notices) leave(l *ledger, e event.Event) {
	s := l.of[e.Unit]
	if s == nil {
		return
	}
	bad := e.State == string(journal.Failed) || e.State == string(journal.Unknown)
	if s.Batches && (bad || e.State == string(journal.Ended)) {
		m := n.batch(s, e)
		what := "batch.success"
		if bad {
			what = "batch.failure"
			m = failing(m, l.failuresOf(s, e.Hosts))
			m.OutOfTraffic = l.outOfTraffic()
		}
		n.tell(what, e.Time, m)
	}
	st := n.stage(e.Stage)
	switch {
	case st == nil || st.told:
	case bad && l.halt != "": // else its role may bear it
		n.stageFailed(l, e.Stage, e.Time)
	case l.stageOver(e.Stage):
		st.told = true
		n.tell("stage.success", e.Time, notify.Message{
			Stage: e.Stage, State: string(journal.Ended), Seconds: st.seconds(e.Time), Hosts: l.hostsOfStage(e.Stage), Versions: versions(n.plan, e.Stage, ""),
		})
	}
}

func (s *stageNotice) seconds(now time.Time) float64 {
	if s.began.IsZero() {
		return 0
	}
	return now.Sub(s.began).Seconds()
}

// settle tells of stages that failed and of which nobody was told as it happened, as those
// whose roles bear a failed host.
func (n *notices) settle(l *ledger, but string, at time.Time) {
	for _, s := range n.plan.Stages {
		if st := n.stages[s.Name]; st == nil || st.told || s.Name == but {
			continue
		}
		if slices.ContainsFunc(l.plays, func(p *sheet) bool { return p.Stage == s.Name && p.bad() }) {
			n.stageFailed(l, s.Name, at)
		}
	}
}

// stageFailed tells that a stage failed.
func (n *notices) stageFailed(l *ledger, stage string, at time.Time) {
	st := n.stages[stage]
	st.told = true
	var failures []runner.Failure
	for _, s := range l.plays {
		if s.Stage == stage && s.bad() {
			failures = append(failures, l.failuresOf(s, s.members)...)
		}
	}
	m := notify.Message{
		Stage: stage, State: string(journal.Failed), Seconds: st.seconds(at), Hosts: l.hostsOfStage(stage), OutOfTraffic: l.outOfTraffic(),
		Versions: versions(n.plan, stage, ""),
	}
	n.tell("stage.failure", at, failing(m, alike(failures)))
}

// end tells how the run ended, if it had begun.
func (n *notices) end(o *outcome, err error, code int) {
	if !n.on || o.over && o.result.State == runner.Done && code == exitDone && !n.begun {
		return // there was nothing to do
	}
	m := notify.Message{State: string(o.result.State), Seconds: o.seconds(), Hosts: hostsOf(n.plan), Versions: versions(n.plan, "", "")}
	for _, s := range o.standing {
		m.OutOfTraffic = append(m.OutOfTraffic, s.Host)
	}
	if o.over && (o.result.State != runner.Done || code != exitDone) {
		m.Next = strings.ReplaceAll(o.first+o.next(), "\n  then ", " && ")
	}
	what := "run.failure"
	switch {
	case !o.over:
		m.State, m.Message = "broken", strings.TrimSpace(err.Error())
	case o.result.State == runner.Done && code == exitDone:
		what = "run.success"
	case o.result.State == runner.Done:
		m.State, m.Message = string(runner.Failing), "tasks changed hosts, though nothing was to change"
	case o.result.State == runner.Stopped:
		what, m.Message = "run.stop", o.result.Reason
	default:
		m = failing(m, alike(o.result.Failures))
		m.Message = outcomeOf(o.result)
	}
	n.tell(what, time.Now(), m)
}

// failing puts into a message what failed; of very many failures the first.
func failing(m notify.Message, failures []runner.Failure) notify.Message {
	const most = 100
	for i, f := range failures {
		m.FailedHosts = append(m.FailedHosts, f.Hosts...)
		if i >= most {
			continue
		}
		told := notify.Failure{Unit: unitName(f.Unit), Hosts: f.Hosts, State: string(f.State), Message: strings.TrimSpace(clean(f.Message))}
		if f.Task != nil {
			told.Task = taskText(f.Task)
		}
		m.Failures = append(m.Failures, told)
	}
	slices.Sort(m.FailedHosts)
	m.FailedHosts = slices.Compact(m.FailedHosts)
	m.Message = outcomeOf(runner.Result{Failures: failures})
	return m
}

// bad tells whether a play has failed on hosts, or nobody saw how it ended.
func (s *sheet) bad() bool {
	return len(s.lost) > 0 || s.state == journal.Failed || s.state == journal.Unknown
}

// failuresOf gives what failed in a play on hosts; those that failed alike stand together.
func (l *ledger) failuresOf(s *sheet, hosts []string) []runner.Failure {
	var out []runner.Failure
	for _, h := range hosts {
		found := false
		for _, u := range s.Units {
			if w := l.work[u.ID][h]; w != nil && w.failure != nil {
				out, found = append(out, *w.failure), true
			}
		}
		if !found && s.state == journal.Unknown && !s.done[h] && slices.Contains(s.hosts, h) {
			out = append(out, runner.Failure{Unit: s.ID, Role: s.Role, Hosts: []string{h}, State: journal.Unknown, Message: "nobody saw how it ended"})
		}
	}
	return alike(out)
}

// stageOver tells whether every play of a stage has ended on every host.
func (l *ledger) stageOver(stage string) bool {
	return !slices.ContainsFunc(l.plays, func(s *sheet) bool {
		return s.Stage == stage && !s.over() && (s.Role == "" || len(s.members) > 0)
	})
}

// hostsOfStage gives the hosts of a stage, in the plan's order.
func (l *ledger) hostsOfStage(stage string) []string {
	at := map[string]bool{}
	for _, s := range l.plays {
		if s.Stage == stage {
			for _, h := range s.members {
				at[h] = true
			}
		}
	}
	return slices.DeleteFunc(hostsOf(l.plan), func(h string) bool { return !at[h] })
}

// hostsOf gives every host of a plan.
func hostsOf(p *planner.Plan) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range p.Roles {
		for _, h := range r.Members {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
	}
	return out
}

// versions gives what services are brought to, in a stage and on a role if they are named.
func versions(p *planner.Plan, stage, role string) []notify.Version {
	var out []notify.Version
	for _, s := range p.Services {
		here := slices.ContainsFunc(s.Placements, func(at planner.Placement) bool {
			return (stage == "" || at.Stage == stage || stage == planner.PostUpgrade) && (role == "" || at.Role == role)
		})
		if s.Target != "" && here {
			out = append(out, notify.Version{Service: s.Name, To: s.Target})
		}
	}
	return out
}
