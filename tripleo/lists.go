package tripleo

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Workflow is which of TripleO's task lists are imported.
type Workflow string

// The workflows that TripleO has.
const (
	Upgrade     Workflow = "upgrade"
	Update      Workflow = "update"
	FastForward Workflow = "fast-forward"
)

// Workflows gives their names.
func Workflows() []string { return []string{string(Upgrade), string(Update), string(FastForward)} }

// The stages of an imported project.
const (
	control    = "control-plane"
	nonControl = "non-control-plane"
	preRolling = "pre-upgrade-rolling"
	batches    = "upgrade-batch"
)

// list is one of TripleO's task lists and what becomes of it.
type list struct {
	name   string // as templates write it
	stage  string // the stage of a role of its own, "" where it goes to the service's own role
	suffix string // of the names of services and roles of such a stage
	to     string // the list of a service of ours
	last   int    // the last step; TripleO runs none beyond
	max    string // what TripleO's own templates call the number of its steps
}

// lists gives the task lists of a workflow, in the order in which TripleO runs them.
// The last steps are those of tripleo-heat-templates' common/deploy-steps.j2 (Train).
func (w Workflow) lists() []list {
	switch w {
	case Update:
		return []list{
			{name: "update_tasks", to: "upgrade_tasks", last: 5, max: "update_steps_max"},
			{name: "post_update_tasks", to: "post_upgrade_tasks", last: 3, max: "post_update_steps_max"},
			{name: "external_update_tasks", stage: "external-update", suffix: "external", to: "upgrade_tasks", last: 1, max: "external_update_steps_max"},
		}
	case FastForward:
		return []list{
			{name: "fast_forward_upgrade_tasks", to: "upgrade_tasks", last: 9},
			{name: "fast_forward_post_upgrade_tasks", to: "post_upgrade_tasks", last: 3},
		}
	case Upgrade:
	}
	return []list{
		{name: "pre_upgrade_rolling_tasks", stage: preRolling, suffix: "pre_rolling", to: "upgrade_tasks", last: 0, max: "pre_upgrade_rolling_steps_max"},
		{name: "upgrade_batch_tasks", stage: batches, suffix: "batch", to: "upgrade_tasks", last: 2, max: "batch_upgrade_steps_max"},
		{name: "upgrade_tasks", to: "upgrade_tasks", last: 5, max: "upgrade_steps_max"},
		{name: "post_upgrade_tasks", to: "post_upgrade_tasks", last: 3, max: "post_upgrade_steps_max"},
		{name: "external_upgrade_tasks", stage: "external-upgrade", suffix: "external", to: "upgrade_tasks", last: 2, max: "external_upgrade_steps_max"},
	}
}

var stepsMax = regexp.MustCompile(`set\s+([a-z_]+_steps_max)\s*=\s*([0-9]+)`)

// bounded gives the lists with the last steps that the templates at hand state.
func (w Workflow) bounded(templates string) []list {
	stated := map[string]int{}
	for _, name := range []string{"common/deploy-steps.j2", "common/major_upgrade_steps.j2.yaml", "puppet/major_upgrade_steps.j2.yaml"} {
		text, err := os.ReadFile(filepath.Join(templates, filepath.FromSlash(name)))
		if err != nil {
			continue
		}
		for _, m := range stepsMax.FindAllStringSubmatch(string(text), -1) {
			if n, err := strconv.Atoi(m[2]); err == nil && n > 0 && stated[m[1]] == 0 {
				stated[m[1]] = n
			}
		}
	}
	out := slices.Clone(w.lists())
	for i, l := range out {
		if n := stated[l.max]; n > 0 {
			out[i].last = n - 1
		}
	}
	return out
}

// rolling tells whether the stage of a list takes its hosts in batches.
func (l list) rolling() bool { return l.stage == preRolling || l.stage == batches }

// external tells whether a list is work of the control node.
func (l list) external() bool { return l.stage != "" && !l.rolling() }

// onlyFirst gives the condition for steps that TripleO takes on the first host of a role
// only: in a fast-forward upgrade those behind the preparation, 0 to 3. Its
// common/deploy-steps.j2 (Queens): fast_forward_upgrade_bootstrap_role_tasks.
func (l list) onlyFirst(steps []int) string {
	const (
		prepared = 3
		first    = "inventory_hostname == groups[upstep_role][0]"
	)
	if l.name != "fast_forward_upgrade_tasks" || len(steps) == 0 || steps[len(steps)-1] <= prepared {
		return ""
	}
	if steps[0] > prepared {
		return first
	}
	return "step|int <= 3 or " + first
}

func (l list) steps() []int {
	out := make([]int, l.last+1)
	for i := range out {
		out[i] = i
	}
	return out
}
