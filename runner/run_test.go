package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// rolling is a project with two stages, plain steps on two roles, one rolling role, and
// plays before and after.
const rolling = `
upgrade.yaml
deployment_tasks:
  before: [{name: Begin, hosts: manager, tasks: [{name: Say so, ansible.builtin.ping: {}}]}]
  after: [{name: End, hosts: manager, tasks: [{name: Say so, ansible.builtin.ping: {}}]}]
roles.yaml
- {name: Db, hosts: db, stage: control-plane, services: [db]}
- {name: Api, hosts: api, stage: control-plane, services: [api]}
- {name: Web, hosts: web, services: [web], rolling: {batch: [1, 2]}}
services/db.yaml
service_name: db
upgrade_tasks:
  - {name: Stop, ansible.builtin.ping: {}, tags: step1}
  - {name: Go, ansible.builtin.ping: {}, tags: step3}
services/api.yaml
service_name: api
depends_on: [db]
upgrade_tasks:
  - {name: Stop, ansible.builtin.ping: {}, tags: step1}
  - {name: Go, ansible.builtin.ping: {}, tags: step2}
services/web.yaml
service_name: web
drain_tasks: [{name: Out, ansible.builtin.ping: {}}]
upgrade_tasks: [{name: Go, ansible.builtin.ping: {}, tags: step2}]
health_tasks: [{name: Well, ansible.builtin.ping: {}}]
restore_tasks: [{name: In, ansible.builtin.ping: {}}]
`

var rollingHosts = groups(map[string][]string{
	"db": {"d1", "d2"}, "api": {"a1", "a2", "a3"}, "web": {"w1", "w2", "w3", "w4", "w5"}, "manager": {"manager"},
})

// groups writes an inventory as ansible-inventory does.
func groups(of map[string][]string) string {
	out := map[string]any{}
	var names []string
	for name, hosts := range of {
		out[name] = map[string]any{"hosts": hosts}
		names = append(names, name)
	}
	slices.Sort(names)
	out["all"] = map[string]any{"children": names}
	text, _ := json.Marshal(out)
	return string(text)
}

// write makes a project of texts, each behind a line that is its path.
func write(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	name := ""
	files := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		if bare := strings.TrimSpace(line); strings.HasSuffix(bare, ".yaml") && !strings.Contains(bare, " ") {
			name = bare
			continue
		}
		files[name] += line
	}
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// attempt is one invocation: Run, and how it came out.
type attempt struct {
	result runner.Result
	events []event.Event
	err    error
	killed bool
}

// night is a project, its hosts and its journal over several invocations.
type night struct {
	*site
	dir      string
	tree     *playbooks.Tree
	run      journal.RunID
	options  runner.Options
	now      func() time.Time
	patience time.Duration // after which the operator ends what is at work; 0: none
	stop     chan string
	seen     func(event.Event)
	open     func(time.Time) (bool, time.Time)
}

func newNight(t testing.TB, plan *planner.Plan) *night {
	t.Helper()
	tree, err := playbooks.Render(plan)
	require.NoError(t, err)
	return &night{site: newSite(plan), dir: t.TempDir(), tree: tree, now: func() time.Time { return time.Unix(1, 0) }, seen: func(event.Event) {}}
}

// goOn runs the plan; upstep is killed at a write of the journal, if that is not 0.
func (n *night) goOn(t testing.TB, killAt int, children bool) attempt {
	t.Helper()
	ctx := context.Background()
	writes, armed := 0, false
	j, err := journal.Open(ctx, n.dir, journal.Options{AfterWrite: func(int) {
		if armed {
			writes++
		}
		if armed && writes == killAt {
			runtime.Goexit()
		}
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	if n.run == "" {
		doc, err := n.plan.Encode()
		require.NoError(t, err)
		n.run, err = j.Begin(ctx, "test", doc, journal.Invocation{Started: time.Unix(1, 0)})
		require.NoError(t, err)
	}
	armed = true
	working, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if n.patience > 0 {
		time.AfterFunc(n.patience, func() { cancel(errors.New("cancelled")) })
	}
	a := attempt{killed: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.result, a.err = runner.Run(working, n.stop, runner.Config{
			Plan: n.plan, Tree: n.tree, Executor: n, Journal: j, Run: n.run, Folder: fmt.Sprintf("runs/%s", n.run),
			Report: func(e event.Event) { a.events = append(a.events, e); n.seen(e) }, Now: n.now,
			Options: n.options, Open: n.open,
		})
		a.killed = false
	}()
	<-done
	if a.killed {
		n.kill(children)
		if n.hung == "" {
			n.waitGone()
		}
		n.revive()
	}
	return a
}

// waitGone waits until no process is left.
func (s *site) waitGone() {
	for _, p := range s.procs {
		p.mu.Lock()
		for !p.over {
			p.more.Wait()
		}
		p.mu.Unlock()
	}
}

// requireOrder checks that no unit began on any host before what it waits for had ended
// on all of theirs, by what really happened.
func (n *night) requireOrder(t testing.TB) {
	t.Helper()
	after := map[string][]string{}
	units := map[string][]string{} // that a vertex stands for
	for _, v := range n.plan.Sequence() {
		for _, a := range v.After {
			after[v.ID] = append(after[v.ID], units[a]...)
			if v.Unit == nil {
				units[v.ID] = append(units[v.ID], units[a]...)
			}
		}
		if v.Unit != nil {
			units[v.ID] = []string{v.ID}
		}
	}
	members := map[string][]string{}
	track := map[string]string{}
	for _, s := range n.plan.Stages {
		for _, w := range s.Waves {
			for _, tr := range w.Tracks {
				for _, u := range tr.Parts {
					track[u.ID] = tr.Role
				}
			}
		}
		s.Units(func(_ planner.Wave, u planner.Unit) { members[u.ID] = n.plan.HostsOf(u) })
	}
	ended := map[string]bool{}
	for _, line := range n.log {
		f := strings.Fields(line)
		if f[0] == "end" {
			ended[f[1]+" "+f[2]] = true
			continue
		}
		for _, u := range after[f[1]] {
			for _, h := range members[u] {
				if track[u] != "" && track[u] == track[f[1]] && h != f[2] {
					continue // batches follow each other as wholes
				}
				require.True(t, ended[u+" "+h], "%s began before %s had ended on %s", line, u, h)
			}
		}
	}
}

// requireOnce checks that every host came to the end of every unit exactly once.
func (n *night) requireOnce(t testing.TB) {
	t.Helper()
	for _, s := range n.plan.Stages {
		s.Units(func(_ planner.Wave, u planner.Unit) {
			for _, h := range n.plan.RoleByName(u.Role).Members {
				require.Equal(t, 1, n.ran[u.ID+" "+h], "%s on %s", u.ID, h)
			}
		})
	}
	before, after := playbooks.DeploymentPlays(n.plan)
	for _, p := range append(before, after...) {
		for _, h := range n.managers {
			require.Equal(t, 1, n.ran[p.ID+" "+h], "%s on %s", p.ID, h)
		}
	}
}

func TestRunGoesThroughThePlanInOrder(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	n.requireOrder(t)
	n.requireOnce(t)
	require.Equal(t, "start before/1 manager", n.log[0])
	require.Equal(t, "end after/1 manager", n.log[len(n.log)-1])
}

func TestAFailureStopsWhatComesAfterAndTheNextRunGoesOn(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.fail = func(unit, host string) bool { return unit == "non-control-plane/1/step2/Web" && host == "w3" }
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State)
	require.Len(t, a.result.Failures, 1)
	require.Equal(t, []string{"w3"}, a.result.Failures[0].Hosts)
	require.Equal(t, "non-control-plane/1/step2/Web", a.result.Failures[0].Unit)
	require.Equal(t, 1, n.ran["non-control-plane/1/restore/Web w2"], "the batch's other host is back in traffic")
	require.Zero(t, n.ran["non-control-plane/1/drain/Web w4"], "the next batch did not begin")
	require.Zero(t, n.ran["after/1 manager"])

	n.fail = nil
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	require.Equal(t, 2, n.ran["non-control-plane/1/drain/Web w3"], "a host goes through its batch's parts again")
	delete(n.ran, "non-control-plane/1/drain/Web w3")
	n.ran["non-control-plane/1/drain/Web w3"] = 1
	n.requireOnce(t)
	require.Equal(t, 1, n.ran["after/1 manager"])

	again := len(n.log)
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	require.Len(t, n.log, again, "nothing is left to do")
}

// TestKilledAtEveryWrite ends upstep after each transaction of its journal in turn. What
// it had started goes on to its next gate. The next run takes that over, and nothing is
// done twice.
func TestKilledAtEveryWrite(t *testing.T) {
	plan := project(t, write(t, rolling), rollingHosts)
	for at := 1; ; at++ {
		n := newNight(t, plan)
		a := n.goOn(t, at, false)
		if !a.killed {
			require.Greater(t, at, 10)
			t.Logf("killed at each of %d writes", at-1)
			return
		}
		a = n.goOn(t, 0, false)
		require.NoError(t, a.err, "killed at write %d", at)
		require.Equal(t, runner.Done, a.result.State, "killed at write %d: %+v", at, a.result)
		n.requireOrder(t)
		n.requireOnce(t)
	}
}

// TestKilledWithItsChildrenAtEveryWrite ends the processes too, in the middle of what
// they do. What was not seen to end is done again, and only that.
func TestKilledWithItsChildrenAtEveryWrite(t *testing.T) {
	plan := project(t, write(t, rolling), rollingHosts)
	for at := 1; ; at++ {
		n := newNight(t, plan)
		if a := n.goOn(t, at, true); !a.killed {
			require.Greater(t, at, 10)
			return
		}
		a := n.goOn(t, 0, false)
		require.NoError(t, a.err, "killed at write %d", at)
		require.Equal(t, runner.Done, a.result.State, "killed at write %d: %+v", at, a.result)
		for id, count := range n.ran {
			// A host of a batch goes through all of its parts again.
			if strings.Contains(id, "/Web ") {
				require.LessOrEqual(t, count, 2, "%s, killed at write %d", id, at)
			} else {
				require.Equal(t, 1, count, "%s, killed at write %d", id, at)
			}
		}
	}
}

// TestKilledAgainAndAgain kills a run at random writes until it comes through.
func TestKilledAgainAndAgain(t *testing.T) {
	rounds := 20
	if os.Getenv("UPSTEP_SOAK") != "" {
		rounds = 500
	}
	plan := project(t, write(t, rolling), rollingHosts)
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 3))
		n := newNight(t, plan)
		children := false
		for {
			crash := r.IntN(3) == 0
			a := n.goOn(t, 1+r.IntN(60), crash)
			if !a.killed {
				require.NoError(t, a.err, "round %d", round)
				require.Equal(t, runner.Done, a.result.State, "round %d: %+v", round, a.result)
				break
			}
			children = children || crash
		}
		n.requireOrder(t)
		if !children {
			n.requireOnce(t)
		}
	}
}

func TestKeepGoingLetsBeginWhatDoesNotDependOnAFailure(t *testing.T) {
	n := newNight(t, project(t, write(t, strings.Replace(rolling, "depends_on: [db]\n", "", 1)), rollingHosts))
	n.fail = func(unit, host string) bool { return unit == "control-plane/1/step1/Db" && host == "d2" }
	n.options.KeepGoing = true
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State)
	require.Equal(t, 1, n.ran["control-plane/1/step1/Api a1"])
	require.Zero(t, n.ran["control-plane/1/step2/Api a1"], "step 2 waits for step 1 of every role")
}

func TestASelectionLeavesTheRunOpen(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.options.Stages = []string{"control-plane"}
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Stopped, a.result.State)
	require.Zero(t, n.ran["non-control-plane/1/drain/Web w1"])
	require.Equal(t, 1, n.ran["control-plane/1/step3/Db d1"])
	require.Equal(t, 1, n.ran["before/1 manager"])
	require.Zero(t, n.ran["after/1 manager"])
	n.options.Stages = []string{"non-control-plane"}
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	n.requireOrder(t)
	n.requireOnce(t)
}

func TestASelectionThatLeavesOutWhatItNeedsIsRefused(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.options.Roles = []string{"Web"}
	a := n.goOn(t, 0, false)
	var unmet *runner.UnmetError
	require.ErrorAs(t, a.err, &unmet)
	require.Empty(t, n.log)
	n.options.WithoutDependencies = true
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, 1, n.ran["non-control-plane/1/restore/Web w5"])
}

func TestAPercentageTakesSomeHostsAtATime(t *testing.T) {
	n := newNight(t, project(t, write(t, strings.Replace(rolling, "batch: [1, 2]", "batch: [1, 2], percentage: 40", 1)), rollingHosts))
	for _, want := range []int{2, 4, 5} {
		a := n.goOn(t, 0, false)
		require.NoError(t, a.err)
		done := 0
		for _, h := range n.plan.RoleByName("Web").Members {
			done += n.ran["non-control-plane/1/restore/Web "+h]
		}
		require.Equal(t, want, done)
		if want < 5 {
			require.Equal(t, runner.Stopped, a.result.State)
			require.Zero(t, n.ran["after/1 manager"], "what comes after waits for all hosts")
		} else {
			require.Equal(t, runner.Done, a.result.State)
		}
	}
	n.requireOnce(t)
}

func TestParallelismBoundsTheProcesses(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.options.Parallelism = 1
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State, a.result)
	n.requireOrder(t)
	n.requireOnce(t)
	require.Equal(t, 1, n.most)
}

func TestALimitGoesThroughEverythingOnItsHosts(t *testing.T) {
	n := newNight(t, project(t, write(t, strings.Replace(rolling, "depends_on: [db]\n", "", 1)), rollingHosts))
	n.options.Hosts = []string{"d1", "a1", "w3"}
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Stopped, a.result.State)
	require.Equal(t, 1, n.ran["control-plane/1/step3/Db d1"])
	require.Equal(t, 1, n.ran["non-control-plane/1/restore/Web w3"])
	require.Zero(t, n.ran["control-plane/1/step3/Db d2"])
	require.Zero(t, n.ran["after/1 manager"], "what comes after waits for all hosts")
	n.options.Hosts = nil
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	n.requireOnce(t)
}

func TestToleratedFailuresHoldBackWhatComesAfter(t *testing.T) {
	n := newNight(t, project(t, write(t, strings.Replace(rolling, "batch: [1, 2]", "batch: [1, 2], max_failures: 1", 1)), rollingHosts))
	n.fail = func(unit, host string) bool { return unit == "non-control-plane/1/step2/Web" && host == "w2" }
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Failing, a.result.State)
	for _, h := range []string{"w1", "w3", "w4", "w5"} {
		require.Equal(t, 1, n.ran["non-control-plane/1/restore/Web "+h], h)
	}
	require.Zero(t, n.ran["after/1 manager"])
	n.fail = nil
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	require.Equal(t, 1, n.ran["after/1 manager"])
}

// TestAHostThatDoesNotDrainIsTriedAgainAtTheEnd has a host keep its sessions until the
// role's others are done.
func TestAHostThatDoesNotDrainIsTriedAgainAtTheEnd(t *testing.T) {
	for _, stubborn := range []bool{false, true} {
		n := newNight(t, project(t, write(t, strings.Replace(rolling, "batch: [1, 2]", "batch: [1, 2], max_failures: 1", 1)), rollingHosts))
		tries := 0
		n.fail = func(unit, host string) bool {
			if unit != "non-control-plane/1/drain/Web" || host != "w2" {
				return false
			}
			tries++
			return stubborn || tries == 1
		}
		a := n.goOn(t, 0, false)
		require.NoError(t, a.err)
		require.Equal(t, 2, tries)
		order := slices.DeleteFunc(slices.Clone(n.log), func(l string) bool { return !strings.HasPrefix(l, "end non-control-plane/1/restore/Web") })
		if stubborn {
			require.Equal(t, runner.Failing, a.result.State)
			require.Len(t, a.result.Failures, 1)
			require.Len(t, order, 4)
			require.Zero(t, n.ran["after/1 manager"])
			continue
		}
		require.Equal(t, runner.Done, a.result.State, a.result)
		require.Equal(t, "end non-control-plane/1/restore/Web w2", order[4])
		n.requireOnce(t)
	}
}

func TestAPauseHoldsTheNextBatchBack(t *testing.T) {
	n := newNight(t, project(t, write(t, strings.Replace(rolling, "batch: [1, 2]", "batch: [3], pause: 1s", 1)), rollingHosts))
	n.now = time.Now
	began := time.Now()
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	n.requireOnce(t)
}

func TestAnExcludedHostIsLeftBehind(t *testing.T) {
	n := newNight(t, project(t, write(t, rolling), rollingHosts))
	n.options.Exclude = []string{"a2"}
	a := n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Stopped, a.result.State)
	require.True(t, a.result.Narrowed)
	require.Zero(t, n.ran["control-plane/1/step1/Api a2"])
	require.Equal(t, 1, n.ran["non-control-plane/1/restore/Web w5"])
	require.Zero(t, n.ran["after/1 manager"])
	n.options.Exclude = nil
	a = n.goOn(t, 0, false)
	require.NoError(t, a.err)
	require.Equal(t, runner.Done, a.result.State)
	require.Equal(t, 1, n.ran["control-plane/1/step2/Api a2"], "it catches up")
}

// TestALostMachineLeavesUnknownHosts goes on with a journal alone: what was at work is
// unknown, and is done again unless it must run once.
func TestALostMachineLeavesUnknownHosts(t *testing.T) {
	once := strings.Replace(rolling, "{name: Go, ansible.builtin.ping: {}, tags: step3}", "{name: Go, ansible.builtin.ping: {}, run_once: true, tags: step3}", 1)
	plan := project(t, write(t, once), rollingHosts)
	undecided := 0
	for at := 1; ; at++ {
		n := newNight(t, plan)
		n.slow = "control-plane/1/step3/Db" // so that it is seen in the middle
		if a := n.goOn(t, at, true); !a.killed {
			break
		}
		n.lost = true
		a := n.goOn(t, 0, false)
		if e, is := errors.AsType[*runner.UndecidedError](a.err); is {
			undecided++
			require.Equal(t, "control-plane/1/step3/Db", e.Unit)
			n.options.Rerun = []string{e.Unit}
			a = n.goOn(t, 0, false)
		}
		require.NoError(t, a.err, "lost at write %d", at)
		require.Equal(t, runner.Done, a.result.State, "lost at write %d: %+v", at, a.result)
	}
	require.Positive(t, undecided)
}
