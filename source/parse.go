// Package source reads strict YAML: every value knows its place, every mistake is
// reported with file, line, column and a way to mend it, and a task's own source
// text can be cut out unchanged.
package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"gopkg.in/yaml.v3" // the only import of it in the project: replacing it is a one-line decision
)

// Limits on what one file may hold; beyond them it is refused, not truncated.
const (
	maxFileBytes     = 64 << 20
	maxExpandedNodes = 1 << 20 // per alias-bearing file, after aliases are expanded
	maxDepth         = 200
)

// File is one input file: its name as shown to people, and its bytes.
type File struct {
	Name string
	Text []byte
}

// Parse reads the one YAML document of a file. What is wrong goes to the sink; the
// second result is false when there is nothing usable to go on with.
func Parse(f File, sink *Sink) (Node, bool) { return parse(f, sink, false) }

// ParseForeign is Parse for files whose own readers are less strict, and which are not
// the user's to mend: of a key that stands twice the later one counts, with a warning.
func ParseForeign(f File, sink *Sink) (Node, bool) { return parse(f, sink, true) }

func parse(f File, sink *Sink, foreign bool) (Node, bool) {
	whole, ascii := Pos{File: f.Name}, isASCII(f.Text)
	switch {
	case len(f.Text) > maxFileBytes:
		tooLarge(f, sink)
		return Node{}, false
	case isUTF16(f.Text):
		sink.Errorf(whole, "file is UTF-16").WithHint("save it as UTF-8")
		return Node{}, false
	case !ascii && !utf8.Valid(f.Text):
		sink.Errorf(invalidUTF8(f), "file is not valid UTF-8").WithHint("save it as UTF-8")
		return Node{}, false
	}
	f.Text = bytes.TrimPrefix(f.Text, []byte("\xef\xbb\xbf"))
	d := newDocument(f, ascii)
	dec := yaml.NewDecoder(bytes.NewReader(f.Text))
	var root, second yaml.Node
	err := guard(func() error { return dec.Decode(&root) })
	switch {
	case errors.Is(err, io.EOF) || err == nil && emptyDocument(&root):
		sink.Errorf(whole, "file is empty").WithHint("remove it, or give it content")
		return Node{}, false
	case err != nil:
		d.syntaxError(err, sink)
		return Node{}, false
	}
	if err = guard(func() error { return dec.Decode(&second) }); !errors.Is(err, io.EOF) {
		d.moreThanOne(err, &second, sink)
		return Node{}, false
	}
	top := root.Content[0]
	c := checker{doc: d, sink: sink, foreign: foreign}
	if c.walk(top, 0); c.failed {
		return Node{}, false
	}
	d.hideQuoted(top)
	return Node{n: top, doc: d, end: d.end}, true
}

// moreThanOne reports what stands behind the first document.
func (d *document) moreThanOne(err error, second *yaml.Node, sink *Sink) {
	at := Pos{d.name, d.secondDocument(), 1}
	if at.Line == 0 {
		if err != nil {
			d.syntaxError(err, sink)
			return
		}
		at = Pos{File: d.name, Line: second.Line}
	}
	sink.Errorf(at, "a second document begins here and would be ignored").WithHint("put it into a file of its own")
}

// isASCII spares nearly all files the search for what only other characters can be.
func isASCII(text []byte) bool {
	const high = 0x8080808080808080
	for ; len(text) >= 32; text = text[32:] {
		le := binary.LittleEndian
		if (le.Uint64(text)|le.Uint64(text[8:])|le.Uint64(text[16:])|le.Uint64(text[24:]))&high != 0 {
			return false
		}
	}
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isUTF16(text []byte) bool {
	return len(text) > 1 && (text[0] == 0 || text[1] == 0 || text[0]^text[1] == 1 && text[0]|text[1] == 0xff && min(text[0], text[1]) == 0xfe)
}

// guard turns a panic of the YAML library, which other people's bytes have been
// seen to cause, into an error.
func guard(parse func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", r)
		}
	}()
	return parse()
}

func emptyDocument(root *yaml.Node) bool {
	if len(root.Content) == 0 {
		return true
	}
	top := root.Content[0]
	return top.Kind == yaml.ScalarNode && top.Tag == "!!null" && top.Value == ""
}

// invalidUTF8 gives the place of the first byte that is no UTF-8.
func invalidUTF8(f File) Pos {
	at := Pos{File: f.Name, Line: 1, Column: 1}
	for rest := f.Text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			break
		}
		at.Column++
		if r == '\n' {
			at.Line, at.Column = at.Line+1, 1
		}
		rest = rest[n:]
	}
	return at
}
