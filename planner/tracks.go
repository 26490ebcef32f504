package planner

import (
	"slices"

	"github.com/upstep/upstep/tasks"
)

// track plans a rolling role's way through a wave: drain, steps, health, restore.
func (b *builder) track(f frame, r int) Track {
	role := b.Roles[r].Name
	t := Track{Role: role}
	nodes := b.within(f.ph, f.wave, r)
	g := f.order(nodes)
	all := make([]int, len(nodes))
	for i := range all {
		all[i] = i
	}
	order := g.topological(all)
	counts := map[int]int{}
	for _, number := range b.stepsIn(f, nodes) {
		cl := cluster{colour: r}
		for _, i := range order {
			if b.inStep(f, nodes[i], number) {
				cl.nodes = append(cl.nodes, i)
			}
		}
		clear(counts)
		t.Parts = append(t.Parts, b.cut(f, number, cl, nodes, counts)...)
	}
	if len(t.Parts) == 0 {
		return t
	}
	// Every service of the role is drained and checked, whichever of them this track
	// upgrades: it is the host that leaves traffic.
	everyone := b.everyone(r)
	slices.Reverse(everyone)
	drain := Unit{ID: f.prefix + "/drain/" + role, Kind: KindDrain, Role: role, Segments: b.traffic(everyone, tasks.Drain, "unlink")}
	slices.Reverse(everyone)
	health := Unit{ID: f.prefix + "/health/" + role, Kind: KindHealth, Role: role}
	for _, p := range everyone {
		if s := whole(b.placements[p].svc.Name, b.placements[p].svc.Lists[tasks.Health], tasks.Health); len(s.Tasks) > 0 {
			health.Segments = append(health.Segments, s)
		}
	}
	restore := Unit{ID: f.prefix + "/restore/" + role, Kind: KindRestore, Role: role, Segments: b.traffic(everyone, tasks.Restore, "establish")}
	if len(drain.Segments) > 0 {
		t.Parts = slices.Insert(t.Parts, 0, drain)
	}
	for _, u := range []Unit{health, restore} {
		if len(u.Segments) > 0 {
			t.Parts = append(t.Parts, u)
		}
	}
	for i := range t.Parts {
		t.Parts[i].After = nil // the parts of a track follow each other
	}
	t.After = b.trackAfter(f, nodes)
	return t
}

// everyone gives the placements of a role, dependencies first, over all stages.
func (b *builder) everyone(r int) []int {
	ph := b.graphs[b.post()] // every placement is a node of the last stage
	var nodes []int
	for n, p := range ph.nodes {
		if b.placements[p].role == r {
			nodes = append(nodes, n)
		}
	}
	var out []int
	for _, n := range ph.graph.topological(nodes) {
		out = append(out, ph.nodes[n])
	}
	return out
}

// traffic gives what takes a role's services out of traffic or puts them back: their
// own tasks, or those of the services that carry their traffic.
func (b *builder) traffic(order []int, list tasks.ListName, links string) []Segment {
	var out []Segment
	for _, p := range order {
		svc := b.placements[p].svc
		if svc.Behind == "" {
			if s := whole(svc.Name, svc.Lists[list], list); len(s.Tasks) > 0 {
				out = append(out, s)
			}
			continue
		}
		i, known := b.index[svc.Behind]
		if !known {
			continue
		}
		carrier := &b.Services[i]
		name := tasks.Unlink
		if links == "establish" {
			name = tasks.Establish
		}
		s := whole(carrier.Name, carrier.Lists[name], name)
		s.Links = links
		if !slices.ContainsFunc(out, func(o Segment) bool { return o.Service == s.Service && o.Links == links }) {
			out = append(out, s)
		}
	}
	return out
}

// trackAfter names the dependencies that put the track into its wave.
func (b *builder) trackAfter(f frame, nodes []int) []After {
	var out []After
	if f.back {
		return nil
	}
	for _, n := range nodes {
		for _, e := range f.ph.graph.in[n] {
			if f.ph.wave[e.node] >= f.wave {
				continue
			}
			from := b.placements[f.ph.nodes[e.node]]
			a := After{Unit: wavePrefix(f.prefix, f.ph.wave[e.node]) + "/*/" + b.Roles[from.role].Name, Reason: e.why.text(), Place: placeOf(e.why.dep.Pos)}
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y After) int { return compareText(x.Unit, y.Unit) })
	return out
}

// wavePrefix gives the prefix of another wave of the same stage.
func wavePrefix(prefix string, wave int) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] == '/' {
			return prefix[:i+1] + itoa(wave)
		}
	}
	return prefix
}

// keepApart orders tracks after everything of the wave that works on the same hosts.
func (b *builder) keepApart(f frame, w *Wave) {
	for i := range w.Tracks {
		t := &w.Tracks[i]
		mine := b.roleIndex(t.Role)
		if n := len(w.Steps); n > 0 {
			for r := range b.Roles {
				role := b.Roles[r].Name
				if r != mine && b.shared[mine][r] && slices.ContainsFunc(w.Steps, func(s Step) bool {
					return slices.ContainsFunc(s.Units, func(u Unit) bool { return u.Role == role })
				}) {
					last := w.Steps[n-1]
					t.After = addAfter(t.After, f.prefix+"/step"+itoa(last.Number)+"/*", "shares hosts with "+role)
				}
			}
		}
		for j := range i {
			if b.shared[mine][b.roleIndex(w.Tracks[j].Role)] {
				t.After = addAfter(t.After, f.prefix+"/*/"+w.Tracks[j].Role, "shares hosts with "+w.Tracks[j].Role)
			}
		}
	}
}

func (b *builder) roleIndex(name string) int {
	for r := range b.Roles {
		if b.Roles[r].Name == name {
			return r
		}
	}
	return -1
}
