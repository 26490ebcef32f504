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
	direct [][]int
	before [][]bool // before[u][v]: v ends before u begins
	faults []string
}

func newUnitOrder() *unitOrder { return &unitOrder{number: map[string]int{}} }

func (o *unitOrder) add(u planner.Unit, after []int) int {
	n := len(o.units)
	if _, twice := o.number[u.ID]; twice {
		o.faults = append(o.faults, "unit stands twice: "+u.ID)
	}
	o.number[u.ID] = n
	o.units, o.direct = append(o.units, u), append(o.direct, after)
	return n
}

func (o *unitOrder) named(id string, after []planner.After) []int {
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

func (o *unitOrder) close() {
	o.before = make([][]bool, len(o.units))
	for u := range o.units {
		o.before[u] = make([]bool, len(o.units))
		for _, v := range o.direct[u] {
			o.before[u][v] = true
			for x, is := range o.before[v] {
				o.before[u][x] = o.before[u][x] || is
			}
		}
	}
}

// orderOfUnits takes steps and waves for the barriers that they are.
func orderOfUnits(stages []planner.Stage) *unitOrder {
	o := newUnitOrder()
	var gate []int // what ended with the wave before
	for _, s := range stages {
		for _, w := range s.Waves {
			all := []int{}
			last := gate
			level := func(units []planner.Unit) {
				var these []int
				for _, u := range units {
					these = append(these, o.add(u, append(o.named(u.ID, u.After), last...)))
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
				after := append(o.named(t.Role, t.After), gate...)
				for _, u := range t.Parts {
					n := o.add(u, append(o.named(u.ID, u.After), after...))
					all, after = append(all, n), []int{n}
				}
			}
			gate = all
		}
	}
	o.close()
	return o
}

func (o *unitOrder) ordered(a, b string) bool { return o.before[o.number[b]][o.number[a]] }
