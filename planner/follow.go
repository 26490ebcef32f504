package planner

import (
	"cmp"
	"slices"
)

// result orders the vertices, smallest colour first where several could come next, and
// the nodes within each.
func (b *bundler) result() *grouping {
	gr := &grouping{g: b.g, of: make([]int, len(b.of))}
	left := make([]int, len(b.vertices)) // edges from other vertices
	inner := make([]int, len(b.of))      // edges from nodes of the same vertex
	for n, edges := range b.g.in {
		for _, e := range edges {
			if b.of[e.node] == b.of[n] {
				inner[n]++
			} else {
				left[b.of[n]]++
			}
		}
	}
	// Nodes without work come first, or they would hold back what they pass on.
	rank := func(v int) int { return (b.vertices[v].colour+2)*len(b.vertices) + v }
	var ready numbers
	for v := range b.vertices {
		if left[v] == 0 && len(b.vertices[v].nodes) > 0 {
			ready.push(rank(v))
		}
	}
	for len(ready) > 0 {
		v := ready.pop() % len(b.vertices)
		nodes := b.inOrder(b.vertices[v].nodes, v, inner)
		for _, n := range nodes {
			gr.of[n] = len(gr.vertices)
			for _, e := range b.g.out[n] {
				w := b.of[e.node]
				if w == v {
					continue
				}
				if left[w]--; left[w] == 0 {
					ready.push(rank(w))
				}
			}
		}
		gr.vertices = append(gr.vertices, vertex{b.vertices[v].colour, nodes})
	}
	return gr
}

// inOrder orders the nodes of a vertex: what they depend on within it first, then by
// number. inner counts the edges into each from the same vertex, and is used up.
func (b *bundler) inOrder(nodes []int, v int, inner []int) []int {
	if len(nodes) < 2 {
		return nodes
	}
	rank := func(n int) int { // without work: at once, so that it holds nothing back
		if b.colour[n] == through {
			return n
		}
		return n + len(b.of)
	}
	var ready numbers
	for _, n := range nodes {
		if inner[n] == 0 {
			ready.push(rank(n))
		}
	}
	order := make([]int, 0, len(nodes))
	for len(ready) > 0 {
		n := ready.pop() % len(b.of)
		order = append(order, n)
		for _, e := range b.g.out[n] {
			if b.of[e.node] != v {
				continue
			}
			if inner[e.node]--; inner[e.node] == 0 {
				ready.push(rank(e.node))
			}
		}
	}
	return order
}

// link says that a vertex comes after another: node to of the one depends on node from
// of the other, as why says, over nodes without work where why names another service.
type link struct {
	vertex   int
	from, to int
	why      *reason
}

// onward says why something in a node's vertex comes after the node, which has no work.
func (gr *grouping) onward(n int) *reason {
	for _, e := range gr.g.out[n] {
		if gr.of[e.node] != gr.of[n] {
			continue
		}
		if e.why != nil {
			return e.why
		}
		if why := gr.onward(e.node); why != nil {
			return why
		}
	}
	return nil
}

// links gives for every vertex with work the vertices it comes after: on each line the
// last one, for those of a line follow each other anyway. line tells where a vertex with
// work belongs.
func (gr *grouping) links(lines int, line func(v int) int) [][]link {
	out := make([][]link, len(gr.vertices)) // for vertices without work what they pass on
	best := make([]link, lines)
	seen := make([]int, lines) // vertex that best is of, plus one
	for v := range gr.vertices {
		var found []int
		see := func(l link) {
			c := line(l.vertex)
			if seen[c] != v+1 {
				seen[c], best[c] = v+1, l
				found = append(found, c)
			} else if l.vertex > best[c].vertex {
				best[c] = l
			}
		}
		for _, n := range gr.vertices[v].nodes {
			for _, e := range gr.g.in[n] {
				switch from := gr.of[e.node]; {
				case from == v:
				case gr.vertices[from].colour == through:
					for _, l := range out[from] {
						see(link{l.vertex, l.from, n, cmp.Or(e.why, l.why)}) // without a reason of its own: within a service
					}
				default:
					see(link{from, e.node, n, e.why})
				}
			}
		}
		for _, c := range found {
			out[v] = append(out[v], best[c])
		}
		slices.SortFunc(out[v], func(a, b link) int { return a.vertex - b.vertex })
	}
	return out
}
