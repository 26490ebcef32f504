// Package event is what a run tells while it runs: one line of JSON for each thing
// that happened, from the first preflight task to the last unit.
package event

import (
	"encoding/json"
	"time"
)

// Format names the version of the events, as JSON lines show it.
const Format = "upstep.event/1"

// Kind is what happened.
type Kind string

// What a playbook's process tells.
const (
	Gate        Kind = "gate"        // a play, or a batch of one, waits for an Answer before it begins
	Play        Kind = "play"        // a play began on Hosts
	Start       Kind = "start"       // a task began on a host
	OK          Kind = "ok"          // it changed nothing
	Changed     Kind = "changed"     // it changed something
	Skipped     Kind = "skipped"     // a condition left it out
	Failed      Kind = "failed"      // Ignored and Rescued say whether the host goes on
	Unreachable Kind = "unreachable" // the host did not answer
	Retry       Kind = "retry"       // until was not met; Try of Tries is over
	Vars        Kind = "vars"        // what hosts registered, set or were given since the last
	End         Kind = "end"         // the process has nothing more to do; Hosts are those that failed or were lost
)

// What upstep tells of the run itself.
const (
	RunStart   Kind = "run_start"
	StageStart Kind = "stage_start"
	UnitStart  Kind = "unit_start"
	UnitEnd    Kind = "unit_end" // State tells how
	Note       Kind = "note"     // a Message for the operator
	Wait       Kind = "wait"     // the run stands at a gate of its own: an approval or a pause
	StageEnd   Kind = "stage_end"
	RunEnd     Kind = "run_end"
)

// Stopping is the State of the Note after which nothing more begins.
const Stopping = "stopping"

// Event is one thing that happened. Fields that do not apply are left out.
type Event struct {
	Kind     Kind      `json:"kind"`
	Time     time.Time `json:"time"`
	Run      string    `json:"run,omitempty"`
	Stage    string    `json:"stage,omitempty"`
	Unit     string    `json:"unit,omitempty"` // as in the plan; for a Gate, what the play's upstep_unit says
	Role     string    `json:"role,omitempty"`
	State    string    `json:"state,omitempty"` // of an End: "stopped" at a gate, "failed" with its callback; of a Note: Stopping
	Play     string    `json:"play,omitempty"`  // its name
	Host     string    `json:"host,omitempty"`
	Hosts    []string  `json:"hosts,omitempty"` // of a Gate, those that were not lost before
	Done     []string  `json:"done,omitempty"`  // of a UnitEnd, those of Hosts that went through it
	Task     *Task     `json:"task,omitempty"`
	Item     string    `json:"item,omitempty"`     // the label of a loop's item; the task's own result has none
	Delegate string    `json:"delegate,omitempty"` // the host that did it instead
	Try      int       `json:"try,omitempty"`
	Tries    int       `json:"tries,omitempty"`
	Seconds  float64   `json:"seconds,omitempty"` // how long it took
	Last     bool      `json:"last,omitempty"`    // no task of the unit comes after this one
	Ignored  bool      `json:"ignored,omitempty"`
	Rescued  bool      `json:"rescued,omitempty"`
	NoLog    bool      `json:"no_log,omitempty"` // the result is hidden
	Message  string    `json:"message,omitempty"`
	Stdout   string    `json:"stdout,omitempty"` // cut to its end when it is long, with a marker
	Stderr   string    `json:"stderr,omitempty"` // the same
	Values   []Value   `json:"values,omitempty"`
}

// Task is the task that an event is of.
type Task struct {
	ID     string `json:"id"` // the same for one task over all its hosts
	Name   string `json:"name"`
	Action string `json:"action"`
	File   string `json:"file,omitempty"` // as emitted, below the tree
	Line   int    `json:"line,omitempty"`
	Source string `json:"source,omitempty"` // FILE:LINE where its author wrote it
}

// Value is a variable of a host, or a host or group that a task added.
type Value struct {
	Host string          `json:"host,omitempty"`
	Name string          `json:"name"` // of the variable; of the group when Kind is group
	Kind ValueKind       `json:"kind,omitempty"`
	JSON json.RawMessage `json:"value,omitempty"`
	// Secret values never reach a disk: no_log hid them, or they hold a known secret.
	Secret bool   `json:"secret,omitempty"`
	Task   string `json:"task,omitempty"` // FILE:LINE as emitted of the task that set it
}

// ValueKind tells variables from what add_host and group_by make.
type ValueKind string

// The kinds of values.
const (
	Variable  ValueKind = ""      // register or set_fact
	AddedHost ValueKind = "host"  // JSON is what add_host was given
	AddedTo   ValueKind = "group" // Host came into group Name
)

// Answer lets a waiting play go on.
type Answer struct {
	Do Verb `json:"do"`
	// Hosts are those the play works on, and no others. Only for Go.
	Hosts []string `json:"hosts,omitempty"`
	// Values that other processes have told of, to be set before the play begins.
	Values []Value `json:"values,omitempty"`
	// Forget names hosts whose facts are to be gathered anew.
	Forget []string `json:"forget,omitempty"`
}

// Verb is what a waiting play is told.
type Verb string

// The verbs of an Answer.
const (
	Go   Verb = "go"
	Skip Verb = "skip" // pass over this play; the next waits in its turn
	Stop Verb = "stop" // end the process
)
