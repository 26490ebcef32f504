package source

import (
	"iter"

	"gopkg.in/yaml.v3"
)

// Kind is the shape of a value.
type Kind int

// The shapes a value can have. Null is an empty or explicit null scalar.
const (
	Missing Kind = iota
	Null
	Scalar
	List
	Map
)

// String names the kind as a person would.
func (k Kind) String() string {
	return [...]string{"nothing", "nothing", "a single value", "a list", "a mapping"}[k]
}

// Node is a value of a parsed file, with its place. Aliases are followed; the zero
// Node is a value that is not there.
type Node struct {
	n   *yaml.Node
	doc *document
	end int // the line after the last that can belong to this value; 0 when it cannot be cut by lines
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key, Value Node
}

func (v Node) target() *yaml.Node {
	if v.n != nil && v.n.Kind == yaml.AliasNode {
		return v.n.Alias
	}
	return v.n
}

// Kind gives the shape of the value.
func (v Node) Kind() Kind {
	t := v.target()
	if t == nil {
		return Missing
	}
	switch t.Kind {
	case yaml.SequenceNode:
		return List
	case yaml.MappingNode:
		return Map
	}
	if t.Tag == "!!null" {
		return Null
	}
	return Scalar
}

// Exists tells whether the value was written at all, be it as null.
func (v Node) Exists() bool { return v.n != nil }

// Same tells whether two Nodes are the same value at the same place.
func (v Node) Same(w Node) bool { return v.n == w.n }

// Pos gives the value's place.
func (v Node) Pos() Pos {
	if v.n == nil {
		return Pos{}
	}
	return Pos{v.doc.name, v.n.Line, v.n.Column}
}

// Text gives a scalar as it was written, without quotes; "" for anything else.
func (v Node) Text() string {
	if t := v.target(); t != nil && t.Kind == yaml.ScalarNode {
		return t.Value
	}
	return ""
}

// Quoted tells whether a scalar was written in quotes or as a block, so that YAML
// never reads it as anything but text.
func (v Node) Quoted() bool {
	t := v.target()
	return t != nil && t.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// Tag gives the value's short tag: !!str, !!int, !vault and so on.
func (v Node) Tag() string {
	if t := v.target(); t != nil {
		return t.ShortTag()
	}
	return ""
}

// Items gives the elements of a list; nothing for other shapes.
func (v Node) Items() []Node {
	var out []Node
	if t := v.target(); t != nil && t.Kind == yaml.SequenceNode {
		out = make([]Node, 0, len(t.Content))
	}
	for it := range v.Elements() {
		out = append(out, it)
	}
	return out
}

// Len gives how many elements a list has; 0 for other shapes.
func (v Node) Len() int {
	if t := v.target(); t != nil && t.Kind == yaml.SequenceNode {
		return len(t.Content)
	}
	return 0
}

// Elements is Items, one after the other.
func (v Node) Elements() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		t := v.target()
		if t == nil || t.Kind != yaml.SequenceNode {
			return
		}
		end, col := v.endOf(t), 0
		if end > 0 {
			col = v.doc.dashColumn(t)
		}
		for i, c := range t.Content {
			next := end
			if end > 0 && i+1 < len(t.Content) {
				next = v.doc.dashLine(col, t.Content[i+1])
			}
			if !yield(Node{c, v.doc, next}) {
				return
			}
		}
	}
}

// endOf is where the content of t can end. It is not known for an alias's target and
// means nothing in brackets.
func (v Node) endOf(t *yaml.Node) int {
	if t != v.n || t.Style&yaml.FlowStyle != 0 {
		return 0
	}
	return v.end
}

// Entries gives the keys of a mapping in their written order, merge keys (<<)
// resolved: a key written out wins over a merged one.
func (v Node) Entries() []Entry {
	var out []Entry
	if t := v.target(); t != nil && t.Kind == yaml.MappingNode {
		out = make([]Entry, 0, len(t.Content)/2)
	}
	for k, val := range v.Pairs() {
		out = append(out, Entry{k, val})
	}
	return out
}

// Pairs is Entries, key and value one after the other.
func (v Node) Pairs() iter.Seq2[Node, Node] {
	return func(yield func(Node, Node) bool) {
		t := v.target()
		if t == nil || t.Kind != yaml.MappingNode {
			return
		}
		if v.doc.merges && hasMerge(t) {
			for _, e := range v.merged(t) {
				if !yield(e.Key, e.Value) {
					return
				}
			}
			return
		}
		end := v.endOf(t)
		col := v.doc.keyColumn(t, end)
		for i := 0; i+1 < len(t.Content); i += 2 {
			if k, val := v.pair(t, i, end, col); !yield(k, val) {
				return
			}
		}
	}
}

// pair gives the key at an even index of t's content, and its value, where t ends
// before a line and has its keys at a column.
func (v Node) pair(t *yaml.Node, i, end, col int) (key, value Node) {
	if end > 0 && i+2 < len(t.Content) {
		end = t.Content[i+2].Line
	}
	k := t.Content[i]
	value = Node{t.Content[i+1], v.doc, end}
	if k.Column != col {
		end = 0 // it stands behind a "?"
	}
	return Node{k, v.doc, end}, value
}

func isMerge(key *yaml.Node) bool { return key.Tag == "!!merge" && key.Kind == yaml.ScalarNode }

func hasMerge(m *yaml.Node) bool {
	for i := 0; i < len(m.Content); i += 2 {
		if isMerge(m.Content[i]) {
			return true
		}
	}
	return false
}

// merged resolves merge keys as Ansible's reader does: of several mappings in one
// "<<" the first wins, of several "<<" the last.
func (v Node) merged(t *yaml.Node) []Entry {
	written := make([]Entry, 0, len(t.Content)/2)
	winner := make(map[string]int, len(t.Content))
	end := v.endOf(t)
	col := v.doc.keyColumn(t, end)
	for i := 0; i+1 < len(t.Content); i += 2 {
		k, val := v.pair(t, i, end, col)
		written = append(written, Entry{k, val})
		if !isMerge(k.n) {
			winner[k.Text()] = i / 2
		}
	}
	from := make([][]Entry, len(written))
	for i := len(written) - 1; i >= 0; i-- {
		if !isMerge(written[i].Key.n) {
			continue
		}
		sources := []Node{written[i].Value}
		if sources[0].Kind() == List {
			sources = sources[0].Items()
		}
		for _, s := range sources {
			for k, val := range s.Pairs() {
				if _, taken := winner[k.Text()]; !taken {
					winner[k.Text()] = i
					from[i] = append(from[i], Entry{k, val})
				}
			}
		}
	}
	var out []Entry
	for i, e := range written {
		if isMerge(e.Key.n) {
			out = append(out, from[i]...)
		} else {
			out = append(out, e)
		}
	}
	return out
}

// Get gives the value of a key, or the zero Node.
func (v Node) Get(key string) Node {
	for k, val := range v.Pairs() {
		if k.Text() == key {
			return val
		}
	}
	return Node{}
}

// Each calls f on this value and everything below it, aliases followed.
func (v Node) Each(f func(Node)) {
	f(v)
	for it := range v.Elements() {
		it.Each(f)
	}
	for _, val := range v.Pairs() {
		val.Each(f)
	}
}
