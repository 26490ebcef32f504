package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/settings"
)

// looseOrder is orderOfUnits where only stages are barriers.
func looseOrder(stages []planner.Stage) *unitOrder {
	o := newUnitOrder()
	var gate []int
	for _, s := range stages {
		begin := len(o.units)
		for _, w := range s.Waves {
			units := []planner.Unit{}
			for _, st := range w.Steps {
				units = append(units, st.Units...)
			}
			for _, u := range append(units, w.Health...) {
				o.add(u, append(o.named(u.ID, u.After), gate...))
			}
			for _, t := range w.Tracks {
				after := append(o.named(t.Role, t.After), gate...)
				for _, u := range t.Parts {
					after = []int{o.add(u, append(o.named(u.ID, u.After), after...))}
				}
			}
		}
		if len(o.units) > begin {
			gate = nil
			for n := begin; n < len(o.units); n++ {
				gate = append(gate, n)
			}
		}
	}
	o.close()
	return o
}

// TestWithoutBarriersEveryDependencyIsKeptAndNothingElse: ordering: dependencies.
func TestWithoutBarriersEveryDependencyIsKeptAndNothingElse(t *testing.T) {
	for seed := range worlds(1500) {
		m := makerOf(uint64(seed), 6)
		m.dense, m.stages, m.once, m.same = true, seed%4 == 0, seed%3 == 0, seed%5 == 0
		w := randomWorld(t, m)
		w.Settings.Ordering = settings.Dependencies
		p, _ := planner.Build(w)
		if p == nil {
			continue
		}
		c := &checker{w: w, p: p, role: map[string]int{}}
		for k := range w.Roles {
			c.role[w.Roles[k].Name] = k
		}
		o := looseOrder(p.Stages)
		c.faults = append(c.faults, o.faults...)
		for _, s := range p.Stages {
			c.loose(s, o)
		}
		c.apart(o, p.Stages)
		c.faults = slices.DeleteFunc(c.faults, func(f string) bool { return strings.Contains(f, "does not stand before it in its step") })
		require.Empty(t, c.faults, "seed %d\n%s", seed, describe(w))
		if seed%20 == 0 {
			requireGraph(t, p, o)
		}
	}
}

// loose checks what comes before what in a stage without barriers.
func (c *checker) loose(s planner.Stage, o *unitOrder) {
	l := &layout{relation: relationOf(c.w, s.Name), stage: s, spots: map[key]spot{}}
	l.close()
	l.name = string(l.list)
	for _, a := range l.all {
		l.tasks = append(l.tasks, a.svc.Lists[l.list])
	}
	gates := map[string]string{} // last unit of a role in a wave
	for _, w := range s.Waves {
		c.wave(l, w)
		planner.Stage{Waves: []planner.Wave{w}}.Units(func(_ planner.Wave, u planner.Unit) { gates[u.Role+string(rune(w.Number))] = u.ID })
	}
	c.complete(l)
	wanted := map[string]bool{} // unit of the role waited for, and the role that waits
	for a, x := range l.spots {
		for b, y := range l.spots {
			from, to := l.all[a.standing], l.all[b.standing]
			switch way := l.ways[b.standing][a.standing]; {
			case way == 0:
				continue
			case y.left: // what stands for it may be earlier than what its service depends on
			case way == 2:
				end := x.id // over others, what it depends on has ended, gates of others have not
				if slices.ContainsFunc(l.in[b.standing], func(e arrow) bool { return e.from == a.standing && e.apart }) {
					end = gates[c.w.Roles[from.role].Name+string(rune(x.wave))]
				}
				c.require(x.wave < y.wave && o.ordered(end, y.id), "%s does not wait for the end of %s, upgraded", y.id, x.id)
			case a.step <= b.step && x.id != y.id && (!x.track || !y.track):
				c.require(o.ordered(x.id, y.id), "%s does not wait for %s", y.id, x.id)
			}
			wanted[c.w.Roles[from.role].Name+" "+c.w.Roles[to.role].Name] = true
		}
	}
	look := func(u planner.Unit, after []planner.After) {
		for _, a := range after {
			v := o.units[o.number[a.Unit]]
			ok := u.Role == v.Role || shareHosts(c.w, c.role[u.Role], c.role[v.Role]) || a.File != "" && wanted[v.Role+" "+u.Role]
			c.require(ok, "%s waits for %s for no reason (%s)", u.ID, a.Unit, a.Reason)
		}
	}
	for _, w := range s.Waves {
		for _, t := range w.Tracks {
			look(t.Parts[0], t.After)
		}
	}
	s.Units(func(_ planner.Wave, u planner.Unit) { look(u, u.After) })
}
