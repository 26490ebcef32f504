package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

func (a *app) validateCommand() *cobra.Command {
	var withAnsible, strict bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the project and report everything that is wrong with it",
		Long: `Check the project: every problem is reported at once, with its place and a hint.
With --ansible, what would be emitted is also given to ansible-playbook --syntax-check.`,
		Example: "  upstep validate\n  upstep validate --ansible\n  upstep validate -C site --set revision=1.10 --strict",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.validate(cmd.Context(), withAnsible, strict)
		},
	}
	cmd.Flags().BoolVar(&withAnsible, "ansible", false, "also check with Ansible what would be emitted")
	cmd.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	a.routeFlags(cmd)
	a.outputFlag(cmd)
	return cmd
}

func (a *app) planCommand() *cobra.Command {
	var save string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would be done, in which order",
		Long: `Plan the upgrade and show it: stages, waves and steps, the roles and their hosts and
batches, and what is left out and why. Nothing is changed.`,
		Example: "  upstep plan\n  upstep plan -i production --set revision=1.10\n  upstep plan --save plan.json\n  upstep plan --output json | jq '.stages[].name'",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.loadRoute(cmd.Context())
			if err != nil {
				return err
			}
			if save != "" {
				if err := savePlan(a.path(save), r); err != nil {
					return err
				}
			}
			return a.plan(cmd.Context(), r)
		},
	}
	cmd.Flags().StringVar(&save, "save", "", "write the plan document to this file as well")
	a.routeFlags(cmd)
	a.downgradeFlag(cmd)
	a.outputFlag(cmd)
	return cmd
}

// savePlan writes the plan document; an interrupted save leaves an older one whole.
func savePlan(path string, r *planner.Route) error {
	doc, err := r.Encode()
	if err != nil {
		return err
	}
	if old, err := os.Lstat(path); err == nil {
		if !old.Mode().IsRegular() {
			return usageError{fmt.Errorf("%s is no regular file", path), "--save names the file to write; --output json prints the plan"}
		}
		text, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil {
			return err
		}
		if _, err := planner.DecodeRoute(text); err != nil {
			return usageError{fmt.Errorf("%s exists and is no plan", path), "--save overwrites only an earlier plan: name another file"}
		}
	}
	if err := atomically(path, doc); err != nil {
		if at, ok := errors.AsType[*fs.PathError](err); ok { // its path is that of a temporary file
			err = at.Err
		}
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// result prints a value as --output says.
func (a *app) result(v any, table func()) error {
	if a.output != "table" {
		return a.document(v)
	}
	table()
	return nil
}

// document prints a value as JSON or YAML.
func (a *app) document(v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if a.output == "json" {
		a.printf("%s\n", text)
		return nil
	}
	y, err := source.FromJSON(text)
	if err != nil {
		return err
	}
	a.printf("%s", y)
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  upstep version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			a.version()
			return nil
		},
	}
}

func (a *app) version() { a.printf("upstep %s, plan format %s\n", version(), planner.Format) }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return strings.Trim(info.Main.Version, "()")
	}
	return "devel"
}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Print a completion script for a shell",
		Example:   "  source <(upstep completion bash)",
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return misuse(cmd, "name one of bash, zsh, fish", "completion takes one shell, not %d", len(args))
			case !slices.Contains(cmd.ValidArgs, args[0]):
				return misuse(cmd, "name one of bash, zsh, fish", "no completion for %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(cmd.OutOrStdout(), true)
			case "zsh":
				return root.GenZshCompletion(cmd.OutOrStdout())
			}
			return root.GenFishCompletion(cmd.OutOrStdout(), true)
		},
	}
}

func atomically(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // plans are for everyone to read
		return err
	}
	return renameio.WriteFile(path, data, 0o644)
}
