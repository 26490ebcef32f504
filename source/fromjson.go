package source

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// FromJSON writes a JSON document as YAML, keys in their order. JSON is YAML: only
// the style changes.
func FromJSON(doc []byte) ([]byte, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(doc, &n); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	e := newEncoder(nil, nil)
	blockStyle(n.Content[0])
	if n.Content[0].Kind == yaml.SequenceNode {
		for _, c := range n.Content[0].Content {
			e.item(c, 0)
		}
	} else {
		e.mapping(pairs(n.Content[0]), 0, false)
	}
	return []byte(e.String()), nil
}

// blockStyle takes off the brackets and quotes that only JSON needs.
func blockStyle(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	if n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0 {
		switch {
		case plainWord(n.Value):
			n.Style = 0
		case literalSafe(n.Value) && len(n.Value) > 0 && n.Value[len(n.Value)-1] == '\n':
			n.Style = yaml.LiteralStyle
		}
	}
	for _, c := range n.Content {
		blockStyle(c)
	}
}
