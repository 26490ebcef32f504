package ansible

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	needAnsible(t)
	v, err := New(Options{}).Version(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^2\.\d+\.\d+`, v)
	require.NoError(t, New(Options{}).Suffices(t.Context()))
}

func TestVersionOfOtherReleases(t *testing.T) {
	for first, c := range map[string]struct {
		want string
		old  bool
	}{
		"ansible-inventory [core 2.19.0b4]": {"2.19.0b4", false},
		"ansible-inventory [core 2.14.0]":   {"2.14.0", false},
		"ansible-inventory [core 3.0.0]":    {"3.0.0", false},
		"ansible-inventory [core 2.13.13]":  {"2.13.13", true},
		"ansible-inventory [2.11.3]":        {"2.11.3", true},
		"ansible-inventory 2.9.27":          {"2.9.27", true},
	} {
		fake(t, "ansible-inventory", "echo '"+first+"'; echo '  config file = None'")
		v, err := New(Options{}).Version(t.Context())
		require.NoError(t, err)
		require.Equal(t, c.want, v)
		err = New(Options{}).Suffices(t.Context())
		if !c.old {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, "ansible-core "+c.want+" is too old: a run needs 2.14 or later")
		require.Contains(t, Hint(err), "ansible-core>=2.14")
	}
	fake(t, "ansible-inventory", "echo nonsense")
	require.Error(t, New(Options{}).Suffices(t.Context()))
}
