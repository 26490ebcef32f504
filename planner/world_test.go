package planner_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// randomWorld makes services with random dependencies over random roles. Without
// cycles every dependency leads to a service of a smaller number and no later stage.
func randomWorld(r *rand.Rand, cycles bool) planner.World {
	n, roleCount := 1+r.IntN(14), 1+r.IntN(4)
	w := planner.World{Settings: settings.Settings{Stages: settings.DefaultStages(), Ordering: settings.Barrier}}
	stageOf := make([]int, n) // never before what it may depend on
	for i := range n {
		if i > 0 {
			stageOf[i] = stageOf[i-1]
		}
		if r.IntN(8) == 0 {
			stageOf[i] = 1
		}
		w.Services = append(w.Services, randomService(r, i, n, cycles, settings.DefaultStages()[stageOf[i]].Name))
	}
	for k := range roleCount {
		role := roles.Role{Name: fmt.Sprintf("R%d", k), Hosts: fmt.Sprintf("r%d", k), Pos: source.Pos{File: "roles.yaml", Line: k + 1}, Health: roles.Health{Tries: 1, Consecutive: 1}}
		if r.IntN(4) == 0 {
			role.Rolling = &roles.Rolling{Batch: []roles.Size{{N: 1}}, Percentage: 100, Tries: 1}
		}
		for _, i := range r.Perm(n) {
			if r.IntN(roleCount) == 0 || k == i%roleCount {
				role.Services = append(role.Services, roles.Placed{Service: w.Services[i].Name, Pos: role.Pos})
			}
		}
		w.Roles = append(w.Roles, role)
	}
	return w
}

func randomService(r *rand.Rand, i, n int, cycles bool, stage string) services.Service {
	s := services.Service{
		Name: fmt.Sprintf("s%02d", i), Pos: source.Pos{File: fmt.Sprintf("services/s%02d.yaml", i), Line: 1},
		Stage: stage, Lists: map[tasks.ListName][]tasks.Task{},
	}
	top := i
	if cycles {
		top, s.Stage = n, "control-plane"
	}
	for range r.IntN(4) {
		if top == 0 {
			break
		}
		d := services.Dependency{
			Service: fmt.Sprintf("s%02d", r.IntN(top)), Upgraded: r.IntN(5) == 0, HostOnly: r.IntN(5) == 0,
			Pos: source.Pos{File: s.Pos.File, Line: 3 + len(s.DependsOn), Column: 5},
		}
		if !slices.ContainsFunc(s.DependsOn, func(o services.Dependency) bool { return o.Service == d.Service }) {
			s.DependsOn = append(s.DependsOn, d)
		}
	}
	for _, list := range []tasks.ListName{tasks.Upgrade, tasks.PostUpgrade, tasks.Rollback} {
		for k := range r.IntN(4) {
			steps := []int{r.IntN(3)}
			if r.IntN(4) == 0 {
				steps = append(steps, 3)
			}
			t := tasks.Task{Name: fmt.Sprintf("task %d", k), Index: k + 1, Steps: steps, Text: "- name: x\n", Pos: source.Pos{File: s.Pos.File, Line: 10 + k}, Once: r.IntN(8) == 0}
			s.Lists[list] = append(s.Lists[list], t)
		}
	}
	for _, list := range []tasks.ListName{tasks.Drain, tasks.Health, tasks.Restore} {
		if r.IntN(3) == 0 {
			s.Lists[list] = []tasks.Task{{Name: string(list), Index: 1, Text: "- name: x\n", Pos: s.Pos}}
		}
	}
	return s
}

// standing is a service on a role, as the tests see it, without the planner's help.
type standing struct {
	svc  *services.Service
	role int
}

// edgesIn gives what must come before what among the standings of a stage: [from, to],
// and whether whole waves must lie between.
func edgesIn(w planner.World, all []standing) (edges [][2]int, hard []bool) {
	for to, a := range all {
		for _, d := range a.svc.DependsOn {
			for from, b := range all {
				if b.svc.Name != d.Service || d.HostOnly && b.role != a.role {
					continue
				}
				rolling := w.Roles[a.role].Rolling != nil || w.Roles[b.role].Rolling != nil
				edges = append(edges, [2]int{from, to})
				hard = append(hard, d.Upgraded || rolling && a.role != b.role)
			}
		}
	}
	return edges, hard
}

// standings gives those of a stage; the empty name means all, as post_upgrade has them.
func standings(w planner.World, stage string) []standing {
	var out []standing
	for k := range w.Roles {
		for _, p := range w.Roles[k].Services {
			for i := range w.Services {
				if s := &w.Services[i]; s.Name == p.Service && (stage == "" || s.Stage == stage) {
					out = append(out, standing{s, k})
				}
			}
		}
	}
	return out
}
