package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// stageBook writes a playbook over all roles of some stages.
func (r *renderer) stageBook(path, stage, title string, stages []planner.Stage) {
	w := &writer{}
	w.linef("---")
	w.comment(title + ".")
	var names []string
	for _, s := range stages {
		s.Units(func(_ planner.Wave, u planner.Unit) {
			if !slices.Contains(names, u.Role) {
				names = append(names, u.Role)
			}
		})
	}
	for i := range r.plan.Roles {
		if slices.Contains(names, r.plan.Roles[i].Name) {
			r.emit(w, r.hostsPlay(r.plan.Roles[i].Name))
		}
	}
	for _, s := range stages {
		name := r.stageName(s)
		if stage == "" {
			name = backwards + s.Name
		}
		for _, wave := range s.Waves {
			for _, st := range wave.Steps {
				r.stepPlays(w, name, wave.Number, st)
			}
			for _, u := range wave.Health {
				r.emit(w, r.unitPlay(name, wave.Number, u))
			}
			for _, t := range wave.Tracks {
				if !r.plan.Replaced(t) {
					r.track(w, name, wave, t)
					continue
				}
				for _, u := range t.Parts {
					r.emit(w, r.unitPlay(name, wave.Number, u))
				}
			}
		}
	}
	r.write(path, w)
}

// stepPlays writes one step: units that do not wait for each other go side by side, a
// play with strategy free for each level of them. Ansible knows no failure policy in
// such a play, so a strict one follows that asks whether a host was lost. Steps with
// run_once or throttle, which free does not keep, stay linear.
func (r *renderer) stepPlays(w *writer, stage string, wave int, st planner.Step) {
	strict := slices.ContainsFunc(st.Units, func(u planner.Unit) bool { return u.Once || u.Throttle })
	for _, level := range levels(st.Units) {
		if strict || len(level) == 1 || !r.sameKeywords(level) {
			for _, u := range level {
				r.emit(w, r.unitPlay(stage, wave, u))
			}
			continue
		}
		r.emit(w, r.freePlay(stage, wave, level))
		r.emit(w, r.lostPlay(stage, wave, level))
	}
}

// levels puts each unit after all that it waits for.
func levels(units []planner.Unit) [][]planner.Unit {
	at := map[string]int{}
	var out [][]planner.Unit
	for _, u := range units {
		level := 0
		for _, a := range u.After {
			if l, ok := at[a.Unit]; ok {
				level = max(level, l+1)
			}
		}
		at[u.ID] = level
		if level == len(out) {
			out = append(out, nil)
		}
		out[level] = append(out[level], u)
	}
	return out
}

// sameKeywords tells whether the units' roles can share a play: keywords that differ
// can be put on blocks.
func (r *renderer) sameKeywords(units []planner.Unit) bool {
	onPlay := func(u planner.Unit) string {
		var text strings.Builder
		for _, k := range r.role[u.Role].Play {
			if !tasks.OnBlock(k.Name) {
				text.WriteString(k.Text)
			}
		}
		return text.String()
	}
	return !slices.ContainsFunc(units, func(u planner.Unit) bool { return onPlay(u) != onPlay(units[0]) })
}

func groupsOf(units []planner.Unit) (pattern string) {
	var names []string
	for _, u := range units {
		if g := groupName(u.Role); !slices.Contains(names, g) {
			names = append(names, g)
		}
	}
	return strings.Join(names, ":")
}

// freePlay runs several roles' units side by side, each host going at its own pace.
func (r *renderer) freePlay(stage string, wave int, units []planner.Unit) play {
	pattern := groupsOf(units)
	var roles []string
	var first []planner.Keyword
	for _, u := range units {
		roles = append(roles, u.Role+suffix(u.ID))
	}
	for _, k := range r.role[units[0].Role].Play {
		if !tasks.OnBlock(k.Name) {
			first = append(first, k)
		}
	}
	return play{
		name: r.title(stage, wave, units[0]) + ": " + strings.Join(roles, ", "), hosts: pattern, at: r.role[units[0].Role].Place, own: first,
		failure: []string{"strategy: ansible.builtin.free"}, tags: tags(stage, wave, units[0]), services: servicesOf(units...),
		vars: append(unitVars(stage, units[0]), roleOfHost(units)...),
		body: func(w *writer) {
			for i, u := range units {
				if i > 0 {
					w.linef("")
				}
				r.freeTask(w, u)
			}
		},
	}
}

// roleOfHost gives the lines of a variable that names a host's role in a play over
// several, for the handlers; each role's tasks are told by their include.
func roleOfHost(units []planner.Unit) []string {
	var list []string
	for _, u := range units {
		if line := fmt.Sprintf("  '%s' if '%s' in group_names else ''", u.Role, groupName(u.Role)); !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	out := append([]string{"upstep_role: >-", "  {{ ["}, strings.Split(strings.Join(list, ",\n"), "\n")...)
	return append(out, "  ] | select | first | default('') }}")
}

func (r *renderer) freeTask(w *writer, u planner.Unit) {
	w.linef("    - name: %s", source.Quote(capital(partName(u))+" of "+u.Role+suffix(u.ID)))
	if len(u.Hosts) > 0 {
		onHosts(w, u, 6)
	} else {
		w.linef("      when: \"'%s' in group_names\"", groupName(u.Role))
	}
	w.linef("      ansible.builtin.include_tasks:")
	w.linef("        file: %s.yml", u.ID)
	if apply := blockLevel(r.role[u.Role].Play); len(apply) > 0 {
		w.linef("        apply:")
		for _, k := range apply {
			w.text(k.Text, 10)
		}
	}
	w.linef("      vars:")
	w.linef("        upstep_role: %s", u.Role)
	for _, line := range r.instanceVars(u.Role) {
		w.linef("        %s", line)
	}
}

// lostPlay stops everything when a host was lost in the play before it.
func (r *renderer) lostPlay(stage string, wave int, units []planner.Unit) play {
	pattern := groupsOf(units)
	return play{
		name: r.title(stage, wave, units[0]) + ": no host was lost", hosts: pattern, at: r.role[units[0].Role].Place, tags: tags(stage, wave, units[0]), failure: allStop(),
		body: func(w *writer) {
			w.own(4, "Every host has ended the step")
			lost := lostOf("ansible_play_hosts_all")
			lostAssert(w, 6, lost, "failed: {{ "+lost+" | join(', ') }}")
		},
	}
}

// lostOf is the Jinja expression of the hosts that have failed or gone, of those that should be
// there, in their order: Ansible's own filters for sets keep none since 2.19.
func lostOf(expected string) string { return expected + " | reject('in', ansible_play_hosts) | list" }

// lostAssert writes the question whether hosts of the play have failed or gone.
func lostAssert(w *writer, indent int, lost, msg string) {
	pad := strings.Repeat(" ", indent)
	w.linef("%sansible.builtin.assert:", pad)
	w.linef("%s  that: %s | length == 0", pad, lost)
	w.linef("%s  fail_msg: \"%s\"", pad, msg)
	w.linef("%s  quiet: true", pad)
}

// stageName is how plays name a stage: whether it goes forwards or backwards.
func (r *renderer) stageName(s planner.Stage) string {
	if r.plan.Undo != "" {
		return backwards + s.Name
	}
	return s.Name
}
