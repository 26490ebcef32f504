package playbooks

import (
	"fmt"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// site is a task of a role's services that runs on another host, as the playbooks ask
// for it.
type site struct {
	svc  *planner.Service
	name string // of the task
	at   planner.Place
	planner.Delegate
}

// sites gives where tasks run that are delegated on a role's hosts, in the order of its
// services: of those tasks that the plan has there, which are others on the way back.
func (r *renderer) sites(role *planner.Role) []site {
	held, carriers := r.held(role.Name)
	var out []site
	add := func(svc *planner.Service, linked bool) {
		for i := range svc.Delegates {
			if d := &svc.Delegates[i]; d.NotAsked == "" && d.Linked() == linked && held[svc.Name+" "+d.Task] {
				out = append(out, siteOf(svc, *d))
			}
		}
	}
	for _, svc := range r.servicesOn(role) {
		add(svc, false)
		if carriers[svc.Behind] {
			delete(carriers, svc.Behind)
			carrier := r.svc[svc.Behind]
			out = append(out, r.carrying(carrier))
			add(carrier, true)
		}
	}
	return out
}

// held gives the tasks that a role's units hold, by service and element of its lists, and
// the services that carry traffic for the role's.
func (r *renderer) held(role string) (elements, carriers map[string]bool) {
	elements, carriers = map[string]bool{}, map[string]bool{}
	see := func(u planner.Unit) {
		if u.Role != role {
			return
		}
		for _, seg := range u.Segments {
			for _, id := range seg.Tasks {
				element, _, _ := strings.Cut(id, "/")
				elements[seg.Service+" "+element] = true
			}
			if seg.Links != "" {
				carriers[seg.Service] = true
			}
		}
	}
	for _, u := range r.plan.Preflight {
		see(u)
	}
	for _, s := range r.plan.Stages {
		s.Units(func(_ planner.Wave, u planner.Unit) { see(u) })
	}
	return elements, carriers
}

func siteOf(svc *planner.Service, d planner.Delegate) site {
	name := d.Name
	if name == "" || strings.Contains(name, "{") { // an expression need not mean anything here
		list, number, _ := strings.Cut(d.Task, ".")
		name = "task " + number + " of " + list
	}
	return site{svc: svc, name: name, at: planner.Place{File: svc.File, Line: d.Line}, Delegate: d}
}

// carrying is where a service runs what it does for others whose traffic it carries: on
// every host that carries it.
func (r *renderer) carrying(carrier *planner.Service) site {
	all := site{svc: carrier, name: "unlink_tasks and establish_tasks", at: carrier.Place, Delegate: planner.Delegate{
		To: "{{ item }}", Loop: fmt.Sprintf("loop: %s\n", source.Quote("{{ "+r.carriers(carrier.Name)+" }}")),
	}}
	for _, t := range carrier.Tasks {
		if strings.HasPrefix(t.ID, "unlink_tasks.") {
			all.at.Line = t.Line
			break
		}
	}
	return all
}

// delegated asks the hosts that tasks on a role are delegated to. Each is asked once,
// whoever delegates to it, and the role's hosts share the asking: a hundred hosts at one
// door would be turned away.
func (r *renderer) delegated(w *writer, role *planner.Role, sites []site) {
	path := r.delegatedFile(role, sites)
	w.linef("    - name: %s", source.Quote("Hosts that "+role.Name+" delegates to"))
	w.linef("      ansible.builtin.import_tasks: %s", path)
	w.linef("      tags: [upstep_delegated]")
}

func (r *renderer) delegatedFile(role *planner.Role, sites []site) string {
	w, path := r.checkFile(role, "delegated", "Hosts that tasks on "+role.Name+" are delegated to: each is asked once whether it answers. "+
		"What cannot be evaluated yet is left out.")
	w.own(0, "Forget what was asked for another role")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    upstep_delegated: []")
	for i, s := range sites {
		w.linef("")
		if i == 0 || sites[i-1].svc != s.svc {
			w.comment(s.svc.Name + " (" + s.svc.File + ")")
		}
		from := w.lines + 1
		r.whereTo(w, i+1, s)
		w.made(from, s.at)
	}
	silent := r.silentFile(role, sites)
	w.linef("")
	w.own(0, "Name each host once")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    upstep_asked: >-")
	w.linef("      {{ ansible_play_hosts | map('extract', hostvars, 'upstep_delegated') | select('defined') | flatten")
	w.linef("      | selectattr('to', 'defined') | rejectattr('to', 'match', '^(localhost|127[.]0[.]0[.]1|::1|__omit_place_holder__.*|)$')")
	w.linef("      | unique(attribute='key') }}")
	w.linef("  run_once: true # noqa: run-once[task]")
	w.linef("")
	w.linef("- name: The host that tasks are delegated to answers")
	w.linef("  ansible.builtin.wait_for_connection:")
	w.linef("    timeout: 1")
	w.linef("  delegate_to: \"{{ item }}\"")
	w.linef("  vars:")
	w.linef("    upstep_shares: \"{{ upstep_asked | map(attribute='to') | unique | slice(ansible_play_hosts | length) }}\"")
	w.linef("  loop: \"{{ upstep_shares[ansible_play_hosts.index(inventory_hostname)] }}\"")
	w.linef("  when: (hostvars[item] | default({})).upstep_answer.ping is not defined")
	w.linef("  register: upstep_replies")
	w.linef("  failed_when: false")
	w.linef("  check_mode: false")
	w.linef("")
	w.own(0, "Note those that do not answer")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    upstep_silent: >-")
	w.linef("      {{ ansible_play_hosts | map('extract', hostvars, ['upstep_replies', 'results']) | select('defined') | flatten")
	w.linef("      | selectattr('msg', 'defined') | items2dict(key_name='item', value_name='msg') }}")
	w.linef("  run_once: true # noqa: run-once[task]")
	w.linef("")
	w.linef("- name: Tell which tasks are delegated to them")
	w.linef("  ansible.builtin.include_tasks: ../%s", silent)
	w.linef("  when: upstep_silent | length > 0")
	r.write(path, w)
	return path
}

// whereTo notes where a task will run. It is the author's own expression, with what else
// it goes by.
func (r *renderer) whereTo(w *writer, number int, s site) {
	indent := 0
	if s.svc.Vars != "" || s.svc.Bootstrap {
		w.linef("- name: %s", source.Quote("Variables of "+s.svc.Name))
		r.serviceVars(w, s.svc, 2, s.svc.Bootstrap, false)
		w.linef("  block:")
		indent = 4
	}
	pad := strings.Repeat(" ", indent)
	w.linef("%s- name: %s", pad, source.Quote("Where it runs: "+s.name))
	w.linef("%s  ansible.builtin.set_fact:", pad)
	w.linef("%s    upstep_delegated: >-", pad)
	w.linef("%s      {{ upstep_delegated + [{'site': %d, 'to': upstep_to, 'by': inventory_hostname, 'key': '%d ' ~ upstep_to}] }}", pad, number, number)
	w.linef("%s  vars:", pad)
	w.value(indent+4, "upstep_to", s.To)
	w.text(s.Vars, indent+4)
	w.text(s.Loop, indent+2)
	w.linef("%s  when:", pad)
	for _, cond := range s.When {
		w.element(indent+4, cond)
	}
	w.linef("%s    - upstep_to is defined", pad)
	if s.NoLog || hidesResults(s.svc) {
		w.linef("%s  no_log: true", pad)
	}
	w.linef("%s  ignore_errors: true # noqa: ignore-errors", pad)
}

// hidesResults tells whether a service says no_log of all of its tasks.
func hidesResults(svc *planner.Service) bool {
	for _, k := range svc.Play {
		if k.Name == "no_log" {
			return true
		}
	}
	return false
}

// silentFile writes what is told when hosts do not answer: for each task, at the place
// where its author wrote it, by the first host that delegates it there.
func (r *renderer) silentFile(role *planner.Role, sites []site) string {
	w, path := r.checkFile(role, "silent", "Tasks on "+role.Name+" that are delegated to hosts that do not answer.")
	for i, s := range sites {
		w.linef("")
		from := w.lines + 1
		w.comment(s.svc.Name + " (" + s.svc.File + ")")
		w.firm(0, "Delegated by "+s.svc.Name)
		w.linef("  block:")
		w.own(4, "Delegated: "+s.name)
		w.linef("      ansible.builtin.assert:")
		w.linef("        that: upstep_missed | length == 0")
		w.linef("        fail_msg: >-")
		w.linef("          no answer from {%% for host in upstep_missed %%}{{ host }}:")
		w.linef("          {{ upstep_silent[host] | regex_replace('^timed out waiting for [a-z ]+: ', '') }}{{ '' if loop.last else '; ' }}{%% endfor %%}")
		w.linef("        quiet: true")
		w.linef("      vars:")
		w.linef("        upstep_missed: >-")
		w.linef("          {{ upstep_asked | selectattr('site', 'eq', %d) | selectattr('by', 'eq', inventory_hostname)", i+1)
		w.linef("          | map(attribute='to') | select('in', upstep_silent) }}")
		w.linef("  rescue:")
		noteFailure(w, 4, "Note that "+s.svc.Name+" is not ready", s.svc.Name)
		w.made(from, s.at)
	}
	r.write(path, w)
	return path
}
