package planner

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// relate draws the graph of every stage and refuses cycles.
func (b *builder) relate() {
	for s := range b.stageNames {
		b.graphs = append(b.graphs, b.newPhase(s))
	}
	b.checkStages()
	b.refuseCycles()
}

// checkStages refuses dependencies on what comes in a later stage only, and notes
// which dependencies have no effect.
func (b *builder) checkStages() {
	for i := range b.Services {
		svc := &b.Services[i]
		for d := range svc.DependsOn {
			dep := &svc.DependsOn[d]
			target, known := b.index[dep.Service]
			if !known || len(b.standing[i]) == 0 {
				continue
			}
			switch targets := b.standing[target]; {
			case len(targets) == 0:
				b.ignore(&b.reasons[i][d], "depends on "+dep.Service+", which is placed on no role")
			case dep.HostOnly && !b.together(b.standing[i], targets):
				b.ignore(&b.reasons[i][d], "depends on "+dep.Service+" of its own role only, where that does not stand")
			default:
				for _, p := range b.standing[i] {
					b.checkStage(svc, dep, p, targets)
				}
			}
		}
	}
}

func (b *builder) ignore(r *reason, text string) {
	r.ignored = true
	b.ignored = append(b.ignored, note(r.to, text, r.dep.Pos))
}

// together tells whether two services stand on a common role.
func (b *builder) together(one, other []int) bool {
	return slices.ContainsFunc(one, func(p int) bool {
		return slices.ContainsFunc(other, func(q int) bool { return b.placements[p].role == b.placements[q].role })
	})
}

func (b *builder) checkStage(svc *services.Service, dep *services.Dependency, p int, targets []int) {
	stage := b.placements[p].stage
	inTime, late := false, 0
	for _, q := range targets {
		if b.placements[q].unsure || b.placements[p].unsure {
			return
		}
		if dep.HostOnly && b.placements[q].role != b.placements[p].role {
			continue
		}
		if b.placements[q].stage <= stage {
			inTime = true
		} else {
			late = max(late, b.placements[q].stage)
		}
	}
	switch {
	case late > 0 && !inTime:
		b.sink.Errorf(dep.Pos, "%s runs in stage %s but depends on %s, which runs only later, in %s", svc.Name, b.stageNames[stage], dep.Service, b.stageNames[late]).
			WithHint("move one of the two: stage: on the service wins over the role's")
	case late > 0:
		b.say(svc.Name, "does not wait for "+dep.Service+" in the later stage "+b.stageNames[late], dep.Pos)
	}
}

// refuseCycles reports every knot of dependencies as one path, each arrow with the
// line that drew it.
func (b *builder) refuseCycles() {
	said := map[string]bool{}
	for _, ph := range b.graphs {
		for _, cycle := range ph.graph.reversed().cycles() {
			b.broken = true
			text, at := cyclePath(cycle)
			if !said[text] {
				said[text] = true
				b.sink.Errorf(at, "dependency cycle: %s", text).WithHint("remove one of these dependencies")
			}
		}
	}
}

// cyclePath writes a cycle beginning with its first service by name:
// a -> b (file:line of a's dependency) -> a (...).
func cyclePath(cycle []step) (string, source.Pos) {
	first := 0
	for i := range cycle {
		if cycle[i].why.to < cycle[first].why.to {
			first = i
		}
	}
	cycle = slices.Concat(cycle[first:], cycle[:first])
	var out strings.Builder
	out.WriteString(cycle[0].why.to)
	for _, s := range cycle {
		out.WriteString(" -> " + s.why.from + " (" + s.why.dep.Pos.Short() + ")")
	}
	return out.String(), cycle[0].why.dep.Pos
}
