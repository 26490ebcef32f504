package planner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/heimdalr/dag"

	"github.com/upstep/upstep/settings"
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
		var err error
		if gate, err = g.stage(p, s, gate); err != nil {
			return nil, fmt.Errorf("graph of stage %s: %w", s.Name, err)
		}
	}
	p.graph = g
	return g, nil
}

func (g *Graph) stage(p *Plan, s Stage, gate string) (string, error) {
	if p.Ordering == settings.Dependencies {
		return g.looseStage(s, gate)
	}
	for _, w := range s.Waves {
		var err error
		if gate, err = g.wave(s.Name, w, gate); err != nil {
			return "", err
		}
	}
	return gate, nil
}

// wave adds a wave behind a gate, and gives the gate at its own end. Nodes are added
// before what comes after them, which is what the library is quick at.
func (g *Graph) wave(stage string, w Wave, gate string) (string, error) {
	end := fmt.Sprintf("%s/%d", stage, w.Number)
	before := gate
	var tails []string
	level := func(units []Unit, name string) error {
		if len(units) == 0 {
			return nil
		}
		ids := make([]string, len(units))
		for i, u := range units {
			ids[i] = u.ID
			if err := g.unit(u, u.After, before); err != nil {
				return err
			}
		}
		before = name
		return g.gate(name, ids)
	}
	for _, st := range w.Steps {
		if err := level(st.Units, fmt.Sprintf("%s/step%d", end, st.Number)); err != nil {
			return "", err
		}
	}
	if err := level(w.Health, end+"/health"); err != nil {
		return "", err
	}
	if before != gate {
		tails = append(tails, before)
	}
	for _, t := range w.Tracks {
		if err := g.track(t, gate); err != nil {
			return "", err
		}
		tails = append(tails, t.Parts[len(t.Parts)-1].ID)
	}
	return end, g.gate(end, tails)
}

func (g *Graph) track(t Track, gate string) error {
	after := t.After
	for _, u := range t.Parts {
		if err := g.unit(u, after, gate); err != nil {
			return err
		}
		gate, after = u.ID, nil
	}
	return nil
}

// looseStage adds a stage without the barriers of steps and waves, behind a gate.
func (g *Graph) looseStage(s Stage, gate string) (string, error) {
	last := map[string]string{} // of each role: its units follow each other
	var roles []string
	add := func(u Unit, err error) error {
		if last[u.Role] == "" {
			roles = append(roles, u.Role)
		}
		last[u.Role] = u.ID
		return err
	}
	for _, w := range s.Waves {
		units := slices.Clone(w.Health)
		for i := range slices.Backward(w.Steps) {
			units = slices.Concat(w.Steps[i].Units, units)
		}
		for _, u := range units {
			if err := add(u, g.unit(u, u.After, gate)); err != nil {
				return "", err
			}
		}
		for _, t := range w.Tracks {
			if err := add(t.Parts[len(t.Parts)-1], g.track(t, gate)); err != nil {
				return "", err
			}
		}
	}
	if len(roles) == 0 {
		return gate, nil
	}
	var ends []string
	for _, r := range roles {
		ends = append(ends, last[r])
	}
	return s.Name, g.gate(s.Name, ends)
}

// gate adds a node that is no unit and waits for others.
func (g *Graph) gate(name string, after []string) error {
	if err := g.dag.AddVertexByID(name, name); err != nil {
		return err
	}
	for _, id := range after {
		if err := g.dag.AddEdge(id, name); err != nil {
			return err
		}
	}
	return nil
}

func (g *Graph) unit(u Unit, after []After, gate string) error {
	if err := g.dag.AddVertexByID(u.ID, u.ID); err != nil {
		return err
	}
	g.place[u.ID] = len(g.place)
	if gate != "" {
		if err := g.dag.AddEdge(gate, u.ID); err != nil {
			return err
		}
	}
	for _, a := range after {
		if a.Unit == gate {
			continue
		}
		if err := g.dag.AddEdge(a.Unit, u.ID); err != nil {
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
