package heat

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// concat is list_concat and list_concat_unique; null counts as an empty list.
func (c *call) concat() any {
	args := c.args(0, 0)
	out := []any{}
	var seen []any
	for _, a := range args {
		list, is := yaql.Open(a).([]any)
		if !is && yaql.Open(a) != nil {
			c.misuse(c.name + ": [LIST, LIST, ...]")
			return nil
		}
		if !c.engine.work(len(list), c.at.Pos()) {
			return nil
		}
		for _, it := range list {
			if c.name == "list_concat_unique" {
				if !c.engine.work(len(seen), c.at.Pos()) {
					return nil
				}
				p := Plain(it)
				if slices.ContainsFunc(seen, func(o any) bool { return yaql.Equal(o, p) }) {
					continue
				}
				seen = append(seen, p)
			}
			out = append(out, it)
		}
	}
	return out
}

// filter takes values out of a list.
func (c *call) filter() any {
	args := c.args(2, 2)
	if args == nil {
		return nil
	}
	if !truth(args[0]) || !truth(args[1]) {
		return args[1]
	}
	values, ok := yaql.Open(args[0]).([]any)
	list, is := yaql.Open(args[1]).([]any)
	if !ok || !is {
		c.misuse("filter: [VALUES, LIST]")
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		return slices.ContainsFunc(values, func(o any) bool { return equal(o, v) })
	})
}

// mapMerge merges mappings; of a key that several have the last counts.
func (c *call) mapMerge() any {
	args, is := yaql.Open(c.value(c.node)).([]any)
	if !is {
		c.misuse("map_merge: [MAPPING, MAPPING, ...]")
		return nil
	}
	out := yaql.NewMap()
	for _, a := range args {
		m, is := yaql.Open(a).(*yaql.Map)
		if !is {
			if yaql.Open(a) == nil {
				continue
			}
			c.misuse("map_merge: [MAPPING, MAPPING, ...]")
			return nil
		}
		for key, val := range m.All() {
			out.Set(key, val)
		}
	}
	return out
}

// shaped tells a list or a mapping, which can be no key.
func shaped(open any) bool {
	switch open.(type) {
	case []any, *yaql.Map:
		return true
	}
	return false
}

// mappingOf gives a mapping; null counts as an empty one.
func mappingOf(v any) (*yaql.Map, bool) {
	switch t := yaql.Open(v).(type) {
	case nil:
		return yaql.NewMap(), true
	case *yaql.Map:
		return t, true
	}
	return yaql.NewMap(), false
}

// mapReplace replaces keys and values of a mapping.
func (c *call) mapReplace() any {
	args := c.args(2, 2)
	if args == nil {
		return nil
	}
	m, ok := mappingOf(args[0])
	how, is := mappingOf(args[1])
	keys, values := yaql.NewMap(), yaql.NewMap()
	for name, val := range how.All() {
		p, fits := mappingOf(val)
		switch is = is && fits; name {
		case "keys":
			keys = p
		case "values":
			values = p
		default:
			is = false
		}
	}
	if !ok || !is {
		c.misuse("map_replace: [MAPPING, {keys: {OLD: NEW}, values: {OLD: NEW}}]")
		return nil
	}
	out := yaql.NewMap()
	for key, val := range m.All() {
		if to, ok := keys.Get(key); ok && yaql.Open(to) != nil {
			was := key
			if key = yaql.Open(to); shaped(key) {
				c.misuse("map_replace: [MAPPING, {keys: {OLD: NEW}, values: {OLD: NEW}}]")
				return nil
			}
			_, taken := m.Get(key)
			_, again := out.Get(key)
			if taken && key != was || again {
				c.fail("map_replace: key "+text(key)+" is there already", "give the key another name")
				return nil
			}
		}
		if open := yaql.Open(val); !shaped(open) {
			if to, ok := values.Get(open); ok {
				val = to
			}
		}
		out.Set(key, val)
	}
	return out
}

// repeat writes a template once for every combination of its lists, or, without
// permutations, once for each position in them.
func (c *call) repeat() any {
	const form = "repeat: {template: ..., for_each: {NAME: [TEXT, ...]}}"
	lists, ok := yaql.Open(c.field("for_each")).(*yaql.Map)
	template, together, known := c.node.Get("template"), false, true
	if p := c.node.Get("permutations"); p.Exists() && c.template.version >= "2017-09-01" {
		var permutations bool
		permutations, known = p.Scalar().(bool)
		together = !permutations
	}
	if !ok || !known || !template.Exists() || lists.Len() == 0 {
		c.misuse(form)
		return nil
	}
	var names []string
	var values [][]string
	for key, val := range lists.All() {
		list, ok := texts(val, !together && c.template.version >= "2016-10-14")
		if !ok {
			c.misuse(form)
			return nil
		}
		names, values = append(names, text(key)), append(values, list)
	}
	body := Plain(c.value(template))
	rows, ok := combine(values, together, size(body))
	if !ok {
		c.fail("repeat: too many combinations, or lists of different lengths", "give lists of the same length with permutations: false")
		return nil
	}
	out := []any{}
	for _, row := range rows {
		out = append(out, put(body, names, row))
	}
	return out
}

// texts gives the texts to repeat for: of a list, or the keys of a mapping. null is none.
func texts(v any, mappings bool) (out []string, ok bool) {
	var list []any
	switch open := yaql.Open(v).(type) {
	case []any:
		list, out = open, []string{}
	case *yaql.Map:
		if list, out = open.Keys(), []string{}; !mappings {
			return nil, false
		}
	case nil:
	default:
		return nil, false
	}
	for _, it := range list {
		s, is := yaql.Open(it).(string)
		if !is {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// size counts the values in a value, and what its texts hold beyond a line.
func size(v any) int {
	n := 1
	switch t := v.(type) {
	case string:
		n += len(t) / 80
	case []any:
		for _, it := range t {
			n += size(it)
		}
	case *yaql.Map:
		for _, val := range t.All() {
			n += size(val)
		}
	}
	return n
}

// combine gives every combination of values, the last list turning fastest, or the
// values by position. What would make too much of a template of a size is not ok.
func combine(lists [][]string, together bool, size int) (rows [][]string, ok bool) {
	const most = 1 << 18
	if together {
		shortest, longest, given := 1<<30, 0, 0
		for _, l := range lists {
			if shortest = min(shortest, len(l)); l == nil {
				continue // null takes no part in the comparison, and leaves nothing to repeat
			}
			if given++; given > 1 && len(l) != longest {
				return nil, false
			}
			longest = len(l)
		}
		for i := range shortest {
			var row []string
			for _, l := range lists {
				row = append(row, l[i])
			}
			rows = append(rows, row)
		}
		return rows, len(rows)*size <= most
	}
	total := 1
	for _, l := range lists {
		if total *= len(l); total*size > most {
			return nil, slices.ContainsFunc(lists, func(l []string) bool { return len(l) == 0 })
		}
	}
	rows = [][]string{nil}
	for _, l := range lists {
		var next [][]string
		for _, row := range rows {
			for _, v := range l {
				next = append(next, append(slices.Clone(row), v))
			}
		}
		rows = next
	}
	return rows, true
}

// put replaces names by values, in keys too, one name after the other.
func put(v any, names, row []string) any {
	switch t := v.(type) {
	case string:
		for i, name := range names {
			t = strings.ReplaceAll(t, name, row[i])
		}
		return t
	case []any:
		out := make([]any, len(t))
		for i, it := range t {
			out[i] = put(it, names, row)
		}
		return out
	case *yaql.Map:
		out := yaql.NewMap()
		for key, val := range t.All() {
			out.Set(text(put(key, names, row)), put(val, names, row))
		}
		return out
	}
	return v
}

// pythonJSON writes JSON as Python does: keys sorted, a space behind , and :.
func pythonJSON(v any) string {
	var b strings.Builder
	var write func(v any)
	write = func(v any) {
		switch t := v.(type) {
		case nil:
			b.WriteString("null")
		case bool:
			b.WriteString(strings.ToLower(text(t)))
		case string:
			b.WriteString(ascii(t))
		case []any:
			b.WriteByte('[')
			for i, it := range t {
				if i > 0 {
					b.WriteString(", ")
				}
				write(it)
			}
			b.WriteByte(']')
		case *yaql.Map:
			values := map[string]any{}
			for key, val := range t.All() {
				values[text(key)] = val
			}
			b.WriteByte('{')
			for i, key := range sorted(values) {
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(ascii(key) + ": ")
				write(values[key])
			}
			b.WriteByte('}')
		default:
			b.WriteString(text(t))
		}
	}
	write(v)
	return b.String()
}

// ascii writes a text for JSON as Python does, with nothing above ASCII in it.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range source.JSONString(s) {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r == 0x7f:
			b.WriteByte(0x7f)
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "\\u%04x", u)
			}
		}
	}
	return b.String()
}
