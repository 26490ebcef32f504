package planner_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// withBackups gives some services of a world backup tasks, and has some of their tasks
// migrate.
func withBackups(m maker, w planner.World) {
	for i := range w.Services {
		s := &w.Services[i]
		for j := range s.Lists[tasks.Upgrade] {
			t := &s.Lists[tasks.Upgrade][j]
			t.Migration = t.Once || m.IntN(4) == 0
		}
		for n := range m.IntN(3) {
			s.Lists[tasks.Backup] = append(s.Lists[tasks.Backup], tasks.Task{Name: "save", Pos: s.Pos, Index: n + 1, Text: "- name: x\n"})
		}
	}
}

func TestABackupComesOnceAndRightBeforeTheFirstMigration(t *testing.T) {
	seen := 0
	for seed := range worlds(3000) {
		m := makerOf(uint64(seed), 9)
		m.stages, m.dense, m.once, m.same = seed%3 == 0, seed%2 == 0, seed%2 == 1, seed%5 == 0
		w := randomWorld(t, m)
		withBackups(m, w)
		p, _ := planner.Build(w)
		if p == nil {
			continue
		}
		for i := range p.Services {
			for _, pl := range p.Services[i].Placements {
				seen += requireBackup(t, p, &p.Services[i], pl.Role, fmt.Sprintf("seed %d, %s on %s\n%s", seed, p.Services[i].Name, pl.Role, describe(w)))
			}
		}
		for _, s := range append(slices.Clone(p.Rollback), p.Stages[len(p.Stages)-1]) {
			s.Units(func(_ planner.Wave, u planner.Unit) { require.False(t, u.Backup, "seed %d: %s", seed, u.ID) })
		}
	}
	require.Greater(t, seen, worlds(3000)/2)
}

// requireBackup looks at where the backup of a service on a role stands; it gives how many
// there are.
func requireBackup(t *testing.T, p *planner.Plan, svc *planner.Service, role, what string) int {
	t.Helper()
	var saved, ids []string
	migrates := map[string]bool{}
	for _, task := range svc.Tasks {
		switch task.List {
		case tasks.Backup:
			ids = append(ids, task.ID)
		case tasks.Upgrade:
			migrates[task.ID] = task.Migration
		default:
		}
	}
	works, before, after := 0, 0, 0 // units of the service, and migrations around the backup
	last := ""                      // task before the first migration
	for _, v := range p.Sequence() {
		if v.Unit == nil || v.Unit.Role != role || v.Unit.Kind != planner.KindStep || v.Unit.ID[:4] == "post" {
			continue
		}
		for _, seg := range v.Unit.Segments {
			if seg.Service != svc.Name {
				continue
			}
			if v.Unit.Backup {
				require.Len(t, v.Unit.Segments, 1, what)
				saved = append(saved, seg.Tasks...)
				continue
			}
			works++
			for _, id := range seg.Tasks {
				switch {
				case migrates[id] && len(saved) == 0:
					before++
				case migrates[id]:
					after++
				case len(saved) == 0:
					last = id
				}
			}
		}
	}
	if works == 0 || len(ids) == 0 {
		require.Empty(t, saved, what)
		return 0
	}
	require.Equal(t, ids, saved, what)
	require.Zero(t, before, "%s: after %s", what, last)
	if after == 0 {
		require.Empty(t, last, "%s: nothing migrates, and %s came before the backup", what, last)
	}
	return 1
}

// release gives a hop of a route with one service, which is placed on a role.
func release(from, to string, list ...services.Service) planner.World {
	return planner.World{Hop: &planner.Hop{From: from, To: to}, Services: list}
}

func versioned(name, target string, requires ...services.Requirement) services.Service {
	return services.Service{Name: name, Version: services.Version{Target: target, Probe: "ask", Pos: source.Pos{File: to(name), Line: 2}}, Requires: requires}
}

func to(name string) string { return name + ".yaml" }

func TestARouteAsksForWhatLaterHopsRequireBeforeItsFirst(t *testing.T) {
	need := func(low, high string) services.Requirement {
		return services.Requirement{Service: "db", Min: low, Max: high, Pos: source.Pos{File: "app.yaml", Line: 5}}
	}
	for name, c := range map[string]struct {
		hops  []planner.World
		asked []string // by the first hop
		wrong string
	}{
		"nothing brings it about": {
			hops:  []planner.World{release("1", "2", versioned("app", "2"), versioned("db", "")), release("2", "3", versioned("app", "3", need("13", "")), versioned("db", ""))},
			asked: []string{"2 -> 3: 13 or later"},
		},
		"a hop between brings it about": {
			hops: []planner.World{release("1", "2", versioned("app", "2"), versioned("db", "14.2")), release("2", "3", versioned("app", "3", need("13", "14")), versioned("db", "14.2"))},
		},
		"a hop between leads elsewhere": {
			hops:  []planner.World{release("1", "2", versioned("app", "2"), versioned("db", "12")), release("2", "3", versioned("app", "3", need("13", "")), versioned("db", "15"))},
			wrong: "app.yaml:5: app requires db 13 or later, and the hop 1 -> 2 brings it to 12\n  hint: the target stands in db.yaml:2",
		},
		"the last of two that lead there counts": {
			hops: []planner.World{release("1", "2", versioned("app", "2"), versioned("db", "12")), release("2", "3", versioned("app", "3"), versioned("db", "13")), release("3", "4", versioned("app", "4", need("13", "")))},
		},
		"a later hop leads back": {
			hops:  []planner.World{release("1", "2", versioned("app", "2.10")), release("2", "3", versioned("app", "2.9"))},
			wrong: "app.yaml:2: the hop 2 -> 3 leads app to 2.9, and 1 -> 2 has brought it to 2.10 before\n  hint: the other target stands in app.yaml:2; --allow-downgrade allows it",
		},
	} {
		sink := &source.Sink{}
		planner.AskAhead(c.hops, sink)
		require.Equal(t, c.wrong, trimmed(sink), name)
		var asked []string
		for _, s := range c.hops[0].Services {
			for _, r := range s.Requires {
				shown := planner.Requirement{Min: r.Min, Max: r.Max}
				asked = append(asked, r.Hop+": "+shown.String())
			}
		}
		require.Equal(t, c.asked, asked, name)
	}
}

func trimmed(sink *source.Sink) string {
	text := sink.Problems().Error()
	for len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	return text
}

func TestARequirementAllowsWhatIsBetweenItsBounds(t *testing.T) {
	for bounds, c := range map[[2]string]struct{ yes, no []string }{
		{"13", ""}:       {[]string{"13", "13.0", "13.2-1.pgdg", "v14", "130"}, []string{"12.9", "9", "13rc1", "", "train"}},
		{"", "16"}:       {[]string{"16", "16.4", "16.4.9", "9.6"}, []string{"17", "20.1"}},
		{"1.9", "1.10"}:  {[]string{"1.9", "1.9.9", "1.10", "1.10.3"}, []string{"1.8", "1.11", "2"}},
		{"4.1.1", "4.2"}: {[]string{"4.1.1", "4.1.9", "4.2.7"}, []string{"4.1.0", "4.1", "4.3"}},
	} {
		r := planner.Requirement{Min: bounds[0], Max: bounds[1]}
		for _, v := range c.yes {
			require.True(t, r.Allows(v), "%s: %s", &r, v)
		}
		for _, v := range c.no {
			require.False(t, r.Allows(v), "%s: %s", &r, v)
		}
	}
}
