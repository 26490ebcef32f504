package source

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// eachItem calls f for every element of every list of a file, with the list.
func eachItem(v Node, f func(list, item Node)) {
	if v.n.Kind == yaml.AliasNode {
		return
	}
	for _, it := range v.Items() {
		f(v, it)
		eachItem(it, f)
	}
	for i := 1; v.Kind() == Map && i < len(v.n.Content); i += 2 {
		if k, val := v.pairAt(i - 1); !isMerge(k.n) {
			eachItem(val, f)
		}
	}
}

// copyOf copies a tree, aliases followed, with what change gives in place of a node;
// nil leaves an element out.
func copyOf(n *yaml.Node, change func(*yaml.Node) *yaml.Node) *yaml.Node {
	if n = change(n); n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias.Kind == yaml.ScalarNode { // it may be asked for where its anchor is not
			return n.Alias
		}
		return copyOf(n.Alias, change)
	}
	c := *n
	c.Content = nil
	for _, child := range n.Content {
		if d := copyOf(child, change); d != nil {
			c.Content = append(c.Content, d)
		}
	}
	return &c
}

func TestWhatIsDroppedIsAllThatIsMissing(t *testing.T) {
	for name, text := range samples() {
		t.Run(name, func(t *testing.T) {
			top, _ := parseSample(t, text)
			eachItem(top, func(list, item Node) {
				eachItem(item, func(_, inner Node) {
					for _, drop := range [][]Node{{inner}, others(item, inner)} {
						p := part{kind: "item", n: copyOf(item.n, func(n *yaml.Node) *yaml.Node {
							if slices.ContainsFunc(drop, func(d Node) bool { return d.n == n }) {
								return nil
							}
							return n
						})}
						if emptied(p.n, item.n) {
							continue
						}
						requireSame(t, p, item.CutFrom(list, drop, nil).Text)
					}
				})
			})
		})
	}
}

// others gives the elements beside one of them.
func others(top, inner Node) []Node {
	var out []Node
	eachItem(top, func(list, it Node) {
		if slices.Contains(list.n.Content, inner.n) && it.n != inner.n {
			out = append(out, it)
		}
	})
	return out
}

// emptied tells whether a list lost all its elements, which never happens to a block.
func emptied(c, n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && len(c.Content) == 0 {
		return true
	}
	if len(c.Content) != len(n.Content) {
		return slices.ContainsFunc(c.Content, func(x *yaml.Node) bool {
			return x.Kind == yaml.SequenceNode && len(x.Content) == 0
		})
	}
	for i := range c.Content {
		if emptied(c.Content[i], n.Content[i]) {
			return true
		}
	}
	return false
}

func TestMarksPointAtTheScalar(t *testing.T) {
	for name, text := range samples() {
		t.Run(name, func(t *testing.T) {
			top, _ := parseSample(t, text)
			eachItem(top, func(list, item Node) {
				var all []Node
				scalars(item, &all)
				for _, m := range all {
					requireMarks(t, list, item, []Node{m})
				}
				requireMarks(t, list, item, all)
			})
		})
	}
}

// scalars gathers the values that are text, not the keys, as they were written: an alias stays one.
func scalars(v Node, out *[]Node) {
	if v.Kind() == Scalar {
		*out = append(*out, v)
	}
	if v.n.Kind == yaml.AliasNode {
		return
	}
	for _, it := range v.Items() {
		scalars(it, out)
	}
	for i := 1; v.Kind() == Map && i < len(v.n.Content); i += 2 {
		if !isMerge(v.n.Content[i-1]) {
			_, val := v.pairAt(i - 1)
			scalars(val, out)
		}
	}
}

func requireMarks(t require.TestingT, list, item Node, asked []Node) {
	c := item.CutFrom(list, nil, asked)
	require.GreaterOrEqual(t, len(c.Marks), len(asked), "%s", c.Text)
	text := c.Text
	marks := slices.Clone(c.Marks)
	slices.SortFunc(marks, func(a, b Mark) int { return b.Start - a.Start })
	for _, m := range marks {
		if marked := text[m.Start:m.End]; marked != m.Value {
			var n yaml.Node
			require.NoError(t, yaml.Unmarshal([]byte(marked), &n))
			require.Equal(t, m.Value, n.Content[0].Value, "%q in\n%s", marked, c.Text)
		}
		text = text[:m.Start] + `"was: marked"` + text[m.End:]
	}
	want := copyOf(item.n, func(n *yaml.Node) *yaml.Node {
		if !slices.ContainsFunc(asked, func(a Node) bool { return a.n == n }) {
			return n
		}
		was := Node{n: n}.target()
		marked := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "was: marked", Style: yaml.DoubleQuotedStyle}
		if was.Style&yaml.TaggedStyle != 0 {
			marked.Tag, marked.Style = was.Tag, marked.Style|yaml.TaggedStyle
		}
		return &marked
	})
	requireSame(t, part{kind: "item", n: want}, text)
}

// pairAt gives a key and its value as Pairs does, merges as they stand.
func (v Node) pairAt(i int) (key, value Node) {
	end := v.endOf(v.n)
	return v.pair(v.n, i, end, v.doc.keyColumn(v.n, end))
}
