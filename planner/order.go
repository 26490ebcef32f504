package planner

import (
	"container/heap"
	"slices"
)

// digraph is a graph on node numbers 0..n-1; an edge leads from what comes first to
// what comes after it. All ordering works on these, in time that follows edges.
type digraph struct {
	out [][]edge
	in  [][]edge
}

// edge is one end of an edge: the node at the other end, whether the dependent must
// wait until all of it is upgraded, and why the edge is there.
type edge struct {
	node int
	hard bool
	why  *reason
}

func newDigraph(n int) *digraph {
	return &digraph{out: make([][]edge, n), in: make([][]edge, n)}
}

func (g *digraph) len() int { return len(g.out) }

func (g *digraph) add(from, to int, hard bool, why *reason) {
	g.out[from] = append(g.out[from], edge{to, hard, why})
	g.in[to] = append(g.in[to], edge{from, hard, why})
}

// reversed gives the graph with every edge turned round.
func (g *digraph) reversed() *digraph { return &digraph{out: g.in, in: g.out} }

// topological orders the given nodes (all edges among them respected); where several
// could come next the smallest number does.
func (g *digraph) topological(nodes []int) []int {
	inside := make(map[int]int, len(nodes))
	for _, n := range nodes {
		inside[n] = 0
	}
	for _, n := range nodes {
		for _, e := range g.in[n] {
			if _, ok := inside[e.node]; ok {
				inside[n]++
			}
		}
	}
	var ready intHeap
	for _, n := range nodes {
		if inside[n] == 0 {
			ready = append(ready, n)
		}
	}
	heap.Init(&ready)
	order := make([]int, 0, len(nodes))
	for len(ready) > 0 {
		n := heap.Pop(&ready).(int) //nolint:errcheck // the heap holds ints only
		order = append(order, n)
		for _, e := range g.out[n] {
			if left, ok := inside[e.node]; ok {
				inside[e.node] = left - 1
				if left == 1 {
					heap.Push(&ready, e.node)
				}
			}
		}
	}
	return order
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) } //nolint:errcheck // the heap holds ints only
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// cycles gives one shortest cycle of every knot (strongly connected part) of the
// graph: a list of edges, each ending where the next begins. Tarjan's algorithm,
// without recursion so that long chains do no harm.
func (g *digraph) cycles() [][]step {
	var out [][]step
	for _, knot := range g.knots() {
		slices.Sort(knot)
		out = append(out, g.shortestCycle(knot))
	}
	return out
}

// step is an edge with both its ends.
type step struct {
	from, to int
	why      *reason
}

func (g *digraph) knots() [][]int {
	n := g.len()
	index, low := make([]int, n), make([]int, n)
	onStack := make([]bool, n)
	type frame struct{ node, next int }
	var stack []int
	var out [][]int
	count := 0
	for root := range n {
		if index[root] != 0 {
			continue
		}
		frames := []frame{{root, 0}}
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			v := f.node
			if f.next == 0 {
				count++
				index[v], low[v] = count, count
				stack = append(stack, v)
				onStack[v] = true
			}
			advanced := false
			for f.next < len(g.out[v]) {
				w := g.out[v][f.next].node
				f.next++
				if index[w] == 0 {
					frames = append(frames, frame{w, 0})
					advanced = true
					break
				}
				if onStack[w] {
					low[v] = min(low[v], index[w])
				}
			}
			if advanced {
				continue
			}
			if f.next == 0 {
				f.next = 1
			}
			if low[v] == index[v] {
				var knot []int
				for {
					w := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					onStack[w] = false
					knot = append(knot, w)
					if w == v {
						break
					}
				}
				if len(knot) > 1 || g.selfLoop(v) {
					out = append(out, knot)
				}
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				p := frames[len(frames)-1].node
				low[p] = min(low[p], low[v])
			}
		}
	}
	return out
}

func (g *digraph) selfLoop(v int) bool {
	return slices.ContainsFunc(g.out[v], func(e edge) bool { return e.node == v })
}

// shortestCycle finds a shortest way from the knot's first node back to itself.
func (g *digraph) shortestCycle(knot []int) []step {
	inside := make(map[int]bool, len(knot))
	for _, n := range knot {
		inside[n] = true
	}
	start := knot[0]
	came := map[int]step{}
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		for _, e := range g.out[v] {
			if !inside[e.node] {
				continue
			}
			if _, seen := came[e.node]; seen {
				continue
			}
			came[e.node] = step{v, e.node, e.why}
			if e.node == start {
				path := []step{came[start]}
				for at := path[0].from; at != start; at = path[0].from {
					path = slices.Insert(path, 0, came[at])
				}
				return path
			}
			queue = append(queue, e.node)
		}
	}
	return nil
}
