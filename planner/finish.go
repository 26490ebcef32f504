package planner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

func itoa(n int) string { return strconv.Itoa(n) }

// surroundings plans what comes before the first stage.
func (b *builder) surroundings() {
	for r := range b.Roles {
		u := Unit{ID: "preflight/" + b.Roles[r].Name, Kind: KindPreflight, Role: b.Roles[r].Name}
		same := b.sharer(tasks.Preflight)
		for k, p := range b.everyone(r) {
			pl := &b.placements[p]
			var items []item
			for j := range pl.svc.Lists[tasks.Preflight] {
				items = append(items, item{task: j})
			}
			if items = same.keep(r, pl.of, k, items); len(items) > 0 {
				u.Segments = append(u.Segments, b.segment(pl.svc, tasks.Preflight, items))
			}
		}
		if len(u.Segments) > 0 {
			b.preCheck = append(b.preCheck, u)
			same.tell(b.preCheck[len(b.preCheck)-1:])
		}
	}
	b.carried()
}

// placedServices gives the services that stand on a role, by name.
func (b *builder) placedServices() []int {
	var out []int
	for i, on := range b.standing {
		if len(on) > 0 {
			out = append(out, i)
		}
	}
	return out
}

// plan writes down what was decided.
func (b *builder) plan() *Plan {
	s := &b.Settings
	p := &Plan{
		Format: Format, Name: s.Name, Hop: b.Hop, Ordering: s.Ordering, Parallelism: s.Parallelism, Forks: s.Forks, Windows: s.Windows, Notify: s.Notify,
		AllowDowngrade: b.AllowDowngrade, HostsKnown: b.Inventory != nil, Vars: s.Vars.Text, Play: keywords(s.Play), Preflight: b.preCheck,
		Before: b.deployments(s.Before), After: b.deployments(s.After), Stages: b.planned, Rollback: b.undoing,
		Ignored: b.ignored, Notes: b.notes, Sources: slices.Clone(b.Sources),
	}
	slices.SortFunc(p.Sources, func(x, y Source) int { return compareText(x.File, y.File) })
	for _, list := range [][]Note{p.Ignored, p.Notes} {
		slices.SortStableFunc(list, func(x, y Note) int {
			return compareText(x.Subject+"\x00"+x.Text, y.Subject+"\x00"+y.Text)
		})
	}
	for _, in := range s.Inputs {
		p.Inputs = append(p.Inputs, Input{in.Name, in.Type, rawJSON(in.JSON)})
	}
	p.Steps = b.stepNames()
	for r := range b.Roles {
		p.Roles = append(p.Roles, b.role(r))
	}
	for _, i := range b.placedServices() {
		p.Services = append(p.Services, b.service(i))
	}
	return p
}

// stepNames gives the steps that units use, with their declared names.
func (b *builder) stepNames() []StepName {
	var used []int
	for _, st := range b.planned {
		st.Units(func(_ Wave, u Unit) {
			if u.Kind == KindStep {
				used = append(used, u.Step)
			}
		})
	}
	slices.Sort(used)
	var out []StepName
	for _, n := range slices.Compact(used) {
		out = append(out, StepName{n, b.stepName(n)})
	}
	return out
}

func batches(hosts []string, sizes []roles.Size) [][]string {
	if len(hosts) == 0 {
		return nil
	}
	return roles.Batches(hosts, sizes)
}

func keywords(list []tasks.Keyword) []Keyword {
	var out []Keyword
	for _, k := range list {
		out = append(out, Keyword{k.Name, k.Text})
	}
	return out
}

func (b *builder) deployments(list []settings.Deployment) []Deployment {
	var out []Deployment
	for i, d := range list {
		o := Deployment{Name: d.Name, Hosts: d.Hosts, Vars: d.Vars.Text, Play: keywords(d.Play), Place: placeOf(d.Pos)}
		if o.Name == "" {
			o.Name = "Deployment tasks " + itoa(i+1)
		}
		for j := range d.Tasks {
			o.Tasks = append(o.Tasks, b.taskOf("tasks", d.Tasks, j, d.Tasks[j].Text))
		}
		out = append(out, o)
	}
	return out
}

func (b *builder) taskOf(list tasks.ListName, ts []tasks.Task, j int, text string) Task {
	t := &ts[j]
	return Task{ID: b.taskID(list, ts, j), List: list, Name: t.Name, Line: t.Pos.Line, Once: t.Once, Migration: list == tasks.Upgrade && t.Migration, Text: text}
}

func (b *builder) role(r int) Role {
	role := &b.Roles[r]
	out := Role{
		Name: role.Name, Hosts: role.Hosts, Members: b.hosts[r], Optional: role.Optional, Services: []string{},
		Health: Health{role.Health.Tries, Duration(role.Health.Delay), role.Health.Consecutive},
		Play:   keywords(role.Play), Place: placeOf(role.Pos),
	}
	for _, s := range role.Services {
		out.Services = append(out.Services, s.Service)
	}
	if re := role.Replace; re != nil {
		out.Replace = &Replace{By: b.Roles[b.successor(r)].Name, Keep: Duration(re.Keep), UntilTold: re.Told}
	}
	if b.leader[r] != r {
		out.Replaces = b.Roles[b.leader[r]].Name
	}
	if ro := role.Rolling; ro != nil {
		out.Rolling = &Rolling{
			Percentage: ro.Percentage, Pause: Duration(ro.Pause), Drain: "batch", MaxFailures: ro.MaxFailures.String(),
			Tries: ro.Tries, RetryDelay: Duration(ro.RetryDelay), UnitTimeout: Duration(ro.UnitTimeout),
			Batches: batches(b.hosts[r], ro.Batch),
		}
		if ro.DrainRole {
			out.Rolling.Drain = "role"
		}
		for _, s := range ro.Batch {
			out.Rolling.Batch = append(out.Rolling.Batch, s.String())
		}
	}
	return out
}

func (b *builder) service(i int) Service {
	svc := &b.Services[i]
	out := Service{
		Name: svc.Name, Description: svc.Description, Target: svc.Version.Target, Probe: svc.Version.Probe, Behind: svc.Behind,
		Vars: svc.Vars.Text, Play: keywords(svc.Play), Place: placeOf(svc.Pos),
	}
	if svc.Pack != nil {
		out.PackVersion = svc.Pack.Version
	}
	for k := range svc.DependsOn {
		d := &svc.DependsOn[k]
		o := Dependency{Service: d.Service, Kind: "step", Place: placeOf(d.Pos)}
		switch why := &b.reasons[i][k]; {
		case why.ignored:
			o.Kind = "ignored"
		case !why.stepwise && !why.rolling:
			o.Kind = "stage"
		case d.Upgraded:
			o.Kind = "upgraded"
		case why.rolling:
			o.Kind = "rolling"
		}
		if d.HostOnly {
			o.Scope = "host"
		}
		out.DependsOn = append(out.DependsOn, o)
	}
	for _, p := range b.standing[i] {
		out.Placements = append(out.Placements, b.placed(p))
	}
	for _, list := range tasks.ListNames() {
		ts := svc.Lists[list]
		for j := range ts {
			out.Tasks = append(out.Tasks, b.taskOf(list, ts, j, b.qualify(svc.Name, ts[j].Text, ts[j].Notifies)))
		}
	}
	for _, n := range svc.Disk {
		out.Disk = append(out.Disk, Disk{n.Path, n.Size, n.Bytes})
	}
	out.Requires = b.required(svc)
	for _, a := range svc.Artefacts {
		out.Artefacts = append(out.Artefacts, Artefact{a.File, a.SHA256})
	}
	out.Delegates = b.delegates(svc)
	out.Bootstrap = mentions(svc, "upstep_bootstrap")
	for i, h := range svc.Handlers {
		out.Handlers = append(out.Handlers, Task{ID: "handlers." + itoa(i+1), Name: h.Name, Line: h.Pos.Line, Text: b.handlerText(svc, h)})
	}
	for _, a := range svc.Assets {
		sum := sha256.Sum256(a.Data)
		out.Assets = append(out.Assets, Asset{Path: a.Path, Executable: a.Mode&0o111 != 0, SHA256: hex.EncodeToString(sum[:]), Data: a.Data})
	}
	return out
}

// placed writes down where a service stands, and the line that gave it its stage.
func (b *builder) placed(p int) Placement {
	pl := &b.placements[p]
	role := &b.Roles[pl.role]
	out := Placement{Role: role.Name, Stage: b.stageNames[pl.stage], Wave: pl.wave[pl.stage], Place: placeOf(pl.pos)}
	switch {
	case pl.svc.Stage != "":
		out.StageFrom = placeOf(pl.svc.StagePos)
	case role.Stage != "":
		out.StageFrom = placeOf(role.StagePos)
	}
	if out.Wave > 1 {
		out.WaveAfter = b.waveAfter(p)
	}
	return out
}

// waveAfter gives the dependencies that bring a placement into its wave, on what is in
// the same wave or ends in one before it. Where it was brought there by its rolling
// role, they are those of the services that go with it.
func (b *builder) waveAfter(p int) []After {
	pl := &b.placements[p]
	ph := b.graphs[pl.stage]
	n := ph.at[p]
	if out := b.pushes(ph, n); len(out) > 0 {
		return out
	}
	var out []After
	for _, m := range ph.waves[ph.wave[n]-1] {
		if m != n && ph.active[m] && b.roleAt(ph, m) == pl.role {
			out = append(out, b.pushes(ph, m)...)
		}
	}
	return out
}

// pushes gives the dependencies that keep a node out of the wave before its own, over
// services without tasks too.
func (b *builder) pushes(ph *phase, n int) []After {
	var out []After
	wave := ph.wave[n]
	type state struct {
		node int
		hard bool
		why  *reason
	}
	seen := map[state]bool{}
	for todo := []state{{n, false, nil}}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		for _, e := range ph.graph.in[at.node] {
			next := state{e.node, at.hard || e.hard, at.why}
			if next.why == nil {
				next.why = e.why
			}
			before := ph.wave[e.node]
			switch {
			case !ph.active[e.node] && before >= wave-1:
				if !seen[next] {
					seen[next] = true
					todo = append(todo, next)
				}
			case !ph.active[e.node] || next.hard && before != wave-1 || !next.hard && before != wave:
			default:
				a := After{Unit: b.stageNames[ph.stage] + "/" + itoa(before), Reason: next.why.over(b.serviceOf(ph, e.node).Name, false), Place: placeOf(next.why.dep.Pos)}
				if !slices.Contains(out, a) {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// mentions tells whether a name stands anywhere in what a service brings: tasks,
// handlers, variables, files that its tasks take in.
func mentions(svc *services.Service, name string) bool {
	for _, list := range tasks.ListNames() {
		for i := range svc.Lists[list] {
			if strings.Contains(svc.Lists[list][i].Text, name) {
				return true
			}
		}
	}
	for _, h := range svc.Handlers {
		if strings.Contains(h.Text, name) {
			return true
		}
	}
	return strings.Contains(svc.Vars.Text, name) || slices.ContainsFunc(svc.Assets, func(a services.Asset) bool {
		return bytes.Contains(a.Data, []byte(name))
	})
}

// carried notes what stands in the plan for a run by upstep and has no effect on the
// playbooks themselves.
func (b *builder) carried() {
	s := &b.Settings
	say := func(subject, text string) {
		b.say(subject, text+": it stands in the plan, the playbooks do not act on it", source.Pos{File: "upgrade.yaml"})
	}
	if s.Ordering == settings.Dependencies {
		say("ordering", "dependencies")
	}
	if s.Parallelism > 0 {
		say("parallelism", itoa(s.Parallelism))
	}
	if s.Forks > 0 {
		say("forks", itoa(s.Forks))
	}
	for _, w := range s.Windows {
		say("window", w.String())
	}
	for _, n := range s.Notify {
		say("notify", n.Name+" on "+strings.Join(n.On, ", "))
	}
	for _, st := range s.Stages {
		if st.Approve {
			say(st.Name, "approve")
		}
	}
	for _, i := range b.placedServices() {
		if v := b.Services[i].Version; v.Target != "" {
			if says := b.boundBy(v); says != "" {
				b.say(b.Services[i].Name, "version "+v.Target+": "+says, b.Services[i].Pos)
			}
		}
	}
}

// boundBy says what a version does not do; "" where it does everything.
func (b *builder) boundBy(v services.Version) string {
	_, isVersion := ParseVersion(v.Target)
	switch {
	case v.Probe == "":
		return "without a probe it stands in the plan, and no host is skipped by it"
	case !isVersion:
		return "it is no version to compare with: preflight shows what is installed, and no host is skipped by it"
	}
	return ""
}
