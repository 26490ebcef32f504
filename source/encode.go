package source

import (
	"fmt"
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
	want  map[*yaml.Node]bool
	found map[*yaml.Node]Mark
}

func newEncoder(drop, marks []Node) *encoder {
	e := &encoder{drop: map[*yaml.Node]bool{}, want: map[*yaml.Node]bool{}, found: map[*yaml.Node]Mark{}}
	for _, d := range drop {
		e.drop[d.n] = true
	}
	for _, m := range marks {
		e.want[m.n] = true
	}
	return e
}

// marks gives the places of the wanted scalars, in the order asked for.
func (e *encoder) marks(asked []Node) []Mark {
	var out []Mark
	for _, m := range asked {
		if at, ok := e.found[m.n]; ok {
			out = append(out, at)
		}
	}
	return out
}

func (e *encoder) pad(indent int) { e.WriteString(strings.Repeat(" ", indent)) }

// comment writes the lines of a comment that stands above a key or an element.
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

// item writes "- value" and ends the line.
func (e *encoder) item(n *yaml.Node, indent int) {
	e.comment(n.HeadComment, indent)
	e.pad(indent)
	e.WriteString("-")
	t := deref(n)
	switch {
	case t.Kind == yaml.MappingNode && len(t.Content) > 0 && e.plainTag(t) && (indent == 0 || !e.inline(t)):
		e.WriteByte(' ')
		e.mapping(t, indent+2, true)
	default:
		e.value(n, indent)
	}
}

func (e *encoder) plainTag(n *yaml.Node) bool { return n.Style&yaml.TaggedStyle == 0 }

func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// mapping writes the keys of a block mapping; inFirst: the cursor already stands where the first key goes.
func (e *encoder) mapping(n *yaml.Node, indent int, inFirst bool) {
	for i, kv := range pairs(n) {
		if i > 0 || !inFirst {
			e.comment(kv[0].HeadComment, indent)
			e.pad(indent)
		}
		e.scalar(deref(kv[0]), indent, true, true)
		e.WriteByte(':')
		if kv[0].LineComment != "" && kv[1].LineComment == "" && deref(kv[1]).Kind != yaml.ScalarNode && !e.inline(deref(kv[1])) {
			e.WriteString(" " + kv[0].LineComment)
		}
		e.value(kv[1], indent)
	}
}

// pairs gives the keys and values of a mapping, merges resolved.
func pairs(n *yaml.Node) [][2]*yaml.Node {
	v := Node{n: n, doc: &document{}}
	var out [][2]*yaml.Node
	for _, e := range v.Entries() {
		out = append(out, [2]*yaml.Node{e.Key.n, e.Value.n})
	}
	return out
}

// value writes what follows "key:" or "-", and ends the line.
func (e *encoder) value(n *yaml.Node, indent int) {
	t := deref(n)
	if t.Kind != yaml.ScalarNode && !e.plainTag(t) {
		e.WriteString(" " + tagText(t))
	}
	switch {
	case t.Kind == yaml.ScalarNode:
		e.scalarLine(t, indent)
	case e.inline(t):
		e.WriteByte(' ')
		e.flow(t)
		e.line(t)
	case t.Kind == yaml.MappingNode:
		e.WriteByte('\n')
		e.mapping(t, indent+2, false)
	default:
		e.WriteByte('\n')
		for _, c := range t.Content {
			if !e.drop[c] {
				e.item(c, indent+2)
			}
		}
	}
}

func (e *encoder) line(n *yaml.Node) {
	if n.LineComment != "" {
		e.WriteString(" " + n.LineComment)
	}
	e.WriteByte('\n')
}

// inline tells whether a collection goes on one line: it was written in brackets,
// or is empty, and holds nothing that needs a line of its own.
func (e *encoder) inline(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return false
	}
	if len(n.Content) == 0 {
		return true
	}
	if n.Style&yaml.FlowStyle == 0 {
		return false
	}
	var fits func(*yaml.Node) bool
	fits = func(n *yaml.Node) bool {
		n = deref(n)
		if n.HeadComment != "" || n.FootComment != "" || n.LineComment != "" && n.Kind != yaml.ScalarNode || e.drop[n] {
			return false
		}
		for _, c := range n.Content {
			if !fits(c) {
				return false
			}
		}
		return true
	}
	for _, c := range n.Content {
		if !fits(c) {
			return false
		}
	}
	return true
}

func (e *encoder) flow(n *yaml.Node) {
	t := deref(n)
	if t.Kind != yaml.ScalarNode && t != n && !e.plainTag(t) {
		e.WriteString(tagText(t) + " ")
	}
	switch t.Kind {
	case yaml.MappingNode:
		e.WriteByte('{')
		for i, kv := range pairs(t) {
			if i > 0 {
				e.WriteString(", ")
			}
			e.scalar(deref(kv[0]), 0, false, true)
			e.WriteString(": ")
			e.flow(kv[1])
		}
		e.WriteByte('}')
	case yaml.SequenceNode:
		e.WriteByte('[')
		for i, c := range t.Content {
			if i > 0 {
				e.WriteString(", ")
			}
			e.flow(c)
		}
		e.WriteByte(']')
	default:
		e.scalar(t, 0, false, false)
	}
}

func (e *encoder) scalarLine(n *yaml.Node, indent int) {
	if n.Value == "" && n.Style == 0 && n.ShortTag() == "!!null" {
		e.line(n)
		return
	}
	e.WriteByte(' ')
	if e.scalar(n, indent, true, false) {
		return // a block scalar has ended its last line itself
	}
	e.line(n)
}

// scalar writes one scalar in the style it had, and tells whether it wrote a block.
func (e *encoder) scalar(n *yaml.Node, indent int, block, key bool) bool {
	if n.Style&yaml.TaggedStyle != 0 {
		e.WriteString(tagText(n) + " ")
	}
	start := e.Len()
	wroteBlock := false
	flowUnsafe := !block && strings.ContainsAny(n.Value, ",[]{}")
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && block && !key && literalSafe(n.Value):
		e.literal(n.Value, indent+2)
		wroteBlock = true
	case n.Style&yaml.SingleQuotedStyle != 0 && oneLine(n.Value):
		e.WriteString("'" + strings.ReplaceAll(n.Value, "'", "''") + "'")
	case n.Style&^yaml.TaggedStyle == 0 && n.Value == "" && n.ShortTag() == "!!null":
		e.WriteString("null")
	case n.Style&^yaml.TaggedStyle == 0 && oneLine(n.Value) && !flowUnsafe && n.Value != "":
		e.WriteString(n.Value)
	default:
		e.WriteString(quote(n.Value))
	}
	if e.want[n] {
		e.found[n] = Mark{start, e.Len(), n.Value}
	}
	return wroteBlock
}

func tagText(n *yaml.Node) string {
	if t := n.ShortTag(); strings.HasPrefix(t, "!") {
		return t
	}
	return "!<" + n.Tag + ">"
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
func (e *encoder) literal(s string, indent int) {
	e.WriteByte('|')
	if c := strings.TrimLeft(s, "\n"); strings.HasPrefix(c, " ") || strings.HasPrefix(c, "\t") || c != s {
		e.WriteByte('2')
	}
	body := strings.TrimRight(s, "\n")
	switch len(s) - len(body) {
	case 0:
		e.WriteByte('-')
	case 1:
	default:
		e.WriteByte('+')
		body = s[:len(s)-1]
	}
	e.WriteByte('\n')
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			e.pad(indent)
			e.WriteString(line)
		}
		e.WriteByte('\n')
	}
}

// Quote gives a string as a YAML value: plain where that is surely read as the
// same text by every YAML version, else in double quotes.
func Quote(s string) string {
	if plainWord(s) {
		return s
	}
	return quote(s)
}

func plainWord(s string) bool {
	if s == "" || !oneLine(s) || strings.TrimSpace(s) != s || strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return false
	}
	first := rune(s[0])
	if !unicode.IsLetter(first) && first != '/' && first != '_' {
		return false
	}
	if strings.ContainsAny(s, "{}[]\t") {
		return false
	}
	var n yaml.Node
	if _, isBool := ParseBool(s); isBool || strings.EqualFold(s, "y") || strings.EqualFold(s, "n") {
		return false
	}
	n.SetString(s)
	n.Style, n.Tag = 0, ""
	return n.ShortTag() == "!!str"
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case printable(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
