package planner

import (
	"slices"

	"github.com/upstep/upstep/tasks"
)

// cutBack keeps of a way back to the old hosts what there is to take back: as much as
// began of the cut over. The hosts that took over stay as they are, out of traffic.
func (u *undoing) cutBack(stage string, wave int, t Track) Track {
	out := Track{Role: t.Role, After: u.after(t.After)}
	for _, part := range t.Parts {
		u.last[part.ID] = ""
	}
	role := u.plan.RoleByName(t.Role)
	by := role.Replace.By
	began := func(kind Kind, role string) []string {
		return u.hosts(stage, wave, role, func(o Unit) bool { return o.Kind == kind })
	}
	in, over, left := began(KindRestore, by), began(KindCutOver, by), began(KindDrain, t.Role)
	if len(in)+len(over)+len(left) == 0 || len(u.retired(t.Role)) > 0 {
		return out
	}
	// What takes back a cut over by tasks of its own runs where that began, and where the
	// new hosts took over without any.
	turn := len(over) > 0 || !u.has(stage, wave, KindCutOver, by)
	entered := u.inOrder(by, slices.Concat(in, over))
	if len(entered) == 0 { // they serve by nothing of their own
		entered = u.plan.RoleByName(by).Members
	}
	turned := false // something was done for the old hosts
	for _, part := range t.Parts {
		switch {
		case part.Kind == KindRestore && len(left) > 0:
			part.Hosts, turned = left, true
		case part.Kind == KindCutBack && turn:
			part.Hosts, turned = role.Members, true
		case part.Kind == KindHealth && (len(out.Parts) == 0 || turned):
			part.Hosts = role.Members
		case part.Kind == KindDrain:
			part.Hosts = entered
		default:
			continue
		}
		out.Parts = append(out.Parts, part)
		u.last[part.ID] = part.ID
	}
	if n := len(out.Parts); n > 0 { // what waits for the way back waits for its end
		for _, part := range t.Parts {
			u.last[part.ID] = out.Parts[n-1].ID
		}
	}
	return out
}

// has tells whether a role has units of a kind in a wave.
func (u *undoing) has(stage string, wave int, kind Kind, role string) bool {
	found := false
	for _, s := range u.plan.Stages {
		s.Units(func(w Wave, o Unit) {
			found = found || s.Name == stage && w.Number == wave && o.Kind == kind && o.Role == role
		})
	}
	return found
}

// retired gives the hosts of a role on which what takes them away began.
func (u *undoing) retired(role string) []string {
	return u.hosts(Retire, 1, role, func(o Unit) bool { return o.Kind == KindRetire })
}

// gone gives what of replaced roles nothing takes back: there is nothing to cut back to, or
// nothing that does it.
func (u *undoing) gone() []Irreversible {
	var out []Irreversible
	seen := map[[2]string]bool{}
	add := func(o Unit, hosts []string, why string, of func(*Service) bool) {
		for _, name := range o.services() {
			svc := u.plan.ServiceByName(name)
			if key := [2]string{name, o.Role}; !seen[key] && of(svc) {
				seen[key] = true
				out = append(out, Irreversible{Service: name, Role: o.Role, Hosts: hosts, Why: why, Place: svc.Place})
			}
		}
	}
	for _, s := range u.plan.Stages {
		s.Units(func(w Wave, o Unit) {
			switch o.Kind { //nolint:exhaustive // the others are taken back, or have no part in it
			case KindRetire:
				if hosts := u.retired(o.Role); len(hosts) > 0 {
					add(o, hosts, "the old hosts are being retired, or are: there is nothing to cut back to", func(*Service) bool { return true })
				}
			case KindCutOver:
				if hosts := u.hosts(s.Name, w.Number, o.Role, func(q Unit) bool { return q.ID == o.ID }); len(hosts) > 0 {
					add(o, hosts, "it has cut_over_tasks and no cut_back_tasks", func(svc *Service) bool {
						return !slices.ContainsFunc(svc.Tasks, func(t Task) bool { return t.List == tasks.CutBack })
					})
				}
			}
		})
	}
	return out
}
