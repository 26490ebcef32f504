package planner

import (
	"slices"
)

// The colours of nodes that belong to no group of their own.
const (
	free    = -1 // stands alone
	through = -2 // has no work: it only passes on the order of its neighbours
)

// grouping is the nodes of a graph gathered into vertices, in an order in which the
// vertices can be run whole.
type grouping struct {
	g        *digraph
	vertices []vertex
	of       []int // vertex of each node
}

// vertex is nodes of one colour that go together, or a single node that is free or
// without work.
type vertex struct {
	colour int
	nodes  []int // in their order; those without work that lie between others are among them
}

// group gathers the nodes of an acyclic graph into vertices of one colour, as few as
// the edges allow, so that the vertices can follow each other whole. A hard edge never
// lies within a vertex, nor a way over nodes without work that has one.
//
// A colour that can go to its end without waiting for another goes, which costs
// nothing; else the colour that has waited longest gives what it can, and is cut there.
// To find the fewest cuts is hard in general (it holds the shortest common
// supersequence); what this leaves cannot be mended by joining any two neighbours.
func group(g *digraph, colour []int, colours int) *grouping {
	n := g.len()
	b := &bundler{
		g: g, colour: colour, state: make([]uint8, n), left: make([]int, n), pend: make([][]tally, n), hard: make([]int, n),
		waiting: make([][]int, colours), ripe: make([]int, colours), remain: make([]int, colours), last: make([]int, colours),
		of: make([]int, n),
	}
	for n, c := range colour {
		if c >= 0 {
			b.remain[c]++
		}
		b.left[n] = len(g.in[n])
		b.of[n] = -1
	}
	for n := range colour {
		b.settle(n)
	}
	for turn := 1; ; turn++ {
		c := b.pick()
		if c < 0 {
			break
		}
		b.last[c] = turn
		b.emit(c)
	}
	b.join(colours)
	return b.result()
}

// bundler is the state of group.
type bundler struct {
	g        *digraph
	colour   []int
	state    []uint8   // untouched, pending or done
	left     []int     // predecessors that are neither pending nor done
	pend     [][]tally // pending predecessors by colour
	hard     []int     // hard edges from pending predecessors, over nodes without work too
	waiting  [][]int   // pending nodes of each colour, in an order that the edges allow
	ripe     []int     // how many of them have that colour themselves
	remain   []int     // nodes of each colour that are not done
	last     []int     // when a colour last gave a vertex
	of       []int     // vertex of each node
	vertices []vertex  // in an order that the edges allow
}

type tally struct{ colour, count int }

const (
	untouched uint8 = iota
	pending         // it can go with what its colour gives next
	done
)

// settle moves a node on when nothing holds it back any more, and what that frees.
func (b *bundler) settle(n int) {
	for todo := []int{n}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if b.state[n] != untouched || b.left[n] > 0 || len(b.pend[n]) > 1 {
			continue
		}
		c := b.colour[n]
		if len(b.pend[n]) == 1 {
			held := b.pend[n][0].colour
			if c != through && (c != held || b.hard[n] > 0) {
				continue
			}
			c = held
		}
		if c == free || c == through {
			b.state[n] = done
			b.open(c, []int{n})
		} else {
			b.state[n] = pending
			b.waiting[c] = append(b.waiting[c], n)
			if b.colour[n] == c {
				b.ripe[c]++
			}
		}
		for _, e := range b.g.out[n] {
			b.left[e.node]--
			if b.state[n] == pending {
				b.count(e.node, c, 1)
				b.hard[e.node] += b.holds(n, e)
			}
			todo = append(todo, e.node)
		}
	}
}

// holds counts an edge from a pending node as hard: by itself, or because the node has
// no work and comes after a hard one itself.
func (b *bundler) holds(n int, e edge) int {
	if e.hard || b.colour[n] == through && b.hard[n] > 0 {
		return 1
	}
	return 0
}

func (b *bundler) count(n, colour, by int) {
	i := slices.IndexFunc(b.pend[n], func(t tally) bool { return t.colour == colour })
	if i < 0 {
		b.pend[n] = append(b.pend[n], tally{colour, by})
		return
	}
	if b.pend[n][i].count += by; b.pend[n][i].count == 0 {
		b.pend[n] = slices.Delete(b.pend[n], i, i+1)
	}
}

// pick chooses the colour that gives the next vertex, or -1 at the end.
func (b *bundler) pick() int {
	best := -1
	for c := range b.waiting {
		switch {
		case b.ripe[c] == 0:
		case b.ripe[c] == b.remain[c]:
			return c
		case best < 0 || b.last[c] < b.last[best]:
			best = c
		}
	}
	return best
}

func (b *bundler) open(colour int, nodes []int) int {
	id := len(b.vertices)
	b.vertices = append(b.vertices, vertex{colour, nodes})
	for _, n := range nodes {
		b.of[n] = id
	}
	return id
}

// emit makes a vertex of what is pending in a colour.
func (b *bundler) emit(c int) {
	nodes := b.waiting[c]
	b.remain[c] -= b.ripe[c]
	b.waiting[c], b.ripe[c] = nil, 0
	b.split(c, nodes)
	for _, n := range slices.Backward(nodes) { // what holds counts on is undone after it
		b.state[n] = done
		for _, e := range b.g.out[n] {
			b.count(e.node, c, -1)
			b.hard[e.node] -= b.holds(n, e)
		}
	}
	for _, n := range nodes {
		for _, e := range b.g.out[n] {
			b.settle(e.node)
		}
	}
}

// split puts the nodes of a colour into one vertex. Of those without work only what
// lies between two others belongs to it: the rest stand alone, or the vertex would
// wait for, and be waited for by, what has nothing to do with it.
func (b *bundler) split(c int, nodes []int) {
	id := b.open(c, nil)
	for _, n := range slices.Backward(nodes) {
		if b.colour[n] == c || slices.ContainsFunc(b.g.out[n], func(e edge) bool { return b.of[e.node] == id }) {
			b.of[n] = id
		}
	}
	for _, n := range nodes {
		if b.of[n] == id {
			b.vertices[id].nodes = append(b.vertices[id].nodes, n)
		} else {
			b.open(through, []int{n})
		}
	}
}
