package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// readme says what the tree is and how it is run by hand.
func (r *renderer) readme() string {
	var b strings.Builder
	p := r.plan
	title := orUpgrade(visible(strings.Join(strings.Fields(p.Name), " ")))
	fmt.Fprintf(&b, "# Playbooks of %s%s\n\n", title, hopOf(p))
	b.WriteString("Made by `upstep emit`. Change the project's services and roles and emit again; `sha256sum -c SHA256SUMS` tells whether\nanything here was changed by hand.\n\n## What was planned\n\n")
	for _, s := range p.Stages {
		if len(s.Waves) == 0 {
			continue
		}
		fmt.Fprintf(&b, "- Stage %s\n", s.Name)
		for _, w := range s.Waves {
			var parts []string
			for _, st := range w.Steps {
				parts = append(parts, fmt.Sprint(st.Number))
			}
			if len(parts) > 0 {
				fmt.Fprintf(&b, "  - wave %d: steps %s\n", w.Number, strings.Join(parts, ", "))
			}
			for _, t := range w.Tracks {
				if r.plan.Replaced(t) {
					fmt.Fprintf(&b, "  - wave %d: %s\n", w.Number, r.phases(t))
					continue
				}
				ro := r.role[t.Role].Rolling
				fmt.Fprintf(&b, "  - wave %d: %s in batches of %s\n", w.Number, t.Role, strings.Join(ro.Batch, ", "))
			}
		}
	}
	b.WriteString("\n## Running it by hand\n\n```\n")
	commands := [][2]string{{"upgrade.yml", "everything"}}
	for _, s := range p.Stages {
		switch {
		case s.Name == planner.Retire:
			commands[0][1] = "everything, but what was replaced stays"
			commands = append(commands, [2]string{"retire.yml -e upstep_retire=true", "it is taken away"})
			if r.retiresAtOnce() {
				commands[0][1], commands[len(commands)-1] = "everything", [2]string{"retire.yml", "what was replaced is taken away"}
			}
		case len(s.Waves) > 0:
			commands = append(commands, [2]string{s.Name + ".yml", "one stage"})
		}
	}
	if len(p.Roles) > 0 {
		if i := slices.IndexFunc(p.Roles, func(o planner.Role) bool { return !r.idle(o.Name) }); i >= 0 {
			commands = append(commands, [2]string{p.Roles[i].Name + ".yml", "one role, all its steps"})
		}
	}
	if len(p.Rollback) > 0 {
		commands = append(commands, [2]string{"rollback.yml", "every rollback task, backwards"})
	}
	width := 0
	for _, c := range commands {
		width = max(width, len(c[0]))
	}
	for _, c := range commands {
		fmt.Fprintf(&b, "ansible-playbook -i INVENTORY %-*s # %s\n", width, c[0], c[1])
	}
	b.WriteString("```\n\n")
	b.WriteString("Add `--tags upstep_step3` for one step of the roles that step together; rolling roles take all steps at a time and are left out then.\n")
	b.WriteString("The tasks' own tags are kept, for `--skip-tags`; choosing by them is refused, as it would leave out draining and health gates. A\nrole's playbook begins with what it must wait for when roles are driven one by one.\n\n")
	b.WriteString("Every failed or unreachable host stops what comes after it. In a batch, a host that fails stays out of traffic and the role stops:\na role's `max_failures` cannot be expressed in a play, so it counts as 0 here.\n\n")
	b.WriteString("Before it stops, each host that failed in a batch says that it is out of traffic. Ansible ends without a word of this tree's where no host\nof a batch can be reached: its hosts are out of traffic then, and with `drain: role` all of the role's.\n\n")
	r.retiring(&b)
	b.WriteString("## What a play cannot do\n\nGo on where a run ended (run again: tasks must bear it); remember handlers that were notified on a host that then failed (restart what\nthey restart by hand); defer a host that does not drain; wait for approvals and maintenance windows; take rolling roles side by side.\n")
	return b.String()
}
