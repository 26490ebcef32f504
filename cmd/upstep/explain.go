package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "explain SERVICE",
		Short:   "Tell why a service stands where it stands",
		Long:    "Tell where a service stands in the plan, and because of which lines.",
		Example: "  upstep explain nova_compute",
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
			x, err := plan.Explain(args[0])
			if err != nil {
				return usageError{err, source.DidYouMean(args[0], plan.ServiceNames())}
			}
			if a.output != "table" {
				return a.document(x)
			}
			a.explanation(x)
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func (a *app) explanation(x *planner.Explanation) {
	a.printf("%s (%s)\n", x.Service, at(x.Place))
	if x.Description != "" {
		a.printf("%s\n", strings.TrimSpace(x.Description))
	}
	for _, s := range x.Standings {
		a.printf("\non role %s (%s)%s\n", s.Role, at(s.Place), hostList(s.Hosts))
		from := "by default the last"
		if s.From.File != "" {
			from = "said by " + at(s.From)
		}
		a.printf("  stage %s (%s)", s.Stage, from)
		if s.Wave > 0 {
			a.printf(", wave %d", s.Wave)
		}
		a.printf(": %s\n", s.Why)
		for _, f := range s.WaveAfter {
			a.printf("  not before %s: %s%s\n", f.Unit, f.Reason, parenthesised(f.Place))
		}
		for _, u := range s.Units {
			a.printf("  %s\n", u.Unit)
			for _, t := range u.Tasks {
				a.printf("      - %s\n", t)
			}
			for _, f := range u.After {
				a.printf("      after %s: %s%s\n", f.Unit, f.Reason, parenthesised(f.Place))
			}
			if u.Before+u.Behind > 0 {
				a.printf("      in all %s before it, %s behind it\n", plural(u.Before, "unit"), plural(u.Behind, "unit"))
			}
		}
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
	if x.Behind != "" {
		a.printf("\nits traffic is carried by %s, which takes its hosts out and puts them back\n", x.Behind)
	}
}

// kindText says what a dependency orders.
func kindText(d planner.Dependency) string {
	text := "in every step; it orders within steps only"
	switch d.Kind {
	case "upgraded":
		text = "until its upgrade has ended: a later wave"
	case "rolling":
		text = "until its upgrade has ended, for one of the two is on a rolling role"
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

func at(p planner.Place) string { return source.Pos{File: p.File, Line: p.Line}.String() }

func parenthesised(p planner.Place) string {
	if p.File == "" {
		return ""
	}
	return " (" + at(p) + ")"
}

func hostList(hosts []string) string {
	const most = 6
	switch {
	case len(hosts) == 0:
		return ""
	case len(hosts) > most:
		return ": " + strings.Join(hosts[:most], ", ") + fmt.Sprintf(" and %d more", len(hosts)-most)
	}
	return ": " + strings.Join(hosts, ", ")
}
