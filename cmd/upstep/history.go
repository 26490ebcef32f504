package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

func (a *app) historyCommand() *cobra.Command {
	var events bool
	var limit int
	var copyTo string
	cmd := &cobra.Command{
		Use:   "history [RUN]",
		Short: "List the runs, or tell all that was done in one",
		Long: `List the runs, the newest first; or tell of one who worked on it, when and with which
command, how long each unit took, what was skipped by hand and what was asked of it.
--events prints all that happened as JSON lines, of the newest run if none is named.`,
		Example: "  upstep history\n  upstep history 20261121-131502\n  upstep history 20261121-131502 --events | jq -c 'select(.kind == \"failed\")'",
		Args: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return misuse(cmd, "--limit 0 lists all", "--limit %d is negative", limit)
			}
			return oneRun(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reading(cmd.Context(), func(j *journal.Journal) error {
				switch {
				case copyTo != "":
					return j.CopyTo(cmd.Context(), copyTo)
				case events:
					return a.events(cmd.Context(), j, name(args, 0))
				case len(args) > 0:
					return a.historyOf(cmd.Context(), j, args[0])
				}
				return a.history(cmd.Context(), j, limit)
			})
		},
	}
	cmd.Flags().BoolVar(&events, "events", false, "print the events of a run as JSON lines")
	cmd.Flags().StringVar(&copyTo, "copy", "", "copy the journal into the project in `DIR`, also while a run writes it")
	cmd.Flags().IntVar(&limit, "limit", 20, "list the last `N` runs; 0: all")
	a.outputFlag(cmd)
	return cmd
}

// runRecord is a run in the list of runs.
type runRecord struct {
	Run     journal.RunID `json:"run"`
	Plan    string        `json:"plan,omitempty"`       // its name
	Undo    string        `json:"takes_back,omitempty"` // the run that it takes back
	State   string        `json:"state"`
	Began   time.Time     `json:"began"`
	Ended   time.Time     `json:"ended,omitzero"`
	Seconds float64       `json:"seconds"` // that commands worked on it
	By      journal.Who   `json:"by"`
	Units   int           `json:"units"`
	Done    int           `json:"units_done"`
	Failed  int           `json:"failed"` // hosts that failed in a unit and did not pass it since
}

// runDetail is all that is told of one run but its events.
type runDetail struct {
	runRecord
	Invocations []journal.Invocation `json:"invocations"`
	List        []unitStatus         `json:"unit_list"`
	Skips       []journal.Skip       `json:"skips,omitempty"`
	Requests    []journal.Request    `json:"requests,omitempty"`
}

// detail gathers what there is to tell of a run.
func (acc *account) detail() runDetail {
	r := runDetail{
		runRecord: runRecord{
			Run: acc.run.ID, Plan: acc.run.Plan, Undo: acc.plan.Undo, State: acc.state(), Began: acc.run.Started, Ended: acc.run.Ended,
			Seconds: acc.worked(time.Now()).Seconds(), By: acc.run.Who,
		},
		Invocations: acc.invocations, List: []unitStatus{}, Skips: acc.done.Skips, Requests: acc.requests,
	}
	for _, u := range unitsOf(acc.plan) {
		t := acc.tally(u)
		r.List = append(r.List, t)
		r.Units++
		r.Failed += t.Failed
		if t.over() {
			r.Done++
		}
	}
	return r
}

// unitsOf gives every unit that a run records, in the plan's order.
func unitsOf(p *planner.Plan) []planner.Unit {
	var out []planner.Unit
	before, after := playbooks.DeploymentPlays(p)
	for _, pl := range before {
		out = append(out, pl.Units...)
	}
	for _, s := range p.Stages {
		s.Units(func(_ planner.Wave, u planner.Unit) { out = append(out, u) })
	}
	for _, pl := range after {
		out = append(out, pl.Units...)
	}
	return out
}

// history lists runs.
func (a *app) history(ctx context.Context, j *journal.Journal, limit int) error {
	runs, err := j.Runs(ctx, limit)
	if err != nil {
		return err
	}
	list := []runRecord{}
	for _, r := range runs {
		acc, err := a.account(ctx, j, r)
		if err != nil {
			return err
		}
		list = append(list, acc.detail().runRecord)
	}
	return a.result(list, func() {
		t := newTable()
		t.AppendRow(table.Row{"run", "state", "began", "took", "by", "units", "failed", "plan"})
		for _, r := range list {
			state := r.State
			if r.Undo != "" {
				state += ", takes back " + r.Undo
			}
			t.AppendRow(table.Row{r.Run, state, r.Began.Local().Format("2006-01-02 15:04"), took(r.Seconds), r.By.User, fmt.Sprintf("%d/%d", r.Done, r.Units), r.Failed, r.Plan})
		}
		a.printTable(t)
	})
}

// historyOf tells of one run.
func (a *app) historyOf(ctx context.Context, j *journal.Journal, run string) error {
	acc, err := a.accountOf(ctx, j, run)
	if err != nil {
		return err
	}
	d := acc.detail()
	return a.result(d, func() { a.detailTable(acc, d) })
}

// detailTable shows what there is to tell of a run.
func (a *app) detailTable(acc *account, d runDetail) {
	a.printf("run %s%s: %s\n", d.Run, of(d.Plan), d.State)
	a.printf("  began %s; %d of %s done\n", worked(d.Began, d.Seconds), d.Done, plural(d.Units, "unit"))
	a.printf("\ncommands\n")
	for _, i := range d.Invocations {
		a.paragraph("  ", fmt.Sprintf("%d. %s  %s", i.Number, moment(i.Started), a.ended(acc, i)))
	}
	a.printf("\nunits\n")
	t := newTable()
	for _, u := range d.List {
		passed := ""
		if u.Hosts > 0 {
			passed = fmt.Sprintf("%d/%d", u.Passed, u.Hosts)
		}
		t.AppendRow(table.Row{u.Unit, u.State, passed, took(u.Seconds)})
	}
	a.printTable(t)
	a.skipped(d.Skips)
	if len(d.Requests) > 0 {
		a.printf("\nasked of it\n")
		for _, q := range d.Requests {
			text := string(q.Ask)
			if q.Gate != "" {
				text += " " + q.Gate
			}
			a.paragraph("  ", fmt.Sprintf("%s  %s, by %s", moment(q.At), text, by(q.Who)))
		}
	}
}

// took is a duration as a table shows it, as far as it is known.
func took(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	return duration(seconds)
}

// ended says how a command ended, or that it is at work.
func (a *app) ended(acc *account, i journal.Invocation) string {
	if acc.owner != nil && i.Number == acc.last().Number {
		return by(i.Who) + ": " + typedAs(i.Who) + " is at work"
	}
	return ending(i)
}

// events prints what happened in a run, one line for each event behind a line that names
// the format.
func (a *app) events(ctx context.Context, j *journal.Journal, run string) error {
	const some = 1000 // in memory at a time
	r, err := a.pick(ctx, j, run)
	if err != nil {
		return err
	}
	out := json.NewEncoder(results{a})
	if err := out.Encode(map[string]string{"format": event.Format}); err != nil {
		return err
	}
	for last := int64(0); ; {
		list, err := j.Events(ctx, r.ID, last, some)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			last = e.Number
			if err := out.Encode(e); err != nil {
				return err
			}
		}
	}
}
