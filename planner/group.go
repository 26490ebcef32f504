package planner

import (
	"container/heap"
	"slices"
)

// The colours of nodes that belong to no group of their own. A free node stands
// alone; a clear one has no work and only passes on the order of its neighbours.
const (
	free    = -1
	through = -2
)

// cluster is nodes of one colour that go together.
type cluster struct {
	colour int
	nodes  []int // in their order, clear ones left out
	after  []link
	seq    int // 1, 2, ... among the clusters of its colour
}

// link says that a cluster comes after another, and one reason for it.
type link struct {
	cluster int
	why     *reason
}

// group gathers the nodes of an acyclic graph into clusters of one colour, as few as
// the edges allow, so that the clusters can follow each other whole. A hard edge never
// lies within a cluster. The result is in an order in which the clusters can be run.
//
// A colour that can go to its end without waiting for another goes; else the colour
// that has waited longest gives up what it can, and is cut there. Cuts that turn out
// not to be needed are closed again.
func group(g *digraph, colour []int, colours int) []cluster {
	b := &bundler{
		g: g, colour: colour, state: make([]int, g.len()), left: make([]int, g.len()), pend: make([][]tally, g.len()),
		hard: make([]int, g.len()), waiting: make([][]int, colours), ripe: make([]int, colours), remain: make([]int, colours),
		last: make([]int, colours), of: make([]int, g.len()),
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
	b.close()
	return b.result(colours)
}

// bundler is the state of group.
type bundler struct {
	g       *digraph
	colour  []int
	state   []int     // untouched, pending or done
	left    []int     // predecessors that are neither pending nor done
	pend    [][]tally // pending predecessors by colour
	hard    []int     // hard edges from pending predecessors
	waiting [][]int   // pending nodes of each colour
	ripe    []int     // how many of them have that colour themselves
	remain  []int     // nodes of each colour that are not done
	last    []int     // when a colour last gave a cluster
	of      []int     // cluster of each node
	made    [][]int   // nodes of each cluster
	kind    []int     // colour of each cluster
	parent  []int     // clusters that were joined into another
	own     [1]int    // the answer of owners for a node in a cluster
}

type tally struct{ colour, count int }

const (
	untouched = iota
	pending
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
		switch {
		case len(b.pend[n]) == 1:
			held := b.pend[n][0].colour
			if b.hard[n] > 0 || c != held && c != through {
				continue
			}
			c = held
		case c == free:
			b.state[n] = done
			b.of[n] = b.open(free, []int{n})
			todo = append(todo, b.passDone(n)...)
			continue
		case c == through:
			b.state[n] = done
			todo = append(todo, b.passDone(n)...)
			continue
		}
		b.state[n] = pending
		b.waiting[c] = append(b.waiting[c], n)
		if b.colour[n] == c {
			b.ripe[c]++
		}
		for _, e := range b.g.out[n] {
			b.left[e.node]--
			b.count(e.node, c, 1)
			if e.hard {
				b.hard[e.node]++
			}
			todo = append(todo, e.node)
		}
	}
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

// passDone tells the successors of a node that was never pending that it is done.
func (b *bundler) passDone(n int) []int {
	var next []int
	for _, e := range b.g.out[n] {
		b.left[e.node]--
		next = append(next, e.node)
	}
	return next
}

// pick chooses the colour that gives the next cluster, or -1 at the end.
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
	b.made = append(b.made, nodes)
	b.kind = append(b.kind, colour)
	b.parent = append(b.parent, len(b.parent))
	return len(b.made) - 1
}

// emit makes a cluster of what is pending in a colour.
func (b *bundler) emit(c int) {
	nodes := b.waiting[c]
	b.remain[c] -= b.ripe[c]
	b.waiting[c], b.ripe[c] = nil, 0
	id := b.open(c, nodes)
	for _, n := range nodes {
		b.state[n] = done
		if b.colour[n] != through { // what has no work ties nobody to this cluster
			b.of[n] = id
		}
	}
	for _, n := range nodes {
		for _, e := range b.g.out[n] {
			b.count(e.node, c, -1)
			if e.hard {
				b.hard[e.node]--
			}
		}
	}
	for _, n := range nodes {
		for _, e := range b.g.out[n] {
			b.settle(e.node)
		}
	}
}

func (b *bundler) find(c int) int {
	for b.parent[c] != c {
		b.parent[c] = b.parent[b.parent[c]]
		c = b.parent[c]
	}
	return c
}

// close joins two clusters that follow each other in a colour where no way leads from
// one to the other through a third. The search is bounded: on huge graphs a cut too
// many may stay.
func (b *bundler) close() {
	s := search{b: b, budget: 200_000, seen: make([]int, len(b.made))}
	last := map[int]int{}
	for id := range b.made {
		c := b.kind[id]
		if c == free {
			continue
		}
		prev, ok := last[c]
		last[c] = id
		if !ok {
			continue
		}
		p := b.find(prev)
		if !s.apart(p, id) && (!s.joined || !s.apart(id, p)) {
			b.parent[id] = p
			b.made[p] = append(b.made[p], b.made[id]...)
			b.made[id] = nil
			s.joined = true
		}
	}
}

// search looks for ways between clusters.
type search struct {
	b      *bundler
	budget int   // edges that may still be looked at
	seen   []int // the search that last came by each cluster
	count  int
	joined bool // clusters were joined, so edges may lead back in the order they were made
}

// apart tells whether a way leads from one cluster to another through a third, or a
// hard edge directly; also when the search has used up what it may.
func (s *search) apart(from, to int) bool {
	s.count++
	todo := []int{from}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, n := range s.b.made[c] {
			for _, e := range s.b.g.out[n] {
				if s.budget--; s.budget < 0 {
					return true
				}
				for _, o := range s.b.owners(e.node) {
					switch {
					case o == from || o == to && c == from && !e.hard:
					case o == to:
						return true
					case s.seen[o] == s.count || !s.joined && o > to: // what was made later leads only further
					default:
						s.seen[o] = s.count
						todo = append(todo, o)
					}
				}
			}
		}
	}
	return false
}

// owners gives the clusters that a node's order reaches: its own, or for a clear node
// in no cluster, those of what follows it.
func (b *bundler) owners(n int) []int {
	if b.of[n] >= 0 {
		b.own[0] = b.find(b.of[n])
		return b.own[:]
	}
	var out []int
	seen := map[int]bool{n: true}
	for todo := []int{n}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range b.g.out[v] {
			if seen[e.node] {
				continue
			}
			seen[e.node] = true
			if b.of[e.node] >= 0 {
				out = append(out, b.find(b.of[e.node]))
			} else {
				todo = append(todo, e.node)
			}
		}
	}
	return out
}

// result orders the clusters, smallest colour first where several could come next,
// and notes what each comes after.
func (b *bundler) result(colours int) []cluster {
	slot := make(map[int]int) // root cluster -> place in out
	var out []cluster
	for id := range b.made {
		if b.find(id) == id {
			slot[id] = len(out)
			out = append(out, cluster{colour: b.kind[id]})
		}
	}
	before := b.links(slot, out)
	var ready rankHeap
	left := make([]int, len(out))
	next := make([][]int, len(out))
	rank := func(c int) [2]int { return [2]int{out[c].colour, c} }
	for c, links := range before {
		left[c] = len(links)
		for _, l := range links {
			next[l.cluster] = append(next[l.cluster], c)
		}
		if left[c] == 0 {
			ready = append(ready, rank(c))
		}
	}
	heap.Init(&ready)
	order := make([]int, 0, len(out))
	place := make([]int, len(out))
	for len(ready) > 0 {
		c := heap.Pop(&ready).([2]int)[1] //nolint:errcheck // the heap holds these only
		place[c] = len(order)
		order = append(order, c)
		for _, d := range next[c] {
			if left[d]--; left[d] == 0 {
				heap.Push(&ready, rank(d))
			}
		}
	}
	sorted := make([]cluster, len(order))
	seq := make([]int, colours)
	for i, c := range order {
		sorted[i] = out[c]
		for _, l := range before[c] {
			sorted[i].after = append(sorted[i].after, link{place[l.cluster], l.why})
		}
		slices.SortFunc(sorted[i].after, func(a, b link) int { return a.cluster - b.cluster })
		if out[c].colour >= 0 {
			seq[out[c].colour]++
			sorted[i].seq = seq[out[c].colour]
		}
	}
	return sorted
}

// links fills in the nodes of every cluster in their order, and gives for each the
// clusters it comes after. Clear nodes pass on what they come after.
func (b *bundler) links(slot map[int]int, out []cluster) [][]link {
	before := make([][]link, len(out))
	reach := make(map[int][]link) // clear nodes in no cluster: what they pass on
	add := func(list []link, l link) []link {
		if slices.ContainsFunc(list, func(o link) bool { return o.cluster == l.cluster }) {
			return list
		}
		return append(list, l)
	}
	all := make([]int, b.g.len())
	for n := range all {
		all[n] = n
	}
	for _, n := range b.g.topological(all) {
		var mine []link
		for _, e := range b.g.in[n] {
			if b.of[e.node] >= 0 {
				mine = add(mine, link{slot[b.find(b.of[e.node])], e.why})
				continue
			}
			for _, l := range reach[e.node] {
				mine = add(mine, link{l.cluster, e.why})
			}
		}
		if b.of[n] < 0 {
			reach[n] = mine
			continue
		}
		c := slot[b.find(b.of[n])]
		for _, l := range mine {
			if l.cluster != c {
				before[c] = add(before[c], l)
			}
		}
	}
	for id, nodes := range b.made {
		if b.find(id) != id {
			continue
		}
		for _, n := range b.g.topological(b.withThrough(nodes)) {
			if b.colour[n] != through {
				out[slot[id]].nodes = append(out[slot[id]].nodes, n)
			}
		}
	}
	return before
}

// withThrough adds the clear nodes that lead on from nodes: they order the nodes
// among themselves, whatever cluster was made when they were passed.
func (b *bundler) withThrough(nodes []int) []int {
	out := slices.Clone(nodes)
	seen := make(map[int]bool, len(out))
	for _, n := range out {
		seen[n] = true
	}
	for i := 0; i < len(out); i++ {
		for _, e := range b.g.out[out[i]] {
			if b.colour[e.node] == through && !seen[e.node] {
				seen[e.node] = true
				out = append(out, e.node)
			}
		}
	}
	return out
}

type rankHeap [][2]int

func (h rankHeap) Len() int { return len(h) }
func (h rankHeap) Less(i, j int) bool {
	return h[i][0] < h[j][0] || h[i][0] == h[j][0] && h[i][1] < h[j][1]
}
func (h rankHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *rankHeap) Push(x any)   { *h = append(*h, x.([2]int)) } //nolint:errcheck // the heap holds these only
func (h *rankHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
