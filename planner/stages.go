package planner

import (
	"fmt"
	"slices"

	"github.com/upstep/upstep/tasks"
)

// stages plans every stage, post_upgrade last.
func (b *builder) stages() {
	for s, ph := range b.graphs {
		b.arrange(ph)
		stage := Stage{Name: b.stageNames[s], Waves: []Wave{}}
		if s < len(b.Settings.Stages) {
			stage.Approve = b.Settings.Stages[s].Approve
		}
		for w := 1; w <= ph.waves; w++ {
			f := forward(fmt.Sprintf("%s/%d", stage.Name, w), ph, w)
			stage.Waves = append(stage.Waves, b.wave(f))
		}
		b.planned = append(b.planned, stage)
	}
}

// rollback plans the same waves backwards: stages, waves, steps and services in
// reverse, each service's tasks in their written order.
func (b *builder) rollback() {
	for s := len(b.graphs) - 1; s >= 0; s-- {
		ph := b.graphs[s]
		stage := Stage{Name: b.stageNames[s]}
		for w := max(1, ph.waves); w >= 1; w-- {
			f := backward(fmt.Sprintf("rollback/%s/%d", stage.Name, w), ph, w, s == b.post())
			if wave := b.wave(f); len(wave.Steps)+len(wave.Tracks) > 0 {
				stage.Waves = append(stage.Waves, wave)
			}
		}
		if len(stage.Waves) > 0 {
			b.undoing = append(b.undoing, stage)
		}
	}
}

// frame is one wave in one direction: which tasks take part, and in which order.
type frame struct {
	prefix string // of unit ids
	ph     *phase
	wave   int
	back   bool
	has    func(t *tasks.Task) bool
	list   tasks.ListName
}

func forward(prefix string, ph *phase, wave int) frame {
	return frame{prefix: prefix, ph: ph, wave: wave, list: ph.list, has: func(*tasks.Task) bool { return true }}
}

func backward(prefix string, ph *phase, wave int, post bool) frame {
	return frame{prefix: prefix, ph: ph, wave: wave, back: true, list: tasks.Rollback, has: func(t *tasks.Task) bool { return t.PostOnly == post }}
}

// order gives the graph among nodes in the frame's direction.
func (f frame) order(nodes []int) *digraph {
	g := f.ph.subgraph(nodes)
	if f.back {
		return g.reversed()
	}
	return g
}

// wave plans one wave: stepping roles step by step, then their health gates; rolling
// roles as tracks beside them.
func (b *builder) wave(f frame) Wave {
	w := Wave{Number: f.wave}
	stepping := b.within(f.ph, f.wave, -1)
	g := f.order(stepping)
	for _, n := range b.stepsIn(f, stepping) {
		if s := b.step(f, stepping, g, n); len(s.Units) > 0 {
			w.Steps = append(w.Steps, s)
		}
	}
	b.gates(f, &w)
	for r := range b.Roles {
		if b.Roles[r].Rolling == nil {
			continue
		}
		if t := b.track(f, r); len(t.Parts) > 0 {
			w.Tracks = append(w.Tracks, t)
		}
	}
	b.keepApart(f, &w)
	return w
}

// stepsIn gives the steps that the nodes' tasks name, in the order they run.
func (b *builder) stepsIn(f frame, nodes []int) []int {
	var out []int
	for _, n := range nodes {
		for i := range b.tasksOf(f, n) {
			if t := &b.tasksOf(f, n)[i]; f.has(t) {
				out = append(out, t.Steps...)
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if f.back {
		slices.Reverse(out)
	}
	return out
}

func (b *builder) tasksOf(f frame, n int) []tasks.Task {
	return b.placements[f.ph.nodes[n]].svc.Lists[f.list]
}

// step plans one step of the roles that are not rolling.
func (b *builder) step(f frame, nodes []int, g *digraph, number int) Step {
	colour := make([]int, len(nodes))
	for i, n := range nodes {
		colour[i] = through
		if b.inStep(f, n, number) {
			colour[i] = b.placements[f.ph.nodes[n]].role
		}
	}
	out := Step{Number: number, Name: b.stepName(number)}
	clusters := group(g, colour, len(b.Roles))
	ends := make([]string, len(clusters)) // id of each cluster's last unit
	counts := map[int]int{}
	lastOf := map[int]string{} // last unit of each role so far
	for c, cl := range clusters {
		units := b.cut(f, number, cl, nodes, counts)
		first := &units[0]
		for _, l := range cl.after {
			first.After = append(first.After, After{ends[l.cluster], l.why.text(), placeOf(l.why.dep.Pos)})
		}
		for r, id := range lastOf {
			if r == cl.colour {
				first.After = addAfter(first.After, id, "the same role")
			} else if b.shared[r][cl.colour] {
				first.After = addAfter(first.After, id, "shares hosts with "+b.Roles[r].Name)
			}
		}
		slices.SortStableFunc(first.After, func(x, y After) int { return compareText(x.Unit, y.Unit) })
		ends[c] = units[len(units)-1].ID
		lastOf[cl.colour] = ends[c]
		out.Units = append(out.Units, units...)
	}
	return out
}

func addAfter(list []After, id, why string) []After {
	if slices.ContainsFunc(list, func(a After) bool { return a.Unit == id }) {
		return list
	}
	return append(list, After{Unit: id, Reason: why})
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (b *builder) inStep(f frame, n, number int) bool {
	ts := b.tasksOf(f, n)
	for i := range ts {
		if f.has(&ts[i]) && slices.Contains(ts[i].Steps, number) {
			return true
		}
	}
	return false
}

func (b *builder) stepName(number int) string {
	for _, s := range b.Settings.Steps {
		if s.Number == number {
			return s.Name
		}
	}
	return ""
}

// cut makes the units of one cluster: one, or more where run_once tasks stand in it.
// Those stand alone: a limited re-run or strategy free would repeat them.
func (b *builder) cut(f frame, number int, cl cluster, nodes []int, counts map[int]int) []Unit {
	role := b.Roles[cl.colour].Name
	var out []Unit
	open := func(once bool) *Unit {
		counts[cl.colour]++
		id := fmt.Sprintf("%s/step%d/%s", f.prefix, number, role)
		if n := counts[cl.colour]; n > 1 {
			id = fmt.Sprintf("%s.%d", id, n)
		}
		u := Unit{ID: id, Kind: KindStep, Role: role, Step: number, Once: once}
		if len(out) > 0 {
			u.After = []After{{Unit: out[len(out)-1].ID, Reason: "the same role"}}
		}
		out = append(out, u)
		return &out[len(out)-1]
	}
	for _, i := range cl.nodes {
		n := nodes[i]
		svc := b.placements[f.ph.nodes[n]].svc
		ts := b.tasksOf(f, n)
		for j := range ts {
			t := &ts[j]
			if !f.has(t) || !slices.Contains(t.Steps, number) {
				continue
			}
			if len(out) == 0 || t.Once || out[len(out)-1].Once {
				open(t.Once)
			}
			u := &out[len(out)-1]
			u.Throttle = u.Throttle || t.Throttle
			if k := len(u.Segments); k == 0 || u.Segments[k-1].Service != svc.Name {
				u.Segments = append(u.Segments, Segment{Service: svc.Name})
			}
			s := &u.Segments[len(u.Segments)-1]
			s.Tasks = append(s.Tasks, taskID(f.list, t))
		}
	}
	return out
}

// taskID names a task within its service; parts of a split block add their first step.
func taskID(list tasks.ListName, t *tasks.Task) string {
	if t.Split {
		return fmt.Sprintf("%s.%d/step%d", list, t.Index, t.Steps[0])
	}
	return fmt.Sprintf("%s.%d", list, t.Index)
}

// gates adds the health gates of roles that are not rolling, at the end of the wave.
// On the way back there is none: what the upgrade broke is not expected to be healthy
// before it is undone.
func (b *builder) gates(f frame, w *Wave) {
	if f.back {
		return
	}
	for r := range b.Roles {
		role := b.Roles[r].Name
		worked := slices.ContainsFunc(w.Steps, func(s Step) bool {
			return slices.ContainsFunc(s.Units, func(u Unit) bool { return u.Role == role })
		})
		if !worked {
			continue
		}
		var nodes []int
		for n, p := range f.ph.nodes {
			if b.placements[p].role == r && (f.ph.wave[n] == f.wave || !b.active(f.ph, n)) {
				nodes = append(nodes, n)
			}
		}
		u := Unit{ID: f.prefix + "/health/" + role, Kind: KindHealth, Role: role}
		u.Segments = b.segments(f.ph.graph.topological(nodes), f.ph, tasks.Health)
		if len(u.Segments) > 0 {
			w.Health = append(w.Health, u)
		}
	}
}

// segments gives one task list of every service among nodes, in the nodes' order.
func (b *builder) segments(nodes []int, ph *phase, list tasks.ListName) []Segment {
	var out []Segment
	for _, n := range nodes {
		svc := b.placements[ph.nodes[n]].svc
		if s := whole(svc.Name, svc.Lists[list], list); len(s.Tasks) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func whole(name string, ts []tasks.Task, list tasks.ListName) Segment {
	s := Segment{Service: name}
	for i := range ts {
		s.Tasks = append(s.Tasks, taskID(list, &ts[i]))
	}
	return s
}
