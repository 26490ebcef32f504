package journal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

func TestStandingOfAHost(t *testing.T) {
	parts := []planner.Unit{
		{ID: "drain", Kind: planner.KindDrain},
		{ID: "step1", Kind: planner.KindStep},
		{ID: "step2", Kind: planner.KindStep},
		{ID: "health", Kind: planner.KindHealth},
		{ID: "restore", Kind: planner.KindRestore},
	}
	const ok, skip, on, bad, lost = journal.Ended, journal.Skipped, journal.Started, journal.Failed, journal.Unknown
	cases := map[string]struct {
		states []journal.State // of parts, in order
		parts  []planner.Unit  // if others
		want   journal.Standing
	}{
		"nothing happened":                    {nil, nil, journal.Standing{Stand: journal.Untouched}},
		"on its way out":                      {[]journal.State{on}, nil, journal.Standing{Stand: journal.Drained, OutOfTraffic: true}},
		"drain failed":                        {[]journal.State{bad}, nil, journal.Standing{Stand: journal.Drained, OutOfTraffic: true, Failed: true, Unit: "drain", Why: "stop: no"}},
		"drained":                             {[]journal.State{ok}, nil, journal.Standing{Stand: journal.Drained, OutOfTraffic: true}},
		"in its first step":                   {[]journal.State{ok, ok}, nil, journal.Standing{Stand: journal.Drained, OutOfTraffic: true}},
		"killed in a step":                    {[]journal.State{ok, ok, lost}, nil, journal.Standing{Stand: journal.Drained, OutOfTraffic: true, Failed: true, Unit: "step2", Why: "nobody saw how it ended"}},
		"upgraded":                            {[]journal.State{ok, ok, ok}, nil, journal.Standing{Stand: journal.Upgraded, OutOfTraffic: true}},
		"not healthy":                         {[]journal.State{ok, ok, ok, bad}, nil, journal.Standing{Stand: journal.Upgraded, OutOfTraffic: true, Failed: true, Unit: "health", Why: "stop: no"}},
		"healthy":                             {[]journal.State{ok, ok, ok, ok}, nil, journal.Standing{Stand: journal.Healthy, OutOfTraffic: true}},
		"on its way back":                     {[]journal.State{ok, ok, ok, ok, on}, nil, journal.Standing{Stand: journal.Healthy, OutOfTraffic: true}},
		"back":                                {[]journal.State{ok, ok, ok, ok, ok}, nil, journal.Standing{Stand: journal.InTraffic}},
		"it had the version already":          {[]journal.State{skip, skip, skip, ok, ok}, nil, journal.Standing{Stand: journal.InTraffic}},
		"a role without a drain":              {[]journal.State{ok, bad}, parts[1:], journal.Standing{Stand: journal.Untouched, Failed: true, Unit: "step2", Why: "stop: no"}},
		"a role without a drain, at its end":  {[]journal.State{ok, ok, ok}, parts[1:4], journal.Standing{Stand: journal.Healthy}},
		"a health part that nobody waits for": {[]journal.State{ok, ok, ok, skip, ok}, nil, journal.Standing{Stand: journal.InTraffic}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.parts == nil {
				c.parts = parts
			}
			p := journal.Progress{Units: map[string]journal.Unit{}}
			for n, s := range c.states {
				h := journal.Host{State: s}
				if s == bad {
					h.Message, h.Task = "no", &event.Task{Name: "stop"}
				}
				p.Units[c.parts[n].ID] = journal.Unit{State: s, Hosts: map[string]journal.Host{"a": h}}
			}
			require.Equal(t, c.want, p.Standing(c.parts, "a"))
		})
	}
	whole := journal.Progress{Units: map[string]journal.Unit{"drain": {State: journal.Skipped}}}
	require.Equal(t, journal.Standing{Stand: journal.Drained}, whole.Standing(parts, "a"), "a unit that was skipped is so for every host")
}

func TestHostsOutOfTrafficStandInThePlansOrder(t *testing.T) {
	track := func(role string) planner.Track {
		return planner.Track{Role: role, Parts: []planner.Unit{
			{ID: "drain/" + role, Kind: planner.KindDrain, Role: role}, {ID: "restore/" + role, Kind: planner.KindRestore, Role: role},
		}}
	}
	plan := &planner.Plan{
		Roles: []planner.Role{{Name: "Web", Members: []string{"web10", "web2", "web3"}}, {Name: "Lb", Members: []string{"lb1"}}},
		Stages: []planner.Stage{
			{Name: "first", Waves: []planner.Wave{{Number: 1, Tracks: []planner.Track{track("Lb")}}}},
			{Name: "second", Waves: []planner.Wave{{Number: 1, Tracks: []planner.Track{track("Web")}}}},
		},
	}
	done := journal.Progress{Units: map[string]journal.Unit{
		"drain/Web":   {Hosts: map[string]journal.Host{"web2": {State: journal.Ended}, "web3": {State: journal.Ended}, "web10": {State: journal.Failed}}},
		"restore/Web": {Hosts: map[string]journal.Host{"web3": {State: journal.Ended}}},
		"drain/Lb":    {Hosts: map[string]journal.Host{"lb1": {State: journal.Started}}},
	}}
	var names []string
	for _, h := range done.OutOfTraffic(plan) {
		require.Equal(t, done.Standing(track(h.Role).Parts, h.Host), h.Standing)
		names = append(names, h.Role+" "+h.Host)
	}
	require.Equal(t, []string{"Lb lb1", "Web web10", "Web web2"}, names)
	require.Len(t, done.Standings(plan, track("Web")), 3)
}
