package planner

import (
	"slices"
)

// arrange gives every node of a stage its wave: as early as its dependencies let it,
// and a rolling role in as few waves as they allow, for each time it is drained.
func (b *builder) arrange(ph *phase) {
	colour := make([]int, len(ph.nodes))
	for n := range ph.nodes {
		switch r := b.roleAt(ph, n); {
		case !ph.active[n]:
			colour[n] = through
		case b.tracked(ph, r):
			colour[n] = b.leader[r]
		default:
			colour[n] = free
		}
	}
	ph.wave = make([]int, len(ph.nodes))
	// The wave that each node asks of what depends on it, by a soft and by a hard edge. A
	// node without tasks has nothing that could end: it only passes on what it is asked.
	soft, hard := make([]int, len(ph.nodes)), make([]int, len(ph.nodes))
	latest := make([]int, len(b.Roles)) // wave that each track's role was in last
	ask := func(n int) {
		for _, e := range ph.graph.in[n] {
			hard[n] = max(hard[n], hard[e.node])
			if e.hard {
				soft[n] = max(soft[n], hard[e.node])
			} else {
				soft[n] = max(soft[n], soft[e.node])
			}
		}
	}
	for _, v := range group(ph.graph, colour, len(b.Roles)).vertices {
		wave := 1
		for _, n := range v.nodes {
			ask(n)
			wave = max(wave, soft[n])
		}
		if v.colour >= 0 {
			wave = max(wave, latest[v.colour]+1)
			latest[v.colour] = wave
		}
		for _, n := range v.nodes {
			ph.wave[n] = wave
			if ph.active[n] {
				soft[n], hard[n] = wave, wave+1
			} else if ask(n); v.colour == through {
				ph.wave[n] = max(1, soft[n])
			}
		}
	}
	b.renumber(ph)
	b.refuseCuts(ph)
}

// renumber leaves out waves in which no service has tasks. A service without tasks goes
// into the next wave that is left, or the last.
func (b *builder) renumber(ph *phase) {
	var used []int
	for n, w := range ph.wave {
		if ph.active[n] {
			used = append(used, w)
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	ph.waves = make([][]int, len(used))
	for n, p := range ph.nodes {
		at, _ := slices.BinarySearch(used, ph.wave[n])
		if at = min(at, len(used)-1); at < 0 {
			continue
		}
		ph.wave[n] = at + 1
		ph.waves[at] = append(ph.waves[at], n)
		if ph.active[n] {
			b.placements[p].wave[ph.stage] = at + 1
		}
	}
}
