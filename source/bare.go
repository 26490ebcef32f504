package source

import "gopkg.in/yaml.v3"

// Bare parses the bytes into nodes and does nothing else: what reading is measured against.
func Bare(text []byte) error {
	var n yaml.Node
	return yaml.Unmarshal(text, &n)
}
