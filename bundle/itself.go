package bundle

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// PatternError lists what the plan says of hosts that is no plain name of a group, so that
// the machine that the bundle runs on cannot be put into it.
type PatternError struct{ Patterns []string }

// Error lists the patterns.
func (e *PatternError) Error() string {
	return "an inventory for the machine itself has it in every group of the plan, and these are no plain names of groups: " + strings.Join(e.Patterns, ", ")
}

// Hint says what to do.
func (e *PatternError) Hint() string {
	return "give the inventory that travels: -i FILE or folder"
}

// SharedError says that the machine itself would stand in several roles of a plan that was
// made without hosts: what their tasks may do at the same time was not planned.
type SharedError struct {
	Roles     []string
	Inventory string // to plan with
}

// Error names the roles.
func (e *SharedError) Error() string {
	return "roles " + strings.Join(e.Roles, ", ") + " share the machine itself, which a plan without hosts could not know"
}

// Hint says what to do, and gives the inventory to plan with.
func (e *SharedError) Hint() string {
	return "plan for the machine itself: write this as itself.yml into the project, then upstep emit -i itself.yml, and bundle that plan; or give the inventory that travels with -i\n\n" + e.Inventory
}

// onlyItself tells whether a route was planned for the machine itself and no other.
func onlyItself(r *planner.Route) bool {
	for _, p := range r.Hops {
		for i := range p.Roles {
			if m := p.Roles[i].Members; len(m) > 1 || len(m) == 1 && m[0] != "localhost" {
				return false
			}
		}
	}
	return true
}

var plainGroup = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// itself writes the inventory of the machine that a bundle runs on: it stands in every
// group that the plans name. Anything but plain names is a *PatternError, a plan that would
// have had to know the machine a *SharedError.
func itself(r *planner.Route) ([]byte, error) {
	var groups, odd []string
	note := func(pattern string) {
		switch {
		case pattern == "all" || pattern == "localhost" || slices.Contains(groups, pattern):
		case plainGroup.MatchString(pattern) && pattern != "ungrouped":
			groups = append(groups, pattern)
		case !slices.Contains(odd, pattern):
			odd = append(odd, pattern)
		}
	}
	for _, p := range r.Hops {
		for i := range p.Roles {
			note(p.Roles[i].Hosts)
		}
		for _, list := range [][]planner.Deployment{p.Before, p.After} {
			for _, d := range list {
				note(d.Hosts)
			}
		}
	}
	if len(odd) > 0 {
		return nil, &PatternError{odd}
	}
	slices.Sort(groups)
	text := itselfIn(groups)
	for _, p := range r.Hops {
		if len(p.Roles) > 1 && !p.HostsKnown {
			var names []string
			for i := range p.Roles {
				names = append(names, p.Roles[i].Name)
			}
			return nil, &SharedError{names, text}
		}
	}
	return []byte(text), nil
}

// itselfIn writes an inventory in which the machine itself stands in each of some groups.
func itselfIn(groups []string) string {
	var b strings.Builder
	b.WriteString("# The machine that the bundle is run on, in every group of the plan.\nall:\n  hosts:\n    localhost:\n")
	// Tasks run with the system's Python, whatever Ansible itself runs with.
	b.WriteString("      ansible_connection: local\n      ansible_python_interpreter: auto_silent\n")
	if len(groups) > 0 {
		b.WriteString("  children:\n")
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "    %q: {hosts: {localhost: {}}}\n", g)
	}
	return b.String()
}
