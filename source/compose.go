package source

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Pair is a key of a mapping that Compose makes: a key as it was written, with its
// comments, or, where Key is the zero Node, a name.
type Pair struct {
	Key   Node
	Name  string
	Value Node
}

// Of makes a value out of nil, a bool, an int64, a float64 or a string.
func Of(scalar any) Node {
	n := &yaml.Node{Kind: yaml.ScalarNode}
	switch s := scalar.(type) {
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(s)
	case int64:
		n.Tag, n.Value = "!!int", strconv.FormatInt(s, 10)
	case float64:
		n.Tag, n.Value = "!!float", floatText(s)
	case string:
		n.Tag, n.Value = "!!str", s
		switch {
		case strings.Contains(strings.TrimRight(s, "\n"), "\n") && literalSafe(s):
			n.Style = yaml.LiteralStyle
		case Quote(s) != s:
			n.Style = yaml.DoubleQuotedStyle
			if strings.Contains(s, `"`) && !strings.Contains(s, "'") && oneLine(s) {
				n.Style = yaml.SingleQuotedStyle
			}
		}
	}
	return composed(n)
}

// floatText writes a number so that YAML 1.1 reads it as one with a fraction.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	case math.IsNaN(f):
		return ".nan"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, exp := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if exp {
		return mantissa + "e" + exponent
	}
	return mantissa
}

// ListOf makes a list. Where like is a list that was written, its comments are kept.
func ListOf(items []Node, like Node) Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	adopt(n, like)
	for _, it := range items {
		n.Content = append(n.Content, it.n)
	}
	for i := range n.Content[:max(0, len(n.Content)-1)] {
		n.Content[i], n.Content[i+1] = handDown(n.Content[i], n.Content[i+1])
	}
	return composed(n)
}

// handDown gives an element the comment that the library takes for the foot of the
// element before it: between two elements a comment is about the second.
func handDown(first, second *yaml.Node) (before, after *yaml.Node) {
	if first.Kind != yaml.MappingNode || len(first.Content) < 2 || second.Kind == yaml.AliasNode {
		return first, second
	}
	last := len(first.Content) - 2
	foot := first.Content[last].FootComment
	if foot == "" {
		return first, second
	}
	f, key, s := *first, *first.Content[last], *second
	f.Content = slices.Clone(first.Content)
	key.FootComment, f.Content[last] = "", &key
	head := s.HeadComment
	if head == "" && s.Kind == yaml.MappingNode && len(s.Content) > 0 {
		head = s.Content[0].HeadComment
	}
	s.HeadComment = strings.TrimRight(foot, "\n")
	if head != "" {
		s.HeadComment += "\n" + head
	}
	return &f, &s
}

// KeyLike makes a key that stands in the place of another, under its comments.
func KeyLike(name string, like Node) Node {
	k := Of(name)
	if like.n != nil {
		k.n.HeadComment = like.n.HeadComment
	}
	return k
}

// Words makes a list of words in brackets.
func Words(words []string) Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, w := range words {
		n.Content = append(n.Content, Of(w).n)
	}
	return composed(n)
}

// MapOf makes a mapping. Where like is a mapping that was written, its comments are kept.
func MapOf(pairs []Pair, like Node) Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	adopt(n, like)
	for _, p := range pairs {
		key := p.Key.n
		if key == nil {
			key = Of(p.Name).n
		}
		n.Content = append(n.Content, key, p.Value.n)
	}
	return composed(n)
}

// adopt takes over comments; brackets only where nothing below is long.
func adopt(n *yaml.Node, like Node) {
	if like.n == nil {
		return
	}
	n.HeadComment, n.LineComment, n.FootComment = like.n.HeadComment, like.n.LineComment, like.n.FootComment
	n.Line, n.Column = like.n.Line, like.n.Column
}

func composed(n *yaml.Node) Node { return Node{n: n, doc: &document{}} }

// WithComment puts lines of comment above a key, or above the elements of a list.
func (v Node) WithComment(lines string) Node {
	if v.n == nil || lines == "" {
		return v
	}
	n := *v.n
	n.HeadComment = "# " + strings.ReplaceAll(strings.TrimRight(lines, "\n"), "\n", "\n# ")
	if v.n.HeadComment != "" {
		n.HeadComment += "\n" + v.n.HeadComment
	}
	return Node{&n, v.doc, v.end}
}

// Encode writes a value as a document of its own, block style, indented by 2: what
// was written keeps its style and comments, aliases and merges are resolved.
func Encode(v Node) string {
	e := newEncoder(nil, nil)
	switch t := v.target(); {
	case t == nil:
		return "null\n"
	case t.Kind == yaml.MappingNode && len(pairs(t)) > 0:
		e.mapping(pairs(t), 0, false)
	case t.Kind == yaml.SequenceNode && len(t.Content) > 0:
		for _, c := range t.Content {
			e.item(c, 0)
		}
	default:
		e.flow(v.n)
		e.WriteByte('\n')
	}
	return e.cut(0).Text
}

// Bare gives a value without the comments that stand around it.
func (v Node) Bare() Node {
	t := v.target()
	if t == nil || t.HeadComment == "" && t.LineComment == "" && t.FootComment == "" {
		return v
	}
	n := *t
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	return Node{n: &n, doc: v.doc}
}
