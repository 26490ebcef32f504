package playbooks

import (
	"bytes"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// ProjectEnv names the variable of the environment that says where the project's folder
// is. Where it is not set, playbooks take it to be the folder that their tree stands in.
const ProjectEnv = "UPSTEP_PROJECT"

// projectVar is the variable by which tasks find the files of the project.
const projectVar = "upstep_project"

// projectFolder is its value, in Jinja: the trees of a route's hops stand a folder deeper.
func projectFolder(p *planner.Plan) string {
	up := "/.."
	if p.Hop != nil {
		up = "/../.."
	}
	return `"{{ lookup('ansible.builtin.env', '` + ProjectEnv + `') | default((playbook_dir ~ '` + up + `') | realpath, true) }}"`
}

// namesProject tells whether a plan's tasks look for files of the project.
func namesProject(p *planner.Plan) bool {
	names := func(text string) bool { return strings.Contains(text, projectVar) }
	task := func(t planner.Task) bool { return names(t.Text) }
	return names(p.Vars) || slices.ContainsFunc(p.Services, func(s planner.Service) bool {
		return names(s.Vars) || names(s.Probe) || slices.ContainsFunc(s.Tasks, task) || slices.ContainsFunc(s.Handlers, task) ||
			slices.ContainsFunc(s.Assets, func(a planner.Asset) bool { return bytes.Contains(a.Data, []byte(projectVar)) })
	}) || slices.ContainsFunc(slices.Concat(p.Before, p.After), func(d planner.Deployment) bool {
		return names(d.Vars) || slices.ContainsFunc(d.Tasks, task)
	})
}
