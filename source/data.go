package source

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Data gives a text that two values have in common where Ansible reads the same data from
// both: the order of keys, quotes, block styles, comments and anchors do not matter. What
// is no text is the same only where it is written alike, true and false excepted: 0644 is
// not taken for 420.
func (v Node) Data() string { return string(v.data(nil)) }

func (v Node) data(b []byte) []byte {
	t := v.target()
	if t == nil {
		return b
	}
	switch t.Kind {
	case yaml.SequenceNode:
		b = append(ownTag(b, t, "!!seq"), '[')
		for it := range v.Elements() {
			b = append(it.data(b), ',')
		}
		return append(b, ']')
	case yaml.MappingNode:
		entries := make([]string, 0, len(t.Content)/2)
		for k, val := range v.Pairs() {
			entries = append(entries, string(val.data(append(k.data(nil), ':'))))
		}
		slices.Sort(entries)
		b = append(ownTag(b, t, "!!map"), '{')
		for _, e := range entries {
			b = append(append(b, e...), ',')
		}
		return append(b, '}')
	}
	return v.scalar(b, t)
}

// ownTag writes a tag that is not the usual one of its shape.
func ownTag(b []byte, t *yaml.Node, usual string) []byte {
	if tag := t.ShortTag(); tag != usual {
		return append(append(b, tag...), ' ')
	}
	return b
}

// Numbers and times of YAML 1.1 that the parser takes for text.
var formerly = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}`)

func (v Node) scalar(b []byte, t *yaml.Node) []byte {
	tag := t.ShortTag()
	switch truth, is := ParseBool(t.Value); {
	case v.Quoted(), t.Style&yaml.TaggedStyle != 0:
		if tag != "!!str" {
			b = append(append(b, tag...), ' ')
		}
	case tag == "!!null":
		return append(b, "null"...)
	case is && anyCase(t.Value):
		return strconv.AppendBool(b, truth)
	case tag != "!!str", formerly.MatchString(t.Value):
		b = append(b, "plain "...)
	}
	return strconv.AppendQuote(b, t.Value)
}

// anyCase tells whether a word is written as YAML allows for true and false.
func anyCase(s string) bool {
	return s == strings.ToLower(s) || s == strings.ToUpper(s) || s == strings.ToUpper(s[:1])+strings.ToLower(s[1:])
}
