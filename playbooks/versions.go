package playbooks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// versionsDir holds how the installed version of each service is asked for: a task file
// for each, which preflight and steps take in alike.
const versionsDir = planner.VersionsDir

// noteFile takes apart what a probe said. No service has a name that begins with _.
const noteFile = versionsDir + "/_note.yml"

// probes writes the files of versionsDir.
func (r *renderer) probes() {
	some := false
	for i := range r.plan.Services {
		if svc := &r.plan.Services[i]; svc.Probe != "" {
			r.probeFile(svc)
			some = true
			if skips(svc) {
				r.decisionFiles(svc)
			}
		}
	}
	if !some {
		return
	}
	w := &writer{}
	w.linef("---")
	w.comment("What a probe said of upstep_service, whole and taken apart, so that versions compare as versions: 1.10 is beyond 1.9. " +
		"A probe that fails says that nothing is installed; text that is no version has no number.")
	w.linef("- name: Note the installed version")
	w.linef("  ansible.builtin.set_fact:")
	w.linef("    upstep_installed: >-")
	w.linef("      {{ upstep_installed | default({}) | combine({upstep_service: {'version': upstep_probe.stdout | trim,")
	w.linef("      'epoch': upstep_probe.stdout | trim | lower | regex_replace(upstep_form, '\\1') | default('0', true),")
	w.linef("      'number': upstep_probe.stdout | trim | lower | regex_replace(upstep_form, '\\2\\3\\4\\5\\6'),")
	w.linef("      'revision': (['0'] + (upstep_probe.stdout | trim | lower | regex_replace(upstep_form, '\\7') | regex_findall('[0-9]+'))) | join('.')}")
	w.linef("      if upstep_probe.rc | default(1) == 0 and upstep_probe.stdout | trim | lower is match(upstep_form) else")
	w.linef("      {'version': upstep_probe.stdout | trim if upstep_probe.rc | default(1) == 0 else '', 'epoch': '', 'number': '', 'revision': ''}}) }}")
	w.linef("  vars:")
	w.linef("    upstep_form: %s", planner.VersionForm)
	r.write(noteFile, w)
}

// probeFile writes how the installed version of a service is asked for.
func (r *renderer) probeFile(svc *planner.Service) {
	w := &writer{}
	w.madeFor(svc.Place)
	w.linef("---")
	w.comment("The installed version of " + svc.Name + " (" + svc.File + "), noted as upstep_installed.")
	w.linef("- name: %s", source.Quote("Version of "+svc.Name))
	r.serviceVars(w, svc, 2, svc.Bootstrap, false)
	for _, k := range deciding(planner.Unit{Kind: planner.KindPreflight}, svc.Play) {
		w.text(k.Text, 2)
	}
	w.linef("  block:")
	module, allowed := probeModule(svc.Probe)
	w.linef("    - name: %s%s", source.Quote("Ask for the installed version of "+svc.Name), allowed)
	w.linef("      ansible.builtin.%s:", module)
	w.value(8, "cmd", svc.Probe)
	w.linef("      register: upstep_probe")
	w.linef("      changed_when: false")
	w.linef("      failed_when: false")
	w.linef("      check_mode: false")
	w.linef("")
	w.linef("    - name: %s", source.Quote("Note the installed version of "+svc.Name))
	w.linef("      ansible.builtin.import_tasks: ../%s", noteFile)
	w.linef("      vars:")
	w.linef("        upstep_service: %s", source.Quote(svc.Name))
	r.write(probePath(svc), w)
}

func probePath(svc *planner.Service) string { return versionsDir + "/" + svc.Name + ".yml" }

var braces = regexp.MustCompile(`\{\{.*?\}\}`)

// probeModule chooses how a probe is run: by a shell only where it needs one. The second
// result tells ansible-lint which of its rules do not hold for a command that only asks.
func probeModule(probe string) (module, allowed string) {
	module = "command"
	bare := braces.ReplaceAllString(probe, "")
	var rules []string
	if strings.ContainsAny(bare, "&|<>;$\n*[]{}?`") {
		module = "shell"
	} else if strings.Contains(bare, "~") {
		module, rules = "shell", append(rules, "command-instead-of-shell")
	}
	if strings.Contains(bare, "|") {
		rules = append(rules, "risky-shell-pipe")
	}
	first, _, _ := strings.Cut(probe, " ")
	if slices.Contains([]string{"curl", "git", "hg", "rpm", "sed", "service", "supervisorctl", "svn", "systemctl", "tar", "unzip", "wget", "yum"}, first[strings.LastIndexByte(first, '/')+1:]) {
		rules = append(rules, "command-instead-of-module")
	}
	if len(rules) > 0 {
		allowed = " # noqa: " + strings.Join(rules, " ")
	}
	return module, allowed
}

// saysVersion is the name of the task that shows what is installed.
const saysVersion = "Installed version"

// TellsVersion tells whether a task of the tree shows what is installed of a service, as
// its message.
func TellsVersion(file, task string) bool {
	return strings.HasPrefix(file, Preflight+"/") && strings.HasSuffix(file, ".versions.yml") && task == saysVersion
}

// versionsFile writes the look at the versions on a role's hosts, and gives its path; ""
// where no service of it has a probe.
func (r *renderer) versionsFile(role *planner.Role) string {
	var probed []*planner.Service
	for _, svc := range r.servicesOn(role) {
		if svc.Probe != "" {
			probed = append(probed, svc)
		}
	}
	if len(probed) == 0 {
		return ""
	}
	title := "Versions on the hosts of " + role.Name + "; none may be beyond what is wanted, as that would be a downgrade."
	switch {
	case r.plan.Undo != "":
		title = "Versions on the hosts of " + role.Name + ", before they go back."
	case r.plan.AllowDowngrade:
		title = "Versions on the hosts of " + role.Name + "; downgrades are allowed (--allow-downgrade)."
	}
	w, path := r.checkFile(role, "versions", title)
	for _, svc := range probed {
		w.linef("")
		from := w.lines + 1
		w.comment(svc.Name + " (" + svc.File + ")")
		w.firm(0, "Version of "+svc.Name)
		for _, k := range svc.Play {
			if k.Name == "no_log" {
				w.text(k.Text, 2)
			}
		}
		w.linef("  block:")
		w.linef("    - name: %s", source.Quote("Probe of "+svc.Name))
		w.linef("      ansible.builtin.import_tasks: ../%s", probePath(svc))
		w.linef("")
		r.versionCheck(w, svc)
		w.linef("  rescue:")
		noteFailure(w, 4, "Note that "+svc.Name+" is not ready", svc.Name)
		w.made(from, svc.Place)
		if role.Replaces != "" {
			continue // what others require is asked of those that serve
		}
		for _, req := range r.plan.RequiredOf(svc.Name) {
			r.requiredCheck(w, req)
		}
	}
	r.write(path, w)
	return path
}

// versionCheck shows what is installed, and fails where it is beyond the target.
func (r *renderer) versionCheck(w *writer, svc *planner.Service) {
	said := svc.Name + ": {{ upstep_found.version | default('nothing', true) }} is installed"
	target, isVersion := planner.ParseVersion(svc.Target)
	shown := strings.TrimSpace(svc.Target)
	if isVersion && r.plan.Undo == "" && !strings.Contains(shown, "{") {
		said += ", " + shown + " is wanted"
	} else {
		shown = target.Number
	}
	w.linef("    - name: %s", saysVersion)
	if !isVersion || r.plan.AllowDowngrade {
		w.linef("      ansible.builtin.debug:")
		w.value(8, "msg", said)
	} else {
		installed, wanted := compared(target)
		w.linef("      ansible.builtin.assert:")
		w.linef("        that:")
		w.linef("          - upstep_found.version == '' or upstep_found.number != ''")
		w.element(10, fmt.Sprintf("upstep_found.version == '' or %s is not version('%s', '>', version_type='pep440')", installed, wanted))
		w.value(8, "success_msg", said)
		w.linef("        fail_msg: >-")
		w.linef("          {{ 'the probe says \"' ~ upstep_found.version ~ '\", which is no version' if upstep_found.number == '' else")
		w.linef("          upstep_found.version ~ ' is installed, which is beyond ' ~ %s ~ ' (--allow-downgrade allows it)' }}", jinja(shown))
	}
	w.linef("      vars:")
	w.linef("        upstep_found: \"{{ upstep_installed[%s] }}\"", jinja(svc.Name))
}

// compared gives the Jinja expression of an installed version, upstep_found, and the
// target, in the form in which they are compared. An epoch and a package's revision
// count where the target has them: who wants 21.2.4 means any revision of it.
func compared(target planner.Version) (installed, wanted string) {
	installed, wanted = "upstep_found.number", target.Number
	if target.Epoch != "" {
		installed, wanted = "upstep_found.epoch ~ '!' ~ "+installed, target.Epoch+"!"+wanted
	}
	if target.Revision != "" {
		installed, wanted = installed+" ~ '+' ~ upstep_found.revision", wanted+"+0."+target.Revision
	}
	if installed != "upstep_found.number" {
		installed = "(" + installed + ")"
	}
	return installed, wanted
}
