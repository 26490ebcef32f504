package runner_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/runner"
)

// TestAPauseLetsNoProcessWaitForEver pauses where another role's process waits for what
// comes later.
func TestAPauseLetsNoProcessWaitForEver(t *testing.T) {
	text := strings.Replace(rolling, "service_name: db\n", "service_name: db\npost_upgrade_tasks: [{name: Last, ansible.builtin.ping: {}, tags: step1}]\n", 1)
	for _, pause := range []runner.Pause{runner.PauseStage, runner.PauseWave, runner.PauseBatch} {
		n := newNight(t, project(t, write(t, text), rollingHosts))
		n.options.PauseAfter = pause
		for range 9 {
			a := n.goOn(t, 0, false)
			require.NoError(t, a.err)
			if a.result.State == runner.Done {
				break
			}
			require.Equal(t, runner.Stopped, a.result.State)
			require.Contains(t, a.result.Reason, "paused after")
		}
		n.requireOnce(t)
	}
}
