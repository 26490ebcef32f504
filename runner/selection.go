package runner

import (
	"slices"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// Selection narrows an invocation; empty fields choose everything.
type Selection struct {
	Stages []string
	Roles  []string
	// Services choose the units that hold tasks of theirs, whole.
	Services []string
	Steps    []int
	Hosts    []string // limit
	// Exclude leaves hosts behind, such as those that are dead.
	Exclude []string
	// WithoutDependencies lets units begin before unselected ones that they wait for.
	WithoutDependencies bool
}

func (s Selection) narrow() bool {
	return len(s.Stages)+len(s.Roles)+len(s.Services)+len(s.Steps)+len(s.Hosts)+len(s.Exclude) > 0
}

// Has tells whether a play is chosen. Steps choose among plays of one step; a rolling
// role's batches go through all of theirs. What comes before the upgrade belongs to
// whatever is chosen first, and what comes after it to what completes it.
func (s Selection) Has(p playbooks.Play) bool {
	if p.Role == "" {
		return true
	}
	if len(s.Stages) > 0 && !slices.Contains(s.Stages, p.Stage) {
		return false
	}
	if len(s.Roles) > 0 && !slices.Contains(s.Roles, p.Role) {
		return false
	}
	if len(s.Services) > 0 && !slices.ContainsFunc(p.Units, s.serves) {
		return false
	}
	if len(s.Steps) == 0 {
		return true
	}
	return !p.Batches && slices.ContainsFunc(p.Units, func(u planner.Unit) bool {
		return u.Kind == planner.KindStep && slices.Contains(s.Steps, u.Step)
	})
}

// serves tells whether a unit holds tasks of a chosen service, or one that stands for such.
func (s Selection) serves(u planner.Unit) bool {
	return slices.ContainsFunc(s.Services, u.Holds)
}
