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
		case b.rolling(r):
			colour[n] = r
		default:
			colour[n] = free
		}
	}
	ph.wave = make([]int, len(ph.nodes))
	latest := make([]int, len(b.Roles)) // wave that each rolling role was in last
	for _, v := range group(ph.graph, colour, len(b.Roles)).vertices {
		wave := 1
		for _, n := range v.nodes {
			for _, e := range ph.graph.in[n] {
				need := ph.wave[e.node] // 0 within the vertex
				if e.hard && need > 0 {
					need++
				}
				wave = max(wave, need)
			}
		}
		if v.colour >= 0 {
			wave = max(wave, latest[v.colour]+1)
			latest[v.colour] = wave
		}
		for _, n := range v.nodes {
			ph.wave[n] = wave
		}
	}
	b.renumber(ph)
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
