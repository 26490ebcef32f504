package yaql

func systemLibrary() []entry {
	return []entry{
		{"let", "*args:any? **", func(c *call) (any, error) {
			inner := &scope{parent: c.scope, args: c.rest}
			if c.named != nil {
				for k, v := range c.named.All() {
					inner.set(k.(string), v)
				}
			}
			return inner, nil
		}},
		{"with", "*args:any?", func(c *call) (any, error) {
			return &scope{parent: c.scope, args: c.rest}, nil
		}},
		{".unpack", "sequence:iter *args:str", unpack},
		{"def", "name:str func:lambda", func(c *call) (any, error) {
			inner := &scope{parent: c.scope} // the function knows itself
			inner.funcs = map[string]*lambda{c.str(0, ""): {node: c.lambda(1).node, value: c.lambda(1).value, scope: inner}}
			return inner, nil
		}},
		{".assert", "obj:any? condition:lambda message:str=", func(c *call) (any, error) {
			obj := c.args[0]
			if it, ok := Open(obj).(*iterator); ok {
				obj = c.memorize(it)
			}
			ok, err := c.ask(c.lambda(1), obj)
			if err == nil && !ok {
				err = failf("%s", c.str(2, "Assertion failed"))
			}
			return obj, err
		}},
		{"call", "name:str args:seq kwargs:dict", callByName},
	}
}

func unpack(c *call) (any, error) {
	items, err := c.slice(c.args[0])
	if err != nil {
		return nil, err
	}
	inner := &scope{parent: c.scope}
	if len(c.rest) == 0 {
		inner.args = items
		return inner, nil
	}
	if len(items) != len(c.rest) {
		return nil, failf("cannot unpack %d elements into %d", len(items), len(c.rest))
	}
	for i, name := range c.rest {
		inner.set(name.(string), items[i])
	}
	return inner, nil
}

// callByName calls a function whose name is a value.
func callByName(c *call) (any, error) {
	items, _ := sequence(c.args[1])
	m := c.args[2].(*Map)
	args := make([]argument, 0, m.Len())
	for k, v := range m.All() {
		args = append(args, argument{key: &constantNode{value: k, keyword: true}, value: &constantNode{value: v}})
	}
	name := c.str(0, "")
	return c.invoke(lookup(name).functions, name, args, items, c.scope)
}

func branchingLibrary() []entry {
	return []entry{
		{"switch", "=> *args:rule", func(c *call) (any, error) {
			for _, a := range c.rest {
				r := a.([2]*lambda)
				ok, err := c.ask(r[0])
				if err != nil {
					return nil, err
				}
				if ok {
					return c.apply(r[1])
				}
			}
			return nil, nil
		}},
		{"selectCase", "*args:lambda", func(c *call) (any, error) {
			for i, a := range c.rest {
				if ok, err := c.ask(a.(*lambda)); ok || err != nil {
					return int64(i), err
				}
			}
			return int64(len(c.rest)), nil
		}},
		{"selectAllCases", "*args:lambda", func(c *call) (any, error) {
			return c.generated(func(yield func(any) bool) error {
				for i, a := range c.rest {
					ok, err := c.ask(a.(*lambda))
					if err != nil || ok && !yield(int64(i)) {
						return err
					}
				}
				return nil
			}), nil
		}},
		{"examine", "*args:lambda", func(c *call) (any, error) {
			return c.mapped(c.rest, func(a any) (any, error) { return c.ask(a.(*lambda)) }), nil
		}},
		{".switchCase", "case:int *args:lambda", func(c *call) (any, error) {
			i, n := c.int(0, 0), int64(len(c.rest))
			if n == 0 {
				return nil, nil
			}
			if i < 0 || i >= n {
				i = n - 1
			}
			return c.apply(c.rest[i].(*lambda))
		}},
		{"coalesce", "*args:lambda", func(c *call) (any, error) {
			for _, a := range c.rest {
				if v, err := c.apply(a.(*lambda)); err != nil || Open(v) != nil {
					return v, err
				}
			}
			return nil, nil
		}},
		{"bool", "value:any?", func(c *call) (any, error) { return truth(c.args[0]), nil }},
		{"isBoolean", "value:any?", func(c *call) (any, error) {
			_, ok := Open(c.args[0]).(bool)
			return ok, nil
		}},
	}
}
