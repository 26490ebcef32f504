package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/source"
)

func (a *app) unlockCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Clear the lock of a run that is gone",
		Long: `Clear what a run that died has left in the lock of the project. It is seldom needed: the
lock of a dead process of this host is free by itself. A run that is alive is never
unlocked. --force clears the lock of another host, whose processes cannot be seen from
here: look there first.`,
		Example: "  upstep unlock\n  upstep unlock --force     # the host that held it is gone",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.needFolder(); err != nil {
				return err
			}
			was, err := journal.Unlock(a.dir, force)
			switch {
			case err != nil:
				return err
			case was == nil:
				a.printf("nobody holds the project: nothing to clear\n")
			default:
				a.printf("cleared the lock of %s\n", was)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also when the process was on a host that cannot be seen from here")
	return cmd
}

func (a *app) skipCommand() *cobra.Command {
	var host, reason string
	cmd := &cobra.Command{
		Use:   "skip RUN UNIT",
		Short: "Take a unit as done that was done by hand",
		Long: `Take a unit of a run as done, on one host or on all that have not ended it: the next
upstep run goes on behind it. Who did it and why is kept and shown. The parts of a
rolling role run together and are skipped together, as STAGE/WAVE/ROLE: only when the
host is back in traffic, or is to be left where it is.`,
		Example: "  upstep skip 20261121-131502 control-plane/1/step2/Api --reason 'installed by hand, ticket 4711'\n  upstep skip 20261121-131502 non-control-plane/1/Web --host web3 --reason 'the host is scrapped'",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) != 2:
				return misuse(cmd, "", "skip takes a run and a unit, not %d words", len(args))
			case strings.TrimSpace(reason) == "":
				return misuse(cmd, "it is shown to whoever goes on with the run", "--reason TEXT is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writing(cmd.Context(), func(j *journal.Journal) (err error) {
				held, err := journal.Lock(a.dir, journal.Owner{Who: a.who(), Since: time.Now()})
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, held.Release()) }()
				return a.skip(cmd.Context(), j, args[0], args[1], journal.Skip{Host: host, Reason: strings.TrimSpace(reason), Who: a.who(), At: time.Now()})
			})
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "only on this host")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for who comes after")
	return cmd
}

// skip records that a unit is taken as done. The lock is held, so that no run is on.
func (a *app) skip(ctx context.Context, j *journal.Journal, run, unit string, k journal.Skip) error {
	acc, err := a.accountOf(ctx, j, run)
	if err != nil {
		return err
	}
	r := acc.run
	if r.State != journal.Unfinished {
		return usageError{fmt.Errorf("run %s is %s: nothing of it is left to skip", r.ID, acc.state()), "upstep history" + a.sameFolder() + " lists the runs"}
	}
	units, err := acc.toSkip(unit)
	if err != nil {
		return err
	}
	members := acc.members(units[0])
	if k.Host != "" && units[0].Role != "" && !slices.Contains(members, k.Host) {
		return usageError{fmt.Errorf("unit %s has no host %q", unit, k.Host), source.DidYouMean(k.Host, members)}
	}
	var left []planner.Unit
	for _, u := range units {
		if !acc.passed(u, k.Host) {
			left = append(left, u)
		}
	}
	if len(left) == 0 {
		return usageError{fmt.Errorf("unit %s has passed already%s", unit, on(k.Host)), "upstep status" + a.sameFolder() + " tells how far the run is"}
	}
	err = j.Write(ctx, r.ID, func(t *journal.Tx) error {
		for _, u := range left {
			k.Unit = u.ID
			t.Skip(k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.printf("run %s: %s counts as done%s\n", r.ID, unit, on(k.Host))
	a.printf("\nnext: %s\n", a.asTyped("upstep run"+a.sameFlags()))
	return nil
}

func on(host string) string {
	if host == "" {
		return ""
	}
	return " on " + host
}

// passed tells whether nothing of a unit is left, on a host or on all.
func (acc *account) passed(u planner.Unit, host string) bool {
	rec := acc.done.Units[u.ID]
	if host == "" {
		return acc.tally(u).over()
	}
	return rec.State == journal.Skipped || rec.Hosts[host].State.Passed()
}

// toSkip gives the units that a name stands for. Those that run in one play cannot be
// skipped by themselves: the play would go through all of them again.
func (acc *account) toSkip(name string) ([]planner.Unit, error) {
	var names []string
	for i := range acc.plan.Roles {
		for _, p := range playbooks.RolePlays(acc.plan, acc.plan.Roles[i].Name) {
			if p.ID == name {
				return p.Units, nil
			}
			names = append(names, p.ID)
			if p.Batches && slices.ContainsFunc(p.Units, func(u planner.Unit) bool { return u.ID == name }) {
				return nil, usageError{
					fmt.Errorf("unit %s is a part of %s, whose parts run together", name, p.ID),
					"mend it and run again; or skip " + p.ID + " --host HOST when all of it is done there, the way back into traffic too",
				}
			}
		}
	}
	for _, u := range unitsOf(acc.plan) {
		if u.ID == name && u.Role == "" {
			return []planner.Unit{u}, nil
		}
		names = append(names, u.ID)
	}
	hint := cmp.Or(source.DidYouMean(name, names), "upstep history "+string(acc.run.ID)+" lists the units")
	return nil, usageError{fmt.Errorf("run %s has no unit %q", acc.run.ID, name), hint}
}

func (a *app) pruneCommand() *cobra.Command {
	keep := -1
	cmd := &cobra.Command{
		Use:   "prune --keep N",
		Short: "Remove the record of all but the last runs",
		Long: `Remove all but the last N runs from the journal, and the folders with their playbooks and
logs. A run that is not finished is never removed.`,
		Example: "  upstep prune --keep 10",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case !cmd.Flags().Changed("keep"):
				return misuse(cmd, "upstep prune --keep 10 keeps the last ten", "--keep N is missing")
			case keep < 0:
				return misuse(cmd, "--keep 0 removes every run that is finished", "--keep %d is negative", keep)
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.writing(cmd.Context(), func(j *journal.Journal) error { return a.prune(cmd.Context(), j, keep) })
		},
	}
	cmd.Flags().IntVar(&keep, "keep", -1, "how many runs stay")
	cmd.Flags().Lookup("keep").DefValue = ""
	return cmd
}

// prune removes old runs and their folders, those too that an interrupted prune has left.
func (a *app) prune(ctx context.Context, j *journal.Journal, keep int) error {
	root := filepath.Join(a.dir, journal.Folder, "runs")
	// Read before the journal: a run is in the journal before it has a folder.
	folders, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	removed, err := j.Prune(ctx, keep)
	if err != nil {
		return err
	}
	runs, err := j.Runs(ctx, 0)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if !f.IsDir() || slices.ContainsFunc(runs, func(r journal.Run) bool { return string(r.ID) == f.Name() }) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, f.Name())); err != nil {
			return fmt.Errorf("remove folder of run %s: %w", f.Name(), err)
		}
		if id := journal.RunID(f.Name()); !slices.Contains(removed, id) {
			removed = append(removed, id)
		}
	}
	slices.Sort(removed)
	for _, id := range removed {
		a.printf("removed run %s\n", id)
	}
	a.printf("%s removed, %d kept\n", plural(len(removed), "run"), len(runs))
	return nil
}
