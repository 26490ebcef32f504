package roles_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/roles"
)

func TestSizes(t *testing.T) {
	of := func(text string, total int) int {
		s, ok := roles.ParseSize(text)
		require.True(t, ok, text)
		return s.Of(total)
	}
	require.Equal(t, 2, of("2", 15))
	require.Equal(t, 2, of("10%", 15), "a batch rounds up")
	require.Equal(t, 1, of("1%", 15), "and is never empty")
	require.Equal(t, 1, roles.Size{N: 10, Percent: true}.AtMost(15), "a limit rounds down")
	require.Equal(t, 0, roles.Size{N: 1, Percent: true}.AtMost(15))
	require.Equal(t, 15, of("100%", 15))
	require.Equal(t, 2, roles.Canary(15, 10), "a canary rounds up")
	require.Equal(t, 1, roles.Canary(15, 1))
	require.Equal(t, 15, roles.Canary(15, 100))
	for _, bad := range []string{"", "x", "-1", "1.5", "10 %", "%", "99999999999"} {
		_, ok := roles.ParseSize(bad)
		require.False(t, ok, bad)
	}
	hosts := strings.Fields("a b c d e f g h i j")
	require.Equal(t, [][]string{{"a"}, {"b", "c", "d"}, {"e", "f", "g"}, {"h", "i", "j"}}, roles.Batches(hosts, []roles.Size{{N: 1}, {N: 25, Percent: true}}))
}
