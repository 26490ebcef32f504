package planner

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// relate draws the graph of every stage and refuses cycles.
func (b *builder) relate() {
	b.ignoredDep = map[*services.Dependency]bool{}
	b.effect = map[*services.Dependency]effect{}
	byService := map[string][]int{}
	for p := range b.placements {
		name := b.placements[p].svc.Name
		byService[name] = append(byService[name], p)
	}
	for s := range b.stageNames {
		ph := &phase{stage: s, list: tasks.Upgrade, at: map[int]int{}}
		if s == b.post() {
			ph.list = tasks.PostUpgrade
		}
		for p := range b.placements {
			if s == b.post() || b.placements[p].stage == s {
				ph.at[p] = len(ph.nodes)
				ph.nodes = append(ph.nodes, p)
			}
		}
		ph.graph = newDigraph(len(ph.nodes))
		for to, p := range ph.nodes {
			b.draw(ph, to, p, byService)
		}
		b.graphs = append(b.graphs, ph)
	}
	b.checkStages(byService)
	b.refuseCycles()
}

// draw adds the edges of one placement's dependencies within a stage.
func (b *builder) draw(ph *phase, to, p int, byService map[string][]int) {
	here := &b.placements[p]
	for d := range here.svc.DependsOn {
		dep := &here.svc.DependsOn[d]
		why := &reason{from: dep.Service, to: here.svc.Name, dep: dep}
		for _, q := range byService[dep.Service] {
			from, inStage := ph.at[q]
			there := &b.placements[q]
			if !inStage || dep.HostOnly && there.role != here.role {
				continue
			}
			// Between a rolling role and another, step by step means nothing: batches go
			// through all steps at a time.
			rolling := b.Roles[here.role].Rolling != nil || b.Roles[there.role].Rolling != nil
			apart := rolling && here.role != there.role
			ph.graph.add(from, to, dep.Upgraded || apart, why)
			if ph.stage != b.post() {
				e := b.effect[dep]
				b.effect[dep] = effect{step: e.step || !apart, rolling: e.rolling || apart}
			}
		}
	}
}

// checkStages refuses dependencies on what comes in a later stage only, and notes
// which dependencies have no effect.
func (b *builder) checkStages(byService map[string][]int) {
	for i := range b.Services {
		svc := &b.Services[i]
		for d := range svc.DependsOn {
			dep := &svc.DependsOn[d]
			if _, known := b.index[dep.Service]; !known || len(byService[svc.Name]) == 0 {
				continue
			}
			targets := byService[dep.Service]
			if len(targets) == 0 {
				b.ignoredDep[dep] = true
				b.ignored = append(b.ignored, note(svc.Name, "depends on "+dep.Service+", which is placed on no role", dep.Pos))
				continue
			}
			for _, p := range byService[svc.Name] {
				b.checkStage(svc, dep, p, targets)
			}
		}
	}
}

func (b *builder) checkStage(svc *services.Service, dep *services.Dependency, p int, targets []int) {
	stage := b.placements[p].stage
	inTime, late := false, 0
	for _, q := range targets {
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
		n := note(svc.Name, "does not wait for "+dep.Service+" in the later stage "+b.stageNames[late], dep.Pos)
		if !slices.Contains(b.notes, n) {
			b.notes = append(b.notes, n)
		}
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

// variables warns where a service uses what only another registers, and nothing
// orders the two.
func (b *builder) variables() {
	setters := map[string][]*services.Service{}
	known := map[string]bool{}
	for _, n := range b.Settings.Vars.Names {
		known[n] = true
	}
	for _, in := range b.Settings.Inputs {
		known[in.Name] = true
	}
	for _, d := range b.Settings.Before {
		for _, t := range d.Tasks {
			for _, n := range slices.Concat(t.Registers, t.SetsFacts) {
				known[n] = true
			}
		}
	}
	for i := range b.Services {
		for _, n := range b.Services[i].Registered() {
			setters[n] = append(setters[n], &b.Services[i])
		}
	}
	for i := range b.Services {
		svc := &b.Services[i]
		var closure map[string]bool
		for _, u := range svc.Uses {
			set := setters[u.Name]
			if len(set) == 0 || known[u.Name] || slices.Contains(set, svc) || slices.Contains(svc.Vars.Names, u.Name) {
				continue
			}
			if closure == nil {
				closure = b.dependsOn(svc)
			}
			if slices.ContainsFunc(set, func(s *services.Service) bool { return closure[s.Name] }) {
				continue
			}
			b.sink.Warnf(u.Pos, "%s uses %q, which only %s registers, without depending on it", svc.Name, u.Name, set[0].Name).
				WithHint("add depends_on: [" + set[0].Name + "] to " + svc.Name + "; " + u.Name + " is set in " + set[0].Pos.File)
		}
	}
}

// dependsOn gives every service that a service depends on, over others too.
func (b *builder) dependsOn(svc *services.Service) map[string]bool {
	out := map[string]bool{}
	for todo := []*services.Service{svc}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, d := range s.DependsOn {
			if i, ok := b.index[d.Service]; ok && !out[d.Service] {
				out[d.Service] = true
				todo = append(todo, &b.Services[i])
			}
		}
	}
	return out
}
