package playbooks

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// writer builds one YAML file and counts its lines, so that a line can be traced to
// the source it came from.
type writer struct {
	strings.Builder
	lines   int
	origins []origin
	guards  guards // of upstep's own tasks
}

// linef writes one line; a blank one only where the line before is not blank too.
func (w *writer) linef(format string, args ...any) {
	if format == "" && strings.HasSuffix(w.String(), "\n\n") {
		return
	}
	fmt.Fprintf(&w.Builder, format, args...)
	w.WriteByte('\n')
	w.lines++
}

// gap sets a task off from the one before it.
func (w *writer) gap() {
	if !strings.HasSuffix(w.String(), ":\n") {
		w.linef("")
	}
}

// text writes lines of source text, moved right by indent columns.
func (w *writer) text(s string, indent int) {
	pad := strings.Repeat(" ", indent)
	for len(s) > 0 {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		if line != "" {
			w.WriteString(pad)
			w.WriteString(line)
		}
		w.WriteByte('\n')
		w.lines++
	}
}

// value writes a key with a text of an author's, which may be long.
func (w *writer) value(indent int, key, text string) {
	w.folded(strings.Repeat(" ", indent)+key+":", indent+2, text)
}

// element writes such a text as an element of a list.
func (w *writer) element(indent int, text string) {
	w.folded(strings.Repeat(" ", indent)+"-", indent+2, text)
}

// folded writes a text on the line of its head, or folded where that would be too long a
// line. It is folded at single spaces only: those come back when it is read.
func (w *writer) folded(head string, indent int, text string) {
	const width, most = 110, 140
	line := head + " " + source.Quote(text)
	lines := []string{""}
	for _, word := range strings.SplitAfter(text, " ") {
		last := &lines[len(lines)-1]
		if len(*last)+len(word) > width && strings.HasSuffix(*last, " ") && !strings.HasSuffix(*last, "  ") && !strings.HasPrefix(word, " ") {
			*last = strings.TrimSuffix(*last, " ")
			lines = append(lines, "")
			last = &lines[len(lines)-1]
		}
		*last += word
	}
	foldable := strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' || hidden(r) })
	if len(line) <= most || len(lines) == 1 || !foldable {
		w.linef("%s", line)
		return
	}
	w.linef("%s >-", head)
	for _, l := range lines {
		w.linef("%s%s", strings.Repeat(" ", indent), l)
	}
}

// traced writes source text and notes where it came from: line is the source line
// of its first line that is no comment.
func (w *writer) traced(s string, indent int, file string, line int) {
	head := 0
	for rest := s; strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, "\n"); {
		_, after, found := strings.Cut(rest, "\n")
		if !found {
			break
		}
		rest = after
		head++
	}
	start := w.lines + 1
	w.text(s, indent)
	w.origins = append(w.origins, origin{from: start, to: w.lines + 1, file: file, line: line - head})
}

// made notes what the lines from a line on were made for.
func (w *writer) made(from int, at planner.Place) {
	if at.File != "" {
		w.origins = append(w.origins, origin{from: from, to: w.lines + 1, file: at.File, line: at.Line, around: true})
	}
}

// madeFor notes what the whole file is made for.
func (w *writer) madeFor(at planner.Place) {
	w.origins = append(w.origins, origin{from: 1, to: wholeFile, file: at.File, line: at.Line, around: true})
}

// comment writes a comment, broken at 110 columns.
func (w *writer) comment(text string) {
	const width = 110
	pad := "#"
	line := pad
	for word := range strings.FieldsSeq(visible(text)) {
		if len(line)+1+len(word) > width && line != pad {
			w.linef("%s", line)
			line = pad + "  "
		}
		line += " " + word
	}
	w.linef("%s", line)
}

// visible gives a text with escapes in the place of what no terminal should get and no
// YAML file may hold, not even in a comment: control characters, broken UTF-8, marks that
// turn the direction of reading. Spaces stay.
func visible(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !hidden(r):
			b.WriteRune(r)
		default:
			b.WriteString(source.Escape(r))
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return r == utf8.RuneError || !unicode.IsPrint(r) && r != '\t' && r != '\n' && r != '\r' && !unicode.Is(unicode.Zs, r)
}
