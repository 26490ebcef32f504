package planner_test

import (
	"slices"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/tasks"
)

// standing is a service on a role, as the tests see it, without the planner's help.
type standing struct {
	svc    *services.Service
	role   int
	active bool // has tasks in the stage
}

// relation is what must come before what in a stage.
type relation struct {
	list tasks.ListName
	all  []standing
	in   [][]arrow // of each standing, what it depends on
	// ways[to][from]: 0 none, 1 within steps, 2 a whole wave must lie between
	ways [][]uint8
}

type arrow struct {
	from  int
	apart bool
	dep   *services.Dependency
}

// stageOf is DESIGN 3.1: the service's stage, else the role's, else the last.
func stageOf(w planner.World, s *services.Service, role int) string {
	for _, name := range []string{s.Stage, w.Roles[role].Stage} {
		if name != "" {
			return name
		}
	}
	return w.Settings.Stages[len(w.Settings.Stages)-1].Name
}

func stageNames(w planner.World) []string {
	var out []string
	for _, s := range w.Settings.Stages {
		out = append(out, s.Name)
	}
	return append(out, planner.PostUpgrade)
}

func relationOf(w planner.World, stage string) *relation {
	r := &relation{list: tasks.Upgrade}
	if stage == planner.PostUpgrade {
		r.list = tasks.PostUpgrade
	}
	for k := range w.Roles {
		for _, p := range w.Roles[k].Services {
			for i := range w.Services {
				if s := &w.Services[i]; s.Name == p.Service && (stage == planner.PostUpgrade || stageOf(w, s, k) == stage) {
					r.all = append(r.all, standing{s, k, len(s.Lists[r.list]) > 0})
				}
			}
		}
	}
	r.in = make([][]arrow, len(r.all))
	for to, a := range r.all {
		for d := range a.svc.DependsOn {
			dep := &a.svc.DependsOn[d]
			for from, b := range r.all {
				if b.svc.Name != dep.Service || dep.HostOnly && b.role != a.role {
					continue
				}
				rolling := w.Roles[a.role].Rolling != nil || w.Roles[b.role].Rolling != nil
				r.in[to] = append(r.in[to], arrow{from, dep.Upgraded || rolling && a.role != b.role, dep})
			}
		}
	}
	return r
}

// close follows the dependencies over others.
func (r *relation) close() {
	r.ways = make([][]uint8, len(r.all))
	for to := range r.all {
		r.ways[to] = make([]uint8, len(r.all))
		type state struct {
			node int
			way  uint8
		}
		for todo := []state{{to, 1}}; len(todo) > 0; {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, a := range r.in[at.node] {
				next := state{a.from, at.way}
				if a.apart {
					next.way = 2
				}
				if r.ways[to][a.from] < next.way {
					r.ways[to][a.from] = next.way
					todo = append(todo, next)
				}
			}
		}
	}
}

// cyclic takes away what depends on nothing, until nothing is left or nothing goes.
func (r *relation) cyclic() bool {
	gone := make([]bool, len(r.all))
	for left := len(r.all); left > 0; {
		before := left
		for n := range r.all {
			if !gone[n] && !slices.ContainsFunc(r.in[n], func(a arrow) bool { return !gone[a.from] }) {
				gone[n] = true
				left--
			}
		}
		if left == before {
			return true
		}
	}
	return false
}

func hasCycle(w planner.World) bool {
	return slices.ContainsFunc(stageNames(w), func(s string) bool { return relationOf(w, s).cyclic() })
}

// dependsLater tells whether some standing depends on what stands only in later stages.
func dependsLater(w planner.World) bool {
	names := stageNames(w)
	type place struct{ role, stage int }
	places := map[string][]place{}
	for k := range w.Roles {
		for _, p := range w.Roles[k].Services {
			for i := range w.Services {
				if s := &w.Services[i]; s.Name == p.Service {
					places[s.Name] = append(places[s.Name], place{k, slices.Index(names, stageOf(w, s, k))})
				}
			}
		}
	}
	for _, s := range w.Services {
		for _, here := range places[s.Name] {
			for _, d := range s.DependsOn {
				counts, inTime := false, false
				for _, there := range places[d.Service] {
					if !d.HostOnly || there.role == here.role {
						counts = true
						inTime = inTime || there.stage <= here.stage
					}
				}
				if counts && !inTime {
					return true
				}
			}
		}
	}
	return false
}

// shareHosts tells whether two roles have a host in common.
func shareHosts(w planner.World, a, b int) bool {
	if w.Inventory == nil {
		return false
	}
	one, err1 := w.Inventory.Match(w.Roles[a].Hosts)
	other, err2 := w.Inventory.Match(w.Roles[b].Hosts)
	return err1 == nil && err2 == nil && slices.ContainsFunc(one, func(h string) bool { return slices.Contains(other, h) })
}
