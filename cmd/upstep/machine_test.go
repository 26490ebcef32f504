package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
)

// onMachine runs a project of one host on a machine whose Ansible is of some version and
// whose file systems have some room.
func onMachine(t *testing.T, version string, space journal.Space, args ...string) (code int, said, dir string) {
	t.Helper()
	dir = t.TempDir()
	writeFiles(t, dir, map[string]string{
		"project/services/a.yaml": "service_name: a\nupgrade_tasks:\n  - {name: A, ansible.builtin.command: \"true\", tags: step1}\n",
		"project/roles.yaml":      "- {name: A, hosts: h1, services: [a]}\n",
		"project/inventory":       "h1\n",
		"bin/ansible-inventory": "#!/bin/sh\ncase $* in *--version*) echo 'ansible-inventory " + version + "';; " +
			"*) echo '{\"all\": {\"children\": [\"ungrouped\"]}, \"ungrouped\": {\"hosts\": [\"h1\"]}, \"_meta\": {\"hostvars\": {}}}';; esac\n",
		"bin/ansible-playbook": "#!/bin/sh\necho it was started; exit 1\n",
	})
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, space: func(string) (journal.Space, error) { return space, nil }}
	dir = filepath.Join(dir, "project")
	code = a.execute(t.Context(), append([]string{"run", "-C", dir}, args...))
	return code, stdout.String() + stderr.String(), dir
}

func TestARunIsRefusedOnAMachineThatCannotRunIt(t *testing.T) {
	const core = "[core 2.14.18]"
	plenty := journal.Space{System: "/srv (/dev/sdb1)", Free: journal.LeastFree}
	little := journal.Space{System: "/srv (/dev/sdb1)", Free: journal.LeastFree - 1<<20}

	code, said, dir := onMachine(t, "2.9.27", plenty)
	require.Equal(t, exitInvalid, code)
	require.Equal(t, "upstep: ansible-core 2.9.27 is too old: a run needs 2.14 or later\n  hint: install a later one, or put it first on PATH: python3 -m pip install 'ansible-core>=2.14'\n", said)
	require.NoDirExists(t, filepath.Join(dir, journal.Folder))

	code, said, dir = onMachine(t, core, little)
	require.Equal(t, exitPreflight, code)
	require.Equal(t, "upstep: file system /srv (/dev/sdb1) has 63.0 MiB free: a run needs 64 MiB there for .upstep\n  hint: free space there; upstep prune --keep N removes old runs\n", said)
	require.NoDirExists(t, filepath.Join(dir, journal.Folder))

	code, said, _ = onMachine(t, core, little, "--output", "json")
	require.Equal(t, exitPreflight, code)
	require.Contains(t, said, `"exit_code":4`)

	for name, c := range map[string]struct {
		space journal.Space
		args  []string
	}{"enough": {plenty, nil}, "no record": {little, []string{"--check"}}} {
		code, said, _ := onMachine(t, core, c.space, c.args...)
		require.Equal(t, exitPreflight, code, name)
		require.Contains(t, said, "it was started", name)
	}
}
