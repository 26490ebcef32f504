package planner

import (
	"slices"

	"github.com/upstep/upstep/tasks"
)

// track plans a rolling role's way through a wave: drain, steps, health, restore.
func (b *builder) track(f *frame, prefix string, wave, r int, nodes []int) Track {
	role := b.Roles[r].Name
	t := Track{Role: role}
	work := b.work(f, nodes)
	g := work.graph(f)
	for _, number := range work.numbers {
		t.Parts = append(t.Parts, b.cut(f, prefix, r, work, g, number)...)
	}
	if len(t.Parts) == 0 {
		return t
	}
	// Every service of the role is drained and checked, whichever of them this track
	// upgrades: it is the host that leaves traffic.
	drain := Unit{ID: prefix + "/drain/" + role, Kind: KindDrain, Role: role, Segments: b.traffic(r, tasks.Drain, tasks.Unlink, "unlink")}
	health := Unit{ID: prefix + "/health/" + role, Kind: KindHealth, Role: role}
	for _, p := range b.everyone(r) {
		if svc := b.placements[p].svc; len(svc.Lists[tasks.Health]) > 0 {
			health.Segments = append(health.Segments, b.whole(svc, tasks.Health))
		}
	}
	restore := Unit{ID: prefix + "/restore/" + role, Kind: KindRestore, Role: role, Segments: b.traffic(r, tasks.Restore, tasks.Establish, "establish")}
	slices.Reverse(drain.Segments) // dependents first
	if len(drain.Segments) > 0 {
		t.Parts = slices.Insert(t.Parts, 0, drain)
	}
	for _, u := range []Unit{health, restore} {
		if len(u.Segments) > 0 {
			t.Parts = append(t.Parts, u)
		}
	}
	t.After = b.waits(f, wave, nodes)
	return t
}

// cut makes the units of a track in a step: one, or more where tasks run once. Those
// stand alone: a limited re-run would repeat them.
func (b *builder) cut(f *frame, prefix string, r int, work *work, g *digraph, number int) []Unit {
	var busy []int
	for i := range work.nodes {
		if len(work.of(i, number)) > 0 {
			busy = append(busy, i)
		}
	}
	var out []Unit
	same := b.sharer(f.list)
	for k, i := range g.sorted(busy) {
		pl := &b.placements[f.ph.nodes[work.nodes[i]]]
		items := same.keep(r, pl.of, k, work.of(i, number))
		for _, run := range runs(b.serviceOf(f.ph, work.nodes[i]).Lists[f.list], items) {
			u := Unit{ID: unitID(prefix, number, b.Roles[r].Name, len(out)+1), Kind: KindStep, Role: b.Roles[r].Name, Step: number}
			b.fill(&u, f, work.nodes[i], run)
			if len(out) == 0 || u.apart() || out[len(out)-1].apart() {
				out = append(out, u)
			} else {
				b.fill(&out[len(out)-1], f, work.nodes[i], run)
			}
		}
	}
	same.tell(out)
	return out
}

// traffic gives what puts a role's services into traffic, dependencies first, or turned
// round what takes them out: their own tasks, or those of the services that carry their
// traffic. A carrier serves a host once, when the last service behind it is ready.
func (b *builder) traffic(r int, own, others tasks.ListName, links string) []Segment {
	var out []Segment
	for _, p := range b.everyone(r) {
		svc := b.placements[p].svc
		if svc.Behind == "" {
			if len(svc.Lists[own]) > 0 {
				out = append(out, b.whole(svc, own))
			}
			continue
		}
		i, known := b.index[svc.Behind]
		if !known {
			continue
		}
		carrier := &b.Services[i]
		s := b.whole(carrier, others)
		s.Links = links
		out = slices.DeleteFunc(out, func(o Segment) bool { return o.Service == s.Service && o.Links == links })
		out = append(out, s)
	}
	return out
}

// keepApart orders a track after everything of its wave that works on the same hosts:
// stepping roles and their gates, and the tracks of roles before it.
func (b *builder) keepApart(f *frame, w *Wave, t *Track, r int) {
	after := func(role string) {
		q := b.roleNumber[role]
		if b.meet(r, q) {
			t.After = addAfter(t.After, f.ends[[2]int{w.Number, q}], "shares hosts with "+role)
		}
	}
	for i := range w.Steps {
		for j := range w.Steps[i].Units {
			after(w.Steps[i].Units[j].Role)
		}
	}
	for i := range w.Tracks {
		after(w.Tracks[i].Role)
	}
}

// waits names the dependencies that keep nodes out of earlier waves: of each role, on
// what ended last.
func (b *builder) waits(f *frame, wave int, nodes []int) []After {
	latest := map[int]int{} // wave by role
	why := map[int]After{}
	seen := map[int]bool{}
	var visit func(n int, by *reason)
	visit = func(n int, by *reason) {
		edges := f.ph.graph.in[n]
		if f.back {
			edges = f.ph.graph.out[n]
		}
		for _, e := range edges {
			via := by
			if via == nil {
				via = e.why
			}
			r := b.roleAt(f.ph, e.node)
			id, did := f.ends[[2]int{f.ph.wave[e.node], r}]
			if !f.ph.active[e.node] || !did {
				if !seen[e.node] {
					seen[e.node] = true
					visit(e.node, via)
				}
				continue
			}
			if w, known := latest[r]; f.ph.wave[e.node] == wave || known && !f.before(w, f.ph.wave[e.node]) {
				continue
			}
			latest[r] = f.ph.wave[e.node]
			why[r] = After{Unit: id, Reason: via.over(b.serviceOf(f.ph, e.node).Name, f.back), Place: placeOf(via.dep.Pos)}
		}
	}
	for _, n := range nodes {
		if f.ph.active[n] {
			visit(n, nil)
		}
	}
	var out []After
	for _, a := range why {
		out = append(out, a)
	}
	slices.SortFunc(out, func(x, y After) int { return compareText(x.Unit, y.Unit) })
	return out
}
