package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
	"github.com/upstep/upstep/source"
)

// account is what the journal tells of a run, and who has it in hand.
type account struct {
	run         journal.Run
	invocations []journal.Invocation
	plan        *planner.Plan // that it followed last
	done        journal.Progress
	requests    []journal.Request
	processes   []journal.Process
	owner       *journal.Owner // nil: it is not on
}

// The states of a run, as views name them.
const (
	stateRunning     = "running"
	stateWaiting     = "waiting"
	stateDone        = "done"
	stateFailed      = "failed"
	stateUnchecked   = "preflight failed"
	stateStopped     = "stopped"
	stateBroken      = "broken off" // by an error of upstep's own
	stateInterrupted = "interrupted"
	stateAbandoned   = "abandoned"
)

// oneRun says that a command takes a run, or none for the newest.
func oneRun(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return misuse(cmd, "", "%s takes one run, not %d", cmd.Name(), len(args))
	}
	return nil
}

// reading gives the journal to f.
func (a *app) reading(ctx context.Context, f func(*journal.Journal) error) error {
	if err := a.needFolder(); err != nil {
		return err
	}
	j, err := journal.OpenForReading(ctx, a.dir)
	if err != nil {
		return a.noneYet(err)
	}
	return errors.Join(f(j), j.Close())
}

// writing gives the journal to f, which records something in it.
func (a *app) writing(ctx context.Context, f func(*journal.Journal) error) error {
	// Opening makes a journal where there is none.
	if err := a.reading(ctx, func(*journal.Journal) error { return nil }); err != nil {
		return err
	}
	j, err := journal.Open(ctx, a.dir, journal.Options{})
	if err != nil {
		return err
	}
	return errors.Join(f(j), j.Close())
}

// noneYet says what to do where nothing was run.
func (a *app) noneYet(err error) error {
	if errors.Is(err, journal.ErrNone) {
		return usageError{err, "upstep run" + a.sameFlags() + " begins a run; -C names the project's folder"}
	}
	return err
}

// pick gives the run that is named, or the newest.
func (a *app) pick(ctx context.Context, j *journal.Journal, name string) (journal.Run, error) {
	if name != "" {
		r, err := j.Run(ctx, journal.RunID(name))
		if errors.Is(err, journal.ErrNoRun) {
			return r, a.unknownRun(ctx, j, name)
		}
		return r, err
	}
	latest, err := j.Latest(ctx)
	switch {
	case err != nil:
		return journal.Run{}, err
	case latest == nil:
		return journal.Run{}, a.noneYet(journal.ErrNone)
	}
	return *latest, nil
}

// unknownRun names the runs that there are.
func (a *app) unknownRun(ctx context.Context, j *journal.Journal, name string) error {
	const most = 5
	all, err := j.Runs(ctx, 0)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range all {
		names = append(names, string(r.ID))
	}
	hint := source.DidYouMean(name, names)
	switch {
	case len(names) == 0:
		hint = "nothing was run in this project yet"
	case hint == "" && len(names) > most:
		hint = "the last runs are " + strings.Join(names[:most], ", ") + "; upstep history" + a.sameFolder() + " shows all"
	case hint == "" && len(names) == 1:
		hint = "there is " + names[0]
	case hint == "":
		hint = "there are " + strings.Join(names, ", ")
	}
	return usageError{fmt.Errorf("unknown run %q", name), hint}
}

// name gives the argument at a place, or nothing.
func name(args []string, at int) string {
	if at < len(args) {
		return args[at]
	}
	return ""
}

// accountOf reads what there is to tell of the run that is named, or of the newest.
func (a *app) accountOf(ctx context.Context, j *journal.Journal, name string) (*account, error) {
	r, err := a.pick(ctx, j, name)
	if err != nil {
		return nil, err
	}
	return a.account(ctx, j, r)
}

// account reads what there is to tell of a run.
func (a *app) account(ctx context.Context, j *journal.Journal, run journal.Run) (*account, error) {
	acc := &account{run: run}
	var err error
	// Who has the lock is not of the same moment as the journal: a run that seems to be
	// broken off may have ended in between.
	for range 2 {
		if acc.invocations, err = j.Invocations(ctx, run.ID); err != nil {
			return nil, err
		}
		if !acc.last().Ended.IsZero() {
			break
		}
		if acc.owner, err = a.ownerOf(acc.last()); err != nil {
			return nil, err
		}
		if acc.owner != nil {
			break
		}
	}
	doc, err := j.Plan(ctx, acc.last().Plan)
	if err != nil {
		return nil, err
	}
	if acc.plan, err = planner.Decode(doc); err != nil {
		return nil, fmt.Errorf("plan of run %s: %w", run.ID, err)
	}
	if acc.done, err = j.Progress(ctx, run.ID); err != nil {
		return nil, err
	}
	if acc.requests, err = j.Requests(ctx, run.ID, 0); err != nil {
		return nil, err
	}
	acc.processes, err = j.Processes(ctx, run.ID)
	return acc, err
}

// ownerOf gives who has the lock, if it is the command of an invocation.
func (a *app) ownerOf(i journal.Invocation) (*journal.Owner, error) {
	owner, err := journal.Holder(a.dir)
	if err != nil || owner == nil || owner.PID != i.Who.PID || owner.Host != i.Who.Host {
		return nil, err
	}
	return owner, nil
}

// last is the last command that worked on the run; there is always one.
func (acc *account) last() journal.Invocation { return acc.invocations[len(acc.invocations)-1] }

// state names how a run is, or how its last command ended.
func (acc *account) state() string {
	switch last := acc.last(); {
	case acc.owner != nil && acc.waitsFor() != "" && acc.idle(), !acc.opensFor(time.Now()).IsZero():
		return stateWaiting
	case acc.owner != nil:
		return stateRunning
	case acc.run.State == journal.Done:
		return stateDone
	case acc.run.State == journal.Abandoned:
		return stateAbandoned
	case last.Ended.IsZero():
		return stateInterrupted
	case last.ExitCode == exitFailed:
		return stateFailed
	case last.ExitCode == exitPreflight:
		return stateUnchecked
	case last.ExitCode == exitStopped:
		return stateStopped
	}
	return stateBroken
}

// idle tells whether neither the preflight nor a unit is at work.
func (acc *account) idle() bool {
	for _, p := range acc.processes {
		if p.Ended.IsZero() && p.Book == playbooks.PreflightBook {
			return false
		}
	}
	for _, u := range acc.done.Units {
		for _, h := range u.Hosts {
			if h.State == journal.Started {
				return false
			}
		}
	}
	return true
}

// waitsFor gives the stage that waits for approval, if everything before it has ended.
func (acc *account) waitsFor() string {
	if acc.run.State != journal.Unfinished {
		return ""
	}
	given := approvals(acc.requests)
	for _, s := range acc.plan.Stages {
		units, passed, begun := 0, 0, false
		s.Units(func(_ planner.Wave, u planner.Unit) {
			t := acc.tally(u)
			units++
			if t.over() {
				passed++
			}
			begun = begun || t.State != stateWaiting && t.State != stateEmpty
		})
		if s.Approve && !begun && passed < units && !given[s.Name] {
			return s.Name
		}
		if passed < units {
			return ""
		}
	}
	return ""
}

// worked gives how long commands worked on a run. Of one that was killed nobody knows.
func (acc *account) worked(now time.Time) time.Duration {
	var sum time.Duration
	for n, i := range acc.invocations {
		switch {
		case !i.Ended.IsZero():
			sum += i.Ended.Sub(i.Started)
		case n == len(acc.invocations)-1 && acc.owner != nil:
			sum += now.Sub(i.Started)
		}
	}
	return sum
}

// outcomeOf says in a line how an invocation ended.
func outcomeOf(res runner.Result) string {
	if len(res.Failures) == 0 {
		return res.Reason
	}
	f := res.Failures[0]
	text := unitName(f.Unit) + " " + string(f.State)
	if len(f.Hosts) > 0 {
		text += " on " + shortened(f.Hosts, 4)
	}
	if f.Message != "" {
		text += ": " + firstLine(f.Message)
	}
	if more := len(res.Failures) - 1; more > 0 {
		text += fmt.Sprintf(" (and %s)", plural(more, "more failure"))
	}
	return text
}

// moment is a time as an operator reads it.
func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// typedAs gives a command as somebody typed it.
func typedAs(w journal.Who) string {
	words := []string{"upstep"}
	for _, word := range w.Command {
		words = append(words, shellWord(word))
	}
	return strings.Join(words, " ")
}
