package source

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requirePlaces checks that every problem says where it is: a line of the file, and a
// column of that line, or the file as a whole.
func requirePlaces(t require.TestingT, f File, problems Problems) {
	lines := newDocument(f, false).lines()
	for _, p := range problems {
		require.Equal(t, f.Name, p.File, "%v", p)
		require.LessOrEqual(t, p.Line, lines, "%v", p)
		require.GreaterOrEqual(t, p.Line, 0, "%v", p)
		require.NotEmpty(t, p.Message)
		require.LessOrEqual(t, p.Column, len(f.Text)+1, "%v", p)
		require.False(t, p.Line == 0 && p.Column > 0, "%v", p)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range samples() {
		f.Add([]byte(text))
	}
	for _, c := range mistakes() {
		if len(c.text) < 1<<20 {
			f.Add([]byte(c.text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var sink Sink
		file := File{Name: "f.yaml", Text: text}
		top, ok := Parse(file, &sink)
		for _, p := range sink.Problems() {
			require.True(t, !ok || strings.Contains(p.Message, "Ansible knows no tag"), "%v", p)
		}
		require.True(t, ok || sink.Failed())
		requirePlaces(t, file, sink.Problems())
		if ok {
			top.Each(func(v Node) {
				require.LessOrEqual(t, v.Pos().Line, top.doc.lines()+1)
				require.Positive(t, v.Pos().Line)
			})
			top.JSON()
			top.Substitute(Values{Declared: []string{"a", "b"}, Set: map[string]string{"a": "1"}}, &sink)
			requirePlaces(t, file, sink.Problems())
			ReadFields(top, "it", &sink, "name").Required("name")
		}
	})
}

func FuzzCut(f *testing.F) {
	for _, text := range samples() {
		f.Add([]byte(text), uint8(0))
	}
	f.Fuzz(func(t *testing.T, text []byte, pick uint8) {
		if len(text) > 2000 || bytes.Count(text, []byte{'*'}) > 20 { // every part is cut, and cut again within
			return
		}
		var sink Sink
		top, ok := Parse(File{Name: "f.yaml", Text: text}, &sink)
		if !ok {
			return
		}
		for _, p := range parts(top) {
			requireSame(t, p, p.text)
		}
		i := 0
		eachItem(top, func(list, item Node) {
			var marks []Node
			scalars(item, &marks)
			if i++; len(marks) > 0 && len(marks) < 50 {
				requireMarks(t, list, item, marks)
				requireMarks(t, list, item, marks[int(pick)%len(marks):][:1])
			}
		})
	})
}
