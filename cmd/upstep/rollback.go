package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

func (a *app) rollbackCommand() *cobra.Command {
	var f runFlags
	var of, save string
	var partial, planOnly bool
	cmd := &cobra.Command{
		Use:   "rollback [RUN] [-- ANSIBLE OPTIONS]",
		Short: "Take back what a run did",
		Long: `Take back what a run did: the rollback_tasks of every service whose upgrade began, on the
hosts on which it began, backwards. Rolling roles go in batches, out of traffic and back.
Without RUN the newest is taken back. What is run is the text of that run's plan, whatever
the project says today. A rollback is a run of its own: it is written down, and the same
command goes on with it after a failure.

What nothing takes back is listed first; --partial goes on without it.`,
		Example: "  upstep rollback --plan-only\n  upstep rollback 20261121-131502 --partial",
		Args: func(cmd *cobra.Command, args []string) error {
			at := cmd.ArgsLenAtDash()
			if at < 0 {
				at = len(args)
			}
			of, f.ansibleOptions = name(args[:at], 0), args[at:]
			return oneRun(cmd, args[:at])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if planOnly {
				plan, err := a.undoing(cmd.Context(), of)
				if err != nil {
					return err
				}
				if save != "" {
					if err := savePlan(a.path(save), &planner.Route{Hops: []*planner.Plan{plan.Plan}}); err != nil {
						return err
					}
				}
				return a.result(plan.Plan, func() { a.lost(plan.lost); a.planTable(plan.Plan, "") })
			}
			return a.shown(cmd.Context(), f, func(o *outcome, v runView) error {
				return a.rollback(cmd.Context(), of, partial, o, v)
			})
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&partial, "partial", false, "take back what can be, though something cannot")
	fl.BoolVar(&planOnly, "plan-only", false, "show the plan of the rollback, and do nothing")
	fl.StringVar(&save, "save", "", "with --plan-only: write the plan document to this file as well")
	fl.StringSliceVar(&f.exclude, "exclude", nil, "leave these hosts behind, by an Ansible `PATTERN`; the rollback stays open for them")
	fl.StringSliceVar(&f.skipTags, "skip-tags", nil, "leave out tasks with these tags")
	fl.BoolVar(&f.check, "check", false, "change nothing: Ansible says what it would do; a hint, no proof")
	fl.BoolVar(&f.diff, "diff", false, "show how files change")
	fl.BoolVar(&f.KeepGoing, "keep-going", false, "after a failure begin what does not depend on it")
	fl.BoolVarP(&f.Yes, "yes", "y", false, "approve every stage that asks")
	f.add(cmd)
	return cmd
}

// reversal is the plan that takes a run back.
type reversal struct {
	*planner.Plan
	lost  []planner.Irreversible // what nothing takes back
	begun bool                   // a rollback of this run began before, and goes on
}

// rollback takes a run back, or goes on with it.
func (a *app) rollback(ctx context.Context, of string, partial bool, o *outcome, v runView) error {
	if err := a.intact(""); err != nil {
		return err
	}
	back, err := a.undoing(ctx, of)
	if err != nil {
		return err
	}
	if len(back.lost) > 0 && !back.begun {
		a.lost(back.lost)
		if !partial {
			return usageError{fmt.Errorf("run %s can be taken back in part only", back.Undo), "--partial goes on without what is listed above"}
		}
	}
	if len(back.Stages) == 0 {
		return usageError{fmt.Errorf("run %s did nothing that can be taken back", back.Undo), "upstep history " + back.Undo + a.sameFolder() + " tells what it did"}
	}
	if err := a.bind(ctx, back.Plan, o.flags.exclude); err != nil {
		return err
	}
	if err := playbooks.ReadAssets(filepath.Join(a.dir, journal.Folder, "runs", back.Undo, "playbooks"), back.Plan); err != nil {
		return codeError{fmt.Errorf("%w\n  hint: the run's own tree is needed, where it was written", err), exitStale}
	}
	tree, err := playbooks.Render(back.Plan)
	if err != nil {
		return err
	}
	return a.carryOut(ctx, back.Plan, tree, o, v)
}

// lost lists what nothing takes back.
func (a *app) lost(list []planner.Irreversible) {
	for _, i := range list {
		a.errorf("%s on %s is not taken back (%s): %s\n  hint: %s\n", i.Service, shortened(i.Hosts, 4), at(i.Place), i.Why, "mend it by hand, or upgrade it again")
	}
}

// undoing plans the rollback of a run from the journal.
func (a *app) undoing(ctx context.Context, of string) (*reversal, error) {
	var out *reversal
	err := a.reading(ctx, func(j *journal.Journal) error {
		runs, err := j.Runs(ctx, 0)
		if err != nil {
			return err
		}
		plans := make([]*planner.Plan, len(runs))
		at := -1
		for i, r := range runs {
			if plans[i], err = planOf(ctx, j, r.ID); err != nil {
				return err
			}
			if plans[i].Undo == "" && at < 0 && (of == "" || string(r.ID) == of) {
				at = i
			}
			if string(r.ID) == of && plans[i].Undo != "" {
				return usageError{fmt.Errorf("run %s is a rollback itself", of), "upstep rollback " + plans[i].Undo + a.sameFolder() + " goes on with it"}
			}
		}
		if at < 0 {
			if of != "" {
				return a.unknownRun(ctx, j, of)
			}
			return a.noneYet(journal.ErrNone)
		}
		run := runs[at]
		undone := map[string]bool{} // runs that were taken back, or are being
		for i := range at {
			switch {
			case plans[i].Undo == string(run.ID) && runs[i].State == journal.Unfinished:
				out = &reversal{Plan: plans[i], begun: true}
				return nil
			case plans[i].Undo == string(run.ID) && runs[i].State == journal.Done:
				return usageError{fmt.Errorf("run %s was taken back by run %s", run.ID, runs[i].ID), ""}
			case plans[i].Undo != "" && runs[i].State == journal.Done:
				undone[plans[i].Undo] = true
			case plans[i].Undo == "" && !undone[string(runs[i].ID)]:
				return usageError{fmt.Errorf("run %s came after run %s and was not taken back", runs[i].ID, run.ID), "upstep rollback " + string(runs[i].ID) + a.sameFolder() + " first"}
			}
		}
		done, err := j.Progress(ctx, run.ID)
		if err != nil {
			return err
		}
		skipped, err := untouchedBy(ctx, j, run.ID)
		if err != nil {
			return err
		}
		back, lost := plans[at].Reverse(string(run.ID), planner.Done{
			PostUpgrade: run.PostUpgrade,
			Skipped:     func(service, host string) bool { return skipped[[2]string{service, host}] },
			Started: func(unit, host string) bool {
				s := done.Units[unit].Hosts[host].State
				return s != "" && s != journal.Skipped && s != journal.Waiting
			},
		})
		out = &reversal{Plan: back, lost: lost}
		return nil
	})
	return out, err
}

// errUndoing says that a rollback stands in the way of an upgrade.
func (s *invocation) errUndoing(run journal.RunID, of string) error {
	return codeError{errors.New(strings.Join([]string{
		fmt.Sprintf("run %s takes back run %s and is not finished", run, of),
		"hint: upstep rollback " + of + s.sameFolder() + " goes on with it; --new leaves it as it is",
	}, "\n  ")), exitStale}
}

// untouchedBy gives the services and the hosts on which a run did nothing for them, as their
// version was there, from what was told while it ran.
func untouchedBy(ctx context.Context, j *journal.Journal, run journal.RunID) (map[[2]string]bool, error) {
	const most = 10000
	out := map[[2]string]bool{}
	for after := int64(0); ; {
		list, err := j.Events(ctx, run, after, most)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			after = e.Number
			if e.Task == nil || e.Kind != event.OK && e.Kind != event.Changed {
				continue
			}
			if service, skip, ok := playbooks.Decided(e.Task.File, e.Task.Name); ok {
				out[[2]string{service, e.Host}] = skip
			}
		}
		if len(list) < most {
			return out, nil
		}
	}
}
