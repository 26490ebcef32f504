package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// prepare gives the plans to run and their trees on a machine that can run them: meanwhile
// Ansible is asked for its version, and there must be room for the run's record.
func (a *app) prepare(ctx context.Context, f runFlags) (*planner.Route, []*playbooks.Tree, error) {
	if err := a.intact(f.plan); err != nil {
		return nil, nil, err
	}
	suffices := make(chan error, 1)
	go func() { suffices <- a.ansible().Suffices(ctx) }()
	plans, trees, err := a.loadPlan(ctx, f.plan, f.exclude)
	// What else is wrong with an Ansible shows where it is used.
	if old, is := errors.AsType[*ansible.TooOldError](<-suffices); is {
		return nil, nil, usageError{old, old.Hint()}
	}
	if err == nil {
		err = a.needArtefacts(plans)
	}
	if err != nil || f.check { // which keeps no record
		return plans, trees, err
	}
	measure := a.space
	if measure == nil {
		measure = journal.SpaceOf
	}
	if full, is := errors.AsType[*journal.NoRoomError](journal.Room(a.dir, measure)); is {
		return nil, nil, codeError{fmt.Errorf("%w\n  hint: %s", full, full.Hint()), exitPreflight}
	}
	return plans, trees, nil
}

// downgradeFlag lets hosts have a later version than is wanted.
func (a *app) downgradeFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.allowDowngrade, "allow-downgrade", false, "do not refuse hosts that have a later version than the target")
}

// refuseOther refuses to run a saved plan by other rules than it was reviewed with.
func (a *app) refuseOther(plan *planner.Plan) error {
	if a.allowDowngrade && !plan.AllowDowngrade {
		return usageError{errors.New("this plan refuses downgrades: a saved plan runs as it was reviewed"), "plan again: upstep plan --allow-downgrade --save FILE, or upstep emit --allow-downgrade"}
	}
	return nil
}
