package planner_test

import (
	"slices"

	"github.com/upstep/upstep/planner"
)

// minimal checks that no role is cut where it need not be: two units of a step, or two
// tracks of a stage, that follow each other could not be one.
func (c *checker) minimal(l *layout) {
	for _, w := range l.stage.Waves {
		for _, st := range w.Steps {
			c.minimalStep(l, w, st)
		}
	}
	if !l.back { // on the way back the waves are those of the way there
		c.minimalTracks(l)
	}
}

func (c *checker) minimalStep(l *layout, w planner.Wave, st planner.Step) {
	in := map[int][]int{} // units of each standing
	for k, s := range l.spots {
		if s.wave == w.Number && k.step == st.Number && !s.track {
			u := slices.IndexFunc(st.Units, func(u planner.Unit) bool { return u.ID == s.id })
			if !slices.Contains(in[k.standing], u) {
				in[k.standing] = append(in[k.standing], u)
			}
		}
	}
	next := edges{}
	for to, units := range in {
		slices.Sort(units)
		for i := range units {
			for _, later := range units[i+1:] {
				next.add(units[i], later) // what stands around a task that runs once
			}
		}
		for from, before := range in {
			if l.ways[to][from] > 0 {
				next.all(before, units, l.back)
			}
		}
	}
	for v, u := range st.Units {
		for one := v - 1; one >= 0 && !u.Once; one-- {
			if o := st.Units[one]; o.Role == u.Role && !o.Once {
				c.require(next.way(one, v), "%s and %s could be one unit", o.ID, u.ID)
				break
			}
		}
	}
}

// edges lead from vertices to those that come after them.
type edges map[int]map[int]bool

func (e edges) add(a, b int) {
	if e[a] == nil {
		e[a] = map[int]bool{}
	}
	e[a][b] = true
}

func (e edges) all(from, to []int, back bool) {
	for _, a := range from {
		for _, b := range to {
			if back {
				e.add(b, a)
			} else {
				e.add(a, b)
			}
		}
	}
}

// way tells whether one vertex leads to another over a third, so that the two cannot be one.
func (e edges) way(one, other int) bool {
	seen := map[int]bool{}
	var todo []int
	for b := range e[one] {
		if b != other && b != one {
			todo = append(todo, b)
		}
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for b := range e[v] {
			if b == other {
				return true
			}
			if !seen[b] {
				seen[b] = true
				todo = append(todo, b)
			}
		}
	}
	return false
}

func (c *checker) minimalTracks(l *layout) {
	const tracks = 1000
	part := make([]int, len(l.all)) // a standing for itself, or its track
	for i := range part {
		part[i] = i
	}
	for k, s := range l.spots {
		if s.track {
			part[k.standing] = tracks*s.wave + tracks*tracks*(l.all[k.standing].role+1)
		}
	}
	next, apart := edges{}, edges{}
	for to, a := range l.all {
		for from, way := range l.ways[to] {
			if way > 0 && a.active && l.all[from].active {
				next.add(part[from], part[to])
				if way == 2 {
					apart.add(part[from], part[to])
				}
			}
		}
	}
	last := map[string]int{}
	for _, w := range l.stage.Waves {
		for _, t := range w.Tracks {
			this := tracks*w.Number + tracks*tracks*(c.role[t.Role]+1)
			if one, has := last[t.Role]; has {
				c.require(apart[one][this] || next.way(one, this), "%s: the tracks of %s until wave %d could be one", l.stage.Name, t.Role, w.Number)
			}
			last[t.Role] = this
		}
	}
}
