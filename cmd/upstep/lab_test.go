package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	run := func(ctx context.Context, stdin io.Reader, args ...string) string {
		cmd := exec.CommandContext(ctx, script, args...) //nolint:gosec // the project's own script
		cmd.Env, cmd.Stdin = env, stdin
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, "%s%s", out, stderr.String())
		return strings.TrimSpace(string(out))
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own context has ended
		defer cancel()
		run(ctx, nil, "down")
	})
	inventory := run(t.Context(), nil, append([]string{"up"}, hosts...)...)
	cheaper, err := os.ReadFile(filepath.Join(python, "usercustomize.py"))
	require.NoError(t, err)
	const put = "import os, site, sys; d = site.getsitepackages()[0]; os.makedirs(d, exist_ok=True); open(d + '/usercustomize.py', 'w').write(sys.stdin.read())"
	for _, h := range hosts {
		run(t.Context(), bytes.NewReader(cheaper), "exec", h, "/usr/bin/python3", "-c", put)
	}
	return inventory
}

// ansiblePlay runs a playbook against a lab and gives what it printed.
func ansiblePlay(t *testing.T, inventories []string, book string, more ...string) string {
	t.Helper()
	args := append([]string{book}, more...)
	for _, i := range inventories {
		args = append(args, "-i", i)
	}
	cmd := exec.CommandContext(t.Context(), "ansible-playbook", args...) //nolint:gosec // the test's own arguments
	cmd.Env = append(overSSH(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=False")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// overSSH gives an environment in which many hosts on a busy machine are reached.
func overSSH() []string {
	return append(os.Environ(), "ANSIBLE_PIPELINING=True", "ANSIBLE_FORKS=10", "ANSIBLE_TIMEOUT=60", "ANSIBLE_SSH_RETRIES=3")
}

var changedHosts = regexp.MustCompile(`(?m)^(\S+)\s+: ok=\d+\s+changed=([1-9]\d*).*$`)

// TestSamplesOnRealHosts upgrades both samples on hosts, one by the emitted tree and one
// by upstep run, stage by stage. The other way then finds nothing left to change.
func TestSamplesOnRealHosts(t *testing.T) {
	t.Parallel()
	for _, sample := range []struct {
		project, name string
		hosts         []string
		files         map[string]string // in place of the sample's own
		args          []string
	}{
		{"openstack", "to", []string{"controller-0", "controller-1", "compute-0", "compute-1", "storage-0", "networker-0"}, nil, nil},
		{
			"webapp", "tw",
			[]string{"web1", "web2", "web3", "web4", "lb1", "lb2", "notify1"},
			// Two batches of one cluster, and a host of the other, which stays as it is.
			map[string]string{"inventory/10-hosts.yml": `all:
  children:
    web: {hosts: {web1: {cluster: alfa}, web2: {cluster: alfa}, web3: {cluster: alfa}, web4: {cluster: bravo}}}
    haproxy: {hosts: {lb1: {}, lb2: {}}}
    notify: {hosts: {notify1: {}}}
`},
			[]string{"--set", "backend=app", "--set", "cluster=alfa", "--set", "revision=2.0.0"},
		},
	} {
		t.Run(sample.project, func(t *testing.T) {
			t.Parallel()
			project := filepath.Join(t.TempDir(), sample.project)
			require.NoError(t, os.CopyFS(project, os.DirFS(filepath.Join("..", "..", "testdata", sample.project))))
			writeFiles(t, project, sample.files)
			inv := lab(t, sample.name, sample.hosts...)
			both := []string{inv, filepath.Join(project, "inventory")}
			ansiblePlay(t, both, filepath.Join(project, "prepare.yml"))
			upstep := func(args ...string) string {
				cmd := typed(t, project, slices.Concat(args, []string{"-i", inv, "-i", "inventory"}, sample.args)...)
				cmd.Env = overSSH()
				out, err := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); code != exitStopped || !slices.Contains(args, "--stage") {
					require.NoError(t, err, "upstep %s: %s", strings.Join(args, " "), out)
				}
				return string(out)
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
