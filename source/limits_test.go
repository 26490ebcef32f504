package source

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTimeGrowsWithTheText: files that make a careless reader take minutes.
func TestTimeGrowsWithTheText(t *testing.T) {
	list := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	task := func(i int) string { return fmt.Sprintf("- name: t%d\n  shell: |\n    echo %d\n  tags: step1\n", i, i) }
	for name, text := range map[string]string{
		"40,000 keys":             list(40000, func(i int) string { return fmt.Sprintf("k%d: %d\n", i, i) }),
		"40,000 keys, each twice": list(40000, func(i int) string { return fmt.Sprintf("k%d: %d\n", i%20000, i) }),
		"billion laughs":          laughs(9),
		"laughs by merges": "a0: &a0 {x: 1}\n" + list(9, func(i int) string {
			return fmt.Sprintf("a%d: &a%d {<<: [%s]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9))
		}),
		"brackets without end":        strings.Repeat("[", 5000),
		"braces without end":          strings.Repeat("{a: ", 5000),
		"dashes without end":          strings.Repeat("- ", 5000),
		"deep blocks":                 list(2000, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }),
		"one line of elements":        "- notify: [" + strings.Repeat("abc, ", 200000) + "d]\n",
		"one line of text":            "- a: " + strings.Repeat("abc # 'x ", 200000) + "\n",
		"one line of quoted elements": "- notify: [" + strings.Repeat("'é', ", 100000) + "d]\n",
		"a broken end":                list(20000, task) + "- name: a: b\n",
		"a broken start":              "- name: [a\n" + list(20000, task),
		"a quote without end":         "- name: \"a\n" + list(20000, task),
		"a quote without end, late":   list(20000, task) + "- name: 'a\n" + list(2000, func(int) string { return "  x: y\n" }),
		"comments without end":        "- a\n" + list(50000, func(int) string { return "# it's a comment\n\n" }) + "- b\n",
		"dashes far from their tasks": list(300, func(int) string { return "-\n" + strings.Repeat("  # c\n", 300) + "  a: 1\n" }),
		"a list under a tag":          "a: !!seq\n" + list(20000, func(int) string { return "    - b\n" }),
		"anchors in every task":       list(5000, func(i int) string { return fmt.Sprintf("- a: &a%d 1\n  b: &b%d\n    c: 2\n", i, i) }),
		"an alias in every task":      "- &a {x: 1}\n" + list(5000, func(int) string { return "- <<: *a\n  y: *a\n" }),
		"literals that keep":          list(5000, func(int) string { return "- |+\n  a\n\n\n" }),
		"many anchored keys":          "&a\n" + strings.Repeat("# c\n", 5000) + list(5000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			var sink Sink
			top, ok := Parse(File{Name: "f.yaml", Text: []byte(text)}, &sink)
			require.NotEqual(t, ok, sink.Failed())
			if ok {
				for _, list := range append([]Node{top}, top.Items()...) {
					for _, it := range list.Items() {
						var marks []Node
						if top.Kind() == List {
							scalars(it, &marks)
						}
						it.CutFrom(list, nil, marks)
					}
					for _, e := range list.Entries() {
						e.Cut()
						for _, it := range e.Value.Items() {
							it.CutFrom(e.Value, nil, nil)
						}
					}
				}
			}
			took := time.Since(start)
			t.Logf("%d bytes: %v", len(text), took)
			require.Less(t, took, 20*time.Second)
		})
	}
}
