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
	gate := ""
	for _, s := range p.Stages {
		for _, w := range s.Waves {
			var err error
			if gate, err = g.wave(s.Name, w, gate); err != nil {
				return nil, fmt.Errorf("graph of wave %s/%d: %w", s.Name, w.Number, err)
			}
		}
	}
	p.graph = g
	return g, nil
}

// wave adds a wave behind a gate, and gives the gate at its own end. Nodes are added
// before what comes after them, which is what the library is quick at.
func (g *Graph) wave(stage string, w Wave, gate string) (string, error) {
	end := fmt.Sprintf("%s/%d", stage, w.Number)
	before := gate
	var tails []string
	chain := func(units []Unit, name string) error {
		for _, u := range units {
			if err := g.unit(u, before); err != nil {
				return err
			}
		}
		if len(units) == 0 {
			return nil
		}
		if err := g.dag.AddVertexByID(name, name); err != nil {
			return err
		}
		for _, u := range units {
			if err := g.dag.AddEdge(u.ID, name); err != nil {
				return err
			}
		}
		before = name
		return nil
	}
	for _, st := range w.Steps {
		if err := chain(st.Units, fmt.Sprintf("%s/step%d", end, st.Number)); err != nil {
			return "", err
		}
	}
	stepped := before
	if err := chain(w.Health, end+"/health"); err != nil {
		return "", err
	}
	if before != gate {
		tails = append(tails, before)
	}
	for _, t := range w.Tracks {
		before = gate
		if slices.ContainsFunc(t.After, func(a After) bool { return len(a.File) == 0 }) {
			before = stepped
		}
		for _, u := range t.Parts {
			if err := g.unit(u, before); err != nil {
				return "", err
			}
			before = u.ID
		}
		tails = append(tails, before)
	}
	if err := g.dag.AddVertexByID(end, end); err != nil {
		return "", err
	}
	for _, t := range tails {
		if err := g.dag.AddEdge(t, end); err != nil {
			return "", err
		}
	}
	return end, nil
}

func (g *Graph) unit(u Unit, gate string) error {
	if err := g.dag.AddVertexByID(u.ID, u.ID); err != nil {
		return err
	}
	g.place[u.ID] = len(g.place)
	froms := []string{}
	if gate != "" {
		froms = append(froms, gate)
	}
	for _, a := range u.After {
		froms = append(froms, a.Unit)
	}
	for _, f := range froms {
		if err := g.dag.AddEdge(f, u.ID); err != nil {
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
