package planner

import (
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

// arc is a whole edge.
type arc struct {
	from, to int
	hard     bool
	why      *reason
}

// newDigraph makes a graph of n nodes. The edges of a node keep the order of arcs.
func newDigraph(n int, arcs []arc) *digraph {
	g := &digraph{out: make([][]edge, n), in: make([][]edge, n)}
	outs, ins := make([]int, n+1), make([]int, n+1)
	for _, a := range arcs {
		outs[a.from+1]++
		ins[a.to+1]++
	}
	for i := range n {
		outs[i+1] += outs[i]
		ins[i+1] += ins[i]
	}
	allOut, allIn := make([]edge, len(arcs)), make([]edge, len(arcs)) // two blocks, not two a node
	for i := range n {
		g.out[i] = allOut[outs[i]:outs[i]:outs[i+1]]
		g.in[i] = allIn[ins[i]:ins[i]:ins[i+1]]
	}
	for _, a := range arcs {
		g.out[a.from] = append(g.out[a.from], edge{a.to, a.hard, a.why})
		g.in[a.to] = append(g.in[a.to], edge{a.from, a.hard, a.why})
	}
	return g
}

func (g *digraph) len() int { return len(g.out) }

// reversed gives the graph with every edge turned round.
func (g *digraph) reversed() *digraph { return &digraph{out: g.in, in: g.out} }

// sorted orders some nodes so that what comes first in the graph, over other nodes
// too, comes first; where several could come next the smallest number does.
func (g *digraph) sorted(nodes []int) []int {
	if len(nodes) < 2 {
		return nodes
	}
	wanted := make([]bool, g.len())
	for _, n := range nodes {
		wanted[n] = true
	}
	left := make([]int, g.len())
	var passing []int // others: they go at once, so that they hold nothing back
	var ready numbers
	for n := range left {
		if left[n] = len(g.in[n]); left[n] > 0 {
			continue
		}
		if wanted[n] {
			ready.push(n)
		} else {
			passing = append(passing, n)
		}
	}
	order := make([]int, 0, len(nodes))
	for len(order) < len(nodes) && len(passing)+len(ready) > 0 {
		var n int
		if k := len(passing); k > 0 {
			n, passing = passing[k-1], passing[:k-1]
		} else {
			n = ready.pop()
			order = append(order, n)
		}
		for _, e := range g.out[n] {
			if left[e.node]--; left[e.node] > 0 {
				continue
			}
			if wanted[e.node] {
				ready.push(e.node)
			} else {
				passing = append(passing, e.node)
			}
		}
	}
	return order
}

// numbers is a heap that gives the smallest first.
type numbers []int

func (h *numbers) push(n int) {
	*h = append(*h, n)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up] <= s[i] {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *numbers) pop() int {
	s := *h
	top := s[0]
	s[0] = s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(s) {
			return top
		}
		if r := down + 1; r < len(s) && s[r] < s[down] {
			down = r
		}
		if s[i] <= s[down] {
			return top
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
}

// cycles gives one cycle of every knot (strongly connected part) of the graph, a
// shortest one through its smallest node: a list of edges, each ending where the next
// begins. Knots come in the order of their smallest nodes.
func (g *digraph) cycles() [][]step {
	var out [][]step
	knots := g.knots()
	for _, knot := range knots {
		slices.Sort(knot)
	}
	slices.SortFunc(knots, func(a, b []int) int { return a[0] - b[0] })
	for _, knot := range knots {
		out = append(out, g.shortestCycle(knot))
	}
	return out
}

// step is an edge with both its ends.
type step struct {
	from, to int
	why      *reason
}

// knots is Tarjan's algorithm, without recursion so that long chains do no harm.
func (g *digraph) knots() [][]int {
	n := g.len()
	index, low := make([]int, n), make([]int, n)
	onStack := make([]bool, n)
	type frame struct{ node, next int }
	var stack []int
	var frames []frame
	var out [][]int
	count := 0
	for root := range n {
		if index[root] != 0 {
			continue
		}
		frames = append(frames[:0], frame{root, 0})
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			v := f.node
			if index[v] == 0 {
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
			if low[v] == index[v] {
				at := len(stack) - 1
				for stack[at] != v {
					at--
				}
				knot := slices.Clone(stack[at:])
				stack = stack[:at]
				for _, w := range knot {
					onStack[w] = false
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
	queue := []int{start}
	for i := 0; i < len(queue); i++ {
		v := queue[i]
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
				for at := v; at != start; at = came[at].from {
					path = append(path, came[at])
				}
				slices.Reverse(path)
				return path
			}
			queue = append(queue, e.node)
		}
	}
	return nil
}
