package planner

import (
	"slices"

	"github.com/upstep/upstep/tasks"
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

// item is a task of a node in a step: of the frame's list, or one of its backup tasks,
// which come before its first migration.
type item struct {
	step, task int
	backup     bool
}

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
					w.items = append(w.items, item{step: s, task: j})
					if !slices.Contains(w.numbers, s) {
						w.numbers = append(w.numbers, s)
					}
				}
			}
		}
		slices.SortStableFunc(w.items[begin:], func(x, y item) int { return x.step - y.step })
		w.items = slices.Insert(w.items, begin+b.firstMigration(f, n, w.items[begin:]), b.backups(f, n, w.items[begin:])...)
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

// parts is the work of one step, with a graph of it. A node is one part, or several
// where a task of it runs once: that one stands in a unit of its own.
type parts struct {
	*digraph
	node   []int    // of each part, its place in work
	items  [][]item // nothing where the node has no tasks in the step
	colour []int    // place of its role in roles, through without tasks, free where it runs once
}

func (w *work) parts(b *builder, f *frame, g *digraph, step int) parts {
	p := parts{digraph: g}
	first := make([]int, len(w.nodes)+1)
	for i, n := range w.nodes {
		items := w.of(i, step)
		if len(items) == 0 {
			p.add(i, nil, through)
		}
		ts := b.serviceOf(f.ph, n).Lists[f.list]
		for _, run := range runs(ts, items) {
			if run[0].alone(ts) {
				p.add(i, run, free)
			} else {
				p.add(i, run, w.role[i])
			}
		}
		first[i+1] = len(p.node)
	}
	if len(p.node) > len(w.nodes) {
		p.digraph = g.stretched(first)
	}
	return p
}

func (p *parts) add(i int, items []item, colour int) {
	p.node, p.items, p.colour = append(p.node, i), append(p.items, items), append(p.colour, colour)
}

// runs cuts tasks before and after each that runs once, and around the backup.
func runs(ts []tasks.Task, items []item) [][]item {
	var out [][]item
	begin := 0
	for k := 1; k <= len(items); k++ {
		if k == len(items) || items[k].backup != items[begin].backup || !items[k].backup && (items[k].alone(ts) || items[begin].alone(ts)) {
			out = append(out, items[begin:k])
			begin = k
		}
	}
	return out
}

// stretched gives the graph with each node drawn out to a chain of nodes, from
// first[n] to before first[n+1].
func (g *digraph) stretched(first []int) *digraph {
	var arcs []arc
	for n, edges := range g.in {
		for _, e := range edges {
			arcs = append(arcs, arc{first[e.node+1] - 1, first[n], e.hard, e.why})
		}
		for k := first[n] + 1; k < first[n+1]; k++ {
			arcs = append(arcs, arc{k - 1, k, false, nil})
		}
	}
	return newDigraph(first[g.len()], arcs)
}
