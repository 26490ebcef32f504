// Package source reads strict YAML: every value knows its place, every mistake is
// reported with file, line, column and a way to mend it, and a task's own source
// text can be cut out unchanged.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
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
func Parse(f File, sink *Sink) (Node, bool) {
	whole := Pos{File: f.Name}
	switch {
	case len(f.Text) > maxFileBytes:
		sink.Errorf(whole, "file is larger than %d MiB", maxFileBytes>>20).WithHint("split it into several files")
		return Node{}, false
	case !utf8.Valid(f.Text):
		sink.Errorf(invalidUTF8(f), "file is not valid UTF-8").WithHint("save it as UTF-8")
		return Node{}, false
	case bytes.HasPrefix(f.Text, []byte("\xef\xbb\xbf")):
		f.Text = f.Text[3:]
	}
	d := newDocument(f)
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(f.Text))
	err := guard(func() error { return dec.Decode(&root) })
	if errors.Is(err, io.EOF) || err == nil && emptyDocument(&root) {
		sink.Errorf(whole, "file is empty").WithHint("remove it, or give it content")
		return Node{}, false
	}
	if err != nil {
		d.syntaxError(err, sink)
		return Node{}, false
	}
	var second yaml.Node
	switch err := guard(func() error { return dec.Decode(&second) }); {
	case err == nil:
		at := Pos{File: f.Name, Line: second.Line, Column: 1}
		sink.Errorf(at, "a second document begins here and would be ignored").WithHint("put it into a file of its own")
		return Node{}, false
	case !errors.Is(err, io.EOF):
		d.syntaxError(err, sink)
		return Node{}, false
	}
	top := root.Content[0]
	c := checker{doc: d, sink: sink, sizes: map[*yaml.Node]int{}}
	if c.walk(top, 0); c.failed {
		return Node{}, false
	}
	d.hideQuoted(top)
	return Node{n: top, doc: d, end: d.end}, true
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

func invalidUTF8(f File) Pos {
	line := 1
	for rest := f.Text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		rest = rest[n:]
	}
	return Pos{File: f.Name, Line: line}
}

var yamlErrorLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// syntaxError reports what the library could not parse. Its line numbers are often
// wrong or missing, so the line is found against the text: the first line after the
// longest run of lines that parses by itself.
func (d *document) syntaxError(err error, sink *Sink) {
	msg := yamlErrorLine.ReplaceAllString(err.Error(), "")
	line := d.firstBadLine()
	text := d.line(line)
	at := Pos{File: d.name, Line: line, Column: len(text) - len(bytes.TrimLeft(text, " \t")) + 1}
	p := sink.Errorf(at, "invalid YAML: %s", msg)
	indent := text[:at.Column-1]
	switch {
	case bytes.ContainsRune(indent, '\t') || strings.Contains(msg, "cannot start any token") && bytes.ContainsRune(text, '\t'):
		p.WithHint("indent with spaces, not tabs")
	case strings.Contains(msg, "cannot start any token"):
		p.WithHint("quote the value: it begins with a character that means something to YAML")
	case strings.Contains(msg, "mapping values are not allowed"):
		p.WithHint(`check the indentation, and quote a value that contains ": "`)
	case strings.Contains(msg, "did not find expected"):
		p.WithHint("check the indentation and the brackets and quotes of this line and the one above")
	case strings.Contains(msg, "unknown anchor"):
		p.WithHint("an alias (*name) needs its anchor (&name) earlier in the same file; quote a value that begins with *")
	}
}

// firstBadLine gives the line after the longest prefix of whole lines that parses.
// It goes backwards: prefixes can fail in the middle of a value and parse later.
func (d *document) firstBadLine() int {
	const tries = 2000 // above it the file is cut to pieces more coarsely first
	total := d.lines()
	parses := func(k int) bool {
		var n yaml.Node
		prefix := d.text
		if k < len(d.lineStart) {
			prefix = d.text[:d.lineStart[k]]
		}
		return guard(func() error { return yaml.Unmarshal(prefix, &n) }) == nil
	}
	step := max(1, total/tries)
	good := 0
	for k := total - 1; k > 0; k -= step {
		if parses(k) {
			good = k
			break
		}
	}
	for k := min(total-1, good+step-1); k > good; k-- {
		if parses(k) {
			good = k
			break
		}
	}
	bad := good + 1
	for bad < total && blankOrComment(d.line(bad)) {
		bad++
	}
	return bad
}

func blankOrComment(line []byte) bool {
	t := bytes.TrimLeft(line, " \t")
	return len(t) == 0 || t[0] == '#'
}

// checker refuses what the library lets pass: duplicate and complex keys, aliases
// that contain themselves or expand without end.
type checker struct {
	doc    *document
	sink   *Sink
	sizes  map[*yaml.Node]int // expanded size of every anchored node; 0 while inside it
	failed bool
}

func (c *checker) fail(n *yaml.Node, hint, format string, args ...any) {
	c.failed = true
	c.sink.Errorf(Pos{c.doc.name, n.Line, n.Column}, format, args...).WithHint(hint)
}

// walk checks a node and gives how many nodes it has once aliases are expanded.
func (c *checker) walk(n *yaml.Node, depth int) int {
	if depth > maxDepth {
		c.fail(n, "flatten the structure", "nested deeper than %d levels", maxDepth)
		return 1
	}
	if n.Kind == yaml.AliasNode {
		size, seen := c.sizes[n.Alias]
		if seen && size == 0 {
			c.fail(n, "", "alias *%s stands inside what it names", n.Value)
			return 1
		}
		return max(1, size)
	}
	if n.Anchor != "" {
		c.doc.anchors = true
		c.sizes[n] = 0
	}
	size := 1
	if n.Kind == yaml.MappingNode {
		c.keys(n)
	}
	for _, child := range n.Content {
		size += c.walk(child, depth+1)
		if size > maxExpandedNodes && len(c.sizes) > 0 {
			if !c.failed {
				c.fail(n, "write the values out, or use fewer aliases", "aliases expand to more than %d values", maxExpandedNodes)
			}
			return size
		}
	}
	if n.Anchor != "" {
		c.sizes[n] = size
	}
	return size
}

// keys refuses duplicate and non-scalar keys. The library's own check is quadratic.
func (c *checker) keys(n *yaml.Node) {
	const small = 16
	var seen map[string]*yaml.Node
	if len(n.Content) > 2*small {
		seen = make(map[string]*yaml.Node, len(n.Content)/2)
	}
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		c.doc.merges = c.doc.merges || isMerge(k)
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			c.fail(n.Content[i], "use a plain word as the key; quote a value that begins with {{", "a key that is a mapping or a list")
			continue
		}
		var first *yaml.Node
		if seen != nil {
			first = seen[k.Value]
			if first == nil {
				seen[k.Value] = k
			}
		} else {
			for j := 0; j < i; j += 2 {
				if n.Content[j].Kind == yaml.ScalarNode && n.Content[j].Value == k.Value {
					first = n.Content[j]
					break
				}
			}
		}
		if first != nil && k.Value != "<<" {
			c.fail(n.Content[i], fmt.Sprintf("it stands first in line %d; remove one of the two", first.Line), "duplicate key %q", k.Value)
		}
	}
}
