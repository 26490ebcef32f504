package journal

import (
	"fmt"

	"github.com/upstep/upstep/planner"
)

// Stand is how far a host of a rolling role is.
type Stand string

// The stands of a host, in order.
const (
	Untouched Stand = "untouched"
	Drained   Stand = "drained" // of traffic, or on the way
	Upgraded  Stand = "upgraded"
	Healthy   Stand = "healthy"
	InTraffic Stand = "in traffic" // again
)

// Standing is where a host of a rolling role stands.
type Standing struct {
	Stand Stand `json:"stand"`
	// OutOfTraffic: its drain began and its restore did not end. It must not be forgotten.
	OutOfTraffic bool   `json:"out_of_traffic,omitempty"`
	Failed       bool   `json:"failed,omitempty"` // in Unit, which keeps it where it stands
	Unit         string `json:"unit,omitempty"`
	Why          string `json:"why,omitempty"`
}

// HostStanding is where one host of a rolling role stands.
type HostStanding struct {
	Host string `json:"host"`
	Role string `json:"role"`
	Standing
}

// Standings derives where the hosts of a track stand, in the plan's order.
func (p Progress) Standings(plan *planner.Plan, t planner.Track) []HostStanding {
	members := plan.TrackHosts(t)
	out := make([]HostStanding, 0, len(members))
	for _, h := range members {
		out = append(out, HostStanding{h, t.Role, p.Standing(t.Parts, h)})
	}
	return out
}

// OutOfTraffic gives the hosts that a drain took out of traffic and no restore brought
// back, in the plan's order.
func (p Progress) OutOfTraffic(plan *planner.Plan) []HostStanding {
	var out []HostStanding
	for _, s := range plan.Stages {
		for _, w := range s.Waves {
			for _, t := range w.Tracks {
				if plan.Replaced(t) {
					continue // its old hosts are out of traffic for good
				}
				for _, h := range p.Standings(plan, t) {
					if h.OutOfTraffic {
						out = append(out, h)
					}
				}
			}
		}
	}
	return out
}

// Standing derives where a host stands from the parts of one track, in the order of
// the plan. A host that failed keeps the stand that it had reached.
func (p Progress) Standing(parts []planner.Unit, host string) Standing {
	s := Standing{Stand: Untouched}
	for n, part := range parts {
		h := p.host(part.ID, host)
		if h.State == "" {
			break // untouched from here on
		}
		if part.Kind == planner.KindDrain {
			s.Stand, s.OutOfTraffic = Drained, h.State != Skipped
		}
		if !h.State.Passed() {
			if part.Kind == planner.KindDrain && h.Task != nil && planner.OnVersions(h.Task.File) {
				s.Stand, s.OutOfTraffic = Untouched, false // it failed before anything took it out
			}
			if h.State != Started && h.State != Stopped {
				s.Failed, s.Unit, s.Why = true, part.ID, h.why()
			}
			break
		}
		last := n == len(parts)-1 || parts[n+1].Kind != part.Kind
		switch {
		case part.Kind == planner.KindStep && last:
			s.Stand = Upgraded
		case part.Kind == planner.KindHealth && last:
			s.Stand = Healthy
		case part.Kind == planner.KindRestore && last:
			s.Stand, s.OutOfTraffic = InTraffic, false
		}
	}
	return s
}

// host gives a host in a unit; one without a record of its own in a skipped unit is skipped.
func (p Progress) host(unit, host string) Host {
	u := p.Units[unit]
	h, ok := u.Hosts[host]
	if !ok && u.State == Skipped {
		h.State = Skipped
	}
	return h
}

func (h Host) why() string {
	why := h.Message
	switch {
	case why != "":
	case h.State == Unknown:
		why = "nobody saw how it ended"
	default:
		why = string(h.State)
	}
	if h.Task != nil {
		return fmt.Sprintf("%s: %s", h.Task.Name, why)
	}
	return why
}
