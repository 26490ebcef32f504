package playbooks

import (
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// diskFile writes the question whether there is room for a role's services, and gives
// its path; "" where none of them needs any.
//
// A path that is not there yet will be made on the file system of what is there of it.
// Needs are added up by file system: by its device, where it has one, as one device may
// be mounted at several places. Hosts of several roles keep what each of these needs.
func (r *renderer) diskFile(role *planner.Role) string {
	type need struct {
		service string
		planner.Disk
	}
	var needs []need
	for _, svc := range r.servicesOn(role) {
		for _, d := range svc.Disk {
			needs = append(needs, need{svc.Name, d})
		}
	}
	if len(needs) == 0 {
		return ""
	}
	w, path := r.checkFile(role, "disk", "Room on the disks for the services of "+role.Name+": what is needed on one file system is added up.")
	w.firm(0, "Room on the disks for "+role.Name)
	w.linef("  block:")
	w.linef("    - name: Ask for the file systems of the paths")
	w.linef("      ansible.builtin.shell:")
	w.linef("        cmd: |")
	w.linef("          while read -r at; do")
	w.linef("            while [ ! -e \"$at\" ] && [ \"$at\" != / ]; do at=$(dirname \"$at\"); done")
	w.linef("            df -Pk \"$at\" || exit")
	w.linef("          done <<'PATHS'")
	for _, n := range needs {
		w.linef("          %s", n.Path)
	}
	w.linef("          PATHS")
	w.linef("      register: upstep_df")
	w.linef("      changed_when: false")
	w.linef("      check_mode: false")
	w.linef("")
	w.linef("    - name: Note what is needed and what is there")
	w.linef("      ansible.builtin.set_fact:")
	w.linef("        upstep_disk: >-")
	w.linef("          {{ upstep_disk | default({}) | combine({item.service ~ ' ' ~ item.path: item | combine({'role': upstep_role,")
	w.linef("          'system': upstep_line | regex_replace(upstep_form, '\\1') if upstep_line is match('/|\\S+:/') else upstep_line | regex_replace(upstep_form, '\\3'),")
	w.linef("          'shown': upstep_line | regex_replace(upstep_form, '\\3 (\\1)'), 'free': upstep_line | regex_replace(upstep_form, '\\2') | int * 1024})}) }}")
	w.linef("      vars:")
	w.linef("        upstep_form: ^(.*?) +[0-9]+ +[0-9]+ +(-?[0-9]+) +\\S+ +(/.*)$")
	w.linef("        upstep_line: \"{{ (upstep_df.stdout_lines | select('match', upstep_form))[upstep_number] }}\"")
	w.linef("      loop:")
	for _, n := range needs {
		w.linef("        - {service: %s, path: %s, size: %s, bytes: %d}", source.Quote(n.service), source.Quote(n.Path), source.Quote(n.Size), n.Bytes)
	}
	w.linef("      loop_control:")
	w.linef("        index_var: upstep_number")
	w.linef("        label: \"{{ item.size }} for {{ item.service }} in {{ item.path }}\"")
	w.linef("")
	w.own(4, "Room on the disks")
	w.linef("      ansible.builtin.assert:")
	w.linef("        that: upstep_short | trim == 'short of room:'")
	w.linef("        fail_msg: \"{{ upstep_short | trim | regex_replace('^short of room: *|;$', '') }}\"")
	w.linef("        quiet: true")
	w.linef("      vars:")
	w.linef("        upstep_short: >-")
	w.linef("          short of room: {%% for on in upstep_disk.values() | groupby('system') if upstep_role in on.list | map(attribute='role')")
	w.linef("          and on.list | sum(attribute='bytes') > on.list[0].free %%}")
	w.linef("          {{ on.list[0].shown }} needs {{ on.list | sum(attribute='bytes') | human_readable }} and has {{ on.list[0].free | human_readable }}:")
	w.linef("          {%% for need in on.list %%}{{ need.size }} for {{ need.service }} in {{ need.path }}{{ ';' if loop.last else ',' }}")
	w.linef("          {%% endfor %%}{%% endfor %%}")
	w.linef("  rescue:")
	noteFailure(w, 4, "Note that the disks are not ready", "")
	r.write(path, w)
	return path
}
