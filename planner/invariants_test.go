package planner_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// spot is where a plan has a task: which wave, and which unit.
type spot struct {
	wave  int
	unit  string
	place int // within the unit
	track bool
}

// requirePlan checks everything that a plan promises.
func requirePlan(t *testing.T, w planner.World, p *planner.Plan) {
	t.Helper()
	ids := map[string]bool{}
	for _, stages := range [][]planner.Stage{p.Stages, p.Rollback} {
		for _, s := range stages {
			s.Units(func(_ planner.Wave, u planner.Unit) {
				require.False(t, ids[u.ID], "unit %s stands twice", u.ID)
				ids[u.ID] = true
				if u.Once {
					require.Len(t, u.Segments, 1, u.ID)
					require.Len(t, u.Segments[0].Tasks, 1, "what runs once stands alone: %s", u.ID)
				}
				require.NotEmpty(t, u.Segments, u.ID)
			})
		}
	}
	for _, s := range p.Stages {
		stage, list := s.Name, tasks.Upgrade
		if s.Name == planner.PostUpgrade {
			stage, list = "", tasks.PostUpgrade
		}
		requireStage(t, w, s, standings(w, stage), list)
	}
}

func requireStage(t *testing.T, w planner.World, s planner.Stage, all []standing, list tasks.ListName) {
	t.Helper()
	found := map[string]spot{} // role/service/task/step
	for i, wave := range s.Waves {
		require.Equal(t, i+1, wave.Number, "waves are numbered without gaps")
		for _, st := range wave.Steps {
			requireStep(t, w, st)
		}
	}
	s.Units(func(wave planner.Wave, u planner.Unit) {
		place := 0
		for _, seg := range u.Segments {
			for _, id := range seg.Tasks {
				if u.Kind != planner.KindStep {
					continue
				}
				key := fmt.Sprintf("%s/%s/%s/%d", u.Role, seg.Service, id, u.Step)
				require.NotContains(t, found, key, "a task runs once in its step")
				place++
				rolling := slices.ContainsFunc(wave.Tracks, func(tr planner.Track) bool { return tr.Role == u.Role })
				found[key] = spot{wave.Number, u.ID, place, rolling}
			}
		}
	})
	expected := 0
	for _, a := range all {
		for _, task := range a.svc.Lists[list] {
			for _, step := range task.Steps {
				key := fmt.Sprintf("%s/%s/%s.%d/%d", w.Roles[a.role].Name, a.svc.Name, list, task.Index, step)
				require.Contains(t, found, key, "no task is lost")
				require.Equal(t, w.Roles[a.role].Rolling != nil, found[key].track)
				expected++
			}
		}
	}
	require.Len(t, found, expected)
	requireOrder(t, w, s, all, list, found)
}

// requireStep checks the units of one step: an order that can be run, and no cut too many.
func requireStep(t *testing.T, w planner.World, st planner.Step) {
	t.Helper()
	before := map[string]map[string]bool{} // unit -> all that must end before it
	last := map[string]planner.Unit{}
	for _, u := range st.Units {
		for r := range w.Roles {
			require.False(t, w.Roles[r].Name == u.Role && w.Roles[r].Rolling != nil, "a rolling role takes no steps with others")
		}
		before[u.ID] = map[string]bool{}
		for _, a := range u.After {
			require.Contains(t, before, a.Unit, "%s comes after what stands behind it", u.ID)
			before[u.ID][a.Unit] = true
			for b := range before[a.Unit] {
				before[u.ID][b] = true
			}
		}
		if prev, ok := last[u.Role]; ok {
			require.True(t, before[u.ID][prev.ID], "units of a role follow each other")
			if !prev.Once && !u.Once {
				through := false
				for other := range before[u.ID] {
					through = through || other != prev.ID && before[other][prev.ID]
				}
				require.True(t, through, "%s and %s could be one unit", prev.ID, u.ID)
			}
		}
		last[u.Role] = u
	}
}

// requireOrder checks every dependency, also over services that have no task in a step.
func requireOrder(t *testing.T, w planner.World, s planner.Stage, all []standing, list tasks.ListName, found map[string]spot) {
	t.Helper()
	edges, hard := edgesIn(w, all)
	after := unitsBefore(s)
	near := make([]map[int]bool, len(all)) // what each standing comes after; true: waves must lie between
	for i := range near {
		near[i] = map[int]bool{}
	}
	for i, e := range edges {
		near[e[1]][e[0]] = near[e[1]][e[0]] || hard[i]
	}
	wanted := map[string]bool{} // step, role, role that it waits for
	defer func() {
		s.Units(func(wave planner.Wave, u planner.Unit) {
			for _, a := range u.After {
				if a.File != "" {
					other, _, _ := strings.Cut(a.Unit[strings.LastIndexByte(a.Unit, '/')+1:], ".")
					require.True(t, wanted[fmt.Sprint(u.Step, u.Role, other)], "%s waits for %s for no reason (%s)", u.ID, a.Unit, a.Reason)
				}
			}
		})
	}()
	for to := range all {
		for from, apart := range closure(near, to) {
			for _, x := range spots(w, all[from], list, found) {
				for _, y := range spots(w, all[to], list, found) {
					if x.step == y.step {
						wanted[fmt.Sprint(x.step, w.Roles[all[to].role].Name, w.Roles[all[from].role].Name)] = true
					}
					switch {
					case apart || x.track != y.track:
						require.Less(t, x.wave, y.wave, "%s before %s", x.unit, y.unit)
					case x.step != y.step:
						require.LessOrEqual(t, x.wave, y.wave)
					case x.unit == y.unit:
						require.Less(t, x.place, y.place, "%s: %v before %v", x.unit, all[from].svc.Name, all[to].svc.Name)
					case x.track:
						// The parts of a track follow each other.
					default:
						require.True(t, x.wave < y.wave || after[y.unit][x.unit], "%s does not wait for %s", y.unit, x.unit)
					}
				}
			}
		}
	}
}

type stepSpot struct {
	spot
	step int
}

func spots(w planner.World, a standing, list tasks.ListName, found map[string]spot) []stepSpot {
	var out []stepSpot
	for _, task := range a.svc.Lists[list] {
		for _, step := range task.Steps {
			out = append(out, stepSpot{found[fmt.Sprintf("%s/%s/%s.%d/%d", w.Roles[a.role].Name, a.svc.Name, list, task.Index, step)], step})
		}
	}
	return out
}

// closure gives all that a standing comes after, over others too, and whether a hard
// edge lies on some way.
func closure(near []map[int]bool, to int) map[int]bool {
	out := map[int]bool{}
	type state struct {
		node  int
		apart bool
	}
	seen := map[state]bool{}
	todo := []state{{to, false}}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for from, hard := range near[at.node] {
			next := state{from, at.apart || hard}
			if !seen[next] {
				seen[next] = true
				out[from] = out[from] || next.apart
				todo = append(todo, next)
			}
		}
	}
	return out
}

func unitsBefore(s planner.Stage) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	s.Units(func(_ planner.Wave, u planner.Unit) {
		out[u.ID] = map[string]bool{}
		for _, a := range u.After {
			out[u.ID][a.Unit] = true
			for b := range out[a.Unit] {
				out[u.ID][b] = true
			}
		}
	})
	return out
}

func worlds() int {
	if os.Getenv("UPSTEP_SOAK") != "" {
		return 100_000
	}
	return 10_000
}

func TestRandomWorldsAreOrdered(t *testing.T) {
	for seed := range worlds() {
		r := rand.New(rand.NewPCG(uint64(seed), 1)) //nolint:gosec // reproducible on purpose
		w := randomWorld(r, false)
		p, problems := planner.Build(w)
		require.NotNil(t, p, "seed %d: %s", seed, problems.Error())
		require.NotPanics(t, func() { requirePlan(t, w, p) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestShuffledServicesGiveTheSameBytes(t *testing.T) {
	for seed := range worlds() / 20 {
		r := rand.New(rand.NewPCG(uint64(seed), 2)) //nolint:gosec // reproducible on purpose
		w := randomWorld(r, false)
		p, _ := planner.Build(w)
		one, err := p.Encode()
		require.NoError(t, err)
		r.Shuffle(len(w.Services), func(i, j int) { w.Services[i], w.Services[j] = w.Services[j], w.Services[i] })
		p, _ = planner.Build(w)
		two, err := p.Encode()
		require.NoError(t, err)
		require.Equal(t, string(one), string(two), "seed %d", seed)

		again, err := planner.Decode(two)
		require.NoError(t, err)
		three, err := again.Encode()
		require.NoError(t, err)
		require.True(t, bytes.Equal(two, three), "seed %d: a saved plan is read as it was", seed)
	}
}

var arrow = regexp.MustCompile(`(\S+) \((\S+):(\d+)\)`)

func TestEveryReportedCycleIsReal(t *testing.T) {
	cyclic := 0
	for seed := range worlds() {
		r := rand.New(rand.NewPCG(uint64(seed), 3)) //nolint:gosec // reproducible on purpose
		w := randomWorld(r, true)
		_, problems := planner.Build(w)
		reported := 0
		for _, p := range problems {
			if path, ok := strings.CutPrefix(p.Message, "dependency cycle: "); ok {
				reported++
				requireCycle(t, w, path, p.Pos)
			}
		}
		require.Equal(t, hasCycle(w), reported > 0, "seed %d: %s", seed, problems.Error())
		if reported > 0 {
			cyclic++
		}
	}
	require.Greater(t, cyclic, worlds()/10)
}

// requireCycle follows a printed path: every arrow is a declared dependency at its line,
// and it ends where it began.
func requireCycle(t *testing.T, w planner.World, path string, at source.Pos) {
	t.Helper()
	first, rest, _ := strings.Cut(path, " -> ")
	from := first
	steps := arrow.FindAllStringSubmatch(rest, -1)
	require.NotEmpty(t, steps, path)
	for i, m := range steps {
		ok := false
		for _, s := range w.Services {
			for _, d := range s.DependsOn {
				ok = ok || s.Name == from && d.Service == m[1] && d.Pos.File == m[2] && fmt.Sprint(d.Pos.Line) == m[3]
				if i == 0 && s.Name == from && d.Service == m[1] {
					require.Equal(t, d.Pos, at)
				}
			}
		}
		require.True(t, ok, "%s: no such dependency: %s", path, m[0])
		from = m[1]
	}
	require.Equal(t, first, from, path)
}

// hasCycle looks for a cycle by taking away what nothing comes before.
func hasCycle(w planner.World) bool {
	for _, stage := range []string{"control-plane", "non-control-plane", ""} {
		all := standings(w, stage)
		edges, _ := edgesIn(w, all)
		gone := make([]bool, len(all))
		for left := len(all); left > 0; {
			removed := 0
			for n := range all {
				if !gone[n] && !slices.ContainsFunc(edges, func(e [2]int) bool { return e[1] == n && !gone[e[0]] }) {
					gone[n] = true
					removed++
				}
			}
			if removed == 0 {
				return true
			}
			left -= removed
		}
	}
	return false
}

func FuzzBuild(f *testing.F) {
	f.Add(uint64(1), uint64(1), false)
	f.Add(uint64(2), uint64(7), true)
	f.Fuzz(func(t *testing.T, a, b uint64, cycles bool) {
		w := randomWorld(rand.New(rand.NewPCG(a, b)), cycles) //nolint:gosec // reproducible on purpose
		if p, _ := planner.Build(w); p != nil {
			requirePlan(t, w, p)
		}
	})
}
