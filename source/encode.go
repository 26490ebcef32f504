package source

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// encoder writes values anew where their own text cannot be used. The library's
// encoder changes meaning (folded text gains newlines, "<<" gains a tag, an alias
// loses its anchor), so this one keeps each scalar in the style it had, resolves
// aliases and merges, and writes what was folded as a literal block.
type encoder struct {
	strings.Builder
	drop  map[*yaml.Node]bool
	want  map[*yaml.Node]int // index of each scalar whose place is asked for
	found []Mark
	open  int // length of the text after a block scalar that keeps the blank lines after it
}

func newEncoder(drop, marks []Node) *encoder {
	e := &encoder{drop: map[*yaml.Node]bool{}, want: map[*yaml.Node]int{}}
	for _, d := range drop {
		e.drop[d.n] = true
	}
	for i, m := range marks {
		e.want[m.n] = i
	}
	return e
}

// cut gives what was written, as text whose value began on a line.
func (e *encoder) cut(line int) Cut {
	if e.open > 0 && e.open == e.Len() {
		e.WriteString(closing)
	}
	slices.SortStableFunc(e.found, func(a, b Mark) int { return a.asked - b.asked })
	return Cut{Text: e.String(), Line: line, Marks: e.found}
}

func (e *encoder) pad(indent int) { e.WriteString(strings.Repeat(" ", indent)) }

// comment writes the lines of a comment that stands above or below a key or an element.
func (e *encoder) comment(text string, indent int) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		if line != "" {
			e.pad(indent)
			e.WriteString(strings.TrimSpace(line))
		}
		e.WriteByte('\n')
	}
}

// lineComment writes a comment behind a value, and ends the line.
func (e *encoder) lineComment(text string, indent int) {
	first, more, _ := strings.Cut(text, "\n")
	if first != "" {
		e.WriteString(" " + strings.TrimSpace(first))
	}
	e.WriteByte('\n')
	e.comment(more, indent)
}

// item writes "- value" and ends the line.
func (e *encoder) item(n *yaml.Node, indent int) {
	t := deref(n)
	kvs := pairs(t)
	head := n.HeadComment
	if head == "" && len(kvs) > 0 {
		head = kvs[0][0].HeadComment
	}
	e.comment(head, indent)
	e.pad(indent)
	e.WriteString("-")
	if len(kvs) > 0 && plainTag(t) && (indent == 0 || !e.inline(t)) {
		e.WriteByte(' ')
		e.mapping(kvs, indent+2, true)
	} else {
		e.value(n, indent)
	}
	if indent > 0 {
		e.comment(n.FootComment, indent)
	}
}

func plainTag(n *yaml.Node) bool { return n.Style&yaml.TaggedStyle == 0 }

func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// mapping writes the keys of a block mapping; inFirst: the cursor already stands where the first key goes.
func (e *encoder) mapping(kvs [][2]*yaml.Node, indent int, inFirst bool) {
	for i, kv := range kvs {
		key, value := kv[0], kv[1]
		if i > 0 || !inFirst {
			e.comment(key.HeadComment, indent)
			e.pad(indent)
		}
		long := isLong(key)
		if long {
			e.WriteString("? ")
		}
		e.scalar(key, indent, inBlock|asKey)
		if long {
			e.WriteByte('\n')
			e.pad(indent)
		}
		e.WriteByte(':')
		if t := deref(value); key.LineComment != "" && value.LineComment == "" && t.Kind != yaml.ScalarNode && !e.inline(t) && plainTag(t) {
			first, _, _ := strings.Cut(key.LineComment, "\n")
			e.WriteString(" " + first)
		}
		e.value(value, indent)
		e.comment(key.FootComment, indent)
	}
}

// isLong tells the keys that YAML reads only behind a "? ".
func isLong(key *yaml.Node) bool { return len(deref(key).Value) > 500 }

// pairs gives the keys and values of a mapping, merges resolved.
func pairs(n *yaml.Node) [][2]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	var out [][2]*yaml.Node
	for k, v := range (Node{n: n, doc: &document{merges: true}}).Pairs() {
		out = append(out, [2]*yaml.Node{k.n, v.n})
	}
	return out
}

// value writes what follows "key:" or "-", and ends the line.
func (e *encoder) value(n *yaml.Node, indent int) {
	t := deref(n)
	if t.Kind == yaml.ScalarNode {
		e.scalarLine(n, indent)
		return
	}
	if !plainTag(t) {
		e.WriteString(" " + tagText(t))
	}
	if e.inline(t) {
		e.WriteByte(' ')
		e.flow(t)
		e.lineComment(n.LineComment, indent)
		return
	}
	if kvs := pairs(t); len(kvs) > 0 {
		e.WriteByte('\n')
		e.mapping(kvs, indent+2, false)
		return
	}
	if t.Kind == yaml.MappingNode { // nothing but merges of empty mappings
		e.WriteString(" {}\n")
		return
	}
	e.WriteByte('\n')
	for _, c := range t.Content {
		if !e.drop[c] {
			e.item(c, indent+2)
		}
	}
}

// inline tells whether a collection goes on one line: it was written in brackets,
// or is empty, and holds nothing that needs a line of its own.
func (e *encoder) inline(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return false
	}
	return len(n.Content) == 0 || n.Style&yaml.FlowStyle != 0 && !slices.ContainsFunc(n.Content, e.needsLines)
}

// needsLines tells what cannot stand in brackets: comments, collections from
// elsewhere, what is left out, and very long keys.
func (e *encoder) needsLines(n *yaml.Node) bool {
	if n.HeadComment != "" || n.FootComment != "" || n.LineComment != "" || e.drop[n] || isLong(n) {
		return true
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias.Kind != yaml.ScalarNode
	}
	return isMerge(n) || slices.ContainsFunc(n.Content, e.needsLines)
}

func (e *encoder) flow(n *yaml.Node) {
	t := deref(n)
	switch t.Kind {
	case yaml.MappingNode:
		e.WriteByte('{')
		for i := 0; i+1 < len(t.Content); i += 2 {
			if i > 0 {
				e.WriteString(", ")
			}
			e.scalar(t.Content[i], 0, asKey)
			e.WriteString(": ")
			e.inFlow(t.Content[i+1])
		}
		e.WriteByte('}')
	case yaml.SequenceNode:
		e.WriteByte('[')
		for i, c := range t.Content {
			if i > 0 {
				e.WriteString(", ")
			}
			e.inFlow(c)
		}
		e.WriteByte(']')
	default:
		e.scalar(n, 0, 0)
	}
}

func (e *encoder) inFlow(n *yaml.Node) {
	if t := deref(n); t.Kind != yaml.ScalarNode && !plainTag(t) {
		e.WriteString(tagText(t) + " ")
	}
	e.flow(n)
}

func (e *encoder) scalarLine(n *yaml.Node, indent int) {
	t := deref(n)
	if t.Value == "" && t.Style == 0 && t.Tag == "!!null" {
		e.lineComment(n.LineComment, indent)
		return
	}
	e.WriteByte(' ')
	if !e.scalar(n, indent, inBlock) { // a block scalar has ended its last line itself
		e.lineComment(n.LineComment, indent)
	}
}

// place says where a scalar stands.
type place int

const (
	inBlock place = 1 << iota // not in brackets
	asKey
)

// scalar writes one scalar in the style it had, and tells whether it wrote a block.
func (e *encoder) scalar(n *yaml.Node, indent int, at place) (wroteBlock bool) {
	t := deref(n)
	if !plainTag(t) {
		e.WriteString(tagText(t) + " ")
	}
	asked, wanted := e.want[n]
	start := e.Len()
	style := t.Style &^ yaml.TaggedStyle
	switch {
	case style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && at == inBlock && !wanted && literalSafe(t.Value):
		e.literal(t.Value, indent+2, n.LineComment)
		wroteBlock = true
	case style&yaml.SingleQuotedStyle != 0 && oneLine(t.Value):
		e.WriteString("'" + strings.ReplaceAll(t.Value, "'", "''") + "'")
	case style == 0 && t.Value == "" && t.Tag == "!!null":
		e.WriteString("null")
	case style == 0 && staysPlain(t.Value, at):
		e.WriteString(t.Value)
	default:
		e.WriteString(quote(t.Value))
	}
	if wanted {
		e.found = append(e.found, Mark{start, e.Len(), t.Value, asked})
	}
	return wroteBlock
}

// staysPlain tells whether text that was plain where it stood is plain here too. What
// YAML reads as anything but text never holds the characters that matter.
func staysPlain(s string, at place) bool {
	switch {
	case s == "" || s == "-" || s == "?" || strings.HasSuffix(s, ":") || !oneLine(s):
		return false
	case at&inBlock == 0 && (strings.ContainsAny(s, ",[]{}?") || s[0] == ':'):
		return false
	}
	return at&asKey == 0 || !isMarker([]byte(s), "---") && !isMarker([]byte(s), "...")
}

func tagText(n *yaml.Node) string {
	if t := n.ShortTag(); strings.HasPrefix(t, "!") {
		return tagEscape(t)
	}
	return "!<" + tagEscape(n.Tag) + ">"
}

// tagEscape writes what cannot stand in a tag as it does in an address.
func tagEscape(t string) string {
	var b strings.Builder
	for i := range len(t) {
		if c := t[i]; isWordByte(c) || strings.IndexByte("!:/.-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func oneLine(s string) bool {
	for _, r := range s {
		if !printable(r) && r != '\t' {
			return false
		}
	}
	return true
}

// printable leaves out what YAML takes for a line break or must escape.
func printable(r rune) bool {
	switch r {
	case '\u0085', '\u2028', '\u2029', '\ufeff', unicode.ReplacementChar:
		return false
	}
	return r >= ' ' && r != 0x7f && (r < 0x80 || r >= 0xa0)
}

func literalSafe(s string) bool {
	if strings.Trim(s, "\n ") == "" {
		return false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if !oneLine(line) {
			return false
		}
	}
	return true
}

// literal writes a block scalar, header included, each line at the indent.
func (e *encoder) literal(s string, indent int, comment string) {
	e.WriteByte('|')
	if c := strings.TrimLeft(s, "\n"); strings.HasPrefix(c, " ") || strings.HasPrefix(c, "\t") || c != s {
		e.WriteByte('2')
	}
	body, keep := strings.TrimRight(s, "\n"), false
	switch len(s) - len(body) {
	case 0:
		e.WriteByte('-')
	case 1:
	default:
		e.WriteByte('+')
		body, keep = s[:len(s)-1], true
	}
	first, _, _ := strings.Cut(comment, "\n")
	e.lineComment(first, indent)
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			e.pad(indent)
			e.WriteString(line)
		}
		e.WriteByte('\n')
	}
	if keep {
		e.open = e.Len()
	}
}
