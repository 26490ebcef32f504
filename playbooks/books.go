package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// playbooks writes every playbook of the tree.
func (r *renderer) playbooks() {
	r.vars()
	r.preflight()
	r.deployment("before.yml", "Before the upgrade", r.plan.Before)
	var stages []string
	for _, s := range r.plan.Stages {
		if len(s.Waves) == 0 {
			continue
		}
		r.stageBook(s.Name+".yml", s.Name, "Stage "+s.Name+": all its roles", []planner.Stage{s})
		stages = append(stages, s.Name+".yml")
	}
	r.deployment("after.yml", "After the upgrade", r.plan.After)
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
	for _, in := range r.plan.Inputs {
		if in.Value != "" {
			w.linef("%s: %s", in.Name, in.Value)
		}
	}
	w.text(r.plan.Vars, 0)
	r.write(varsFile, w)
}

// upgrade writes the playbook of everything, in order.
func (r *renderer) upgrade(stages []string) {
	w := &writer{}
	w.linef("---")
	w.comment("The whole upgrade" + named(r.plan.Name) + ", in order.")
	w.linef("")
	books := []string{"preflight.yml"}
	if len(r.plan.Before) > 0 {
		books = append(books, "before.yml")
	}
	books = append(books, stages...)
	if len(r.plan.After) > 0 {
		books = append(books, "after.yml")
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

// preflight writes the checks before anything changes: every host answers, every
// service's checks run whatever the others say, and only then does a failure stop.
func (r *renderer) preflight() {
	w := &writer{}
	w.linef("---")
	w.comment("Before anything changes: every host answers and is ready. All checks run; the last play stops where one failed.")
	units := map[string]planner.Unit{}
	for _, u := range r.plan.Preflight {
		units[u.Role] = u
	}
	for i := range r.plan.Roles {
		role := &r.plan.Roles[i]
		u, has := units[role.Name]
		r.emit(w, play{
			name: "Preflight: " + role.Name, hosts: role.Hosts, at: role.Place, own: role.Play, tags: []string{"upstep_preflight"},
			id:   "preflight/" + role.Name,
			vars: []string{"step: 0", "upstep_stage: preflight", "upstep_role: " + role.Name}, services: servicesOf(u),
			body: func(w *writer) { r.preflightTasks(w, role.Name, u, has) },
		})
	}
	// Before the question: Ansible takes hosts out as they answer.
	r.emit(w, play{
		name: "Hosts that were lost on the way", hosts: groupName("*"), tags: []string{"upstep_preflight"},
		body: func(w *writer) {
			w.own(4, "Note them")
			w.linef("      ansible.builtin.set_fact:")
			w.linef("        upstep_lost: \"{{ %s }}\"", lostOf("ansible_play_hosts_all"))
		},
	})
	// One play for all, so that nothing of what is wrong stays unsaid.
	r.emit(w, play{
		name: "Ready", hosts: groupName("*"), tags: []string{"upstep_preflight"}, failure: allStop(),
		body: func(w *writer) {
			w.own(4, "Every host is ready")
			w.linef("      ansible.builtin.assert:")
			w.linef("        that:")
			w.linef("          - upstep_answer.ping is defined")
			w.linef("          - upstep_preflight is not defined")
			w.linef("          - upstep_lost | length == 0")
			w.linef("        fail_msg: >-")
			w.linef("          {{ (['no answer: ' ~ upstep_answer.msg | default('')] if upstep_answer.ping is not defined")
			w.linef("          else upstep_preflight | default(['no answer from ' ~ upstep_lost | join(', ')]))")
			w.linef("          | join('; ') }}")
			w.linef("        quiet: true")
		},
	})
	r.write("preflight.yml", w)
}

// preflightTasks asks whether the hosts answer, and runs the checks of those that do. A
// host that does not stays in the play: else Ansible ends the playbook when none of a
// role's answers, and the other roles' checks are never seen.
func (r *renderer) preflightTasks(w *writer, role string, u planner.Unit, has bool) {
	tagGuard(w)
	nameHosts(w, role)
	w.linef("    - name: The host answers")
	w.linef("      ansible.builtin.ping:")
	w.linef("      register: upstep_answer")
	w.linef("      failed_when: false")
	w.linef("      ignore_unreachable: true")
	w.linef("")
	w.firm(4, "Look at the hosts of "+role)
	w.linef("      when: upstep_answer.ping is defined")
	w.linef("      block:")
	gatherFacts(w, 8)
	if has {
		w.linef("")
		w.linef("        - name: %s", source.Quote("Checks of "+role))
		w.linef("          ansible.builtin.import_tasks: %s.yml", u.ID)
	}
	w.linef("      rescue:")
	w.linef("        - name: Note that the host is not ready")
	w.linef("          ansible.builtin.set_fact:")
	w.linef("            upstep_preflight: >-")
	w.linef("              {{ upstep_preflight | default([]) + [ansible_failed_task.name ~ ': '")
	w.linef("              ~ %s] }}", failedWith)
}

// failedWith is the Jinja expression of why the task failed that led to a rescue. Ansible
// gives it there even where no_log hides it.
const failedWith = "('hidden by no_log' if ansible_failed_task.no_log | default(false) else ansible_failed_result.msg | default('failed'))"

// deployment writes plays that belong to no service.
func (r *renderer) deployment(path, title string, list []planner.Deployment) {
	if len(list) == 0 {
		return
	}
	folder := strings.TrimSuffix(path, ".yml")
	w := &writer{}
	w.linef("---")
	w.comment(title + ".")
	for i, d := range list {
		file := fmt.Sprintf("%s/%d.yml", folder, i+1)
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
			id:   strings.TrimSuffix(file, ".yml"),
			name: capital(d.Name), hosts: d.Hosts, at: d.Place, own: d.Play, tags: []string{"upstep_" + folder}, failure: allFail(),
			vars: append([]string{"step: 0", "upstep_stage: " + folder, "upstep_role: ''"}, lines(d.Vars)...),
			body: func(w *writer) {
				w.linef("    - name: %s", source.Quote(capital(d.Name)))
				w.linef("      ansible.builtin.import_tasks: %s", file)
			},
		})
	}
	r.write(path, w)
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
						r.emit(w, r.unitPlay(s.Name, wave.Number, u))
					}
				}
			}
			for _, u := range wave.Health {
				if u.Role == role.Name {
					r.emit(w, r.unitPlay(s.Name, wave.Number, u))
				}
			}
			for _, t := range wave.Tracks {
				if t.Role == role.Name {
					r.track(w, s.Name, wave, t)
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
					if a.Reason != "the same role" && !strings.HasSuffix(a.Unit, "/"+role.Name) {
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
					if j == 0 {
						see(u, t.After)
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
