package planner

import (
	"slices"

	"github.com/upstep/upstep/settings"
)

// Done is what a run did, as far as undoing it asks.
type Done struct {
	Started     func(unit, host string) bool    // a unit began on a host, however it ended
	Skipped     func(service, host string) bool // its version was there already, and nothing was done; nil: on none
	PostUpgrade bool                            // the last stage began
}

// Irreversible is a service that was upgraded and cannot be rolled back.
type Irreversible struct {
	Service string   `json:"service"`
	Role    string   `json:"role"`
	Hosts   []string `json:"hosts"`
	Why     string   `json:"why"`
	Place
}

// Reverse gives the plan that takes back what a run of this plan did, and what of it
// nothing takes back. Stages, waves, steps and services go backwards; each unit has only
// the hosts on which what it undoes began. Rolling roles go through all of those hosts,
// whatever percentage the run took. of names the run.
func (p *Plan) Reverse(of string, done Done) (*Plan, []Irreversible) {
	u := &undoing{plan: p, done: done, last: map[string]string{}}
	out := *p
	out.graph, out.lookup = nil, nil
	out.Undo, out.Stages, out.Rollback = of, []Stage{}, nil
	out.Preflight, out.Before, out.After, out.Ignored, out.Notes = nil, nil, nil, nil, nil
	// Rolled back with the barriers of steps and waves, whatever the ordering.
	out.Ordering = settings.Barrier
	// Going back does not wait for a window, needs no room for what is new, and leads to an
	// earlier version.
	out.AllowDowngrade, out.Windows = true, nil
	out.Services = slices.Clone(p.Services)
	for i := range out.Services {
		out.Services[i].Disk, out.Services[i].Requires = nil, nil
	}
	out.Roles = slices.Clone(p.Roles)
	for i := range out.Roles {
		if ro := out.Roles[i].Rolling; ro != nil {
			all := *ro
			all.Percentage = 100
			out.Roles[i].Rolling = &all
		}
	}
	for _, s := range p.Rollback {
		if s = u.stage(s); len(s.Waves) > 0 {
			out.Stages = append(out.Stages, s)
		}
	}
	return &out, u.irreversible()
}

type undoing struct {
	plan *Plan
	done Done
	last map[string]string // what a unit's dependents wait for now; "" for nothing
}

// stage keeps what there is to undo of a stage.
func (u *undoing) stage(s Stage) Stage {
	out := Stage{Name: s.Name, Waves: []Wave{}}
	for _, w := range s.Waves {
		kept := Wave{Number: w.Number}
		for _, st := range w.Steps {
			step := Step{Number: st.Number, Name: st.Name}
			for _, unit := range st.Units {
				step.Units = append(step.Units, u.unit(s.Name, w.Number, unit)...)
			}
			if len(step.Units) > 0 {
				kept.Steps = append(kept.Steps, step)
			}
		}
		for _, t := range w.Tracks {
			if u.plan.RoleByName(t.Role).Replace != nil {
				t = u.cutBack(s.Name, w.Number, t)
			} else {
				t = u.track(s.Name, w.Number, t)
			}
			if len(t.Parts) > 0 {
				kept.Tracks = append(kept.Tracks, t)
			}
		}
		if len(kept.Steps)+len(kept.Tracks) > 0 {
			out.Waves = append(out.Waves, kept)
		}
	}
	return out
}

// unit keeps of a unit the services that began on some host, cut where they did not
// begin on the same hosts.
func (u *undoing) unit(stage string, wave int, unit Unit) []Unit {
	var out []Unit
	for _, seg := range u.pieces(stage, wave, unit) {
		hosts := seg.hosts
		if len(hosts) == 0 {
			continue
		}
		if n := len(out); n > 0 && slices.Equal(out[n-1].Hosts, hosts) {
			out[n-1].Segments = append(out[n-1].Segments, seg.Segment)
			out[n-1].LeftOut = append(out[n-1].LeftOut, seg.left...)
			continue
		}
		part := unit
		part.Hosts, part.Segments, part.LeftOut = hosts, []Segment{seg.Segment}, seg.left
		if len(out) == 0 {
			part.After = u.after(unit.After)
		} else {
			part.ID = unit.ID + "-" + itoa(len(out)+1)
			part.After = []After{{Unit: out[len(out)-1].ID, Reason: sameRole}}
		}
		out = append(out, part)
	}
	u.last[unit.ID] = ""
	if len(out) > 0 {
		u.last[unit.ID] = out[len(out)-1].ID
	}
	return out
}

// piece is tasks of a service that are done on the same hosts.
type piece struct {
	Segment
	hosts []string
	left  []LeftOut // what they stand for there
}

// pieces cuts the segments of a unit where a task stands for those of other services: it
// is done where any of them began.
func (u *undoing) pieces(stage string, wave int, unit Unit) []piece {
	var out []piece
	stoodFor := map[[2]string][]LeftOut{} // by service and task
	for _, l := range unit.LeftOut {
		by := [2]string{l.SameAs, l.SameTask}
		stoodFor[by] = append(stoodFor[by], l)
	}
	for _, seg := range unit.Segments {
		own := u.began(stage, wave, unit.Role, unit.Step, seg.Service)
		begin := len(out)
		for k, id := range seg.Tasks {
			hosts := own
			var left []LeftOut
			for _, l := range stoodFor[[2]string{seg.Service, id}] {
				if more := u.began(stage, wave, unit.Role, unit.Step, l.Service); len(more) > 0 {
					left = append(left, l)
					hosts = u.inOrder(unit.Role, append(slices.Clone(hosts), more...))
				}
			}
			if n := len(out); n > begin && slices.Equal(out[n-1].hosts, hosts) {
				out[n-1].Tasks = seg.Tasks[k-len(out[n-1].Tasks) : k+1]
				out[n-1].left = append(out[n-1].left, left...)
				continue
			}
			part := seg
			part.Tasks = seg.Tasks[k : k+1]
			out = append(out, piece{part, hosts, left})
		}
	}
	return out
}

// inOrder gives hosts of a role in its order, each once.
func (u *undoing) inOrder(role string, hosts []string) []string {
	members := u.plan.RoleByName(role).Members
	slices.SortFunc(hosts, func(a, b string) int { return slices.Index(members, a) - slices.Index(members, b) })
	return slices.Compact(hosts)
}

// track keeps a track for the hosts on which any part of it began: a host that was only
// taken out of traffic comes back through it too.
func (u *undoing) track(stage string, wave int, t Track) Track {
	hosts := u.entered(stage, wave, t.Role)
	out := Track{Role: t.Role, After: u.after(t.After)}
	if len(hosts) == 0 {
		for _, part := range t.Parts {
			u.last[part.ID] = ""
		}
		return out
	}
	for _, part := range t.Parts {
		if part.Kind != KindStep {
			part.Hosts = hosts
			out.Parts = append(out.Parts, part)
			continue
		}
		out.Parts = append(out.Parts, u.unit(stage, wave, part)...)
	}
	return out
}

// after gives what of a list of units is left.
func (u *undoing) after(list []After) []After {
	var out []After
	for _, a := range list {
		id, known := u.last[a.Unit]
		switch {
		case !known:
			out = append(out, a)
		case id != "":
			a.Unit = id
			out = append(out, a)
		}
	}
	return out
}

// began gives the hosts on which a service's tasks of a step began.
func (u *undoing) began(stage string, wave int, role string, step int, service string) []string {
	return slices.DeleteFunc(u.hosts(stage, wave, role, func(o Unit) bool {
		return o.Kind == KindStep && !o.Backup && (stage == PostUpgrade || o.Step == step) && o.Holds(service)
	}), func(h string) bool { return stage != PostUpgrade && u.skipped(service, h) })
}

func (u *undoing) skipped(service, host string) bool {
	return u.done.Skipped != nil && u.done.Skipped(service, host)
}

// entered gives the hosts on which anything of a role's wave began that changes them.
func (u *undoing) entered(stage string, wave int, role string) []string {
	services := map[string]bool{}
	hosts := u.hosts(stage, wave, role, func(o Unit) bool {
		if o.Kind == KindStep {
			for _, s := range o.services() {
				services[s] = true
			}
		}
		return true
	})
	if stage == PostUpgrade || len(services) == 0 { // nothing of it hangs on a version
		return hosts
	}
	return slices.DeleteFunc(hosts, func(h string) bool {
		for s := range services {
			if !u.skipped(s, h) {
				return false
			}
		}
		return true
	})
}

// hosts gives the hosts of a role, in its order, on which one of some units began.
func (u *undoing) hosts(stage string, wave int, role string, of func(Unit) bool) []string {
	r := u.plan.RoleByName(role)
	var out []string
	for _, s := range u.plan.Stages {
		if s.Name != stage {
			continue
		}
		s.Units(func(w Wave, o Unit) {
			if o.Role != role || w.Number != wave || !of(o) {
				return
			}
			for _, h := range r.Members {
				if !slices.Contains(out, h) && u.done.Started(o.ID, h) {
					out = append(out, h)
				}
			}
		})
	}
	slices.SortFunc(out, func(a, b string) int { return slices.Index(r.Members, a) - slices.Index(r.Members, b) })
	return out
}

// irreversible gives what began and has no tasks that undo it.
func (u *undoing) irreversible() []Irreversible {
	back := map[[2]string]bool{}     // service and role with rollback tasks in a stage before the last
	backPost := map[[2]string]bool{} // and in the last
	for _, s := range u.plan.Rollback {
		s.Units(func(_ Wave, o Unit) {
			for _, service := range o.services() {
				if o.Kind != KindStep {
					continue
				}
				key := [2]string{service, o.Role}
				back[key] = back[key] || s.Name != PostUpgrade
				backPost[key] = backPost[key] || s.Name == PostUpgrade
			}
		})
	}
	var out []Irreversible
	seen := map[[2]string]bool{}
	for _, s := range u.plan.Stages {
		post := s.Name == PostUpgrade
		s.Units(func(w Wave, o Unit) {
			// Hosts that took over stay as they are when others serve again.
			if o.Kind != KindStep || o.Backup || post && (!u.done.PostUpgrade || u.plan.RoleByName(o.Role).Replaces != "") {
				return
			}
			for _, service := range o.services() {
				key := [2]string{service, o.Role}
				if seen[key] || !post && back[key] || post && backPost[key] {
					continue
				}
				var hosts []string
				for _, n := range u.plan.ServiceByName(service).steps(s) {
					for _, h := range u.began(s.Name, w.Number, o.Role, n, service) {
						if !slices.Contains(hosts, h) {
							hosts = append(hosts, h)
						}
					}
				}
				if len(hosts) == 0 {
					continue
				}
				seen[key] = true
				why := "it has no rollback_tasks"
				if post {
					why = "its post_upgrade_tasks ran, and no rollback task is tagged post_upgrade"
				}
				out = append(out, Irreversible{Service: service, Role: o.Role, Hosts: hosts, Why: why, Place: u.plan.ServiceByName(service).Place})
			}
		})
	}
	return append(out, u.gone()...)
}

// steps gives the steps in which a service has tasks in a stage.
func (s *Service) steps(stage Stage) []int {
	var out []int
	stage.Units(func(_ Wave, o Unit) {
		if o.Kind == KindStep && !slices.Contains(out, o.Step) && o.Holds(s.Name) {
			out = append(out, o.Step)
		}
	})
	return out
}
