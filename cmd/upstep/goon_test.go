package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

func TestStatusGoesOnAsTheRunWasTyped(t *testing.T) {
	plan := &planner.Plan{Inputs: []planner.Input{{Name: "target", Type: "string", Value: `"1.8 b"`}, {Name: "n", Type: "integer", Value: `3`}}}
	for name, c := range map[string]struct {
		typed         []string
		outcome, want string
	}{
		"nothing is known":        {nil, "", "upstep run -C 'my project'"},
		"a new run":               {[]string{"run", "--new", "-i", "lab", "-C", "elsewhere", "--rerun", "u"}, "", "upstep run -C 'my project' -i lab"},
		"inputs stand in a plan":  {[]string{"run", "--set", "target=******", "--set=n=******", "--set", "x=******"}, "", "upstep run -C 'my project' --set 'target=1.8 b' --set=n=3 --set 'x=******'"},
		"a choice that failed":    {[]string{"run", "--role", "Web"}, "failed: what was selected", "upstep run -C 'my project' --role Web"},
		"a choice that has ended": {[]string{"run", "--role", "Web", "--yes", "--limit=a"}, "not everything was selected", "upstep run -C 'my project' --yes"},
		"a share that has ended":  {[]string{"run", "--percentage", "20"}, "4 hosts of Web are left", "upstep run -C 'my project'"},
		"a share that failed":     {[]string{"run", "--percentage", "20"}, "failed: 4 hosts of Web are left", "upstep run -C 'my project' --percentage 20"},
		"a rollback":              {[]string{"rollback", "20261121-1", "--", "-e", "******"}, "", "upstep rollback -C 'my project' 20261121-1 -- -e '******'"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &app{dir: "my project"}
			acc := &account{plan: plan, invocations: []journal.Invocation{{Who: journal.Who{Command: c.typed}, Outcome: c.outcome, Ended: time.Unix(1, 0), ExitCode: exitStopped}}}
			if strings.Contains(c.outcome, "failed") {
				acc.invocations[0].ExitCode = exitFailed
			}
			require.Equal(t, c.want, a.goOn(acc))
		})
	}
}

func TestStatusGoesOnWithARollback(t *testing.T) {
	a := &app{dir: "."}
	acc := &account{plan: &planner.Plan{Undo: "20261121-1"}, invocations: []journal.Invocation{{}}}
	require.Equal(t, "upstep rollback 20261121-1", a.goOn(acc))
}
