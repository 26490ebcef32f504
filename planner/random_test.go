package planner_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// worlds is how many random worlds a test looks at.
func worlds(usual int) int {
	if os.Getenv("UPSTEP_SOAK") != "" {
		return 10 * usual
	}
	return usual
}

func makerOf(seed, kind uint64) maker {
	return maker{Rand: rand.New(rand.NewPCG(seed, kind))} //nolint:gosec // reproducible on purpose
}

func TestRandomWorldsKeepEveryPromise(t *testing.T) {
	planned := 0
	for seed := range worlds(10_000) {
		m := makerOf(uint64(seed), 1)
		m.stages, m.dense, m.once, m.same = seed%3 == 0, seed%2 == 0, seed%5 == 0, seed%3 == 1
		w := randomWorld(t, m)
		p, problems := planner.Build(w)
		require.Equal(t, dependsLater(w), p == nil, "seed %d: %s\n%s", seed, problems.Error(), describe(w))
		if p == nil {
			continue
		}
		planned++
		if faults := faultsOf(w, p); len(faults) > 0 {
			t.Fatalf("seed %d:\n%s\n%s", seed, strings.Join(faults, "\n"), describe(w))
		}
	}
	require.Greater(t, planned, worlds(10_000)/2)
}

func TestTheSameWorldListedOtherwiseGivesTheSameBytes(t *testing.T) {
	for seed := range worlds(1000) {
		m := makerOf(uint64(seed), 2)
		m.dense, m.once, m.same = true, true, seed%2 == 0
		w := randomWorld(t, m)
		p, _ := planner.Build(w)
		require.NotNil(t, p)
		one, err := p.Encode()
		require.NoError(t, err)
		p, _ = planner.Build(m.shuffled(w))
		two, err := p.Encode()
		require.NoError(t, err)
		require.Equal(t, string(one), string(two), "seed %d", seed)

		again, err := planner.Decode(two)
		require.NoError(t, err)
		three, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(two), string(three), "seed %d: a saved plan is read as it was", seed)
	}
}

func TestTheSameWorldListedOtherwiseHasTheSameProblems(t *testing.T) {
	for seed := range worlds(500) {
		m := makerOf(uint64(seed), 3)
		m.cyclic, m.stages = true, true
		w := randomWorld(t, m)
		_, one := planner.Build(w)
		_, two := planner.Build(m.shuffled(w))
		require.Equal(t, one, two, "seed %d", seed)
	}
}

func TestEveryReportedCycleIsRealAndNoneIsMissed(t *testing.T) {
	cyclic := 0
	for seed := range worlds(10_000) {
		m := makerOf(uint64(seed), 4)
		m.cyclic, m.stages = true, seed%4 == 0
		w := randomWorld(t, m)
		p, problems := planner.Build(w)
		reported := 0
		for _, problem := range problems {
			if path, ok := strings.CutPrefix(problem.Message, "dependency cycle: "); ok {
				reported++
				requireCycle(t, w, path, problem.Pos)
			}
		}
		require.Equal(t, hasCycle(w), reported > 0, "seed %d: %s\n%s", seed, problems.Error(), describe(w))
		if reported > 0 {
			cyclic++
		} else if p != nil {
			require.Empty(t, faultsOf(w, p), "seed %d\n%s", seed, describe(w))
		}
	}
	require.Greater(t, cyclic, worlds(10_000)/10)
}

var arrowText = regexp.MustCompile(`(\S+) \((\S+):(\d+)\)`)

// requireCycle follows a printed path: every arrow is a declared dependency at its
// line, the path ends where it began, and it begins with its first service by name.
func requireCycle(t *testing.T, w planner.World, path string, at source.Pos) {
	t.Helper()
	first, rest, _ := strings.Cut(path, " -> ")
	from := first
	steps := arrowText.FindAllStringSubmatch(rest, -1)
	require.NotEmpty(t, steps, path)
	for i, m := range steps {
		require.LessOrEqual(t, first, m[1], path)
		ok := slices.ContainsFunc(w.Services, func(s services.Service) bool {
			return s.Name == from && slices.ContainsFunc(s.DependsOn, func(d services.Dependency) bool {
				return d.Service == m[1] && d.Pos.File == m[2] && fmt.Sprint(d.Pos.Line) == m[3] && (i > 0 || d.Pos == at)
			})
		})
		require.True(t, ok, "%s: no such dependency: %s", path, m[0])
		from = m[1]
	}
	require.Equal(t, first, from, path)
}

func FuzzBuild(f *testing.F) {
	for kind := range uint64(32) {
		f.Add(kind, 3*kind+1, uint8(kind))
	}
	f.Fuzz(func(t *testing.T, a, b uint64, kind uint8) {
		m := makerOf(a, b)
		m.cyclic, m.stages, m.dense, m.once, m.same = kind&1 > 0, kind&2 > 0, kind&4 > 0, kind&8 > 0, kind&16 > 0
		w := randomWorld(t, m)
		p, problems := planner.Build(w)
		if p == nil {
			require.True(t, hasCycle(w) || dependsLater(w), "%s\n%s", problems.Error(), describe(w))
			return
		}
		require.Empty(t, faultsOf(w, p), describe(w))
	})
}
