// Package runner walks a plan: it holds the barriers between plays, gives leave to
// each, writes down what became of it before and after, and stops where it must.
package runner

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// Executor starts playbooks, and finds those that a killed upstep has left.
type Executor interface {
	// Start starts a playbook, which touches no host before it is answered. An error says
	// that nothing runs.
	Start(ctx context.Context, job Job) (Process, error)
	// Adopt follows a process from an offset of its events on, whether it runs or not.
	Adopt(folder string, offset int64) (Process, error)
}

// Job is one playbook to run.
type Job struct {
	Folder string // of the process, below the journal's
	Book   string // the playbook, below the tree
	Forks  int    // hosts at once; 0: the operator's own setting
}

// Process is a running playbook. It waits before each of its plays.
type Process interface {
	// Next gives what happened next, and the offset behind it in the process's events, 0
	// for what is not recorded there. The error is io.EOF after the last.
	Next(ctx context.Context) (event.Event, int64, error)
	// Answer lets the play whose Gate was the last event go on.
	Answer(a event.Answer) error
	// Terminate ends the process and what it started.
	Terminate() error
	// Outcome tells how it ended, after io.EOF.
	Outcome() Outcome
	Close() error
}

// Outcome is how a process ended.
type Outcome struct {
	Known bool   // it told of its end itself; else what was at work may be anything
	Text  string // how it ended and what it said last
}

// Config is one invocation of a run.
type Config struct {
	Plan     *planner.Plan // with its hosts
	Tree     *playbooks.Tree
	Executor Executor
	Journal  *journal.Journal // nil: nothing is kept
	Run      journal.RunID
	Folder   string // for the folders of processes, below the journal's
	Report   func(event.Event)
	Now      func() time.Time
	Approved map[string]bool                                       // stages that were before
	Approve  func(ctx context.Context, stage string) (bool, error) // asks; nil: nobody can be asked
	// Open tells whether work may begin at a time, and until when that is so; the zero time
	// is never. nil: it may at any time.
	Open func(time.Time) (open bool, until time.Time)
	Options
}

// Options are what the operator says of an invocation.
type Options struct {
	Selection
	KeepGoing   bool
	Parallelism int // processes side by side; 0: one for each role
	Percentage  int // instead of the roles' own; 0: theirs
	Yes         bool
	PauseAfter  Pause
	// WaitForWindow has the run wait where work may not begin, instead of stopping.
	WaitForWindow bool
	Rerun         []string // units that run again though they ended
	// Retire lets go what is kept after its replacement, whatever its time.
	Retire bool
}

// Result is how an invocation ended.
type Result struct {
	State    State
	Failures []Failure
	Ended    []string // plays that ended in this invocation, in order
	Open     []string // plays that have not ended, in the plan's order
	Units    int      // that the plays of Ended hold
	Left     int      // that the plays of Open hold
	Narrowed bool     // a selection left something for another time
	Reason   string   // why it stopped, where no failure says so
	Waits    string   // the stage that waits for approval
	Kept     []Kept   // what was replaced and does not go yet, where nothing else holds it
}

// State is how an invocation ended.
type State string

// The states of a Result.
const (
	Done            State = "done"
	Failing         State = "failed"
	PreflightFailed State = "preflight_failed"
	Stopped         State = "stopped" // by the operator, a gate or a selection; it can go on
)

// Failure is a host's failure in a unit, or what keeps a unit from being run.
type Failure struct {
	Unit    string        `json:"unit,omitempty"`
	Role    string        `json:"role,omitempty"`
	Hosts   []string      `json:"hosts,omitempty"`
	State   journal.State `json:"state"` // failed, unreachable or unknown
	Task    *event.Task   `json:"task,omitempty"`
	Message string        `json:"message,omitempty"`
	Stdout  string        `json:"stdout,omitempty"`
	Stderr  string        `json:"stderr,omitempty"`
	Folder  string        `json:"folder,omitempty"` // of the process, which tells more
}

// run is the state of an invocation. Only the goroutine of Run touches it.
type run struct {
	Config
	score    *score
	lanes    []*lane
	messages chan message
	answers  []answer
	record   record
	values   valueLog
	stopping string // why no play is begun any more
	// interrupted: processes at work were told to end.
	interrupted bool
	adopting    bool     // what an earlier invocation left is awaited
	checkup     *checkup // the preflight, until it is over
	refused     bool     // the preflight found something
	gates       gates
	failures    []Failure
	finished    []string
	number      int // of the last process
	done        journal.Progress
}

// message is what a process told.
type message struct {
	lane   *lane
	event  event.Event
	offset int64
	err    error
}

// answer is one to be sent when what it stands for is on disk.
type answer struct {
	lane *lane
	event.Answer
}

// Run goes on with a plan until nothing is left that may be done. A text on stop means
// that no play is begun any more, and says why; a cancelled ctx ends those at work. The
// error is for what keeps a run from being recorded, not for what failed on hosts.
func Run(ctx context.Context, stop <-chan string, c Config) (Result, error) {
	r := &run{
		Config: c, score: newScore(c.Plan), messages: make(chan message, 1024),
		record: record{journal: c.Journal, run: c.Run, at: map[int]int64{}},
	}
	if err := r.resume(ctx, stop); err != nil {
		return Result{}, err
	}
	r.report(event.Event{Kind: event.RunStart, Hosts: r.hosts()})
	err := r.await(ctx, stop)
	if err == nil {
		err = r.preflight(ctx)
	}
	if err == nil {
		err = r.pump(ctx, stop, func() { r.dispatch(ctx) })
	}
	return r.end(ctx, r.result(), err)
}

// pump takes what processes tell, and acts on it, until none is left.
func (r *run) pump(ctx context.Context, stop <-chan string, act func()) error {
	for {
		act()
		if err := r.commit(ctx); err != nil {
			r.abandon()
			return err
		}
		if r.idle() && (r.adopting || !r.waits()) {
			return nil
		}
		r.receive(ctx, stop)
	}
}

// end tells how it ended, whether it was cancelled or not.
func (r *run) end(ctx context.Context, res Result, err error) (Result, error) {
	r.report(event.Event{Kind: event.RunEnd, State: string(res.State), Message: res.Reason})
	return res, errors.Join(err, r.record.commit(context.WithoutCancel(ctx)))
}

// hosts gives every host of the plan.
func (r *run) hosts() []string {
	var out []string
	for _, role := range r.Plan.Roles {
		for _, h := range r.Plan.WorkedOn(role.Name) {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// commit puts on disk what happened, and only then lets the plays begin that it tells of.
func (r *run) commit(ctx context.Context) error {
	if err := r.record.commit(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for _, a := range r.answers {
		// A process that is gone tells so itself.
		_ = a.lane.process.Answer(a.Answer)
	}
	r.answers = nil
	return nil
}

// abandon closes the gates of every process: where nothing can be written down, nothing
// more may begin. Processes end at their next gate and can be adopted later.
func (r *run) abandon() {
	for _, l := range r.lanes {
		if l.process != nil {
			_ = l.process.Close()
		}
	}
}

// receive waits for a message and takes those that are there already, so that one
// transaction holds all of them.
func (r *run) receive(ctx context.Context, stop <-chan string) {
	const most = 500
	done := ctx.Done()
	if r.interrupted {
		done = nil // told already: now the processes tell of their ends
	}
	alarm, off := r.alarm()
	defer off()
	select {
	case m := <-r.messages:
		r.take(m)
	case why := <-stop:
		r.stop(why)
		return
	case <-alarm:
		r.expire()
		return
	case ok := <-r.gates.answers:
		r.decided(ok)
		return
	case <-done:
		r.interrupted = true // it may have been stopped before, so that stopping does not say it
		r.stop(interruption(ctx))
		r.terminate()
		return
	}
	for range most {
		select {
		case m := <-r.messages:
			r.take(m)
		default:
			return
		}
	}
}

func (r *run) take(m message) {
	switch {
	case r.checkup != nil && m.lane == r.checkup.lane:
		r.checked(m)
	case m.err != nil:
		r.gone(m.lane, m.err)
	default:
		r.took(m.lane, m.event, m.offset)
	}
}

// halted tells whether nothing more begins.
func (r *run) halted() bool { return r.stopping != "" || r.refused }

func (r *run) stop(why string) {
	if r.stopping == "" {
		r.stopping = why
		r.report(event.Event{Kind: event.Note, State: event.Stopping, Message: why + ": nothing more begins; what is at work ends"})
	}
}

// interruption says why a context was cancelled, where whoever did it said so.
func interruption(ctx context.Context) string {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err.Error()
	}
	return "interrupted"
}

func (r *run) terminate() {
	for _, l := range r.lanes {
		if p := l.process; p != nil {
			go func() { _ = p.Terminate() }() // it waits for a grace
		}
	}
}

// idle tells whether no process is left.
func (r *run) idle() bool {
	for _, l := range r.lanes {
		if l.process != nil {
			return false
		}
	}
	return true
}

// follow hands on what a process tells.
func (r *run) follow(ctx context.Context, l *lane, p Process) {
	l.process = p
	go func() {
		for {
			e, offset, err := p.Next(ctx)
			r.messages <- message{l, e, offset, err}
			if err != nil {
				return
			}
		}
	}()
}

// report tells of the run itself.
func (r *run) report(e event.Event) {
	e.Run = string(r.Run)
	if e.Time.IsZero() {
		e.Time = r.Now()
	}
	r.record.event(e)
	r.Report(e)
}

// gone takes the end of a process.
func (r *run) gone(l *lane, err error) {
	out := l.process.Outcome()
	if !errors.Is(err, io.EOF) {
		out = Outcome{Text: err.Error()}
	}
	_ = l.process.Close()
	switch {
	case l.current != nil:
		r.finish(l, false, out)
	case !l.opened && !l.left && !l.adopted && !r.halted():
		r.balk(l, out)
	}
	r.record.processEnded(l.number, out.Text, r.Now())
	l.process, l.gate = nil, nil
}

// balk fails the play that a process did not come to, for a host that it could not reach
// or for what Ansible said against the playbook. Another process would do the same.
func (r *run) balk(l *lane, out Outcome) {
	i := slices.IndexFunc(l.plays, func(p *play) bool { return p.state == waiting })
	if i < 0 {
		return
	}
	p := l.plays[i]
	hosts := r.nextHosts(p)
	if len(hosts) == 0 {
		r.fail(p, errors.New("its process did not come to it: "+out.Text))
		return
	}
	r.open(l, p, hosts)
	r.finish(l, false, out)
}
