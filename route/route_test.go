package route_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/route"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// graph makes a graph of "from to" pairs; "from to ! reason" is blocked.
func graph(t *testing.T, jumps ...string) *route.Graph {
	t.Helper()
	sink := &source.Sink{}
	g := route.New(releases(jumps), sink)
	require.Empty(t, sink.Problems())
	return g
}

func releases(jumps []string) []settings.Release {
	var out []settings.Release
	for i, j := range jumps {
		jump, why, _ := strings.Cut(j, " ! ")
		from, to, _ := strings.Cut(jump, " ")
		out = append(out, settings.Release{From: from, To: to, Blocked: why, Pos: source.Pos{File: "upgrade.yaml", Line: i + 1}})
	}
	return out
}

func versions(r route.Route) string {
	var out []string
	for i, h := range r.Hops {
		if i == 0 {
			out = append(out, h.From)
		}
		out = append(out, h.To)
	}
	return strings.Join(out, " ")
}

func TestFewestJumpsThenHighestVersions(t *testing.T) {
	for name, c := range map[string]struct {
		jumps  []string
		want   string
		others int
	}{
		"one jump":                             {[]string{"1 2"}, "1 2", 0},
		"a chain":                              {[]string{"1 3", "3 2", "1 9"}, "1 3 2", 0},
		"fewer jumps win over higher versions": {[]string{"1 3", "3 4", "4 2", "1 1.5", "1.5 2"}, "1 1.5 2", 0},
		"1.10 is higher than 1.9":              {[]string{"1 1.9", "1 1.10", "1.9 2", "1.10 2"}, "1 1.10 2", 1},
		"the first difference decides":         {[]string{"1 1.2", "1 1.3", "1.2 1.9", "1.3 1.8", "1.9 2", "1.8 2"}, "1 1.3 1.8 2", 1},
		"around what is blocked":               {[]string{"1 2 ! broken", "1 1.5", "1.5 2"}, "1 1.5 2", 0},
	} {
		r, err := graph(t, c.jumps...).Find("1", "2")
		require.NoError(t, err, name)
		require.Equal(t, c.want, versions(r), name)
		require.Len(t, r.Others, c.others, name)
	}
}

func TestNoRouteSaysWhatCanBeReached(t *testing.T) {
	g := graph(t, "3.4.2 4.0.1", "4.0.1 4.1.1", "4.1.1 4.2.0 ! loses sessions", "5.0 5.1")
	for to, want := range map[string]string{
		"4.2.0": "the way from 3.4.2 to 4.2.0 leads over 4.1.1 -> 4.2.0, which is blocked: loses sessions | from 3.4.2 can be reached 4.0.1, 4.1.1",
		"5.1":   "no way leads from 3.4.2 to 5.1 | from 3.4.2 can be reached 4.0.1, 4.1.1",
		"4.1.2": `no release is declared to 4.1.2 | did you mean "4.1.1"?`,
		"9":     "no release is declared to 9 | declared are 3.4.2, 4.0.1, 4.1.1, 4.2.0, 5.0, 5.1",
		"3.4.2": "the upgrade begins and ends at 3.4.2 | name two versions",
	} {
		_, err := g.Find("3.4.2", to)
		var e *route.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, want, e.Message+" | "+e.Hint)
	}
	_, err := g.Find("4.2.0", "5.1")
	require.ErrorContains(t, err, "no way leads from 4.2.0 to 5.1")
}

func TestReach(t *testing.T) {
	g := graph(t, "1 2", "2 3 ! not tried", "5 6")
	require.Equal(t, []route.Reach{
		{Version: "2", Over: []string{"1", "2"}},
		{Version: "3", Why: "2 -> 3 is blocked: not tried"},
		{Version: "5", Why: "no way leads there from 1"},
		{Version: "6", Why: "no way leads there from 1"},
	}, g.Reach("1"))
}

func TestCirclesAreTold(t *testing.T) {
	sink := &source.Sink{}
	route.New(releases([]string{"1 2", "2 3", "3 1", "3 4"}), sink)
	require.Equal(t, `upgrade.yaml:3: releases lead in a circle: 1 -> 2 (upgrade.yaml:1) -> 3 (upgrade.yaml:2) -> 1 (upgrade.yaml:3)
  hint: an upgrade leads from lower to higher versions: take one of the jumps out`, strings.TrimSpace(sink.Problems().Error()))
}

func TestVersionsCompareAsVersions(t *testing.T) {
	for _, c := range [][2]string{{"1.9", "1.10"}, {"1.0-rc1", "1.0"}, {"2", "10"}, {"1.0", "train"}, {"ocata", "pike"}} {
		require.Negative(t, route.Compare(c[0], c[1]), c)
		require.Positive(t, route.Compare(c[1], c[0]), c)
	}
	require.Zero(t, route.Compare("1.0", "1.0"))
}
