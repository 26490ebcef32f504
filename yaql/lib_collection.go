package yaql

import "slices"

func collectionLibrary() []entry {
	return []entry{
		{"list", "*args:any?", func(c *call) (any, error) { return c.spread(c.rest, nil) }},
		{".flatten", "collection:iter", func(c *call) (any, error) { return c.flatten(c.args[0]), nil }},
		{".toList", "collection:iter", func(c *call) (any, error) { return c.slice(c.args[0]) }},
		{"len.", "sequence:seq", func(c *call) (any, error) {
			items, _ := sequence(c.args[0])
			return int64(len(items)), nil
		}},
		{".contains", "collection:iter value:any?", func(c *call) (any, error) { return c.holds(c.args[1], c.args[0]) }},
		{"isList", "arg:any?", func(c *call) (any, error) {
			_, ok := sequence(Open(c.args[0]))
			return ok, nil
		}},
		{".delete", "collection:iter position:int count:int=", func(c *call) (any, error) {
			within := c.within(1, 2)
			return c.filtered(c.args[0], func(any) (bool, error) { return !within(), nil }), nil
		}},
		{".replace", "collection:iter position:int value:any? count:int=", func(c *call) (any, error) {
			return c.replaced([]any{c.args[2]}, c.within(1, 3)), nil
		}},
		{".replaceMany", "collection:iter position:int values:iter count:int=", func(c *call) (any, error) {
			return c.replaced(c.args[2], c.within(1, 3)), nil
		}},
		{".insert", "collection:list position:int value:any?", func(c *call) (any, error) {
			at := c.int(1, 0)
			return c.inserted([]any{c.args[2]}, at, at, false), nil
		}},
		{".insert", "collection:seq position:int value:any?", func(c *call) (any, error) {
			items, _ := sequence(c.args[0])
			_, at := bounds(int64(len(items)), 0, c.int(1, 0))
			return &pyList{slices.Insert(slices.Clone(items), int(at), c.args[2])}, c.charge(len(items))
		}},
		{".insertMany", "collection:iter position:int values:iter", func(c *call) (any, error) {
			at := c.int(1, 0)
			return c.inserted(c.args[2], at, at, at < 0), nil
		}},
	}
}

// spread puts arguments into a list; what iterators among them give is put there one by one.
func (st *state) spread(items, out []any) ([]any, error) {
	if out == nil {
		out = []any{}
	}
	for _, v := range items {
		it, ok := v.(*iterator)
		if !ok {
			out = append(out, v)
			continue
		}
		inner, err := st.slice(it)
		if err != nil {
			return nil, err
		}
		if err := st.enter(); err != nil {
			return nil, err
		}
		out, err = st.spread(inner, out)
		st.depth--
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// flatten reads lists within lists, however deep, as one.
func (st *state) flatten(v any) *iterator {
	stack := []*iterator{st.iterate(v)}
	return &iterator{next: func() (any, bool, error) {
		for len(stack) > 0 {
			v, ok, err := st.take(stack[len(stack)-1])
			if err != nil {
				return nil, false, err
			}
			if !ok {
				stack = stack[:len(stack)-1]
				continue
			}
			open := Open(v)
			if !isIterable(open) {
				return v, true, nil
			}
			if len(stack) > maxDepth {
				return nil, false, &Error{Offset: -1, Message: "lists are nested too deep", kind: limits}
			}
			stack = append(stack, st.iterate(open))
		}
		return nil, false, nil
	}}
}

// within tells of one element after the other whether it is among those from a position on: one, or as many as are
// counted, or, when the count is negative, all the rest.
func (c *call) within(position, count int) func() bool {
	i, from, n := int64(-1), c.int(position, 0), c.int(count, 1)
	return func() bool {
		i++
		return i >= from && (n < 0 || i-from < n)
	}
}

func (c *call) replaced(values any, within func() bool) *iterator {
	done := false
	parts := c.mapped(c.args[0], func(v any) (any, error) {
		if !within() {
			return []any{v}, nil
		}
		if done {
			return []any{}, nil
		}
		done = true
		return values, nil
	})
	return c.concatenated(parts)
}

// concatenated reads an iterator of collections as one.
func (st *state) concatenated(parts *iterator) *iterator {
	var it *iterator
	return &iterator{next: func() (any, bool, error) {
		for {
			if it != nil {
				if v, ok, err := st.take(it); ok || err != nil {
					return v, ok, err
				}
			}
			v, ok, err := st.take(parts)
			if !ok || err != nil {
				return nil, false, err
			}
			it = st.iterate(v)
		}
	}}
}

// inserted puts values before the element at a position, or at the end when the position is behind it.
func (c *call) inserted(values any, at, behind int64, first bool) *iterator {
	last := int64(-1)
	parts := c.mapped(c.args[0], func(v any) (any, error) {
		if last++; last == at {
			return c.chain(values, []any{v}), nil
		}
		return []any{v}, nil
	})
	body := c.concatenated(parts)
	if first {
		body = c.chain(values, body)
	}
	return c.chain(body, c.deferred(func() (any, error) {
		if behind > last {
			return values, nil
		}
		return []any{}, nil
	}))
}
