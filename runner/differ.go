package runner

import (
	"fmt"
	"slices"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

// Difference is what a plan has otherwise than what a run of it did already.
type Difference struct {
	Unit string // none: it concerns the whole plan
	Text string
}

// Differences compares a plan with what a run did by an earlier one. Units that have not
// ended take whatever the plan says now and are no difference.
func Differences(before, now *planner.Plan, done journal.Progress) []Difference {
	var out []Difference
	known := map[string]bool{}
	for _, s := range now.Stages {
		s.Units(func(_ planner.Wave, u planner.Unit) { known[u.ID] = true })
	}
	var ids []string
	for id, u := range done.Units {
		if before.Digest(id) != "" && anyEnded(u) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		switch {
		case !known[id]:
			out = append(out, Difference{id, "it ended, and the plan does not have it any more"})
		case slices.ContainsFunc(digestsOf(done.Units[id]), func(d string) bool { return d != now.Digest(id) }):
			out = append(out, Difference{id, "it ended, and its tasks are others now"})
		}
	}
	if len(ids) == 0 {
		return out
	}
	return append(out, settings(before, now)...)
}

// Complete tells whether every host of a plan has ended every unit of it.
func Complete(p *planner.Plan, done journal.Progress) bool {
	r := run{Config: Config{Plan: p}, score: newScore(p), done: done}
	for _, pl := range r.score.plays {
		if pl.members == nil && !done.Units[pl.ID].State.Passed() {
			return false
		}
		for _, h := range pl.members {
			if !r.did(pl, h) {
				return false
			}
		}
	}
	return true
}

func anyEnded(u journal.Unit) bool {
	for _, h := range u.Hosts {
		if h.State == journal.Ended {
			return true
		}
	}
	return false
}

// digestsOf gives the texts that hosts of a unit ended with.
func digestsOf(u journal.Unit) []string {
	var out []string
	for _, h := range u.Hosts {
		d := h.Digest
		if d == "" {
			d = u.Digest
		}
		if h.State == journal.Ended && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// settings compares what holds for all units.
func settings(before, now *planner.Plan) []Difference {
	var out []Difference
	value := map[string]string{}
	for _, in := range before.Inputs {
		value[in.Name] = in.Value.String()
	}
	for _, in := range now.Inputs {
		if old := value[in.Name]; old != in.Value.String() {
			out = append(out, Difference{Text: fmt.Sprintf("input %s was %s and is %s now", in.Name, old, in.Value)})
		}
	}
	if before.Vars != now.Vars {
		out = append(out, Difference{Text: "vars of upgrade.yaml are others now"})
	}
	if !slices.Equal(before.Play, now.Play) {
		out = append(out, Difference{Text: "play keywords of upgrade.yaml are others now"})
	}
	return out
}
