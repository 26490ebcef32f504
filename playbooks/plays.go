package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// play is one Ansible play of a playbook.
type play struct {
	name     string
	id       string // of what it works on, for who runs it; see Play
	hosts    string
	patterns []string // in place of hosts: those of several roles, each split by itself
	among    string   // a group; of the hosts only those in it
	tags     []string
	own      []planner.Keyword // the play keywords of its role, nearer than the deployment's
	failure  []string          // the play's failure policy, as lines
	vars     []string          // as lines
	services []string          // whose handlers the play may be notified for
	body     func(w *writer)
	at       planner.Place // what the play is made for
}

// allFail is the failure policy of plays in which hosts go side by side: one failed
// host stops all of them, and every later play.
func allFail() []string { return []string{"any_errors_fatal: true"} }

// allStop is that of plays with one task which asks what became of hosts of earlier plays.
// With newer Ansible any_errors_fatal ends only the play where not all of its hosts fail
// in it, and those that were lost before do not.
func allStop() []string { return append(allFail(), "max_fail_percentage: 0") }

// emit writes the play.
func (r *renderer) emit(w *writer, p play) {
	w.linef("")
	defer func(from int) { w.made(from, p.at) }(w.lines + 1)
	w.linef("- name: %s", source.Quote(visible(p.name)))
	switch {
	case len(p.patterns) > 1:
		w.linef("  hosts:")
		for _, pattern := range p.patterns {
			w.linef("    - %s", source.Quote(pattern))
		}
	case len(p.patterns) == 1:
		w.linef("  hosts: %s", source.Quote(p.patterns[0]))
	case p.among == "":
		w.linef("  hosts: %s", source.Quote(p.hosts))
	default:
		w.linef("  hosts: [%s, \"&%s\"]", source.Quote(p.hosts), p.among)
	}
	w.linef("  gather_facts: false")
	for _, f := range p.failure {
		w.linef("  %s", f)
	}
	keywords := nearest(p.own, r.plan.Play)
	for _, k := range keywords {
		if k.Name != "vars_files" {
			from := w.lines + 1
			w.text(k.Text, 2)
			if !slices.Contains(p.own, k) {
				w.made(from, planner.Place{File: settingsFile})
			}
		}
	}
	r.varsFiles(w, keywords)
	if len(p.tags) > 0 {
		w.linef("  tags: [%s]", strings.Join(p.tags, ", "))
	}
	if p.id != "" {
		p.vars = append(p.vars, "upstep_unit: "+p.id)
	}
	if len(p.vars) > 0 {
		w.linef("  vars:")
		for _, v := range p.vars {
			w.linef("    %s", v)
		}
	}
	r.handlers(w, p.services)
	w.linef("  tasks:")
	w.guards = guard(p.own, r.plan.Play)
	p.body(w)
}

// nearest joins two lists of play keywords; the first wins.
func nearest(near, far []planner.Keyword) []planner.Keyword {
	out := slices.Clone(near)
	for _, k := range far {
		if !slices.ContainsFunc(near, func(o planner.Keyword) bool { return o.Name == k.Name }) {
			out = append(out, k)
		}
	}
	return out
}

// handlers writes the handlers of services, each with its service's variables.
func (r *renderer) handlers(w *writer, names []string) {
	head := false
	for _, name := range names {
		svc := r.svc[name]
		if len(svc.Handlers) == 0 {
			continue
		}
		from := w.lines + 1
		if !head {
			w.linef("  handlers:")
			head = true
		}
		w.linef("    - name: %s", source.Quote("Handlers of "+name))
		w.linef("      ansible.builtin.import_tasks: handlers/%s.yml", name)
		r.serviceVars(w, svc, 6, svc.Bootstrap, false)
		for _, k := range svc.Play {
			w.text(k.Text, 6)
		}
		w.made(from, svc.Place)
	}
}

// unitPlay is the play of one unit on its role's hosts, linear and strict.
func (r *renderer) unitPlay(stage string, wave int, u planner.Unit) play {
	role := r.role[u.Role]
	return play{
		name:     r.title(stage, wave, u) + ": " + u.Role + suffix(u.ID),
		id:       u.ID,
		hosts:    only(role.Hosts, u.Hosts),
		at:       role.Place,
		own:      role.Play,
		tags:     tags(stage, wave, u),
		failure:  allFail(),
		vars:     append(append(unitVars(stage, u), "upstep_role: "+u.Role), r.instanceVars(u.Role)...),
		services: servicesOf(u),
		body: func(w *writer) {
			r.mayRetire(w, u)
			r.unitTasks(w, u)
		},
	}
}

// only gives the pattern of some hosts, or of all where they are not named.
func only(pattern string, hosts []string) string {
	if len(hosts) == 0 {
		return pattern
	}
	return strings.Join(hosts, ",")
}

// suffix is what tells a role's second unit of a step from its first.
func suffix(id string) string {
	base := id[strings.LastIndexByte(id, '/')+1:]
	if i := strings.LastIndexByte(base, '.'); i >= 0 {
		return " (part " + base[i+1:] + ")"
	}
	return ""
}

func unitVars(stage string, u planner.Unit) []string {
	return append([]string{fmt.Sprintf("step: %d", u.Step)}, stageVars(stage)...)
}

// backwards begins the name of a stage that is rolled back.
const backwards = "rollback of "

// stageVars gives the variables of a stage. Tasks that run in both directions, such as
// those that drain a host, are told which one it is.
func stageVars(stage string) []string {
	name, back := strings.CutPrefix(stage, backwards)
	if back {
		return []string{"upstep_stage: " + name, "upstep_rollback: true"}
	}
	return []string{"upstep_stage: " + name}
}

func tags(stage string, wave int, u planner.Unit) []string {
	stage = strings.ReplaceAll(strings.TrimPrefix(stage, backwards), "-", "_")
	return []string{"upstep_" + stage, fmt.Sprintf("upstep_wave%d", wave), "upstep_" + strings.ReplaceAll(partName(u), " ", "")}
}

func (r *renderer) title(stage string, wave int, u planner.Unit) string {
	return title(stage, wave, partName(u)+r.stepName(u))
}

func title(stage string, wave int, part string) string {
	s := fmt.Sprintf("%s, wave %d, %s", stage, wave, part)
	return strings.ToUpper(s[:1]) + s[1:]
}

func (r *renderer) stepName(u planner.Unit) string {
	for _, s := range r.plan.Steps {
		if u.Kind == planner.KindStep && s.Number == u.Step && s.Name != "" {
			return " (" + s.Name + ")"
		}
	}
	return ""
}

// unitTasks writes the tasks of a play that take in a unit's file.
func (r *renderer) unitTasks(w *writer, u planner.Unit) {
	if u.Kind == planner.KindHealth {
		r.healthGate(w, u)
		return
	}
	when := ""
	if u.Kind == planner.KindDrain {
		// Where nothing is to be done, nothing is taken out of traffic.
		_, when = r.onTrack(u)
	}
	w.linef("    - name: %s", source.Quote(capital(partName(u))+" of "+u.Role+suffix(u.ID)))
	w.linef("      ansible.builtin.import_tasks: %s.yml", u.ID)
	if when != "" {
		w.linef("      when: %s", when)
	}
	onHosts(w, u, 6)
}

// onHosts keeps a part of a track that is taken back from hosts that it is not for.
func onHosts(w *writer, u planner.Unit, indent int) {
	if len(u.Hosts) > 0 {
		w.linef("%swhen: inventory_hostname in [%s]", strings.Repeat(" ", indent), quotedList(u.Hosts))
	}
}

func quotedList(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = jinja(n)
	}
	return strings.Join(out, ", ")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// servicesOf gives the services whose tasks stand in the units, each once.
func servicesOf(units ...planner.Unit) []string {
	var out []string
	for _, u := range units {
		for _, s := range u.Segments {
			if !slices.Contains(out, s.Service) {
				out = append(out, s.Service)
			}
		}
	}
	return out
}

// healthGate asks for the health of hosts until it is good often enough in a row.
func (r *renderer) healthGate(w *writer, u planner.Unit) {
	h := r.role[u.Role].Health
	w.own(4, "Forget earlier answers")
	w.linef("      ansible.builtin.set_fact:")
	w.linef("        upstep_good: 0")
	w.linef("        upstep_tried: 0")
	w.linef("        upstep_bad: \"\"")
	w.linef("")
	w.linef("    - name: %s", source.Quote(fmt.Sprintf("Health of %s, %d good of at most %d tries", u.Role, h.Consecutive, h.Tries)))
	w.linef("      ansible.builtin.include_tasks: %s.gate.yml", u.ID)
	r.gateFile(u)
}

// gateFile writes one try of a health gate; it takes itself in again until it is decided.
func (r *renderer) gateFile(u planner.Unit) {
	path := u.ID + ".gate.yml"
	if r.packed[path] {
		return
	}
	r.packed[path] = true
	h := r.role[u.Role].Health
	base := u.ID[strings.LastIndexByte(u.ID, '/')+1:]
	w := &writer{}
	w.madeFor(r.role[u.Role].Place)
	w.linef("---")
	w.guards = r.around(u.Role)
	w.comment("One try of the health gate " + u.ID + ".")
	w.firm(0, "Ask for the health of "+u.Role)
	w.linef("  block:")
	w.linef("    - name: %s", source.Quote("Health of "+u.Role))
	// With its folder, here and below: a name alone would be looked for beside the
	// playbook first, where the role's own playbook has it.
	w.linef("      ansible.builtin.import_tasks: ../health/%s.yml", base)
	w.linef("")
	w.linef("    - name: Count a good answer")
	w.linef("      ansible.builtin.set_fact:")
	w.linef("        upstep_good: \"{{ upstep_good | int + 1 }}\"")
	w.linef("        upstep_tried: \"{{ upstep_tried | int + 1 }}\"")
	w.linef("  rescue:")
	w.linef("    - name: Begin to count again after a bad answer")
	w.linef("      ansible.builtin.set_fact:")
	w.linef("        upstep_good: 0")
	w.linef("        upstep_tried: \"{{ upstep_tried | int + 1 }}\"")
	w.linef("        upstep_bad: >-")
	w.linef("          {{ 'its answer is hidden by no_log' if (ansible_failed_task | default({})).no_log | default(false)")
	w.linef("          or (ansible_failed_result | default({}))._ansible_no_log | default(false)")
	w.linef("          else [(ansible_failed_result | default({})).msg | default(''), ((ansible_failed_result | default({})).stderr_lines | default([]) or [''])[-1]]")
	w.linef("          | select | join(': ') | default('its last answer was bad', true) | truncate(500) }}")
	w.linef("")
	w.own(0, fmt.Sprintf("Give up after %d tries", h.Tries))
	w.linef("  ansible.builtin.assert:")
	w.linef("    that: upstep_good | int >= %d or upstep_tried | int < %d", h.Consecutive, h.Tries)
	w.linef("    fail_msg: %s", source.Quote(u.Role+" is not healthy: {{ upstep_bad }}"))
	w.linef("    quiet: true")
	w.linef("")
	w.linef("- name: Try again")
	w.linef("  when: upstep_good | int < %d", h.Consecutive)
	w.linef("  block:")
	r.wait(w, "Wait before the next try", h.Delay.Seconds(), "", 4)
	w.linef("    - name: Next try")
	w.linef("      ansible.builtin.include_tasks: ../health/%s.gate.yml", base)
	r.write(path, w)
}

// wait writes a task that waits on the control node.
func (r *renderer) wait(w *writer, name string, seconds int, when string, indent int) {
	if seconds <= 0 {
		return
	}
	pad := strings.Repeat(" ", indent)
	w.own(indent, name)
	if when != "" {
		w.linef("%s  when: %s", pad, when)
	}
	w.linef("%s  ansible.builtin.wait_for:", pad)
	w.linef("%s    timeout: %d", pad, seconds)
	w.linef("%s  delegate_to: localhost", pad)
	w.linef("%s  become: false", pad)
	w.linef("")
}

// hostsPlay opens a playbook for a role: its hosts get a group of their own, which
// plays over several roles go by, and their facts are gathered unless they are known.
func (r *renderer) hostsPlay(name string) play {
	role := r.role[name]
	return play{
		name: "Hosts of " + name, hosts: only(role.Hosts, r.concerned(name)), at: role.Place, own: role.Play, tags: []string{"always"}, failure: allFail(),
		body: func(w *writer) {
			tagGuard(w)
			nameHosts(w, name)
			gatherFacts(w, 4)
		},
	}
}

// concerned gives the hosts of a role that have something to do, where not all have.
func (r *renderer) concerned(role string) []string {
	if r.plan.Undo == "" {
		return nil
	}
	return r.plan.WorkedOn(role)
}

// idle tells whether a role has nothing to take back.
func (r *renderer) idle(role string) bool { return r.plan.Undo != "" && len(r.concerned(role)) == 0 }

// tagGuard refuses tags of tasks, which would leave out draining, health gates and the
// question for lost hosts.
func tagGuard(w *writer) {
	w.own(4, "Only upstep's own tags choose what runs")
	w.linef("      ansible.builtin.assert:")
	w.linef("        that: ansible_run_tags | reject('match', '^(all|upstep_.*)$') | list | length == 0")
	w.linef("        fail_msg: choose by tags such as upstep_step3; those of tasks are for --skip-tags")
	w.linef("        quiet: true")
	w.linef("      run_once: true # noqa: run-once[task]")
	w.linef("")
}

// nameHosts gives the role's hosts a group, which plays over several roles go by.
func nameHosts(w *writer, role string) {
	w.own(4, "Name the hosts of "+role)
	w.linef("      ansible.builtin.group_by:")
	w.linef("        key: %s", groupName(role))
	w.linef("      changed_when: false")
	w.linef("")
}

func gatherFacts(w *writer, indent int) {
	pad := strings.Repeat(" ", indent)
	w.begin(indent, "Gather facts that are not known yet", w.guards.facts)
	w.linef("%s  ansible.builtin.setup:", pad)
	w.linef("%s  when: ansible_facts.gather_subset is not defined", pad)
}

func groupName(role string) string { return "upstep_role_" + strings.ReplaceAll(role, "-", "_") }

// varsFiles names the files of variables: the plan's own, then the author's.
func (r *renderer) varsFiles(w *writer, keywords []planner.Keyword) {
	i := slices.IndexFunc(keywords, func(k planner.Keyword) bool { return k.Name == "vars_files" })
	switch {
	case i < 0 && r.hasVars():
		w.linef("  vars_files: [%s]", varsFile)
	case i >= 0:
		w.linef("  vars_files:")
		if r.hasVars() {
			w.linef("    - %s", varsFile)
		}
		_, list, _ := strings.Cut(keywords[i].Text, "\n")
		w.text(list, 4)
	}
}

func (r *renderer) hasVars() bool {
	return len(r.plan.Inputs) > 0 || r.plan.Vars != "" || r.plan.Hop != nil || r.project
}

// blockLevel gives the keywords of a role that may stand on a block.
func blockLevel(list []planner.Keyword) []planner.Keyword {
	var out []planner.Keyword
	for _, k := range list {
		if tasks.OnBlock(k.Name) {
			out = append(out, k)
		}
	}
	return out
}
