package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// mistake is a syntax error as a person would put it. at is an offset in the text.
type mistake struct {
	at            int
	message, hint string
}

var libraryLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// syntaxError reports what the library could not parse. Its line numbers are often
// wrong or missing and it names no columns, so the place is found against the text.
func (d *document) syntaxError(err error, sink *Sink) {
	prefix := libraryLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(prefix[1])
	m := d.diagnose(err.Error()[len(prefix[0]):], line)
	sink.Errorf(d.pos(m.at), "%s", m.message).WithHint(m.hint)
}

// pos gives the place of an offset.
func (d *document) pos(at int) Pos {
	at = min(at, len(d.text))
	line := 1
	for line < d.lines() && d.lineStart[line] <= at {
		line++
	}
	return Pos{d.name, line, utf8.RuneCount(d.text[d.lineStart[line-1]:at]) + 1}
}

// diagnose puts into words, and into its place, what the library says in its own.
func (d *document) diagnose(said string, line int) mistake {
	if at := d.controlCharacter(); at >= 0 {
		r, _ := utf8.DecodeRune(d.text[at:])
		return mistake{at, fmt.Sprintf("control character %U", r), `remove it, or write it as an escape in double quotes, such as "\x1b"`}
	}
	if m, found := d.conflict(); found {
		return m
	}
	stop := d.stop()
	if name, is := strings.CutPrefix(said, "unknown anchor '"); is {
		name, _, _ = strings.Cut(name, "'")
		at := max(0, bytes.LastIndex(d.text[:stop], []byte("*"+name)))
		return mistake{
			at, fmt.Sprintf("alias *%s has no anchor &%s before it", name, name),
			"quote the value if it only begins with *; an anchor must stand earlier in the same file",
		}
	}
	if m, found := d.badStart(said, stop); found {
		return m
	}
	if strings.Contains(said, "unexpected end of stream") || strings.Contains(said, "document indicator") {
		// A quote that was never closed: the library names the line where it was opened,
		// but not when that is the first.
		for _, l := range []int{line, 1} {
			if m, found := d.openQuote(l); found {
				return m
			}
		}
	}
	return d.lineMistake(d.firstBadLine(d.pos(max(0, stop-1)).Line, line), said)
}

// controlCharacter finds the first character that YAML does not allow; -1 for none.
func (d *document) controlCharacter() int {
	return bytes.IndexFunc(d.text, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff
	})
}

// stop gives how far the library reads until it gives up, by feeding it byte by byte.
func (d *document) stop() int {
	r := &byteReader{text: d.text}
	dec := yaml.NewDecoder(r)
	for {
		var n yaml.Node
		if guard(func() error { return dec.Decode(&n) }) != nil {
			return r.at
		}
	}
}

type byteReader struct {
	text []byte
	at   int
}

func (r *byteReader) Read(p []byte) (int, error) {
	if r.at == len(r.text) {
		return 0, io.EOF
	}
	p[0] = r.text[r.at]
	r.at++
	return 1, nil
}

// badStart finds a character that no value can begin with. The library sees a few
// characters beyond it.
func (d *document) badStart(said string, stop int) (mistake, bool) {
	const ahead = 6
	from := max(0, stop-ahead)
	near := d.text[from:stop]
	first := func(chars string) int {
		for i, c := range near {
			if strings.IndexByte(chars, c) >= 0 && (from+i == 0 || strings.IndexByte(" \t\n[{,-:?", d.text[from+i-1]) >= 0) {
				return from + i
			}
		}
		return -1
	}
	switch {
	case strings.Contains(said, "found a tab character"), strings.Contains(said, "cannot start any token") && first("@`%") < 0:
		if at := bytes.LastIndexByte(d.text[:stop], '\t'); at >= 0 {
			return mistake{at, "a tab where only spaces can stand", "indent with spaces"}, true
		}
	case strings.Contains(said, "cannot start any token"):
		at := first("@`%")
		if at > 0 && d.text[at-1] == '{' && d.text[at] == '%' {
			return mistake{at - 1, "a value that begins with {% must be quoted", "put the whole value in quotes"}, true
		}
		return mistake{at, fmt.Sprintf("a value cannot begin with %c", d.text[at]), "put the whole value in quotes"}, true
	case strings.Contains(said, "expected alphabetic or numeric"):
		if at := first("*&"); at >= 0 {
			return mistake{at, fmt.Sprintf("a value cannot begin with %c", d.text[at]), "put the whole value in quotes"}, true
		}
	case strings.Contains(said, "escape character"), strings.Contains(said, "hexdecimal"), strings.Contains(said, "Unicode character escape"):
		if at := bytes.LastIndexByte(d.text[:stop], '\\'); at >= 0 {
			return mistake{at, `an unknown escape in double quotes`, `write \\ for a backslash, or use single quotes`}, true
		}
	case strings.Contains(said, "directive"):
		if at := bytes.LastIndexByte(d.text[:stop], '%'); at >= 0 {
			return mistake{at, "a directive that YAML does not know", "remove the line; quote a value that begins with %"}, true
		}
	case strings.Contains(said, "tag handle"), strings.Contains(said, "expected '>'"), strings.Contains(said, "tag URI"), strings.Contains(said, "expected whitespace"):
		if at := bytes.LastIndexByte(d.text[:stop], '!'); at >= 0 {
			for at > 0 && strings.IndexByte(" \t\n[{,", d.text[at-1]) < 0 {
				at--
			}
			return mistake{at, "a tag that YAML cannot read", "write !name; quote a value that begins with !"}, true
		}
	case strings.Contains(said, "expected comment or line break"):
		if at := bytes.LastIndexAny(d.text[:stop], "|>"); at >= 0 {
			return mistake{at, fmt.Sprintf("text behind %c", d.text[at]), "begin the text on the next line, or quote the value"}, true
		}
	}
	return mistake{}, false
}

// openQuote finds a quote that is opened on a line and not closed on it.
func (d *document) openQuote(line int) (mistake, bool) {
	text := d.line(line)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '#' && (i == 0 || text[i-1] == ' '):
			return mistake{}, false
		case c != '"' && c != '\'', i > 0 && strings.IndexByte(" \t[{,:-!", text[i-1]) < 0:
		default:
			at := d.lineStart[line-1] + i
			end := d.quoteEnd(at)
			if end == at || end > d.lineStart[line-1]+len(text) {
				return mistake{at, fmt.Sprintf("a quote (%c) is opened here and not closed on this line", c), "close it" + doubled(c)}, true
			}
			i = end - d.lineStart[line-1] - 1
		}
	}
	return mistake{}, false
}

func doubled(quote byte) string {
	if quote == '\'' {
		return "; a quote within is written twice ('')"
	}
	return ""
}

// firstBadLine gives the line after the longest run of whole lines that parses, going
// back from where the library stopped. Prefixes can fail in the middle of a value and
// parse later, so there is no halving; a large file gets as many tries as cost about
// what parsing a few megabytes costs, then the library's own line is believed.
func (d *document) firstBadLine(stop, said int) int {
	budget := 4 << 20
	good := -1
	for k := min(stop, d.lines()-1); k >= 0 && budget > 0; k-- {
		prefix := d.text[:d.lineStart[k]]
		budget -= len(prefix) + 4096
		if parses(prefix) {
			good = k
			break
		}
	}
	switch {
	case good >= 0:
	case said > 0 && said < stop && parses(d.text[:d.lineStart[said-1]]):
		good = said - 1
	default:
		good = stop - 1
	}
	bad := good + 1
	for bad < d.lines() && d.idle(bad) {
		bad++
	}
	return bad
}

// parses tells whether a text is one YAML document, or none.
func parses(text []byte) bool {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for range 2 {
		var n yaml.Node
		if err := guard(func() error { return dec.Decode(&n) }); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
	return false
}
