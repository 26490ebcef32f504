package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/source"
)

func (a *app) cancelCommand() *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "cancel [RUN]",
		Short: "Ask the run that is on to stop",
		Long: `Ask the run that is on to stop, from another terminal: nothing more begins, and what is at
work ends. With --now it is ended. The run can go on later.`,
		Example: "  upstep cancel\n  upstep cancel --now\n  upstep cancel 20261121-131502",
		Args:    oneRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writing(cmd.Context(), func(j *journal.Journal) error { return a.cancel(cmd.Context(), j, name(args, 0), now) })
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "end what is at work; its hosts are left where they are")
	return cmd
}

// cancel asks the run that is on to stop.
func (a *app) cancel(ctx context.Context, j *journal.Journal, run string, now bool) error {
	acc, err := a.accountOf(ctx, j, run)
	if err != nil {
		return err
	}
	r := acc.run
	if acc.owner == nil {
		return a.notOn(ctx, j, r, run)
	}
	ask, what := journal.Cancel, "nothing more begins, and what is at work ends"
	if now {
		ask, what = journal.CancelNow, "what is at work is ended"
	}
	if _, err := j.Ask(ctx, r.ID, journal.Request{Ask: ask, Who: a.who(), At: time.Now()}); err != nil {
		return err
	}
	a.printf("asked run %s to stop: %s\n", r.ID, what)
	a.paragraph("  ", fmt.Sprintf("held by %s, pid %d, since %s", by(acc.owner.Who), acc.owner.PID, moment(acc.owner.Since)))
	a.printf("\nnext: %s\n", a.asTyped("upstep status "+string(r.ID)+a.sameFolder()))
	return nil
}

// notOn says that there is nothing to cancel, or what there is.
func (a *app) notOn(ctx context.Context, j *journal.Journal, r journal.Run, named string) error {
	owner, err := journal.Holder(a.dir)
	if err != nil {
		return err
	}
	if owner == nil {
		return usageError{fmt.Errorf("run %s is not on: there is nothing to cancel", r.ID), "upstep status" + a.sameFolder() + " tells how far it is"}
	}
	if latest, err := j.Latest(ctx); err == nil && named != "" && latest != nil && latest.ID != r.ID {
		return usageError{fmt.Errorf("run %s is not on, run %s may be", r.ID, latest.ID), "upstep status" + a.sameFolder() + " tells"}
	}
	return usageError{
		fmt.Errorf("%s has the project in hand, and it is no run that can be asked: %s", by(owner.Who), typedAs(owner.Who)),
		fmt.Sprintf("wait for it; or end process %d there", owner.PID),
	}
}

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "approve [RUN] [STAGE]",
		Short: "Let a run begin the stage that waits for approval",
		Long: `Approve a stage that begins when approved: a run that waits there goes on, and where none is
on, the next upstep run goes through. Without names it is the stage at which the newest
run waits.`,
		Example: "  upstep approve\n  upstep approve non-control-plane\n  upstep approve 20261121-131502 non-control-plane",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 2 {
				return misuse(cmd, "", "approve takes a run and a stage, not %d words", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writing(cmd.Context(), func(j *journal.Journal) error { return a.approveStage(cmd.Context(), j, args) })
		},
	}
}

// approveStage records that a stage of a run is approved.
func (a *app) approveStage(ctx context.Context, j *journal.Journal, args []string) error {
	run, stage := name(args, 0), name(args, 1)
	if len(args) == 1 {
		var err error
		if run, stage, err = a.runOrStage(ctx, j, args[0]); err != nil {
			return err
		}
	}
	acc, err := a.accountOf(ctx, j, run)
	if err != nil {
		return err
	}
	r := acc.run
	if r.State != journal.Unfinished {
		return usageError{fmt.Errorf("run %s is %s: nothing of it waits", r.ID, acc.state()), "upstep history" + a.sameFolder() + " lists the runs"}
	}
	asking := acc.asking()
	if stage == "" {
		stage = acc.waitsFor()
	}
	switch {
	case stage == "" && len(asking) == 0:
		return usageError{fmt.Errorf("no stage of run %s asks for approval", r.ID), "a stage asks with approve: true in upgrade.yaml"}
	case stage == "":
		return usageError{fmt.Errorf("run %s does not wait for approval now", r.ID), "name the stage to approve it before it waits: " + strings.Join(asking, ", ")}
	case !slices.Contains(asking, stage):
		hint := source.DidYouMean(stage, asking)
		if hint == "" && len(asking) > 0 {
			hint = "these ask: " + strings.Join(asking, ", ")
		}
		return usageError{fmt.Errorf("no stage %q of run %s asks for approval", stage, r.ID), hint}
	case approvals(acc.requests)[stage]:
		a.printf("stage %s of run %s is approved already\n", stage, r.ID)
	default:
		if _, err := j.Ask(ctx, r.ID, journal.Request{Ask: journal.Approve, Gate: stage, Who: a.who(), At: time.Now()}); err != nil {
			return err
		}
		a.printf("stage %s of run %s is approved\n", stage, r.ID)
	}
	if acc.owner == nil {
		a.printf("\nnext: %s\n", a.asTyped("upstep run"+a.sameFlags()))
	}
	return nil
}

// runOrStage tells which of the two a single word names.
func (a *app) runOrStage(ctx context.Context, j *journal.Journal, word string) (run, stage string, err error) {
	_, err = j.Run(ctx, journal.RunID(word))
	switch {
	case err == nil:
		return word, "", nil
	case !errors.Is(err, journal.ErrNoRun):
		return "", "", err
	case strings.HasPrefix(word, "20") && strings.Count(word, "-") > 0 && len(word) >= len("20060102-150405"): // mistyped
		return word, "", nil
	}
	return "", word, nil
}

// asking gives the stages that begin when approved.
func (acc *account) asking() []string {
	var out []string
	for _, s := range acc.plan.Stages {
		if s.Approve && len(s.Waves) > 0 {
			out = append(out, s.Name)
		}
	}
	return out
}
