package runner

import (
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/planner"
)

// Kept is a role whose old hosts were replaced and stay, ready to be cut back to.
type Kept struct {
	Role  string    `json:"role"`
	Hosts []string  `json:"hosts"`
	Until time.Time `json:"until,omitzero"` // zero: until the operator lets them go
}

// String is how an operator reads it at a time.
func (k Kept) String(now time.Time) string {
	who := "the old hosts of " + k.Role + " (" + strings.Join(k.Hosts, ", ") + ") are kept "
	if k.Until.IsZero() {
		return who + "until --retire lets them go"
	}
	return who + "until " + calendar.Since(k.Until.In(now.Location()), now) + ", or --retire lets them go"
}

// keeping tells whether a play would take away old hosts that are to stay for now.
func (r *run) keeping(p *play) bool {
	_, kept := r.keptUntil(p)
	return kept
}

// keptUntil tells whether a play would take away old hosts that are to stay, and until
// when; zero is until the operator says otherwise. Where nothing is recorded, nothing is
// done: a check goes through it.
func (r *run) keptUntil(p *play) (until time.Time, kept bool) {
	if p.Stage != planner.Retire || p.state != waiting || r.Retire || r.Journal == nil {
		return time.Time{}, false
	}
	var over time.Time
	for _, q := range r.score.plays {
		old, _, part := r.Plan.Instances(q.Role)
		switch {
		case !part || old.Name != p.Role:
		case q.Stage != planner.Retire && q.Stage != planner.PostUpgrade:
			if q.over.After(over) {
				over = q.over
			}
		case q.Stage == planner.Retire && r.begun(q):
			return time.Time{}, false // they are on their way
		}
	}
	re := r.Plan.RoleByName(p.Role).Replace
	if re.UntilTold {
		return time.Time{}, true
	}
	until = over.Add(time.Duration(re.Keep))
	return until, r.Now().Before(until)
}

// begun tells whether any host began a play, in this invocation or before.
func (r *run) begun(p *play) bool {
	return !p.began.IsZero() || slices.ContainsFunc(p.Units, func(u planner.Unit) bool { return len(r.done.Units[u.ID].Hosts) > 0 })
}

// kept gives what stays though nothing else keeps it from going.
func (r *run) kept() []Kept {
	var out []Kept
	for _, p := range r.score.ready() {
		if until, kept := r.keptUntil(p); kept && !r.withheld(p) {
			out = append(out, Kept{p.Role, p.members, until})
		}
	}
	return out
}
