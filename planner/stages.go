package planner

import (
	"maps"
	"slices"

	"github.com/upstep/upstep/settings"
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
		if b.Settings.Ordering == settings.Dependencies {
			b.loosen(ph, &stage)
		}
		b.sayRounds(stage)
		b.planned = append(b.planned, stage)
	}
}

// rollback plans the same waves backwards: stages, waves, steps and services in
// reverse, each service's tasks in their written order. A service that did nothing in a
// stage has nothing to undo there. Its barriers stay, whatever the ordering.
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
// roles and those that are replaced as tracks beside them.
func (b *builder) wave(f *frame, number int) Wave {
	w := Wave{Number: number}
	var stepping []int
	tracks := make(map[int][]int)
	for _, n := range f.ph.waves[number-1] {
		if r := b.roleAt(f.ph, n); b.tracked(f.ph, r) {
			tracks[b.leader[r]] = append(tracks[b.leader[r]], n)
		} else {
			stepping = append(stepping, n)
		}
	}
	prefix := f.prefix + "/" + itoa(number)
	b.steps(f, prefix, &w, stepping)
	b.gates(f, prefix, &w)
	for _, r := range slices.Sorted(maps.Keys(tracks)) {
		t := Track{Role: b.Roles[r].Name}
		switch {
		case !b.replaced(r):
			t = b.track(f, prefix, number, r, tracks[r])
		case slices.ContainsFunc(tracks[r], func(n int) bool { return f.ph.active[n] }):
			t.Parts, t.After = b.replacement(prefix, r, f.back), b.waits(f, number, tracks[r])
		}
		if len(t.Parts) > 0 {
			b.keepApart(f, &w, &t, r)
			for _, o := range b.team(r) {
				f.end(number, o, t.Parts[len(t.Parts)-1].ID)
			}
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

// step plans one step: each vertex of its graph is a unit.
func (b *builder) step(f *frame, prefix string, wave int, work *work, g *digraph, number int) Step {
	out := Step{Number: number, Name: b.stepName(number)}
	p := work.parts(b, f, g, number)
	gr := group(p.digraph, p.colour, len(work.roles))
	same := b.sharer(f.list)
	if same.share(f, work, &p, gr) {
		gr = group(p.digraph, p.colour, len(work.roles))
	}
	at := func(v int) int { return work.role[p.node[gr.vertices[v].nodes[0]]] } // of vertices with tasks
	links := gr.links(len(work.roles), at)
	ids := make([]string, len(gr.vertices))
	counts := make([]int, len(work.roles))
	lastOf := make([]string, len(work.roles)) // last unit of each role so far
	for v, vx := range gr.vertices {
		if vx.colour == through {
			continue
		}
		mine := at(v)
		role := work.roles[mine]
		counts[mine]++
		u := Unit{ID: unitID(prefix, number, b.Roles[role].Name, counts[mine]), Kind: KindStep, Role: b.Roles[role].Name, Step: number}
		for _, n := range vx.nodes {
			b.fill(&u, f, work.nodes[p.node[n]], p.items[n])
		}
		for _, l := range links[v] {
			if l.why == nil && at(l.vertex) != mine {
				l.why = gr.onward(l.to)
			}
			if l.why != nil { // nil: the same service, or a task that stands for one of it, on the same role
				far := b.serviceOf(f.ph, work.nodes[p.node[l.from]]).Name
				u.After = append(u.After, After{ids[l.vertex], same.why(l.why, far, l.from, f.back), placeOf(l.why.dep.Pos)})
			}
		}
		for o, id := range lastOf {
			switch {
			case id == "":
			case o == mine:
				u.After = addAfter(u.After, id, sameRole)
			case b.shared[work.roles[o]][role]:
				u.After = addAfter(u.After, id, "shares hosts with "+b.Roles[work.roles[o]].Name)
			}
		}
		slices.SortStableFunc(u.After, func(x, y After) int { return compareText(x.Unit, y.Unit) })
		ids[v], lastOf[mine] = u.ID, u.ID
		f.end(wave, role, u.ID)
		out.Units = append(out.Units, u)
	}
	same.tell(out.Units)
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

// unitID names the n-th unit of a role in a step.
func unitID(prefix string, step int, role string, n int) string {
	id := prefix + "/step" + itoa(step) + "/" + role
	if n > 1 {
		id += "." + itoa(n)
	}
	return id
}

// fill adds tasks of a node to a unit.
func (b *builder) fill(u *Unit, f *frame, n int, items []item) {
	svc := b.serviceOf(f.ph, n)
	ts := svc.Lists[f.list]
	for _, it := range items {
		list, ts := it.in(f.list), ts
		if it.backup {
			ts = svc.Lists[list]
		}
		t := &ts[it.task]
		u.Backup = u.Backup || it.backup
		u.Once = u.Once || t.Once && !it.backup // a backup may be taken again
		u.Throttle = u.Throttle || t.Throttle
		if k := len(u.Segments); k == 0 || u.Segments[k-1].Service != svc.Name {
			u.Segments = append(u.Segments, Segment{Service: svc.Name})
		}
		s := &u.Segments[len(u.Segments)-1]
		s.Tasks = append(s.Tasks, b.taskID(list, ts, it.task))
	}
}
