package playbooks

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// guards are the lines by which upstep's own tasks stand outside of what authors said
// for theirs: errors may be ignored, but no gate; tasks may have a time limit, but a
// pause takes as long as was asked for; results may be hidden, but not why a run stops.
type guards struct{ firm, facts, own []string }

// guard gives the guards against keywords that stand around a task. Where none of them
// matters there is nothing to write.
func guard(around ...[]planner.Keyword) guards {
	var g guards
	all := slices.Concat(around...)
	for _, k := range []struct {
		name, value string
		firm, facts bool
	}{{"ignore_errors", "false", true, true}, {"ignore_unreachable", "false", true, true}, {"timeout", "0", false, true}, {"no_log", "false", false, false}} {
		if !slices.ContainsFunc(all, func(o planner.Keyword) bool { return o.Name == k.name }) {
			continue
		}
		line := k.name + ": " + k.value
		g.own = append(g.own, line)
		if k.firm {
			g.firm = append(g.firm, line)
		}
		if k.facts { // they may hold secrets
			g.facts = append(g.facts, line)
		}
	}
	return g
}

// around gives the guards for what is written into a file of a role's tasks.
func (r *renderer) around(role string, near ...planner.Keyword) guards {
	return guard(near, r.role[role].Play, r.plan.Play)
}

// own begins a task of upstep's own: one that decides, waits or says something.
func (w *writer) own(indent int, name string) { w.begin(indent, name, w.guards.own) }

// firm begins what holds tasks of an author whose failure decides, such as those that
// ask for health. Their time limits and their secrets stay their author's.
func (w *writer) firm(indent int, name string) { w.begin(indent, name, w.guards.firm) }

func (w *writer) begin(indent int, name string, lines []string) {
	pad := strings.Repeat(" ", indent)
	w.linef("%s- name: %s", pad, source.Quote(name))
	for _, line := range lines {
		w.linef("%s  %s", pad, line)
	}
}

// deciding gives the keywords of a service for its part of a unit. Where failures are
// what is asked for, the whole service's are not ignored: single tasks may say so.
func deciding(u planner.Unit, list []planner.Keyword) []planner.Keyword {
	if u.Kind != planner.KindHealth && u.Kind != planner.KindPreflight && !u.Backup {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(k planner.Keyword) bool {
		return k.Name == "ignore_errors" || k.Name == "ignore_unreachable"
	})
}
