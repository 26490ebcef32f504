package planner_test

import (
	"fmt"

	"github.com/upstep/upstep/planner"
)

// unitOrder is what must have ended before each unit of a plan begins, worked out from
// the plan alone and not by its own graph.
type unitOrder struct {
	number map[string]int
	units  []planner.Unit
	before [][]bool // before[u][v]: v ends before u begins
	faults []string
}

func orderOfUnits(stages []planner.Stage) *unitOrder {
	o := &unitOrder{number: map[string]int{}}
	direct := [][]int{}
	add := func(u planner.Unit, after []int) int {
		n := len(o.units)
		if _, twice := o.number[u.ID]; twice {
			o.faults = append(o.faults, "unit stands twice: "+u.ID)
		}
		o.number[u.ID] = n
		o.units = append(o.units, u)
		direct = append(direct, after)
		return n
	}
	named := func(id string, after []planner.After) []int {
		var out []int
		for _, a := range after {
			v, known := o.number[a.Unit]
			if !known {
				o.faults = append(o.faults, fmt.Sprintf("%s comes after %s, which does not stand before it", id, a.Unit))
				continue
			}
			out = append(out, v)
		}
		return out
	}
	var gate []int // what ended with the wave before
	for _, s := range stages {
		for _, w := range s.Waves {
			all := []int{}
			last := gate
			level := func(units []planner.Unit) {
				var these []int
				for _, u := range units {
					these = append(these, add(u, append(named(u.ID, u.After), last...)))
				}
				all = append(all, these...)
				if len(these) > 0 {
					last = these
				}
			}
			for _, st := range w.Steps {
				level(st.Units)
			}
			level(w.Health)
			for _, t := range w.Tracks {
				after := append(named(t.Role, t.After), gate...)
				for _, u := range t.Parts {
					n := add(u, append(named(u.ID, u.After), after...))
					all, after = append(all, n), []int{n}
				}
			}
			gate = all
		}
	}
	o.before = make([][]bool, len(o.units))
	for u := range o.units {
		o.before[u] = make([]bool, len(o.units))
		for _, v := range direct[u] {
			o.before[u][v] = true
			for x, is := range o.before[v] {
				o.before[u][x] = o.before[u][x] || is
			}
		}
	}
	return o
}

func (o *unitOrder) ordered(a, b string) bool { return o.before[o.number[b]][o.number[a]] }
