package tasks

import (
	"slices"

	"github.com/upstep/upstep/source"
)

// heatFunctions are the functions of Heat templates that appear where a value is expected.
func heatFunctions() []string {
	return []string{
		"get_param", "get_attr", "get_file", "get_resource", "yaql", "str_replace", "str_replace_strict", "str_split",
		"list_join", "list_concat", "list_concat_unique", "map_merge", "map_replace", "make_url", "digest", "repeat",
		"resource_facade", "if",
	}
}

// HeatFunction tells whether a value is a call of a Heat function, and which.
func HeatFunction(v source.Node) (name string, is bool) {
	n := 0
	for k := range v.Pairs() {
		if n++; n > 1 {
			return "", false
		}
		name = k.Text()
	}
	if n == 0 || !slices.Contains(heatFunctions(), name) {
		return "", false
	}
	return name, true
}

// NeedsImport reports a Heat function where only plain YAML is read.
func NeedsImport(at source.Node, name string, sink *source.Sink) {
	sink.Errorf(at.Pos(), "Heat function %s is not evaluated here", name).
		WithHint("upstep import tripleo evaluates templates; or write the value itself")
}
