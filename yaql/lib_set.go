package yaql

func setLibrary() []entry {
	// both gives an operation of two sets.
	both := func(f func(st *state, a, b *set) (any, error)) func(c *call) (any, error) {
		return func(c *call) (any, error) { return f(c.state, asSet(c.args[0]), asSet(c.args[1])) }
	}
	return []entry{
		{"set", "*args:any?", func(c *call) (any, error) {
			items, err := c.spread(c.rest, nil)
			if err != nil {
				return nil, err
			}
			return c.setOf(items)
		}},
		{".toSet", "collection:iter", func(c *call) (any, error) { return c.setOf(c.args[0]) }},
		{"len.", "set:set", func(c *call) (any, error) { return sizeOf(c.args[0]), nil }},
		{"isSet", "arg:any?", func(c *call) (any, error) { return isSet(Open(c.args[0])), nil }},
		{".union", "left:set right:set", both((*state).union)},
		{".intersect", "left:set right:set", both(func(st *state, a, b *set) (any, error) {
			rest, err := st.difference(a, b)
			if err != nil {
				return nil, err
			}
			return st.difference(a, rest.(*set))
		})},
		{".difference", "left:set right:set", both((*state).difference)},
		{".symmetricDifference", "left:set right:set", both(func(st *state, a, b *set) (any, error) {
			x, err := st.difference(a, b)
			if err != nil {
				return nil, err
			}
			y, err := st.difference(b, a)
			if err != nil {
				return nil, err
			}
			return st.union(x.(*set), y.(*set))
		})},
		{".add", "set:set *values:any?", func(c *call) (any, error) { return c.union(asSet(c.args[0]), asSet(c.rest)) }},
		{".remove", "set:set *values:any?", func(c *call) (any, error) { return c.difference(asSet(c.args[0]), asSet(c.rest)) }},
	}
}

// setOf reads a collection into a set.
func (st *state) setOf(v any) (any, error) {
	s := newSet()
	for e, err := range st.all(v) {
		if err == nil {
			err = st.weigh(e, 0)
		}
		if err != nil {
			return nil, err
		}
		s.add(e)
	}
	return s, nil
}

func asSet(v any) *set {
	if s, ok := v.(*set); ok {
		return s
	}
	items, ok := members(v)
	if !ok {
		items, _ = sequence(v)
	}
	s := newSet()
	for _, e := range items {
		s.add(e)
	}
	return s
}

func (st *state) union(a, b *set) (any, error) {
	if err := st.weighBoth(a, b); err != nil {
		return nil, err
	}
	out := &set{a.m.clone()}
	for k := range b.m.All() {
		out.add(k)
	}
	return out, nil
}

func (st *state) difference(a, b *set) (any, error) {
	if err := st.weighBoth(a, b); err != nil {
		return nil, err
	}
	out := newSet()
	for k := range a.m.All() {
		if !b.has(k) {
			out.add(k)
		}
	}
	return out, nil
}

func (st *state) weighBoth(a, b *set) error {
	if err := st.weigh(a, 0); err != nil {
		return err
	}
	return st.weigh(b, 0)
}
