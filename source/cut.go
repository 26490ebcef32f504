package source

import (
	"bytes"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Cut is YAML text taken out of a file, moved to the left margin, ending in a
// newline: the author's own bytes wherever that is possible, else written anew
// with the same meaning (an alias of an anchor elsewhere, a list in brackets).
// What is put after it, blank lines too, never changes its meaning.
type Cut struct {
	Text  string
	Line  int // source line that the text's first non-comment line comes from
	Marks []Mark
}

// Mark is the place of a marked scalar in a Cut's text, quotes included.
type Mark struct {
	Start, End int
	Value      string

	asked int // index of the scalar among those that were asked for
}

// closing follows a block scalar that keeps the blank lines after it ("|+"), so that
// a blank line put between two tasks does not become part of the first.
const closing = "# end of the text above\n"

// CutFrom cuts an element out of the list it stands in, with the comments that
// belong to it and without the dropped values; marks asks for the places of scalars
// within it. Marks come in the order asked for: none for a scalar in a dropped value,
// several for one that aliases repeat.
func (v Node) CutFrom(list Node, drop, marks []Node) Cut {
	l := list.target()
	if v.end > 0 && list.n == l && l.Style&yaml.FlowStyle == 0 {
		d := v.doc
		x := d.extent(l, v.n, v.end)
		if d.opens(x.start, x.col, '-') {
			if c, ok := d.cut(x, v.n, drop, marks); ok {
				return c
			}
		}
	}
	e := newEncoder(drop, marks)
	e.item(v.n, 0)
	return e.cut(v.n.Line)
}

// CutFor is CutFrom for marks in several groups, and tells them apart.
func (v Node) CutFor(list Node, groups ...[]Node) (Cut, [][]Mark) {
	c := v.CutFrom(list, nil, slices.Concat(groups...))
	out := make([][]Mark, len(groups))
	marks, end := c.Marks, 0
	for i, g := range groups {
		end += len(g)
		n := 0
		for n < len(marks) && marks[n].asked < end {
			n++
		}
		out[i], marks = marks[:n:n], marks[n:]
	}
	return c, out
}

// CutMap cuts a mapping out of its file, keys at the left margin.
func (v Node) CutMap() Cut {
	m := v.target()
	if v.end > 0 && v.n == m && m.Style&yaml.FlowStyle == 0 && len(m.Content) > 0 {
		d, key := v.doc, m.Content[0]
		x := extent{start: key.Line, col: key.Column - 1}
		if key.Column == d.keyColumn(m, v.end) && d.opens(x.start, x.col, 0) {
			x.first, x.last = d.commentsAbove(key.Line, x.col), d.trimEnd(key.Line, v.end, x.col, m)
			if c, ok := d.cut(x, m, nil, nil); ok {
				return c
			}
		}
	}
	e := newEncoder(nil, nil)
	e.mapping(pairs(m), 0, false)
	return e.cut(m.Line)
}

// Cut gives "key: value" as written, at the left margin.
func (e Entry) Cut() string {
	k, v := e.Key, e.Value
	if k.n == nil || v.n == nil {
		return ""
	}
	pair := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{k.n, v.n}}
	if col := k.n.Column - 1; k.end > 0 && k.doc.opens(k.n.Line, col, 0) {
		x := extent{first: k.n.Line, start: k.n.Line, col: col, last: k.doc.trimEnd(k.n.Line, k.end, col, v.n)}
		if c, ok := k.doc.cut(x, pair, nil, nil); ok {
			return c.Text
		}
	}
	enc := newEncoder(nil, nil)
	enc.mapping(pairs(pair), 0, false)
	return enc.cut(k.n.Line).Text
}

// cut takes the lines of an extent, moved to the left margin. It declines, and the
// value is written anew, where the lines alone would not mean the same.
func (d *document) cut(x extent, n *yaml.Node, drop, marks []Node) (Cut, bool) {
	if d.uncut {
		return Cut{}, false
	}
	open, fits := d.openEnd(n, x.last)
	skip, separate := d.dropped(n, x.last, drop)
	anchors, free := d.anchorsIn(n)
	if !fits || !separate || !free {
		return Cut{}, false
	}
	var b strings.Builder
	b.Grow(d.size(x) + len(closing))
	wanted := d.placesOf(marks)
	for l := x.first; l < x.last; l++ {
		for len(skip) > 0 && l >= skip[0].last {
			skip = skip[1:]
		}
		if len(skip) > 0 && l >= skip[0].first {
			l = skip[0].last - 1
			continue
		}
		// Within an element only comments, blank lines and lines of quoted text or in
		// brackets can be indented less: there it means nothing.
		text := d.line(l)
		cut := min(x.col, indentOf(text))
		if l > x.start && (isMarker(text[cut:], "---") || isMarker(text[cut:], "...")) {
			return Cut{}, false
		}
		if wanted != nil {
			wanted.at(l, d.lineStart[l-1]+cut, b.Len())
		}
		text = text[cut:]
		for from := d.lineStart[l-1] + cut; len(anchors) > 0 && anchors[0].from < from+len(text); anchors = anchors[1:] {
			if a := anchors[0]; a.to > from {
				b.Write(text[:max(0, a.from-from)])
				text, from = text[a.to-from:], a.to
			}
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	if open {
		b.WriteString(closing)
	}
	c := Cut{Text: b.String(), Line: x.start}
	if wanted != nil && !wanted.found(marks, &c) {
		return Cut{}, false
	}
	return c, true
}

// size is how much text an extent has at most.
func (d *document) size(x extent) int {
	to := len(d.text)
	if x.last <= len(d.lineStart) {
		to = d.lineStart[x.last-1]
	}
	return max(0, to-d.lineStart[x.first-1]-x.col*(x.last-x.start)) + 1
}

// openEnd tells whether n ends in a block scalar that keeps the blank lines after it.
// Not ok is one that ends with the file, in the middle of a line: the line break that
// a cut adds would become part of it.
func (d *document) openEnd(n *yaml.Node, last int) (open, ok bool) {
	n = lastWithin(n)
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return false, true
	}
	if last > d.lines() && !bytes.HasSuffix(d.text, []byte{'\n'}) {
		return false, false
	}
	at := cursor{d: d}
	header := d.text[d.skipProperties(at.offset(n.Line, n.Column)):]
	header = header[:min(3, len(header))]
	return bytes.IndexByte(header, '+') > 0, true
}

// lastWithin gives the scalar that a value's text ends with.
func lastWithin(n *yaml.Node) *yaml.Node {
	for len(n.Content) > 0 {
		last := n.Content[len(n.Content)-1]
		if n.Kind == yaml.MappingNode && last.Kind == yaml.ScalarNode && last.Value == "" && last.Style == 0 {
			last = n.Content[len(n.Content)-2] // a key without a value
		}
		n = last
	}
	return n
}

// piece is a part of the file's text, by offsets.
type piece struct{ from, to int }

// anchorsIn finds the anchors of n, which a cut leaves out: Ansible reads no file in
// which two have the same name, and it is not known what else will stand in the one
// that the cut goes into. Not ok where an alias needs an anchor.
func (d *document) anchorsIn(n *yaml.Node) (anchors []piece, ok bool) {
	if !d.anchors {
		return nil, true
	}
	at := cursor{d: d}
	var walk func(*yaml.Node) bool
	walk = func(n *yaml.Node) bool {
		if n.Kind == yaml.AliasNode {
			return false
		}
		if n.Anchor != "" {
			p, ok := d.anchor(at.offset(n.Line, n.Column), n.Anchor)
			if !ok || n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 { // a key that would vanish with it
				return false
			}
			anchors = append(anchors, p)
		}
		for _, c := range n.Content {
			if !walk(c) {
				return false
			}
		}
		return true
	}
	return anchors, walk(n)
}

// anchor finds an anchor among the properties of a value, with the spaces that go with it.
func (d *document) anchor(at int, name string) (piece, bool) {
	for at < len(d.text) && d.text[at] == '!' {
		n := bytes.IndexAny(d.text[at:], " \t\r\n")
		if n < 0 {
			return piece{}, false
		}
		at += n + len(d.text[at+n:]) - len(bytes.TrimLeft(d.text[at+n:], " \t"))
	}
	if !bytes.HasPrefix(d.text[at:], []byte("&"+name)) {
		return piece{}, false
	}
	p := piece{at, at + 1 + len(name)}
	rest := bytes.TrimLeft(d.text[p.to:], " \t")
	p.to = len(d.text) - len(rest)
	if len(rest) == 0 || rest[0] == '\n' || rest[0] == '\r' {
		p.from = len(bytes.TrimRight(d.text[:at], " \t"))
	}
	return p, true
}
