package journal

import (
	"time"

	"github.com/upstep/upstep/event"
)

// RunID names a run as operators say it: 20261121-131502, in UTC, with -2 on a clash.
type RunID string

// RunState is how far a run is.
type RunState string

// The states of a run.
const (
	Unfinished RunState = "open" // some of its units have not ended
	Done       RunState = "done"
	Abandoned  RunState = "abandoned"
)

// Who is a person at a process. Secrets are taken out of Command by the caller.
type Who struct {
	User    string   `json:"user"`
	Host    string   `json:"host"`
	PID     int      `json:"pid"`
	Version string   `json:"version,omitempty"` // of upstep
	Command []string `json:"command,omitempty"`
}

// Run is one execution of a plan, over all its invocations.
type Run struct {
	ID          RunID     `json:"id"`
	Plan        string    `json:"plan"` // its name
	State       RunState  `json:"state"`
	Who         Who       `json:"who"` // of the first invocation
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended,omitzero"`
	PostUpgrade bool      `json:"post_upgrade,omitempty"` // some of it ran
}

// Invocation is one command that worked on a run. One without Ended is at work, or
// was killed.
type Invocation struct {
	Number   int       `json:"number"` // from 1, in its run
	Who      Who       `json:"who"`
	Plan     string    `json:"plan"` // SHA-256 of the document that it followed; Journal.Plan gives it
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	ExitCode int       `json:"exit_code"` // once Ended
	Outcome  string    `json:"outcome,omitempty"`
}

// State is how far a unit is, or a host in a unit.
type State string

// The states of units and hosts.
const (
	Waiting     State = "waiting" // a unit that has not started, but of which hosts were skipped
	Started     State = "started"
	Ended       State = "ended"
	Failed      State = "failed"
	Unreachable State = "unreachable" // hosts only
	Unknown     State = "unknown"     // it started, and nobody saw how it ended
	Stopped     State = "stopped"     // hosts only: left in the middle by the failure of another, or by the operator
	Skipped     State = "skipped"     // accepted by hand; or nothing took the host out of traffic, as it has the version
)

// Passed tells whether what comes after may go on.
func (s State) Passed() bool { return s == Ended || s == Skipped }

// Unit is a unit of a run.
type Unit struct {
	State   State           `json:"state"`
	Digest  string          `json:"digest,omitempty"`    // of its text when it began last
	Started time.Time       `json:"started,omitzero"`    // first
	Ended   time.Time       `json:"ended,omitzero"`      // last, however it ended
	Seconds float64         `json:"seconds"`             // of the times that it ended, as in several batches
	Lost    float64         `json:"lost,omitempty"`      // seconds of the times that it did not
	Once    time.Time       `json:"once_ended,omitzero"` // when its run_once task ended, which must not run again
	Hosts   map[string]Host `json:"hosts,omitempty"`
}

// Host is a host in a unit.
type Host struct {
	State   State       `json:"state"`
	Digest  string      `json:"digest,omitempty"`  // of the unit's text when it began last on this host
	Changed bool        `json:"changed,omitempty"` // in any of its tries
	Tries   int         `json:"tries"`
	Started time.Time   `json:"started,omitzero"` // last
	Ended   time.Time   `json:"ended,omitzero"`   // last, however it ended
	Message string      `json:"message,omitempty"`
	Task    *event.Task `json:"task,omitempty"`   // that failed
	Stderr  string      `json:"stderr,omitempty"` // its end
}

// Progress is what a run has done so far, at one moment.
type Progress struct {
	Units map[string]Unit `json:"units"` // by their ids; those that have not started are missing
	Skips []Skip          `json:"skips,omitempty"`
}

// Process is a playbook's process.
type Process struct {
	Number  int       `json:"number"` // from 1, in its run
	Book    string    `json:"book"`   // what it runs
	Folder  string    `json:"folder"` // below .upstep
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"` // none: it is at work, or waits to be adopted
	Offset  int64     `json:"offset"`         // bytes of its events that are taken in
	Outcome string    `json:"outcome,omitempty"`
}

// Recorded is an event with its place in the journal. Its Values have no JSON; what
// they hold now is in Journal.Values.
type Recorded struct {
	Number  int64 `json:"number"`            // grows within a run, with gaps
	Process int   `json:"process,omitempty"` // none: upstep's own
	event.Event
}

// Ask is what a request is for.
type Ask string

// What can be asked of a run.
const (
	Cancel    Ask = "cancel" // units in flight end, no other starts
	CancelNow Ask = "cancel now"
	Approve   Ask = "approve" // go on at Gate
)

// Request is what somebody asked of a run that is on, from another process.
type Request struct {
	Number int64     `json:"number"` // given by Ask, grows
	Ask    Ask       `json:"ask"`
	Gate   string    `json:"gate,omitempty"`
	Who    Who       `json:"who"`
	At     time.Time `json:"at"`
}

// Skip says that a person takes a unit as done.
type Skip struct {
	Unit   string    `json:"unit"`
	Host   string    `json:"host,omitempty"` // none: every host that had not ended
	Reason string    `json:"reason"`
	Who    Who       `json:"who"`
	At     time.Time `json:"at"`
}
