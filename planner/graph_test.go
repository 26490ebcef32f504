package planner_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
)

// TestTheGraphAgreesWithThePlan compares the library's answers with the order that
// stages, waves, steps, tracks and after lists say by themselves.
func TestTheGraphAgreesWithThePlan(t *testing.T) {
	for seed := range worlds(100) {
		m := makerOf(uint64(seed), 5)
		m.dense, m.once = true, seed%2 == 0
		w := randomWorld(t, m)
		p, _ := planner.Build(w)
		require.NotNil(t, p)
		text, err := p.Encode()
		require.NoError(t, err)
		saved, err := planner.Decode(text) // what run and explain of a saved plan ask
		require.NoError(t, err)
		for _, plan := range []*planner.Plan{p, saved} {
			requireGraph(t, plan, orderOfUnits(plan.Stages))
		}
	}
}

func requireGraph(t *testing.T, plan *planner.Plan, o *unitOrder) {
	t.Helper()
	g, err := plan.Graph()
	require.NoError(t, err)
	for u, unit := range o.units {
		var before, behind []string
		for v, other := range o.units {
			if o.before[u][v] {
				before = append(before, other.ID)
			}
			if o.before[v][u] {
				behind = append(behind, other.ID)
			}
		}
		have, err := g.Before(unit.ID)
		require.NoError(t, err)
		require.Equal(t, before, have, "before %s", unit.ID)
		have, err = g.Behind(unit.ID)
		require.NoError(t, err)
		require.Equal(t, behind, have, "behind %s", unit.ID)
	}
}

func TestTheGraphIsMadeOnceAndNamesWhatItDoesNotKnow(t *testing.T) {
	p, _ := planner.Build(randomWorld(t, makerOf(1, 5)))
	one, err := p.Graph()
	require.NoError(t, err)
	two, err := p.Graph()
	require.NoError(t, err)
	require.Same(t, one, two)
	_, err = one.Before("control-plane/1/step1/Nobody")
	require.ErrorContains(t, err, "what comes before control-plane/1/step1/Nobody")
	_, err = one.Behind("control-plane/1/step1/Nobody")
	require.ErrorContains(t, err, "what waits for control-plane/1/step1/Nobody")
}

func TestAGraphOfTooManyUnitsIsRefused(t *testing.T) {
	p := &planner.Plan{Stages: []planner.Stage{{Name: "control-plane", Waves: []planner.Wave{{Number: 1, Steps: []planner.Step{{Number: 1}}}}}}}
	units := &p.Stages[0].Waves[0].Steps[0].Units
	for i := range 1500 {
		*units = append(*units, planner.Unit{ID: fmt.Sprint(i)})
	}
	_, err := p.Graph()
	require.NoError(t, err)
	*units = append(*units, planner.Unit{ID: "one more"})
	bigger := &planner.Plan{Stages: p.Stages}
	_, err = bigger.Graph()
	require.ErrorIs(t, err, planner.ErrTooLarge)
	require.ErrorContains(t, err, "1501 units")
}
