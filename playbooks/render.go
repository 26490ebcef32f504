package playbooks

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// settingsFile is where the deployment's own settings stand.
const settingsFile = "upgrade.yaml"

// varsFile holds the inputs and variables that hold for every play.
const varsFile = "vars/upgrade.yml"

// renderer writes the files of one plan.
type renderer struct {
	plan    *planner.Plan
	svc     map[string]*planner.Service
	task    map[string]map[string]*planner.Task // by service and id
	role    map[string]*planner.Role
	files   []File
	origins map[string][]origin
	packed  map[string]bool     // files of packs' roles that are written
	facts   map[string]string   // by service, what holds the decision on its version
	last    map[lastUnit]string // of services on whose version something hangs
	project bool                // something names the project's folder
}

func newRenderer(p *planner.Plan) *renderer {
	r := &renderer{
		plan: p, svc: map[string]*planner.Service{}, task: map[string]map[string]*planner.Task{},
		role: map[string]*planner.Role{}, origins: map[string][]origin{}, packed: map[string]bool{}, facts: factNames(p),
	}
	for i := range p.Services {
		s := &p.Services[i]
		r.svc[s.Name] = s
		byID := make(map[string]*planner.Task, len(s.Tasks))
		for j := range s.Tasks {
			byID[s.Tasks[j].ID] = &s.Tasks[j]
		}
		r.task[s.Name] = byID
	}
	for i := range p.Roles {
		r.role[p.Roles[i].Name] = &p.Roles[i]
	}
	r.last = r.lastUnits()
	r.project = namesProject(p)
	return r
}

func (r *renderer) add(path string, data []byte) {
	r.files = append(r.files, File{Path: path, Data: data})
}

func (r *renderer) write(path string, w *writer) {
	r.files = append(r.files, File{Path: path, Data: []byte(w.String())})
	r.origins[path] = w.origins
}

// everyUnit calls f for every unit that is emitted as a task file.
func (r *renderer) everyUnit(f func(planner.Unit)) {
	for _, u := range r.plan.Preflight {
		f(u)
	}
	for _, stages := range [][]planner.Stage{r.plan.Stages, r.plan.Rollback} {
		for _, s := range stages {
			s.Units(func(_ planner.Wave, u planner.Unit) { f(u) })
		}
	}
}

// units writes the task file of every unit.
func (r *renderer) units() {
	r.everyUnit(func(u planner.Unit) {
		w := &writer{}
		w.linef("---")
		w.comment("Unit " + u.ID + r.unitNote(u) + ".")
		w.madeFor(r.role[u.Role].Place)
		others := stoodFor(u)
		for i := range u.Segments {
			w.linef("")
			r.segment(w, u, u.Segments[i], others)
		}
		r.write(u.ID+".yml", w)
	})
	r.links()
}

// stoodFor gives the services whose tasks a unit's stand for, by the task's service and id.
func stoodFor(u planner.Unit) map[[2]string][]string {
	out := map[[2]string][]string{}
	for _, l := range u.LeftOut {
		by := [2]string{l.SameAs, l.SameTask}
		other := l.Service
		if other == l.SameAs {
			other += " itself"
		}
		out[by] = append(out[by], other)
	}
	return out
}

func (r *renderer) unitNote(u planner.Unit) string {
	switch {
	case u.Backup:
		return ": the backup before the first migration"
	case u.Once:
		return ": one task that runs once (run_once), a migration"
	case u.Kind == planner.KindPreflight:
		return ": every service's checks run, whatever the others say"
	}
	return ""
}

// segment writes one service's part of a unit.
func (r *renderer) segment(w *writer, u planner.Unit, s planner.Segment, others map[[2]string][]string) {
	svc := r.svc[s.Service]
	defer func(from int) { w.made(from, svc.Place) }(w.lines + 1)
	keywords := deciding(u, svc.Play)
	w.guards = r.around(u.Role, keywords...)
	if s.Links != "" {
		r.linkCall(w, u, s)
		return
	}
	w.comment(svc.Name + " (" + svc.File + ")")
	for _, id := range s.Tasks {
		if list := others[[2]string{s.Service, id}]; len(list) > 0 {
			w.comment(cmp.Or(r.task[s.Service][id].Name, id) + ": stands for the same task of " + strings.Join(slices.Compact(list), ", "))
		}
	}
	asRole := packRole(svc)
	bootstrap := svc.Bootstrap
	version := r.decided(u, s)
	// Whatever is ignored elsewhere, a backup that fails must be seen.
	var firm []string
	if u.Backup {
		firm = w.guards.firm
	}
	if !asRole && len(firm) == 0 && svc.Vars == "" && len(keywords) == 0 && !bootstrap && u.Kind != planner.KindPreflight && version == nil {
		r.tasks(w, s, 0)
		return
	}
	up := strings.Repeat("../", strings.Count(u.ID, "/"))
	if version != nil {
		r.decide(w, svc, u, 0, up)
	}
	w.linef("- name: %s", source.Quote("Tasks of "+svc.Name))
	r.serviceVars(w, svc, 2, bootstrap, forAll(u))
	for _, line := range firm {
		w.linef("  %s", line)
	}
	for _, k := range keywords {
		w.text(k.Text, 2)
	}
	if version != nil {
		w.linef("  when: %s", r.whenDecided(svc, u))
	}
	w.linef("  block:")
	if bootstrap && r.hangsOnBootstrap(s) {
		r.bootstrapCheck(w, u, svc)
	}
	if asRole {
		r.roleCall(w, u, s)
	} else {
		r.tasks(w, s, 4)
	}
	if u.Kind == planner.KindPreflight {
		w.linef("  rescue:")
		noteFailure(w, 4, "Note that "+svc.Name+" is not ready", svc.Name)
	}
	if version != nil && r.last[lastUnit{svc.Name, u.Role, takesBack(u)}] == u.ID {
		w.linef("")
		r.concluded(w, svc, u, up)
	}
}

// serviceVars writes what a service's tasks and handlers see as variables.
func (r *renderer) serviceVars(w *writer, svc *planner.Service, indent int, bootstrap, once bool) {
	if svc.Vars == "" && !bootstrap && !skips(svc) {
		return
	}
	pad := strings.Repeat(" ", indent)
	w.linef("%svars:", pad)
	w.text(svc.Vars, indent+2)
	if skips(svc) {
		w.value(indent+2, "upstep_previous_version", "{{ "+r.previousVersion(svc, once)+" }}")
	}
	if bootstrap {
		w.linef("%s  upstep_bootstrap_host: >-", pad)
		w.linef("%s    {{ (%s if groups else []) | first | default('') }}", pad, r.bootstraps(svc))
		w.linef("%s  upstep_bootstrap: \"{{ inventory_hostname == upstep_bootstrap_host }}\"", pad)
	}
}

// carriers is the Jinja expression of every host that a service stands on, over all
// roles and whatever the limit.
func (r *renderer) carriers(service string) string {
	var parts []string
	for _, p := range r.svc[service].Placements {
		parts = append(parts, hostsOf(r.role[p.Role].Hosts))
	}
	return strings.Join(parts, " + ")
}

func hostsOf(pattern string) string {
	return "query('ansible.builtin.inventory_hostnames', " + jinja(pattern) + ")"
}

// jinja quotes text for a Jinja expression.
func jinja(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// hangsOnBootstrap tells whether tasks of a segment may do what is done on one host only.
func (r *renderer) hangsOnBootstrap(s planner.Segment) bool {
	svc := r.svc[s.Service]
	return packRole(svc) || strings.Contains(svc.Vars, "upstep_bootstrap") || slices.ContainsFunc(s.Tasks, func(id string) bool {
		return strings.Contains(r.task[s.Service][id].Text, "upstep_bootstrap")
	})
}

// bootstrapCheck stops where the host that does what is done once is not taking part.
func (r *renderer) bootstrapCheck(w *writer, u planner.Unit, svc *planner.Service) {
	w.own(4, "The first host of "+svc.Name+" takes part")
	w.linef("      ansible.builtin.assert:")
	w.linef("        that: upstep_bootstrap_host not in %s or upstep_bootstrap_host in ansible_play_hosts", hostsOf(r.role[u.Role].Hosts))
	w.linef("        fail_msg: \"{{ upstep_bootstrap_host }} does once what %s needs, and has failed or is outside the limit\"", svc.Name)
	w.linef("        quiet: true")
}

func (r *renderer) tasks(w *writer, s planner.Segment, indent int) {
	svc := r.svc[s.Service]
	for i, id := range s.Tasks {
		if i > 0 {
			w.linef("")
		}
		t := r.task[s.Service][id]
		w.traced(t.Text, indent, svc.File, t.Line)
	}
}

// packRole tells whether a pack's assets make it an Ansible role, so that its files,
// templates and task files are found by their own names.
func packRole(svc *planner.Service) bool {
	return slices.ContainsFunc(svc.Assets, func(a planner.Asset) bool { return strings.Contains(a.Path, "/") })
}

// roleCall writes the pack's tasks into its role, and the call of them.
func (r *renderer) roleCall(w *writer, u planner.Unit, s planner.Segment) {
	file := r.roleTasks(u, s)
	w.linef("    - name: %s", source.Quote("Role "+s.Service+", "+partName(u)))
	w.linef("      ansible.builtin.include_role:")
	w.linef("        name: %s", source.Quote(s.Service))
	w.linef("        tasks_from: %s", file)
}

func (r *renderer) roleTasks(u planner.Unit, s planner.Segment) string {
	name := "upstep_" + string(u.Kind)
	switch {
	case s.Links != "":
		name = "upstep_" + s.Links
	case u.Kind == planner.KindStep:
		first, _, _ := strings.Cut(s.Tasks[0], ".")
		name = fmt.Sprintf("upstep_%s_step%d", strings.TrimSuffix(first, "_tasks"), u.Step)
		fallthrough
	case isPhase(u.Kind):
		first, _, _ := strings.Cut(s.Tasks[0], ".")
		if r.cutApart(u, s) {
			name += "_" + strings.NewReplacer(".", "", "/", "_").Replace(strings.TrimPrefix(s.Tasks[0], first))
		}
	}
	file := name + ".yml"
	path := "roles/" + s.Service + "/tasks/" + file
	if !r.packed[path] {
		r.packed[path] = true
		w := &writer{}
		w.madeFor(r.svc[s.Service].Place)
		w.linef("---")
		w.comment(r.svc[s.Service].Name + " (" + r.svc[s.Service].File + ")")
		r.tasks(w, s, 0)
		r.write(path, w)
	}
	return file
}

// cutApart tells whether the service's tasks of this step or phase are spread over several
// units, by a run_once task among them.
func (r *renderer) cutApart(u planner.Unit, s planner.Segment) bool {
	list, _, _ := strings.Cut(s.Tasks[0], ".")
	own := 0
	for _, st := range slices.Concat(r.plan.Stages, r.plan.Rollback) {
		st.Units(func(_ planner.Wave, o planner.Unit) {
			if o.Role != u.Role || o.Step != u.Step || o.Kind != u.Kind {
				return
			}
			for _, seg := range o.Segments {
				if seg.Service == s.Service && strings.HasPrefix(seg.Tasks[0], list+".") {
					own++
				}
			}
		})
	}
	return own > 1
}

func partName(u planner.Unit) string {
	if u.Kind == planner.KindStep {
		return fmt.Sprintf("step %d", u.Step)
	}
	return u.Kind.Words()
}

// links writes what a service does for those behind it, once for all who call it.
func (r *renderer) links() {
	seen := map[string]bool{}
	r.everyUnit(func(u planner.Unit) {
		for _, s := range u.Segments {
			path := linkFile(s)
			if s.Links == "" || seen[path] {
				continue
			}
			seen[path] = true
			svc := r.svc[s.Service]
			w := &writer{}
			w.madeFor(svc.Place)
			w.linef("---")
			w.comment("For each host behind " + svc.Name + ", on each host that carries it (" + svc.File + ").")
			if svc.Vars == "" && len(svc.Play) == 0 && !svc.Bootstrap && !packRole(svc) {
				r.tasks(w, s, 0)
			} else {
				w.linef("- name: %s", source.Quote("Tasks of "+svc.Name))
				r.serviceVars(w, svc, 2, svc.Bootstrap, false)
				for _, k := range svc.Play {
					w.text(k.Text, 2)
				}
				w.linef("  block:")
				if packRole(svc) {
					r.roleCall(w, u, s)
				} else {
					r.tasks(w, s, 4)
				}
			}
			r.write(path, w)
		}
	})
}

func linkFile(s planner.Segment) string { return "links/" + s.Service + "/" + s.Links + ".yml" }

// linkCall runs a carrier's tasks on every host that carries it.
func (r *renderer) linkCall(w *writer, u planner.Unit, s planner.Segment) {
	verb := "Take out of traffic at "
	if s.Links == "establish" {
		verb = "Put back into traffic at "
	}
	w.comment(s.Service + " (" + r.svc[s.Service].File + "), on every host that carries it")
	w.own(0, "Some host carries "+s.Service)
	w.linef("  ansible.builtin.assert:")
	w.linef("    that: (%s) | length > 0", r.carriers(s.Service))
	w.linef("    fail_msg: %s", source.Quote("no host carries "+s.Service))
	w.linef("    quiet: true")
	w.linef("")
	w.linef("- name: %s", source.Quote(verb+s.Service))
	w.linef("  ansible.builtin.include_tasks:")
	w.linef("    file: %s%s", strings.Repeat("../", strings.Count(u.ID, "/")), linkFile(s))
	w.linef("    apply:")
	w.linef("      delegate_to: \"{{ upstep_carrier }}\"")
	w.linef("  loop: \"{{ %s }}\"", r.carriers(s.Service))
	w.linef("  loop_control:")
	w.linef("    loop_var: upstep_carrier")
}

// handlerFiles writes the handlers of every service that has some.
func (r *renderer) handlerFiles() {
	for i := range r.plan.Services {
		svc := &r.plan.Services[i]
		if len(svc.Handlers) == 0 {
			continue
		}
		w := &writer{}
		w.madeFor(svc.Place)
		w.linef("---")
		w.comment("Handlers of " + svc.Name + " (" + svc.File + ").")
		for j, h := range svc.Handlers {
			if j > 0 {
				w.linef("")
			}
			w.traced(h.Text, 0, svc.File, h.Line)
		}
		r.write("handlers/"+svc.Name+".yml", w)
	}
}

// assets copies the files of packs.
func (r *renderer) assets() {
	for i := range r.plan.Services {
		svc := &r.plan.Services[i]
		if !packRole(svc) {
			continue
		}
		for _, a := range svc.Assets {
			file := "roles/" + svc.Name + "/" + a.Path
			r.files = append(r.files, File{Path: file, Data: a.Data, Executable: a.Executable})
			from := path.Join(path.Dir(svc.File), a.Path)
			r.origins[file] = []origin{{from: 1, to: wholeFile, file: from, line: 1}, {from: 1, to: wholeFile, file: from, around: true}}
		}
	}
}
