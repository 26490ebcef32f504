package source

import (
	"bytes"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// extent is the lines of a value: from its first comment, or start, where the value
// itself begins, up to but not including last; col is how far they are indented.
type extent struct {
	first, start, last, col int
}

// extent gives the lines of an element of a block list, where end is the line that
// what follows begins on.
func (d *document) extent(list, item *yaml.Node, end int) extent {
	col := d.dashColumn(list)
	dash := d.dashLine(col, item)
	return extent{d.commentsAbove(dash, col), dash, d.trimEnd(dash, end, col, item), col}
}

// opens tells whether a value begins at a column with nothing but spaces before it,
// and with the character, if one is given.
func (d *document) opens(line, col int, c byte) bool {
	text := d.line(line)
	return col >= 0 && col < len(text) && indentOf(text) == col && (c == 0 || text[col] == c)
}

// dashColumn gives the column of the dashes of a block list, from 0; -1 if unknown.
func (d *document) dashColumn(list *yaml.Node) int {
	if list.Anchor == "" && list.Style&yaml.TaggedStyle == 0 || len(list.Content) == 0 {
		return list.Column - 1
	}
	// The list's place is that of its anchor or tag: look at the first element.
	item := list.Content[0]
	for l := item.Line; l > 0; l-- {
		text := d.line(l)
		if in := indentOf(text); in < len(text) && text[in] == '-' && (l != item.Line || in < item.Column-1) {
			return in
		}
		if !d.besideDash(l, item) {
			break
		}
	}
	return -1
}

// keyColumn gives the column, from 1, of the keys of a block mapping that are not
// written behind a "?"; 0 if unknown, or where no end is known.
func (d *document) keyColumn(m *yaml.Node, end int) int {
	if end == 0 || len(m.Content) == 0 {
		return 0
	}
	if m.Anchor == "" && m.Style&yaml.TaggedStyle == 0 {
		return m.Column
	}
	// The mapping's place is that of its anchor or tag.
	first := m.Content[0]
	for l := first.Line - 1; l > 0; l-- {
		if !d.idle(l) {
			if bytes.HasSuffix(bytes.TrimRight(d.line(l), " \t"), []byte("?")) {
				return 0
			}
			break
		}
	}
	return first.Column
}

// dashLine gives the line of the "-" that opens an item of a block list. Between the
// two only comments and blank lines can stand.
func (d *document) dashLine(col int, item *yaml.Node) int {
	for l := item.Line; l > 0; l-- {
		if d.opens(l, col, '-') {
			return l
		}
		if !d.besideDash(l, item) {
			break
		}
	}
	return item.Line
}

// besideDash tells whether the dash of an item can stand above a line.
func (d *document) besideDash(l int, item *yaml.Node) bool {
	if l == item.Line {
		return indentOf(d.line(l)) == item.Column-1
	}
	return d.idle(l)
}

// idle tells whether a line is blank or a comment.
func (d *document) idle(l int) bool { return blank(d.line(l)) || d.comment(l) }

// commentsAbove gives the first of the comment lines that stand right above a line
// and are not indented deeper: those belong to what follows.
func (d *document) commentsAbove(line, col int) int {
	first := line
	for l := line - 1; l > 0; l-- {
		text := d.line(l)
		if blank(text) {
			continue
		}
		if !d.comment(l) || indentOf(text) > col {
			break
		}
		first = l
	}
	return first
}

// trimEnd takes off blank lines and the comments of what follows.
func (d *document) trimEnd(start, end, col int, n *yaml.Node) int {
	outer := -1
	if end < d.end {
		outer = indentOf(d.line(end))
	}
	last, keep := end, endsBlank(n)
	for l := end - 1; l > start; l-- {
		text := d.line(l)
		if blank(text) {
			if !keep {
				last = l
			}
			continue
		}
		in := indentOf(text)
		if !d.comment(l) || in > col || in == col && col > outer {
			break
		}
		last = l
	}
	return last
}

// endsBlank tells whether a value ends in a block scalar whose last lines are blank
// and yet part of the text.
func endsBlank(n *yaml.Node) bool {
	n = lastWithin(n)
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		return false
	}
	text := strings.TrimSuffix(n.Value, "\n")
	return strings.Trim(text[strings.LastIndexByte(text, '\n')+1:], " \t") == ""
}

// dropped finds the lines of elements somewhere inside n, which ends before last; not
// ok if one of them does not stand on lines of its own.
func (d *document) dropped(n *yaml.Node, last int, drop []Node) ([]extent, bool) {
	if len(drop) == 0 {
		return nil, true
	}
	wanted := make(map[*yaml.Node]bool, len(drop))
	for _, it := range drop {
		wanted[it.n] = true
	}
	var out []extent
	var walk func(n *yaml.Node, end int)
	walk = func(n *yaml.Node, end int) {
		if n.Style&yaml.FlowStyle != 0 {
			return
		}
		list := n.Kind == yaml.SequenceNode
		for i, c := range n.Content {
			next := end
			switch {
			case list && i+1 < len(n.Content):
				next = d.dashLine(d.dashColumn(n), n.Content[i+1])
			case !list && i+2-i%2 < len(n.Content):
				next = n.Content[i+2-i%2].Line
			}
			if !list || !wanted[c] {
				walk(c, next)
				continue
			}
			if x := d.extent(n, c, next); d.opens(x.start, x.col, '-') {
				out = append(out, x)
			}
		}
	}
	walk(n, last)
	slices.SortFunc(out, func(a, b extent) int { return a.first - b.first })
	return out, len(out) == len(wanted)
}

// places follows where the lines of marked scalars go in a cut.
type places struct {
	d      *document
	lines  map[int][2]int // by line: offset in the file of what was taken, offset in the cut
	cursor cursor
}

func (d *document) placesOf(marks []Node) *places {
	if len(marks) == 0 {
		return nil
	}
	p := &places{d: d, lines: make(map[int][2]int, len(marks)), cursor: cursor{d: d}}
	for _, m := range marks {
		p.lines[m.n.Line] = [2]int{-1, -1}
	}
	return p
}

func (p *places) at(line, from, to int) {
	if _, wanted := p.lines[line]; wanted {
		p.lines[line] = [2]int{from, to}
	}
}

// found adds the marks; false when a scalar is not plain or quoted text on one line.
func (p *places) found(marks []Node, c *Cut) bool {
	for i, m := range marks {
		line := p.lines[m.n.Line]
		if line[0] < 0 {
			continue // in a dropped part
		}
		from, to := p.scalarExtent(m.n)
		if from == to || from < line[0] || p.d.anchors && bytes.IndexByte(p.d.line(m.n.Line), '&') >= 0 {
			return false // nothing to mark, or an anchor that is left out moves it
		}
		c.Marks = append(c.Marks, Mark{line[1] + from - line[0], line[1] + to - line[0], m.target().Value, i})
	}
	return true
}

// scalarExtent gives the offsets of a one-line scalar, quotes included; equal ones for any other.
func (p *places) scalarExtent(n *yaml.Node) (from, to int) {
	from = p.cursor.offset(n.Line, n.Column)
	rest := p.d.text[from:]
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "" || n.Style&(yaml.TaggedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return from, from
	case n.Style == 0 && bytes.HasPrefix(rest, []byte(n.Value)):
		to = from + len(n.Value)
	case n.Style != 0:
		to = p.d.quoteEnd(from)
	}
	if to <= from || n.Line < len(p.d.lineStart) && to > p.d.lineStart[n.Line] {
		return from, from
	}
	return from, to
}
