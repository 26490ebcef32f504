package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

func dataOf(t *testing.T, text string) string {
	t.Helper()
	sink := &source.Sink{}
	v, ok := source.Parse(source.File{Name: "x.yaml", Text: []byte(text)}, sink)
	require.True(t, ok, text)
	require.Empty(t, sink.Problems(), text)
	return v.Data()
}

func TestTheSameDataHasOneFormHoweverItIsWritten(t *testing.T) {
	for name, same := range map[string][]string{
		"keys in another order":       {"{a: 1, b: x}", "b: x\na: 1 # said so\n"},
		"quotes":                      {"a: some text", "a: 'some text'", `"a": "some text"`, "a: >-\n  some\n  text\n"},
		"lists":                       {"[a, b]", "- a\n- b\n"},
		"true and false":              {"a: yes", "a: true", "a: True", "a: ON"},
		"nothing":                     {"a:", "a: ~", "a: null"},
		"numbers in quotes are text":  {`a: "1"`, "a: '1'"},
		"anchors":                     {"a: &x {b: c}\nd: *x", "d: {b: c}\na: {b: c}"},
		"merge keys":                  {"a: &x {b: c}\nd: {<<: *x, e: f}", "a: {b: c}\nd: {e: f, b: c}"},
		"an explicit tag that is due": {"a: !!str yes", `a: "yes"`},
		"line by line":                {"a: |\n  x\n  y\n", `a: "x\ny\n"`},
		"a vault":                     {"a: !vault |\n  x\n", `a: !vault "x\n"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range same[1:] {
				require.Equal(t, dataOf(t, same[0]), dataOf(t, text), text)
			}
		})
	}
}

func TestOtherDataHasAnotherForm(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		"a: 1", `a: "1"`, "a: yes", `a: "yes"`, "a: no", "a: yEs", "a:", `a: ""`, "a: null text", "a: []", "a: {}", "a: [b]", "a: [b, c]", "a: [c, b]", "a: [[b], c]",
		"a: {b: c}", "a: {b: [c]}", "a: 0644", "a: 420", "a: 1:30", `a: "1:30"`, "a: 2001-12-14 21:59:43.10 -5", `a: "2001-12-14 21:59:43.10 -5"`,
		"a: !unsafe x", "a: x", "a: !vault x", "a: 1.0", "a: \"x\\n\"", "a: \"b,c\"", "a: \"b:c\"", "yes: x", `"yes": x`, "a: !!int \"1\"",
	} {
		data := dataOf(t, text)
		require.NotContains(t, seen, data, "%s", text)
		seen[data] = text
	}
}
