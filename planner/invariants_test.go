package planner_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/tasks"
)

// checker looks at whether a plan keeps what DESIGN promises; the faults are sentences.
type checker struct {
	w      planner.World
	p      *planner.Plan
	role   map[string]int
	faults []string
	every  *relation
}

// faultsOf gives every promise that a plan breaks: in tables, random worlds and fuzzing.
func faultsOf(w planner.World, p *planner.Plan) []string {
	c := &checker{w: w, p: p, role: map[string]int{}}
	for k := range w.Roles {
		c.role[w.Roles[k].Name] = k
	}
	names := stageNames(w)
	c.require(len(p.Stages) == len(names), "%d stages, not %d", len(p.Stages), len(names))
	for i, s := range p.Stages {
		c.require(s.Name == names[i], "stage %d is %s, not %s", i, s.Name, names[i])
		c.stage(s, false)
	}
	for i, s := range p.Rollback {
		c.require(i == 0 || slices.Index(names, s.Name) < slices.Index(names, p.Rollback[i-1].Name), "rollback of %s comes too late", s.Name)
		c.stage(s, true)
	}
	for _, stages := range [][]planner.Stage{p.Stages, p.Rollback} {
		o := orderOfUnits(stages)
		c.faults = append(c.faults, o.faults...)
		c.apart(o, stages)
	}
	return c.faults
}

func (c *checker) require(ok bool, format string, args ...any) {
	if !ok {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// spot is where a plan has a task in a step.
type spot struct {
	wave, unit, place int // unit in the stage, place within it
	id                string
	track             bool
	left              bool // another task stands for it there
}

// key is a task of a standing in a step.
type key struct{ standing, task, step int }

// layout is a stage with every task of it found.
type layout struct {
	*relation
	stage planner.Stage
	back  bool
	spots map[key]spot
	tasks [][]tasks.Task // that take part, by standing
	name  string         // of the list
}

func (c *checker) stage(s planner.Stage, back bool) {
	l := &layout{relation: relationOf(c.w, s.Name), stage: s, back: back, spots: map[key]spot{}}
	l.close()
	list := l.list
	if back {
		list = tasks.Rollback
	}
	l.name = string(list)
	for _, a := range l.all {
		var ts []tasks.Task
		for _, t := range a.svc.Lists[list] {
			if !back || a.active && t.PostOnly == (s.Name == planner.PostUpgrade) {
				ts = append(ts, t)
			}
		}
		l.tasks = append(l.tasks, ts)
	}
	for i, w := range s.Waves {
		c.require(back || w.Number == i+1, "%s: wave %d has number %d", s.Name, i+1, w.Number)
		c.require(!back || i == 0 || w.Number < s.Waves[i-1].Number, "rollback of %s: wave %d comes too late", s.Name, w.Number)
		c.require(len(w.Steps)+len(w.Tracks) > 0, "%s: wave %d is empty", s.Name, w.Number)
		c.wave(l, w)
	}
	c.complete(l)
	c.shared(l)
	c.ordered(l)
	c.minimal(l)
	if !back {
		c.placements(l)
	}
}

// wave checks the form of a wave, and finds its tasks.
func (c *checker) wave(l *layout, w planner.Wave) {
	number := 0
	visit := func(u planner.Unit, track bool) {
		number++
		c.unit(l, w, u, number, track)
	}
	for i, st := range w.Steps {
		c.require(len(st.Units) > 0, "%s: step %d has no units", l.stage.Name, st.Number)
		c.require(i == 0 || (st.Number > w.Steps[i-1].Number) != l.back, "%s: step %d stands in the wrong place", l.stage.Name, st.Number)
		earlier := map[string]bool{}
		for _, u := range st.Units {
			c.require(u.Kind == planner.KindStep && u.Step == st.Number, "%s is in step %d", u.ID, st.Number)
			c.require(c.w.Roles[c.role[u.Role]].Rolling == nil, "%s: a rolling role steps with others", u.ID)
			for _, a := range u.After {
				c.require(earlier[a.Unit], "%s comes after %s, which does not stand before it in its step", u.ID, a.Unit)
			}
			earlier[u.ID] = true
			visit(u, false)
		}
	}
	c.require(!l.back || len(w.Health) == 0, "a rollback has gates")
	for _, u := range w.Health {
		c.around(l, w, u, tasks.Health, false)
	}
	for _, t := range w.Tracks {
		c.track(l, w, t, visit)
	}
}

// unit checks one unit of a step and finds its tasks.
func (c *checker) unit(l *layout, w planner.Wave, u planner.Unit, number int, track bool) {
	place := 0
	once, throttle := false, false
	for _, seg := range u.Segments {
		at := slices.IndexFunc(l.all, func(a standing) bool { return a.svc.Name == seg.Service && a.role == c.role[u.Role] })
		if at < 0 {
			c.require(false, "%s holds %s, which does not stand there", u.ID, seg.Service)
			continue
		}
		c.require(len(seg.Tasks) > 0, "%s: %s has nothing to do", u.ID, seg.Service)
		for _, id := range seg.Tasks {
			i := slices.IndexFunc(l.tasks[at], func(t tasks.Task) bool { return idOf(l.name, l.all[at].svc, t) == id })
			if i < 0 {
				c.require(false, "%s: %s has no %s", u.ID, seg.Service, id)
				continue
			}
			t := l.tasks[at][i]
			k := key{at, i, u.Step}
			_, twice := l.spots[k]
			c.require(!twice, "%s: %s %s stands twice in step %d", u.ID, seg.Service, id, u.Step)
			c.require(slices.Contains(t.Steps, u.Step), "%s: %s %s is not of step %d", u.ID, seg.Service, id, u.Step)
			place++
			l.spots[k] = spot{w.Number, number, place, u.ID, track, false}
			once, throttle = once || t.Once, throttle || t.Throttle
		}
	}
	c.left(l, u)
	// What follows a task that was left out keeps its place.
	if !slices.ContainsFunc(unitsIn(l.stage), func(o planner.Unit) bool { return o.Role == u.Role && o.Step == u.Step && len(o.LeftOut) > 0 }) {
		c.ties(l, u)
	}
	c.require(u.Once == once && (!once || place == 1), "%s: what runs once stands alone and is marked", u.ID)
	c.require(u.Throttle == throttle, "%s: throttle is %t", u.ID, u.Throttle)
}

// idOf names a task as the plan does: its place in the list, and for a part of a block
// that was split its first step.
func idOf(list string, svc *services.Service, t tasks.Task) string {
	id := fmt.Sprintf("%s.%d", list, t.Index)
	parts := 0
	for _, o := range svc.Lists[tasks.ListName(list)] {
		if o.Index == t.Index {
			parts++
		}
	}
	if parts > 1 && t.PostOnly {
		id += "/post_upgrade"
	}
	if parts > 1 {
		id += fmt.Sprintf("/step%d", t.Steps[0])
	}
	return id
}

// track checks the form of a track: drain, steps, health, restore, each after the other.
func (c *checker) track(l *layout, w planner.Wave, t planner.Track, visit func(planner.Unit, bool)) {
	c.require(c.w.Roles[c.role[t.Role]].Rolling != nil, "%s is no rolling role", t.Role)
	rank := map[planner.Kind]int{planner.KindDrain: 0, planner.KindStep: 1, planner.KindHealth: 2, planner.KindRestore: 3}
	steps := 0
	for i, u := range t.Parts {
		c.require(u.Role == t.Role && len(u.After) == 0, "%s: a part of %s", u.ID, t.Role)
		if i > 0 {
			before := t.Parts[i-1]
			inOrder := rank[before.Kind] < rank[u.Kind] ||
				u.Kind == planner.KindStep && before.Kind == planner.KindStep && (before.Step == u.Step || (before.Step < u.Step) != l.back)
			c.require(inOrder, "%s stands behind %s", u.ID, before.ID)
		}
		switch u.Kind { //nolint:exhaustive // the others are of replacements
		case planner.KindStep:
			steps++
			visit(u, true)
		case planner.KindDrain:
			c.around(l, w, u, tasks.Drain, true)
		case planner.KindHealth:
			c.around(l, w, u, tasks.Health, false)
		case planner.KindRestore:
			c.around(l, w, u, tasks.Restore, false)
		case planner.KindPreflight:
			c.require(false, "%s: a track has no preflight", u.ID)
		}
	}
	c.require(steps > 0, "the track of %s in wave %d does nothing", t.Role, w.Number)
}

// around checks drain, gates and restore: who takes part, and that dependencies come
// first, or with turned last. Of several services behind one carrier it is the last to
// come back whose place the carrier takes, and the first to go.
func (c *checker) around(l *layout, w planner.Wave, u planner.Unit, list tasks.ListName, turned bool) {
	place := map[string]int{}
	for i, seg := range u.Segments {
		place[seg.Service+seg.Links] = i
	}
	rolling := c.w.Roles[c.role[u.Role]].Rolling != nil
	every := c.everything()
	var members []int
	at := map[int]int{} // segment of each member
	links := map[int]bool{}
	for x, a := range every.all {
		if a.role != c.role[u.Role] || !rolling && !c.gated(l, w, a) {
			continue
		}
		name, of := a.svc.Name, list
		if a.svc.Behind != "" && list == tasks.Drain {
			name, of = a.svc.Behind+"unlink", tasks.Unlink
		} else if a.svc.Behind != "" && list == tasks.Restore {
			name, of = a.svc.Behind+"establish", tasks.Establish
		}
		expected := len(a.svc.Lists[list])
		if of != list {
			expected = 1
		}
		if expected == 0 {
			continue
		}
		i, in := place[name]
		c.require(in, "%s leaves out %s", u.ID, name)
		c.require(!in || len(u.Segments[i].Tasks) == expected && strings.HasPrefix(u.Segments[i].Tasks[0], string(of)+"."), "%s: %s does %v", u.ID, name, u.Segments[i].Tasks)
		members, at[x], links[i] = append(members, x), i, of != list
	}
	seen := map[int]bool{}
	for _, x := range members {
		seen[at[x]] = true
		for _, y := range members {
			// The gates of a stage know the order of that stage only.
			if every.ways[x][y] == 0 || at[x] == at[y] || links[at[y]] || !rolling && !l.depends(every.all[x], every.all[y]) {
				continue
			}
			c.require((at[y] < at[x]) != turned, "%s: %s and %s stand in the wrong order", u.ID, every.all[y].svc.Name, every.all[x].svc.Name)
		}
	}
	c.require(len(seen) == len(u.Segments), "%s has %d segments, not %d", u.ID, len(u.Segments), len(seen))
}

// everything is the order of all standings, whatever their stage.
func (c *checker) everything() *relation {
	if c.every == nil {
		c.every = relationOf(c.w, planner.PostUpgrade)
		c.every.close()
	}
	return c.every
}

func (l *layout) depends(a, b standing) bool {
	at := func(s standing) int {
		return slices.IndexFunc(l.all, func(o standing) bool { return o.svc == s.svc && o.role == s.role })
	}
	x, y := at(a), at(b)
	return x >= 0 && y >= 0 && l.ways[x][y] > 0
}

// gated tells whether a service is checked at the end of a wave of a role that steps:
// one of the wave, or one that has no tasks in the stage.
func (c *checker) gated(l *layout, w planner.Wave, a standing) bool {
	for i, o := range l.all {
		if o.svc != a.svc || o.role != a.role {
			continue
		}
		if !o.active {
			return true
		}
		for k, s := range l.spots {
			if k.standing == i && s.wave == w.Number {
				return true
			}
		}
	}
	return false
}

// complete checks that no task is lost, and that waves and tracks are what they should be.
func (c *checker) complete(l *layout) {
	for i, a := range l.all {
		for j, t := range l.tasks[i] {
			for _, step := range t.Steps {
				s, found := l.spots[key{i, j, step}]
				c.require(found, "%s on %s: %s is lost in step %d of %s", a.svc.Name, c.w.Roles[a.role].Name, idOf(l.name, a.svc, t), step, l.stage.Name)
				c.require(!found || s.track == (c.w.Roles[a.role].Rolling != nil), "%s of %s is in the wrong kind of unit", s.id, a.svc.Name)
			}
		}
	}
}

// apart checks that two units never work on one host at the same time.
func (c *checker) apart(o *unitOrder, stages []planner.Stage) {
	if len(o.faults) > 0 || c.w.Inventory == nil {
		return
	}
	for _, s := range stages {
		for _, w := range s.Waves {
			var units []planner.Unit
			planner.Stage{Waves: []planner.Wave{w}}.Units(func(_ planner.Wave, u planner.Unit) { units = append(units, u) })
			for i, u := range units {
				for _, v := range units[:i] {
					if u.Role == v.Role || shareHosts(c.w, c.role[u.Role], c.role[v.Role]) {
						c.require(o.ordered(u.ID, v.ID) || o.ordered(v.ID, u.ID), "%s and %s work on a host at the same time", v.ID, u.ID)
					}
				}
			}
		}
	}
}
