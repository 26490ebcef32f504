package yaql

import (
	"errors"
	"slices"
)

// ordering is what orderBy() gives: thenBy() adds to it, and it is sorted when it is first read.
type ordering struct {
	from   any
	fields []field
	result []any
}

type field struct {
	selector *lambda
	down     bool
}

func orderLibrary() []entry {
	order := func(down bool) func(c *call) (any, error) {
		return func(c *call) (any, error) {
			return &ordering{from: c.args[0], fields: []field{{c.lambda(1), down}}}, nil
		}
	}
	then := func(down bool) func(c *call) (any, error) {
		return func(c *call) (any, error) {
			o := c.args[0].(*ordering)
			o.fields = append(o.fields, field{c.lambda(1), down})
			return o, nil
		}
	}
	return []entry{
		{".orderBy", "collection:iter selector:lambda", order(false)},
		{".orderByDescending", "collection:iter selector:lambda", order(true)},
		{".thenBy", "collection:ordering selector:lambda", then(false)},
		{".thenByDescending", "collection:ordering selector:lambda", then(true)},
		{".groupBy", "collection:iter keySelector:lambda valueSelector:lambda= aggregator:lambda=", groupBy},
		{".reverse", "collection:iter", func(c *call) (any, error) {
			items, err := c.slice(c.args[0])
			items = slices.Clone(items)
			slices.Reverse(items)
			return c.iterate(items), err
		}},
	}
}

func (o *ordering) sorted(st *state) (any, error) {
	if o.result != nil {
		return o.result, nil
	}
	items, err := st.slice(o.from)
	if err != nil {
		return nil, err
	}
	items = append([]any{}, items...)
	slices.SortStableFunc(items, func(a, b any) int {
		if err != nil {
			return 0
		}
		var order int
		order, err = o.compare(st, a, b)
		return order
	})
	if err == nil {
		o.result = items
	}
	return items, err
}

func (o *ordering) compare(st *state, a, b any) (int, error) {
	for _, f := range o.fields {
		x, err := st.apply(f.selector, a)
		if err != nil {
			return 0, err
		}
		y, err := st.apply(f.selector, b)
		if err != nil {
			return 0, err
		}
		order := 0
		for _, op := range []string{"<", ">"} {
			ok, err := st.compare(op, x, y)
			if err != nil {
				return 0, err
			}
			if ok {
				order = map[string]int{"<": -1, ">": 1}[op]
				break
			}
		}
		if order != 0 {
			if f.down {
				order = -order
			}
			return order, nil
		}
	}
	return 0, nil
}

func groupBy(c *call) (any, error) {
	groups := NewMap()
	for v, err := range c.all(c.args[0]) {
		if err != nil {
			return nil, err
		}
		value, err := c.selected(c.lambda(2), v)
		if err != nil {
			return nil, err
		}
		key, err := c.apply(c.lambda(1), v)
		if err != nil {
			return nil, err
		}
		if err := c.weigh(key, 0); err != nil {
			return nil, err
		}
		if g, ok := groups.Get(key); ok {
			l := g.(*pyList)
			l.items = append(l.items, value)
			continue
		}
		groups.Set(key, &pyList{[]any{value}})
	}
	g := &grouping{c: c, fallback: true}
	return c.mapped((&view{groups, 'i'}).items(), g.aggregate), nil
}

// grouping aggregates groups. Until yaql 1.1.1 the aggregator got the pair of key and values, and gave a pair; later ones
// still try that when the first group says that the newer form, values alone, cannot be meant.
type grouping struct {
	c        *call
	fallback bool
	failed   error
}

func (g *grouping) aggregate(item any) (any, error) {
	f := g.c.lambda(3)
	if f == nil {
		return item, nil
	}
	pair := item.([]any)
	if g.failed == nil {
		v, err := g.c.apply(f, pair[1])
		if err == nil {
			g.settle(pair[1].(*pyList).items, v)
			return []any{pair[0], v}, nil
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.kind != noMatch && e.kind != noLength {
			return nil, err
		}
		g.failed = err
	}
	if g.fallback {
		if v, err := g.c.apply(f, item); err == nil {
			if items, ok := sequence(Open(v)); ok && len(items) == 2 {
				return v, nil
			}
		}
	}
	return nil, g.failed
}

// settle gives the older form up, once a result cannot have come from it.
func (g *grouping) settle(values []any, result any) {
	items, ok := sequence(Open(result))
	if len(values) != 2 || !ok || len(items) != 2 || !Equal(items[0], values[0]) {
		g.fallback = false
	}
}
