package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// skips tells whether hosts are left out by a service's version: those that it is asked
// for and compared on.
func skips(svc *planner.Service) bool {
	_, isVersion := planner.ParseVersion(svc.Target)
	return svc.Probe != "" && isVersion
}

// decisionVar is the fact that holds what was decided for a service on a host.
func decisionVar(service string) string {
	return "upstep_version_" + strings.ReplaceAll(service, "-", "_")
}

func decidePath(svc *planner.Service) string   { return versionsDir + "/" + svc.Name + ".decide.yml" }
func donePath(svc *planner.Service) string     { return versionsDir + "/" + svc.Name + ".done.yml" }
func previousPath(svc *planner.Service) string { return versionsDir + "/" + svc.Name + ".previous.yml" }

func forgetPath(svc *planner.Service) string { return versionsDir + "/" + svc.Name + ".forget.yml" }

// keptIn is where a host keeps what is known of its upgrade of a service: in a folder of
// its own, as hosts may share a file system.
const keptIn = "{{ upstep_state_dir | default('/var/lib/upstep') }}/{{ inventory_hostname }}"

func keptFile(svc *planner.Service) string { return keptIn + "/" + svc.Name + ".json" }

// saysSkip is the name of the task that tells that a service is left alone on a host.
const saysSkip = "Nothing is to be done"

// TellsSkip tells whether a task of the tree says, as its message, that a service is left
// alone on a host because of its version.
func TellsSkip(file, task string) bool {
	return strings.HasPrefix(file, versionsDir+"/") && strings.HasSuffix(file, ".decide.yml") && task == saysSkip
}

// SkipsBy tells whether a value that a host set says that a service is left alone on it.
func SkipsBy(p *planner.Plan, name string, value []byte) (service string, ok bool) {
	for i := range p.Services {
		if svc := &p.Services[i]; skips(svc) && decisionVar(svc.Name) == name {
			return svc.Name, strings.Contains(strings.ReplaceAll(string(value), " ", ""), `"skip":true`)
		}
	}
	return "", false
}

// decisionFiles writes how it is decided whether a service is upgraded on a host, and
// how that is remembered.
func (r *renderer) decisionFiles(svc *planner.Service) {
	if r.steps(svc, false) {
		r.decideFile(svc)
		r.keepFile(donePath(svc), svc, "The upgrade of "+svc.Name+" has ended on a host: from now on it is left alone there by its version.", "Note that "+svc.Name+" is upgraded", false)
	}
	if !r.steps(svc, true) {
		return
	}
	w := r.versionFile(svc, "The version of "+svc.Name+" before its upgrade, for the tasks that take it back.")
	r.readKept(w, svc)
	w.linef("- name: %s", source.Quote("Note the version of "+svc.Name+" before its upgrade"))
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    %s: \"{{ {'skip': false, 'previous': upstep_kept_version.previous | default('')} }}\"", decisionVar(svc.Name))
	w.linef("  vars:")
	r.keptVersion(w)
	r.write(previousPath(svc), w)

	w = r.versionFile(svc, svc.Name+" was taken back on a host: the next upgrade begins anew.")
	w.own(0, "Forget the upgrade of "+svc.Name)
	w.linef("  ansible.builtin.file:")
	w.value(4, "path", keptFile(svc))
	w.linef("    state: absent")
	w.linef("  changed_when: false")
	r.write(forgetPath(svc), w)
}

// steps tells whether a decision on a service's version is asked for by a step, of the way
// there or of the way back.
func (r *renderer) steps(svc *planner.Service, back bool) bool {
	found := false
	r.everyUnit(func(u planner.Unit) {
		found = found || takesBack(u) == back && slices.ContainsFunc(u.Segments, func(s planner.Segment) bool {
			return s.Service == svc.Name && r.decided(u, s) != nil
		})
	})
	return found
}

// versionFile opens a task file that is taken in by units of every role of a service.
func (r *renderer) versionFile(svc *planner.Service, comment string) *writer {
	w := &writer{}
	w.madeFor(svc.Place)
	w.linef("---")
	w.comment(comment)
	around := [][]planner.Keyword{svc.Play, r.plan.Play}
	for _, p := range svc.Placements {
		around = append(around, r.role[p.Role].Play)
	}
	w.guards = guard(around...)
	return w
}

// readKept reads what a host keeps of its upgrade of a service.
func (r *renderer) readKept(w *writer, svc *planner.Service) {
	w.own(0, "Read what is kept of the upgrade of "+svc.Name)
	w.linef("  ansible.builtin.slurp:")
	w.value(4, "src", keptFile(svc))
	w.linef("  register: upstep_kept")
	w.linef("  failed_when: upstep_kept.content is not defined and 'file not found' not in upstep_kept.msg | default('') | lower")
	w.linef("")
}

func (r *renderer) keptVersion(w *writer) {
	w.linef("    upstep_kept_version: \"{{ (upstep_kept.content | b64decode | from_json) if upstep_kept.content is defined else {} }}\"")
}

// decideFile writes the decision: a host is left alone where the version is there
// already, unless an upgrade was begun there that has not ended.
func (r *renderer) decideFile(svc *planner.Service) {
	target, _ := planner.ParseVersion(svc.Target)
	w := r.versionFile(svc, "Whether "+svc.Name+" ("+svc.File+") is upgraded on a host: not where its version is there, unless an upgrade was begun and has "+
		"not ended. Decided once, before its first task; the version before the upgrade is kept on the host, whatever is tried again.")
	w.linef("- name: %s", source.Quote("Probe of "+svc.Name))
	w.linef("  ansible.builtin.import_tasks: %s.yml", svc.Name)
	w.linef("")
	r.readKept(w, svc)
	w.own(0, "Decide whether "+svc.Name+" is upgraded")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    %s: >-", decisionVar(svc.Name))
	w.linef("      {{ {'skip': upstep_there | bool and not upstep_begun | bool,")
	w.linef("      'previous': upstep_kept_version.previous if upstep_begun | bool or upstep_there | bool and upstep_same | bool else upstep_found.version} }}")
	w.linef("  vars:")
	w.linef("    upstep_wanted: %s", source.Quote(strings.TrimSpace(svc.Target)))
	w.linef("    upstep_found: \"{{ upstep_installed[%s] }}\"", jinja(svc.Name))
	installed, wanted := compared(target)
	sign := ">="
	if r.plan.AllowDowngrade {
		sign = "=="
	}
	w.linef("    upstep_there: >-")
	w.linef("      {{ upstep_found.number != '' and %s is version('%s', '%s', version_type='pep440') }}", installed, wanted, sign)
	w.linef("    upstep_same: \"{{ upstep_kept_version.target | default('') == upstep_wanted }}\"")
	w.linef("    upstep_begun: \"{{ upstep_kept_version.begun | default(false) }}\"")
	r.keptVersion(w)
	w.linef("")
	w.own(0, saysSkip)
	w.linef("  ansible.builtin.debug:")
	w.value(4, "msg", svc.Name+": {{ upstep_installed["+jinja(svc.Name)+"].version }} is there")
	w.linef("  when: %s.skip | bool", decisionVar(svc.Name))
	w.linef("")
	r.keep(w, svc, "Keep the version of "+svc.Name+" before its upgrade", true)
	r.write(decidePath(svc), w)
}

func (r *renderer) keepFile(path string, svc *planner.Service, comment, name string, begun bool) {
	w := r.versionFile(svc, comment)
	r.keep(w, svc, name, begun)
	r.write(path, w)
}

// keep writes down how far an upgrade of a service is, on the host itself: there it holds
// for whoever runs the playbooks next, and wherever.
func (r *renderer) keep(w *writer, svc *planner.Service, name string, begun bool) {
	w.own(0, name)
	w.linef("  when: not %s.skip | bool and not ansible_check_mode", decisionVar(svc.Name))
	if !begun {
		w.linef("  changed_when: false")
	}
	w.linef("  vars:")
	w.linef("    upstep_keeps:")
	w.linef("      target: %s", source.Quote(strings.TrimSpace(svc.Target)))
	w.linef("      previous: \"{{ %s.previous }}\"", decisionVar(svc.Name))
	w.linef("      begun: %t", begun)
	if !begun {
		w.linef("  ansible.builtin.copy:")
		w.value(4, "dest", keptFile(svc))
		w.linef("    content: \"{{ upstep_keeps | to_json }}\"")
		w.linef("    mode: \"0644\"")
		return
	}
	w.linef("  block:")
	w.linef("    - name: Make the folder for it")
	w.linef("      ansible.builtin.file:")
	w.value(8, "path", keptIn)
	w.linef("        state: directory")
	w.linef("        mode: \"0755\"")
	w.linef("      changed_when: false")
	w.linef("")
	w.linef("    - name: %s", source.Quote("Write it down"))
	w.linef("      ansible.builtin.copy:")
	w.value(8, "dest", keptFile(svc))
	w.linef("        content: \"{{ upstep_keeps | to_json }}\"")
	w.linef("        mode: \"0644\"")
	w.linef("      changed_when: false")
}

// decide takes in the decision on a service, unless it was taken before.
func (r *renderer) decide(w *writer, svc *planner.Service, u planner.Unit, indent int, up string) {
	path, name := decidePath(svc), "Decide on "+svc.Name
	if takesBack(u) {
		path, name = previousPath(svc), "Look for the version of "+svc.Name+" before its upgrade"
	}
	pad := strings.Repeat(" ", indent)
	w.linef("%s- name: %s", pad, source.Quote(name))
	if len(svc.Play) == 0 {
		w.linef("%s  ansible.builtin.include_tasks: %s%s", pad, up, path)
	} else {
		w.linef("%s  ansible.builtin.include_tasks:", pad)
		w.linef("%s    file: %s%s", pad, up, path)
		w.linef("%s    apply:", pad)
		for _, k := range svc.Play {
			w.text(k.Text, indent+6)
		}
	}
	w.linef("%s  when: %s is not defined", pad, decisionVar(svc.Name))
	w.linef("")
}

// decisions takes in those that a track's hosts are taken out of traffic by.
func (r *renderer) decisions(w *writer, drains []planner.Unit) {
	for _, u := range drains {
		services, _ := r.onTrack(u)
		for _, svc := range services {
			r.decide(w, svc, u, 4, "")
		}
	}
}

func takesBack(u planner.Unit) bool { return strings.HasPrefix(u.ID, "rollback/") }

// decided gives the service of a segment where a decision on its version concerns it: one of its
// own tasks in a step, and none that comes after all stages.
func (r *renderer) decided(u planner.Unit, s planner.Segment) *planner.Service {
	svc := r.svc[s.Service]
	if u.Kind != planner.KindStep || s.Links != "" || !skips(svc) || strings.HasPrefix(u.ID, planner.PostUpgrade+"/") {
		return nil
	}
	return svc
}

// whenDecided gives the condition of a service's tasks. What one host does for all of them is
// done where any of them has something to do.
func whenDecided(svc *planner.Service, u planner.Unit) string {
	if u.Once {
		return fmt.Sprintf("ansible_play_batch | map('extract', hostvars) | selectattr('%s.skip', 'false') | list | length > 0", decisionVar(svc.Name))
	}
	return "not " + decisionVar(svc.Name) + ".skip | bool"
}

// concluded takes in what is remembered when a service's last unit has ended on a host.
func (r *renderer) concluded(w *writer, svc *planner.Service, u planner.Unit, up string) {
	name, path := "Note that "+svc.Name+" is upgraded", donePath(svc)
	if takesBack(u) {
		name, path = "Forget the upgrade of "+svc.Name, forgetPath(svc)
	}
	w.linef("- name: %s", source.Quote(name))
	w.linef("  ansible.builtin.import_tasks: %s%s", up, path)
	for _, k := range svc.Play {
		w.text(k.Text, 2)
	}
}

// lastOf tells whether a unit is the last of a service on a role's hosts.
func (r *renderer) lastOf(u planner.Unit, service string) bool {
	last := ""
	stages := r.plan.Stages
	if r.plan.Undo == "" && takesBack(u) {
		stages = r.plan.Rollback
	}
	for _, s := range stages {
		if s.Name == planner.PostUpgrade && !takesBack(u) {
			continue // it comes when every service has its version
		}
		s.Units(func(_ planner.Wave, o planner.Unit) {
			if o.Role == u.Role && o.Kind == planner.KindStep && slices.ContainsFunc(o.Segments, func(s planner.Segment) bool { return s.Service == service }) {
				last = o.ID
			}
		})
	}
	return last == u.ID
}

// onTrack gives the services of the track that a unit is part of whose decision concerns it, and the
// condition by which a host has something to do there: none where some service hangs on no version.
func (r *renderer) onTrack(of planner.Unit) (services []*planner.Service, when string) {
	var all []string
	always := takesBack(of)
	for _, s := range r.plan.Stages {
		for _, w := range s.Waves {
			for _, t := range w.Tracks {
				if !slices.ContainsFunc(t.Parts, func(u planner.Unit) bool { return u.ID == of.ID }) {
					continue
				}
				for _, name := range servicesIn(t.Parts) {
					svc := r.svc[name]
					if !skips(svc) || s.Name == planner.PostUpgrade {
						always = true
						continue
					}
					services = append(services, svc)
					all = append(all, decisionVar(name)+".skip")
				}
			}
		}
	}
	switch {
	case always:
		return nil, ""
	case len(all) == 1:
		return services, "not " + all[0] + " | bool"
	}
	return services, "not (" + strings.Join(all, " and ") + ")"
}

// servicesIn gives the services with tasks of their own in steps.
func servicesIn(parts []planner.Unit) []string {
	return servicesOf(slices.DeleteFunc(slices.Clone(parts), func(u planner.Unit) bool { return u.Kind != planner.KindStep })...)
}
