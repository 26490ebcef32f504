package journal

import (
	"slices"
	"time"

	"github.com/upstep/upstep/planner"
)

// Phase is how far the replacement of a role is.
type Phase string

// The phases of a replacement, in order.
const (
	PhaseNone     Phase = "not begun"
	PhaseDeploy   Phase = "deploying"
	PhaseDeployed Phase = "deployed"
	PhaseCarried  Phase = "carried over"
	PhaseVerified Phase = "verified"
	PhaseCutting  Phase = "cutting over"
	PhaseLive     Phase = "live"
	PhaseRetiring Phase = "retiring"
	PhaseRetired  Phase = "retired"
)

// Replacement is how far the replacement of a role is, or the way back to its old hosts.
type Replacement struct {
	Role  string `json:"role"`  // that is replaced
	Old   string `json:"old"`   // the role of the hosts that serve before
	New   string `json:"new"`   // and of those that take over; the two change places on the way back
	Phase Phase  `json:"phase"` // of the way of this run
	// Serving are the roles whose hosts are in traffic, or may be.
	Serving []string `json:"serving"`
	// Over is when the new hosts had taken over; zero before that.
	Over time.Time `json:"over,omitzero"`
}

// Replacements tells of every role that a plan replaces, or cuts back to.
func (p Progress) Replacements(plan *planner.Plan) []Replacement {
	var out []Replacement
	for _, s := range plan.Stages {
		for _, w := range s.Waves {
			for _, t := range w.Tracks {
				if plan.Replaced(t) && s.Name != planner.Retire {
					out = append(out, p.replacement(plan, t))
				}
			}
		}
	}
	return out
}

func (p Progress) replacement(plan *planner.Plan, t planner.Track) Replacement {
	old, taking, _ := plan.Instances(t.Role)
	r := Replacement{Role: t.Role, Old: old.Name, New: taking.Name, Phase: PhaseNone}
	if plan.Undo != "" {
		r.Old, r.New = r.New, r.Old
	}
	reached := map[planner.Kind]Phase{
		planner.KindDeploy: PhaseDeployed, planner.KindCarry: PhaseCarried, planner.KindVerify: PhaseVerified, planner.KindHealth: PhaseVerified,
	}
	cutting, open := false, false
	for _, u := range t.Parts {
		if len(p.Units[u.ID].Hosts) == 0 && p.Units[u.ID].State == "" {
			open = true
			break
		}
		switch u.Kind { //nolint:exhaustive // the others are before it is live
		case planner.KindRestore, planner.KindCutOver, planner.KindCutBack, planner.KindDrain:
			cutting = true
		}
		if !p.passed(plan, u) {
			open = true
			if r.Phase == PhaseNone {
				r.Phase = PhaseDeploy
			}
			break
		}
		if at, is := reached[u.Kind]; is && !cutting {
			r.Phase = at
		}
	}
	switch {
	case !open:
		r.Phase, r.Serving, r.Over = PhaseLive, []string{r.New}, p.EndOf(t.Parts)
	case cutting:
		r.Phase, r.Serving = PhaseCutting, []string{r.Old, r.New}
	default:
		r.Serving = []string{r.Old}
	}
	p.retired(plan, t.Role, &r)
	return r
}

// retired says how far the old hosts are on their way out.
func (p Progress) retired(plan *planner.Plan, role string, r *Replacement) {
	for _, s := range plan.Stages {
		if s.Name != planner.Retire {
			continue
		}
		left, begun, over := 0, false, false
		s.Units(func(_ planner.Wave, u planner.Unit) {
			if u.Role != role {
				return
			}
			begun = begun || len(p.Units[u.ID].Hosts) > 0
			if over = true; !p.passed(plan, u) {
				left++
			}
		})
		switch {
		case over && left == 0:
			r.Phase = PhaseRetired
		case begun:
			r.Phase = PhaseRetiring
		}
	}
}

// passed tells whether every host of a unit has ended it.
func (p Progress) passed(plan *planner.Plan, u planner.Unit) bool {
	return !slices.ContainsFunc(plan.HostsOf(u), func(h string) bool { return !p.host(u.ID, h).State.Passed() })
}

// EndOf tells when the last host ended any of some units, or somebody took it as done by
// hand; zero where none has.
func (p Progress) EndOf(units []planner.Unit) time.Time {
	var out time.Time
	see := func(t time.Time) {
		if t.After(out) {
			out = t
		}
	}
	for _, u := range units {
		for _, h := range p.Units[u.ID].Hosts {
			if h.State.Passed() {
				see(h.Ended)
			}
		}
		for _, s := range p.Skips {
			if s.Unit == u.ID {
				see(s.At)
			}
		}
	}
	return out
}
