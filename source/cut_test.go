package source

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// meaning writes a value so that equal text is equal meaning: kinds, tags and values,
// aliases followed, merges resolved, keys sorted. It shares no code with what it checks.
func meaning(n *yaml.Node) string {
	switch n.Kind {
	case yaml.AliasNode:
		return meaning(n.Alias)
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return "null\n"
		}
		return fmt.Sprintf("%s %q\n", n.ShortTag(), n.Value)
	case yaml.SequenceNode:
		var b strings.Builder
		for _, c := range n.Content {
			b.WriteString(meaning(c))
		}
		return n.ShortTag() + " [\n" + b.String() + "]\n"
	}
	return n.ShortTag() + " {\n" + strings.Join(flatten(n), "") + "}\n"
}

// order writes the keys of a value that has no merges, in their order.
func order(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var b strings.Builder
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			b.WriteString(meaning(c))
			if c.ShortTag() == "!!merge" {
				return "merged"
			}
		}
		inner := order(c)
		if inner == "merged" {
			return inner
		}
		b.WriteString("(" + inner + ")")
	}
	return b.String()
}

// flatten does as PyYAML's flatten_mapping and dict: merged keys first, the last wins.
func flatten(n *yaml.Node) []string {
	last := map[string]string{}
	var read func(n *yaml.Node)
	read = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind == yaml.SequenceNode {
			for _, s := range slices.Backward(n.Content) {
				read(s)
			}
			return
		}
		for _, merging := range []bool{true, false} {
			for i := 0; i+1 < len(n.Content); i += 2 {
				k, v := n.Content[i], n.Content[i+1]
				switch isMerge := k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge"; {
				case isMerge && merging:
					read(v)
				case !isMerge && !merging:
					last[meaning(k)] = meaning(v)
				}
			}
		}
	}
	read(n)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(last)) {
		out = append(out, k+last[k])
	}
	return out
}

// part is something cut out: the way to it from the top of the file, and its text.
// An element's text is a list of one, an entry's a mapping of one.
type part struct {
	path  []int
	kind  string // item, map, entry
	index int    // of the entry within its mapping
	n     *yaml.Node
	value *yaml.Node // of an entry
	text  string
	cut   Cut
}

// pieces cuts everything out of a file that can be cut out of it.
func parts(top Node) []part {
	var out []part
	var walk func(v Node, path []int)
	walk = func(v Node, path []int) {
		if v.n.Kind == yaml.AliasNode {
			return
		}
		switch v.Kind() {
		case List:
			for i, it := range v.Items() {
				at := append(slices.Clone(path), i)
				c := it.CutFrom(v, nil, nil)
				out = append(out, part{path: at, kind: "item", n: it.n, text: c.Text, cut: c})
				walk(it, at)
			}
		case Map:
			if len(v.n.Content) > 0 {
				c := v.CutMap()
				out = append(out, part{path: path, kind: "map", n: v.n, text: c.Text, cut: c})
			}
			for i, e := range v.Entries() {
				if e.Key.Same(keyAt(v, i)) { // not a merged one
					out = append(out, part{path: path, kind: "entry", index: i, n: e.Key.n, value: e.Value.n, text: e.Cut()})
				}
			}
			for i := 1; i < len(v.n.Content); i += 2 {
				if _, val := v.pairAt(i - 1); val.n != nil {
					walk(val, append(slices.Clone(path), i))
				}
			}
		}
	}
	walk(top, nil)
	return out
}

func hasAnchor(n *yaml.Node) bool {
	return n.Anchor != "" || n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, hasAnchor)
}

func keyAt(v Node, i int) Node {
	if 2*i >= len(v.n.Content) {
		return Node{}
	}
	return Node{n: v.n.Content[2*i]}
}

// whole gives what a cut must mean: an element in a list, an entry in a mapping.
func (p part) whole() *yaml.Node {
	switch p.kind {
	case "item":
		return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{p.n}}
	case "entry":
		return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{p.n, p.value}}
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: p.n.Content} // its own tag stays with its key
}

// requireSame parses a cut again and compares its meaning; blank lines, comments and
// further elements behind it change nothing.
func requireSame(t require.TestingT, p part, text string) {
	want := p.whole()
	var n, more yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &n), "%s %v:\n%s", p.kind, p.path, text)
	if len(flatten(want)) == 0 && want.Kind == yaml.MappingNode {
		require.Empty(t, n.Content)
		return
	}
	require.Equal(t, meaning(want), meaning(n.Content[0]), "%s %v:\n%s", p.kind, p.path, text)
	if o := order(want); o != "merged" {
		require.Equal(t, o, order(n.Content[0]), "%s %v:\n%s", p.kind, p.path, text)
	}
	tail, added := "\n\n# c\n\nzz_next: 1\n", 2
	if p.kind == "item" {
		tail, added = "\n\n# c\n\n- next\n", 1
	}
	require.NoError(t, yaml.Unmarshal([]byte(text+tail), &more), "%s", text+tail)
	require.False(t, hasAnchor(&more), "Ansible reads no anchor twice:\n%s", text)
	c := more.Content[0]
	c.Content = c.Content[:len(c.Content)-added]
	require.Equal(t, meaning(want), meaning(c), "with more behind it:\n%s", text+tail)
}

func parseSample(t *testing.T, text string) (Node, bool) {
	t.Helper()
	var sink Sink
	top, ok := Parse(File{Name: "f.yaml", Text: []byte(text)}, &sink)
	require.True(t, ok, "%v", sink.Problems())
	return top, ok
}

func TestEveryCutMeansTheSame(t *testing.T) {
	for name, text := range samples() {
		t.Run(name, func(t *testing.T) {
			top, _ := parseSample(t, text)
			for _, p := range parts(top) {
				requireSame(t, p, p.text)
			}
		})
	}
}

func TestWhatIsWrittenAnewMeansTheSame(t *testing.T) {
	for name, text := range samples() {
		t.Run(name, func(t *testing.T) {
			top, _ := parseSample(t, text)
			for _, p := range parts(top) {
				e := newEncoder(nil, nil)
				switch p.kind {
				case "item":
					e.item(p.n, 0)
				case "map":
					e.mapping(pairs(p.n), 0, false)
				default:
					e.mapping(pairs(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{p.n, p.value}}), 0, false)
				}
				requireSame(t, p, e.cut(1).Text)
			}
		})
	}
}

// TestBytesAreKept: what stands on lines of its own is the file's own lines, moved to
// the left, and no line of a list is lost or given out twice.
func TestBytesAreKept(t *testing.T) {
	anew := map[string]string{
		"anchors across tasks":               "aliases are resolved",
		"merges of several":                  "aliases are resolved",
		"an alias to block text":             "aliases are resolved",
		"an alias as a key":                  "aliases are resolved",
		"an anchor defined twice":            "aliases are resolved",
		"other tags":                         "an anchor's place hides where the list begins",
		"literal to the end of file":         "a line break would become text",
		"literal, keep, end of file":         "a line break would become text",
		"folded to the end of file":          "a line break would become text",
		"strip to the end of file":           "a line break could become text",
		"a directive":                        "tags mean something else without it",
		"lone carriage returns":              "lines as nobody sees them",
		"unicode line breaks":                "lines as nobody sees them",
		"a byte order mark within":           "a mark may not stand in the middle",
		"quoted text like a document marker": "at the left margin it would be one",
		"sequences of sequences":             "two dashes on one line",
		"a list of lists of text":            "two dashes on one line",
		"vault and unsafe":                   "aliases are resolved",
		"anchors within a task":              "aliases are resolved",
		"anchors on their own line":          "aliases are resolved",
	}
	for name, text := range samples() {
		t.Run(name, func(t *testing.T) {
			top, _ := parseSample(t, text)
			var walk func(v Node)
			walk = func(v Node) {
				for i := 1; v.Kind() == Map && i < len(v.n.Content); i += 2 {
					_, val := v.pairAt(i - 1)
					walk(val)
				}
				if v.Kind() != List || v.end == 0 || v.n.Kind == yaml.AliasNode || v.n.Style&yaml.FlowStyle != 0 {
					return
				}
				all := ""
				for _, it := range v.Items() {
					c := it.CutFrom(v, nil, nil)
					all += strings.ReplaceAll(c.Text, closing, "")
					require.Equal(t, "-", strings.TrimLeft(linesOf(text)[c.Line-1], " ")[:1], "line %d", c.Line)
					walk(it)
				}
				got := trimmed(all)
				require.Contains(t, "\n"+trimmed(text), "\n"+got, "the list at line %d", v.Pos().Line)
			}
			if anew[name] == "" {
				walk(top)
			}
		})
	}
}

func linesOf(text string) []string {
	return strings.Split(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), "\n")
}

var anchor = regexp.MustCompile(`&\w+ ?`)

// trimmed takes indentation, blank lines and anchors off.
func trimmed(text string) string {
	var b strings.Builder
	for _, l := range linesOf(text) {
		if l = strings.Trim(anchor.ReplaceAllString(l, ""), " "); l != "" {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}
