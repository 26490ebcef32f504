package planner

import (
	"slices"
)

// loosen gives the units of a stage all that they wait for, where the barriers of steps
// and waves are dropped (ordering: dependencies): the unit before of their role, what
// works on their hosts, and of each role that they depend on, over others too, the last
// unit that stands before them with what they depend on; where they depend on its
// upgrade, its end of that wave. Everything leads to units that stand before them.
func (b *builder) loosen(ph *phase, stage *Stage) {
	l := &loosener{
		builder: b, ph: ph, last: make([]int, len(b.Roles)), own: make([]int, len(ph.nodes)),
		need: make([]map[int]need, len(ph.nodes)), ends: map[[2]int]int{}, units: []*Unit{nil},
	}
	for i := range stage.Waves {
		w := &stage.Waves[i]
		nodes := ph.graph.sorted(ph.waves[i])
		for s := range w.Steps {
			l.step(w.Number, w.Steps[s].Units, nodes)
		}
		l.needs(nodes)
		for g := range w.Health {
			r := b.roleNumber[w.Health[g].Role]
			w.Health[g].After = l.enter(&w.Health[g], w.Number, r, l.nodesOf(r, nodes))
		}
		for t := range w.Tracks {
			tr := &w.Tracks[t]
			r := b.roleNumber[tr.Role]
			var members []int
			for _, o := range l.team(r) {
				members = append(members, l.nodesOf(o, nodes)...)
			}
			tr.After = l.enter(&tr.Parts[0], w.Number, r, members)
			l.units = append(l.units, &tr.Parts[len(tr.Parts)-1])
			for _, o := range l.team(r) {
				l.last[o] = len(l.units) - 1
				l.ends[[2]int{w.Number, o}] = l.last[o]
			}
			for _, n := range members {
				l.own[n] = l.last[r] // a batch is waited for as a whole
			}
		}
		l.needs(nodes)
	}
}

// loosener knows what stands before a unit.
type loosener struct {
	*builder
	ph    *phase
	units []*Unit        // so far, from 1
	last  []int          // unit of each role
	own   []int          // last unit that holds each node
	ends  map[[2]int]int // last unit by wave and role
	need  []map[int]need // of each node, by role
}

// need is a unit that a node waits for, and why.
type need struct {
	unit int
	why  *reason
	far  int // the node that it comes from
}

// step enters the units of a step, which know their own tasks first.
func (l *loosener) step(wave int, units []Unit, nodes []int) {
	held := make([][]int, len(units))
	for i := range units {
		r := l.roleNumber[units[i].Role]
		for _, s := range units[i].Segments {
			for _, p := range l.standing[l.index[s.Service]] {
				if l.placements[p].role == r {
					held[i] = append(held[i], l.ph.at[p])
					l.own[l.ph.at[p]] = len(l.units) + i
				}
			}
		}
		for _, o := range units[i].LeftOut { // what depends on it waits for what stands for it
			for _, p := range l.standing[l.index[o.Service]] {
				if l.placements[p].role == r {
					l.own[l.ph.at[p]] = len(l.units) + i
				}
			}
		}
	}
	l.needs(nodes)
	for i := range units {
		r := l.roleNumber[units[i].Role]
		units[i].After = l.enter(&units[i], wave, r, held[i])
	}
}

// needs works out what the nodes of a wave wait for, in their order.
func (l *loosener) needs(nodes []int) {
	for _, n := range nodes {
		found := map[int]need{}
		see := func(role int, x need) {
			if x.unit > found[role].unit {
				found[role] = x
			}
		}
		for _, e := range l.ph.graph.in[n] {
			role := l.roleAt(l.ph, e.node)
			unit := l.own[e.node]
			if e.hard && l.ph.active[e.node] {
				unit = l.ends[[2]int{l.ph.wave[e.node], role}]
			}
			if unit > 0 {
				see(role, need{unit, e.why, e.node})
			}
			for r, x := range l.need[e.node] {
				see(r, need{x.unit, e.why, x.far})
			}
		}
		l.need[n] = found
	}
}

// nodesOf gives a role's nodes that have tasks.
func (l *loosener) nodesOf(r int, nodes []int) []int {
	var out []int
	for _, n := range nodes {
		if l.roleAt(l.ph, n) == r && l.ph.active[n] {
			out = append(out, n)
		}
	}
	return out
}

// enter adds a unit, and gives what it waits for.
func (l *loosener) enter(u *Unit, wave, r int, nodes []int) []After {
	found := map[int]need{}
	for _, n := range nodes {
		for q, x := range l.need[n] {
			if x.unit > found[q].unit && x.unit < len(l.units) {
				found[q] = x
			}
		}
	}
	var out []After
	for q := range l.Roles {
		if x, needed := found[q]; needed && (q != r || x.unit == l.last[r]) {
			// Both roles of a replacement end with the same unit.
			if a := (After{l.units[x.unit].ID, x.why.over(l.serviceOf(l.ph, x.far).Name, false), placeOf(x.why.dep.Pos)}); !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
		switch unit := l.last[q]; {
		case unit == 0:
		case q == r:
			out = addAfter(out, l.units[unit].ID, sameRole)
		case l.meet(r, q):
			out = addAfter(out, l.units[unit].ID, "shares hosts with "+l.Roles[q].Name)
		}
	}
	slices.SortStableFunc(out, func(x, y After) int { return compareText(x.Unit, y.Unit) })
	l.units = append(l.units, u)
	l.last[r] = len(l.units) - 1
	l.ends[[2]int{wave, r}] = l.last[r]
	return out
}
