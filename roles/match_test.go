package roles_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/roles"
)

// needAnsible skips, aloud, what cannot be compared.
func needAnsible(t *testing.T) {
	t.Helper()
	err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import ansible.inventory.manager").Run()
	if _, missing := exec.LookPath("ansible-inventory"); missing != nil {
		err = missing
	}
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		require.NoError(t, err, "CI skips nothing")
	}
	t.Skip("ansible-core is not installed: run scripts/deps")
}

// atoms are the parts of patterns, in every form that Ansible's documentation and code know.
func atoms(inventory string) []string {
	out := []string{
		"all", "*", "ungrouped", "nothing", "a*", "?*", "*1", "*[12]", "[!a-m]*", "[x-a]*", "[]a]*", "[!]a]*", "*[", "*.*", "~.*1$", "~^(a|b)", "~[ab]", "un*", "al?",
		"localhost", "127.0.0.1", "::1", "all[0]", "all[-1]", "all[1:2]", "all[0:0]", "all[99]", "all[2:1]", "all[5:]", "all[3-4]", "nothing[0]", "*[0]", "*[1:2]",
	}
	switch filepath.Base(inventory) {
	case "nested.ini":
		out = append(out, "haproxy", "web", "alfa", "bravo", "clusters", "all_web", "empty", "db-servers", "web1", "web3", "lb1", "solo1", "same", "hosted", "db.example.org", "web[0]", "web[-1]",
			"web[1:3]", "web[9:]", "web[0:0]", "web[4:0]", "web[12]", "web[13]", "web[-13]", "web[-14]", "alfa[2]", "alfa[5:9]", "web*", "web?", "web1?", "*.example.org", "db0[1-2]*", "db*[1]", "web1[0]", "web1[1]",
			"~web[12]$", "~(alfa|bravo)", "~eb1", "~^web1", "clusters[3:4]", "all_web[0]", "same[0]", "db01.example.org", "w[de]b*", "[wl]*1", "web:80")
	case "tree.yaml":
		out = append(out, "control", "mariadb", "keystone", "compute", "gpu", "huge", "huge_a", "huge_b", "under_score", "loose", "cmp02", "2001:db8::10", "10.0.0.1", "10.0.0.*", "é-host", "é*", "?-host",
			"compute[0]", "compute[4:5]", "control[0]", "control[-1]", "mariadb[1]", "gpu[0:]", "h?", "h[1-2]", "cmp0[!2]", "~h\\d", "~(?i)GPU", "huge_*", "keystone[0:1]")
	default:
		out = append(out, "web", "notify", "alfa", "bravo", "rack_1", "rack_2", "first_rack", "n1", "n5", "n[1:3]", "rack_*", "web[0]", "web[-1]", "web[2:]", "notify[0]", "~rack_[12]", "n?", "n[13]", "alfa[1]")
	}
	return out
}

// combined gives each atom alone, and atoms joined at random.
func combined(inventory string, n int) []string {
	all := atoms(inventory)
	r := rand.New(rand.NewPCG(uint64(len(inventory)), 7))
	out := append(slices.Clone(all), "web:&alfa:!web1", "!alfa", "&alfa", "&alfa:!bravo", " web , alfa ,", ",,web", "web:", ":web", "web::alfa", "web alfa", "~(a,b)", "web:!", "[::1]:22", "a::b")
	for range n {
		separator := []string{":", ",", " , "}[r.IntN(3)]
		var parts []string
		for range 1 + r.IntN(4) {
			parts = append(parts, []string{"", "", "&", "!"}[r.IntN(4)]+all[r.IntN(len(all))])
		}
		out = append(out, strings.Join(parts, separator))
	}
	return out
}

// TestPatternsMatchAsInAnsible compares with Ansible's own code on hundreds of
// patterns: the same hosts in the same order, and where Ansible leaves that open, what
// it gives when it goes on in written order.
func TestPatternsMatchAsInAnsible(t *testing.T) {
	needAnsible(t)
	for _, inventory := range []string{"nested.ini", "tree.yaml", "plugin"} {
		t.Run(inventory, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("testdata", inventory)
			inv, err := roles.ParseInventory(output(t, exec.CommandContext(t.Context(), "ansible-inventory", "-i", file, "--list"), nil)) //nolint:gosec // a file of this test
			require.NoError(t, err)
			patterns := combined(inventory, 1000)
			in, err := json.Marshal(patterns)
			require.NoError(t, err)
			var answers [][3][]string                                                                                                                    // as they come, in written order, backwards
			require.NoError(t, json.Unmarshal(output(t, exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/match.py", file), in), &answers)) //nolint:gosec // a file of this test
			require.Len(t, answers, len(patterns))
			fixed := 0
			for i, p := range patterns {
				have, err := inv.Match(p)
				real, written, backwards := answers[i][0], answers[i][1], answers[i][2]
				switch {
				case written == nil:
					require.Error(t, err, "Ansible refuses %q", p)
					continue
				case len(written) == 0 && err != nil: // to match nothing and to be refused are the same to a role
					continue
				}
				require.NoError(t, err, "pattern %q", p)
				require.Equal(t, strings.Join(written, " "), strings.Join(have, " "), "pattern %q", p)
				if slices.Equal(written, backwards) {
					fixed++
					require.Equal(t, strings.Join(real, " "), strings.Join(have, " "), "pattern %q", p)
				} else if !strings.Contains(p, "[") { // a subscript of an order that is left open may take any
					require.ElementsMatch(t, real, have, "pattern %q", p)
				}
			}
			t.Logf("%d patterns, %d of them with one order", len(patterns), fixed)
			require.Greater(t, fixed, len(patterns)/5)
		})
	}
}

func output(t *testing.T, cmd *exec.Cmd, in []byte) []byte {
	t.Helper()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "ANSIBLE_NOCOLOR=1", "ANSIBLE_HOST_PATTERN_MISMATCH=ignore", "ANSIBLE_LOCALHOST_WARNING=False")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}

func TestPartsThatNameNothingAreKnown(t *testing.T) {
	inv, err := roles.ParseInventory([]byte(`{"all": {"children": ["web", "empty"]}, "web": {"hosts": ["web1", "web2"]}}`))
	require.NoError(t, err)
	for pattern, want := range map[string]string{
		"web": "", "web,wob": "wob", "web:!wob:&wib": "!wob &wib", "web1,empty,all,ungrouped": "", "web[0],wob[0]": "wob[0]", "w*,x*,~eb,~^web": "x* ~eb",
		"localhost,127.0.0.1": "", "web[7]": "", "~(": "", "!": "",
	} {
		require.Equal(t, want, strings.Join(inv.Unmatched(pattern), " "), "pattern %q", pattern)
	}
}
