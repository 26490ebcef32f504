package planner

import (
	"slices"
)

// joinBudget bounds how many edges are looked at to close needless cuts: on huge
// tangled graphs a cut too many may stay.
const joinBudget = 50_000_000

// The ways to a vertex from the one that is to be joined with a later one.
const (
	clean uint8 = iota + 1 // over nodes without work only, by edges that are not hard
	dirty
)

// joiner closes cuts: two vertices of a colour that follow each other become one where
// nothing leads from the first to the second over the work of others.
type joiner struct {
	*bundler
	place  []int   // of each vertex in seq
	seq    []int   // vertices in an order that the edges allow
	reach  []uint8 // clean or dirty, from the first vertex of the pair
	stack  []int
	budget int
}

func (b *bundler) join(colours int) {
	j := &joiner{
		bundler: b, place: make([]int, len(b.vertices)), seq: make([]int, len(b.vertices)),
		reach: make([]uint8, len(b.vertices)), budget: joinBudget,
	}
	of := make([][]int, colours)
	for v := range b.vertices {
		j.place[v], j.seq[v] = v, v
		if c := b.vertices[v].colour; c >= 0 {
			of[c] = append(of[c], v)
		}
	}
	// A pair that cannot be joined never can be later: joining others only adds ways. But
	// it may put two vertices next to each other that were not.
	never := map[[2]int]bool{}
	for again := true; again; {
		again = false
		for c := range of {
			before := len(of[c])
			of[c] = j.pairs(of[c], never)
			again = again || len(of[c]) < before
		}
	}
}

// pairs joins what it can of a colour's vertices, and gives those that are left.
func (j *joiner) pairs(list []int, never map[[2]int]bool) []int {
	slices.SortFunc(list, func(a, b int) int { return j.place[a] - j.place[b] })
	left := list[:0]
	for _, v := range list {
		if n := len(left); n > 0 && !never[[2]int{left[n-1], v}] {
			if j.tryPair(left[n-1], v) {
				continue
			}
			never[[2]int{left[n-1], v}] = true
		}
		left = append(left, v)
	}
	return left
}

// tryPair joins v into u, which comes before it, where that makes no cycle. A way
// from u to v lies between the two in the sequence, so nothing else is looked at.
func (j *joiner) tryPair(u, v int) bool {
	window := j.seq[j.place[u] : j.place[v]+1]
	ok := j.search(u, v)
	if ok {
		j.absorb(u, v, window)
	}
	for _, w := range window {
		j.reach[w] = 0
	}
	return ok
}

// search marks what u leads to before v, and tells whether v is reached cleanly, if at
// all.
func (j *joiner) search(u, v int) bool {
	end := j.place[v]
	j.stack = append(j.stack[:0], u)
	for len(j.stack) > 0 {
		w := j.stack[len(j.stack)-1]
		j.stack = j.stack[:len(j.stack)-1]
		soiled := w != u && (j.reach[w] == dirty || j.vertices[w].colour != through)
		for _, n := range j.vertices[w].nodes {
			for _, e := range j.g.out[n] {
				if j.budget--; j.budget < 0 {
					return false
				}
				next, how := j.of[e.node], clean
				if soiled || e.hard {
					how = dirty
				}
				switch {
				case next == u || next == w || j.place[next] > end:
				case next == v && how == dirty:
					return false
				case next == v || j.reach[next] >= how:
				default:
					j.reach[next] = how
					j.stack = append(j.stack, next)
				}
			}
		}
	}
	return true
}

// absorb makes one vertex of u, v and the nodes without work between them. In the
// sequence it stands before all that u leads to.
func (j *joiner) absorb(u, v int, window []int) {
	take := func(w int) {
		for _, n := range j.vertices[w].nodes {
			j.of[n] = u
		}
		j.vertices[u].nodes = append(j.vertices[u].nodes, j.vertices[w].nodes...)
		j.vertices[w].nodes = nil
	}
	take(v)
	for _, w := range slices.Backward(window) {
		if j.reach[w] == clean && j.vertices[w].colour == through && j.leadsTo(w, u) {
			take(w)
		}
	}
	var before, behind []int
	for _, w := range window {
		switch {
		case w == u || w == v:
		case j.reach[w] == 0:
			before = append(before, w)
		default:
			behind = append(behind, w)
		}
	}
	first := j.place[u]
	for i, w := range slices.Concat(before, []int{u}, behind, []int{v}) { // v is empty now
		window[i], j.place[w] = w, first+i
	}
}

func (j *joiner) leadsTo(w, u int) bool {
	for _, n := range j.vertices[w].nodes {
		for _, e := range j.g.out[n] {
			if j.of[e.node] == u {
				return true
			}
		}
	}
	return false
}
