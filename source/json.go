package source

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

var yesOrNo = regexp.MustCompile(`^(?:[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$`)

// JSON gives the value as JSON text, keys in their written order. Plain scalars
// take the type that YAML gives them; numbers keep their digits.
func (v Node) JSON() string {
	var b strings.Builder
	v.writeJSON(&b)
	return b.String()
}

func (v Node) writeJSON(b *strings.Builder) {
	switch v.Kind() {
	case Missing, Null:
		b.WriteString("null")
	case List:
		b.WriteByte('[')
		for i, it := range v.Items() {
			if i > 0 {
				b.WriteByte(',')
			}
			it.writeJSON(b)
		}
		b.WriteByte(']')
	case Map:
		b.WriteByte('{')
		for i, e := range v.Entries() {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(JSONString(e.Key.Text()) + ":")
			e.Value.writeJSON(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString(v.scalarJSON())
	}
}

func (v Node) scalarJSON() string {
	text := v.Text()
	if v.Quoted() {
		return JSONString(text)
	}
	switch v.Tag() {
	case "!!bool":
		if on, ok := ParseBool(text); ok {
			return strconv.FormatBool(on)
		}
	case "!!int", "!!float":
		if json.Valid([]byte(text)) {
			return text
		}
	case "!!str":
		if v.target().Style == 0 && yesOrNo.MatchString(text) { // true and false to Ansible, whose YAML is 1.1
			on, _ := ParseBool(text)
			return strconv.FormatBool(on)
		}
	}
	return JSONString(text)
}

// JSONString gives text as a JSON string, <, > and & as they are.
func JSONString(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
