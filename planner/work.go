package planner

import (
	"slices"
)

// work is what some nodes have to do in each step: their tasks, sorted by step.
type work struct {
	nodes   []int // in the order that breaks ties
	roles   []int // of the nodes, in their own order
	role    []int // place in roles of each node's
	numbers []int // steps in the order they run
	items   []item
	first   []int // where the items of each node begin, and at last their end
}

// item is a task of a node in a step.
type item struct{ step, task int }

// work gathers what nodes do. Backwards, what comes last comes first.
func (b *builder) work(f *frame, nodes []int) *work {
	w := &work{nodes: nodes, first: make([]int, 1, len(nodes)+1)}
	if f.back {
		w.nodes = slices.Clone(nodes)
		slices.Reverse(w.nodes)
	}
	for _, n := range nodes {
		if r := b.roleAt(f.ph, n); len(w.roles) == 0 || w.roles[len(w.roles)-1] != r {
			w.roles = append(w.roles, r) // nodes come role by role
		}
	}
	for _, n := range w.nodes {
		at, _ := slices.BinarySearch(w.roles, b.roleAt(f.ph, n))
		w.role = append(w.role, at)
		begin := len(w.items)
		if f.ph.active[n] {
			ts := b.serviceOf(f.ph, n).Lists[f.list]
			for j := range ts {
				if !f.has(&ts[j]) {
					continue
				}
				for _, s := range ts[j].Steps {
					w.items = append(w.items, item{s, j})
					if !slices.Contains(w.numbers, s) {
						w.numbers = append(w.numbers, s)
					}
				}
			}
		}
		slices.SortStableFunc(w.items[begin:], func(x, y item) int { return x.step - y.step })
		w.first = append(w.first, len(w.items))
	}
	slices.Sort(w.numbers)
	if f.back {
		slices.Reverse(w.numbers)
	}
	return w
}

// graph gives the order among the nodes in the frame's direction.
func (w *work) graph(f *frame) *digraph {
	g := f.ph.subgraph(w.nodes)
	if f.back {
		return g.reversed()
	}
	return g
}

// of gives a node's items in a step.
func (w *work) of(i, step int) []item {
	all := w.items[w.first[i]:w.first[i+1]]
	from, _ := slices.BinarySearchFunc(all, step, func(x item, s int) int { return x.step - s })
	to, _ := slices.BinarySearchFunc(all, step+1, func(x item, s int) int { return x.step - s })
	return all[from:to]
}

// colours gives each node that has tasks in a step the place of its role in roles.
func (w *work) colours(step int) []int {
	out := make([]int, len(w.nodes))
	for i := range w.nodes {
		out[i] = through
		if len(w.of(i, step)) > 0 {
			out[i] = w.role[i]
		}
	}
	return out
}
