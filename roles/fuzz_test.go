package roles_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/source"
)

// FuzzRoles reads other people's bytes: no panic, and every problem has a place in the file.
func FuzzRoles(f *testing.F) {
	f.Add([]byte("- name: Web\n  hosts: web:&{{ cluster }}\n  services: [a]\n  rolling: {batch: [1, \"10%\"], percentage: 20, health: {tries: 3}}\n"))
	f.Add([]byte("- {name: A, hosts: [a, b], play: {become: true, vars_files: [x]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sink := &source.Sink{}
		roles.Parse(source.File{Name: "r.yaml", Text: text}, source.Values{Declared: []string{"cluster"}, Set: map[string]string{"cluster": "x"}}, sink)
		lines := 1 // YAML knows more line breaks than one
		for _, b := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(text), b)
		}
		for _, p := range sink.Problems() {
			require.Equal(t, "r.yaml", p.File, p.String())
			require.LessOrEqual(t, p.Line, lines, p.String())
		}
	})
}

// FuzzInventory reads what a program printed, and patterns that people type.
func FuzzInventory(f *testing.F) {
	f.Add([]byte(`{"_meta": {"hostvars": {}}, "all": {"children": ["web", "ungrouped"]}, "web": {"hosts": ["a", "b"], "children": ["web"]}}`), "web:&all[0]")
	f.Add([]byte(`{}`), "~[")
	f.Fuzz(func(t *testing.T, data []byte, pattern string) {
		inv, err := roles.ParseInventory(data)
		if err != nil {
			return
		}
		hosts, err := inv.Match(pattern)
		require.True(t, err == nil || hosts == nil)
	})
}
