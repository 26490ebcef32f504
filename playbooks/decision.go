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

// factNames gives, for each service, the fact that holds what was decided for it on a host.
func factNames(p *planner.Plan) map[string]string {
	out := map[string]string{}
	taken := map[string]bool{}
	for i := range p.Services {
		base := "upstep_version_" + strings.NewReplacer("-", "_", ".", "_").Replace(p.Services[i].Name)
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[name] = true
		out[p.Services[i].Name] = name
	}
	return out
}

// What is decided and remembered of a service's version stands in folders of versionsDir.
const (
	decideDir   = versionsDir + "/decide/"
	doneDir     = versionsDir + "/done/"
	previousDir = versionsDir + "/previous/"
	undoneDir   = versionsDir + "/undone/"
)

// keptIn is where a host keeps what is known of its upgrade of a service: in a folder of
// its own, as hosts may share a file system.
const keptIn = "{{ upstep_state_dir | default('/var/lib/upstep') }}/{{ inventory_hostname }}"

func keptFile(svc *planner.Service) string { return keptIn + "/" + svc.Name + ".json" }

// The names of the tasks that tell what was decided: a service is left alone on a host, or
// its upgrade begins there.
const (
	saysSkip  = "Nothing is to be done"
	saysBegin = "Write it down"
)

// Decided tells whether a task of the tree says by its end what was decided for a service
// on a host: that it is left alone there because of its version, or not.
func Decided(file, task string) (service string, skip, ok bool) {
	service, in := strings.CutPrefix(file, decideDir)
	service, is := strings.CutSuffix(service, ".yml")
	return service, task == saysSkip, in && is && (task == saysSkip || task == saysBegin)
}

// decisionFiles writes how it is decided whether a service is upgraded on a host, and
// how that is remembered.
func (r *renderer) decisionFiles(svc *planner.Service) {
	if r.steps(svc, false) {
		r.decideFile(svc)
		r.keepFile(doneDir+svc.Name+".yml", svc, "The upgrade of "+svc.Name+" has ended on a host: from now on it is left alone there by its version.", "Note that "+svc.Name+" is upgraded", false)
	}
	if !r.steps(svc, true) {
		return
	}
	w := r.versionFile(svc, "The version of "+svc.Name+" before its upgrade, for the tasks that take it back. Where nothing is kept, no upgrade of it began.")
	r.readKept(w, svc)
	if r.plan.Undo != "" { // the journal says that one began
		w.own(0, "Something is kept of the upgrade of "+svc.Name)
		w.linef("  ansible.builtin.assert:")
		w.linef("    that: upstep_kept.content is defined")
		w.value(4, "fail_msg", "what was installed before is not known: "+keptFile(svc)+" is gone")
		w.linef("    quiet: true")
		w.linef("")
	}
	w.own(0, "Note the version of "+svc.Name+" before its upgrade")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    %s: >-", r.facts[svc.Name])
	w.linef("      {{ {'target': %s, 'skip': upstep_kept.content is not defined,", jinja(strings.TrimSpace(svc.Target)))
	w.linef("      'previous': upstep_kept_version.previous | default('')} }}")
	w.linef("  vars:")
	r.keptVersion(w)
	if r.plan.Undo == "" {
		w.linef("")
		w.own(0, saysSkip)
		w.linef("  ansible.builtin.debug:")
		w.value(4, "msg", svc.Name+": no upgrade of it began here")
		w.linef("  when: %s.skip | bool", r.facts[svc.Name])
	}
	r.write(previousDir+svc.Name+".yml", w)
	r.keepFile(undoneDir+svc.Name+".yml", svc, svc.Name+" was taken back on a host: no upgrade of it is under way there.", "Note that "+svc.Name+" was taken back", false)
}

// lastUnit is the last unit of a service on a role's hosts, of the way there or of the way back.
type lastUnit struct {
	service, role string
	back          bool
}

// lastUnits finds them, of services on whose version something hangs.
func (r *renderer) lastUnits() map[lastUnit]string {
	out := map[lastUnit]string{}
	r.everyUnit(func(u planner.Unit) {
		for _, s := range u.Segments {
			if r.decided(u, s) != nil {
				out[lastUnit{s.Service, u.Role, takesBack(u)}] = u.ID
			}
		}
	})
	return out
}

// steps tells whether a decision on a service's version is asked for by a step, of the way
// there or of the way back.
func (r *renderer) steps(svc *planner.Service, back bool) bool {
	return slices.ContainsFunc(svc.Placements, func(p planner.Placement) bool { return r.last[lastUnit{svc.Name, p.Role, back}] != "" })
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
	// With its folder: a name alone would be looked for beside the playbook first.
	w.linef("  ansible.builtin.import_tasks: ../%s.yml", svc.Name)
	w.linef("")
	r.readKept(w, svc)
	w.own(0, "Decide whether "+svc.Name+" is upgraded")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    %s: >-", r.facts[svc.Name])
	w.linef("      {{ {'target': upstep_wanted, 'skip': upstep_there | bool and not upstep_begun | bool,")
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
	// One that was begun to another version and has it by now was ended by hand.
	w.linef("    upstep_begun: >-")
	w.linef("      {{ upstep_kept_version.begun | default(false) and (upstep_same | bool or upstep_found.version != upstep_kept_version.target) }}")
	r.keptVersion(w)
	w.linef("")
	w.own(0, saysSkip)
	w.linef("  ansible.builtin.debug:")
	w.value(4, "msg", svc.Name+": {{ upstep_installed["+jinja(svc.Name)+"].version }} is there")
	w.linef("  when: %s.skip | bool", r.facts[svc.Name])
	w.linef("")
	r.keep(w, svc, "Keep the version of "+svc.Name+" before its upgrade", true)
	r.write(decideDir+svc.Name+".yml", w)
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
	w.linef("  when: not %s.skip | bool and not ansible_check_mode", r.facts[svc.Name])
	if !begun {
		w.linef("  changed_when: false")
	}
	w.linef("  vars:")
	w.linef("    upstep_keeps:")
	w.linef("      target: %s", source.Quote(strings.TrimSpace(svc.Target)))
	w.linef("      previous: \"{{ %s.previous }}\"", r.facts[svc.Name])
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
	w.linef("    - name: %s", source.Quote(saysBegin))
	w.linef("      ansible.builtin.copy:")
	w.value(8, "dest", keptFile(svc))
	w.linef("        content: \"{{ upstep_keeps | to_json }}\"")
	w.linef("        mode: \"0644\"")
	w.linef("      changed_when: false")
}

// decide takes in the decision on a service, unless it was taken before.
func (r *renderer) decide(w *writer, svc *planner.Service, u planner.Unit, indent int, up string) {
	path, name := decideDir+svc.Name+".yml", "Decide on "+svc.Name
	if takesBack(u) {
		path, name = previousDir+svc.Name+".yml", "Look for the version of "+svc.Name+" before its upgrade"
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
	if strings.Contains(svc.Vars, "upstep_state_dir") {
		w.linef("%s  vars:", pad)
		w.text(svc.Vars, indent+4)
	}
	w.linef("%s  when: (%s | default({})).target | default('') != %s", pad, r.facts[svc.Name], jinja(strings.TrimSpace(svc.Target)))
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
// own tasks in a step, and none that comes after all stages or on hosts that took over.
func (r *renderer) decided(u planner.Unit, s planner.Segment) *planner.Service {
	svc := r.svc[s.Service]
	if u.Kind != planner.KindStep || s.Links != "" || !skips(svc) || strings.HasPrefix(u.ID, planner.PostUpgrade+"/") || r.role[u.Role].Replaces != "" {
		return nil
	}
	return svc
}

// forAll tells whether one host of a unit may do something for all of them.
func forAll(u planner.Unit) bool { return u.Once || u.Backup }

// whenDecided gives the condition of a service's tasks. What one host does for all of them is
// done where any of them has something to do.
func (r *renderer) whenDecided(svc *planner.Service, u planner.Unit) string {
	if forAll(u) {
		return fmt.Sprintf("ansible_play_batch | map('extract', hostvars) | selectattr('%s.skip', 'false') | list | length > 0", r.facts[svc.Name])
	}
	return "not " + r.facts[svc.Name] + ".skip | bool"
}

// concluded takes in what is remembered when a service's last unit has ended on a host.
func (r *renderer) concluded(w *writer, svc *planner.Service, u planner.Unit, up string) {
	name, path := "Note that "+svc.Name+" is upgraded", doneDir+svc.Name+".yml"
	if takesBack(u) {
		name, path = "Note that "+svc.Name+" was taken back", undoneDir+svc.Name+".yml"
	}
	flush(w, 0) // one that fails must find the upgrade begun
	w.linef("- name: %s", source.Quote(name))
	w.linef("  ansible.builtin.import_tasks: %s%s", up, path)
	for _, k := range svc.Play {
		w.text(k.Text, 2)
	}
	if strings.Contains(svc.Vars, "upstep_state_dir") {
		w.linef("  vars:")
		w.text(svc.Vars, 4)
	}
}

// previousVersion is the Jinja expression of what was installed before: where one host does
// something for all, on the first of those that are upgraded.
func (r *renderer) previousVersion(svc *planner.Service, once bool) string {
	fact := r.facts[svc.Name]
	if once {
		return fmt.Sprintf("ansible_play_batch | map('extract', hostvars) | selectattr('%s.skip', 'false') | map(attribute='%s.previous') | first | default('')", fact, fact)
	}
	return fmt.Sprintf("(%s | default({})).previous | default('')", fact)
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
					all = append(all, r.facts[name]+".skip")
				}
			}
		}
	}
	switch {
	case always || len(all) == 0: // a replacement hangs on no version
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
