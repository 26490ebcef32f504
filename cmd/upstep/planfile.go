package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// loadPlan gives the plans to run, one for each hop, and their trees: the project's,
// planned now, or those of a document, which are run as they stand and never read from
// the sources again.
func (a *app) loadPlan(ctx context.Context, file string, exclude []string) (*planner.Route, []*playbooks.Tree, error) {
	if file == "" {
		r, err := a.loadRoute(ctx)
		if err != nil {
			return nil, nil, err
		}
		if !r.Hops[0].HostsKnown {
			return nil, nil, usageError{errors.New("a run needs hosts"), "-i names the inventory"}
		}
		trees, whole, err := treesOf(r)
		if err != nil {
			return nil, nil, err
		}
		a.compareEmitted(whole)
		return r, trees, nil
	}
	if a.from != "" || a.to != "" {
		return nil, nil, usageError{errors.New("a saved plan has its route: --from and --to say nothing"), "leave them out, or plan again"}
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("read the plan: %w", err), "upstep emit writes plan.json into its folder; upstep plan --save writes one elsewhere"}
	}
	r, err := planner.DecodeRoute(text)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%s: %w", file, err), "name a plan document of this version of upstep"}
	}
	for _, plan := range r.Hops {
		if err := a.refuseOther(plan); err != nil {
			return nil, nil, err
		}
		if err := a.bind(ctx, plan, exclude); err != nil {
			return nil, nil, err
		}
	}
	trees, _, err := a.treesOf(r, file, text)
	return r, trees, err
}

// compareEmitted says when what was emitted for review is not what is going to run.
func (a *app) compareEmitted(tree *playbooks.Tree) {
	const dir = "playbooks"
	if _, err := os.Stat(filepath.Join(a.path(dir), playbooks.SumsFile)); err != nil {
		return
	}
	if w, err := playbooks.Compare(a.path(dir), tree); err != nil || !w.Empty() {
		a.errorf("%s is not what runs now: it was emitted from other input or for another route, or changed by hand\n  hint: upstep emit --check tells how it differs\n", a.path(dir))
	}
}

// bind gives a plan its hosts, or refuses one whose hosts are others now.
func (a *app) bind(ctx context.Context, plan *planner.Plan, exclude []string) error {
	inv, err := a.readInventory(ctx)
	if err != nil {
		return err
	}
	if inv == nil {
		return usageError{errors.New("a run needs hosts"), "-i names the inventory"}
	}
	changes, err := plan.Bind(inv)
	if err != nil {
		return usageError{err, "upstep plan -i INVENTORY --save plan.json"}
	}
	differs := false
	for _, c := range changes {
		c.Absent = slices.DeleteFunc(c.Absent, func(h string) bool { return slices.Contains(exclude, h) })
		if len(c.Added)+len(c.Absent) > 0 {
			a.errorf("%s\n", c)
			differs = true
		}
	}
	if differs {
		return codeError{errors.New("the inventory is not the one that was planned for\n  hint: plan again; --exclude HOST goes on without a host"), exitStale}
	}
	return nil
}

// differing names the files of a tree that are not as they were emitted.
func (a *app) differing(w playbooks.Written) {
	for _, group := range []struct {
		what  string
		files []string
	}{{"missing", w.Created}, {"changed", w.Changed}, {"does not belong", w.Removed}} {
		for _, f := range group.files {
			a.errorf("%s: %s\n", f, group.what)
		}
	}
}

// treesOf renders the trees of a document. Where the document stands in a tree, every
// file of it must be as it was emitted.
func (a *app) treesOf(r *planner.Route, file string, text []byte) (each []*playbooks.Tree, whole *playbooks.Tree, err error) {
	dir := filepath.Dir(file)
	written, err := planner.DecodeRoute(text) // without the hosts that were bound now
	if err != nil {
		return nil, nil, err
	}
	for i, plan := range r.Hops {
		assets := dir
		if !r.Single() {
			assets = filepath.Join(dir, plan.Hop.Name())
		}
		if err := playbooks.ReadAssets(assets, plan); err != nil {
			return nil, nil, codeError{fmt.Errorf("%w\n  hint: run the plan.json that upstep emit wrote, where it stands; or emit again", err), exitStale}
		}
		if err := playbooks.ReadAssets(assets, written.Hops[i]); err != nil {
			return nil, nil, err
		}
	}
	each, whole, err = treesOf(written)
	if err != nil {
		return nil, nil, err
	}
	if filepath.Base(file) == "plan.json" {
		if _, err := os.Stat(filepath.Join(dir, playbooks.SumsFile)); err == nil {
			w, err := playbooks.Compare(dir, whole)
			var edited *playbooks.EditedError
			if err != nil && !errors.As(err, &edited) {
				return nil, nil, err
			}
			if edited != nil || !w.Empty() {
				a.differing(w)
				return nil, nil, codeError{fmt.Errorf("%s is not as it was emitted\n  hint: emit again and review it", dir), exitStale}
			}
		}
	}
	return each, whole, nil
}
