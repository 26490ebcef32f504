package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain SERVICE|ROLE",
		Short: "Tell why a service or a role stands where it stands",
		Long: `Tell where a service stands in the plan, and because of which lines; or what stands on
a role, and what is done on its hosts in which order. Where both have the name, it tells
of the service: ROLE/ names the role.`,
		Example: "  upstep explain nova_compute\n  upstep explain Compute\n  upstep explain haproxy/      # the role, where a service has the name too",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse(cmd, "", "explain takes one service or role, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			return a.explain(plan, args[0])
		},
	}
	a.outputFlag(cmd)
	a.routeFlags(cmd)
	return cmd
}

func (a *app) explain(plan *planner.Plan, name string) error {
	if role := strings.TrimSuffix(name, "/"); plan.RoleByName(role) != nil && plan.ServiceByName(name) == nil {
		x, err := plan.ExplainRole(role)
		if err != nil {
			return err
		}
		return a.result(x, func() { a.roleExplanation(x) })
	}
	if plan.ServiceByName(name) == nil {
		_, err := plan.Explain(name)
		return usageError{err, cmp.Or(source.DidYouMean(name, plan.ServiceNames()), source.DidYouMean(name, plan.RoleNames()))}
	}
	x, err := plan.Explain(name)
	if err != nil {
		return err
	}
	return a.result(x, func() {
		a.explanation(x)
		if plan.RoleByName(name) != nil {
			a.printf("\na role has this name too: upstep explain %s/%s\n", shellWord(name), a.sameFlags())
		}
	})
}

func (a *app) explanation(x *planner.Explanation) {
	a.printf("%s (%s)\n", x.Service, at(x.Place))
	if x.Description != "" {
		a.printf("%s\n", strings.TrimSpace(x.Description))
	}
	if x.PackVersion != "" {
		a.printf("pack version %s\n", x.PackVersion)
	}
	for _, s := range x.Standings {
		a.printf("\non role %s (%s)%s\n", s.Role, at(s.Place), hostList(s.Hosts))
		a.printf("  %s: %s\n", standing(s.Stage, s.From, s.Wave), s.Why)
		for _, f := range s.WaveAfter {
			a.printf("  not before %s: %s%s\n", f.Unit, f.Reason, parenthesised(f.Place))
		}
		a.waitings(x.Service, slices.Concat(s.Preflight, s.Units, s.Rollback))
	}
	if len(x.DependsOn) > 0 {
		a.printf("\ndepends on\n")
		for _, d := range x.DependsOn {
			a.printf("  %-24s %s (%s)\n", d.Service, kindText(d), at(d.Place))
		}
	}
	if len(x.Dependents) > 0 {
		a.printf("\nneeded by\n")
		for _, d := range x.Dependents {
			a.printf("  %-24s %s (%s)\n", d.Service, kindText(d), at(d.Place))
		}
	}
	a.preflightOf(x)
	if x.Behind != "" {
		a.printf("\nits traffic is carried by %s, which takes its hosts out and puts them back\n", x.Behind)
	}
}

// preflightOf says what preflight asks for a service beside its own tasks.
func (a *app) preflightOf(x *planner.Explanation) {
	if x.Target != "" {
		a.printf("\nversion %s is wanted", x.Target)
		if x.Probe != "" {
			a.printf("; preflight asks what is installed: %s", strings.TrimSpace(x.Probe))
		}
		a.printf("\n")
	}
	for _, r := range x.Requires {
		hop := ""
		if r.Hop != "" {
			hop = ", for the hop " + r.Hop
		}
		a.printf("\nrequires %s %s%s (%s)\n", r.Service, &r, hop, at(r.Place))
	}
	if len(x.Disk) > 0 {
		a.printf("\nneeds on its hosts: %s\n", roomText(x.Disk))
	}
	if len(x.Delegates) == 0 {
		return
	}
	a.printf("\ndelegates; preflight asks these hosts too\n")
	for _, d := range x.Delegates {
		a.printf("  %s: %s (%s)\n", d.To, cmp.Or(d.Name, d.Task), at(planner.Place{File: x.File, Line: d.Line}))
		if d.NotAsked != "" {
			a.printf("      not asked: %s\n", d.NotAsked)
		}
	}
}

// roomText lists how much room is needed where.
func roomText(list []planner.Disk) string {
	var out []string
	for _, d := range list {
		out = append(out, d.Size+" in "+d.Path)
	}
	return strings.Join(out, ", ")
}

// waitings lists units with a service's tasks, and with those that stand for such.
func (a *app) waitings(service string, units []planner.Waiting) {
	for _, u := range units {
		a.printf("  %s\n", u.Unit)
		for _, t := range u.Tasks {
			a.printf("      - %s\n", t)
		}
		a.leftOut(service, u.LeftOut)
		a.waits(u)
	}
}

// leftOut lists tasks that identical ones stand for, as the service sees it.
func (a *app) leftOut(service string, list []planner.LeftOut) {
	for _, l := range list {
		name := cmp.Or(l.Name, l.Task)
		switch {
		case l.Service == service && l.SameAs == service:
			a.printf("      left out: %s (%s): %s is identical\n", name, at(l.Place), l.SameTask)
		case l.Service == service:
			a.printf("      left out: %s (%s): %s of %s is identical and stands for it\n", name, at(l.Place), l.SameTask, l.SameAs)
		default:
			a.printf("      %s stands for %s of %s, too (%s)\n", l.SameTask, l.Task, l.Service, at(l.Place))
		}
	}
}

// waits says what a unit waits for.
func (a *app) waits(u planner.Waiting) {
	for _, f := range u.After {
		a.printf("      after %s: %s%s\n", f.Unit, f.Reason, parenthesised(f.Place))
	}
	if u.Before+u.Behind > 0 {
		a.printf("      in all %s before it, %s behind it\n", plural(u.Before, "unit"), plural(u.Behind, "unit"))
	}
}

// kindText says what a dependency orders.
func kindText(d planner.Dependency) string {
	text := "in every step; it orders within steps only"
	switch d.Kind {
	case "upgraded":
		text = "until its upgrade has ended: a later wave"
	case "rolling":
		text = "until its upgrade has ended, for one of the two is on a rolling or replaced role"
	case "stage":
		text = "it has ended with an earlier stage"
	case "ignored":
		return "ignored: placed on no role"
	}
	if d.Scope == "host" {
		text += ", on the same role only"
	}
	return text
}

// standing says where a placement stands, and which line says its stage.
func standing(stage string, from planner.Place, wave int) string {
	text := "stage " + stage + " (by default the last)"
	if from.File != "" {
		text = "stage " + stage + " (said by " + at(from) + ")"
	}
	if wave > 0 {
		text += fmt.Sprintf(", wave %d", wave)
	}
	return text
}

func at(p planner.Place) string { return source.Pos{File: p.File, Line: p.Line}.String() }

func parenthesised(p planner.Place) string {
	if p.File == "" {
		return ""
	}
	return " (" + at(p) + ")"
}

// hostList names hosts behind a colon.
func hostList(hosts []string) string {
	if len(hosts) == 0 {
		return ""
	}
	return ": " + shortened(hosts, 6)
}
