package playbooks

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
)

func TestOriginsOfWhatIsNoTask(t *testing.T) {
	p := &planner.Plan{
		Play: []planner.Keyword{{Name: "become", Text: "become: true\n"}},
		Vars: "x: 1\n",
		Roles: []planner.Role{{
			Name: "Web", Hosts: "web", Place: planner.Place{File: "roles.yaml", Line: 3},
			Play: []planner.Keyword{{Name: "remote_user", Text: "remote_user: op\n"}},
		}},
		Services: []planner.Service{{
			Name: "web", Vars: "port: 80\n", Place: planner.Place{File: "services/web/service.yaml", Line: 1},
			Tasks:  []planner.Task{{ID: "upgrade_tasks.0", Line: 7, Text: "- name: A\n  command: a\n"}},
			Assets: []planner.Asset{{Path: "tasks/more.yml", Data: []byte("- debug:\n  x: 1\n")}},
		}},
		Stages: []planner.Stage{{Name: "s", Waves: []planner.Wave{{Number: 1, Steps: []planner.Step{{Number: 1, Units: []planner.Unit{{
			ID: "s/1/step1/Web", Role: "Web", Step: 1, Kind: planner.KindStep,
			Segments: []planner.Segment{{Service: "web", Tasks: []string{"upgrade_tasks.0"}}},
		}}}}}}}},
	}
	tree, err := Render(p)
	require.NoError(t, err)
	for _, c := range []struct {
		path, line string
		file       string
		at         int
	}{
		{"Web.yml", "  remote_user: op", "roles.yaml", 3},
		{"Web.yml", "  become: true", "upgrade.yaml", 0},
		{"Web.yml", "", "roles.yaml", 3},
		{"s.yml", "  hosts: web", "roles.yaml", 3},
		{"s/1/step1/Web.yml", "    port: 80", "services/web/service.yaml", 1},
		{"roles/web/tasks/upstep_upgrade_step1.yml", "  command: a", "services/web/service.yaml", 8},
		{"roles/web/tasks/more.yml", "  x: 1", "services/web/tasks/more.yml", 2},
		{"roles/web/tasks/more.yml", "", "services/web/tasks/more.yml", 0},
		{"vars/upgrade.yml", "x: 1", "upgrade.yaml", 0},
	} {
		line := 0
		for _, f := range tree.Files {
			if f.Path == c.path && c.line != "" {
				before, _, found := strings.Cut(string(f.Data), c.line+"\n")
				require.True(t, found, "%s in\n%s", c.line, f.Data)
				line = strings.Count(before, "\n") + 1
			}
		}
		file, at, ok := tree.Origin(c.path, line)
		require.True(t, ok, c.path)
		require.Equal(t, c.file, file, "%s:%d", c.path, line)
		require.Equal(t, c.at, at, "%s:%d", c.path, line)
	}
	_, _, ok := tree.Origin("upgrade.yml", 2)
	require.False(t, ok)
}
