package journal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

// replacing is a plan with a role that is replaced, on two hosts and one.
func replacing(undo string) *planner.Plan {
	unit := func(prefix string, kind planner.Kind, role, number string) planner.Unit {
		return planner.Unit{ID: prefix + "/" + string(kind) + "/" + role + number, Kind: kind, Role: role}
	}
	p := &planner.Plan{Undo: undo, Roles: []planner.Role{
		{Name: "W", Members: []string{"b1", "b2"}, Replace: &planner.Replace{By: "W-new"}},
		{Name: "W-new", Members: []string{"g1"}, Replaces: "W"},
	}}
	track := planner.Track{Role: "W"}
	if undo != "" {
		for _, k := range []planner.Kind{planner.KindHealth, planner.KindRestore} {
			track.Parts = append(track.Parts, unit("rollback/s/1", k, "W", ""))
		}
		track.Parts = append(track.Parts, unit("rollback/s/1", planner.KindDrain, "W-new", ""))
	} else {
		for _, k := range []planner.Kind{planner.KindDeploy, planner.KindCarry, planner.KindVerify, planner.KindHealth, planner.KindRestore} {
			track.Parts = append(track.Parts, unit("s/1", k, "W-new", ""))
		}
		track.Parts = append(track.Parts, unit("s/1", planner.KindHealth, "W-new", ".2"), unit("s/1", planner.KindDrain, "W", ""))
	}
	p.Stages = []planner.Stage{{Name: "s", Waves: []planner.Wave{{Number: 1, Tracks: []planner.Track{track}}}}}
	if undo == "" {
		gone := planner.Track{Role: "W", Parts: []planner.Unit{unit("retire/1", planner.KindRetire, "W", "")}}
		p.Stages = append(p.Stages, planner.Stage{Name: planner.Retire, Waves: []planner.Wave{{Number: 1, Tracks: []planner.Track{gone}}}})
	}
	return p
}

func TestReplacementsTellWhoServes(t *testing.T) {
	for name, c := range map[string]struct {
		undo    string
		ended   []string // units, on all of their hosts
		begun   string   // another, on its first host
		phase   journal.Phase
		serving []string
	}{
		"before anything":             {phase: journal.PhaseNone, serving: []string{"W"}},
		"while it is deployed":        {begun: "s/1/deploy/W-new", phase: journal.PhaseDeploy, serving: []string{"W"}},
		"deployed":                    {ended: []string{"s/1/deploy/W-new"}, phase: journal.PhaseDeployed, serving: []string{"W"}},
		"while it is carried over":    {ended: []string{"s/1/deploy/W-new"}, begun: "s/1/carry/W-new", phase: journal.PhaseDeployed, serving: []string{"W"}},
		"carried over":                {ended: []string{"s/1/deploy/W-new", "s/1/carry/W-new"}, phase: journal.PhaseCarried, serving: []string{"W"}},
		"verified":                    {ended: []string{"s/1/deploy/W-new", "s/1/carry/W-new", "s/1/verify/W-new", "s/1/health/W-new"}, phase: journal.PhaseVerified, serving: []string{"W"}},
		"as the new ones come":        {ended: []string{"s/1/deploy/W-new", "s/1/carry/W-new", "s/1/verify/W-new", "s/1/health/W-new"}, begun: "s/1/restore/W-new", phase: journal.PhaseCutting, serving: []string{"W", "W-new"}},
		"as the old ones go":          {ended: forward[:6], begun: "s/1/drain/W", phase: journal.PhaseCutting, serving: []string{"W", "W-new"}},
		"live":                        {ended: forward, phase: journal.PhaseLive, serving: []string{"W-new"}},
		"while the old ones retire":   {ended: forward, begun: "retire/1/retire/W", phase: journal.PhaseRetiring, serving: []string{"W-new"}},
		"when they are gone":          {ended: append(forward[:7:7], "retire/1/retire/W"), phase: journal.PhaseRetired, serving: []string{"W-new"}},
		"before it is cut back":       {undo: "run", phase: journal.PhaseNone, serving: []string{"W-new"}},
		"before anything turned back": {undo: "run", ended: []string{"rollback/s/1/health/W"}, phase: journal.PhaseVerified, serving: []string{"W-new"}},
		"while it is cut back":        {undo: "run", ended: []string{"rollback/s/1/health/W"}, begun: "rollback/s/1/restore/W", phase: journal.PhaseCutting, serving: []string{"W-new", "W"}},
		"cut back":                    {undo: "run", ended: []string{"rollback/s/1/health/W", "rollback/s/1/restore/W", "rollback/s/1/drain/W-new"}, phase: journal.PhaseLive, serving: []string{"W"}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := replacing(c.undo)
			done := journal.Progress{Units: map[string]journal.Unit{}}
			for _, s := range plan.Stages {
				s.Units(func(_ planner.Wave, u planner.Unit) {
					for n, id := range c.ended {
						if id == u.ID {
							hosts := map[string]journal.Host{}
							for _, h := range plan.HostsOf(u) {
								hosts[h] = journal.Host{State: journal.Ended, Ended: time.Unix(int64(n), 0)}
							}
							done.Units[id] = journal.Unit{State: journal.Ended, Hosts: hosts}
						}
					}
					if c.begun == u.ID {
						done.Units[u.ID] = journal.Unit{State: journal.Started, Hosts: map[string]journal.Host{plan.HostsOf(u)[0]: {State: journal.Started}}}
					}
				})
			}
			list := done.Replacements(plan)
			require.Len(t, list, 1)
			require.Equal(t, c.phase, list[0].Phase)
			require.Equal(t, c.serving, list[0].Serving)
			if c.undo == "" && c.phase == journal.PhaseLive {
				require.Equal(t, time.Unix(6, 0), list[0].Over)
			}
			require.Empty(t, done.OutOfTraffic(plan), "who was replaced is not missed")
		})
	}
}

// forward is everything up to the end of the cut over.
var forward = []string{"s/1/deploy/W-new", "s/1/carry/W-new", "s/1/verify/W-new", "s/1/health/W-new", "s/1/restore/W-new", "s/1/health/W-new.2", "s/1/drain/W"}

func TestEndOfTakesWhatWasSkippedByHand(t *testing.T) {
	done := journal.Progress{
		Units: map[string]journal.Unit{"a": {Hosts: map[string]journal.Host{"h": {State: journal.Failed, Ended: time.Unix(9, 0)}, "i": {State: journal.Ended, Ended: time.Unix(3, 0)}}}},
		Skips: []journal.Skip{{Unit: "b", At: time.Unix(5, 0)}, {Unit: "c", At: time.Unix(8, 0)}},
	}
	require.Equal(t, time.Unix(5, 0), done.EndOf([]planner.Unit{{ID: "a"}, {ID: "b"}}))
	require.True(t, done.EndOf([]planner.Unit{{ID: "d"}}).IsZero())
}
