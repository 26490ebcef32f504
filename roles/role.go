// Package roles reads the mapping of services onto groups of hosts, and resolves
// those groups in an inventory.
package roles

import (
	"time"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Role is a named group of hosts and the services placed on it.
type Role struct {
	Name        string
	Description string
	Pos         source.Pos
	Hosts       string // an Ansible inventory pattern; "" when it could not be read, which is reported
	HostsPos    source.Pos
	Stage       string // "" for none of its own
	StagePos    source.Pos
	Services    []Placed
	Rolling     *Rolling // nil: all hosts together
	Replace     *Replace // nil: upgraded in place
	Health      Health
	Optional    bool // may match no host
	Play        []tasks.Keyword
}

// Placed is one service on a role, with the place that says so.
type Placed struct {
	Service string
	Pos     source.Pos
}

// Rolling says how a role goes through its hosts in batches.
type Rolling struct {
	Batch       []Size // as a list of Ansible's serial; the last repeats; percentages round up
	Percentage  int    // share of the hosts that one invocation takes, rounded up; 1 to 100
	Pause       time.Duration
	DrainRole   bool // drain: role; all hosts leave traffic before the first batch
	MaxFailures Size // percentages round down
	MaxPos      source.Pos
	Tries       int
	RetryDelay  time.Duration
	UnitTimeout time.Duration // 0: none
}

// Health says how the gate of health_tasks is retried: Tries attempts with Delay
// between them, so Tries-1 delays at most; Consecutive good answers in a row pass.
type Health struct {
	Tries       int
	Delay       time.Duration
	Consecutive int
}

// Size is a number of hosts or a percentage of them.
type Size struct {
	N       int
	Percent bool
}
