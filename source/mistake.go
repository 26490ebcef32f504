package source

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

var (
	keyStart    = regexp.MustCompile(`^( *(?:- +)*)("[^"]*"|'[^']*'|[^\s"'\[{#-][^:#]*?|-[^\s:#][^:#]*?):(?:[ \t]+|$)`)
	blockHeader = regexp.MustCompile(`(?:^|[ :])[|>][-+0-9]{0,2}[ \t]*(?:#.*)?$`)
	narrowDash  = regexp.MustCompile(`^ *(?:- +)*(-)["'{A-Za-z_][^#]*(?::(?:[ \t]|$)|\}$)`)
	innerColon  = regexp.MustCompile(`:(?:[ \t]|$)`)
)

// lineMistake says what is wrong with a line that does not follow from those above
// it: the slips that people make, most likely first.
func (d *document) lineMistake(line int, said string) mistake {
	text := d.line(line)
	in := indentOf(text)
	at := d.lineStart[line-1] + in
	if strings.Contains(said, "<document start>") {
		return mistake{at, "text behind the end of the file's one value", "only one mapping or one list can stand at the top"}
	}
	if m, found := d.oddSpace(line); found {
		return m
	}
	if m, found := d.openQuote(line); found {
		return m
	}
	if m, found := d.dashWithoutSpace(line); found {
		return m
	}
	value, hasKey := in, false
	if key := keyStart.FindSubmatchIndex(text); key != nil {
		value, hasKey = key[1], true
	} else {
		for bytes.HasPrefix(text[value:], []byte("- ")) {
			value += 2 + indentOf(text[value+2:])
		}
	}
	rest := bytes.TrimRight(text[value:], " \t")
	here := d.lineStart[line-1] + value
	switch {
	case bytes.HasPrefix(rest, []byte("{{")):
		return jinja(here, rest)
	case len(rest) > 0 && (rest[0] == '"' || rest[0] == '\''):
		if end := d.quoteEnd(here); end > here && end < here+len(rest) {
			return mistake{end, "text behind the closing quote", requote(rest)}
		}
	case len(rest) > 0 && rest[0] == ',':
		return mistake{here, "a value cannot begin with ,", "put the whole value in quotes"}
	case len(rest) > 0 && bytes.IndexByte([]byte("[{]}"), rest[0]) >= 0:
		if m, found := bracket(here, rest); found {
			return m
		}
	case hasKey && len(rest) > 0 && innerColon.Match(rest):
		return mistake{here + innerColon.FindIndex(rest)[0], `": " inside a value that is not quoted`, "put the whole value in quotes"}
	}
	if m, found := d.indentMistake(line, hasKey); found {
		return m
	}
	if !hasKey && strings.Contains(said, "could not find expected ':'") {
		return noColon(at, text)
	}
	return mistake{at, "invalid YAML: " + said, "check the indentation, brackets and quotes of this line and of the one above"}
}

// conflict finds what git leaves in a file where two changes meet.
func (d *document) conflict() (mistake, bool) {
	for l := 1; l <= d.lines(); l++ {
		text := d.line(l)
		for _, mark := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
			if rest, is := bytes.CutPrefix(text, []byte(mark)); is && (len(rest) == 0 || rest[0] == ' ') {
				return mistake{d.lineStart[l-1], "a merge that was not resolved", "keep what holds of the two sides, and take away the lines that begin with <<<<<<<, ======= and >>>>>>>"}, true
			}
		}
	}
	return mistake{}, false
}

// above gives the nearest line above that holds anything but a comment; 0 for none.
func (d *document) above(line int) int {
	for line--; line > 0 && d.idle(line); line-- {
	}
	return line
}

// oddSpace finds a character that looks like a space and is none, where a line or the
// one above it is indented.
func (d *document) oddSpace(line int) (mistake, bool) {
	for _, l := range []int{d.above(line), line} {
		if l == 0 {
			continue
		}
		at := d.lineStart[l-1]
		for i, r := range string(d.line(l)) {
			switch {
			case r == ' ' || r == '-' || r == '\t':
				continue
			case r > ' ' && unicode.IsSpace(r):
				return mistake{at + i, fmt.Sprintf("%U where only spaces can stand: it looks like a space and is none", r), "type a space in its place"}, true
			}
			break
		}
	}
	return mistake{}, false
}

// dashWithoutSpace finds -name: where a list element was meant, on a line or the one above.
func (d *document) dashWithoutSpace(line int) (mistake, bool) {
	for _, l := range []int{d.above(line), line} {
		if m := narrowDash.FindSubmatchIndex(d.line(l)); m != nil {
			return mistake{d.lineStart[l-1] + m[2], "a dash without a space behind it", `put a space behind the dash: "- "`}, true
		}
	}
	return mistake{}, false
}

// requote says how to quote a value that begins with a quote and goes on behind its end.
func requote(value []byte) string {
	single, double := bytes.Count(value, []byte{'\''}), bytes.Count(value, []byte{'"'})
	switch {
	case single == 0:
		return "put single quotes around the whole value"
	case double == 0 && single%2 == 0 && bytes.IndexByte(value, '\\') < 0: // an odd one is a quote within the text
		return "put double quotes around the whole value"
	}
	return "put single quotes around the whole value; a quote within is written twice ('')"
}

func noColon(at int, text []byte) mistake {
	hint := `write KEY: VALUE`
	if bytes.IndexByte(text, ':') >= 0 {
		hint = `put a space after ":"`
	}
	return mistake{at, `a key without ": "`, hint}
}

// jinja is the mistake of an expression that YAML reads as a mapping.
func jinja(at int, value []byte) mistake {
	hint := "put the whole value in double quotes"
	if v := string(value); len(v) < 60 && balanced(v, "{", "}") && balanced(v, "[", "]") && !strings.ContainsAny(v, `"#\`) {
		hint = `write "` + v + `"`
	}
	return mistake{at, "a value that begins with {{ must be quoted", hint}
}

func balanced(s, open, closing string) bool {
	return strings.Count(s, open) == strings.Count(s, closing)
}

// bracket finds brackets on one line that do not match.
func bracket(at int, text []byte) (mistake, bool) {
	closes := map[byte]byte{'[': ']', '{': '}'}
	var open []int
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			if n := bytes.IndexByte(text[i+1:], c); n >= 0 {
				i += n + 1
			}
		case '[', '{':
			open = append(open, i)
		case ']', '}':
			if len(open) == 0 {
				return mistake{at + i, fmt.Sprintf("%c closes nothing", c), "remove it, or open a bracket before it"}, true
			}
			if o := open[len(open)-1]; closes[text[o]] != c {
				return mistake{at + i, fmt.Sprintf("%c where %c is expected", c, closes[text[o]]), fmt.Sprintf("%c is closed by %c", text[o], closes[text[o]])}, true
			}
			after := bytes.TrimLeft(text[i+1:], " \t")
			if open = open[:len(open)-1]; len(open) == 0 && len(after) > 0 && after[0] != '#' {
				return mistake{at + len(text) - len(after), "text behind the closing bracket", "put the whole value in quotes if the brackets are part of it"}, true
			}
		}
	}
	if len(open) > 0 {
		o := open[len(open)-1]
		return mistake{at + o, fmt.Sprintf("%c is opened here and not closed", text[o]), fmt.Sprintf("close it with %c; quote a value that only begins with it", closes[text[o]])}, true
	}
	return mistake{}, false
}

// indentMistake compares a line's indentation with the lines above it.
func (d *document) indentMistake(line int, hasKey bool) (mistake, bool) {
	text := d.line(line)
	in := indentOf(text)
	at := d.lineStart[line-1] + in
	dash := bytes.HasPrefix(text[in:], []byte("-")) && (len(text) == in+1 || text[in+1] == ' ')
	above := d.above(line)
	if above == 0 || !hasKey && !dash {
		return d.underBlock(line)
	}
	over := d.line(above)
	level := columnOfKey(over)
	deeper, block := in > level, keyStart.Match(over) && len(bytes.TrimSpace(over[keyStart.FindIndex(over)[1]:])) == 0
	switch {
	case deeper && !block && !keyStart.Match(over) && !dashed(over):
		return noColon(d.lineStart[above-1]+level, over), true
	case deeper && !block:
		return mistake{at, "indented deeper than the line above, which has its value already", indentBy(level)}, true
	case in == level && hasKey && !keyStart.Match(over) && !dashed(over):
		return noColon(d.lineStart[above-1]+level, over), true
	}
	// The blocks that are open here: each line above that is indented less than those between.
	low, near := in+len(text)+1, -1
	for l := above; l > 0 && low > 0; l-- {
		if d.idle(l) {
			continue
		}
		t := d.line(l)
		for _, col := range []int{columnOfKey(t), indentOf(t)} {
			if col >= low || col < in && near >= 0 {
				continue
			}
			switch isDash := dashed(t) && col == indentOf(t); {
			case col > in:
				near = col
			case col == in && dash && !isDash:
				return mistake{at, "a list element where a key is expected", "take off the dash, or indent it as the list that it belongs to"}, true
			case col == in && !dash && isDash:
				return mistake{at, "a key where a list element is expected", indentBy(in+2) + " if it belongs to the element above, or begin it with a dash"}, true
			case near < 0:
				near = col
			}
			low = min(low, col)
		}
		if low <= in {
			break
		}
	}
	if near >= 0 {
		return mistake{at, "indented by " + spaces(in) + ", as nothing above it is", indentBy(near) + ", or as the line that it belongs beside"}, true
	}
	return mistake{}, false
}

// underBlock finds text that is indented less than the block scalar it follows.
func (d *document) underBlock(line int) (mistake, bool) {
	in := indentOf(d.line(line))
	for l := line - 1; l > 0; l-- {
		if d.idle(l) {
			continue
		}
		if t := d.line(l); indentOf(t) < in {
			if !blockHeader.Match(t) {
				break
			}
			return mistake{d.lineStart[line-1] + in, "text indented less than the first line of its block", "indent every line of the block as its first"}, true
		}
	}
	return mistake{}, false
}

// columnOfKey is where the key of a line stands, behind any dashes.
func columnOfKey(text []byte) int {
	col := indentOf(text)
	for bytes.HasPrefix(text[col:], []byte("- ")) {
		col += 2 + indentOf(text[col+2:])
	}
	return col
}

func dashed(text []byte) bool { return bytes.HasPrefix(text[indentOf(text):], []byte("- ")) }

func indentBy(n int) string {
	if n == 0 {
		return "begin it at the left margin"
	}
	return "indent it by " + spaces(n)
}

func spaces(n int) string {
	if n == 1 {
		return "1 space"
	}
	return fmt.Sprintf("%d spaces", n)
}
