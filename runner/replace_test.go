package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

// replaced is a project with a role that is replaced, one before it and one behind it.
const replaced = `
upgrade.yaml
deployment_tasks:
  after: [{name: End, hosts: manager, tasks: [{name: Say so, ansible.builtin.ping: {}}]}]
roles.yaml
- {name: Db, hosts: db, services: [db]}
- {name: Workflow, hosts: blue, services: [engine], replace: {with: green, keep: 1h}}
- {name: Web, hosts: web, services: [web]}
services/db.yaml
service_name: db
upgrade_tasks: [{name: Go, ansible.builtin.ping: {}, tags: step1}]
services/engine.yaml
service_name: engine
depends_on: [db]
deploy_tasks: [{name: Install, ansible.builtin.ping: {}}]
carry_tasks: [{name: Carry, ansible.builtin.ping: {}}, {name: Once, ansible.builtin.ping: {}, run_once: true}]
verify_tasks: [{name: Try, ansible.builtin.ping: {}}]
health_tasks: [{name: Well, ansible.builtin.ping: {}}]
restore_tasks: [{name: In, ansible.builtin.ping: {}}]
cut_over_tasks: [{name: Turn, ansible.builtin.ping: {}}]
cut_back_tasks: [{name: Turn back, ansible.builtin.ping: {}}]
drain_tasks: [{name: Out, ansible.builtin.ping: {}}]
post_upgrade_tasks: [{name: Tidy, ansible.builtin.ping: {}, tags: step1}]
retire_tasks: [{name: Remove, ansible.builtin.ping: {}}]
services/web.yaml
service_name: web
depends_on: [engine]
upgrade_tasks: [{name: Go, ansible.builtin.ping: {}, tags: step1}]
`

var replacedHosts = groups(map[string][]string{"db": {"d1"}, "blue": {"b1", "b2"}, "green": {"g1", "g2"}, "web": {"w1"}, "manager": {"manager"}})

// replacing gives a night with the project, whose clock can be turned, with keep for the
// time that old hosts stay.
func replacing(t *testing.T, keep string) (*night, *time.Time) {
	t.Helper()
	n := newNight(t, project(t, write(t, strings.Replace(replaced, "keep: 1h", "keep: "+keep, 1)), replacedHosts))
	at := time.Unix(1, 0)
	n.now = func() time.Time { return at }
	return n, &at
}

// TestAReplacementIsKilledAtEveryWrite kills upstep at each write of the journal, with and
// without its processes, before the cut over and days later: every unit ends once on each
// host, in order, and nothing is retired before its time.
func TestAReplacementIsKilledAtEveryWrite(t *testing.T) {
	for _, children := range []bool{false, true} {
		for at := 1; ; at++ {
			n, clock := replacing(t, "1h")
			a := n.goOn(t, at, children)
			killed := a.killed
			if killed {
				if a = n.goOn(t, 0, false); children && a.err != nil { // nobody knows whether what runs once did
					require.ErrorContains(t, a.err, "runs once")
					n.options.Rerun = []string{"non-control-plane/2/carry/Workflow-new.2"}
					a = n.goOn(t, 0, false)
				}
			}
			require.NoError(t, a.err)
			require.Equal(t, runner.Stopped, a.result.State, "%d: %+v", at, a.result)
			require.Len(t, a.result.Kept, 1)
			require.False(t, slices.ContainsFunc(n.log, func(l string) bool { return strings.Contains(l, "retire") }), "too early")
			require.Equal(t, 1, n.ran["after/1 manager"], "the end is told before the old hosts go")
			n.options.Rerun = nil

			*clock = clock.Add(59 * time.Minute)
			require.Equal(t, runner.Stopped, n.goOn(t, 0, false).result.State)
			*clock = clock.Add(2 * time.Minute)
			if a = n.goOn(t, at%9, children); a.killed {
				a = n.goOn(t, 0, false)
			}
			require.NoError(t, a.err)
			require.Equal(t, runner.Done, a.result.State, a.result)
			n.requireOrder(t)
			for done, times := range n.ran {
				require.True(t, times == 1 || children && times == 2, "%s ran %d times, killed at write %d", done, times, at)
			}
			require.Equal(t, 1, n.ran["retire/1/retire/Workflow b2"])
			if !killed {
				require.Greater(t, at, 20)
				break
			}
		}
	}
}

func TestWhatWasReplacedIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		keep   string
		later  time.Duration
		retire bool
		until  time.Time // it is kept; zero: until told
		done   bool
	}{
		"for its time":                       {keep: "1h", later: time.Minute, until: time.Unix(1, 0).Add(time.Hour)},
		"no longer":                          {keep: "1h", later: time.Hour, done: true},
		"unless it is let go":                {keep: "1h", retire: true, done: true},
		"for ever without a word":            {keep: "until told", later: 1000 * time.Hour},
		"until the word":                     {keep: "until told", retire: true, done: true},
		"not at all where nobody wants that": {keep: "0s", done: true},
	} {
		t.Run(name, func(t *testing.T) {
			n, clock := replacing(t, c.keep)
			if c.keep != "0s" {
				first := n.goOn(t, 0, false)
				require.Equal(t, runner.Stopped, first.result.State)
				require.Contains(t, first.result.Reason, "the old hosts of Workflow (b1, b2) are kept until")
				require.Contains(t, first.result.Ended, "after/1")
			}
			*clock = clock.Add(c.later)
			n.options.Retire = c.retire
			a := n.goOn(t, 0, false)
			require.NoError(t, a.err)
			if c.done {
				require.Equal(t, runner.Done, a.result.State, a.result)
				return
			}
			require.Equal(t, runner.Stopped, a.result.State)
			require.Len(t, a.result.Kept, 1)
			require.Equal(t, []string{"b1", "b2"}, a.result.Kept[0].Hosts)
			require.True(t, c.until.Equal(a.result.Kept[0].Until), a.result.Kept)
			require.Empty(t, a.result.Ended, "not even the preflight")
		})
	}
}

// TestARetirementThatBeganGoesOn breaks it on one host: the next invocation needs no word.
func TestARetirementThatBeganGoesOn(t *testing.T) {
	n, _ := replacing(t, "until told")
	require.Equal(t, runner.Stopped, n.goOn(t, 0, false).result.State)
	broken := true
	n.fail = func(unit, host string) bool { return broken && strings.HasPrefix(unit, "retire/") && host == "b2" }
	n.options.Retire = true
	require.Equal(t, runner.Failing, n.goOn(t, 0, false).result.State)
	broken, n.options.Retire = false, false
	require.Equal(t, runner.Done, n.goOn(t, 0, false).result.State)
	require.Equal(t, 1, n.ran["retire/1/retire/Workflow b1"])
}

// TestAReplacementThatFailsLeavesTheOldHostsAlone fails each phase in turn.
func TestAReplacementThatFailsLeavesTheOldHostsAlone(t *testing.T) {
	for _, unit := range []string{"deploy/Workflow-new", "carry/Workflow-new", "verify/Workflow-new", "health/Workflow-new", "restore/Workflow-new", "cut_over/Workflow-new", "health/Workflow-new.2"} {
		n, _ := replacing(t, "0s")
		n.fail = func(u, host string) bool { return strings.HasSuffix(u, "/"+unit) && host == "g2" }
		a := n.goOn(t, 0, false)
		require.Equal(t, runner.Failing, a.result.State, unit)
		for _, l := range n.log {
			require.NotRegexp(t, ` b[12]$`, l, unit)
			require.NotContains(t, l, "Web", unit)
		}
		back, lost := n.plan.Reverse(string(n.run), n.begun(t))
		require.False(t, slices.ContainsFunc(lost, func(l planner.Irreversible) bool { return l.Service == "engine" }), unit)
		var parts []string
		for _, s := range back.Stages {
			for _, w := range s.Waves {
				for _, tr := range w.Tracks {
					for _, u := range tr.Parts {
						parts = append(parts, string(u.Kind)+" "+strings.Join(u.Hosts, " "))
					}
				}
			}
		}
		switch unit {
		case "restore/Workflow-new":
			require.Equal(t, []string{"health b1 b2", "drain g1 g2"}, parts, unit)
		case "cut_over/Workflow-new", "health/Workflow-new.2":
			require.Equal(t, []string{"health b1 b2", "cut_back b1 b2", "health b1 b2", "drain g1 g2"}, parts, unit)
		default:
			require.Empty(t, parts, "nothing was cut over: %s", unit)
		}
	}
}

// TestCuttingBackIsKilledAtEveryWrite cuts back after all has ended but the retirement.
func TestCuttingBackIsKilledAtEveryWrite(t *testing.T) {
	n, _ := replacing(t, "1h")
	require.Equal(t, runner.Stopped, n.goOn(t, 0, false).result.State)
	back, lost := n.plan.Reverse(string(n.run), n.begun(t))
	for _, l := range lost {
		require.NotEqual(t, "engine", l.Service, l)
	}
	for at := 1; ; at++ {
		r := newNight(t, back)
		a := r.goOn(t, at, false)
		killed := a.killed
		if killed {
			a = r.goOn(t, 0, false)
		}
		require.NoError(t, a.err)
		require.Equal(t, runner.Done, a.result.State, a.result)
		r.requireOrder(t)
		for _, unit := range []string{"health/Workflow b1", "restore/Workflow b2", "cut_back/Workflow b1", "health/Workflow.2 b2", "drain/Workflow-new g1", "drain/Workflow-new g2"} {
			require.Equal(t, 1, r.ran["rollback/non-control-plane/2/"+unit], unit)
		}
		require.Len(t, r.ran, 10)
		if !killed {
			return
		}
	}
}

// TestWhatBeganToBeRetiredIsNotCutBackTo names it before anything happens.
func TestWhatBeganToBeRetiredIsNotCutBackTo(t *testing.T) {
	n, _ := replacing(t, "0s")
	n.fail = func(unit, host string) bool { return strings.HasPrefix(unit, "retire/") && host == "b2" }
	require.Equal(t, runner.Failing, n.goOn(t, 0, false).result.State)
	back, lost := n.plan.Reverse(string(n.run), n.begun(t))
	require.Empty(t, back.Stages)
	require.True(t, slices.ContainsFunc(lost, func(l planner.Irreversible) bool {
		return l.Service == "engine" && l.Role == "Workflow" && strings.Contains(l.Why, "nothing to cut back to")
	}), lost)
}
