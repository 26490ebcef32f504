package services_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// FuzzParse reads other people's bytes: no panic, and every problem has a place in the file.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"spec", "local", "edge", "openstack", "webapp", "shop"} {
		files, err := filepath.Glob(filepath.Join("..", "testdata", glob, "services", "*.yaml"))
		require.NoError(f, err)
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(text)
		}
	}
	f.Add([]byte("outputs: {role_data: {value: {service_name: x, upgrade_tasks: [{get_param: X}]}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sink := &source.Sink{}
		svc, ok := services.Parse(source.File{Name: "s.yaml", Text: text}, sink)
		lines := 1 // YAML knows more line breaks than one
		for _, b := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(text), b)
		}
		for _, p := range sink.Problems() {
			require.Equal(t, "s.yaml", p.File, p.String())
			require.LessOrEqual(t, p.Line, lines, p.String())
		}
		require.True(t, ok || sink.Failed(), "a service that cannot be used has a problem")
		for _, list := range svc.Lists {
			for _, task := range list {
				require.NotEmpty(t, task.Text)
				for _, m := range task.Notifies {
					require.LessOrEqual(t, m.End, len(task.Text))
				}
			}
		}
	})
}
