// Package runner walks a plan: it holds the barriers between plays, gives leave to
// each, writes down what became of it before and after, and stops where it must.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// Executor starts playbooks. An error says that nothing runs.
type Executor interface {
	Start(ctx context.Context, job Job) (Process, error)
}

// Job is one playbook to run.
type Job struct {
	Folder string // where the process keeps its events, output and lock
	Book   string // the playbook, below the tree
}

// Process is a running playbook. It waits before each of its plays.
type Process interface {
	// Next gives what happened next, and the place in the process's record behind it, 0
	// for what is not recorded. The error is io.EOF after the last.
	Next(ctx context.Context) (event.Event, int64, error)
	// Answer lets the play whose Gate was the last event go on.
	Answer(a event.Answer) error
	// Terminate ends the process and what it started, at once.
	Terminate()
	// Outcome tells how it ended, after io.EOF.
	Outcome() Outcome
}

// Outcome is how a process ended.
type Outcome struct {
	Known bool   // it told of its end itself
	Text  string // how it ended and what it said last, when there is more to say than its events
}

// Config is one invocation of a run.
type Config struct {
	Plan     *planner.Plan
	Tree     *playbooks.Tree // as emitted, for the places that tasks come from
	Executor Executor
	Record   Record
	Folder   string // of the run; processes get folders below it
	Report   func(event.Event)
	Now      func() time.Time
	Done     Progress // what earlier invocations did

	Selection
	KeepGoing   bool
	Parallelism int // processes side by side; 0: one for each role
	Check       bool
}

// Result is how an invocation ended.
type Result struct {
	State    State
	Failures []Failure
	Ended    []string // plays that ended in this invocation, in order
	Open     []string // plays that did not, in the plan's order
	Out      []Out    // hosts left out of traffic
	Reason   string   // why it stopped, where no failure says so
}

// State is how an invocation ended.
type State string

// The states of a Result.
const (
	Done            State = "done"
	Failing         State = "failed"
	PreflightFailed State = "preflight_failed"
	Stopped         State = "stopped" // by the operator or at a gate; it can go on
)

// Failure is one host's failure, or one process's.
type Failure struct {
	Unit    string      `json:"unit,omitempty"`
	Role    string      `json:"role,omitempty"`
	Host    string      `json:"host,omitempty"`
	State   string      `json:"state"` // failed, unreachable or unknown
	Task    *event.Task `json:"task,omitempty"`
	Message string      `json:"message,omitempty"`
	Stdout  string      `json:"stdout,omitempty"`
	Stderr  string      `json:"stderr,omitempty"`
	Log     string      `json:"log,omitempty"` // the folder of the process that tells more
}

// Out is a host that does not serve, and why.
type Out struct{ Host, Role, Why string }

// run is the state of an invocation. Only the goroutine of Run touches it.
type run struct {
	Config
	score    *score
	lanes    []*lane
	messages chan message
	answers  []answer
	values   valueLog
	stopping string // why no play is begun any more
	failures []Failure
	finished []string
	number   int // of the last process
	seen     map[string]map[string]bool
	err      error
}

// message is what a process told.
type message struct {
	lane   *lane
	event  event.Event
	offset int64
	err    error
}

// answer is one to be sent once what it stands for is written down.
type answer struct {
	lane *lane
	event.Answer
}

// Run goes on with a plan until nothing is left that may be done. stop, closed or sent
// to, means that no play is begun any more; a cancelled ctx ends those at work. The
// error is for what keeps a run from being kept, not for failures of hosts.
func Run(ctx context.Context, stop <-chan string, c Config) (Result, error) {
	r := &run{Config: c, score: newScore(c.Plan), messages: make(chan message, 1024)}
	if err := r.resume(); err != nil {
		return Result{}, err
	}
	r.report(event.Event{Kind: event.RunStart})
	for {
		r.dispatch(ctx)
		if err := r.commit(ctx); err != nil {
			r.abandon()
			return r.result(), err
		}
		if r.idle() {
			break
		}
		r.receive(ctx, stop)
	}
	res := r.result()
	r.report(event.Event{Kind: event.RunEnd, State: string(res.State), Message: res.Reason})
	return res, errors.Join(r.err, r.commit(context.WithoutCancel(ctx)))
}

// receive waits for one message and takes those that are there already, so that one
// transaction writes down all of them.
func (r *run) receive(ctx context.Context, stop <-chan string) {
	const most = 500
	take := func(m message) {
		if m.err != nil {
			r.gone(m.lane, m.err)
			return
		}
		r.took(m.lane, m.event, m.offset)
	}
	select {
	case m := <-r.messages:
		take(m)
	case why := <-stop:
		r.stop(why)
		return
	case <-ctx.Done():
		r.stop("interrupted")
		r.terminate()
		// The processes tell of their ends.
		take(<-r.messages)
	}
	for range most {
		select {
		case m := <-r.messages:
			take(m)
		default:
			return
		}
	}
}

func (r *run) stop(why string) {
	if r.stopping == "" {
		r.stopping = why
		r.report(event.Event{Kind: event.Note, Message: why + ": no unit begins any more; units at work end"})
	}
}

func (r *run) terminate() {
	for _, l := range r.lanes {
		if l.process != nil && !l.ending {
			l.ending = true
			l.process.Terminate()
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

// pump hands on what a process tells.
func (r *run) pump(ctx context.Context, l *lane, p Process) {
	for {
		e, offset, err := p.Next(ctx)
		r.messages <- message{l, e, offset, err}
		if err != nil {
			return
		}
	}
}

func (r *run) report(e event.Event) {
	if e.Time.IsZero() {
		e.Time = r.Now()
	}
	r.Record.Event(e)
	r.Report(e)
}

// gone takes the end of a process.
func (r *run) gone(l *lane, err error) {
	out := l.process.Outcome()
	if !errors.Is(err, io.EOF) {
		out.Text = fmt.Sprintf("%v; %s", err, out.Text)
		out.Known = false
	}
	l.process.Close()
	r.Record.ProcessEnded(l.number, out.Text, r.Now())
	if l.current != nil {
		r.finish(l, false, out)
	}
	l.process, l.gate, l.ending = nil, nil, false
}
