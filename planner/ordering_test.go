package planner_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// ordered checks every dependency, also over services that have no task in a step.
func (c *checker) ordered(l *layout) {
	after := map[string][]string{}
	l.stage.Units(func(_ planner.Wave, u planner.Unit) {
		for _, a := range u.After {
			after[u.ID] = append(append(after[u.ID], a.Unit), after[a.Unit]...)
		}
	})
	wanted := map[string]bool{} // step, role, role that it waits for
	for to := range l.all {
		for from, way := range l.ways[to] {
			if way > 0 {
				c.pair(l, from, to, way == 2, after, wanted)
			}
		}
	}
	l.stage.Units(func(_ planner.Wave, u planner.Unit) {
		for _, a := range u.After {
			if a.File != "" {
				other, _, _ := strings.Cut(a.Unit[strings.LastIndexByte(a.Unit, '/')+1:], ".")
				c.require(wanted[fmt.Sprint(u.Step, u.Role, other)], "%s waits for %s for no reason (%s)", u.ID, a.Unit, a.Reason)
			}
		}
	})
}

// pair checks two standings of which one depends on the other, maybe over others.
func (c *checker) pair(l *layout, from, to int, apart bool, after map[string][]string, wanted map[string]bool) {
	first, second := from, to
	if l.back {
		first, second = to, from
	}
	before := func(a, b int) bool { return a < b && !l.back || a > b && l.back } // of waves
	for i, s := range l.tasks[first] {
		for _, x := range s.Steps {
			one, found := l.spots[key{first, i, x}]
			for j, t := range l.tasks[second] {
				for _, y := range t.Steps {
					two, too := l.spots[key{second, j, y}]
					if !found || !too {
						continue
					}
					if x == y {
						wanted[fmt.Sprint(x, c.w.Roles[l.all[second].role].Name, c.w.Roles[l.all[first].role].Name)] = true
					}
					if two.left { // it may stand before what its service depends on
						continue
					}
					ok := true
					switch {
					case apart || one.track != two.track:
						ok = before(one.wave, two.wave)
					case before(one.wave, two.wave):
					case one.wave != two.wave:
						ok = false
					case x != y: // the barrier of the step orders them
					case one.id == two.id:
						ok = one.place < two.place
					case one.track:
						ok = one.unit < two.unit
					default:
						ok = slices.Contains(after[two.id], one.id)
					}
					c.require(ok, "%s: %s does not come before %s, in %s and %s", l.stage.Name, l.all[first].svc.Name, l.all[second].svc.Name, one.id, two.id)
				}
			}
		}
	}
}

// placements checks that nothing stands in a later wave than its dependencies ask for,
// and that the plan tells the waves of services as they are.
func (c *checker) placements(l *layout) {
	wave := make([]int, len(l.all))
	for k, s := range l.spots {
		wave[k.standing] = s.wave
	}
	for i, a := range l.all {
		svc := c.p.ServiceByName(a.svc.Name)
		for _, pl := range svc.Placements {
			if pl.Role == c.w.Roles[a.role].Name && pl.Stage == l.stage.Name {
				c.require(pl.Wave == wave[i], "%s on %s says wave %d and stands in %d", svc.Name, pl.Role, pl.Wave, wave[i])
				c.require((len(pl.WaveAfter) > 0) == (pl.Wave > 1), "%s on %s is in wave %d because of %v", svc.Name, pl.Role, pl.Wave, pl.WaveAfter)
			}
		}
	}
	pushed := func(i int) bool { // something keeps it out of the wave before
		for from, way := range l.ways[i] {
			if wave[from] > 0 && (way == 2 && wave[from] == wave[i]-1 || way > 0 && wave[from] == wave[i]) {
				return true
			}
		}
		return false
	}
	for i, a := range l.all {
		if wave[i] < 2 || pushed(i) {
			continue
		}
		rolling := c.w.Roles[a.role].Rolling != nil && slices.ContainsFunc(allOf(len(l.all)), func(j int) bool {
			return l.all[j].role == a.role && wave[j] == wave[i] && pushed(j)
		})
		c.require(rolling, "%s: %s on %s is in wave %d for no reason", l.stage.Name, a.svc.Name, c.w.Roles[a.role].Name, wave[i])
	}
}

func allOf(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// ties checks that a unit has its services in the only right order: what they depend on
// first, and else as their role lists them; on the way back all turned round.
func (c *checker) ties(l *layout, u planner.Unit) {
	var have []int
	for _, seg := range u.Segments {
		for i, a := range l.all {
			if a.svc.Name == seg.Service && a.role == c.role[u.Role] {
				have = append(have, i)
			}
		}
	}
	left := slices.Clone(have)
	slices.Sort(left)
	if l.back {
		slices.Reverse(left)
	}
	for _, i := range have {
		next := slices.IndexFunc(left, func(j int) bool {
			return !slices.ContainsFunc(left, func(k int) bool {
				return !l.back && l.ways[j][k] > 0 || l.back && l.ways[k][j] > 0
			})
		})
		c.require(left[next] == i, "%s: %s stands where %s should", u.ID, l.all[i].svc.Name, l.all[left[next]].svc.Name)
		left = slices.DeleteFunc(left, func(j int) bool { return j == i })
		if len(left) == 0 || next < 0 {
			return
		}
	}
}
