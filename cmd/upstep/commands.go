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
	"github.com/upstep/upstep/playbooks"
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
			plan, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			if save != "" {
				if err := savePlan(a.path(save), plan); err != nil {
					return err
				}
			}
			if a.output != "table" {
				return a.document(plan)
			}
			a.planTable(plan)
			return nil
		},
	}
	cmd.Flags().StringVar(&save, "save", "", "write the plan document to this file as well")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) emitCommand() *cobra.Command {
	var out string
	var overwrite, check bool
	cmd := &cobra.Command{
		Use:   "emit",
		Short: "Write the plan as Ansible playbooks",
		Long: `Write the plan as a tree of Ansible playbooks, for review and for running. Unchanged
input changes no byte. Files of an earlier emit that no longer belong are removed;
anything else in the folder is left alone. Files that were changed by hand are not
overwritten without --overwrite.`,
		Example: "  upstep emit\n  upstep emit --out build/playbooks\n  upstep emit --check          # in CI: is what is committed up to date?",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := a.load(cmd.Context())
			if err != nil {
				return err
			}
			return a.emit(plan, out, overwrite, check)
		},
	}
	cmd.Flags().StringVar(&out, "out", "playbooks", "folder to write, below the project")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "overwrite files that were changed by hand")
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit with 5 when the folder is not up to date")
	return cmd
}

func (a *app) emit(plan *planner.Plan, out string, overwrite, check bool) error {
	tree, err := playbooks.Render(plan)
	if err != nil {
		return err
	}
	dir := a.path(out)
	if err := a.refuseOut(dir); err != nil {
		return err
	}
	if check {
		w, err := playbooks.Compare(dir, tree)
		if err != nil {
			return err
		}
		if w.Empty() {
			a.printf("%s is up to date: %s\n", out, plural(w.Unchanged, "file"))
			return nil
		}
		a.written(w)
		return codeError{fmt.Errorf("%s is not up to date\n  hint: run upstep emit and commit what it writes", out), exitStale}
	}
	w, err := playbooks.Write(dir, tree, overwrite)
	if err != nil {
		return err
	}
	a.written(w)
	if w.Empty() {
		a.printf("%s is up to date: %s\n", out, plural(w.Unchanged, "file"))
	} else {
		a.printf("%s: %d created, %d changed, %d removed, %d unchanged\n", out, len(w.Created), len(w.Changed), len(w.Removed), w.Unchanged)
	}
	a.printf("\nnext: review %s, then\n  ansible-playbook%s %s\n", filepath.Join(dir, "README.md"), a.inventoryFlags(), shellWord(filepath.Join(dir, "upgrade.yml")))
	return nil
}

// refuseOut refuses a folder for the tree that is the project, holds it, or is one of its inputs.
func (a *app) refuseOut(dir string) error {
	out, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for _, own := range []string{".", "services", "roles", a.services} {
		input, err := filepath.Abs(a.path(own))
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(out, input); err == nil && (rel == "." || filepath.IsLocal(rel)) {
			return usageError{fmt.Errorf("--out %s is or holds what the plan is made from", dir), "name a folder of its own, such as playbooks"}
		}
	}
	return nil
}

// inventoryFlags gives the -i flags of a command that is typed where upstep was.
func (a *app) inventoryFlags() string {
	list := a.inventories()
	if len(list) == 0 || list[0] == "none" {
		return " -i INVENTORY"
	}
	var b strings.Builder
	for _, i := range list {
		// A list of hosts is no path, and Ansible itself expands $ and ~.
		if !strings.Contains(i, ",") && !strings.HasPrefix(i, "$") && !strings.HasPrefix(i, "~") {
			i = a.path(i)
		}
		b.WriteString(" -i " + shellWord(i))
	}
	return b.String()
}

// written lists what changed when it is little enough to read.
func (a *app) written(w playbooks.Written) {
	const readable = 20
	if len(w.Created)+len(w.Changed)+len(w.Removed) > readable {
		return
	}
	for _, group := range []struct {
		sign  string
		files []string
	}{{"+", w.Created}, {"~", w.Changed}, {"-", w.Removed}} {
		for _, f := range group.files {
			a.printf("%s %s\n", group.sign, f)
		}
	}
}

// savePlan writes the plan document; an interrupted save leaves an older one whole.
func savePlan(path string, plan *planner.Plan) error {
	doc, err := plan.Encode()
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
		if _, err := planner.Decode(text); err != nil {
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

func (a *app) version() {
	v := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = strings.Trim(info.Main.Version, "()")
	}
	a.printf("upstep %s, plan format %s\n", v, planner.Format)
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
