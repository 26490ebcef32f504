package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

func (a *app) statusCommand() *cobra.Command {
	var hosts bool
	cmd := &cobra.Command{
		Use:   "status [RUN]",
		Short: "Tell how far a run is, and what comes next",
		Long: `Tell how far a run is, while it is on and afterwards: the newest, or the one named. Hosts
that are out of traffic come first, then each stage and step, then what failed, where
and why, what waits, and the next command.`,
		Example: "  upstep status\n  upstep status 20261121-131502 --hosts\n  upstep status --output json | jq -r '.out_of_traffic[].host'",
		Args:    oneRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reading(cmd.Context(), func(j *journal.Journal) error {
				s, err := a.status(cmd.Context(), j, name(args, 0))
				if err != nil {
					return err
				}
				return a.result(s, func() { a.statusTable(s, hosts) })
			})
		},
	}
	cmd.Flags().BoolVar(&hosts, "hosts", false, "name every host, however many there are")
	a.outputFlag(cmd)
	return cmd
}

// runStatus is how far a run is.
type runStatus struct {
	Run          journal.RunID      `json:"run"`
	Plan         string             `json:"plan,omitempty"` // its name
	State        string             `json:"state"`
	Owner        *journal.Owner     `json:"owner,omitempty"` // who has it in hand
	Began        time.Time          `json:"began"`
	Ended        time.Time          `json:"ended,omitzero"`
	Seconds      float64            `json:"seconds"` // that commands worked on it
	Last         journal.Invocation `json:"last_invocation"`
	Waits        string             `json:"waits_for_approval,omitempty"` // the stage
	Opens        time.Time          `json:"waits_for_window,omitzero"`    // when it opens
	Units        map[string]int     `json:"units"`                        // how many are in which state
	OutOfTraffic []hostStatus       `json:"out_of_traffic"`
	Replaced     []replacedStatus   `json:"replaced,omitempty"`
	Before       []unitStatus       `json:"before,omitempty"`
	Stages       []stageStatus      `json:"stages"`
	After        []unitStatus       `json:"after,omitempty"`
	Failures     []runner.Failure   `json:"failures"`
	Skips        []journal.Skip     `json:"skips,omitempty"`
	AtWork       []string           `json:"left_at_work,omitempty"` // playbooks that a killed upstep has left
	Next         []string           `json:"next"`                   // commands
}

// stageStatus is how far a stage is.
type stageStatus struct {
	Name    string       `json:"name"`
	State   string       `json:"state"`
	Approve bool         `json:"approve,omitempty"`
	Waves   []waveStatus `json:"waves"`
}

// waveStatus is how far a wave is.
type waveStatus struct {
	Number int           `json:"number"`
	Steps  []stepStatus  `json:"steps,omitempty"`
	Health []unitStatus  `json:"health,omitempty"`
	Tracks []trackStatus `json:"tracks,omitempty"`
}

// stepStatus is how far the units of a step are.
type stepStatus struct {
	Number int          `json:"number"`
	Name   string       `json:"name,omitempty"`
	Units  []unitStatus `json:"units"`
}

// trackStatus is how far a rolling role is.
type trackStatus struct {
	Role  string       `json:"role"`
	State string       `json:"state"`
	Hosts []hostStatus `json:"hosts"`
	Parts []unitStatus `json:"parts"`
}

// hostStatus is where a host of a rolling role stands.
type hostStatus struct {
	journal.HostStanding
	AtWork bool `json:"at_work,omitempty"`
}

// unitStatus is how far a unit is.
type unitStatus struct {
	Unit    string    `json:"unit"`
	Role    string    `json:"role,omitempty"`
	State   string    `json:"state"`
	Hosts   int       `json:"hosts"`
	Passed  int       `json:"passed"` // ended or skipped
	Failed  int       `json:"failed,omitempty"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Seconds float64   `json:"seconds,omitempty"`
}

// The states of units that are not the journal's own.
const (
	statePartial = "partial" // it passed on some of its hosts and did not begin on the others
	stateEmpty   = "empty"   // there is no host
)

func (u unitStatus) over() bool {
	return u.State == string(journal.Ended) || u.State == string(journal.Skipped) || u.State == stateEmpty
}

// status gathers how far a run is.
func (a *app) status(ctx context.Context, j *journal.Journal, run string) (*runStatus, error) {
	acc, err := a.accountOf(ctx, j, run)
	if err != nil {
		return nil, err
	}
	r := acc.run
	s := &runStatus{
		Run: r.ID, Plan: r.Plan, State: acc.state(), Owner: acc.owner, Began: r.Started, Ended: r.Ended,
		Seconds: acc.worked(time.Now()).Seconds(), Last: acc.last(), Waits: acc.waitsFor(), Opens: acc.opensFor(time.Now()),
		Units: map[string]int{}, OutOfTraffic: []hostStatus{}, Failures: []runner.Failure{}, Skips: acc.done.Skips,
	}
	s.stages(acc)
	s.Replaced = replacements(acc.plan, acc.done)
	if s.State == stateUnchecked {
		if s.Failures, err = preflightFailures(ctx, j, r.ID); err != nil {
			return nil, err
		}
	}
	for _, p := range acc.processes {
		if p.Ended.IsZero() && acc.owner == nil {
			s.AtWork = append(s.AtWork, p.Book)
		}
	}
	s.Next = a.next(s, acc)
	return s, nil
}

// next gives the commands that an operator wants now.
func (a *app) next(s *runStatus, acc *account) []string {
	approve := a.asTyped("upstep approve " + string(s.Run) + " " + shellWord(s.Waits) + a.sameFolder())
	run := a.goOn(acc)
	if s.State == stateStopped && slices.ContainsFunc(s.Replaced, func(r replacedStatus) bool { return r.UntilTold }) && s.only(planner.Retire) {
		run += " --retire"
	}
	switch {
	case s.State == stateWaiting && s.Opens.IsZero():
		return []string{approve}
	case s.State == stateRunning || s.State == stateWaiting:
		return []string{a.asTyped("upstep cancel " + string(s.Run) + a.sameFolder())}
	case s.State == stateDone || s.State == stateAbandoned:
		return []string{}
	case s.Waits != "":
		return []string{approve, run}
	}
	return []string{run}
}

// stages goes through the plan and says of each of its units how far it is.
func (s *runStatus) stages(acc *account) {
	note := func(u planner.Unit) unitStatus {
		t := acc.tally(u)
		s.Units[t.State]++
		s.fail(acc, u)
		return t
	}
	units := func(list []planner.Unit) (out []unitStatus) {
		for _, u := range list {
			out = append(out, note(u))
		}
		return out
	}
	before, after := playbooks.DeploymentPlays(acc.plan)
	for _, p := range before {
		s.Before = append(s.Before, units(p.Units)...)
	}
	s.Stages = []stageStatus{}
	for _, st := range acc.plan.Stages {
		stage := stageStatus{Name: st.Name, Approve: st.Approve, Waves: []waveStatus{}}
		var all []unitStatus
		for _, w := range st.Waves {
			wave := waveStatus{Number: w.Number}
			for _, step := range w.Steps {
				list := units(step.Units)
				all = append(all, list...)
				wave.Steps = append(wave.Steps, stepStatus{step.Number, step.Name, list})
			}
			wave.Health = units(w.Health)
			all = append(all, wave.Health...)
			for _, t := range w.Tracks {
				track := s.track(acc, t, units(t.Parts))
				all = append(all, track.Parts...)
				wave.Tracks = append(wave.Tracks, track)
			}
			stage.Waves = append(stage.Waves, wave)
		}
		if stage.State = together(all); s.Waits == st.Name {
			stage.State = "waits for approval"
		}
		s.Stages = append(s.Stages, stage)
	}
	for _, p := range after {
		s.After = append(s.After, units(p.Units)...)
	}
}

// track says where the hosts of a rolling role stand.
func (s *runStatus) track(acc *account, t planner.Track, parts []unitStatus) trackStatus {
	out := trackStatus{Role: t.Role, State: together(parts), Hosts: []hostStatus{}, Parts: parts}
	if acc.plan.Replaced(t) {
		return out // its hosts leave traffic for good
	}
	for _, h := range acc.done.Standings(acc.plan, t) {
		host := hostStatus{HostStanding: h}
		host.AtWork = acc.owner != nil && slices.ContainsFunc(t.Parts, func(u planner.Unit) bool {
			return acc.done.Units[u.ID].Hosts[h.Host].State == journal.Started
		})
		out.Hosts = append(out.Hosts, host)
		if host.OutOfTraffic {
			s.OutOfTraffic = append(s.OutOfTraffic, host)
		}
	}
	return out
}

// together sums up the states of units.
func together(units []unitStatus) string {
	count := map[string]int{}
	for _, u := range units {
		count[u.State]++
	}
	for _, state := range []string{stateRunning, string(journal.Failed), string(journal.Unknown), string(journal.Stopped), statePartial} {
		if count[state] > 0 {
			return state
		}
	}
	switch waiting := count[stateWaiting]; {
	case waiting == 0:
		return string(journal.Ended)
	case waiting+count[stateEmpty] == len(units):
		return stateWaiting
	}
	return statePartial
}

// tally says how far a unit is: what its hosts say counts, as a unit's own state is
// that of its last batch.
func (acc *account) tally(u planner.Unit) unitStatus {
	rec := acc.done.Units[u.ID]
	out := unitStatus{Unit: u.ID, Role: u.Role, Started: rec.Started, Ended: rec.Ended, Seconds: rec.Seconds}
	count := map[journal.State]int{}
	for _, h := range acc.members(u) {
		state := rec.Hosts[h].State
		if state == "" && rec.State == journal.Skipped {
			state = journal.Skipped
		}
		if state == journal.Started && acc.owner == nil {
			state = journal.Unknown // nobody follows it any more
		}
		count[state]++
		out.Hosts++
	}
	out.Passed = count[journal.Ended] + count[journal.Skipped]
	out.Failed = count[journal.Failed] + count[journal.Unreachable] + count[journal.Unknown]
	switch {
	case out.Hosts == 0 && u.Role == "": // a deployment; which hosts is known when it begins
		out.State = string(cmp.Or(rec.State, journal.Waiting))
		if rec.State == journal.Started && acc.owner != nil {
			out.State = stateRunning
		}
	case out.Hosts == 0:
		out.State = stateEmpty
	case count[journal.Started] > 0:
		out.State = stateRunning
	case count[journal.Failed]+count[journal.Unreachable] > 0:
		out.State = string(journal.Failed)
	case count[journal.Unknown] > 0:
		out.State = string(journal.Unknown)
	case out.Passed == out.Hosts && count[journal.Ended] == 0:
		out.State = string(journal.Skipped)
	case out.Passed == out.Hosts:
		out.State = string(journal.Ended)
	case count[journal.Stopped] > 0:
		out.State = string(journal.Stopped)
	case out.Passed > 0:
		out.State = statePartial
	default:
		out.State = stateWaiting
	}
	return out
}

// members gives the hosts of a unit, in the plan's order.
func (acc *account) members(u planner.Unit) []string {
	if u.Role != "" {
		return acc.plan.HostsOf(u)
	}
	var out []string
	for h := range acc.done.Units[u.ID].Hosts {
		out = append(out, h)
	}
	slices.Sort(out)
	return out
}

// fail notes the hosts on which a unit failed, those that failed in the same way together.
func (s *runStatus) fail(acc *account, u planner.Unit) {
	var found []runner.Failure
	for _, name := range acc.members(u) {
		h := acc.done.Units[u.ID].Hosts[name]
		switch {
		case h.State == journal.Failed || h.State == journal.Unreachable || h.State == journal.Unknown:
		case h.State == journal.Started && acc.owner == nil:
			h.State, h.Message = journal.Unknown, "upstep was ended in the middle of it"
		default:
			continue
		}
		found = append(found, runner.Failure{Unit: u.ID, Role: u.Role, State: h.State, Hosts: []string{name}, Task: h.Task, Message: h.Message, Stderr: h.Stderr})
	}
	s.Failures = append(s.Failures, alike(found)...)
}

// preflightFailures gives what the last preflight of a run found: nothing was begun, so
// that only events tell of it.
func preflightFailures(ctx context.Context, j *journal.Journal, run journal.RunID) ([]runner.Failure, error) {
	events, err := j.Events(ctx, run, 0, 0)
	if err != nil {
		return nil, err
	}
	out, seen := []runner.Failure{}, newPreflightSheet()
	for _, e := range events {
		switch {
		case e.Kind == event.RunStart:
			out, seen = out[:0], newPreflightSheet()
		case e.Stage == playbooks.Preflight && e.Host != "" && lost(e.Event):
			if seen.take(e.Event); !seen.repeats(e.Event) {
				f := failureOf(e.Event)
				f.Unit = unitName(f.Unit)
				out = append(out, f)
			}
		}
	}
	return alike(out), nil
}
