package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecretsStandNowhere runs an upgrade with secrets of every kind, once well and once
// to a failure that prints them, and searches what the run left and said.
func TestSecretsStandNowhere(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "ansible-inventory", "ansible-vault")
	const canary = "cAnArY7531" // each secret has an ending of its own
	dir, tmp := t.TempDir(), t.TempDir()
	password := filepath.Join(tmp, "password")
	require.NoError(t, os.WriteFile(password, []byte("open\n"), 0o600))
	encrypt := exec.CommandContext(t.Context(), "ansible-vault", "encrypt_string", "--vault-password-file", password, canary+"vault", "--name", "vaulted") //nolint:gosec // the test's own arguments
	vaulted, err := encrypt.Output()
	require.NoError(t, err)
	writeFiles(t, dir, map[string]string{
		"services/a.yaml": `service_name: a
upgrade_tasks:
  - name: Take what nobody may see
    ansible.builtin.shell: echo ` + canary + `nolog
    register: hidden
    no_log: true
    tags: step0
  - name: Keep it
    ansible.builtin.set_fact:
      kept: "{{ hidden.stdout }}"
    no_log: true
    tags: step0
  - name: Say all of it
    ansible.builtin.shell: "echo {{ vaulted }} {{ extra }} $UPSTEP_TEST_TOKEN; echo {{ vaulted }} >&2; test {{ fail }} = no"
    tags: step1
`,
		"services/b.yaml": `service_name: b
depends_on: [a]
upgrade_tasks:
  - name: It is known in another role
    ansible.builtin.assert:
      that: hostvars['h1'].kept | length > 10
      quiet: true
    no_log: true
    tags: step2
`,
		"roles.yaml":         "- {name: A, hosts: h1, services: [a]}\n- {name: B, hosts: h2, services: [b]}\n",
		"inventory.ini":      "[all]\nh1\nh2\n[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n",
		"group_vars/all.yml": string(vaulted),
		"ansible.cfg":        "[defaults]\nremote_tmp = " + tmp + "\n",
	})
	for _, run := range []struct {
		fail, output string
		code         int
	}{{"no", "json", exitDone}, {"yes", "text", exitFailed}, {"yes", "json", exitFailed}} {
		cmd := typed(t, dir, "run", "--new", "--output", run.output, "--junit", "junit.xml", "--",
			"--vault-password-file", password, "-e", "extra="+canary+"extra fail="+run.fail)
		cmd.Env = append(os.Environ(), "UPSTEP_TEST_TOKEN="+canary+"environment")
		out, _ := cmd.CombinedOutput()
		said := string(out)
		require.Equal(t, run.code, cmd.ProcessState.ExitCode(), said)
		if run.code == exitFailed {
			require.Contains(t, said, "******", "what failed is told, without them")
		}
		require.NotContains(t, said, canary)
	}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(dir, "services")) {
			return err
		}
		text, err := os.ReadFile(path)                           //nolint:gosec // below the test's own folder
		if err != nil || strings.Contains(path, "/playbooks/") { // the author's own text
			return err
		}
		if i := bytes.Index(text, []byte(canary)); i >= 0 {
			return fmt.Errorf("%s holds a secret: %q", path, text[max(0, i-80):min(len(text), i+40)])
		}
		return nil
	}))
}
