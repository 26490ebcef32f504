package playbooks

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommentsHoldNothingThatYAMLForbids(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünïcode, 日本, 😀":    "# plain, ünïcode, 日本, 😀\n",
		"two\nlines\tand tabs":     "# two lines and tabs\n",
		"\x1b[31mred\x07\x00":      `# \x1b[31mred\x07\x00` + "\n",
		"broken \xff UTF-8 \ufffd": `# broken \xff UTF-8 \ufffd` + "\n",
		"turned \u202e round":      `# turned \u202e round` + "\n",
		"\u0085next \u2028line":    `# \x85next \u2028line` + "\n",
		"\ufeffmark \U000e0001":    `# \ufeffmark \U000e0001` + "\n",
	} {
		w := &writer{}
		w.comment(text)
		require.Equal(t, want, w.String())
		cmd := exec.CommandContext(t.Context(), "python3", "-c", "import sys, yaml; yaml.safe_load(sys.argv[1])", w.String()) //nolint:gosec // a test's own text
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
}
