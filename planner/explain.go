package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Explanation tells where a service stands in the plan, and because of which lines.
type Explanation struct {
	Service     string       `json:"service"`
	Description string       `json:"description,omitempty"`
	Place                    // where it is defined
	Standings   []Standing   `json:"standings"`
	DependsOn   []Dependency `json:"depends_on,omitempty"`
	Dependents  []Dependency `json:"dependents,omitempty"` // Service is who depends on it
	Behind      string       `json:"behind,omitempty"`
}

// Standing is a service on one role.
type Standing struct {
	Role      string    `json:"role"`
	Hosts     []string  `json:"hosts,omitempty"`
	Stage     string    `json:"stage"`
	Why       string    `json:"why"`                 // how it goes through the stage
	From      Place     `json:"stage_from,omitzero"` // the line that says the stage
	Wave      int       `json:"wave,omitempty"`
	WaveAfter []After   `json:"wave_after,omitempty"` // what keeps it out of an earlier wave
	Place               // the line of the role that places it
	Units     []Waiting `json:"units,omitempty"`
}

// Waiting is a unit that holds tasks of the service, and what it waits for.
type Waiting struct {
	Unit   string   `json:"unit"`
	Tasks  []string `json:"tasks"`
	After  []After  `json:"after,omitempty"`
	Before int      `json:"units_before,omitempty"` // units that must have ended first, over all that orders them
	Behind int      `json:"units_behind,omitempty"` // units that wait for it
}

// Explain tells where a service stands. The error says so when the plan has no such service.
func (p *Plan) Explain(name string) (*Explanation, error) {
	svc := p.ServiceByName(name)
	if svc == nil {
		for _, n := range p.Ignored {
			if n.Subject == name {
				return nil, fmt.Errorf("service %q is not in the plan: %s (%s:%d)", name, n.Text, n.File, n.Line)
			}
		}
		return nil, fmt.Errorf("service %q is not in the plan", name)
	}
	x := &Explanation{Service: name, Description: svc.Description, Place: svc.Place, DependsOn: svc.DependsOn, Behind: svc.Behind}
	for i := range p.Services {
		for _, d := range p.Services[i].DependsOn {
			if d.Service == name {
				d.Service = p.Services[i].Name
				x.Dependents = append(x.Dependents, d)
			}
		}
	}
	g, err := p.Graph()
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	for _, pl := range svc.Placements {
		s := Standing{Role: pl.Role, Hosts: p.RoleByName(pl.Role).Members, Stage: pl.Stage, Wave: pl.Wave, Place: pl.Place, Why: p.whyStage(pl), From: pl.StageFrom, WaveAfter: pl.WaveAfter}
		if err := p.waitings(&s, svc, g); err != nil {
			return nil, err
		}
		x.Standings = append(x.Standings, s)
	}
	return x, nil
}

// whyStage says in words what gave the placement its stage and wave.
func (p *Plan) whyStage(pl Placement) string {
	if pl.Wave == 0 {
		return "it has no tasks there"
	}
	if p.RoleByName(pl.Role).Rolling != nil {
		return "role " + pl.Role + " is rolling: its batches go through all steps at a time"
	}
	return "stepping with the other roles of the wave"
}

// waitings lists the units with tasks of the service on one role.
func (p *Plan) waitings(s *Standing, svc *Service, g *Graph) error {
	names := map[string]string{}
	for _, t := range svc.Tasks {
		names[t.ID] = t.Name
		if t.Name == "" {
			names[t.ID] = t.ID
		}
	}
	var failed error
	track := ""
	for _, stage := range p.Stages {
		stage.Units(func(_ Wave, u Unit) {
			if u.Role != s.Role || failed != nil {
				return
			}
			i := slices.IndexFunc(u.Segments, func(seg Segment) bool { return seg.Service == svc.Name && seg.Links == "" })
			if i < 0 {
				return
			}
			w := Waiting{Unit: u.ID}
			for _, seg := range u.Segments {
				if seg.Service == svc.Name && seg.Links == "" {
					for _, id := range seg.Tasks {
						w.Tasks = append(w.Tasks, names[id])
					}
				}
			}
			w.After = u.After
			if t := p.trackOf(u); t != nil && t.Parts[0].ID != track {
				track, w.After = t.Parts[0].ID, t.After // once: its parts follow each other
			}
			if g != nil {
				before, err := g.Before(u.ID)
				behind, err2 := g.Behind(u.ID)
				failed = errors.Join(err, err2)
				w.Before, w.Behind = len(before), len(behind)
			}
			s.Units = append(s.Units, w)
		})
	}
	return failed
}

// trackOf gives the track that a unit is a part of, or nil.
func (p *Plan) trackOf(u Unit) *Track {
	for _, s := range p.Stages {
		for _, w := range s.Waves {
			for i, t := range w.Tracks {
				if slices.ContainsFunc(t.Parts, func(o Unit) bool { return o.ID == u.ID }) {
					return &w.Tracks[i]
				}
			}
		}
	}
	return nil
}

// ServiceNames gives the services of the plan, for those who mistype one.
func (p *Plan) ServiceNames() []string {
	var out []string
	for i := range p.Services {
		out = append(out, p.Services[i].Name)
	}
	return out
}

// Summary says in one line how much there is to do.
func (p *Plan) Summary() string {
	hosts := map[string]bool{}
	for _, r := range p.Roles {
		for _, h := range r.Members {
			hosts[h] = true
		}
	}
	units, stages := 0, 0
	for _, s := range p.Stages {
		if len(s.Waves) > 0 {
			stages++
		}
		s.Units(func(Wave, Unit) { units++ })
	}
	parts := []string{count(len(p.Services), "service"), count(len(p.Roles), "role")}
	if p.HostsKnown {
		parts = append(parts, count(len(hosts), "host"))
	} else {
		parts = append(parts, "hosts not known yet")
	}
	parts = append(parts, count(stages, "stage"), count(units, "unit"))
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
