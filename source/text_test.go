package source_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

func TestControlCharactersAreFound(t *testing.T) {
	for text, want := range map[string]rune{
		"a\x1b[31m": 0x1b, "a\nb": '\n', "a\x7f": 0x7f, "a\u0085": 0x85, "a\u2028": 0x2028, "a\ufeff": 0xfeff, "a\xff": 0xff, "\x00": 0,
		"plain": -1, "é – 日本 🙂 \ufffd": -1, "a\tb": -1, "": -1,
	} {
		r, found := source.Control(text, "\t")
		require.Equal(t, want >= 0, found, "%q", text)
		if found {
			require.Equal(t, want, r, "%q", text)
		}
	}
}

func TestVisibleTextIsOneLine(t *testing.T) {
	for text, want := range map[string]string{"a\n": "a", "a\n b\tc": "a  b c", "a\x1b[1m": "a\ufffd[1m", "é\xff": "é\ufffd", " plain  text ": "plain  text"} {
		require.Equal(t, want, source.Visible(text))
	}
}

func TestAProblemNeverBringsAFilesNameRawToTheTerminal(t *testing.T) {
	require.Equal(t, `"a\x1b[31m.yaml":3:1`, source.Pos{File: "a\x1b[31m.yaml", Line: 3, Column: 1}.String())
	require.Equal(t, "é b.yaml", source.Pos{File: "é b.yaml"}.String())
}

func TestTextsWithControlCharactersAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{d: "a\eb"}`:        "f:1:5: d of it has a control character (U+001B)\n  hint: take it out",
		"{d: \"a\\nb\\tc\"}": "",
		`{d: "a\Nb"}`:        "f:1:5: d of it has a control character (U+0085)\n  hint: take it out",
		`{l: "a\nb"}`:        "f:1:5: l of it must be one line",
		"l: |\n  a\n":        "",
	} {
		sink := &source.Sink{}
		root, ok := source.Parse(source.File{Name: "f", Text: []byte(text)}, sink)
		require.True(t, ok)
		f := source.ReadFields(root, "it", sink, "d", "l")
		f.String("d")
		f.Line("l")
		require.Equal(t, want, sink.Problems().Error(), text)
	}
}
