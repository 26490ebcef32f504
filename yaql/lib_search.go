package yaql

func searchLibrary() []entry {
	return []entry{
		{"any.", "collection:iter predicate:lambda=", func(c *call) (any, error) {
			for v, err := range c.all(c.args[0]) {
				if err != nil || c.lambda(1) == nil {
					return true, err
				}
				if ok, err := c.ask(c.lambda(1), v); ok || err != nil {
					return ok, err
				}
			}
			return false, nil
		}},
		{"all.", "collection:iter predicate:lambda=", func(c *call) (any, error) {
			for v, err := range c.all(c.args[0]) {
				if err != nil {
					return nil, err
				}
				if v, err = c.selectedOne(v); err != nil || !truth(v) {
					return false, err
				}
			}
			return true, nil
		}},
		{"len.", "collection:iterator", count},
		{".count", "collection:iter", count},
		{".first", "collection:iter default:any?=", func(c *call) (any, error) {
			for v, err := range c.all(c.args[0]) {
				return v, err
			}
			return c.orDefault()
		}},
		{".last", "collection:iter default:any?=", func(c *call) (any, error) {
			if items, ok := sequence(c.args[0]); ok && len(items) > 0 {
				return items[len(items)-1], nil
			}
			var last any
			some := false
			for v, err := range c.all(c.args[0]) {
				if err != nil {
					return nil, err
				}
				last, some = v, true
			}
			if some {
				return last, nil
			}
			return c.orDefault()
		}},
		{".single", "collection:iter", func(c *call) (any, error) {
			var one any
			n := 0
			for v, err := range c.all(c.args[0]) {
				if err != nil {
					return nil, err
				}
				one = v
				if n++; n > 1 {
					break
				}
			}
			if n != 1 {
				return nil, failf("single(): the collection does not hold exactly one element")
			}
			return one, nil
		}},
		{".indexOf", "collection:iter item:any?", index(false, sameAs)},
		{".lastIndexOf", "collection:iter item:any?", index(true, sameAs)},
		{".indexWhere", "collection:iter predicate:lambda", index(false, passes)},
		{".lastIndexWhere", "collection:iter predicate:lambda", index(true, passes)},
	}
}

func (c *call) selectedOne(v any) (any, error) { return c.selected(c.lambda(1), v) }

func (c *call) orDefault() (any, error) {
	if c.given[1] {
		return c.raw[1], nil
	}
	return nil, failf("%s(): the collection is empty", c.name)
}

func count(c *call) (any, error) {
	n := int64(0)
	for _, err := range c.all(c.args[0]) {
		if err != nil {
			return nil, err
		}
		n++
	}
	return n, nil
}

func sameAs(c *call, v any) (bool, error) { return c.equal(v, c.args[1]) }

func passes(c *call, v any) (bool, error) { return c.ask(c.lambda(1), v) }

func index(last bool, test func(c *call, v any) (bool, error)) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		i, at := int64(0), int64(-1)
		for v, err := range c.all(c.args[0]) {
			if err != nil {
				return nil, err
			}
			ok, err := test(c, v)
			if err != nil {
				return nil, err
			}
			if ok {
				at = i
				if !last {
					break
				}
			}
			i++
		}
		return at, nil
	}
}
