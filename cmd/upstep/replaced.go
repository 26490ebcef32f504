package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// keepText says what becomes of the old hosts of a replaced role.
func keepText(re *planner.Replace) string {
	switch {
	case re.UntilTold:
		return "stay until --retire lets them go"
	case re.Keep > 0:
		return "stay " + playbooks.SpanText(time.Duration(re.Keep)) + " after the cut over"
	}
	return "go at the end of the same run"
}

// phaseNames gives the phases of some parts of a track, each once.
func phaseNames(parts []planner.Unit) string {
	var out []string
	for _, u := range parts {
		if name := u.Kind.Words(); len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// replaceLines shows a replacement, a line for each time that it goes on on the hosts of
// the other instance.
func replaceLines(p *planner.Plan, t planner.Track) []string {
	var out []string
	for begin := 0; begin < len(t.Parts); {
		end := begin
		for end < len(t.Parts) && t.Parts[end].Role == t.Parts[begin].Role {
			end++
		}
		u := t.Parts[begin]
		text := u.Role
		if p.HostsKnown {
			text += " " + plural(len(p.HostsOf(u)), "host")
		}
		out = append(out, text+": "+phaseNames(t.Parts[begin:end]))
		begin = end
	}
	return out
}

func retireLine(p *planner.Plan, t planner.Track) string {
	text := t.Role
	if p.HostsKnown {
		text += " " + plural(len(p.HostsOf(t.Parts[0])), "host")
	}
	return text + ": they " + keepText(p.RoleByName(t.Role).Replace)
}

// replacedStatus is how far the replacement of a role is, in a run or in the way back.
type replacedStatus struct {
	journal.Replacement
	OldHosts  []string  `json:"old_hosts"`
	NewHosts  []string  `json:"new_hosts"`
	KeptUntil time.Time `json:"kept_until,omitzero"` // when the old hosts may go
	UntilTold bool      `json:"until_told,omitempty"`
	Back      bool      `json:"back,omitempty"` // it is cut back
}

// replacements tells how far the replaced roles of a run are.
func replacements(p *planner.Plan, done journal.Progress) []replacedStatus {
	var out []replacedStatus
	for _, r := range done.Replacements(p) {
		s := replacedStatus{Replacement: r, OldHosts: p.RoleByName(r.Old).Members, NewHosts: p.RoleByName(r.New).Members, Back: p.Undo != ""}
		re := p.RoleByName(r.Role).Replace
		retires := slices.ContainsFunc(p.Stages, func(st planner.Stage) bool {
			return st.Name == planner.Retire && slices.ContainsFunc(st.Waves, func(w planner.Wave) bool {
				return slices.ContainsFunc(w.Tracks, func(t planner.Track) bool { return t.Role == r.Role })
			})
		})
		if r.Phase == journal.PhaseLive && retires {
			if s.UntilTold = re.UntilTold; !s.UntilTold {
				s.KeptUntil = r.Over.Add(time.Duration(re.Keep))
			}
		}
		out = append(out, s)
	}
	return out
}

// text says how far it is, and whose hosts are in traffic.
func (r replacedStatus) text(now time.Time) string {
	list := func(hosts []string) string { return "(" + shortened(hosts, 4) + ")" }
	old, taking, way := "old", "new", "over"
	if r.Back {
		old, taking, way = taking, old, "back"
	}
	older, newer := "the "+old+" ones "+list(r.OldHosts), "the "+taking+" hosts "+list(r.NewHosts)
	serving := "in traffic: the " + old + " hosts " + list(r.OldHosts)
	said := r.Role + ": "
	switch r.Phase { //nolint:exhaustive // the others are before anything is cut over
	case journal.PhaseNone:
		if r.Back {
			return said + "not cut back; " + serving
		}
		return said + "not begun; " + serving
	case journal.PhaseCutting:
		return said + "cutting " + way + "; " + serving + ", and " + newer + " or on the way there"
	case journal.PhaseLive:
		text := said + "live on " + newer
		switch {
		case r.Back:
			return text + "; " + older + " are out of traffic and stay"
		case r.UntilTold:
			return text + "; " + older + " are kept until --retire lets them go"
		case r.KeptUntil.After(now):
			return text + "; " + older + " are kept until " + calendar.Since(r.KeptUntil.Local(), now)
		case !r.KeptUntil.IsZero():
			return text + "; " + older + " may go"
		}
		return text + "; " + older + " are out of traffic and stay"
	case journal.PhaseRetiring, journal.PhaseRetired:
		text := said + "live on " + newer + "; " + older + " are "
		if r.Phase == journal.PhaseRetiring {
			text += "being "
		}
		return text + "retired"
	}
	return said + string(r.Phase) + "; " + serving
}

// replaced tells how far the replaced roles are when a command has ended.
func (o *outcome) replaced() []replacedStatus {
	if o.plan == nil || !o.over || o.root == "" { // --check keeps no record
		return nil
	}
	return replacements(o.plan, o.done)
}

func (a *app) replacedStatus(list []replacedStatus) {
	for i, r := range list {
		if i == 0 {
			a.printf("\nreplaced\n")
		}
		a.paragraph("  ", r.text(time.Now()))
	}
}

// phaseRows shows the phases of a replacement, those of one state on one line.
func phaseRows(label string, t trackStatus) []statusRow {
	var rows []statusRow
	for _, u := range t.Parts {
		parts := strings.Split(u.Unit, "/") // which end with the kind and the role
		text := planner.Kind(parts[len(parts)-2]).Words() + " " + parts[len(parts)-1]
		if !u.over() && u.State != stateWaiting {
			text += fmt.Sprintf(" %d of %s", u.Passed, plural(u.Hosts, "host"))
		}
		if n := len(rows); n > 0 && rows[n-1].state == u.State {
			rows[n-1].text += ", " + text
			continue
		}
		rows = append(rows, statusRow{label, u.State, text})
		label = ""
	}
	return rows
}

// only tells whether nothing but one stage is left.
func (s *runStatus) only(stage string) bool {
	return !slices.ContainsFunc(s.Stages, func(st stageStatus) bool {
		return st.Name != stage && len(st.Waves) > 0 && st.State != string(journal.Ended)
	})
}

// untilTold tells whether everything that is kept waits for a word.
func untilTold(list []runner.Kept) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(k runner.Kept) bool { return !k.Until.IsZero() })
}

// keptText says when the command that goes on finds something to do.
func keptText(list []runner.Kept, now time.Time) string {
	var first time.Time
	for _, k := range list {
		if !k.Until.IsZero() && (first.IsZero() || k.Until.Before(first)) {
			first = k.Until
		}
	}
	switch {
	case len(list) == 0:
		return ""
	case first.IsZero():
		return " when the old hosts may go"
	}
	return " from " + calendar.Since(first.Local(), now) + " on; until then upstep rollback cuts back"
}
