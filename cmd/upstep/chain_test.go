package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var secondMigration = regexp.MustCompile(`begins +control-plane/1/step2/Database\.2 `)

// TestChainOfReleases takes a ledger and its PostgreSQL over three releases with one
// command, which is killed in the middle of the second hop, while the schema is migrated.
func TestChainOfReleases(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "pg_createcluster")
	c := &shop{bin: built(t), lab: lab(t, "ch", "db1", "app1", "app2"), dir: filepath.Join(t.TempDir(), "chain")}
	require.NoError(t, os.CopyFS(c.dir, os.DirFS(filepath.Join("..", "..", "testdata", "chain"))))
	ansiblePlay(t, []string{c.lab, filepath.Join(c.dir, "inventory")}, filepath.Join(c.dir, "prepare.yml"))

	// What the last hop needs is asked before the first.
	last := filepath.Join(c.dir, "releases", "4.2.0", "ledger.yaml")
	text, err := os.ReadFile(last)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(last, bytes.Replace(text, []byte(`min_version: "13"`), []byte(`min_version: "99"`), 1), 0o600))
	out := c.run(t, exitPreflight, "run")
	require.Regexp(t, `db1\n  task: +Version of postgresql that ledger from 4\.1\.1 -> 4\.2\.0 requires \(releases/4\.2\.0/ledger\.yaml:\d+\)\n  message: \S+ is installed, and ledger from 4\.1\.1 -> 4\.2\.0 requires 99 or later`, out)
	require.NoError(t, os.WriteFile(last, text, 0o600))
	require.Equal(t, "1", c.schemas(t), "nothing was begun")

	cmd := c.command(t.Context(), "run")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	for seen := 0; seen < 2 && lines.Scan(); {
		if secondMigration.MatchString(lines.Text()) {
			seen++
		}
	}
	require.NoError(t, cmd.Process.Kill())
	_, _ = io.Copy(io.Discard, stdout)
	require.Error(t, cmd.Wait())

	require.Contains(t, c.run(t, exitDone, "status"), "ledger 4.0.1 -> 4.1.1: interrupted")
	out = c.run(t, exitDone, "run")
	require.Contains(t, out, "is unfinished: the upgrade goes on from 4.0.1\n")
	require.NotContains(t, out, "3.4.2 -> 4.0.1")

	require.Equal(t, "1,2,3,4", c.schemas(t), "each migration ran once")
	require.Equal(t, "before-4.0.1.dump,before-4.1.1.dump,before-4.2.0.dump", c.on(t, "db1", "ls /var/backups/ledger | paste -sd,"))
	for _, host := range []string{"app1", "app2"} {
		answer := c.on(t, host, `python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:8085/").read().decode())'`)
		require.Contains(t, answer, `"account-0 EUR": "25250.00"`)
		require.Contains(t, answer, `"version": "4.2.0"`)
	}
	require.Contains(t, c.run(t, exitDone, "run"), "nothing to do: the hosts stand at 4.2.0")
	require.Equal(t, 3, strings.Count(c.run(t, exitDone, "history"), " done "))
}

// schemas gives the schemas that the ledger's database was brought to, in their order.
func (s *shop) schemas(t *testing.T) string {
	t.Helper()
	return s.on(t, "db1", "psql -XAtq -p 5485 -U ledger -c 'SELECT version FROM schema_version ORDER BY since' ledger | paste -sd,")
}
