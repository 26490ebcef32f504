package playbooks

import (
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// preflight writes the checks before anything changes: every host answers and is looked
// at, every service's checks run whatever the others say, hosts that tasks are delegated
// to are asked as well, and only then does a failure stop.
func (r *renderer) preflight() {
	w := &writer{}
	w.linef("---")
	w.comment("Before anything changes: every host answers and is ready. All checks run; the last play stops where one failed.")
	for _, a := range Answers(r.plan) {
		r.answerPlay(w, a)
	}
	units := map[string]planner.Unit{}
	for _, u := range r.plan.Preflight {
		units[u.Role] = u
	}
	asked := map[string][]site{}
	for i := range r.plan.Roles {
		role := &r.plan.Roles[i]
		if r.idle(role.Name) {
			continue
		}
		asked[role.Name] = r.sites(role)
		u, has := units[role.Name]
		p := r.preflightPlay("Preflight: "+role.Name, role, servicesOf(u))
		p.id = Preflight + "/" + role.Name
		if tasks := r.preflightTasks(role, u, has, len(asked[role.Name]) > 0); tasks != nil {
			p.body = tasks
			r.emit(w, p)
		}
	}
	// After the plays of all roles: their hosts' facts are known then, and who answers.
	for i := range r.plan.Roles {
		role := &r.plan.Roles[i]
		if len(asked[role.Name]) == 0 {
			continue
		}
		p := r.preflightPlay("Preflight: hosts that "+role.Name+" delegates to", role, nil)
		p.among = readyName(role.Name)
		p.body = func(w *writer) { r.delegated(w, role, asked[role.Name]) }
		r.emit(w, p)
	}
	// One play for all, so that nothing of what is wrong stays unsaid.
	r.emit(w, play{
		name: "Ready", hosts: preflightGroup + "*", tags: []string{"upstep_preflight"}, failure: allStop(),
		body: func(w *writer) {
			// Before the question: Ansible takes hosts out as they answer.
			w.own(4, "Note which hosts were lost on the way")
			w.linef("      ansible.builtin.set_fact:")
			w.linef("        upstep_lost: \"{{ %s }}\"", lostOf("ansible_play_hosts_all"))
			w.linef("      run_once: true # noqa: run-once[task]")
			w.linef("")
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
	r.write(PreflightBook, w)
}

func (r *renderer) preflightPlay(name string, role *planner.Role, services []string) play {
	return play{
		name: name, hosts: only(role.Hosts, r.concerned(role.Name)), at: role.Place, own: role.Play, tags: []string{"upstep_preflight"},
		vars:     append([]string{"step: 0", "upstep_stage: " + Preflight, "upstep_role: " + role.Name}, r.instanceVars(role.Name)...),
		services: services,
	}
}

// preflightGroup is the group of all hosts that were asked.
const preflightGroup = "upstep_preflight_hosts"

// readyName is the group of a role's hosts that answer.
func readyName(role string) string { return "upstep_ready_" + strings.ReplaceAll(role, "-", "_") }

// answerPlay asks hosts whether they answer, of all roles at a time that can be asked by
// one play. A host that does not stays in the play: else Ansible ends the playbook when
// none answers, and the checks of others are never seen.
func (r *renderer) answerPlay(w *writer, a Answering) {
	var hosts []string
	for _, name := range a.Roles {
		hosts = append(hosts, only(r.role[name].Hosts, r.concerned(name)))
	}
	first := r.role[a.Roles[0]]
	r.emit(w, play{
		id: a.ID, name: "Hosts of " + strings.Join(a.Roles, ", "), patterns: hosts, at: first.Place, own: first.Play, tags: []string{"upstep_preflight"},
		vars: []string{"step: 0", "upstep_stage: " + Preflight, "upstep_role: ''"},
		body: func(w *writer) {
			tagGuard(w)
			w.own(4, "Name the hosts")
			w.linef("      ansible.builtin.group_by:")
			w.linef("        key: %s", preflightGroup)
			w.linef("      changed_when: false")
			w.linef("")
			w.linef("    - name: The host answers")
			w.linef("      ansible.builtin.ping:")
			w.linef("      register: upstep_answer")
			w.linef("      failed_when: false")
			w.linef("      ignore_unreachable: true")
			w.linef("")
			w.firm(4, "Look at the host")
			w.linef("      when: upstep_answer.ping is defined")
			w.linef("      block:")
			gatherFacts(w, 8)
			w.linef("      rescue:")
			noteFailure(w, 8, "Note that the host is not ready", "")
		},
	})
}

// preflightTasks gives what writes the look at those of a role's hosts that answer; nil
// where there is nothing to look at.
func (r *renderer) preflightTasks(role *planner.Role, u planner.Unit, checks, delegates bool) func(*writer) {
	type part struct{ name, file, tag string }
	var parts []part
	if file := r.versionsFile(role); file != "" {
		parts = append(parts, part{"Versions on " + role.Name, file, "upstep_versions"})
	}
	if file := r.diskFile(role); file != "" {
		parts = append(parts, part{"Room on the disks of " + role.Name, file, "upstep_disk"})
	}
	if checks {
		parts = append(parts, part{"Checks of " + role.Name, u.ID + ".yml", ""})
	}
	if len(parts) == 0 && !delegates {
		return nil
	}
	return func(w *writer) {
		if delegates {
			w.own(4, "Name the hosts of "+role.Name+" that answer")
			w.linef("      ansible.builtin.group_by:")
			w.linef("        key: %s", readyName(role.Name))
			w.linef("      changed_when: false")
			w.linef("      when: upstep_answer.ping is defined")
			w.linef("")
		}
		if len(parts) == 0 {
			return
		}
		w.firm(4, "Look at the hosts of "+role.Name)
		w.linef("      when: upstep_answer.ping is defined")
		w.linef("      block:")
		for i, p := range parts {
			if i > 0 {
				w.linef("")
			}
			w.linef("        - name: %s", source.Quote(p.name))
			w.linef("          ansible.builtin.import_tasks: %s", p.file)
			if p.tag != "" {
				w.linef("          tags: [%s]", p.tag)
			}
		}
		w.linef("      rescue:")
		noteFailure(w, 8, "Note that the host is not ready", "")
	}
}

// noteFailure writes the task of a rescue that keeps what failed for the last play.
func noteFailure(w *writer, indent int, name, who string) {
	if who != "" {
		who = jinja(who+": ") + " ~ "
	}
	pad := strings.Repeat(" ", indent)
	w.linef("%s- name: %s", pad, source.Quote(name))
	w.linef("%s  ansible.builtin.set_fact:", pad)
	w.linef("%s    upstep_preflight: >-", pad)
	w.linef("%s      {{ upstep_preflight | default([]) + [%s(ansible_failed_task | default({})).name | default('a file') ~ ': '", pad, who)
	w.linef("%s      ~ (%s", pad, hiddenByNoLog)
	w.linef("%s      else (ansible_failed_result | default({})).msg | default('failed'))] }}", pad)
}

// hiddenByNoLog begins the Jinja expression of why the task failed that led to a rescue:
// Ansible gives it there even where no_log hides it.
const hiddenByNoLog = "'hidden by no_log' if (ansible_failed_task | default({})).no_log | default(false)"

// servicesOn gives the services that stand on a role, in its order.
func (r *renderer) servicesOn(role *planner.Role) []*planner.Service {
	var out []*planner.Service
	for _, name := range role.Services {
		out = append(out, r.svc[name])
	}
	return out
}

// checkFile begins a file of upstep's own checks on a role's hosts, beside the role's
// preflight_tasks.
func (r *renderer) checkFile(role *planner.Role, part, title string) (*writer, string) {
	w := &writer{}
	w.madeFor(role.Place)
	w.guards = r.around(role.Name)
	w.linef("---")
	w.comment(title)
	return w, Preflight + "/" + role.Name + "." + part + ".yml"
}
