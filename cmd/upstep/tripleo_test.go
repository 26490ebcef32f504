package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// templates gives the folder of real TripleO templates.
func templates(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("UPSTEP_THT_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "tripleo")
	}
	if _, err := os.Stat(filepath.Join(dir, "ocata", "roles_data.yaml")); err != nil {
		t.Skip("no TripleO templates: UPSTEP_THT_DIR names a folder with ocata/ and rendered/")
	}
	return dir
}

func parsed(t *testing.T, path string) source.Node {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	sink := &source.Sink{}
	n, ok := source.Parse(source.File{Name: path, Text: text}, sink)
	require.True(t, ok, sink.Problems().Error())
	return n
}

// TestOcataTemplatesWithoutHeatFunctions reads the real service templates whose tasks
// need no Heat function as they stand, over the real roles, plans and emits them.
func TestOcataTemplatesWithoutHeatFunctions(t *testing.T) {
	dir := templates(t)
	project := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(project, "services"), 0o755))
	names := map[string]string{} // template -> service
	refused := 0
	templates, err := filepath.Glob(filepath.Join(dir, "ocata", "puppet", "services", "*.yaml"))
	require.NoError(t, err)
	for _, path := range templates {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if !bytes.Contains(text, []byte("role_data")) {
			continue
		}
		sink := &source.Sink{}
		svc, ok := services.Parse(source.File{Name: filepath.Base(path), Text: text}, sink)
		if p := sink.Problems(); p.Count(source.Error) > 0 || !ok {
			for _, problem := range p {
				require.True(t, strings.Contains(problem.Message, "Heat function") || strings.Contains(problem.Message, "in no step") ||
					strings.Contains(problem.Message, "must be a") || strings.Contains(problem.Message, "duplicate key") || strings.Contains(problem.Message, "has no service_name") || problem.Severity == source.Warning, problem.String())
				require.Positive(t, problem.Line, problem.String())
			}
			refused++
			continue
		}
		if slices.Contains(mapValues(names), svc.Name) {
			continue // another back end of the same service
		}
		names["puppet/services/"+filepath.Base(path)] = svc.Name
		require.NoError(t, os.WriteFile(filepath.Join(project, "services", filepath.Base(path)), text, 0o600))
	}
	registry := map[string]string{} // by lines: the real file has a duplicate key
	text, err := os.ReadFile(filepath.Join(dir, "rendered", "ocata", "overcloud-resource-registry-puppet.yaml"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if name, path, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			registry[name] = path
		}
	}
	var roles strings.Builder
	placed := 0
	for i, role := range parsed(t, filepath.Join(dir, "ocata", "roles_data.yaml")).Items() {
		stage := "non-control-plane"
		if i == 0 {
			stage = "control-plane"
		}
		fmt.Fprintf(&roles, "- name: %s\n  stage: %s\n  services:\n", role.Get("name").Text(), stage)
		for _, s := range role.Get("ServicesDefault").Items() {
			if name, ok := names[registry[s.Text()]]; ok {
				fmt.Fprintf(&roles, "    - %s\n", name)
				placed++
			}
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(project, "roles.yaml"), []byte(roles.String()), 0o600))
	t.Logf("%d templates read as they stand, %d refused with a place and a hint, %d placed", len(names), refused, placed)
	require.Greater(t, placed, 50)

	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr}
	require.Zero(t, a.execute(t.Context(), []string{"emit", "-C", project}), stderr.String())
	plan := (&app{stdout: &stdout, stderr: &stderr})
	require.Zero(t, plan.execute(t.Context(), []string{"plan", "-C", project}), stderr.String())
	require.Contains(t, stdout.String(), "stage 1: control-plane")
	needAnsible(t, "ansible-playbook")
	// Nothing but modules that ansible-core does not have may be wrong.
	var checked bytes.Buffer
	v := &app{stdout: &stdout, stderr: &checked}
	v.execute(t.Context(), []string{"validate", "--ansible", "-C", project})
	for line := range strings.SplitSeq(checked.String(), "\n") {
		if strings.HasPrefix(line, "services/") && !strings.Contains(line, "warning: ") {
			require.Contains(t, line, "unknown module", checked.String())
		}
	}
	out, err := exec.CommandContext(t.Context(), "ansible-playbook", "-i", "localhost,", "--syntax-check", filepath.Join(project, "playbooks", playbooks.PreflightBook)).CombinedOutput() //nolint:gosec // the test's own arguments
	require.NoError(t, err, string(out))
}

func mapValues(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
