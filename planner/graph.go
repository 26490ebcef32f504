package planner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/heimdalr/dag"
)

// maxGraph bounds the graphs that queries are run on: each AddEdge of the library
// copies the closures of both ends, so the cost grows with the pairs of nodes that
// depend on each other.
const maxGraph = 1500

// ErrTooLarge says that a graph has too many nodes to be queried.
var ErrTooLarge = errors.New("the graph is too large to query")

// Graph answers what comes before and after a unit, over everything that orders
// units: dependencies, shared hosts, the barriers of steps, waves and stages.
type Graph struct {
	dag   *dag.DAG
	place map[string]int // of each unit, in the plan's order
}

// Graph gives the plan's graph of units. The error is ErrTooLarge for plans of more
// than some 1500 units.
func (p *Plan) Graph() (*Graph, error) {
	if p.graph != nil {
		return p.graph, nil
	}
	g := &Graph{dag: dag.NewDAG(), place: map[string]int{}}
	n := 0
	for _, s := range p.Stages {
		s.Units(func(Wave, Unit) { n++ })
	}
	if n > maxGraph {
		return nil, fmt.Errorf("%d units: %w", n, ErrTooLarge)
	}
	// Vertices come before what waits for them, which is what the library is quick at.
	for _, v := range p.Sequence() {
		if err := g.add(v); err != nil {
			return nil, fmt.Errorf("graph of units: %s: %w", v.ID, err)
		}
	}
	p.graph = g
	return g, nil
}

func (g *Graph) add(v Vertex) error {
	if err := g.dag.AddVertexByID(v.ID, v.ID); err != nil {
		return err
	}
	if v.Unit != nil {
		g.place[v.ID] = len(g.place)
	}
	for _, a := range v.After {
		if err := g.dag.AddEdge(a, v.ID); err != nil {
			return err
		}
	}
	return nil
}

// Before gives the units that must have ended before a unit begins, in the plan's order.
func (g *Graph) Before(id string) ([]string, error) {
	found, err := g.dag.GetAncestors(id)
	if err != nil {
		return nil, fmt.Errorf("what comes before %s: %w", id, err)
	}
	return g.units(found), nil
}

// Behind gives the units that wait for a unit to end, in the plan's order.
func (g *Graph) Behind(id string) ([]string, error) {
	found, err := g.dag.GetDescendants(id)
	if err != nil {
		return nil, fmt.Errorf("what waits for %s: %w", id, err)
	}
	return g.units(found), nil
}

// units leaves out gates and sorts: the library answers with maps.
func (g *Graph) units(found map[string]any) []string {
	var out []string
	for id := range found {
		if _, ok := g.place[id]; ok {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return g.place[a] - g.place[b] })
	return out
}
