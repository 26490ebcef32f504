package playbooks

import (
	"fmt"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// requiredCheck fails where a service does not stand between the versions that another one
// requires of it.
func (r *renderer) requiredCheck(w *writer, req planner.Required) {
	by := req.By
	if req.Hop != "" {
		by += " from " + req.Hop
	}
	w.linef("")
	defer func(from int) { w.made(from, req.Place) }(w.lines + 1)
	installed := "upstep_installed[" + jinja(req.Service) + "]"
	w.firm(0, "What "+by+" requires of "+req.Service)
	w.linef("  when: %s is defined", installed)
	w.linef("  block:")
	w.linef("    - name: %s", source.Quote("Version of "+req.Service+" that "+by+" requires"))
	w.linef("      ansible.builtin.assert:")
	w.linef("        that:")
	w.linef("          - upstep_found.number != ''")
	if low, is := planner.ParseVersion(req.Min); is {
		w.element(10, fmt.Sprintf("upstep_found.number == '' or upstep_found.number is version('%s', '>=', version_type='pep440')", low.Number))
	}
	if high, is := planner.ParseVersion(req.Max); is {
		w.element(10, fmt.Sprintf("upstep_found.number == '' or upstep_found.number.split('.')[:%d] | join('.') is version('%s', '<=', version_type='pep440')", planner.Numbers(high.Number), high.Number))
	}
	w.linef("        fail_msg: >-")
	w.linef("          {{ upstep_found.version | default('nothing', true) ~ ' is installed, and ' ~ %s }}", jinja(fmt.Sprintf("%s requires %s (%s)", by, &req.Requirement, req.File)))
	w.linef("        quiet: true")
	w.linef("      vars:")
	w.linef("        upstep_found: \"{{ %s }}\"", installed)
	w.linef("  rescue:")
	noteFailure(w, 4, "Note that "+req.Service+" is not what "+by+" requires", req.Service)
}
