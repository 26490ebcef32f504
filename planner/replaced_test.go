package planner_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/tasks"
)

// phaseRanks is the order of what a replacement does, there and back. The health of an
// instance is asked for before it is in traffic and once it is.
func phaseRanks(back bool) map[planner.Kind]int {
	if back {
		return map[planner.Kind]int{planner.KindHealth: 0, planner.KindRestore: 1, planner.KindCutBack: 2, planner.KindDrain: 4}
	}
	return map[planner.Kind]int{
		planner.KindDeploy: 0, planner.KindCarry: 1, planner.KindVerify: 2, planner.KindHealth: 3, planner.KindRestore: 4, planner.KindCutOver: 5, planner.KindDrain: 7,
	}
}

// replacedFaults gives every promise on replaced roles that a plan breaks.
func replacedFaults(w planner.World, p *planner.Plan) []string {
	whole := w // with the roles that were made
	whole.Roles = nil
	for _, r := range w.Roles {
		whole.Roles = append(whole.Roles, r)
		if r.Replace != nil {
			next := r
			next.Name, next.Hosts, next.Replace = r.Name+"-new", r.Replace.With, nil
			whole.Roles = append(whole.Roles, next)
		}
	}
	c := &checker{w: whole, p: p, role: map[string]int{}}
	for k := range whole.Roles {
		c.role[whole.Roles[k].Name] = k
	}
	for i := range w.Roles {
		if w.Roles[i].Replace != nil {
			c.replaced(&w.Roles[i])
		}
	}
	for _, stages := range [][]planner.Stage{p.Stages, p.Rollback} {
		o := orderOfUnits(stages)
		c.faults = append(c.faults, o.faults...)
		c.apart(o, stages)
		for i, s := range stages {
			c.require(s.Name != planner.Retire || i == len(stages)-1, "something comes after the last stage")
			c.dependents(o, s, &whole)
		}
	}
	return c.faults
}

// replaced checks one role: each task once, on the right hosts, phase by phase.
func (c *checker) replaced(role *roles.Role) {
	where := map[planner.Kind]string{
		planner.KindDeploy: role.Name + "-new", planner.KindCarry: role.Name + "-new", planner.KindVerify: role.Name + "-new",
		planner.KindCutOver: role.Name + "-new", planner.KindCutBack: role.Name, planner.KindRetire: role.Name,
	}
	held := map[string]int{}
	tracks := map[bool]int{}
	for _, way := range []struct {
		stages []planner.Stage
		back   bool
	}{{c.p.Stages, false}, {c.p.Rollback, true}} {
		for _, s := range way.stages {
			for _, w := range s.Waves {
				for _, t := range w.Tracks {
					if t.Role == role.Name && s.Name != planner.Retire {
						tracks[way.back]++
						c.phases(t, way.back)
					}
				}
			}
			s.Units(func(_ planner.Wave, u planner.Unit) {
				c.require(u.Role != role.Name || u.Kind != planner.KindStep, "%s steps, and is replaced", u.ID)
				if where[u.Kind] == "" || strings.TrimSuffix(u.Role, "-new") != role.Name {
					return
				}
				c.require(u.Role == where[u.Kind], "%s is on the wrong hosts", u.ID)
				c.require((u.Kind == planner.KindRetire) == (s.Name == planner.Retire), "%s is in stage %s", u.ID, s.Name)
				for _, seg := range u.Segments {
					for _, id := range seg.Tasks {
						held[seg.Service+" "+id]++
						list, number, _ := strings.Cut(id, ".")
						once := slices.ContainsFunc(c.service(seg.Service).Lists[tasks.ListName(list)], func(t tasks.Task) bool { return t.Once && fmt.Sprint(t.Index) == number })
						c.require(u.Once == once && (!once || len(u.Segments) == 1 && len(seg.Tasks) == 1), "%s: what runs once stands alone and is marked", u.ID)
					}
				}
			})
		}
	}
	c.require(tracks[false] == 1 && tracks[true] <= 1, "%s is replaced %d times, and cut back to %d times", role.Name, tracks[false], tracks[true])
	for _, placed := range role.Services {
		for _, list := range []tasks.ListName{tasks.Deploy, tasks.Carry, tasks.Verify, tasks.CutOver, tasks.CutBack, tasks.Retire} {
			for _, t := range c.service(placed.Service).Lists[list] {
				id := fmt.Sprintf("%s %s.%d", placed.Service, list, t.Index)
				c.require(held[id] == 1, "%s stands %d times on %s", id, held[id], role.Name)
			}
		}
	}
}

func (c *checker) service(name string) *services.Service {
	return &c.w.Services[slices.IndexFunc(c.w.Services, func(s services.Service) bool { return s.Name == name })]
}

// phases checks the order of a track's parts, and that who comes into traffic is healthy
// before who was there leaves it.
func (c *checker) phases(t planner.Track, back bool) {
	ranks := phaseRanks(back)
	to := t.Role + "-new"
	if back {
		to = t.Role
	}
	rank := -1
	for _, u := range t.Parts {
		at, known := ranks[u.Kind]
		c.require(known, "%s has no place in a replacement", u.ID)
		if u.Kind == planner.KindHealth && strings.HasSuffix(u.ID, ".2") {
			at = ranks[planner.KindDrain] - 1
		}
		c.require(at >= rank, "%s comes too late", u.ID)
		c.require((u.Role == to) == (u.Kind != planner.KindDrain), "%s is of the wrong instance", u.ID)
		rank = at
	}
}

// dependents checks that who depends on a role that is replaced begins when that has
// ended, and the other way round.
func (c *checker) dependents(o *unitOrder, s planner.Stage, w *planner.World) {
	if s.Name == planner.PostUpgrade || s.Name == planner.Retire || len(s.Waves) == 0 || len(o.faults) > 0 {
		return
	}
	held := func(role, service string) []string {
		var out []string
		for _, wave := range s.Waves {
			for _, t := range wave.Tracks {
				if strings.TrimSuffix(role, "-new") == t.Role && c.p.RoleByName(t.Role).Replace != nil {
					for _, u := range t.Parts {
						out = append(out, u.ID)
					}
				}
			}
		}
		s.Units(func(_ planner.Wave, u planner.Unit) {
			if u.Role == role && u.Kind == planner.KindStep && u.Holds(service) {
				out = append(out, u.ID)
			}
		})
		return out
	}
	back := strings.HasPrefix(unitsIn(s)[0].ID, "rollback/")
	for i := range w.Services {
		svc := &w.Services[i]
		for _, d := range svc.DependsOn {
			for _, here := range w.Roles {
				for _, there := range w.Roles {
					if d.HostOnly || !c.instance(here) && !c.instance(there) || strings.TrimSuffix(here.Name, "-new") == strings.TrimSuffix(there.Name, "-new") ||
						!placedOn(here, svc.Name) || !placedOn(there, d.Service) || !c.takesPart(here, svc) || !c.takesPart(there, c.service(d.Service)) {
						continue
					}
					for _, x := range held(here.Name, svc.Name) {
						for _, y := range held(there.Name, d.Service) {
							first, second := y, x
							if back {
								first, second = x, y
							}
							c.require(o.ordered(first, second), "%s: %s depends on %s, and %s does not come before %s", s.Name, svc.Name, d.Service, first, second)
						}
					}
				}
			}
		}
	}
}

// takesPart tells whether a service has something to do on a role before the last stage.
func (c *checker) takesPart(r roles.Role, svc *services.Service) bool {
	if !c.instance(r) {
		return len(svc.Lists[tasks.Upgrade]) > 0
	}
	return svc.Behind != "" || slices.ContainsFunc(tasks.ListNames(), func(l tasks.ListName) bool {
		return len(svc.Lists[l]) > 0 && !l.Stepped() && l != tasks.Preflight && l != tasks.Unlink && l != tasks.Establish
	})
}

// instance tells whether a role is replaced, or takes over.
func (c *checker) instance(r roles.Role) bool {
	_, _, ok := c.p.Instances(r.Name)
	return ok
}

func placedOn(r roles.Role, service string) bool {
	return slices.ContainsFunc(r.Services, func(p roles.Placed) bool { return p.Service == service })
}

func TestRandomWorldsWithReplacedRolesKeepEveryPromise(t *testing.T) {
	planned := 0
	for seed := range worlds(1000) {
		m := makerOf(uint64(seed), 5)
		m.dense, m.once = seed%2 == 0, seed%3 == 0
		w := randomWorld(t, m)
		m.replace(t, &w)
		p, problems := planner.Build(w)
		if p == nil {
			text := problems.Error()
			require.True(t, strings.Contains(text, "cut it") || strings.Contains(text, "take over from themselves"), "seed %d: %s\n%s", seed, text, describe(w))
			continue
		}
		planned++
		if faults := replacedFaults(w, p); len(faults) > 0 {
			t.Fatalf("seed %d:\n%s\n%s", seed, strings.Join(faults, "\n"), describe(w))
		}
		one, err := p.Encode()
		require.NoError(t, err)
		again, err := planner.Decode(one)
		require.NoError(t, err)
		two, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(one), string(two), "seed %d: a saved plan is read as it was", seed)
	}
	require.Greater(t, planned, worlds(1000)/3)
}

// replace has some roles of a world replaced, and gives their services what that takes.
func (m maker) replace(t testing.TB, w *planner.World) {
	t.Helper()
	inv := map[string]any{}
	var groups []string
	for k := range w.Roles {
		role := &w.Roles[k]
		inv[role.Hosts] = map[string]any{"hosts": []string{fmt.Sprintf("h%d", k), fmt.Sprintf("h%d", m.IntN(len(w.Roles)))}[:1+m.IntN(2)]}
		groups = append(groups, role.Hosts)
		if len(role.Services) == 0 || m.IntN(2) == 0 {
			continue
		}
		with := fmt.Sprintf("n%d", k)
		role.Rolling, role.Replace = nil, &roles.Replace{With: with, Told: true, Pos: role.Pos, WithPos: role.Pos}
		inv[with] = map[string]any{"hosts": []string{with, fmt.Sprintf("h%d", m.IntN(len(w.Roles)))}[:1+m.IntN(2)]}
		groups = append(groups, with)
		for n, placed := range role.Services {
			svc := &w.Services[slices.IndexFunc(w.Services, func(s services.Service) bool { return s.Name == placed.Service })]
			for _, list := range []tasks.ListName{tasks.Deploy, tasks.Carry, tasks.Verify, tasks.CutOver, tasks.CutBack, tasks.Retire} {
				if svc.Lists[list] != nil || m.IntN(2) == 0 && (n > 0 || list != tasks.Deploy) {
					continue
				}
				for index := 1; index <= 1+m.IntN(3); index++ {
					svc.Lists[list] = append(svc.Lists[list], tasks.Task{Name: "t", Pos: svc.Pos, Index: index, Text: "- name: t\n", Once: m.once && m.IntN(4) == 0})
				}
			}
		}
	}
	if w.Inventory == nil {
		return
	}
	inv["all"] = map[string]any{"children": groups}
	text, err := json.Marshal(inv)
	require.NoError(t, err)
	w.Inventory, err = roles.ParseInventory(text)
	require.NoError(t, err)
}
