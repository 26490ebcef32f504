package heat

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// concat is list_concat and list_concat_unique; null counts as an empty list.
func (c *call) concat() any {
	args := c.args(1, 0)
	out := []any{}
	var seen []any
	for _, a := range args {
		list, is := yaql.Open(a).([]any)
		if !is && yaql.Open(a) != nil {
			c.misuse(c.name + ": [LIST, LIST, ...]")
			return nil
		}
		for _, it := range list {
			if c.name == "list_concat_unique" {
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
	values, ok := yaql.Open(args[0]).([]any)
	list, is := yaql.Open(args[1]).([]any)
	if yaql.Open(args[1]) == nil {
		return nil
	}
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

// mapReplace replaces keys and values of a mapping.
func (c *call) mapReplace() any {
	args := c.args(2, 2)
	if args == nil {
		return nil
	}
	m, ok := yaql.Open(args[0]).(*yaql.Map)
	how, is := yaql.Open(args[1]).(*yaql.Map)
	if yaql.Open(args[0]) == nil {
		return yaql.NewMap()
	}
	if !ok || !is {
		c.misuse("map_replace: [MAPPING, {keys: {OLD: NEW}, values: {OLD: NEW}}]")
		return nil
	}
	part := func(name string) *yaql.Map {
		v, _ := how.Get(name)
		if p, ok := yaql.Open(v).(*yaql.Map); ok {
			return p
		}
		return yaql.NewMap()
	}
	keys, values := part("keys"), part("values")
	out := yaql.NewMap()
	for key, val := range m.All() {
		if to, ok := keys.Get(key); ok {
			key = yaql.Open(to)
			if _, taken := m.Get(key); taken {
				c.fail("map_replace: key "+text(key)+" is there already", "give the key another name")
				return nil
			}
		}
		switch open := yaql.Open(val).(type) {
		case []any, *yaql.Map:
		default:
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
	const form = "repeat: {template: ..., for_each: {NAME: LIST}}"
	lists, ok := yaql.Open(c.field("for_each")).(*yaql.Map)
	template := c.node.Get("template")
	if !ok || !template.Exists() || lists.Len() == 0 {
		c.misuse(form)
		return nil
	}
	var names []string
	var values [][]any
	for key, val := range lists.All() {
		var list []any
		switch open := yaql.Open(val).(type) {
		case []any:
			list = open
		case *yaql.Map:
			list = open.Keys()
		case nil:
		default:
			c.misuse(form)
			return nil
		}
		names, values = append(names, text(key)), append(values, list)
	}
	together := false
	if p := c.node.Get("permutations"); p.Exists() {
		together = yaql.Open(c.value(p)) == false
	}
	rows, ok := combine(values, together)
	if !ok {
		c.fail("repeat: too many combinations, or lists of different lengths", "give lists of the same length with permutations: false")
		return nil
	}
	out := []any{}
	body := Plain(c.value(template))
	for _, row := range rows {
		out = append(out, put(body, names, row))
	}
	return out
}

// combine gives every combination of values, the last list turning fastest, or the
// values by position.
func combine(lists [][]any, together bool) (rows [][]any, ok bool) {
	const most = 1 << 16
	if together {
		for i := range lists[0] {
			var row []any
			for _, l := range lists {
				if len(l) != len(lists[0]) {
					return nil, false
				}
				row = append(row, l[i])
			}
			rows = append(rows, row)
		}
		return rows, true
	}
	rows = [][]any{nil}
	for _, l := range lists {
		var next [][]any
		for _, row := range rows {
			for _, v := range l {
				next = append(next, append(slices.Clone(row), v))
			}
		}
		if rows = next; len(rows) > most {
			return nil, false
		}
	}
	return rows, true
}

// put replaces names by values, in keys too; a text that is nothing but a name becomes
// the value itself.
func put(v any, names []string, row []any) any {
	switch t := v.(type) {
	case string:
		if i := slices.Index(names, t); i >= 0 {
			return row[i]
		}
		for i, name := range names {
			if strings.Contains(t, name) {
				t = strings.ReplaceAll(t, name, inText(row[i]))
			}
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
			b.WriteString(source.JSONString(t))
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
				b.WriteString(source.JSONString(key) + ": ")
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
