package yaql

func queryLibrary() []entry {
	where := func(c *call) (any, error) {
		return c.filtered(c.args[0], func(v any) (bool, error) { return c.ask(c.lambda(1), v) }), nil
	}
	choose := func(c *call) (any, error) {
		return c.mapped(c.args[0], func(v any) (any, error) { return c.apply(c.lambda(1), v) }), nil
	}
	limit := func(c *call) (any, error) { return c.limited(c.args[0], c.int(1, 0)) }
	reduce := func(c *call) (any, error) {
		return c.aggregate(c.args[0], c.raw[2], c.given[2], func(a, b any) (any, error) { return c.apply(c.lambda(1), a, b) })
	}
	return []entry{
		{".where", "collection:iter predicate:lambda", where},
		{".filter", "collection:iter predicate:lambda", where},
		{".select", "collection:iter selector:lambda", choose},
		{".map", "collection:iter selector:lambda", choose},
		{".limit", "collection:iter count:int", limit},
		{".take", "collection:iter count:int", limit},
		{".skip", "collection:iter count:int", func(c *call) (any, error) {
			n, it := c.int(1, 0), c.iterate(c.args[0])
			if n < 0 {
				return nil, failf("skip(): a negative count")
			}
			return c.filtered(it, func(any) (bool, error) { n--; return n < 0, nil }), nil
		}},
		{"append.", "collection:iter *args:any?", func(c *call) (any, error) { return c.chain(c.args[0], c.rest), nil }},
		{"concat.", "*collections:iter", func(c *call) (any, error) { return c.chain(c.rest...), nil }},
		{"distinct.", "collection:iter keySelector:lambda=", distinct},
		{"enumerate.", "collection:iter start:int=", func(c *call) (any, error) {
			i := c.int(1, 0) - 1
			return c.mapped(c.args[0], func(v any) (any, error) { i++; return &pyList{[]any{i, v}}, nil }), nil
		}},
		{".selectMany", "collection:iter selector:lambda", selectMany},
		{".memorize", "collection:iter", func(c *call) (any, error) { return c.memorize(c.args[0]), nil }},
		{".takeWhile", "collection:iter predicate:lambda", func(c *call) (any, error) {
			it, done := c.iterate(c.args[0]), false
			return &iterator{next: func() (any, bool, error) {
				v, ok, err := c.take(it)
				if !ok || err != nil || done {
					return nil, false, err
				}
				ok, err = c.ask(c.lambda(1), v)
				done = !ok
				return v, ok, err
			}}, nil
		}},
		{".skipWhile", "collection:iter predicate:lambda", func(c *call) (any, error) {
			begun := false
			return c.filtered(c.args[0], func(v any) (bool, error) {
				if begun {
					return true, nil
				}
				skip, err := c.ask(c.lambda(1), v)
				begun = !skip
				return begun, err
			}), nil
		}},
		{".aggregate", "collection:iter selector:lambda seed:any?=", reduce},
		{".reduce", "collection:iter selector:lambda seed:any?=", reduce},
		{".sum", "collection:iter initial:any?=", c2(func(c *call, a, b any) (any, error) { return c.operate("+", a, b) })},
		{".max", "collection:iter initial:any?=", c2(func(c *call, a, b any) (any, error) { return c.larger(a, b) })},
		{".min", "collection:iter initial:any?=", c2(func(c *call, a, b any) (any, error) { return c.smaller(a, b) })},
		{".accumulate", "collection:iter selector:lambda seed:any?=", accumulate},
		{".zip", "*collections:iter", func(c *call) (any, error) { return c.zip(nil, false), nil }},
		{".zipLongest", "*collections:iter **", func(c *call) (any, error) {
			var fill any
			if c.named != nil {
				fill, _ = c.named.Get("default")
			}
			return c.zip(fill, true), nil
		}},
		{".join", "collection1:iter collection2:iter predicate:lambda selector:lambda", joined},
		{".defaultIfEmpty", "collection:iter default:iter", func(c *call) (any, error) {
			again := c.memorize(c.args[0])
			for _, err := range c.all(again) {
				return again, err
			}
			return c.args[1], nil
		}},
		{"isIterable", "value:any?", func(c *call) (any, error) { return isIterable(Open(c.args[0])), nil }},
	}
}

// c2 makes an aggregate of an operation of two values.
func c2(f func(c *call, a, b any) (any, error)) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		return c.aggregate(c.args[0], c.raw[1], c.given[1], func(a, b any) (any, error) { return f(c, a, b) })
	}
}

func (st *state) aggregate(v, seed any, seeded bool, f func(a, b any) (any, error)) (any, error) {
	for e, err := range st.all(v) {
		if err != nil {
			return nil, err
		}
		if !seeded {
			seed, seeded = e, true
			continue
		}
		if seed, err = f(seed, e); err != nil {
			return nil, err
		}
	}
	if !seeded {
		return nil, failf("an empty collection without a first value cannot be aggregated")
	}
	return seed, nil
}

func accumulate(c *call) (any, error) {
	it, begun, total := c.iterate(c.args[0]), false, c.raw[2]
	return &iterator{next: func() (any, bool, error) {
		if !begun && c.given[2] {
			begun = true
			return total, true, nil
		}
		v, ok, err := c.take(it)
		switch {
		case err != nil:
			return nil, false, err
		case !ok && !begun:
			return nil, false, failf("accumulate() of an empty collection without a first value")
		case !ok:
			return nil, false, nil
		case !begun:
			begun, total = true, v
		default:
			total, err = c.apply(c.lambda(1), total, v)
		}
		return total, true, err
	}}, nil
}

func (st *state) limited(v any, n int64) (any, error) {
	if n < 0 {
		return nil, failf("limit(): a negative count")
	}
	it := st.iterate(v)
	return &iterator{next: func() (any, bool, error) {
		if n == 0 {
			return nil, false, nil
		}
		n--
		return st.take(it)
	}}, nil
}

func (st *state) memorize(v any) any {
	if it, ok := v.(*iterator); ok && it.memory == nil {
		return &iterator{memory: &memory{from: it}}
	}
	if o, ok := v.(*ordering); ok {
		return st.memorize(st.iterate(o))
	}
	return v
}

func distinct(c *call) (any, error) {
	seen := map[any]bool{}
	return c.filtered(c.args[0], func(v any) (bool, error) {
		key, err := c.selected(c.lambda(1), v)
		if err != nil {
			return false, err
		}
		if err := c.weigh(key, 0); err != nil {
			return false, err
		}
		k := hashKey(key)
		if seen[k] {
			return false, nil
		}
		seen[k] = true
		return true, nil
	}), nil
}

func selectMany(c *call) (any, error) {
	outer := c.iterate(c.args[0])
	var inner *iterator
	return &iterator{next: func() (any, bool, error) {
		for {
			if inner != nil {
				if v, ok, err := c.take(inner); ok || err != nil {
					return v, ok, err
				}
				inner = nil
			}
			v, ok, err := c.take(outer)
			if !ok || err != nil {
				return nil, false, err
			}
			if v, err = c.apply(c.lambda(1), v); err != nil {
				return nil, false, err
			}
			if open := Open(v); isIterable(open) {
				inner = c.iterate(open)
				continue
			}
			return v, true, nil
		}
	}}, nil
}

// zip pairs collections off, up to the end of the shortest, or of the longest with a value in place of what is missing.
func (c *call) zip(fill any, longest bool) *iterator {
	its := make([]*iterator, len(c.rest))
	for i, v := range c.rest {
		its[i] = c.iterate(v)
	}
	return &iterator{next: func() (any, bool, error) {
		row, some := make([]any, len(its)), false
		for i, it := range its {
			v, ok, err := c.take(it)
			if err != nil || !ok && !longest {
				return nil, false, err
			}
			if !ok {
				v = fill
			}
			row[i], some = v, some || ok
		}
		return row, some, nil
	}}
}

func joined(c *call) (any, error) {
	again := c.memorize(c.args[1])
	return c.generated(func(yield func(any) bool) error {
		for a, err := range c.all(c.args[0]) {
			if err != nil {
				return err
			}
			for b, err := range c.all(again) {
				if err != nil {
					return err
				}
				ok, err := c.ask(c.lambda(2), a, b)
				if err != nil {
					return err
				}
				if !ok {
					continue
				}
				v, err := c.apply(c.lambda(3), a, b)
				if err != nil || !yield(v) {
					return err
				}
			}
		}
		return nil
	}), nil
}
