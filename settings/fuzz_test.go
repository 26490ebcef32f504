package settings_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// FuzzLoad reads other people's bytes: no panic, every problem has a place in the file,
// and what the inputs are set to is JSON.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "*", "upgrade.yaml"))
	require.NoError(f, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text, "x")
	}
	f.Add([]byte("inputs: {a: {type: list, default: [1, {b: ~}]}, c: {type: map}, d: {type: number}}\nstages: [a, {name: b}]\nsteps: {step1: , 2: x}"), "[1, 2]")
	f.Add([]byte("deployment_tasks: {before: [{hosts: '{{ a }}', tasks: [{block: [{debug: }]}]}], after: [5]}\nplay: {become: yes}\nvars: {<<: {x: 1}}"), "-1e5")
	f.Add([]byte("inputs: {a: }\nwindow: [{from: 22:00, to: 5:00, days: [fri-mon], timezone: UTC}, {days: sun}]\nnotify: [{on: [run, failure], webhook: {url: {env: A}, headers: {B: '{{ a }}'}}}, {receivers: [{command: [a]}, {mail: {server: m, from: a@b, to: [c@d]}}]}]"), "x")
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		sink := &source.Sink{}
		var given []settings.Given
		for _, name := range []string{"a", "c", "d"} {
			g, ok := settings.ParseSet(name+"="+value, sink)
			require.True(t, ok)
			given = append(given, g)
		}
		s := settings.Load(fstest.MapFS{"upgrade.yaml": {Data: text}}, "upgrade.yaml", "", given, sink)
		require.NotEmpty(t, s.Stages)
		lines := 1 // YAML knows more line breaks than one
		for _, b := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(text), b)
		}
		for _, p := range sink.Problems() {
			if p.File == "upgrade.yaml" {
				require.LessOrEqual(t, p.Line, lines, p.String())
			} else {
				require.True(t, strings.HasPrefix(p.File, "--set "), p.String())
			}
		}
		for _, in := range s.Inputs {
			require.True(t, !in.Set || json.Valid([]byte(in.JSON)), "%s = %q", in.Name, in.JSON)
		}
	})
}
