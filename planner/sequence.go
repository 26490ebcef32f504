package planner

import (
	"fmt"
	"slices"

	"github.com/upstep/upstep/settings"
)

// Vertex is a unit in the order of a run, or a gate: a point that many units wait for.
type Vertex struct {
	ID    string
	Unit  *Unit    // nil for a gate
	After []string // vertices that end before this one begins
}

// Sequence gives every unit of the stages with all that it waits for: dependencies,
// shared hosts, the barriers of steps, waves and stages. A vertex stands behind those
// it waits for.
func (p *Plan) Sequence() []Vertex {
	s := &sequence{}
	gate := ""
	for i := range p.Stages {
		if p.Ordering == settings.Dependencies {
			gate = s.looseStage(&p.Stages[i], gate)
			continue
		}
		for j := range p.Stages[i].Waves {
			gate = s.wave(p.Stages[i].Name, &p.Stages[i].Waves[j], gate)
		}
	}
	return s.vertices
}

type sequence struct{ vertices []Vertex }

// wave adds a wave behind a gate, and gives the gate at its own end.
func (s *sequence) wave(stage string, w *Wave, gate string) string {
	end := fmt.Sprintf("%s/%d", stage, w.Number)
	before := gate
	var tails []string
	level := func(units []Unit, name string) {
		if len(units) == 0 {
			return
		}
		ids := make([]string, len(units))
		for i := range units {
			ids[i] = units[i].ID
			s.unit(&units[i], units[i].After, before)
		}
		before = s.gate(name, ids)
	}
	for i := range w.Steps {
		level(w.Steps[i].Units, fmt.Sprintf("%s/step%d", end, w.Steps[i].Number))
	}
	level(w.Health, end+"/health")
	if before != gate {
		tails = append(tails, before)
	}
	for i := range w.Tracks {
		s.track(&w.Tracks[i], gate)
		tails = append(tails, lastPart(&w.Tracks[i]).ID)
	}
	return s.gate(end, tails)
}

func lastPart(t *Track) *Unit { return &t.Parts[len(t.Parts)-1] }

func (s *sequence) track(t *Track, gate string) {
	after := t.After
	for i := range t.Parts {
		s.unit(&t.Parts[i], after, gate)
		gate, after = t.Parts[i].ID, nil
	}
}

// looseStage adds a stage without the barriers of steps and waves, behind a gate.
func (s *sequence) looseStage(stage *Stage, gate string) string {
	last := map[string]string{} // of each role: its units follow each other
	var roles []string
	add := func(u *Unit) {
		if last[u.Role] == "" {
			roles = append(roles, u.Role)
		}
		last[u.Role] = u.ID
	}
	for i := range stage.Waves {
		w := &stage.Waves[i]
		for j := range w.Steps {
			for k := range w.Steps[j].Units {
				u := &w.Steps[j].Units[k]
				s.unit(u, u.After, gate)
				add(u)
			}
		}
		for j := range w.Health {
			s.unit(&w.Health[j], w.Health[j].After, gate)
			add(&w.Health[j])
		}
		for j := range w.Tracks {
			s.track(&w.Tracks[j], gate)
			add(lastPart(&w.Tracks[j]))
		}
	}
	if len(roles) == 0 {
		return gate
	}
	var ends []string
	for _, r := range roles {
		ends = append(ends, last[r])
	}
	return s.gate(stage.Name, ends)
}

func (s *sequence) gate(name string, after []string) string {
	s.vertices = append(s.vertices, Vertex{ID: name, After: after})
	return name
}

func (s *sequence) unit(u *Unit, after []After, gate string) {
	v := Vertex{ID: u.ID, Unit: u}
	if gate != "" {
		v.After = append(v.After, gate)
	}
	for _, a := range after {
		if !slices.Contains(v.After, a.Unit) {
			v.After = append(v.After, a.Unit)
		}
	}
	s.vertices = append(s.vertices, v)
}
