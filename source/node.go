package source

import (
	"strings"

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
	end int // the line after the last that can belong to this value
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
	if t.ShortTag() == "!!null" {
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
	t := v.target()
	if t == nil || t.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]Node, len(t.Content))
	for i, c := range t.Content {
		end := v.endOf(t)
		if i+1 < len(t.Content) && end > 0 {
			end = max(c.Line, v.doc.dashLine(t, t.Content[i+1]))
		}
		out[i] = Node{c, v.doc, end}
	}
	return out
}

// endOf is where the content of t can end. It is not known (0) for an alias's target
// and means nothing in brackets: such values cannot be cut out by lines.
func (v Node) endOf(t *yaml.Node) int {
	if t != v.n || t.Style&yaml.FlowStyle != 0 {
		return 0
	}
	return v.end
}

// dashLine gives the line of the "-" that opens an item of a block list.
func (d *document) dashLine(list, item *yaml.Node) int {
	if list.Style&yaml.FlowStyle != 0 {
		return item.Line
	}
	for line := item.Line; line >= list.Line && line > 0; line-- {
		text := d.line(line)
		if i := list.Column - 1; i < len(text) && text[i] == '-' && strings.TrimLeft(string(text[:i]), " ") == "" {
			return line
		}
	}
	return item.Line
}

// Entries gives the keys of a mapping in their written order, merge keys (<<)
// resolved: a key written out wins over a merged one.
func (v Node) Entries() []Entry {
	t := v.target()
	if t == nil || t.Kind != yaml.MappingNode {
		return nil
	}
	out := make([]Entry, 0, len(t.Content)/2)
	merged := false
	for i := 0; i+1 < len(t.Content); i += 2 {
		end := v.endOf(t)
		if i+2 < len(t.Content) && end > 0 {
			end = max(t.Content[i+2].Line, t.Content[i+1].Line)
		}
		merged = merged || isMerge(t.Content[i])
		out = append(out, Entry{Node{t.Content[i], v.doc, end}, Node{t.Content[i+1], v.doc, end}})
	}
	if merged {
		return v.merge(out)
	}
	return out
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

func (v Node) merge(written []Entry) []Entry {
	own := map[string]bool{}
	for _, e := range written {
		if !isMerge(e.Key.n) {
			own[e.Key.Text()] = true
		}
	}
	var out []Entry
	for _, e := range written {
		if !isMerge(e.Key.n) {
			out = append(out, e)
			continue
		}
		sources := []Node{e.Value}
		if e.Value.Kind() == List {
			sources = e.Value.Items()
		}
		for _, s := range sources {
			for _, m := range s.Entries() {
				if !own[m.Key.Text()] {
					own[m.Key.Text()] = true
					out = append(out, m)
				}
			}
		}
	}
	return out
}

// Get gives the value of a key, or the zero Node.
func (v Node) Get(key string) Node {
	t := v.target()
	if t == nil || t.Kind != yaml.MappingNode {
		return Node{}
	}
	for _, e := range v.Entries() {
		if e.Key.Text() == key {
			return e.Value
		}
	}
	return Node{}
}

// Each calls f on this value and everything below it, aliases followed.
func (v Node) Each(f func(Node)) {
	f(v)
	switch v.Kind() {
	case List:
		for _, it := range v.Items() {
			it.Each(f)
		}
	case Map:
		for _, e := range v.Entries() {
			e.Value.Each(f)
		}
	}
}
