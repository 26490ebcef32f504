package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rebooting is a project whose nodes restart in step 1 and whose web hosts do after the
// upgrade, in batches. Step 2 wants what was registered before, and facts of after.
var rebooting = map[string]string{
	"roles.yaml": "- {name: Node, hosts: nodes, services: [node]}\n- {name: Web, hosts: webs, services: [web], rolling: {batch: 1}}\n",
	"upgrade.yaml": `stages: [main]
`,
	"inventory.yml": "all: {children: {nodes: {hosts: {n1: {}, n2: {}}}, webs: {hosts: {w1: {}, w2: {}}}}}\n",
	"services/node.yaml": `service_name: node
upgrade_tasks:
  - name: Look at the boot
    ansible.builtin.command: cat /proc/sys/kernel/random/boot_id
    register: node_boot
    tags: step0
  - name: Leave a fact that only a new boot shows
    ansible.builtin.shell: mkdir -p /etc/ansible/facts.d && echo '{"kernel":"new"}' > /etc/ansible/facts.d/node.fact && echo installed >> /root/count
    tags: step1
  - name: Restart
    ansible.builtin.reboot: {reboot_timeout: 60}
    tags: step1
  - name: It is another boot, and facts are of it
    ansible.builtin.assert:
      that:
        - now_boot.stdout != node_boot.stdout
        - ansible_facts.ansible_local.node.kernel == 'new'
    tags: step3
  - name: Look again
    ansible.builtin.command: cat /proc/sys/kernel/random/boot_id
    register: now_boot
    tags: step2
`,
	"services/web.yaml": `service_name: web
drain_tasks:
  - {name: Leave traffic, ansible.builtin.shell: echo out >> /root/count}
upgrade_tasks:
  - {name: Install, ansible.builtin.shell: echo installed >> /root/count, tags: step1}
restore_tasks:
  - {name: Take traffic, ansible.builtin.shell: echo in >> /root/count}
post_upgrade_tasks:
  - {name: Restart, ansible.builtin.reboot: {reboot_timeout: 60}, tags: step1}
`,
}

// TestRebootsOfHosts restarts hosts in the middle of a run, and kills upstep while they
// are down.
func TestRebootsOfHosts(t *testing.T) {
	t.Parallel()
	inv := lab(t, "rb", "n1", "n2", "w1", "w2")
	dir := t.TempDir()
	for name, text := range rebooting {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	bin := built(t)
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), bin, append(args, "-C", dir, "-i", inv, "-i", "inventory.yml")...) //nolint:gosec // the test's own binary
		cmd.Env = append(os.Environ(), "ANSIBLE_TIMEOUT=60")
		return cmd
	}
	first := command("run", "--output", "json")
	out, err := first.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, first.Start())
	restarting := false
	buf := make([]byte, 1<<16)
	var seen []byte
	for !restarting {
		n, err := out.Read(buf)
		require.NoError(t, err, string(seen))
		seen = append(seen, buf[:n]...)
		restarting = bytes.Contains(seen, []byte(`"action":"ansible.builtin.reboot"`))
	}
	time.Sleep(2 * time.Second) // the hosts are down
	require.NoError(t, first.Process.Signal(syscall.SIGKILL))
	_ = first.Wait()

	text, err := command("run").CombinedOutput()
	require.NoError(t, err, string(text))
	require.Contains(t, string(text), "taking over what Node.yml")
	require.Contains(t, string(text), "done:")
	require.Equal(t, 1, strings.Count(string(text), "begins       preflight"), string(text))

	for host, want := range map[string]string{"n1": "installed", "n2": "installed", "w1": "out installed in out in", "w2": "out installed in out in"} {
		args := []string{"-i", inv, host, "-m", "ansible.builtin.command", "-a", "cat /root/count"}
		text, err := exec.CommandContext(t.Context(), "ansible", args...).CombinedOutput() //nolint:gosec // the test's own arguments
		require.NoError(t, err, string(text))
		_, did, _ := strings.Cut(string(text), ">>")
		require.Equal(t, want, strings.Join(strings.Fields(did), " "), host)
	}
}
