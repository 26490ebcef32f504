package yaql

import "slices"

// finish makes plain data of a result. What is plain already is not copied.
func (st *state) finish(raw any, depth int) (any, error) {
	v, _, err := st.finished(raw, depth)
	return v, err
}

// finished tells too whether the value has become another one.
func (st *state) finished(raw any, depth int) (any, bool, error) {
	if depth > maxDepth {
		return nil, false, &Error{Offset: -1, Message: "the result is nested too deep", kind: limits}
	}
	if err := st.charge(1); err != nil {
		return nil, false, err
	}
	switch v := raw.(type) {
	case nil, bool, int64, float64, string, Lazy:
		return raw, false, nil
	case int, float32:
		return plain(v), true, nil
	case []any:
		return st.finishedList(v, depth)
	case *Map:
		return st.finishedMap(v, depth)
	case *regex, *scope, *rule, *lambda:
		return nil, false, failf("the result holds %s, which is no data", kindOf(v))
	default:
		if !isIterable(v) {
			return nil, false, failf("the result holds a %T, which is no data", v)
		}
		items, err := st.slice(v)
		if err != nil {
			return nil, false, err
		}
		v, _, err = st.finishedList(items, depth)
		return v, true, err
	}
}

func (st *state) finishedList(items []any, depth int) (any, bool, error) {
	out := items
	for i, e := range items {
		e, changed, err := st.finished(e, depth+1)
		if err != nil {
			return nil, false, err
		}
		if !changed {
			continue
		}
		if &out[0] == &items[0] {
			out = slices.Clone(items)
		}
		out[i] = e
	}
	return out, len(items) > 0 && &out[0] != &items[0], nil
}

func (st *state) finishedMap(m *Map, depth int) (any, bool, error) {
	out := m
	for i, k := range m.keys {
		switch Open(k).(type) {
		case nil, bool, int64, float64, string:
		default:
			return nil, false, failf("a dict of the result has %s for a key", kindOf(k))
		}
		e, changed, err := st.finished(m.values[i], depth+1)
		if err != nil {
			return nil, false, err
		}
		if !changed {
			continue
		}
		if out == m {
			out = m.clone()
		}
		out.values[i] = e
	}
	return out, out != m, nil
}
