package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// before marks what an earlier invocation ended.
const before journal.State = "before"

// ledger adds up what the events of an invocation tell, for all views alike. It holds a
// lock, because a view may draw while the run goes on.
type ledger struct {
	mu      sync.Mutex
	plan    *planner.Plan
	plays   []*sheet // in the plan's order
	of      map[string]*sheet
	work    map[string]map[string]*work // by unit and host
	changes []change
	check   preflightSheet
	stage   string                    // the last that began
	halt    string                    // why nothing more begins
	there   map[string][]string       // by what is said of a version that is there already, the hosts
	waits   string                    // what the run waits for
	chosen  func(playbooks.Play) bool // by a selection; nil: everything is
	began   time.Time
	earlier journal.Progress   // what was done before
	known   map[string]float64 // seconds of units in an earlier run
	after   map[*sheet][]*sheet
}

// sheet is how far a play is.
type sheet struct {
	playbooks.Play
	members []string      // as far as the plan knows them
	rolling bool          // its units are parts of a track
	state   journal.State // empty: it waits
	began   time.Time     // the play, or its batch
	batch   int
	hosts   []string        // at work, or last at work
	done    map[string]bool // hosts that went through it
	lost    map[string]bool
	changed map[string]bool // by what is at work
	at      map[string]int  // the unit that a host is in
	unit    string          // that the last task is of
	task    *event.Task     // the last that began
	through map[string]bool // hosts that have the last task behind them
}

// work is one host in one unit.
type work struct {
	state        journal.State
	began, ended time.Time
	last         bool // the unit's last task is behind it
	skipped      bool // some task of it was
	acted        bool // some task of it was not
	changed      []*event.Task
	failure      *runner.Failure
}

// change is a task that changed a host.
type change struct {
	Unit string      `json:"unit"`
	Host string      `json:"host"`
	Task *event.Task `json:"task,omitempty"`
}

// preflightSheet is how far the preflight is.
type preflightSheet struct {
	began, ended time.Time
	hosts        map[string]string      // and the unit that looked at them
	failed       map[string]event.Event // by host, the first
	installed    []string               // what hosts say of versions, each text once
	installedOn  map[string][]string    // the hosts that say it
	shown        bool
	over         bool
}

// newLedger opens a ledger of a plan of which done was done before.
func newLedger(p *planner.Plan, done journal.Progress, now time.Time) *ledger {
	l := &ledger{plan: p, of: map[string]*sheet{}, work: map[string]map[string]*work{}, began: now, earlier: done, after: map[*sheet][]*sheet{}, there: map[string][]string{}}
	l.check = newPreflightSheet()
	add := func(pl playbooks.Play) *sheet {
		s := &sheet{Play: pl, done: map[string]bool{}, lost: map[string]bool{}, changed: map[string]bool{}}
		l.of[pl.ID] = s
		for _, u := range pl.Units {
			l.of[u.ID] = s
		}
		if r := p.RoleByName(pl.Role); r != nil {
			s.members, s.rolling = pl.Hosts, r.Rolling != nil
		}
		return s
	}
	deploy := func(list []playbooks.Play) {
		for _, pl := range list {
			s := add(pl)
			l.after[s] = slices.Clone(l.plays)
			l.plays = append(l.plays, s)
		}
	}
	first, last := playbooks.DeploymentPlays(p)
	deploy(first)
	for _, r := range p.Roles {
		for _, pl := range playbooks.RolePlays(p, r.Name) {
			add(pl)
		}
	}
	l.order()
	deploy(last)
	for _, s := range l.plays {
		l.resume(s, done)
	}
	return l
}

// order puts the plays of stages into the plan's order and notes what each waits for.
func (l *ledger) order() {
	gates := map[string][]*sheet{} // what stands before a gate
	opening := slices.Clone(l.plays)
	for _, v := range l.plan.Sequence() {
		s := l.of[v.ID]
		var after []*sheet
		if len(v.After) == 0 {
			after = opening
		}
		for _, a := range v.After {
			on := gates[a]
			if p := l.of[a]; p != nil {
				on = []*sheet{p}
			}
			for _, p := range on {
				if p != s && !slices.Contains(after, p) {
					after = append(after, p)
				}
			}
		}
		if s == nil {
			gates[v.ID] = after
			continue
		}
		if !slices.Contains(l.plays, s) {
			l.plays = append(l.plays, s)
		}
		l.after[s] = append(l.after[s], after...)
	}
}

// resume takes over what was done before.
func (l *ledger) resume(s *sheet, done journal.Progress) {
	all := true
	for _, h := range s.members {
		whole := true
		for _, u := range s.Units {
			unit := done.Units[u.ID]
			if unit.State == journal.Skipped || unit.Hosts[h].State.Passed() {
				l.at(u.ID, h).state = before
			} else {
				whole = false
			}
		}
		if whole {
			s.done[h] = true
		}
		all = all && whole
	}
	if all && (len(s.members) > 0 || done.Units[s.ID].State.Passed()) {
		s.state = before
	}
}

// at gives a host's work in a unit.
func (l *ledger) at(unit, host string) *work {
	if l.work[unit] == nil {
		l.work[unit] = map[string]*work{}
	}
	w := l.work[unit][host]
	if w == nil {
		w = &work{}
		l.work[unit][host] = w
	}
	return w
}

// lost tells whether an event takes a host out of the run.
func lost(e event.Event) bool {
	return (e.Kind == event.Failed || e.Kind == event.Unreachable) && e.Item == "" && !e.Ignored && (!e.Rescued || e.Stage == playbooks.Preflight)
}

// repeats tells whether a failure was told of before: the last play of the preflight says
// again for each host what its checks said.
func (p *preflightSheet) repeats(e event.Event) bool {
	first, known := p.failed[e.Host]
	return known && e.Stage == playbooks.Preflight && !e.Rescued && (first.Unit != e.Unit || !first.Time.Equal(e.Time))
}

// lost tells whether an event takes a host out of the run, and is the first to say so.
func (l *ledger) lost(e event.Event) bool { return lost(e) && !l.check.repeats(e) }

// take adds an event.
func (l *ledger) take(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Kind == event.Wait && e.Stage == "":
		l.waits = e.Message
	case e.Kind == event.UnitStart, e.State == event.Stopping, e.Stage == playbooks.Preflight:
		l.waits = ""
	}
	if e.Stage == playbooks.Preflight {
		l.check.take(e)
		return
	}
	switch e.Kind { //nolint:exhaustive // others may come of processes that were taken over
	case event.Wait:
		l.check.over = !l.check.began.IsZero() && e.Stage != "" // else it waits for a window
	case event.StageStart, event.UnitStart, event.RunEnd:
		l.check.over = !l.check.began.IsZero()
	}
	s := l.of[e.Unit]
	switch {
	case e.Kind == event.UnitStart && s == nil: // an event of a play that this plan does not have
	case e.Kind == event.UnitStart:
		l.stage = e.Stage
		s.begin(e)
	case e.Kind == event.UnitEnd && s != nil:
		l.end(s, e)
	case e.Kind == event.Note && e.State == event.Stopping:
		l.halt = e.Message
	case s != nil && e.Host != "" && e.Item == "":
		if e.Kind == event.OK && e.Task != nil {
			if _, skip, ok := playbooks.Decided(e.Task.File, e.Task.Name); ok && skip && !slices.Contains(l.there[e.Message], e.Host) {
				l.there[e.Message] = append(l.there[e.Message], e.Host)
			}
		}
		l.move(s, e)
	}
}

func newPreflightSheet() preflightSheet {
	return preflightSheet{hosts: map[string]string{}, failed: map[string]event.Event{}, installedOn: map[string][]string{}}
}

// versions gives what is installed where, once: when everything was looked at.
func (p *preflightSheet) versions() []string {
	if !p.over || p.shown {
		return nil
	}
	p.shown = true
	var out []string
	for _, said := range p.installed {
		on := slices.Sorted(slices.Values(p.installedOn[said]))
		out = append(out, fmt.Sprintf("%s (%s: %s)", clean(said), plural(len(on), "host"), shortened(on, 4)))
	}
	return out
}

func (p *preflightSheet) take(e event.Event) {
	if _, known := p.failed[e.Host]; !known && lost(e) {
		p.failed[e.Host] = e
	}
	if p.began.IsZero() {
		p.began = e.Time
	}
	if e.Kind == event.OK && e.Task != nil && playbooks.TellsVersion(e.Task.File, e.Task.Name) && e.Message != "" {
		if p.installedOn[e.Message] == nil {
			p.installed = append(p.installed, e.Message)
		}
		p.installedOn[e.Message] = append(p.installedOn[e.Message], e.Host)
	}
	p.ended, p.over = e.Time, false // what an earlier invocation left may have been told before
	if e.Host != "" && (p.hosts[e.Host] == "" || e.Unit != "") {
		p.hosts[e.Host] = e.Unit
	}
}

func (s *sheet) begin(e event.Event) {
	s.state, s.began, s.hosts, s.task, s.unit = journal.Started, e.Time, e.Hosts, nil, ""
	s.batch++
	s.changed, s.at, s.through = map[string]bool{}, map[string]int{}, map[string]bool{}
	for _, h := range e.Hosts {
		delete(s.lost, h)
		s.at[h] = -1
	}
}

// move notes what a task did on a host.
func (l *ledger) move(s *sheet, e event.Event) {
	w := l.at(e.Unit, e.Host)
	if w.began.IsZero() || w.state == before {
		*w = work{state: journal.Started, began: e.Time}
	}
	w.ended = e.Time
	n := slices.IndexFunc(s.Units, func(u planner.Unit) bool { return u.ID == e.Unit })
	if s.at != nil && n >= 0 {
		s.at[e.Host] = max(s.at[e.Host], n)
	}
	if e.Kind == event.Start {
		if e.Task != nil && (s.task == nil || s.task.ID != e.Task.ID) {
			s.task, s.unit, s.through = e.Task, e.Unit, map[string]bool{}
		}
		return
	}
	if e.Kind == event.Retry {
		return
	}
	w.last = e.Last
	if e.Task == nil || !planner.OnVersions(e.Task.File) {
		w.skipped, w.acted = w.skipped || e.Kind == event.Skipped, w.acted || e.Kind != event.Skipped
	}
	if s.task != nil && e.Task != nil && s.task.ID == e.Task.ID {
		s.through[e.Host] = true
	}
	if e.Kind == event.Changed && (e.Task == nil || !slices.ContainsFunc(w.changed, func(t *event.Task) bool { return t.ID == e.Task.ID })) {
		w.changed = append(w.changed, e.Task)
		s.changed[e.Host] = true
		l.changes = append(l.changes, change{e.Unit, e.Host, e.Task})
	}
	switch {
	case lost(e):
		f := failureOf(e)
		w.state, w.failure = f.State, &f
		s.lost[e.Host] = true
	case e.Last && n == len(s.Units)-1:
		s.done[e.Host] = true
	}
}

// end settles what a play, or a batch of it, came to.
func (l *ledger) end(s *sheet, e event.Event) {
	s.state = journal.State(e.State)
	hosts := e.Hosts
	if len(hosts) == 0 {
		hosts = s.hosts
	}
	for _, h := range hosts {
		reached, through := s.at[h], slices.Contains(e.Done, h)
		for n, u := range s.Units {
			w := l.at(u.ID, h)
			switch {
			case w.state == journal.Failed || w.state == journal.Unreachable || w.state == before:
			case !through && n > reached:
			case through, s.lost[h], n < reached, w.last:
				w.state = journal.Ended
			case s.state == journal.Unknown:
				w.state = journal.Unknown
			default:
				w.state = journal.Stopped
			}
			if w.state == journal.Ended && w.began.IsZero() { // no task of it looked at the host
				w.began, w.ended = e.Time, e.Time
			}
		}
		if through {
			s.done[h] = true
		}
	}
	s.task = nil
}

// settle adds failures that no task told of, as of a process that was killed.
func (l *ledger) settle(failures []runner.Failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range failures {
		s := l.of[f.Unit]
		if s == nil {
			continue
		}
		for _, h := range f.Hosts {
			if s.lost[h] {
				if w := l.work[f.Unit][h]; w != nil && w.failure != nil {
					w.failure.Folder = f.Folder
				}
				continue
			}
			unit := f.Unit
			if n := s.at[h]; s.at != nil && len(s.Units) > 0 {
				unit = s.Units[max(0, n)].ID
			}
			w := l.at(unit, h)
			w.state, w.failure = f.State, &f
		}
	}
}

// outOfTraffic gives the hosts that a drain took out and no restore brought back yet, in
// the plan's order.
func (l *ledger) outOfTraffic() []string {
	var out []string
	for _, h := range l.soFar().OutOfTraffic(l.plan) {
		if !slices.Contains(out, h.Host) {
			out = append(out, h.Host)
		}
	}
	return out
}

// soFar is what a journal would say of rolling roles: what was done before, and what
// happened since.
func (l *ledger) soFar() journal.Progress {
	now := journal.Progress{Units: map[string]journal.Unit{}}
	for _, s := range l.plays {
		if !s.rolling {
			continue
		}
		for n, u := range s.Units {
			unit := l.earlier.Units[u.ID]
			hosts := map[string]journal.Host{}
			maps.Copy(hosts, unit.Hosts)
			for h, w := range l.work[u.ID] {
				state := w.state
				if state == journal.Started && (w.last || s.done[h] || s.at[h] > n) {
					state = journal.Ended
				}
				if state == journal.Ended && u.Kind == planner.KindDrain && w.skipped && !w.acted {
					state = journal.Skipped // nothing took it out of traffic
				}
				if state != "" && state != before {
					hosts[h] = journal.Host{State: state}
				}
			}
			unit.Hosts = hosts
			now.Units[u.ID] = unit
		}
	}
	return now
}

// ended counts the units of plays that are over, and all.
func (l *ledger) ended() (n, of int) {
	for _, s := range l.plays {
		of += len(s.Units)
		if s.over() {
			n += len(s.Units)
		}
	}
	return n, of
}

func (s *sheet) over() bool {
	return s.state == before || s.state == journal.Ended && len(s.lost) == 0 && (!s.Batches || len(s.done) >= len(s.members))
}

// left estimates how long what is left takes, from what it took before: the longest way
// through the plays that wait for each other, of those that are chosen. It is not known
// while a play is not.
func (l *ledger) left(now time.Time) (time.Duration, bool) {
	longest := map[*sheet]float64{}
	most := 0.0
	for _, s := range l.plays {
		took := 0.0
		if !s.over() && (l.chosen == nil || l.chosen(s.Play)) {
			seconds, known := 0.0, false
			for _, u := range s.Units {
				if d, ok := l.known[u.ID]; ok {
					seconds, known = max(seconds, d), true // the first unit's span holds the others
				}
			}
			if !known {
				return 0, false
			}
			took = seconds
			if of := len(s.members); s.Batches && of > 0 {
				took *= float64(of-len(s.done)) / float64(of)
			} else if s.state == journal.Started {
				took = max(0, took-now.Sub(s.began).Seconds())
			}
		}
		from := 0.0
		for _, a := range l.after[s] {
			from = max(from, longest[a])
		}
		longest[s] = from + took
		most = max(most, longest[s])
	}
	return time.Duration(most * float64(time.Second)), true
}
