package roles_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/roles"
)

const inventoryINI = `[haproxy]
lb1
lb2
[web]
web[1:12]
db.example.org
[alfa]
web1
web2
lb1
[bravo]
web[3:6]
[clusters:children]
alfa
bravo
[all_web:children]
clusters
web
[empty]
`

// patterns in every form that Ansible's documentation and code know.
func patterns() []string {
	return []string{
		"all", "*", "web", "haproxy", "alfa:bravo", "alfa,bravo", "web:&alfa", "web:!alfa", "web:&clusters:!bravo", "!alfa", "&alfa",
		"web1", "web1:web2", "web1,lb1", "web*", "web?", "web[0]", "web[-1]", "web[1:3]", "web[9:]", "web[0:0]", "lb*:web1",
		"~web[12]$", "~^lb", "~(alfa|bravo)", "*a", "clusters", "all_web", "all_web[2:4]", "bravo:alfa", "nothing", "empty", "web:nothing",
		"all:!all", "alfa:&haproxy", "haproxy:&alfa", "db.example.org", "*.example.org", "db*", "web1[0]", "web:!web[0]", "web:&web[0:2]",
		"lb?:!lb2", "all:!haproxy:!alfa", "ungrouped", "al*", "[wl]*1", "[!w]*", "web[1:2],bravo[0]", " web1 , web2 ",
	}
}

var playHosts = regexp.MustCompile(`(?m)^  play #\d+ .*\n(?:    .*\n)*?    hosts \(\d+\):\n((?:      .*\n)*)`)

// TestPatternsMatchAsInAnsible compares with Ansible itself, in one process: a play for
// each pattern, and --list-hosts.
func TestPatternsMatchAsInAnsible(t *testing.T) {
	for _, tool := range []string{"ansible-playbook", "ansible-inventory"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				require.NoError(t, err, "CI skips nothing")
			}
			t.Skipf("%s is not installed: run scripts/deps", tool)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "hosts.ini")
	require.NoError(t, os.WriteFile(file, []byte(inventoryINI), 0o600))
	list := output(t, "ansible-inventory", "-i", file, "--list")
	inv, err := roles.ParseInventory([]byte(list))
	require.NoError(t, err)

	var book strings.Builder
	for _, p := range patterns() {
		book.WriteString("- hosts: '" + p + "'\n  gather_facts: false\n  tasks: []\n")
	}
	path := filepath.Join(dir, "book.yml")
	require.NoError(t, os.WriteFile(path, []byte(book.String()), 0o600))
	plays := playHosts.FindAllStringSubmatch(output(t, "ansible-playbook", "-i", file, "--list-hosts", path)+"\n", -1)
	require.Len(t, plays, len(patterns()))
	for i, p := range patterns() {
		want := strings.Fields(plays[i][1])
		have, err := inv.Match(p)
		require.NoError(t, err, p)
		require.ElementsMatch(t, want, have, "pattern %q", p)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...) //nolint:gosec // the test's own arguments
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_HOST_PATTERN_MISMATCH=ignore")
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

func TestSizes(t *testing.T) {
	of := func(text string, total int) int {
		s, ok := roles.ParseSize(text)
		require.True(t, ok, text)
		return s.Of(total)
	}
	require.Equal(t, 2, of("2", 15))
	require.Equal(t, 1, of("10%", 15), "a batch rounds down, as Ansible's serial")
	require.Equal(t, 1, of("1%", 15), "and is never empty")
	require.Equal(t, 15, of("100%", 15))
	require.Equal(t, 2, roles.Canary(15, 10), "a canary rounds up")
	require.Equal(t, 1, roles.Canary(15, 1))
	require.Equal(t, 15, roles.Canary(15, 100))
	for _, bad := range []string{"", "x", "-1", "1.5", "10 %", "%", "99999999999"} {
		_, ok := roles.ParseSize(bad)
		require.False(t, ok, bad)
	}
	hosts := strings.Fields("a b c d e f g h i j")
	require.Equal(t, [][]string{{"a"}, {"b", "c"}, {"d", "e"}, {"f", "g"}, {"h", "i"}, {"j"}}, roles.Batches(hosts, []roles.Size{{N: 1}, {N: 25, Percent: true}}))
}
