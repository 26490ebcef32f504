package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// successorSuffix is what the role of the hosts that take over has behind the name of the
// role that they take over from.
const successorSuffix = "-new"

// successors gives each role that is replaced a second one beside it, of the hosts that
// take over: with the same services, and like any other role from here on.
func (b *builder) successors() {
	declared := map[string]source.Pos{}
	for i := range b.Roles {
		declared[strings.ToLower(b.Roles[i].Name)] = b.Roles[i].Pos
	}
	given := b.Roles
	b.Roles, b.leader = nil, nil
	for _, role := range given {
		own := len(b.Roles)
		if role.Replace != nil {
			role.Rolling = nil // with both, which is reported
		}
		b.Roles, b.leader = append(b.Roles, role), append(b.leader, own)
		if role.Replace == nil {
			continue
		}
		next := role
		next.Name += successorSuffix
		next.Hosts, next.HostsPos = role.Replace.With, role.Replace.WithPos
		next.Replace, next.Optional = nil, false
		if at, taken := declared[strings.ToLower(next.Name)]; taken {
			b.sink.Errorf(role.Replace.Pos, "the hosts that take over from %s are role %s, which is declared too", role.Name, next.Name).
				WithHint("rename the role at " + at.Short())
		}
		if len(next.Name) > source.NameLimit {
			b.sink.Errorf(role.Pos, "the hosts that take over from it are role %s, which is too long for a file name", next.Name).WithHint("use a shorter name")
		}
		b.Roles, b.leader = append(b.Roles, next), append(b.leader, own)
	}
}

// replaced tells whether other hosts take over from a role's.
func (b *builder) replaced(r int) bool { return b.Roles[r].Replace != nil }

// successor is the role of the hosts that take over from a role's: it stands behind it.
func (b *builder) successor(r int) int { return r + 1 }

// team gives the roles that go through a stage together: a role, and the one that takes
// over from it.
func (b *builder) team(r int) []int {
	if b.replaced(r) {
		return []int{r, b.successor(r)}
	}
	return []int{r}
}

// meet tells whether hosts of two teams are the same.
func (b *builder) meet(r, q int) bool {
	for _, x := range b.team(b.leader[r]) {
		for _, y := range b.team(b.leader[q]) {
			if b.shared[x][y] {
				return true
			}
		}
	}
	return false
}

// replacedIn tells whether a role takes part in a replacement in a stage: before it, or in
// its place. After all stages what has taken over steps with the others.
func (b *builder) replacedIn(ph *phase, r int) bool {
	return ph.stage != b.post() && b.replaced(b.leader[r])
}

// tracked tells whether a role goes through a stage as a track.
func (b *builder) tracked(ph *phase, r int) bool { return b.rolling(r) || b.replacedIn(ph, r) }

// works tells whether a placement has something to do in a stage.
func (b *builder) works(ph *phase, pl *placement) bool {
	switch {
	case b.replacedIn(ph, pl.role):
		return pl.svc.Behind != "" || slices.ContainsFunc(phaseLists(), func(l tasks.ListName) bool { return len(pl.svc.Lists[l]) > 0 })
	case b.replaced(pl.role):
		return false // what it served is done elsewhere now
	}
	return len(pl.svc.Lists[ph.list]) > 0
}

// phaseLists are the lists that a replacement takes its tasks from.
func phaseLists() []tasks.ListName {
	return append(tasks.PhaseNames(), tasks.Drain, tasks.Health, tasks.Restore)
}

// replacement plans how hosts take over from a role's: they are deployed, get what is
// carried over and are verified; then they come into traffic, and the old ones leave it.
// Backwards the old ones come into it again and the others leave it. Each part is a unit
// on the hosts of one of the two.
func (b *builder) replacement(prefix string, r int, back bool) []Unit {
	from, to := r, b.successor(r)
	var out []Unit
	if back {
		from, to = to, from
	} else {
		out = append(out, b.phase(prefix, KindDeploy, to, tasks.Deploy)...)
		out = append(out, b.phase(prefix, KindCarry, to, tasks.Carry)...)
		out = append(out, b.phase(prefix, KindVerify, to, tasks.Verify)...)
	}
	unit := func(kind Kind, role int, number int, segments []Segment) {
		if len(segments) > 0 {
			out = append(out, Unit{ID: phaseID(prefix, kind, b.Roles[role].Name, number), Kind: kind, Role: b.Roles[role].Name, Segments: segments})
		}
	}
	var health []Segment
	for _, p := range b.everyone(to) {
		if svc := b.placements[p].svc; len(svc.Lists[tasks.Health]) > 0 {
			health = append(health, b.whole(svc, tasks.Health))
		}
	}
	unit(KindHealth, to, 1, health)
	before := len(out)
	unit(KindRestore, to, 1, b.traffic(to, tasks.Restore, tasks.Establish, "establish"))
	if back {
		out = append(out, b.phase(prefix, KindCutBack, to, tasks.CutBack)...)
	} else {
		out = append(out, b.phase(prefix, KindCutOver, to, tasks.CutOver)...)
	}
	if len(out) > before {
		unit(KindHealth, to, 2, health)
	}
	leaving := b.traffic(from, tasks.Drain, tasks.Unlink, "unlink")
	slices.Reverse(leaving) // dependents first
	unit(KindDrain, from, 1, leaving)
	if back && len(out) == 1 && out[0].Kind == KindHealth {
		return nil // nothing was cut over
	}
	return out
}

// phase plans one list of a role's services, dependencies first: as one unit, or as more
// where tasks run once.
func (b *builder) phase(prefix string, kind Kind, r int, list tasks.ListName) []Unit {
	var out []Unit
	role := b.Roles[r].Name
	for _, p := range b.dependencyOrder(r) {
		svc := b.placements[p].svc
		ts := svc.Lists[list]
		items := make([]item, len(ts))
		for i := range items {
			items[i].task = i
		}
		if len(items) == 0 {
			continue
		}
		for _, run := range runs(ts, items) {
			once := ts[run[0].task].Once
			if n := len(out); n == 0 || once || out[n-1].Once {
				out = append(out, Unit{ID: phaseID(prefix, kind, role, n+1), Kind: kind, Role: role})
			}
			u := &out[len(out)-1]
			u.Once = once
			u.Throttle = u.Throttle || slices.ContainsFunc(run, func(it item) bool { return ts[it.task].Throttle })
			u.Segments = append(u.Segments, b.segment(svc, list, run))
		}
	}
	return out
}

// phaseID names the n-th unit of a role in a phase.
func phaseID(prefix string, kind Kind, role string, n int) string {
	id := prefix + "/" + string(kind) + "/" + role
	if n > 1 {
		id += "." + itoa(n)
	}
	return id
}

// dependencyOrder gives the placements of a role, dependencies first.
func (b *builder) dependencyOrder(r int) []int {
	ph := b.graphs[b.post()] // every placement is a node of the last stage
	var nodes, out []int
	for _, p := range b.stands[r] {
		nodes = append(nodes, ph.at[p])
	}
	for _, n := range ph.graph.sorted(nodes) {
		out = append(out, ph.nodes[n])
	}
	return out
}

// retirement plans the last stage: what was replaced goes, once everything else has ended.
// Until then it can be cut back to.
func (b *builder) retirement() {
	w := Wave{Number: 1}
	for r := range b.Roles {
		if !b.replaced(r) {
			continue
		}
		t := Track{Role: b.Roles[r].Name, Parts: b.phase(Retire+"/1", KindRetire, r, tasks.Retire)}
		if len(t.Parts) == 0 {
			b.say(t.Role, "no service has retire_tasks: the old hosts stay, and can be cut back to", b.Roles[r].Pos)
			continue
		}
		for _, o := range w.Tracks {
			if b.meet(r, b.roleNumber[o.Role]) {
				t.After = addAfter(t.After, lastPart(&o).ID, "shares hosts with "+o.Role)
			}
		}
		w.Tracks = append(w.Tracks, t)
	}
	if len(w.Tracks) > 0 {
		b.planned = append(b.planned, Stage{Name: Retire, Waves: []Wave{w}})
	}
}

// checkReplaced looks at what roles that are replaced say: they are so as a whole.
func (b *builder) checkReplaced() {
	for r := range b.Roles {
		if !b.replaced(r) {
			continue
		}
		role := &b.Roles[r]
		first := -1
		deploys := false
		sure := true
		for _, p := range b.stands[r] {
			pl := &b.placements[p]
			deploys = deploys || len(pl.svc.Lists[tasks.Deploy]) > 0
			sure = sure && pl.svc.Read == 0 && !pl.unsure
			switch {
			case pl.unsure:
			case first < 0:
				first = p
			case pl.stage != b.placements[first].stage:
				one := &b.placements[first]
				b.sink.Errorf(pl.pos, "%s runs in stage %s and %s in %s, but role %s is replaced as a whole, in one stage",
					one.svc.Name, b.stageNames[one.stage], pl.svc.Name, b.stageNames[pl.stage], role.Name).
					WithHint("give both the same stage, or put one of them on a role of its own")
			}
		}
		if !deploys && sure && !b.PartialRoles && len(b.stands[r]) == len(role.Services) {
			b.sink.Errorf(role.Replace.Pos, "nothing deploys the hosts that take over from role %s: none of its services has deploy_tasks", role.Name).
				WithHint("what is to be done on the new hosts stands in deploy_tasks, then carry_tasks, verify_tasks and cut_over_tasks")
		}
	}
}

// checkPhases warns of tasks that do not run where they stand, because the role is
// replaced or because it is not. It tells whether it is.
func (b *builder) checkPhases(p *placement) (replaced bool) {
	role := &b.Roles[p.role]
	if b.leader[p.role] != p.role {
		return true // said of the role that it takes over from
	}
	if !b.replaced(p.role) {
		var idle []string
		for _, list := range tasks.PhaseNames() {
			if len(p.svc.Lists[list]) > 0 {
				idle = append(idle, string(list))
			}
		}
		if len(idle) > 0 {
			b.sink.Warnf(p.svc.Lists[tasks.ListName(idle[0])][0].Pos, "%s of %s do not run on role %s, which is not replaced", strings.Join(idle, ", "), p.svc.Name, role.Name).
				WithHint("give the role replace:, or move the tasks")
		}
		return false
	}
	warn := func(list tasks.ListName, ts []tasks.Task, instead tasks.ListName) {
		if len(ts) > 0 {
			b.sink.Warnf(ts[0].Pos, "%s of %s do not run on role %s, which is replaced", list, p.svc.Name, role.Name).
				WithHint("what is done on the hosts that take over stands in " + string(instead))
		}
	}
	warn(tasks.Upgrade, p.svc.Lists[tasks.Upgrade], tasks.Deploy)
	back := slices.DeleteFunc(slices.Clone(p.svc.Lists[tasks.Rollback]), func(t tasks.Task) bool { return t.PostOnly })
	warn(tasks.Rollback, back, tasks.CutBack)
	return true
}

// refuseStaying reports hosts that would take over from themselves.
func (b *builder) refuseStaying(r int, stays []string) {
	if len(stays) > 0 {
		b.sink.Errorf(b.Roles[r].HostsPos, "hosts of role %s would take over from themselves: %s", b.Roles[b.leader[r]].Name, strings.Join(stays, ", ")).
			WithHint("with: names other hosts than the role's own, such as \"all:&workflow:!old\"")
	}
}

// refuseCuts reports roles that are replaced and that their dependencies would cut.
func (b *builder) refuseCuts(ph *phase) {
	for r := range b.Roles {
		if !b.replaced(r) {
			continue
		}
		in := map[int]string{} // a service of each wave
		for n := range ph.nodes {
			if ph.active[n] && b.replacedIn(ph, r) && b.leader[b.roleAt(ph, n)] == r && in[ph.wave[n]] == "" {
				in[ph.wave[n]] = b.serviceOf(ph, n).Name
			}
		}
		if len(in) < 2 {
			continue
		}
		var parts []string
		for w := range ph.waves {
			if in[w+1] != "" {
				parts = append(parts, fmt.Sprintf("%s in wave %d", in[w+1], w+1))
			}
		}
		b.sink.Errorf(b.Roles[r].Replace.Pos, "role %s is replaced as a whole, but dependencies on other roles cut it: %s", b.Roles[r].Name, strings.Join(parts, ", ")).
			WithHint("take away one of the dependencies between it and what must come in between, or give a service a role of its own")
	}
}
