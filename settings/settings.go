// Package settings reads upgrade.yaml, what holds for a deployment as a whole, and
// the inputs of a run.
package settings

import (
	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// The two ways to order units of different roles (DESIGN 3.3).
const (
	Barrier      = "barrier"
	Dependencies = "dependencies"
)

// What becomes of a task that several services of a role have in the same step.
const (
	Each = "each" // it stands once for each of them
	Once = "once" // it stands once in the role's step
)

// Settings is what upgrade.yaml says; without the file, the defaults.
type Settings struct {
	File     string // the file as shown to people; "" when there is none
	Digest   string // SHA-256 of it, in hex
	Partial  bool   // not all of it could be read: a stage or input that it lacks may be among the rest
	Name     string
	Inputs   []Input
	Stages   []Stage
	Steps    []Step // declared steps by number; nil when any may be used
	Vars     tasks.Vars
	Play     []tasks.Keyword
	Before   []Deployment
	After    []Deployment
	Ordering string
	// IdenticalTasks is Each or Once.
	IdenticalTasks string
	Parallelism    int               // processes at once; 0: one per role
	Forks          int               // hosts at once over all roles; 0: Ansible's own setting
	Windows        []calendar.Window // when work may begin; none: at any time
	Notify         []Notification
	Releases       []Release  // the jumps between versions that exist, as written
	ReleasesBroken bool       // what is said of releases and of where the upgrade begins has problems
	Installed      *Installed // how it is asked where the upgrade begins; nil: From says it
	From, To       string     // where the upgrade begins and ends; "" where the command says it
}

// Installed is how hosts are asked which release is installed.
type Installed struct {
	Probe string // a command; its output is the version
	Hosts string // inventory pattern
	Pos   source.Pos
}

// Stage is a span of the upgrade that an operator may stop after.
type Stage struct {
	Name    string
	Approve bool // wait for a person before it starts
	Pos     source.Pos
}

// Step is a declared step and what it is for.
type Step struct {
	Number int
	Name   string
}

// Input is a parameter of a run.
type Input struct {
	Name        string
	Type        string // string, integer, number, boolean, list, map
	Description string
	Required    bool
	Pos         source.Pos
	Set         bool   // it has a value, given or by default
	Text        string // the value as it goes into hosts and the like; a list with commas
	JSON        string // the value as it stands in the plan and for tasks
	wrong       bool   // the last value given is of another type
}

// Deployment is work before or after all services that belongs to none of them.
type Deployment struct {
	Name  string
	Hosts string
	Pos   source.Pos
	Tasks []tasks.Task
	Vars  tasks.Vars
	Play  []tasks.Keyword
}

// Values gives the inputs for substitution where plain YAML is expected.
func (s *Settings) Values() source.Values {
	v := source.Values{Set: map[string]string{}, Partial: s.Partial}
	for _, in := range s.Inputs {
		v.Declared = append(v.Declared, in.Name)
		if in.Set {
			v.Set[in.Name] = in.Text
		}
	}
	return v
}

// DefaultStages are the stages of a project that names none.
func DefaultStages() []Stage {
	return []Stage{{Name: "control-plane"}, {Name: "non-control-plane"}}
}
