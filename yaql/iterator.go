package yaql

import "iter"

// iterator is a Python iterator: what has been taken from it is gone.
type iterator struct {
	next func() (any, bool, error)

	memory *memory // of memorize(), which can be read again
}

type memory struct {
	from *iterator
	seen []any
}

// isIterable tells what has elements; as in yaql, texts and dicts are not meant.
func isIterable(v any) bool {
	switch v.(type) {
	case []any, *pyList, *set, *view, *iterator, *ordering:
		return true
	}
	return false
}

// iterate begins to read a collection; an iterator goes on where it was left.
func (st *state) iterate(v any) *iterator {
	var items []any
	switch v := v.(type) {
	case *iterator:
		if v.memory != nil {
			return st.again(v.memory)
		}
		return v
	case *ordering:
		return st.deferred(func() (any, error) { return v.sorted(st) })
	case *set:
		items = v.m.keys
	case *view:
		items = v.items()
	default:
		items, _ = sequence(v)
	}
	i := 0
	return &iterator{next: func() (any, bool, error) {
		if i >= len(items) {
			return nil, false, nil
		}
		i++
		return items[i-1], true, st.charge(1)
	}}
}

// deferred makes a collection when its first element is asked for.
func (st *state) deferred(collection func() (any, error)) *iterator {
	var it *iterator
	return &iterator{next: func() (any, bool, error) {
		if it == nil {
			v, err := collection()
			if err != nil {
				return nil, false, err
			}
			it = st.iterate(v)
		}
		return st.take(it)
	}}
}

func (st *state) again(m *memory) *iterator {
	i := 0
	return &iterator{next: func() (any, bool, error) {
		if i == len(m.seen) {
			v, ok, err := st.take(m.from)
			if !ok || err != nil {
				return nil, false, err
			}
			m.seen = append(m.seen, v)
		}
		i++
		return m.seen[i-1], true, nil
	}}
}

// take asks for the next element. Iterators stand on iterators: a tall pile of them ends in an error, not in Go's stack.
func (st *state) take(it *iterator) (any, bool, error) {
	err := st.enter()
	defer func() { st.depth-- }()
	if err != nil {
		return nil, false, err
	}
	v, ok, err := it.next()
	if err != nil {
		return nil, false, err
	}
	return v, ok, nil
}

// all ranges over a collection; after an error there is nothing more.
func (st *state) all(v any) iter.Seq2[any, error] {
	it := st.iterate(v)
	return func(yield func(any, error) bool) {
		for {
			e, ok, err := st.take(it)
			if err != nil {
				yield(nil, err)
				return
			}
			if !ok || !yield(e, nil) {
				return
			}
		}
	}
}

// slice reads a collection to its end.
func (st *state) slice(v any) ([]any, error) {
	if items, ok := sequence(v); ok {
		return items, st.charge(len(items))
	}
	out := []any{}
	for e, err := range st.all(v) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (st *state) mapped(v any, f func(any) (any, error)) *iterator {
	it := st.iterate(v)
	return &iterator{next: func() (any, bool, error) {
		e, ok, err := st.take(it)
		if !ok || err != nil {
			return nil, false, err
		}
		e, err = f(e)
		return e, true, err
	}}
}

func (st *state) filtered(v any, keep func(any) (bool, error)) *iterator {
	it := st.iterate(v)
	return &iterator{next: func() (any, bool, error) {
		for {
			e, ok, err := st.take(it)
			if !ok || err != nil {
				return nil, false, err
			}
			if ok, err := keep(e); ok || err != nil {
				return e, true, err
			}
		}
	}}
}

func (st *state) chain(collections ...any) *iterator {
	var it *iterator
	return &iterator{next: func() (any, bool, error) {
		for {
			if it != nil {
				if e, ok, err := st.take(it); ok || err != nil {
					return e, ok, err
				}
			}
			if len(collections) == 0 {
				return nil, false, nil
			}
			it, collections = st.iterate(collections[0]), collections[1:]
		}
	}}
}

// generated is an iterator over what a function yields, which runs only as far as it is asked to. The function returns
// when yield says false.
func (st *state) generated(f func(yield func(any) bool) error) *iterator {
	next, stop := iter.Pull2(func(yield func(any, error) bool) {
		if err := f(func(v any) bool { return yield(v, nil) }); err != nil {
			yield(nil, err)
		}
	})
	st.stops = append(st.stops, stop)
	return &iterator{next: func() (any, bool, error) {
		v, err, ok := next()
		return v, ok, err
	}}
}
