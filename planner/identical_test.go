package planner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// left finds the tasks that a unit's stand for: each is the same as the one that it names.
func (c *checker) left(l *layout, u planner.Unit) {
	find := func(service, id string) (at, i int) {
		at = slices.IndexFunc(l.all, func(a standing) bool { return a.svc.Name == service && a.role == c.role[u.Role] })
		if at < 0 {
			return at, -1
		}
		return at, slices.IndexFunc(l.tasks[at], func(t tasks.Task) bool { return idOf(l.name, l.all[at].svc, t) == id })
	}
	for _, o := range u.LeftOut {
		at, i := find(o.Service, o.Task)
		by, j := find(o.SameAs, o.SameTask)
		c.require(i >= 0 && j >= 0, "%s: no such tasks: %v", u.ID, o)
		if i < 0 || j < 0 {
			continue
		}
		spot, held := l.spots[key{by, j, u.Step}]
		c.require(held && spot.id == u.ID && !spot.left, "%s does not hold %s %s", u.ID, o.SameAs, o.SameTask)
		if c.w.Settings.File == "" { // random worlds have plain texts
			c.require(l.tasks[at][i].Text == l.tasks[by][j].Text, "%s: %v is not the same", u.ID, o)
		}
		k := key{at, i, u.Step}
		_, twice := l.spots[k]
		c.require(!twice, "%s: %s %s stands in step %d and is left out", u.ID, o.Service, o.Task, u.Step)
		spot.left = true
		l.spots[k] = spot
	}
}

// shared checks that what stands for a task comes before all that follows it in its
// service, and that nothing of a random world stands twice.
func (c *checker) shared(l *layout) {
	if c.w.Settings.IdenticalTasks != settings.Once {
		c.require(!slices.ContainsFunc(unitsIn(l.stage), func(u planner.Unit) bool { return len(u.LeftOut) > 0 }), "%s leaves out tasks", l.stage.Name)
		return
	}
	seen := map[string]string{}
	for k, s := range l.spots {
		for j := k.task + 1; j < len(l.tasks[k.standing]); j++ {
			o, found := l.spots[key{k.standing, j, k.step}]
			c.require(!found || o.left || !s.left || before(s, o), "%s: a task of %s stands before the one that stands for what it follows", l.stage.Name, l.all[k.standing].svc.Name)
		}
		if c.w.Settings.File == "" && !s.left {
			what := fmt.Sprint(s.wave, l.all[k.standing].role, k.step, l.tasks[k.standing][k.task].Text)
			c.require(seen[what] == "", "%s: %s has what %s has", l.stage.Name, s.id, seen[what])
			seen[what] = s.id
		}
	}
}

// before tells whether a task stands before another of its wave.
func before(a, b spot) bool { return a.unit < b.unit || a.unit == b.unit && a.place < b.place }

func unitsIn(s planner.Stage) []planner.Unit {
	var out []planner.Unit
	s.Units(func(_ planner.Wave, u planner.Unit) { out = append(out, u) })
	return out
}

// TestARollbackAsksAllThatATaskStandsFor takes back a run in which a service that keeps a
// shared task began nothing of the step: the task is done for those that it stands for.
func TestARollbackAsksAllThatATaskStandsFor(t *testing.T) {
	const text = `
-- upgrade.yaml --
identical_tasks: once
-- roles.yaml --
- {name: A, services: [one, two, three], hosts: a}
-- services/one.yaml --
service_name: one
upgrade_tasks: [{name: Stop, command: stop, tags: step1}]
rollback_tasks: [{name: Start, command: start, tags: step1}]
-- services/two.yaml --
service_name: two
upgrade_tasks: [{name: Stop, command: stop, tags: step1}]
rollback_tasks:
  - {name: Start, command: start, tags: step1}
  - {name: Own, command: own, tags: step1}
-- services/three.yaml --
service_name: three
upgrade_tasks: [{name: Three, command: three, tags: step2}]
rollback_tasks:
  - {name: Before, command: before, tags: step1}
  - {name: Start, command: start, tags: step1}
  - {name: After, command: after, tags: step1}
  - {name: Three, command: three, tags: step2}
-- inventory.json --
{"a": {"hosts": ["a1", "a2", "a3"]}, "all": {"children": ["a"]}}
`
	w, problems := readWorld(t, txtar.Parse([]byte(text)))
	require.Empty(t, problems)
	p, problems := planner.Build(w)
	require.Zero(t, problems.Count(source.Error), problems)
	require.Equal(t, 1, p.LeftOut())
	p, _ = again(t, p)
	require.Equal(t, 1, p.LeftOut(), "a saved plan tells it too")
	const unit = "non-control-plane/1/step1/A"
	each := w
	each.Settings.IdenticalTasks = settings.Each
	all, _ := planner.Build(each)
	require.NotEqual(t, all.Digest(unit), p.Digest(unit), "a run that goes on with the other setting is told so")
	each.Roles[0].Services = slices.DeleteFunc(slices.Clone(w.Roles[0].Services), func(s roles.Placed) bool { return s.Service == "two" })
	all, _ = planner.Build(each)
	require.Equal(t, all.Digest(unit), p.Digest(unit), "whom a task stands for changes nothing of what is done")

	back, lost := p.Reverse("run", planner.Done{Started: func(unit, host string) bool {
		return host != "a3" && strings.Contains(unit, "step1")
	}})
	require.Empty(t, lost, "two was upgraded by the task of one, and has tasks that undo it")
	var did []string
	for _, s := range back.Stages {
		for _, u := range unitsIn(s) {
			did = append(did, fmt.Sprint(u.ID, u.Hosts, u.Segments, " for ", len(u.LeftOut)))
		}
	}
	require.Equal(t, []string{
		"rollback/non-control-plane/1/step1/A[a1 a2] [{three [rollback_tasks.2] } {two [rollback_tasks.2] }] for 2",
	}, did)
}

func TestExplainTellsWhatStandsForATask(t *testing.T) {
	const text = `
-- upgrade.yaml --
identical_tasks: once
-- roles.yaml --
- {name: A, services: [one, two]}
-- services/one.yaml --
service_name: one
upgrade_tasks: [{name: Stop, command: stop, tags: step1}]
-- services/two.yaml --
service_name: two
upgrade_tasks: [{name: Stop, command: stop, tags: step1}]
`
	w, _ := readWorld(t, txtar.Parse([]byte(text)))
	p, _ := planner.Build(w)
	want := []planner.LeftOut{{
		Service: "two", Task: "upgrade_tasks.1", Name: "Stop", SameAs: "one", SameTask: "upgrade_tasks.1",
		Place: planner.Place{File: "services/two.yaml", Line: 2},
	}}
	for service, own := range map[string][]string{"one": {"Stop"}, "two": nil} {
		x, err := p.Explain(service)
		require.NoError(t, err)
		require.Len(t, x.Standings[0].Units, 1)
		require.Equal(t, own, x.Standings[0].Units[0].Tasks)
		require.Equal(t, want, x.Standings[0].Units[0].LeftOut)
	}
	x, err := p.ExplainRole("A")
	require.NoError(t, err)
	require.Equal(t, want, x.Units[0].LeftOut)
}

// TestServicesOfVersionsPacksAndBootstrapAreToldApart plans services with the same task
// that may mean something else in each.
func TestServicesOfVersionsPacksAndBootstrapAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		more, task string
		left       int
	}{
		"the same":                              {"", "command: x", 1},
		"left alone by version":                 {`version: {target: "2.0", probe: cat /v}`, "command: x", 0},
		"a version that nothing hangs on":       {`version: {target: "2.0"}`, "command: x", 1},
		"a handler that is notified":            {"handlers: [{name: h, command: y}]", "command: x\n    notify: h", 0},
		"a handler that may be notified":        {"handlers: [{name: h, command: y}]", "command: x\n    notify: '{{ who }}'", 0},
		"a handler that is not":                 {"handlers: [{name: h, command: y}]", "command: x", 1},
		"once on the first host of the service": {"", "command: x\n    when: upstep_bootstrap", 0},
		"the same variables":                    {"vars: {a: 1}", "command: x", 1},
		"the same keywords":                     {"play: {become: true}", "command: x", 1},
	} {
		t.Run(name, func(t *testing.T) {
			text := "-- upgrade.yaml --\nidentical_tasks: once\n-- roles.yaml --\n- {name: A, services: [one, two]}\n- {name: B, services: [one]}\n"
			for _, s := range []string{"one", "two"} {
				text += "-- services/" + s + ".yaml --\nservice_name: " + s + "\n" + c.more + "\nupgrade_tasks:\n  - name: Do\n    tags: step1\n    " + c.task + "\n"
			}
			w, problems := readWorld(t, txtar.Parse([]byte(text)))
			require.Zero(t, problems.Count(source.Error), problems)
			p, _ := planner.Build(w)
			require.NotNil(t, p)
			require.Equal(t, c.left, p.LeftOut())
			w.Services[1].Assets = []services.Asset{{Path: "files/x", Data: []byte("x")}}
			p, _ = planner.Build(w)
			require.Zero(t, p.LeftOut(), "in a pack the same words may mean another file")
		})
	}
}

// TestARollbackOfSharedTasksLosesNoneAndAddsNone takes back random worlds that stopped
// anywhere: on each host that a service began on, each of its tasks that undo the step is
// done once, by itself or by one that stands for it, and no other.
func TestARollbackOfSharedTasksLosesNoneAndAddsNone(t *testing.T) {
	reversed := 0
	for seed := range worlds(1500) {
		m := makerOf(uint64(seed), 8)
		m.dense, m.same, m.once = true, true, seed%3 == 0
		w := randomWorld(t, m)
		p, _ := planner.Build(w)
		if p == nil || !p.HostsKnown {
			continue
		}
		begun := map[string]bool{}
		for _, s := range p.Stages {
			for _, u := range unitsIn(s) {
				for _, h := range p.HostsOf(u) {
					begun[u.ID+" "+h] = m.IntN(3) > 0
				}
			}
		}
		began := func(stage string, wave int, u planner.Unit, service, host string) (did bool) {
			for _, s := range p.Stages {
				s.Units(func(ow planner.Wave, o planner.Unit) {
					did = did || s.Name == stage && ow.Number == wave && o.Kind == planner.KindStep && o.Role == u.Role &&
						(o.Step == u.Step || stage == planner.PostUpgrade) && o.Holds(service) && begun[o.ID+" "+host]
				})
			}
			return did
		}
		collect := func(stages []planner.Stage, count func(s planner.Stage, w planner.Wave, u planner.Unit, service, task, host string)) {
			for _, s := range stages {
				s.Units(func(ow planner.Wave, u planner.Unit) {
					for _, h := range p.HostsOf(u) {
						for _, seg := range u.Segments {
							for _, id := range seg.Tasks {
								if u.Kind == planner.KindStep {
									count(s, ow, u, seg.Service, id, h)
								}
							}
						}
						for _, l := range u.LeftOut {
							count(s, ow, u, l.Service, l.Task, h)
						}
					}
				})
			}
		}
		want, got := map[string]bool{}, map[string]int{}
		name := func(s planner.Stage, ow planner.Wave, u planner.Unit, service, task, host string) string {
			return fmt.Sprint(s.Name, ow.Number, u.Role, u.Step, service, task, host)
		}
		collect(p.Rollback, func(s planner.Stage, ow planner.Wave, u planner.Unit, service, task, host string) {
			if began(s.Name, ow.Number, u, service, host) {
				want[name(s, ow, u, service, task, host)] = true
			}
		})
		back, _ := p.Reverse("run", planner.Done{Started: func(unit, host string) bool { return begun[unit+" "+host] }, PostUpgrade: true})
		collect(back.Stages, func(s planner.Stage, ow planner.Wave, u planner.Unit, service, task, host string) {
			got[name(s, ow, u, service, task, host)]++
		})
		for task := range want {
			require.Equal(t, 1, got[task], "seed %d: %s\n%s", seed, task, describe(w))
		}
		for _, s := range back.Stages {
			for _, u := range unitsIn(s) {
				require.NotEmpty(t, u.Segments, "seed %d: %s", seed, u.ID)
			}
		}
		collect(back.Stages, func(s planner.Stage, ow planner.Wave, u planner.Unit, service, task, host string) {
			asked := want[name(s, ow, u, service, task, host)]
			for _, l := range u.LeftOut {
				asked = asked || l.SameAs == service && l.SameTask == task && want[name(s, ow, u, l.Service, l.Task, host)]
				// Of several that it stands for it may be only one that began on the host.
				asked = asked || l.Service == service && l.Task == task
			}
			require.True(t, asked, "seed %d: %s of %s on %s\n%s", seed, task, service, host, describe(w))
		})
		reversed++
	}
	require.Greater(t, reversed, worlds(300))
}
