package yaql

import "slices"

func generatorLibrary() []entry {
	return []entry{
		{"range", "stop:int", func(c *call) (any, error) { return c.counted(0, 1, c.int(0, 0), false) }},
		{"range", "start:int stop:int step:int=", func(c *call) (any, error) {
			return c.counted(c.int(0, 0), c.int(2, 1), c.int(1, 0), false)
		}},
		{"sequence", "start:int= step:int=", func(c *call) (any, error) { return c.counted(c.int(0, 0), c.int(1, 1), 0, true) }},
		{".repeat", "value:any? times:int=", func(c *call) (any, error) {
			n, v := c.int(1, -1), c.args[0]
			return &iterator{next: func() (any, bool, error) {
				if n == 0 {
					return nil, false, nil
				}
				n = max(n-1, -1)
				return v, true, nil
			}}, nil
		}},
		{".cycle", "collection:iter", func(c *call) (any, error) {
			again := c.memorize(c.args[0])
			it, some := c.iterate(again), false
			return &iterator{next: func() (any, bool, error) {
				for {
					v, ok, err := c.take(it)
					if ok || err != nil || !some {
						some = ok
						return v, ok, err
					}
					it, some = c.iterate(again), false
				}
			}}, nil
		}},
		{".slice", "collection:iter length:int", func(c *call) (any, error) {
			it, n := c.iterate(c.args[0]), c.int(1, 0)
			if n < 0 {
				return nil, failf("slice(): a negative length")
			}
			return &iterator{next: func() (any, bool, error) {
				some, err := c.limited(it, n)
				if err != nil {
					return nil, false, err
				}
				items, err := c.slice(some)
				return items, len(items) > 0, err
			}}, nil
		}},
		{".splitWhere", "collection:iter predicate:lambda", splitWhere},
		{".sliceWhere", "collection:iter predicate:lambda", sliceWhere},
		{".splitAt", "collection:iter index:int", func(c *call) (any, error) {
			items, err := c.slice(c.args[0])
			_, i := bounds(int64(len(items)), 0, c.int(1, 0))
			return &pyList{[]any{items[:i:i], items[i:]}}, err
		}},
		{"generate", "initial:any? predicate:lambda producer:lambda selector:lambda= decycle:bool=", generate},
		{"generateMany", "initial:any? producer:lambda selector:lambda= decycle:bool= depthFirst:bool=", generateMany},
	}
}

func (st *state) counted(from, step, to int64, endless bool) (any, error) {
	if step == 0 && !endless {
		return nil, failf("range(): the step is zero")
	}
	return &iterator{next: func() (any, bool, error) {
		if !endless && (step > 0 && from >= to || step < 0 && from <= to) {
			return nil, false, nil
		}
		v := from
		next, err := integers("+", from, step)
		if err != nil {
			return nil, false, err
		}
		from = next.(int64)
		return v, true, nil
	}}, nil
}

func splitWhere(c *call) (any, error) {
	return c.generated(func(yield func(any) bool) error {
		items, err := c.slice(c.args[0])
		start := 0
		for i, v := range items {
			ok, err := c.ask(c.lambda(1), v)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if !yield(items[start:i:i]) {
				return nil
			}
			start = i + 1
		}
		if err == nil && start < len(items) {
			yield(items[start:])
		}
		return err
	}), nil
}

// sliceWhere cuts wherever the predicate's value changes.
func sliceWhere(c *call) (any, error) {
	return c.generated(func(yield func(any) bool) error {
		items, err := c.slice(c.args[0])
		var last any
		start := 0
		for i, v := range items {
			p, err := c.apply(c.lambda(1), v)
			if err != nil {
				return err
			}
			if i > 0 {
				same, err := c.equal(p, last)
				if err != nil {
					return err
				}
				if !same {
					if !yield(items[start:i:i]) {
						return nil
					}
					start = i
				}
			}
			last = p
		}
		if err == nil && start < len(items) {
			yield(items[start:])
		}
		return err
	}), nil
}

// fresh tells whether a value has not been seen, and remembers it, where that was asked for.
func (c *call) fresh(seen *set, v any) (bool, error) {
	if seen == nil {
		return true, nil
	}
	if err := c.weigh(v, 0); err != nil {
		return false, err
	}
	if seen.has(v) {
		return false, nil
	}
	seen.add(v)
	return true, nil
}

func (c *call) decycle(i int) *set {
	if truth(c.args[i]) {
		return newSet()
	}
	return nil
}

func generate(c *call) (any, error) {
	v, seen, begun := c.args[0], c.decycle(4), false
	return &iterator{next: func() (any, bool, error) {
		var err error
		if begun {
			if v, err = c.apply(c.lambda(2), v); err != nil {
				return nil, false, err
			}
		}
		begun = true
		if ok, err := c.ask(c.lambda(1), v); !ok || err != nil {
			return nil, false, err
		}
		if ok, err := c.fresh(seen, v); !ok || err != nil {
			return nil, false, err
		}
		out, err := c.selected(c.lambda(3), v)
		return out, true, err
	}}, nil
}

func generateMany(c *call) (any, error) {
	queue, seen := []any{c.args[0]}, c.decycle(3)
	return c.generated(func(yield func(any) bool) error {
		for len(queue) > 0 {
			v := queue[0]
			queue = queue[1:]
			ok, err := c.fresh(seen, v)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			out, err := c.selected(c.lambda(2), v)
			if err != nil || !yield(out) {
				return err
			}
			if out, err = c.apply(c.lambda(1), v); err != nil {
				return err
			}
			more, err := c.elements(out)
			if err != nil {
				return err
			}
			if err := c.charge(len(queue) / 8); err != nil {
				return err
			}
			if truth(c.args[4]) {
				queue = slices.Concat(more, queue)
			} else {
				queue = append(queue, more...)
			}
		}
		return nil
	}), nil
}

// elements reads whatever Python iterates over: of a dict the keys, of a text the characters.
func (st *state) elements(raw any) ([]any, error) {
	switch v := Open(raw).(type) {
	case *Map:
		return v.keys, nil
	case string:
		out := []any{}
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, st.charge(len(out))
	default:
		if !isIterable(v) {
			return nil, failf("%s has no elements", kindOf(v))
		}
		return st.slice(v)
	}
}
