package planner

import (
	"maps"
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
		f := &frame{prefix: stage.Name, ph: ph, list: ph.list, has: func(*tasks.Task) bool { return true }}
		for w := range ph.waves {
			stage.Waves = append(stage.Waves, b.wave(f, w+1))
		}
		b.sayRounds(stage)
		b.planned = append(b.planned, stage)
	}
}

// rollback plans the same waves backwards: stages, waves, steps and services in
// reverse, each service's tasks in their written order. A service that did nothing in a
// stage has nothing to undo there.
func (b *builder) rollback() {
	for s, ph := range slices.Backward(b.graphs) {
		stage := Stage{Name: b.stageNames[s]}
		post := s == b.post()
		f := &frame{prefix: "rollback/" + stage.Name, ph: ph, list: tasks.Rollback, back: true, has: func(t *tasks.Task) bool { return t.PostOnly == post }}
		for w := len(ph.waves); w >= 1; w-- {
			if wave := b.wave(f, w); len(wave.Steps)+len(wave.Tracks) > 0 {
				stage.Waves = append(stage.Waves, wave)
			}
		}
		if len(stage.Waves) > 0 {
			b.undoing = append(b.undoing, stage)
		}
	}
}

// frame is a stage in one direction: which tasks take part, and what the waves so far
// ended with.
type frame struct {
	prefix string // of unit ids, before the wave
	ph     *phase
	list   tasks.ListName
	back   bool
	has    func(t *tasks.Task) bool
	ends   map[[2]int]string // last unit of a role in a wave, by wave and role
}

// before tells whether a wave comes before another.
func (f *frame) before(wave, other int) bool {
	return wave < other && !f.back || wave > other && f.back
}

func (f *frame) end(wave, role int, id string) {
	if f.ends == nil {
		f.ends = map[[2]int]string{}
	}
	f.ends[[2]int{wave, role}] = id
}

// wave plans one wave: stepping roles step by step, then their health gates; rolling
// roles as tracks beside them.
func (b *builder) wave(f *frame, number int) Wave {
	w := Wave{Number: number}
	var stepping []int
	tracks := make(map[int][]int)
	for _, n := range f.ph.waves[number-1] {
		if r := b.roleAt(f.ph, n); b.rolling(r) {
			tracks[r] = append(tracks[r], n)
		} else {
			stepping = append(stepping, n)
		}
	}
	prefix := f.prefix + "/" + itoa(number)
	b.steps(f, prefix, &w, stepping)
	b.gates(f, prefix, &w)
	for _, r := range slices.Sorted(maps.Keys(tracks)) {
		if t := b.track(f, prefix, number, r, tracks[r]); len(t.Parts) > 0 {
			b.keepApart(f, &w, &t, r)
			f.end(number, r, t.Parts[len(t.Parts)-1].ID)
			w.Tracks = append(w.Tracks, t)
		}
	}
	return w
}

// steps plans the steps of the roles that are not rolling.
func (b *builder) steps(f *frame, prefix string, w *Wave, nodes []int) {
	if len(nodes) == 0 {
		return
	}
	work := b.work(f, nodes)
	g := work.graph(f)
	for _, number := range work.numbers {
		w.Steps = append(w.Steps, b.step(f, prefix, w.Number, work, g, number))
	}
}

// step plans one step.
func (b *builder) step(f *frame, prefix string, wave int, work *work, g *digraph, number int) Step {
	out := Step{Number: number, Name: b.stepName(number)}
	gr := group(g, work.colours(number), len(work.roles))
	links := gr.links(len(work.roles))
	ends := make([]string, len(gr.vertices)) // id of each vertex's last unit
	counts := make([]int, len(work.roles))
	lastOf := make([]string, len(work.roles)) // last unit of each role so far
	for v, vx := range gr.vertices {
		if vx.colour == through {
			continue
		}
		role := work.roles[vx.colour]
		units := b.cut(f, prefix+"/step"+itoa(number)+"/", b.Roles[role].Name, work, vx.nodes, number, &counts[vx.colour])
		first := &units[0]
		for _, l := range links[v] {
			first.After = append(first.After, After{ends[l.vertex], l.why.over(b.serviceOf(f.ph, work.nodes[l.from]).Name, f.back), placeOf(l.why.dep.Pos)})
		}
		for c, id := range lastOf {
			switch {
			case id == "":
			case c == vx.colour:
				first.After = addAfter(first.After, id, sameRole)
			case b.shared[work.roles[c]][role]:
				first.After = addAfter(first.After, id, "shares hosts with "+b.Roles[work.roles[c]].Name)
			}
		}
		slices.SortStableFunc(first.After, func(x, y After) int { return compareText(x.Unit, y.Unit) })
		ends[v] = units[len(units)-1].ID
		lastOf[vx.colour] = ends[v]
		f.end(wave, role, ends[v])
		out.Units = append(out.Units, units...)
	}
	return out
}

const sameRole = "the same role"

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

func (b *builder) stepName(number int) string {
	for _, s := range b.Settings.Steps {
		if s.Number == number {
			return s.Name
		}
	}
	return ""
}

// cut makes the units of some nodes of a role in a step: one, or more where run_once
// tasks stand in it. Those stand alone: a limited re-run or strategy free would repeat
// them. count is how many units the role has in the step so far.
func (b *builder) cut(f *frame, prefix, role string, work *work, nodes []int, number int, count *int) []Unit {
	var out []Unit
	open := func(once bool) {
		id := prefix + role
		if *count++; *count > 1 {
			id += "." + itoa(*count)
		}
		u := Unit{ID: id, Kind: KindStep, Role: role, Step: number, Once: once}
		if len(out) > 0 {
			u.After = []After{{Unit: out[len(out)-1].ID, Reason: sameRole}}
		}
		out = append(out, u)
	}
	for _, i := range nodes {
		svc := b.serviceOf(f.ph, work.nodes[i])
		ts := svc.Lists[f.list]
		for _, it := range work.of(i, number) {
			t := &ts[it.task]
			if len(out) == 0 || t.Once || out[len(out)-1].Once {
				open(t.Once)
			}
			u := &out[len(out)-1]
			u.Throttle = u.Throttle || t.Throttle
			if k := len(u.Segments); k == 0 || u.Segments[k-1].Service != svc.Name {
				u.Segments = append(u.Segments, Segment{Service: svc.Name})
			}
			s := &u.Segments[len(u.Segments)-1]
			s.Tasks = append(s.Tasks, b.taskID(f.list, t))
		}
	}
	return out
}
