package planner

import (
	"slices"
)

// arrange gives every node of a stage its wave, and on rolling roles its track: a
// rolling role goes through a stage in as few tracks as its dependencies allow.
func (b *builder) arrange(ph *phase) {
	colour := make([]int, len(ph.nodes))
	for n, p := range ph.nodes {
		colour[n] = free
		if b.roleOf(p).Rolling != nil {
			colour[n] = b.placements[p].role
		}
	}
	ph.wave, ph.track = make([]int, len(ph.nodes)), make([]int, len(ph.nodes))
	latest := make([]int, len(b.Roles)) // wave of each rolling role's track before
	for _, c := range group(ph.graph, colour, len(b.Roles)) {
		wave := 1
		for _, n := range c.nodes {
			for _, e := range ph.graph.in[n] {
				need := ph.wave[e.node]
				if e.hard {
					need++
				}
				wave = max(wave, need)
			}
		}
		if c.colour >= 0 {
			wave = max(wave, latest[c.colour]+1)
			latest[c.colour] = wave
		}
		for _, n := range c.nodes {
			ph.wave[n], ph.track[n] = wave, c.seq
		}
	}
	b.renumber(ph)
}

// renumber leaves out waves in which no service has tasks.
func (b *builder) renumber(ph *phase) {
	var used []int
	for n := range ph.nodes {
		if b.active(ph, n) {
			used = append(used, ph.wave[n])
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	ph.waves = len(used)
	for n, p := range ph.nodes {
		at, exact := slices.BinarySearch(used, ph.wave[n])
		ph.wave[n] = min(at+1, max(1, len(used)))
		if exact && b.active(ph, n) {
			b.placements[p].wave[ph.stage] = ph.wave[n]
		}
	}
}

// active tells whether a node has tasks in its stage.
func (b *builder) active(ph *phase, n int) bool {
	return len(b.placements[ph.nodes[n]].svc.Lists[ph.list]) > 0
}

// within gives the nodes of a wave, those of a role's track where role is not negative.
func (b *builder) within(ph *phase, wave, role int) []int {
	var out []int
	for n, p := range ph.nodes {
		rolling := b.roleOf(p).Rolling != nil
		if ph.wave[n] == wave && (role < 0 && !rolling || role >= 0 && b.placements[p].role == role) {
			out = append(out, n)
		}
	}
	return out
}

// subgraph gives the graph among some nodes, renumbered to their places in the list.
func (ph *phase) subgraph(nodes []int) *digraph {
	at := make(map[int]int, len(nodes))
	for i, n := range nodes {
		at[n] = i
	}
	g := newDigraph(len(nodes))
	for i, n := range nodes {
		for _, e := range ph.graph.in[n] {
			if from, ok := at[e.node]; ok {
				g.add(from, i, false, e.why)
			}
		}
	}
	return g
}
