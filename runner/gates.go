package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// Pause is the boundary after which a run stops for the operator.
type Pause string

// The boundaries of --pause-after.
const (
	NoPause    Pause = ""
	PauseStage Pause = "stage"
	PauseWave  Pause = "wave"
	PauseBatch Pause = "batch"
)

// gates are the operator's: approvals of stages, and the maintenance window.
type gates struct {
	approved map[string]bool
	asking   string // the stage that is asked for
	waits    string // the stage that was not approved
	answers  chan decision
	opens    time.Time // when the window does that is waited for; zero: none is
}

type decision struct {
	stage string
	ok    bool
	err   error
}

// mayBegin tells whether the operator lets a play begin that is ready otherwise.
func (r *run) mayBegin(ctx context.Context, p *play) bool {
	if r.withheld(p) || r.pausing(p) || r.keeping(p) {
		return false
	}
	if why := r.pausedBefore(p); why != "" {
		r.stop(why)
		return false
	}
	if !r.WaitForWindow && r.shut() {
		return false // before anybody is asked for what may not begin
	}
	return r.mayEnter(ctx, p.Stage) && !r.shut()
}

// mayEnter tells whether a stage needs no approval or has it, and else asks for it.
func (r *run) mayEnter(ctx context.Context, stage string) bool {
	if r.Yes || r.gates.approved[stage] || !r.needsApproval(stage) {
		return true
	}
	if r.gates.asking != "" || r.halted() {
		return false
	}
	if r.Approve == nil {
		r.gates.waits = stage
		r.stop("stage " + stage + " waits for approval")
		return false
	}
	r.gates.asking = stage
	r.report(event.Event{Kind: event.Wait, Stage: stage, Message: "stage " + stage + " waits for approval"})
	go func() {
		ok, err := r.Approve(ctx, stage)
		r.gates.answers <- decision{stage, ok, err}
	}()
	return false
}

// await keeps a run that has something to do from its preflight until work may begin: what
// is looked at hours before says little.
func (r *run) await(ctx context.Context, stop <-chan string) error {
	if !slices.ContainsFunc(r.score.plays, func(p *play) bool { return p.state == waiting }) {
		return nil
	}
	return r.pump(ctx, stop, func() { r.shut() })
}

// shut tells whether the operator's window keeps work from beginning now. Then the run
// stops, or waits for the next.
func (r *run) shut() bool {
	if r.Open == nil {
		return false
	}
	now := r.Now()
	open, until := r.Open(now)
	switch {
	case open && !r.gates.opens.IsZero():
		r.gates.opens = time.Time{}
		r.report(event.Event{Kind: event.Note, Message: "the maintenance window is open"})
	case open, r.halted():
	case until.IsZero():
		r.stop("outside the maintenance window, which never opens")
	case !r.WaitForWindow:
		r.stop("outside the maintenance window, the next opens " + calendar.Moment(until, now))
	case !until.Equal(r.gates.opens):
		r.gates.opens = until
		r.report(event.Event{Kind: event.Wait, Message: "outside the maintenance window: waits until " + calendar.Moment(until, now)})
	}
	return !open
}

// withheld tells whether a play waits for every host to be done: what comes after the
// upgrade is wrong where some hosts have not had it.
func (r *run) withheld(p *play) bool {
	last := []string{planner.PostUpgrade, playbooks.After, planner.Retire} // in their order
	at := slices.Index(last, p.Stage)
	if r.Plan.Undo != "" || at < 0 {
		return false
	}
	return slices.ContainsFunc(r.score.plays, func(q *play) bool {
		open := q.state == tolerated || q.state == limited || q.state == left && (p.Stage == playbooks.After || !r.WithoutDependencies)
		return open && q.Stage != playbooks.After && !slices.Contains(last[at:], q.Stage)
	})
}

// pausing tells whether a batch waits for the pause after the one before it.
func (r *run) pausing(p *play) bool {
	return p.state == waiting && p.notBefore.After(r.Now())
}

func (r *run) needsApproval(stage string) bool {
	for _, s := range r.Plan.Stages {
		if s.Name == stage && s.Approve {
			for _, p := range r.score.plays { // what has begun was approved
				if p.Stage == stage && (p.state == ended || p.state == running || p.state == failed) {
					return false
				}
			}
			return true
		}
	}
	return false
}

// decided takes the answer to an approval.
func (r *run) decided(d decision) {
	r.gates.asking = ""
	switch {
	case d.err != nil:
		r.gates.waits = d.stage
		r.stop(fmt.Sprintf("stage %s waits for approval: %v", d.stage, d.err))
	case d.ok:
		r.gates.approved[d.stage] = true
	default:
		r.gates.waits = d.stage
		r.stop("stage " + d.stage + " was not approved")
	}
}

// waits tells whether the operator's answer is outstanding, the end of a pause, or a window.
func (r *run) waits() bool {
	return !r.halted() && (r.gates.asking != "" || !r.gates.opens.IsZero() || slices.ContainsFunc(r.score.plays, r.pausing))
}

// pausedBefore says why a play is not begun after a pause.
func (r *run) pausedBefore(p *play) string {
	for _, id := range r.finished {
		q := r.score.byID[id]
		switch {
		case r.PauseAfter != NoPause && q.Stage != p.Stage && q.Stage != playbooks.Before:
			return "paused after stage " + q.Stage
		case r.PauseAfter == PauseWave && q.Stage == p.Stage && q.Wave < p.Wave:
			return fmt.Sprintf("paused after wave %d of stage %s", q.Wave, q.Stage)
		}
	}
	if r.PauseAfter == PauseBatch && p.Batches && !p.began.IsZero() {
		return "paused after a batch of " + p.Role
	}
	return ""
}
