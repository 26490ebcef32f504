package planner_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// maker makes a random world: services with tasks of all kinds and dependencies of all
// kinds, over roles that roll or step, in stages, on hosts that they may share.
type maker struct {
	*rand.Rand
	cyclic bool // dependencies may lead anywhere; else only to services with smaller numbers
	stages bool // services and roles stand in different stages
	dense  bool // many services and roles
	once   bool // some tasks run once, which cuts units
	same   bool // many tasks are the same, and stand once
}

func randomWorld(t testing.TB, m maker) planner.World {
	t.Helper()
	n, count := 1+m.IntN(12), 1+m.IntN(4)
	if m.dense {
		n, count = 6+m.IntN(10), 2+m.IntN(4)
	}
	w := planner.World{Settings: settings.Settings{Stages: settings.DefaultStages(), Ordering: settings.Barrier}}
	if m.same {
		w.Settings.IdenticalTasks = settings.Once
	}
	for i := range n {
		w.Services = append(w.Services, m.service(i, n))
	}
	for k := range count {
		w.Roles = append(w.Roles, m.role(k, count, w.Services))
	}
	if m.IntN(2) == 0 {
		w.Inventory = m.inventory(t, count)
	}
	if m.IntN(3) == 0 {
		m.balancer(w)
	}
	return w
}

// balancer makes the first service carry the traffic of some others, if it is placed.
func (m maker) balancer(w planner.World) {
	first := &w.Services[0]
	if !slices.ContainsFunc(w.Roles, func(r roles.Role) bool {
		return slices.ContainsFunc(r.Services, func(p roles.Placed) bool { return p.Service == first.Name })
	}) {
		return
	}
	for _, list := range []tasks.ListName{tasks.Unlink, tasks.Establish} {
		first.Lists[list] = []tasks.Task{{Name: string(list), Pos: first.Pos, Index: 1, Text: "- name: x\n"}}
	}
	for i := range w.Services[1:] {
		if s := &w.Services[i+1]; m.IntN(2) == 0 {
			s.Behind, s.BehindPos = first.Name, s.Pos
		}
	}
}

func (m maker) service(i, n int) services.Service {
	s := services.Service{
		Name: fmt.Sprintf("s%02d", i), Pos: source.Pos{File: fmt.Sprintf("services/s%02d.yaml", i), Line: 1, Column: 15},
		Lists: map[tasks.ListName][]tasks.Task{},
	}
	if m.stages && m.IntN(3) == 0 {
		s.Stage = settings.DefaultStages()[m.IntN(2)].Name
	}
	m.dependencies(&s, i, n)
	for _, list := range []tasks.ListName{tasks.Upgrade, tasks.PostUpgrade, tasks.Rollback} {
		if m.IntN(5) > 0 {
			m.stepped(&s, list)
		}
	}
	for _, list := range []tasks.ListName{tasks.Preflight, tasks.Drain, tasks.Health, tasks.Restore} {
		if m.IntN(3) == 0 {
			s.Lists[list] = []tasks.Task{{Name: string(list), Pos: s.Pos, Index: 1, Text: "- name: x\n"}}
		}
	}
	return s
}

func (m maker) dependencies(s *services.Service, i, n int) {
	top := i
	if m.cyclic {
		top = n
	}
	most := 4
	if m.cyclic {
		most = 3 // or next to every world has a cycle
	}
	for range m.IntN(most) {
		if top == 0 {
			break
		}
		d := services.Dependency{
			Service: fmt.Sprintf("s%02d", m.IntN(top)), Upgraded: m.IntN(8) == 0, HostOnly: m.IntN(4) == 0,
			Pos: source.Pos{File: s.Pos.File, Line: 3 + len(s.DependsOn), Column: 5},
		}
		if !slices.ContainsFunc(s.DependsOn, func(o services.Dependency) bool { return o.Service == d.Service }) {
			s.DependsOn = append(s.DependsOn, d)
		}
	}
}

// stepped gives a service tasks in steps: single ones, some in several steps, some that
// run once, and blocks that were split.
func (m maker) stepped(s *services.Service, list tasks.ListName) {
	count := m.IntN(4)
	for index := 1; index <= count; index++ {
		t := tasks.Task{Name: "t", Pos: source.Pos{File: s.Pos.File, Line: 10 + index}, Index: index, Text: "- name: t\n", Steps: []int{m.IntN(4)}}
		t.PostOnly = list == tasks.Rollback && m.IntN(4) == 0
		t.Once, t.Throttle = m.once && m.IntN(8) == 0, m.IntN(10) == 0
		if m.same {
			t.Text = fmt.Sprintf("- name: t%d\n  run_once: %t\n  throttle: %t\n", m.IntN(4), t.Once, t.Throttle)
		}
		switch m.IntN(5) {
		case 0:
			t.Steps = []int{0, 1, 3}
		case 1:
			t.Steps = []int{0} // a block that was split
			u := t
			u.Steps = []int{2, 3}
			if list == tasks.Rollback && m.IntN(3) == 0 {
				u.PostOnly = !t.PostOnly
			}
			s.Lists[list] = append(s.Lists[list], t, u)
			continue
		}
		s.Lists[list] = append(s.Lists[list], t)
	}
}

func (m maker) role(k, count int, all []services.Service) roles.Role {
	role := roles.Role{
		Name: fmt.Sprintf("R%d", k), Hosts: fmt.Sprintf("r%d", k), Health: roles.Health{Tries: 1, Consecutive: 1},
		Pos: source.Pos{File: "roles.yaml", Line: k + 1}, Optional: true,
	}
	if m.stages {
		role.Stage = settings.DefaultStages()[m.IntN(2)].Name
	}
	if m.IntN(4) == 0 {
		role.Rolling = &roles.Rolling{Batch: []roles.Size{{N: 1}}, Percentage: 100, Tries: 1}
	}
	for _, i := range m.Perm(len(all)) {
		if m.IntN(2*count) == 0 || k == i%count && m.IntN(12) > 0 {
			role.Services = append(role.Services, roles.Placed{Service: all[i].Name, Pos: role.Pos})
		}
	}
	return role
}

func (m maker) inventory(t testing.TB, count int) *roles.Inventory {
	t.Helper()
	inv := map[string]any{}
	var groups []string
	for k := range count {
		hosts := []string{fmt.Sprintf("h%d", k)}
		if m.IntN(3) == 0 {
			hosts = append(hosts, fmt.Sprintf("h%d", m.IntN(count)))
		}
		group := fmt.Sprintf("r%d", k)
		inv[group] = map[string]any{"hosts": slices.Compact(hosts)}
		groups = append(groups, group)
	}
	inv["all"] = map[string]any{"children": groups}
	text, err := json.Marshal(inv)
	require.NoError(t, err)
	out, err := roles.ParseInventory(text)
	require.NoError(t, err)
	return out
}

// shuffled gives the same world, listed in another order.
func (m maker) shuffled(w planner.World) planner.World {
	w.Services, w.Sources = slices.Clone(w.Services), slices.Clone(w.Sources)
	m.Shuffle(len(w.Services), func(i, j int) { w.Services[i], w.Services[j] = w.Services[j], w.Services[i] })
	m.Shuffle(len(w.Sources), func(i, j int) { w.Sources[i], w.Sources[j] = w.Sources[j], w.Sources[i] })
	for i := range w.Services {
		d := slices.Clone(w.Services[i].DependsOn)
		m.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
		w.Services[i].DependsOn = d
	}
	return w
}

// describe writes a world so that a failing case can be read.
func describe(w planner.World) string {
	var b strings.Builder
	for _, s := range w.Services {
		fmt.Fprintf(&b, "%s %s", s.Name, s.Stage)
		for _, d := range s.DependsOn {
			fmt.Fprintf(&b, " <-%s", d.Service)
			if d.Upgraded {
				b.WriteString("!")
			}
			if d.HostOnly {
				b.WriteString("@")
			}
		}
		for _, list := range tasks.ListNames() {
			for _, t := range s.Lists[list] {
				fmt.Fprintf(&b, "  %s.%d%v", list, t.Index, t.Steps)
				if t.Once {
					b.WriteString("once")
				}
			}
		}
		b.WriteString("\n")
	}
	for _, r := range w.Roles {
		fmt.Fprintf(&b, "%s %s rolling %t:", r.Name, r.Stage, r.Rolling != nil)
		for _, s := range r.Services {
			b.WriteString(" " + s.Service)
		}
		b.WriteString("\n")
	}
	return b.String()
}
