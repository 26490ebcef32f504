package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) graphCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "graph",
		Short:   "Draw the plan as a graph",
		Long:    "Draw the plan's stages, waves, steps and units, and what they wait for, for Graphviz or Mermaid.",
		Example: "  upstep graph | dot -Tsvg > plan.svg\n  upstep graph --format mermaid",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "dot" && format != "mermaid" {
				return usageError{fmt.Errorf("unknown format %q", format), "use --format dot or mermaid"}
			}
			plan, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			d := drawingOf(plan)
			if format == "mermaid" {
				a.printf("%s", d.mermaid())
			} else {
				a.printf("%s", d.dot())
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "dot", "dot or mermaid")
	a.routeFlags(cmd)
	return cmd
}
