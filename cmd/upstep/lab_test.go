package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lab makes hosts of its own (network namespaces, file systems, sshd) and gives the
// path of their inventory. They end with the test, or with this process.
func lab(t *testing.T, name string, hosts ...string) string {
	t.Helper()
	needAnsible(t, "ansible-playbook", "ip", "unshare", "sshd")
	if os.Geteuid() != 0 {
		require.Empty(t, os.Getenv("CI"), "CI skips nothing, and hosts need root")
		t.Skip("hosts of our own need root")
	}
	script, err := filepath.Abs(filepath.Join("..", "..", "scripts", "lab"))
	require.NoError(t, err)
	// A name of this process's own: two test runs on one machine must not end each other's hosts.
	env := append(os.Environ(), fmt.Sprintf("LAB_NAME=%s%d", name, os.Getpid()), fmt.Sprintf("LAB_OWNER=%d", os.Getpid()))
	run := func(ctx context.Context, args ...string) string {
		cmd := exec.CommandContext(ctx, script, args...) //nolint:gosec // the project's own script
		cmd.Env = env
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, "%s%s", out, stderr.String())
		return strings.TrimSpace(string(out))
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own context has ended
		defer cancel()
		run(ctx, "down")
	})
	return run(t.Context(), append([]string{"up"}, hosts...)...)
}

// ansiblePlay runs a playbook against a lab and gives what it printed.
func ansiblePlay(t *testing.T, inventories []string, book string) string {
	t.Helper()
	var args []string
	for _, i := range inventories {
		args = append(args, "-i", i)
	}
	cmd := exec.CommandContext(t.Context(), "ansible-playbook", append(args, book)...) //nolint:gosec // the test's own arguments
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=True", "ANSIBLE_FORKS=10", "ANSIBLE_TIMEOUT=60", "ANSIBLE_SSH_RETRIES=3", "ANSIBLE_LOCALHOST_WARNING=False")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

var changedHosts = regexp.MustCompile(`(?m)^(\S+)\s+: ok=\d+\s+changed=([1-9]\d*).*$`)

// TestSamplesOnRealHosts upgrades both samples on hosts, one by the emitted tree and one
// by upstep run, stage by stage. The other way then finds nothing left to change.
func TestSamplesOnRealHosts(t *testing.T) {
	for _, sample := range []struct {
		project, name string
		hosts         []string
		args          []string
	}{
		{"openstack", "to", []string{"controller-0", "controller-1", "compute-0", "compute-1", "storage-0", "networker-0"}, nil},
		{
			"webapp", "tw",
			[]string{"web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8", "web9", "lb1", "lb2", "notify1", "notify2"},
			[]string{"--set", "backend=app", "--set", "cluster=alfa", "--set", "revision=2.0.0"},
		},
	} {
		t.Run(sample.project, func(t *testing.T) {
			project := filepath.Join(t.TempDir(), sample.project)
			require.NoError(t, os.CopyFS(project, os.DirFS(filepath.Join("..", "..", "testdata", sample.project))))
			inv := lab(t, sample.name, sample.hosts...)
			both := []string{inv, filepath.Join(project, "inventory")}
			ansiblePlay(t, both, filepath.Join(project, "prepare.yml"))
			for name, value := range map[string]string{"PIPELINING": "True", "FORKS": "10", "TIMEOUT": "60", "SSH_RETRIES": "3"} {
				t.Setenv("ANSIBLE_"+name, value)
			}
			upstep := func(args ...string) string {
				var stdout, stderr bytes.Buffer
				a := &app{stdout: &stdout, stderr: &stderr}
				code := a.execute(t.Context(), slices.Concat(args, []string{"-C", project, "-i", inv, "-i", "inventory"}, sample.args))
				if code != exitDone && (code != exitStopped || !slices.Contains(args, "--stage")) {
					require.Fail(t, "upstep "+strings.Join(args, " "), "%s%s", stdout.String(), stderr.String())
				}
				return stdout.String()
			}
			upstep("emit")
			tree := filepath.Join(project, "playbooks")
			if sample.project == "openstack" {
				first := ansiblePlay(t, both, filepath.Join(tree, "upgrade.yml"))
				require.NotEmpty(t, changedHosts.FindAllString(first, -1), "the first run upgrades")
				upstep("run", "--expect-unchanged", filepath.Join(tree, "plan.json"))
				return
			}
			upstep("run", "--stage", "control-plane")
			upstep("run", "--stage", "non-control-plane")
			require.Contains(t, upstep("run"), "nothing to do")
			second := ansiblePlay(t, both, filepath.Join(tree, "upgrade.yml"))
			require.Empty(t, changedHosts.FindAllString(second, -1), second)
		})
	}
}
