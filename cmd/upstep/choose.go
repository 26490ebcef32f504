package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
	"github.com/upstep/upstep/source"
)

// choose gives what the flags select of a plan. What names nothing is refused, all of it
// at once: a run that does nothing for a slip of the fingers looks like one that went well.
func (a *app) choose(f runFlags, plan *planner.Plan) (runner.Selection, error) {
	s := f.Selection
	var wrong []string
	check := func(flag string, words, known []string) {
		for _, w := range words {
			if slices.Contains(known, w) {
				continue
			}
			text := fmt.Sprintf("%s %s: the plan has no such %s", flag, shellWord(w), strings.TrimPrefix(strings.Replace(flag, "rerun", "unit", 1), "--"))
			if near := source.Nearest(w, known); near != "" {
				text += fmt.Sprintf("; did you mean %q?", near)
			}
			wrong = append(wrong, text)
		}
	}
	var stages, roles, services, steps, units, numbers []string
	for _, u := range unitsOf(plan) {
		units = append(units, u.ID)
		if stage, _, _ := strings.Cut(u.ID, "/"); u.Role == "" && !slices.Contains(stages, stage) {
			stages = append(stages, stage)
		}
		if u.Kind == planner.KindStep {
			steps = append(steps, strconv.Itoa(u.Step))
		}
	}
	for _, st := range plan.Stages {
		stages = append(stages, st.Name)
	}
	for _, r := range plan.Roles {
		roles = append(roles, r.Name)
	}
	for _, svc := range plan.Services {
		services = append(services, svc.Name)
	}
	for _, n := range s.Steps {
		numbers = append(numbers, strconv.Itoa(n))
	}
	check("--stage", s.Stages, stages)
	check("--role", s.Roles, roles)
	check("--service", s.Services, services)
	check("--step", numbers, steps)
	check("--rerun", f.Rerun, units)
	for _, name := range s.Roles { // a role that is replaced and the one that takes over go together
		if old, taking, ok := plan.Instances(name); ok {
			s.Roles = append(slices.Clip(s.Roles), old.Name, taking.Name)
		}
	}
	s.Hosts = a.matching("--limit", f.limit, plan, &wrong)
	s.Exclude = a.matching("--exclude", f.exclude, plan, &wrong)
	if len(wrong) > 0 {
		return s, usageError{errors.New(strings.Join(wrong, "\n")), "upstep plan shows what there is"}
	}
	return s, nil
}

// matching gives the plan's hosts that a flag's pattern names. A host that left the
// inventory may still be named.
func (a *app) matching(flag string, words []string, plan *planner.Plan, wrong *[]string) []string {
	if len(words) == 0 {
		return nil
	}
	members := map[string]bool{}
	for _, r := range plan.Roles {
		for _, h := range r.Members {
			members[h] = true
		}
	}
	var gone, parts []string
	for _, w := range words {
		if members[w] && !slices.Contains(a.hosts.Hosts(), w) {
			gone = append(gone, w)
		} else {
			parts = append(parts, w)
		}
	}
	if len(parts) == 0 {
		return gone
	}
	pattern := strings.Join(parts, ",")
	for _, part := range a.hosts.Unmatched(pattern) {
		text := fmt.Sprintf("%s %s: the inventory has no such host or group", flag, shellWord(part))
		if near := source.Nearest(part, a.hosts.Names()); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		*wrong = append(*wrong, text)
	}
	found, err := a.hosts.Match(pattern)
	if err != nil {
		*wrong = append(*wrong, flag+": "+err.Error())
	}
	found = slices.DeleteFunc(found, func(h string) bool { return !members[h] })
	if len(found)+len(gone) == 0 && len(*wrong) == 0 {
		*wrong = append(*wrong, fmt.Sprintf("%s %s: names no host of the plan", flag, shellWord(pattern)))
	}
	return append(found, gone...)
}
