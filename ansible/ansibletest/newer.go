// Package ansibletest runs tests once more with the Ansible that scripts/newansible has
// unpacked, which is newer than the one on PATH.
package ansibletest

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// suite names the Debian suite whose Ansible is taken; trixie's where it is not set.
const suite = "UPSTEP_TEST_ANSIBLE"

// Newer runs tests of the calling test's own package again, each by its full name, with
// the newer Ansible first on PATH. It skips aloud where that is not there.
func Newer(t *testing.T, tests ...string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	name := cmp.Or(os.Getenv(suite), "trixie")
	bin := filepath.Join(cache, "upstep", "ansible", name, "bin")
	if _, err := os.Stat(filepath.Join(bin, "ansible-playbook")); err != nil {
		t.Skipf("SKIPPED: no newer Ansible to test with: run scripts/newansible %s", name)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	version, err := exec.CommandContext(t.Context(), filepath.Join(bin, "ansible-playbook"), "--version").Output() //nolint:gosec // of the cache
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(version), "\n")
	t.Log(first)

	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run", pattern(tests)) //nolint:gosec // this test's own binary
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "with %s:\n%s", first, out)
	for _, test := range tests {
		passed := regexp.MustCompile(`(?m)^ *--- PASS: ` + regexp.QuoteMeta(test) + ` `)
		require.Regexp(t, passed, string(bytes.TrimSpace(out)), "with %s", first)
	}
}

// pattern matches the names, subtests among them, as -test.run takes them.
func pattern(tests []string) string {
	var out []string
	for _, test := range tests {
		parts := strings.Split(test, "/")
		for i, p := range parts {
			parts[i] = "^" + regexp.QuoteMeta(p) + "$"
		}
		out = append(out, strings.Join(parts, "/"))
	}
	return strings.Join(out, "|")
}
