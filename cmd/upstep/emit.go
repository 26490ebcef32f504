package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

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
			if check && overwrite {
				return usageError{errors.New("--check writes nothing, so there is nothing for --overwrite to overwrite"), "give one of the two"}
			}
			r, err := a.loadRoute(cmd.Context())
			if err != nil {
				return err
			}
			return a.emit(cmd.Context(), r, out, overwrite, check)
		},
	}
	cmd.Flags().StringVar(&out, "out", "playbooks", "folder to write, below the project")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "overwrite files that were changed by hand")
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit with 5 when the folder is not up to date")
	a.routeFlags(cmd)
	a.downgradeFlag(cmd)
	return cmd
}

func (a *app) emit(ctx context.Context, r *planner.Route, out string, overwrite, check bool) error {
	tree, err := playbooks.RenderRoute(r)
	if err != nil {
		return err
	}
	dir := a.path(out)
	if err := a.refuseOut(dir); err != nil {
		return err
	}
	if check {
		return a.compare(dir, out, tree)
	}
	w, err := playbooks.Write(ctx, dir, tree, overwrite)
	if err != nil {
		return unwritten(err)
	}
	for _, left := range w.Left {
		a.errorf("upstep: warning: could not remove %s, which nothing needs\n  hint: the next emit tries again\n", left)
	}
	a.written(w)
	if w.Empty() {
		a.printf("%s is up to date: %s\n", out, plural(w.Unchanged, "file"))
	} else {
		a.printf("%s: %d created, %d changed, %d removed, %d unchanged\n", out, len(w.Created), len(w.Changed), len(w.Removed), w.Unchanged)
	}
	a.printf("\nnext: review %s, then\n  upstep run%s %s\n", filepath.Join(dir, "README.md"), a.placeFlags(), pathWord(filepath.Join(dir, "plan.json")))
	a.printf("or, without upstep\n  ansible-playbook%s %s\n", a.inventoryFlags(), pathWord(filepath.Join(dir, "upgrade.yml")))
	return nil
}

// compare tells whether the folder holds the tree, and what is to do where it does not.
func (a *app) compare(dir, out string, tree *playbooks.Tree) error {
	w, err := playbooks.Compare(dir, tree)
	var edited *playbooks.EditedError
	switch {
	case errors.As(err, &edited):
		a.written(w)
		a.errorf("%v\n", edited)
		return codeError{fmt.Errorf("%s is not up to date\n  hint: %s", out, editedHint(edited)), exitStale}
	case err != nil:
		return unwritten(err)
	case w.Empty():
		a.printf("%s is up to date: %s\n", out, plural(w.Unchanged, "file"))
		return nil
	}
	a.written(w)
	return codeError{fmt.Errorf("%s is not up to date\n  hint: run upstep emit and commit what it writes", out), exitStale}
}

// editedHint says how to see, keep or drop what was changed by hand.
func editedHint(e *playbooks.EditedError) string {
	switch {
	case len(e.Edited) > 0:
		return "emit to another folder with --out and compare to see the change; put it into the services or roles to keep it; emit with --overwrite to drop it"
	case len(e.Strays) > 0:
		return "move the file away, or emit with --overwrite to replace it"
	}
	return "move the folder away"
}

// refusedHint says what lets the tree be written. A folder is not overwritten at all.
func refusedHint(e *playbooks.EditedError) string {
	const folder = "move the folder away"
	switch {
	case len(e.Edited)+len(e.Strays) == 0:
		return folder
	case len(e.Folders) > 0:
		return folder + "; put the change of a file into the services or roles, then emit with --overwrite"
	}
	return "put the change into the services or roles, then emit with --overwrite; or move the file away"
}

// unwritten takes a place that cannot hold the tree for a mistake in the call.
func unwritten(err error) error {
	if _, ok := errors.AsType[*playbooks.PlaceError](err); ok {
		return usageError{err, "--out names the folder to write; it is made where it does not exist"}
	}
	return err
}

// refuseOut refuses a folder for the tree that is the project, holds it, or is or lies
// in one of its inputs.
func (a *app) refuseOut(dir string) error {
	out, err := followed(dir)
	if err != nil {
		return err
	}
	for i, own := range []string{".", "services", "roles", a.services, a.roles} {
		input, err := followed(a.path(own))
		if err != nil {
			return err
		}
		if within(out, input) {
			return usageError{fmt.Errorf("--out %s is or holds what the plan is made from", dir), "name a folder of its own, such as playbooks"}
		}
		if i > 0 && own != "" && within(input, out) {
			return usageError{fmt.Errorf("--out %s lies in %s, which the plan is made from", dir, own), "name a folder of its own, such as playbooks"}
		}
	}
	return nil
}

// within tells whether a path is a folder or lies below it.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// followed gives the absolute path of a folder, with links followed as far as it exists.
func followed(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rest := ""
	for {
		if found, err := filepath.EvalSymlinks(path); err == nil || path == filepath.Dir(path) {
			return filepath.Join(found, rest), nil
		}
		path, rest = filepath.Dir(path), filepath.Join(filepath.Base(path), rest)
	}
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

// placeFlags repeats the flags that say where the project and its hosts are.
func (a *app) placeFlags() string {
	var b strings.Builder
	b.WriteString(a.sameFolder())
	for _, i := range a.inventory {
		b.WriteString(" -i " + shellWord(i))
	}
	return b.String()
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
		if !strings.Contains(i, ",") && !strings.HasPrefix(i, "$") && !strings.HasPrefix(i, "~") { // a list of hosts is no path, and Ansible itself expands $ and ~
			i = a.path(i)
		}
		b.WriteString(" -i " + pathWord(i))
	}
	return b.String()
}
