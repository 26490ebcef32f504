package playbooks_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// small plans a project of one service and one role, written here.
func small(t *testing.T, service, role string) string {
	t.Helper()
	return written(t, "name: small\n", role, service)
}

// written plans a project that is written here: upgrade.yaml, roles.yaml and services.
func written(t *testing.T, upgrade, role string, list ...string) string {
	t.Helper()
	tree, err := playbooks.Render(planned(t, nil, upgrade, role, list...))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "playbooks")
	_, err = playbooks.Write(t.Context(), dir, tree, false)
	require.NoError(t, err)
	return dir
}

// planned plans roles and services that are given as texts.
func planned(t *testing.T, inv *roles.Inventory, upgrade, role string, list ...string) *planner.Plan {
	t.Helper()
	sink := &source.Sink{}
	w := planner.World{
		Roles:     roles.Parse(source.File{Name: "roles.yaml", Text: []byte(role)}, source.Values{}, sink),
		Settings:  settings.Load(fstest.MapFS{"upgrade.yaml": {Data: []byte(upgrade)}}, "upgrade.yaml", "", nil, sink),
		Inventory: inv,
	}
	for i, text := range list {
		svc, ok := services.Parse(source.File{Name: fmt.Sprintf("services/%d.yaml", i), Text: []byte(text)}, sink)
		require.True(t, ok, sink.Problems().Error())
		w.Services = append(w.Services, svc)
	}
	require.Empty(t, sink.Problems(), sink.Problems().Error())
	p, problems := planner.Build(w)
	require.NotNil(t, p, append(problems, sink.Problems()...).Error())
	return p
}

// play runs a playbook with hosts that are nothing but names on this machine.
func play(t *testing.T, book string, hosts int, args ...string) (code int, out string) {
	t.Helper()
	var inv strings.Builder
	for i := range hosts {
		fmt.Fprintf(&inv, "w%d ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n", i+1)
	}
	file := filepath.Join(t.TempDir(), "hosts.ini")
	require.NoError(t, os.WriteFile(file, []byte("[webs]\n"+inv.String()), 0o600))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ansible-playbook", append([]string{"-i", file, book}, args...)...) //nolint:gosec // the test's own arguments
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=False", "ANSIBLE_FORKS=8")
	printed, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), string(printed)
}

func TestACanaryStopsAfterItsShare(t *testing.T) {
	need(t, "ansible-playbook")
	state := t.TempDir()
	dir := small(t, `service_name: s
upgrade_tasks:
  - name: Upgrade
    ansible.builtin.file: {path: "`+state+`/{{ inventory_hostname }}", state: touch, mode: "0644"}
    tags: step1
`, `- name: Web
  hosts: webs
  services: [s]
  rolling: {batch: 2, percentage: 50}
`)
	touched := func() string {
		entries, err := os.ReadDir(state)
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	// Half of five, rounded up, ends within a batch.
	code, out := play(t, filepath.Join(dir, "Web.yml"), 5)
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "50% of Web are done")
	require.NotContains(t, out, "failed: w")
	require.Equal(t, "w1 w2 w3", touched())

	code, out = play(t, filepath.Join(dir, "Web.yml"), 5, "-e", "upstep_whole=true")
	require.Zero(t, code, out)
	require.Equal(t, "w1 w2 w3 w4 w5", touched())
}

func TestTagsOfTasksAreRefused(t *testing.T) {
	need(t, "ansible-playbook")
	dir := small(t, `service_name: s
upgrade_tasks:
  - name: Upgrade
    ansible.builtin.debug: {msg: "it ran"}
    tags: [step1, packages]
`, "- {name: Web, hosts: webs, services: [s]}\n")
	code, out := play(t, filepath.Join(dir, "Web.yml"), 1, "--tags", "packages")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "choose by tags such as upstep_step3")
	require.NotContains(t, out, "it ran")
	code, out = play(t, filepath.Join(dir, "Web.yml"), 1, "--tags", "upstep_step1", "--skip-tags", "validation")
	require.Zero(t, code, out)
	require.Contains(t, out, "it ran")
}
