package source

import (
	"bytes"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

// checker refuses what the library lets pass: duplicate and complex keys, merges of
// what is no mapping, aliases that contain themselves or expand without end.
type checker struct {
	doc     *document
	sink    *Sink
	sizes   map[*yaml.Node]int // expanded size of every anchored node; 0 while inside it
	deep    bool
	failed  bool
	foreign bool // what other readers let pass is a warning
}

func (c *checker) fail(n *yaml.Node, hint, format string, args ...any) {
	c.failed = true
	c.sink.Errorf(Pos{c.doc.name, n.Line, n.Column}, format, args...).WithHint(hint)
}

// walk checks a node and gives how many nodes it has once aliases are expanded.
func (c *checker) walk(n *yaml.Node, depth int) int {
	switch {
	case n.Kind == yaml.AliasNode:
		return c.alias(n)
	case len(n.Content) == 0 && n.Anchor == "":
		c.tag(n)
		return 1
	case depth > maxDepth:
		if !c.deep {
			c.deep = true
			c.fail(n, "flatten the structure", "nested deeper than %d levels", maxDepth)
		}
		return 1
	}
	if n.Anchor != "" {
		c.doc.anchors = true
		c.anchored(n, 0)
	}
	c.tag(n)
	size := 1
	if n.Kind == yaml.MappingNode && !c.keys(n) {
		return size
	}
	for _, child := range n.Content {
		if child.Kind == yaml.ScalarNode && child.Anchor == "" {
			c.tag(child)
			size++
			continue
		}
		size += c.walk(child, depth+1)
		if size > maxExpandedNodes && c.sizes != nil {
			if !c.failed {
				c.fail(n, "write the values out, or use fewer aliases", "aliases expand to more than %d values", maxExpandedNodes)
			}
			return size
		}
	}
	if n.Anchor != "" {
		c.anchored(n, size)
	}
	return size
}

// tag reports a tag that Ansible cannot read. The file is read on: a tag hides nothing.
func (c *checker) tag(n *yaml.Node) {
	if c.foreign || n.Style&yaml.TaggedStyle == 0 || ansibleTag(n.ShortTag()) {
		return
	}
	c.sink.Errorf(Pos{c.doc.name, n.Line, n.Column}, "Ansible knows no tag %s", n.ShortTag()).
		WithHint("quote a value that begins with !; to say that something is not so, write not, as in when: not installed")
}

// ansibleTag tells the tags that Ansible's reader takes: YAML's own and its three.
func ansibleTag(tag string) bool {
	switch tag {
	case "!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!set", "!!omap", "!!pairs", "!!binary", "!!timestamp",
		"!!python/unicode", "!!python/dict", "!vault", "!vault-encrypted", "!unsafe":
		return true
	}
	return false
}

func (c *checker) anchored(n *yaml.Node, size int) {
	if c.sizes == nil {
		c.sizes = map[*yaml.Node]int{}
	}
	c.sizes[n] = size
}

func (c *checker) alias(n *yaml.Node) int {
	size, seen := c.sizes[n.Alias]
	if seen && size == 0 {
		c.fail(n, "write the value out", "alias *%s stands inside what it names", n.Value)
	}
	return max(1, size)
}

// keys refuses duplicate and non-scalar keys; false when it is no use to look further
// inside. The library's own check is quadratic.
func (c *checker) keys(n *yaml.Node) bool {
	const small = 16 // up to here comparing each with each is faster
	var seen map[string]*yaml.Node
	var again []*yaml.Node // keys that a later one of the same name replaces
	if len(n.Content) > 2*small {
		seen = make(map[string]*yaml.Node, len(n.Content)/2)
	}
	for i := 0; i < len(n.Content); i += 2 {
		k := deref(n.Content[i])
		if k.Kind != yaml.ScalarNode {
			c.complexKey(n, n.Content[i])
			return false
		}
		if isMerge(k) {
			c.doc.merges = true
			c.merge(n.Content[i+1])
			continue
		}
		var first *yaml.Node
		if seen != nil {
			if first = seen[k.Value]; first == nil {
				seen[k.Value] = k
			}
		} else {
			for j := 0; j < i; j += 2 {
				if o := n.Content[j]; o.Value == k.Value && o.Kind == yaml.ScalarNode {
					first = o
					if !c.foreign {
						break
					}
				}
			}
		}
		if first != nil && c.foreign {
			c.sink.Warnf(Pos{c.doc.name, first.Line, first.Column}, "key %q stands again in line %d, and that one counts", k.Value, n.Content[i].Line).
				WithHint("remove one of the two")
			again = append(again, first)
		} else if first != nil {
			c.fail(n.Content[i], fmt.Sprintf("it stands first in line %d; remove one of the two", first.Line), "duplicate key %q", k.Value)
		}
		if seen != nil && c.foreign {
			seen[k.Value] = k
		}
	}
	if len(again) > 0 {
		c.doc.uncut = true // its lines hold what does not count
		replaced := n.Content
		n.Content = nil
		for i := 0; i < len(replaced); i += 2 {
			if !slices.Contains(again, deref(replaced[i])) {
				n.Content = append(n.Content, replaced[i], replaced[i+1])
			}
		}
	}
	return true
}

// complexKey reports a mapping or list as a key; nearly always it is {{ ... }} that
// was not quoted.
func (c *checker) complexKey(n, key *yaml.Node) {
	at := cursor{d: c.doc}
	line, _, _ := bytes.Cut(c.doc.text[at.offset(key.Line, key.Column):], []byte{'\n'})
	switch {
	case n.Style&yaml.FlowStyle != 0 && key.Kind == yaml.MappingNode && key.Line == n.Line && key.Column == n.Column+1:
		m := jinja(0, append([]byte{'{'}, bytes.TrimRight(line, " \t\r")...))
		c.fail(n, m.hint, "%s", m.message)
	case bytes.HasPrefix(line, []byte("{{")):
		c.fail(key, "put the whole key in double quotes", "a key that begins with {{ must be quoted")
	default:
		c.fail(key, "use a plain word as the key", "a key that is a mapping or a list")
	}
}

// merge refuses what "<<" cannot take, as Ansible does.
func (c *checker) merge(v *yaml.Node) {
	sources := []*yaml.Node{v}
	if t := deref(v); t.Kind == yaml.SequenceNode {
		sources = t.Content
	}
	for _, s := range sources {
		if deref(s).Kind != yaml.MappingNode {
			c.fail(s, "write <<: *NAME with the anchor of a mapping", "<< takes a mapping or a list of mappings")
		}
	}
}
