package runner_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

// undoable is the rolling project, whose services can be taken back but for the API's.
func undoable() string {
	s := strings.Replace(rolling, "services/api.yaml", "rollback_tasks:\n  - {name: Back, ansible.builtin.ping: {}, tags: step1}\n  - {name: Begin, ansible.builtin.ping: {}, tags: step3}\nservices/api.yaml", 1)
	return s + "rollback_tasks: [{name: Back, ansible.builtin.ping: {}, tags: step2}]\n"
}

// begun tells what a night's run began, as a rollback asks.
func (n *night) begun(t *testing.T) planner.Done {
	t.Helper()
	j, err := journal.Open(context.Background(), n.dir, journal.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	done, err := j.Progress(context.Background(), n.run)
	require.NoError(t, err)
	return planner.Done{Started: func(unit, host string) bool { return done.Units[unit].Hosts[host].State != "" }}
}

// TestARollbackTakesBackWhatBegan breaks an upgrade in the middle of its rolling role,
// and kills its rollback at every write of the journal.
func TestARollbackTakesBackWhatBegan(t *testing.T) {
	n := newNight(t, project(t, write(t, undoable()), rollingHosts))
	n.fail = func(unit, host string) bool { return unit == "non-control-plane/1/step2/Web" && host == "w3" }
	require.Equal(t, runner.Failing, n.goOn(t, 0, false).result.State)

	back, lost := n.plan.Reverse(string(n.run), n.begun(t))
	require.Len(t, lost, 1)
	require.Equal(t, "api", lost[0].Service)
	require.Equal(t, []string{"a1", "a2", "a3"}, lost[0].Hosts)
	want := map[string][]string{
		"rollback/non-control-plane/1/drain/Web":   {"w1", "w2", "w3"},
		"rollback/non-control-plane/1/step2/Web":   {"w1", "w2", "w3"},
		"rollback/non-control-plane/1/health/Web":  {"w1", "w2", "w3"},
		"rollback/non-control-plane/1/restore/Web": {"w1", "w2", "w3"},
		"rollback/control-plane/1/step3/Db":        {"d1", "d2"},
		"rollback/control-plane/1/step1/Db":        {"d1", "d2"},
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
		ran := 0
		for unit, hosts := range want {
			for _, h := range hosts {
				require.Equal(t, 1, r.ran[unit+" "+h], "%s on %s, killed at write %d", unit, h, at)
				ran++
			}
		}
		require.Len(t, r.ran, ran, "nothing else was touched")
		if !killed {
			require.Greater(t, at, 5)
			return
		}
	}
}

// TestARollbackLeavesOutWhatWasLeftAlone asks for the way back of a whole upgrade that did
// nothing for the web servers on some hosts: but for what came after all stages.
func TestARollbackLeavesOutWhatWasLeftAlone(t *testing.T) {
	text := strings.Replace(undoable(), "rollback_tasks: [{name: Back, ansible.builtin.ping: {}, tags: step2}]",
		"post_upgrade_tasks: [{name: Tell, ansible.builtin.ping: {}, tags: step1}]\nrollback_tasks:\n  - {name: Back, ansible.builtin.ping: {}, tags: step2}\n  - {name: Untell, ansible.builtin.ping: {}, tags: post_upgrade}", 1)
	plan := project(t, write(t, text), rollingHosts)
	back, _ := plan.Reverse("run", planner.Done{
		PostUpgrade: true,
		Started:     func(string, string) bool { return true },
		Skipped:     func(service, host string) bool { return service == "web" && host != "w3" },
	})
	hosts := map[string][]string{}
	for _, s := range back.Stages {
		s.Units(func(_ planner.Wave, u planner.Unit) {
			if u.Role == "Web" {
				hosts[s.Name] = append(hosts[s.Name], u.Hosts...)
				if u.Kind == planner.KindDrain {
					hosts["out of traffic for "+s.Name] = u.Hosts
				}
			}
		})
	}
	require.NotEmpty(t, hosts["non-control-plane"])
	require.Subset(t, []string{"w3"}, hosts["non-control-plane"])
	for _, h := range []string{"w1", "w2", "w3", "w4", "w5"} {
		require.Contains(t, hosts[planner.PostUpgrade], h)
		require.Contains(t, hosts["out of traffic for "+planner.PostUpgrade], h)
	}
}
