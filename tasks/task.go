// Package tasks reads Ansible's language as services and deployments use it: task
// lists with their steps, handlers, variables and play keywords, all kept as written.
package tasks

import (
	"github.com/upstep/upstep/source"
)

// ListName names one of a service's task lists, as it is written in YAML.
type ListName string

// The task lists of a service. Steps says which of them run in steps, by tag.
const (
	Preflight   ListName = "preflight_tasks"
	Drain       ListName = "drain_tasks"
	Backup      ListName = "backup_tasks"
	Upgrade     ListName = "upgrade_tasks"
	Health      ListName = "health_tasks"
	Restore     ListName = "restore_tasks"
	Unlink      ListName = "unlink_tasks"
	Establish   ListName = "establish_tasks"
	Rollback    ListName = "rollback_tasks"
	PostUpgrade ListName = "post_upgrade_tasks"
)

// The task lists of a service whose role is replaced.
const (
	Deploy  ListName = "deploy_tasks"
	Carry   ListName = "carry_tasks"
	Verify  ListName = "verify_tasks"
	CutOver ListName = "cut_over_tasks"
	CutBack ListName = "cut_back_tasks"
	Retire  ListName = "retire_tasks"
)

// Deployment is how the tasks of a deployment are named, which are a play of their own.
const Deployment ListName = "tasks"

// ListNames gives every task list, in the order in which they come in an upgrade.
func ListNames() []ListName {
	return []ListName{
		Preflight, Drain, Unlink, Backup, Upgrade, Deploy, Carry, Verify, Health, Restore, Establish, CutOver, PostUpgrade, Retire, Rollback, CutBack,
	}
}

// PhaseNames gives those that run on roles that are replaced only, in the order in which
// they come.
func PhaseNames() []ListName {
	return []ListName{Deploy, Carry, Verify, CutOver, CutBack, Retire}
}

// Stepped tells whether the tasks of a list belong to steps.
func (l ListName) Stepped() bool { return l == Upgrade || l == Rollback || l == PostUpgrade }

// PostUpgradeTag marks rollback tasks that undo what post_upgrade_tasks did.
const PostUpgradeTag = "post_upgrade"

// MigrationTag marks upgrade tasks that change a schema and have no run_once.
const MigrationTag = "migration"

// Task is one element of a task list in the steps it belongs to. A block whose inner
// tasks name different steps becomes a Task for each, with the same Index.
type Task struct {
	Name      string // on one line, to be shown
	Pos       source.Pos
	Index     int   // place in its list, from 1
	Steps     []int // ascending; nil in lists without steps
	Split     bool  // one of several parts of a block whose tasks name different steps
	PostOnly  bool  // a rollback task of what post_upgrade_tasks did
	Text      string
	Notifies  []source.Mark // places in Text of the handlers it names, ascending
	Once      bool          // has run_once
	Migration bool          // changes a schema, by its tag or because it has run_once
	Throttle  bool
	Ignores   string // ignore_errors or ignore_unreachable, where it says so; ""
	Bootstrap bool   // hangs on upstep_bootstrap
	Registers []string
	SetsFacts []string
	Delegates []Delegation // of the whole element, where it is split too
}

// Handler is a task that runs when notified, at the end of the unit.
type Handler struct {
	Name string
	Pos  source.Pos
	Text string
	// Places in Text: its name, the topics it listens to, the handlers it notifies.
	Names, Listens, Notifies []source.Mark
}

// Vars are a service's own variables, kept as written.
type Vars struct {
	Names []string
	Text  string              // keys at the left margin; "" for none
	Uses  map[string][]string // the variables that each one's value names
}

// Keyword is one play keyword with its value as written, "key: value" at the left margin.
type Keyword struct {
	Name string
	Text string
	Pos  source.Pos
}

// Use is a variable that a service's tasks name, at the first place they do.
type Use struct {
	Name string
	Pos  source.Pos
}
