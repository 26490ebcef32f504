package playbooks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// The variables by which plays are told what no playbook of a role alone can know: that
// old hosts may be retired, and that the others have taken over.
const (
	retireFact    = "upstep_retire"
	takenOverFact = "upstep_taken_over"
)

// LeaveFact gives the variable by which a play of a role's playbook is told that it may
// begin; "" where it asks for none.
func LeaveFact(p *planner.Plan, pl Play) string {
	_, _, instance := p.Instances(pl.Role)
	switch {
	case !instance:
	case pl.Units[0].Kind == planner.KindRetire:
		return retireFact
	case pl.Units[0].Kind == planner.KindDrain:
		return takenOverFact
	}
	return ""
}

// isPhase tells whether a kind of unit has its tasks from one of the lists of a replacement.
func isPhase(k planner.Kind) bool {
	return slices.Contains([]planner.Kind{planner.KindDeploy, planner.KindCarry, planner.KindVerify, planner.KindCutOver, planner.KindCutBack, planner.KindRetire}, k)
}

// instanceVars gives the variables by which tasks of a replaced role, or of the one that
// takes over from it, find the hosts of both.
func (r *renderer) instanceVars(role string) []string {
	old, taking, ok := r.plan.Instances(role)
	if !ok {
		return nil
	}
	return []string{
		"upstep_old_hosts: " + source.Quote("{{ "+hostsOf(old.Hosts)+" }}"),
		"upstep_new_hosts: " + source.Quote("{{ "+hostsOf(taking.Hosts)+" }}"),
	}
}

// bootstraps is the Jinja expression of the hosts whose first does once what a service
// needs: those that carry it, but for hosts that are replaced. On these it is the first of
// their own.
func (r *renderer) bootstraps(svc *planner.Service) string {
	var parts, replaced []string
	for _, p := range svc.Placements {
		if r.role[p.Role].Replace == nil {
			parts = append(parts, hostsOf(r.role[p.Role].Hosts))
		} else {
			replaced = append(replaced, p.Role)
		}
	}
	out := strings.Join(parts, " + ")
	for _, name := range replaced {
		out = hostsOf(r.role[name].Hosts) + " if upstep_role | default('') == " + jinja(name) + " else " + out
	}
	if len(replaced) > 0 {
		out = "(" + out + ")"
	}
	return out
}

// ofRole tells whether a unit is a role's.
func (r *renderer) ofRole(unit, role string) bool {
	base := unit[strings.LastIndexByte(unit, '/')+1:]
	name, _, _ := strings.Cut(base, ".") // no role has a point in its name
	return name == role
}

// keeps says for how long the hosts of a replaced role stay; "" where they do not.
func keeps(re *planner.Replace) string {
	switch {
	case re.UntilTold:
		return "until you let them go"
	case re.Keep > 0:
		return "for " + SpanText(time.Duration(re.Keep)) + " after the cut over"
	}
	return ""
}

// SpanText writes a span of time without the zeros at its end: 24h, 1h30m.
func SpanText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// mayRetire stops a play that takes old hosts away where nobody said that they may go: a
// playbook cannot know how long they have been kept.
func (r *renderer) mayRetire(w *writer, u planner.Unit) {
	if u.Kind != planner.KindRetire {
		return
	}
	if kept := keeps(r.role[u.Role].Replace); kept != "" {
		leave(w, "The old hosts of "+u.Role+" may go", retireFact, "the old hosts of "+u.Role+" are kept "+kept+", ready to be cut back to; then go on")
	}
}

// leave writes the question whether a play may begin.
func leave(w *writer, name, fact, msg string) {
	w.own(4, name)
	w.linef("      ansible.builtin.assert:")
	w.linef("        that: %s | default(false) | bool", fact)
	w.linef("        fail_msg: %s", source.Quote(msg+" by -e "+fact+"=true"))
	w.linef("        quiet: true")
	w.linef("")
}

// instancePlay is the play of a part of a replacement in the playbook of its own role:
// nobody leaves traffic by it before the others have taken over, which another playbook does.
func (r *renderer) instancePlay(stage string, wave int, u planner.Unit) play {
	p := r.unitPlay(stage, wave, u)
	if u.Kind != planner.KindDrain {
		return p
	}
	old, taking, _ := r.plan.Instances(u.Role)
	other := taking.Name
	if u.Role == other {
		other = old.Name
	}
	body := p.body
	p.body = func(w *writer) {
		leave(w, "The hosts of "+other+" have taken over", takenOverFact, RoleBook(other)+" comes first; when its hosts have taken over, go on")
		body(w)
	}
	return p
}

// retiresAtOnce tells whether the plan takes away what it replaces, and keeps none of it.
func (r *renderer) retiresAtOnce() bool {
	some := false
	for _, s := range r.plan.Stages {
		if s.Name != planner.Retire {
			continue
		}
		for _, w := range s.Waves {
			for _, t := range w.Tracks {
				if keeps(r.role[t.Role].Replace) != "" {
					return false
				}
				some = true
			}
		}
	}
	return some
}

// phases says what a track of a replaced role does.
func (r *renderer) phases(t planner.Track) string {
	if t.Parts[0].Kind == planner.KindRetire {
		return t.Role + " is retired"
	}
	var out []string
	for _, u := range t.Parts {
		if name := partName(u) + " " + u.Role; len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	return t.Role + " is replaced: " + strings.Join(out, ", ")
}

// retiring says in the tree's README when what was replaced may go.
func (r *renderer) retiring(b *strings.Builder) {
	begun := false
	for _, s := range r.plan.Stages {
		if s.Name != planner.Retire {
			continue
		}
		for _, w := range s.Waves {
			for _, t := range w.Tracks {
				kept := keeps(r.role[t.Role].Replace)
				if kept == "" {
					continue
				}
				if !begun {
					begun = true
					b.WriteString("## What was replaced\n\n`upgrade.yml` leaves it standing, out of traffic: `rollback.yml` cuts back to it. `retire.yml` takes it away for good, and only when it\nis told that it may: `-e " + retireFact + "=true`. No playbook knows when the cut over was.\n\n")
				}
				fmt.Fprintf(b, "- the old hosts of %s are kept %s\n", t.Role, kept)
			}
		}
	}
	if begun {
		b.WriteString("\n")
	}
}
