package source

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// document is a parsed file. It is not changed once Parse has given it out.
type document struct {
	name      string
	text      []byte
	lineStart []int        // byte offset of every line's start
	end       int          // the line after the last of the document's content
	anchors   bool         // the file holds anchors
	merges    bool         // the file holds merge keys
	uncut     bool         // lines cannot be cut out: see newDocument
	hidden    map[int]bool // lines that begin with # and are text in quotes, no comments
}

func newDocument(f File, ascii bool) *document {
	d := &document{name: f.Name, text: f.Text}
	// YAML 1.1 breaks lines at these too. Hardly an editor does, so nothing is lost by
	// writing values of such a file anew; a directive gives tags a meaning that a piece
	// of the text alone would lose.
	odd := oddBreaks(f.Text, ascii)
	d.uncut = odd || bytes.HasPrefix(f.Text, []byte{'%'})
	d.lineStart = make([]int, 1, bytes.Count(f.Text, []byte{'\n'})+2)
	for at := 0; ; {
		n := bytes.IndexByte(f.Text[at:], '\n')
		if odd {
			n = nextBreak(f.Text[at:])
		}
		if n < 0 {
			break
		}
		if at += n + 1; at < len(f.Text) {
			switch f.Text[at] {
			case '%':
				d.uncut = true
			case '.':
				if d.end == 0 && isMarker(firstLine(f.Text[at:]), "...") {
					d.end = len(d.lineStart) + 1
				}
			}
		}
		d.lineStart = append(d.lineStart, at)
	}
	if d.end == 0 {
		d.end = d.lines() + 1
	}
	return d
}

func firstLine(text []byte) []byte {
	if n := bytes.IndexAny(text, "\r\n"); n >= 0 {
		return text[:n]
	}
	return text
}

// oddBreaks tells whether the text breaks lines at anything but \n and \r\n, or has a
// byte order mark within, which is skipped at the start of a line.
func oddBreaks(text []byte, ascii bool) bool {
	for at := 0; ; {
		n := bytes.IndexByte(text[at:], '\r')
		if n < 0 {
			break
		}
		if at += n + 1; at == len(text) || text[at] != '\n' {
			return true
		}
	}
	if ascii {
		return false
	}
	for _, b := range []string{"\u0085", "\u2028", "\u2029", "\ufeff"} {
		if bytes.Contains(text, []byte(b)) {
			return true
		}
	}
	return false
}

// nextBreak gives the last byte of the first line break of any kind.
func nextBreak(text []byte) int {
	for i, c := range text {
		switch rest := text[i:]; {
		case c == '\n', c == '\r' && (len(rest) == 1 || rest[1] != '\n'):
			return i
		case c == '\xc2' && bytes.HasPrefix(rest, []byte("\u0085")):
			return i + 1
		case c == '\xe2' && (bytes.HasPrefix(rest, []byte("\u2028")) || bytes.HasPrefix(rest, []byte("\u2029"))):
			return i + 2
		}
	}
	return -1
}

// lines is the number of lines that hold anything.
func (d *document) lines() int {
	n := len(d.lineStart)
	if n > 1 && d.lineStart[n-1] == len(d.text) {
		n--
	}
	return n
}

// secondDocument gives the line of the "---" that opens a second document; 0 for none.
func (d *document) secondDocument() int {
	begun := false
	for l := 1; l <= d.lines(); l++ {
		switch text := d.line(l); {
		case isMarker(text, "---") && begun:
			return l
		case isMarker(text, "---"):
			begun = true
		case !d.idle(l) && text[0] != '%':
			begun = true
		}
	}
	return 0
}

// isMarker tells whether a line is one of YAML's document markers, "---" or "...".
func isMarker(line []byte, marker string) bool {
	return bytes.HasPrefix(line, []byte(marker)) && (len(line) == 3 || line[3] == ' ' || line[3] == '\t')
}

// line gives line n (from 1) without its line break.
func (d *document) line(n int) []byte {
	if n < 1 || n > len(d.lineStart) {
		return nil
	}
	start, end := d.lineStart[n-1], len(d.text)
	if n < len(d.lineStart) {
		end = d.lineStart[n] - 1
		if d.text[end] != '\n' && d.text[end] != '\r' { // an odd line break, of several bytes
			return bytes.TrimRight(d.text[start:end+1], "\u0085\u2028\u2029")
		}
	}
	if end > start && d.text[end-1] == '\r' {
		end--
	}
	return d.text[start:end]
}

func indentOf(line []byte) int {
	for i, c := range line {
		if c != ' ' {
			return i
		}
	}
	return len(line)
}

// blank tells whether a line has nothing but spaces and tabs. Other white space is text.
func blank(line []byte) bool { return len(bytes.TrimLeft(line, " \t")) == 0 }

// comment tells whether a line holds a comment and nothing else.
func (d *document) comment(l int) bool {
	t := bytes.TrimLeft(d.line(l), " \t")
	return len(t) > 0 && t[0] == '#' && !d.hidden[l]
}

// hideQuoted finds the lines that only look like comments: those that begin inside a
// quoted text. Only a line on which the text also ends can be mistaken for one, so
// files without a quote in any such line, which is nearly all, cost next to nothing.
func (d *document) hideQuoted(top *yaml.Node) {
	if !d.quoteInComment() {
		return
	}
	d.hidden = map[int]bool{}
	at := cursor{d: d}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			to := d.quoteEnd(d.skipProperties(at.offset(n.Line, n.Column)))
			for l := n.Line; l < len(d.lineStart) && d.lineStart[l] < to; l++ {
				d.hidden[l+1] = true
			}
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(top)
}

// quoteInComment tells whether a line that begins with # holds a quote.
func (d *document) quoteInComment() bool {
	for at := 0; at < len(d.text); {
		n := bytes.IndexByte(d.text[at:], '#')
		if n < 0 {
			return false
		}
		hash := at + n
		at = len(d.text)
		if n := bytes.IndexByte(d.text[hash:], '\n'); n >= 0 {
			at = hash + n + 1
		}
		start := bytes.LastIndexByte(d.text[:hash], '\n') + 1
		if bytes.ContainsAny(d.text[hash:at], `"'`) && (d.uncut || blank(d.text[start:hash])) {
			return true
		}
	}
	return false
}

// quoteEnd gives the offset after a quoted text that begins at an offset, or the
// offset itself when none does.
func (d *document) quoteEnd(from int) int {
	if from >= len(d.text) || d.text[from] != '\'' && d.text[from] != '"' {
		return from
	}
	quote := d.text[from]
	for i := from + 1; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == quote && quote == '\'' && i+1 < len(d.text) && d.text[i+1] == quote:
			i++
		case c == quote:
			return i + 1
		}
	}
	return from
}

// skipProperties steps over a value's anchor and tag, to the value itself.
func (d *document) skipProperties(at int) int {
	const space = " \t\r\n"
	for at < len(d.text) {
		stop := 1
		switch c := d.text[at]; {
		case strings.IndexByte(space, c) >= 0:
		case c == '&' || c == '!':
			stop = bytes.IndexAny(d.text[at:], space)
		case c == '#':
			stop = bytes.IndexByte(d.text[at:], '\n')
		default:
			return at
		}
		if stop < 0 {
			return len(d.text)
		}
		at += stop
	}
	return at
}

// cursor turns lines and columns, which count characters, into byte offsets. It goes
// on from where it was, so that many places on one long line cost one walk along it.
type cursor struct {
	d              *document
	line, col, off int
}

func (c *cursor) offset(line, col int) int {
	if line < 1 || line > len(c.d.lineStart) {
		return len(c.d.text)
	}
	if line != c.line || col < c.col {
		c.line, c.col, c.off = line, 1, c.d.lineStart[line-1]
	}
	for c.col < col && c.off < len(c.d.text) {
		_, n := utf8.DecodeRune(c.d.text[c.off:])
		c.off += n
		c.col++
	}
	return c.off
}
