package yaql

func dictLibrary() []entry {
	look := func(kind byte) func(c *call) (any, error) {
		return func(c *call) (any, error) { return &view{c.args[0].(*Map), kind}, nil }
	}
	return []entry{
		{"dict", "=> *args:mapping", func(c *call) (any, error) { return c.withRules(NewMap(), c.rest) }},
		{"dict", "=> items:iter", dictOf},
		{".toDict", "collection:iter keySelector:lambda valueSelector:lambda=", toDict},
		{".get", "dict:dict key:any? default:any?=", func(c *call) (any, error) {
			if err := c.weigh(c.args[1], 0); err != nil {
				return nil, err
			}
			if v, ok := c.args[0].(*Map).Get(c.args[1]); ok {
				return v, nil
			}
			return c.args[2], nil
		}},
		{".set", "=> dict:dict key:any? value:any?", func(c *call) (any, error) {
			return c.withRules(c.args[0].(*Map), []any{&rule{Open(c.args[1]), c.args[2]}})
		}},
		{".set", "=> dict:dict replacements:dict", func(c *call) (any, error) {
			return c.update(c.args[0].(*Map), c.args[1].(*Map))
		}},
		{".set", "=> dict:dict *args:mapping", func(c *call) (any, error) { return c.withRules(c.args[0].(*Map), c.rest) }},
		{".keys", "dict:dict", look('k')},
		{".values", "dict:dict", look('v')},
		{".items", "dict:dict", look('i')},
		{".containsKey", "dict:dict key:any?", func(c *call) (any, error) {
			if err := c.weigh(c.args[1], 0); err != nil {
				return nil, err
			}
			_, ok := c.args[0].(*Map).Get(c.args[1])
			return ok, nil
		}},
		{".containsValue", "dict:dict value:any?", func(c *call) (any, error) {
			return c.holds(c.args[1], &view{c.args[0].(*Map), 'v'})
		}},
		{"isDict", "arg:any?", func(c *call) (any, error) {
			_, ok := Open(c.args[0]).(*Map)
			return ok, nil
		}},
		{"len.", "dict:dict", func(c *call) (any, error) { return int64(c.args[0].(*Map).Len()), nil }},
		{".delete", "dict:dict *keys:any?", func(c *call) (any, error) { return c.without(c.args[0].(*Map), c.rest) }},
		{".deleteAll", "dict:dict keys:iter", func(c *call) (any, error) { return c.without(c.args[0].(*Map), c.args[1]) }},
		{".mergeWith", "dict:dict another:dict listMerger:lambda= itemMerger:lambda= maxLevels:int=", func(c *call) (any, error) {
			return c.merge(c.args[0].(*Map), c.args[1].(*Map), c.int(4, 0), 0)
		}},
	}
}

// withRules is a dict with key => value laid over it.
func (c *call) withRules(m *Map, rules []any) (any, error) {
	if err := c.charge(m.Len() + len(rules)); err != nil {
		return nil, err
	}
	out := m.clone()
	for _, a := range rules {
		r := a.(*rule)
		if err := c.weigh(r.key, 0); err != nil {
			return nil, err
		}
		out.Set(r.key, r.value)
	}
	return out, nil
}

// dictOf makes a dict of pairs; as in yaql, what follows the second element of one does not matter.
func dictOf(c *call) (any, error) {
	m := NewMap()
	for pair, err := range c.all(c.args[0]) {
		if err != nil {
			return nil, err
		}
		if it, ok := pair.(*iterator); ok {
			if pair, err = c.limited(it, 2); err != nil {
				return nil, err
			}
		}
		items, err := c.elements(pair)
		if err != nil {
			return nil, err
		}
		if len(items) < 2 {
			return nil, failf("dict(): an element has no key and value")
		}
		if err := c.weigh(items[0], 0); err != nil {
			return nil, err
		}
		m.Set(Open(items[0]), items[1])
	}
	return m, nil
}

func toDict(c *call) (any, error) {
	m := NewMap()
	for v, err := range c.all(c.args[0]) {
		if err != nil {
			return nil, err
		}
		key, err := c.apply(c.lambda(1), v)
		if err != nil {
			return nil, err
		}
		if v, err = c.selected(c.lambda(2), v); err != nil {
			return nil, err
		}
		if err := c.weigh(key, 0); err != nil {
			return nil, err
		}
		m.Set(Open(key), v)
	}
	return m, nil
}

func (c *call) without(m *Map, keys any) (any, error) {
	drop := newSet()
	for k, err := range c.all(keys) {
		if err == nil {
			err = c.weigh(k, 0)
		}
		if err != nil {
			return nil, err
		}
		drop.add(k)
	}
	out := NewMap()
	for k, v := range m.All() {
		if !drop.has(k) {
			out.Set(k, v)
		}
	}
	return out, c.charge(m.Len())
}

// merge lays one dict over another: dicts in them are merged, lists joined without what is equal, and of other values
// the second's is taken.
func (c *call) merge(a, b *Map, levels int64, depth int) (any, error) {
	if depth > maxDepth {
		return nil, &Error{Offset: -1, Message: "a dict is nested too deep", kind: limits}
	}
	if err := c.charge(a.Len() + b.Len()); err != nil {
		return nil, err
	}
	out := a.clone()
	for k, y := range b.All() {
		x, ok := a.Get(k)
		if !ok {
			out.Set(k, y)
			continue
		}
		v, err := c.mergeValues(x, y, levels, depth)
		if err != nil {
			return nil, err
		}
		out.Set(k, v)
	}
	return out, nil
}

func (c *call) mergeValues(x, y any, levels int64, depth int) (any, error) {
	if levels != 1 {
		first, second := Open(x), Open(y)
		if n, ok := second.(*Map); ok {
			m, ok := first.(*Map)
			if !ok {
				return nil, failf("cannot merge %s with a dict", kindOf(first))
			}
			return c.merge(m, n, max(levels-1, 0), depth+1)
		}
		if more, ok := sequence(second); ok {
			some, ok := sequence(first)
			if !ok {
				return nil, failf("cannot merge %s with a list", kindOf(first))
			}
			return c.mergeLists(x, y, some, more)
		}
	}
	if l := c.lambda(3); l != nil {
		return c.apply(l, x, y)
	}
	return y, nil
}

func (c *call) mergeLists(x, y any, some, more []any) (any, error) {
	if l := c.lambda(2); l != nil {
		return c.apply(l, x, y)
	}
	seen, out := newSet(), make([]any, 0, len(some)+len(more))
	for _, items := range [][]any{some, more} {
		for _, v := range items {
			ok, err := c.fresh(seen, v)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, v)
			}
		}
	}
	return out, nil
}
