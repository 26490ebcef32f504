package source

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Cut is YAML text taken out of a file, moved to the left margin, ending in a
// newline: the author's own bytes wherever that is possible, else written anew
// with the same meaning (an alias of an anchor elsewhere, a list in brackets).
type Cut struct {
	Text  string
	Line  int // source line that the text's first non-comment line comes from
	Marks []Mark
}

// Mark is the place of a marked scalar in a Cut's text, quotes included.
type Mark struct {
	Start, End int
	Value      string
}

// CutFrom cuts an element out of the list it stands in, with the comments that
// belong to it and without the dropped values; marks asks for the places of scalars within it.
func (v Node) CutFrom(list Node, drop, marks []Node) Cut {
	l := list.target()
	if list.n == l && list.end > 0 && l.Style&yaml.FlowStyle == 0 {
		first, dash, last := v.extent(l)
		if c, ok := v.doc.cut(first, dash, last, l.Column-1, v.n, drop, marks); ok {
			return c
		}
	}
	e := newEncoder(drop, marks)
	e.item(v.n, 0)
	return Cut{Text: e.String(), Line: v.n.Line, Marks: e.marks(marks)}
}

// CutMap cuts a mapping out of its file, keys at the left margin.
func (v Node) CutMap() Cut {
	m := v.target()
	if v.n == m && v.end > 0 && m.Style&yaml.FlowStyle == 0 && len(m.Content) > 0 {
		key := m.Content[0]
		col := key.Column - 1
		last := v.doc.trimEnd(key.Line, v.end, col, m)
		if c, ok := v.doc.cut(v.doc.commentsAbove(key.Line, col), key.Line, last, col, m, nil, nil); ok {
			return c
		}
	}
	e := newEncoder(nil, nil)
	e.mapping(m, 0, false)
	return Cut{Text: e.String(), Line: m.Line}
}

// extent gives the first line of an element (its comments included), the line of
// its dash and the line after its last.
func (v Node) extent(list *yaml.Node) (first, dash, last int) {
	col := list.Column - 1
	dash = v.doc.dashLine(list, v.n)
	return v.doc.commentsAbove(dash, col), dash, v.doc.trimEnd(dash, v.end, col, v.n)
}

// commentsAbove gives the first of the comment lines that stand right above a line
// and are not indented deeper: those belong to what follows.
func (d *document) commentsAbove(line, col int) int {
	first := line
	for l := line - 1; l > 0; l-- {
		text := d.line(l)
		if !blankOrComment(text) || len(bytes.TrimSpace(text)) > 0 && indentOf(text) > col {
			break
		}
		if len(bytes.TrimSpace(text)) > 0 {
			first = l
		}
	}
	return first
}

// trimEnd takes off blank lines and the comments of what follows.
func (d *document) trimEnd(first, end, col int, n *yaml.Node) int {
	end = min(end, d.lines()+1)
	outer := -1
	if end <= d.lines() {
		outer = indentOf(d.line(end))
	}
	if keepsBlankLines(n) {
		return end
	}
	last := end
	for last-1 > first {
		text := d.line(last - 1)
		if len(bytes.TrimSpace(text)) == 0 {
			last--
			continue
		}
		in := indentOf(text)
		if !blankOrComment(text) || in > col || in == col && col > outer {
			break
		}
		last--
	}
	return last
}

// keepsBlankLines tells whether the value ends in a block scalar whose trailing
// blank lines are content ("|+").
func keepsBlankLines(n *yaml.Node) bool {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && (n.Value == "\n" || strings.HasSuffix(n.Value, "\n\n"))
}

func indentOf(line []byte) int {
	return len(line) - len(bytes.TrimLeft(line, " "))
}

// cut takes lines [first, last) moved left by col columns. It declines, and the
// value is written anew, where moving text could change what it means.
func (d *document) cut(first, start, last, col int, n *yaml.Node, drop, marks []Node) (Cut, bool) {
	if strings.TrimLeft(string(d.line(start)[:min(col, len(d.line(start)))]), " ") != "" ||
		len(d.text) > 0 && d.text[0] == '%' || d.aliases && foreignAlias(n, len(drop) > 0) {
		return Cut{}, false
	}
	skip := map[int]bool{}
	for _, it := range drop {
		from, to, ok := d.dropped(n, it.n)
		if !ok {
			return Cut{}, false
		}
		for l := from; l < to; l++ {
			skip[l] = true
		}
	}
	var b strings.Builder
	offsets := make(map[int]int, len(marks))
	wanted := make(map[int]bool, len(marks))
	for _, m := range marks {
		wanted[m.n.Line] = true
	}
	for l := first; l < last; l++ {
		if skip[l] {
			continue
		}
		text := d.line(l)
		in := indentOf(text)
		switch {
		case len(text) == in: // blank: what is left of its spaces may be content of a block scalar
			text = text[min(col, in):]
		case in < col && text[in] == '#' || l < start:
			text = text[min(col, in):]
		case in < col || in == col && l > start && !(n.Kind == yaml.MappingNode && n.Column-1 == col) && text[in] != '#':
			return Cut{}, false
		default:
			text = text[col:]
		}
		if wanted[l] {
			offsets[l] = b.Len()
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	c := Cut{Text: b.String(), Line: start}
	for _, m := range marks {
		at, ok := offsets[m.n.Line]
		if !ok {
			continue // in a dropped part
		}
		from, to, ok := d.scalarExtent(m.n)
		if !ok || from < col {
			return Cut{}, false
		}
		c.Marks = append(c.Marks, Mark{at + from - col, at + to - col, m.n.Value})
	}
	return c, true
}

// foreignAlias tells whether n holds an alias whose anchor is not in n (or may have been dropped).
func foreignAlias(n *yaml.Node, dropping bool) bool {
	anchors := map[*yaml.Node]bool{}
	var walk func(*yaml.Node) bool
	walk = func(n *yaml.Node) bool {
		if n.Kind == yaml.AliasNode {
			return dropping || !anchors[n.Alias]
		}
		if n.Anchor != "" {
			anchors[n] = true
		}
		for _, c := range n.Content {
			if walk(c) {
				return true
			}
		}
		return false
	}
	return walk(n)
}

// dropped finds the lines of an element somewhere inside n.
func (d *document) dropped(n, item *yaml.Node) (from, to int, ok bool) {
	var list *yaml.Node
	end := 0
	var find func(n *yaml.Node, limit int) bool
	find = func(n *yaml.Node, limit int) bool {
		for i, c := range n.Content {
			next := limit
			step := 1
			if n.Kind == yaml.MappingNode {
				step = 2 - i%2
			}
			if i+step < len(n.Content) {
				next = n.Content[i+step].Line
				if n.Kind == yaml.SequenceNode {
					next = d.dashLine(n, n.Content[i+step])
				}
			}
			if c == item {
				list, end = n, next
				return true
			}
			if find(c, next) {
				return true
			}
		}
		return false
	}
	if !find(n, d.endFrom(n)) || list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 {
		return 0, 0, false
	}
	from, _, to = Node{item, d, end}.extent(list)
	return from, to, true
}

// endFrom gives a line that n surely ends before: the first line after n's last
// value that is indented no deeper than n.
func (d *document) endFrom(n *yaml.Node) int {
	deepest := n
	for len(deepest.Content) > 0 {
		deepest = deepest.Content[len(deepest.Content)-1]
	}
	col := n.Column - 1
	for l := deepest.Line + 1; l <= d.lines(); l++ {
		text := d.line(l)
		if !blankOrComment(text) && indentOf(text) < col {
			return l
		}
	}
	return d.lines() + 1
}

// scalarExtent gives the byte columns of a one-line scalar, quotes included.
func (d *document) scalarExtent(n *yaml.Node) (from, to int, ok bool) {
	line := d.line(n.Line)
	for i := 1; i < n.Column && from < len(line); i++ {
		_, size := utf8.DecodeRune(line[from:])
		from += size
	}
	rest := line[from:]
	if len(rest) == 0 {
		return 0, 0, false
	}
	switch quote := rest[0]; {
	case quote == '\'' || quote == '"':
		for i := 1; i < len(rest); i++ {
			switch {
			case rest[i] == '\\' && quote == '"':
				i++
			case rest[i] == quote && quote == '\'' && i+1 < len(rest) && rest[i+1] == quote:
				i++
			case rest[i] == quote:
				return from, from + i + 1, true
			}
		}
	case n.Style == 0 && n.Anchor == "" && bytes.HasPrefix(rest, []byte(n.Value)):
		return from, from + len(n.Value), n.Value != ""
	}
	return 0, 0, false
}

// Cut gives "key: value" as written, at the left margin.
func (e Entry) Cut() string {
	k, v := e.Key, e.Value
	if k.n == nil || v.n == nil {
		return ""
	}
	col := k.n.Column - 1
	inBlock := strings.Trim(string(k.doc.line(k.n.Line)[:min(col, len(k.doc.line(k.n.Line)))]), " ") == ""
	if inBlock && k.end > 0 {
		pair := &yaml.Node{Kind: yaml.MappingNode, Line: k.n.Line, Column: k.n.Column, Content: []*yaml.Node{k.n, v.n}}
		last := k.doc.trimEnd(k.n.Line, k.end, col, v.n)
		if c, ok := k.doc.cut(k.n.Line, k.n.Line, last, col, pair, nil, nil); ok && last > k.n.Line {
			return c.Text
		}
	}
	enc := newEncoder(nil, nil)
	enc.mapping(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{k.n, v.n}}, 0, false)
	return enc.String()
}
