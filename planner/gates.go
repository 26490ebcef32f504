package planner

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/tasks"
)

// gates adds the health gates of roles that are not rolling, at the end of the wave:
// the services that it upgraded, and those that no wave of the stage does. On the way
// back there is none: what the upgrade broke is not expected to be healthy before it is
// undone.
func (b *builder) gates(f *frame, prefix string, w *Wave) {
	if f.back {
		return
	}
	worked := map[int][]int{} // nodes with health tasks of each role that did something
	for _, s := range w.Steps {
		for _, u := range s.Units {
			worked[b.roleNumber[u.Role]] = nil
		}
	}
	for r := range worked {
		for _, n := range f.ph.healthy[r] {
			if f.ph.wave[n] == w.Number || !f.ph.active[n] {
				worked[r] = append(worked[r], n)
			}
		}
	}
	for r := range b.Roles {
		nodes := worked[r]
		if len(nodes) == 0 {
			continue
		}
		u := Unit{ID: prefix + "/health/" + b.Roles[r].Name, Kind: KindHealth, Role: b.Roles[r].Name}
		for _, n := range f.ph.graph.sorted(nodes) {
			u.Segments = append(u.Segments, b.whole(b.serviceOf(f.ph, n), tasks.Health))
		}
		for _, o := range w.Health {
			if b.shared[r][b.roleNumber[o.Role]] {
				u.After = append(u.After, After{Unit: o.ID, Reason: "shares hosts with " + o.Role})
			}
		}
		f.end(w.Number, r, u.ID)
		w.Health = append(w.Health, u)
	}
}

// whole gives a task list of a service as a segment.
func (b *builder) whole(svc *services.Service, list tasks.ListName) Segment {
	items := make([]item, len(svc.Lists[list]))
	for i := range items {
		items[i].task = i
	}
	return b.segment(svc, list, items)
}

// segment gives some tasks of a service's list as a segment.
func (b *builder) segment(svc *services.Service, list tasks.ListName, items []item) Segment {
	s := Segment{Service: svc.Name}
	for _, it := range items {
		s.Tasks = append(s.Tasks, b.taskID(list, svc.Lists[list], it.task))
	}
	return s
}

// everyone gives the placements of a role that have to do with a batch or a preflight,
// dependencies first, over all stages.
func (b *builder) everyone(r int) []int {
	if b.ordered == nil {
		b.ordered = make([][]int, len(b.Roles))
	}
	if b.ordered[r] == nil {
		ph := b.graphs[b.post()] // every placement is a node of the last stage
		nodes := []int{}
		for _, p := range b.stands[r] {
			if svc := b.placements[p].svc; svc.Behind != "" || slices.ContainsFunc(aroundLists(), func(l tasks.ListName) bool { return len(svc.Lists[l]) > 0 }) {
				nodes = append(nodes, ph.at[p])
			}
		}
		b.ordered[r] = []int{}
		for _, n := range ph.graph.sorted(nodes) {
			b.ordered[r] = append(b.ordered[r], ph.nodes[n])
		}
	}
	return b.ordered[r]
}

// aroundLists are the lists that run before and after a service's steps.
func aroundLists() []tasks.ListName {
	return []tasks.ListName{tasks.Preflight, tasks.Drain, tasks.Health, tasks.Restore}
}

// sayRounds notes the rolling roles that leave traffic more than once in a stage.
func (b *builder) sayRounds(s Stage) {
	waves := map[string][]string{}
	for _, w := range s.Waves {
		for _, t := range w.Tracks {
			waves[t.Role] = append(waves[t.Role], itoa(w.Number))
		}
	}
	for r := range b.Roles {
		if in := waves[b.Roles[r].Name]; len(in) > 1 {
			b.say(b.Roles[r].Name, "its dependencies cut it: it goes through stage "+s.Name+" in "+itoa(len(in))+" rounds, in waves "+strings.Join(in, ", "), b.Roles[r].Pos)
		}
	}
}
