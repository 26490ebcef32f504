package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

// choose goes on with the open run, or begins one.
func (s *invocation) choose(ctx context.Context, current *journal.Run, doc []byte) error {
	inv := journal.Invocation{Who: s.who(), Started: time.Now()}
	if current == nil && !s.flags.fresh {
		latest, err := s.journal.Latest(ctx)
		if err != nil {
			return err
		}
		if latest != nil && latest.State == journal.Done {
			if err := s.refuseDone(ctx, latest); err != nil {
				return err
			}
		}
	}
	var err error
	if current != nil {
		before, err := planOf(ctx, s.journal, current.ID)
		switch {
		case err != nil:
			return err
		case s.plan.Undo != "" && before.Undo != s.plan.Undo:
			s.flags.fresh = true // what is taken back does not go on
		case s.plan.Undo == "" && before.Undo != "" && !s.flags.fresh:
			return s.errUndoing(current.ID, before.Undo)
		case s.plan.Undo == "" && !s.plan.Hop.Same(before.Hop) && !s.flags.fresh:
			return usageError{fmt.Errorf("run %s is unfinished, and is %s", current.ID, hopText(before)), "finish it first, or give --new to leave it as it is"}
		}
	}
	if current != nil && !s.flags.fresh {
		s.run = current.ID
		if err := s.compare(ctx); err != nil {
			return err
		}
		s.number, err = s.journal.Invoke(ctx, s.run, doc, inv)
		return err
	}
	if current != nil {
		if string(current.ID) != s.plan.Undo {
			s.errorf("run %s is left unfinished\n", current.ID)
		}
		if err := s.journal.Write(ctx, current.ID, func(t *journal.Tx) error { t.RunState(journal.Abandoned, time.Now()); return nil }); err != nil {
			return err
		}
	}
	s.number = 1
	s.run, err = s.journal.Begin(ctx, titleOf(s.plan), doc, inv)
	return err
}

// doneError says that there is nothing to do.
type doneError struct{ run *journal.Run }

func (e doneError) Error() string {
	return fmt.Sprintf("nothing to do: run %s has ended every unit of this plan", e.run.ID)
}

// refuseDone refuses a plan that a run has carried out.
func (s *invocation) refuseDone(ctx context.Context, latest *journal.Run) error {
	before, err := planOf(ctx, s.journal, latest.ID)
	if err != nil {
		return err
	}
	if !s.plan.Hop.Same(before.Hop) {
		return nil
	}
	done, err := s.journal.Progress(ctx, latest.ID)
	if err != nil {
		return err
	}
	if len(runner.Differences(before, s.plan, done)) == 0 && runner.Complete(s.plan, done) {
		return doneError{latest}
	}
	return nil
}

// planOf gives the plan that a run followed last.
func planOf(ctx context.Context, j *journal.Journal, run journal.RunID) (*planner.Plan, error) {
	list, err := j.Invocations(ctx, run)
	if err != nil {
		return nil, err
	}
	doc, err := j.Plan(ctx, list[len(list)-1].Plan)
	if err != nil {
		return nil, err
	}
	return planner.Decode(doc)
}

// titleOf names a plan in the list of runs.
func titleOf(p *planner.Plan) string {
	if p.Undo != "" {
		return strings.TrimSpace(p.Name + " back from " + p.Undo)
	}
	if p.Hop != nil {
		return strings.TrimSpace(p.Name + " " + p.Hop.String())
	}
	return p.Name
}

// hopText says which hop a plan is.
func hopText(p *planner.Plan) string {
	if p.Hop == nil {
		return "no hop of a route"
	}
	return "the hop " + p.Hop.String()
}

// compare refuses to go on with a run by a plan that says otherwise of what it did.
func (s *invocation) compare(ctx context.Context) error {
	before, err := planOf(ctx, s.journal, s.run)
	if err != nil {
		return err
	}
	if s.done, err = s.journal.Progress(ctx, s.run); err != nil {
		return err
	}
	differences := runner.Differences(before, s.plan, s.done)
	for _, d := range differences {
		if d.Unit == "" {
			s.errorf("%s\n", d.Text)
		} else {
			s.errorf("%s: %s\n", d.Unit, d.Text)
		}
	}
	if len(differences) > 0 && !s.flags.acceptChanged {
		return codeError{fmt.Errorf("run %s is not finished, and this plan differs from what it did\n  hint: --accept-changed goes on with it, --rerun UNIT runs a unit again, --new begins afresh", s.run), exitStale}
	}
	return nil
}

// startOf finds with which hop a route goes on: the one whose run is unfinished, else
// the one that leads from where the last run ended. A route that does not pass there is
// refused: its hops were not tried from there.
func (a *app) startOf(ctx context.Context, r *planner.Route, fresh bool) (start int, err error) {
	if fresh || r.Hops[0].Hop == nil {
		return 0, nil
	}
	j, err := journal.OpenForReading(ctx, a.dir)
	if errors.Is(err, journal.ErrNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	runs, err := j.Runs(ctx, 0)
	if err != nil {
		return 0, err
	}
	// What was left as it was led nowhere.
	runs = slices.DeleteFunc(runs, func(r journal.Run) bool { return r.State == journal.Abandoned })
	if len(runs) == 0 {
		return 0, nil
	}
	run := runs[0]
	unfinished := run.State == journal.Unfinished
	before, err := planOf(ctx, j, run.ID)
	if err != nil {
		return 0, err
	}
	if unfinished {
		at := slices.IndexFunc(r.Hops, func(p *planner.Plan) bool { return p.Hop.Same(before.Hop) })
		if at < 0 && before.Undo == "" {
			return 0, usageError{fmt.Errorf("run %s is unfinished, and is no hop of %s", run.ID, r.Title()), "finish it first, or give --new to leave it as it is"}
		}
		return max(at, 0), nil // a rollback that is on is told where the run is opened
	}
	if before.Hop == nil {
		return 0, nil
	}
	stands := before.Hop.To
	if before.Undo != "" {
		stands = before.Hop.From
	}
	for i, p := range r.Hops {
		switch {
		case p.Hop.From == stands:
			a.tellNewHosts(before, p)
			return i, nil
		case p.Hop.To == stands && i == len(r.Hops)-1:
			return i, nil
		}
	}
	return 0, usageError{fmt.Errorf("the last run, %s, led to %s, and the route %s does not pass there", run.ID, stands, r.Title()), "name a route from " + stands + ", or give --new to take this one all the same"}
}

// tellNewHosts warns of hosts that were not there in the hop before.
func (a *app) tellNewHosts(before, now *planner.Plan) {
	had := map[string]bool{}
	for i := range before.Roles {
		for _, h := range before.Roles[i].Members {
			had[h] = true
		}
	}
	var others []string
	for i := range now.Roles {
		for _, h := range now.Roles[i].Members {
			if !had[h] && !slices.Contains(others, h) {
				others = append(others, h)
			}
		}
	}
	if len(others) > 0 && before.Undo == "" {
		a.errorf("upstep: warning: not in the hop %s, and now in %s: %s\n  hint: take them through the hops before, or leave them out with --exclude\n", before.Hop, now.Hop, shortened(others, 6))
	}
}
