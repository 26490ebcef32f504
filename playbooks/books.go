package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// Preflight is the stage in which everything is looked at before anything changes, and
// PreflightBook its playbook.
const (
	Preflight     = "preflight"
	PreflightBook = Preflight + ".yml"
)

// playbooks writes every playbook of the tree.
func (r *renderer) playbooks() {
	r.vars()
	r.preflight()
	r.deployment(Before, "Before the upgrade", r.plan.Before)
	var stages []string
	for _, s := range r.plan.Stages {
		if len(s.Waves) == 0 {
			continue
		}
		r.stageBook(s.Name+".yml", s.Name, "Stage "+s.Name+": all its roles", []planner.Stage{s})
		if s.Name != planner.Retire {
			stages = append(stages, s.Name+".yml")
		}
	}
	r.deployment(After, "After the upgrade", r.plan.After)
	for i := range r.plan.Roles {
		r.roleBook(&r.plan.Roles[i])
	}
	if len(r.plan.Rollback) > 0 {
		r.stageBook("rollback.yml", "", "Rollback of everything, backwards", r.plan.Rollback)
	}
	r.upgrade(stages)
}

// vars writes the values of the inputs and the deployment's variables.
func (r *renderer) vars() {
	if !r.hasVars() {
		return
	}
	w := &writer{}
	w.madeFor(planner.Place{File: settingsFile})
	w.linef("---")
	w.comment("Inputs and variables of the upgrade, for every play.")
	if h := r.plan.Hop; h != nil {
		w.linef("upstep_from: %s", source.Quote(h.From))
		w.linef("upstep_to: %s", source.Quote(h.To))
	}
	if r.project {
		w.linef("upstep_project: %s", projectFolder(r.plan))
	}
	for _, in := range r.plan.Inputs {
		if in.Value != "" {
			w.linef("%s: %s", in.Name, in.Value)
		}
	}
	w.text(r.plan.Vars, 0)
	r.write(varsFile, w)
}

// hopOf names the hop of a plan that is one.
func hopOf(p *planner.Plan) string {
	if p.Hop == nil {
		return ""
	}
	return " from " + visible(p.Hop.From) + " to " + visible(p.Hop.To)
}

// upgrade writes the playbook of everything, in order.
func (r *renderer) upgrade(stages []string) {
	w := &writer{}
	w.linef("---")
	if r.plan.Undo == "" {
		w.comment("The whole upgrade" + named(r.plan.Name) + hopOf(r.plan) + ", in order.")
	} else {
		w.comment("What run " + r.plan.Undo + named(r.plan.Name) + " did, taken back.")
	}
	w.linef("")
	books := []string{PreflightBook}
	if len(r.plan.Before) > 0 {
		books = append(books, Before+".yml")
	}
	books = append(books, stages...)
	if len(r.plan.After) > 0 {
		books = append(books, After+".yml")
	}
	if r.retiresAtOnce() {
		books = append(books, planner.Retire+".yml")
	}
	for i, b := range books {
		if i > 0 {
			w.linef("")
		}
		name := strings.TrimSuffix(b, ".yml")
		w.linef("- name: %s", capital(name))
		w.linef("  ansible.builtin.import_playbook: %s", b)
	}
	r.write("upgrade.yml", w)
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return " of " + name
}

// deployment writes plays that belong to no service.
func (r *renderer) deployment(stage, title string, list []planner.Deployment) {
	if len(list) == 0 {
		return
	}
	w := &writer{}
	w.linef("---")
	w.comment(title + ".")
	for i, d := range list {
		id := deploymentID(stage, i)
		file := id + ".yml"
		t := &writer{}
		t.madeFor(d.Place)
		t.linef("---")
		t.comment(d.Name + " (" + d.File + ")")
		for j, task := range d.Tasks {
			if j > 0 {
				t.linef("")
			}
			t.traced(task.Text, 0, d.File, task.Line)
		}
		r.write(file, t)
		r.emit(w, play{
			id:   id,
			name: capital(d.Name), hosts: d.Hosts, at: d.Place, own: d.Play, tags: []string{"upstep_" + stage}, failure: allFail(),
			vars: append([]string{"step: 0", "upstep_stage: " + stage, "upstep_role: ''"}, lines(d.Vars)...),
			body: func(w *writer) {
				w.linef("    - name: %s", source.Quote(capital(d.Name)))
				w.linef("      ansible.builtin.import_tasks: %s", file)
			},
		})
	}
	r.write(stage+".yml", w)
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// roleBook writes a role's playbook: all its units over all stages, for operators who
// drive roles by hand, and for upstep itself.
func (r *renderer) roleBook(role *planner.Role) {
	if r.idle(role.Name) {
		return
	}
	w := &writer{}
	w.madeFor(role.Place)
	w.linef("---")
	w.comment("Role " + role.Name + ": " + strings.Join(role.Services, ", ") + ".")
	r.waits(w, role)
	r.emit(w, r.hostsPlay(role.Name))
	for _, s := range r.plan.Stages {
		for _, wave := range s.Waves {
			for _, st := range wave.Steps {
				for _, u := range st.Units {
					if u.Role == role.Name {
						r.emit(w, r.unitPlay(r.stageName(s), wave.Number, u))
					}
				}
			}
			for _, u := range wave.Health {
				if u.Role == role.Name {
					r.emit(w, r.unitPlay(r.stageName(s), wave.Number, u))
				}
			}
			for _, t := range wave.Tracks {
				switch {
				case r.plan.Replaced(t):
					for _, u := range t.Parts {
						if u.Role == role.Name {
							r.emit(w, r.instancePlay(r.stageName(s), wave.Number, u))
						}
					}
				case t.Role == role.Name:
					r.track(w, r.stageName(s), wave, t)
				}
			}
		}
	}
	r.write(role.Name+".yml", w)
}

// waits lists what other roles must have ended before this role's plays go on.
func (r *renderer) waits(w *writer, role *planner.Role) {
	var out []string
	for i, s := range r.plan.Stages {
		in := false
		for _, wave := range s.Waves {
			mine := false
			see := func(u planner.Unit, after []planner.After) {
				if u.Role != role.Name {
					return
				}
				if !in && i > 0 {
					out = append(out, "stage "+s.Name+": every role has ended stage "+r.plan.Stages[i-1].Name)
				}
				if !mine && wave.Number > 1 {
					out = append(out, fmt.Sprintf("stage %s, wave %d: every role has ended wave %d", s.Name, wave.Number, wave.Number-1))
				}
				in, mine = true, true
				for _, a := range after {
					if a.Reason != "the same role" && !r.ofRole(a.Unit, role.Name) {
						line := u.ID + ": " + a.Unit + " has ended (" + a.Reason + ")"
						if !slices.Contains(out, line) {
							out = append(out, line)
						}
					}
				}
			}
			for _, st := range wave.Steps {
				for _, u := range st.Units {
					see(u, u.After)
				}
			}
			for _, u := range wave.Health {
				see(u, nil)
			}
			for _, t := range wave.Tracks {
				for j, u := range t.Parts {
					switch {
					case j == 0:
						see(u, t.After)
					case t.Parts[j-1].Role != u.Role: // of the other instance
						see(u, []planner.After{{Unit: t.Parts[j-1].ID, Reason: "the replacement of " + t.Role}})
					}
					see(u, nil)
				}
			}
		}
	}
	if len(out) == 0 {
		return
	}
	w.comment("")
	w.comment("Driven by hand, a play begins when, beside every other role's step before it:")
	for _, line := range out {
		w.comment("- " + line)
	}
}
