package planner

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Explanation tells where a service stands in the plan, and because of which lines.
type Explanation struct {
	Service     string        `json:"service"`
	Description string        `json:"description,omitempty"`
	Place                     // where it is defined
	Standings   []Standing    `json:"standings"`
	DependsOn   []Dependency  `json:"depends_on,omitempty"`
	Dependents  []Dependency  `json:"dependents,omitempty"` // Service is who depends on it
	Behind      string        `json:"behind,omitempty"`
	PackVersion string        `json:"pack_version,omitempty"`
	Target      string        `json:"target,omitempty"`
	Probe       string        `json:"probe,omitempty"`
	Requires    []Requirement `json:"requires,omitempty"`
	Disk        []Disk        `json:"disk,omitempty"`
	Delegates   []Delegate    `json:"delegates,omitempty"`
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
	Preflight []Waiting `json:"preflight,omitempty"`
	Units     []Waiting `json:"units,omitempty"`
	Rollback  []Waiting `json:"rollback,omitempty"`
}

// Waiting is a unit that holds tasks of the service, and what it waits for.
type Waiting struct {
	Unit  string   `json:"unit"`
	Tasks []string `json:"tasks,omitempty"`
	// LeftOut are tasks that identical ones of the unit stand for: of the service, or by a
	// task of it.
	LeftOut []LeftOut `json:"left_out,omitempty"`
	After   []After   `json:"after,omitempty"`
	Before  int       `json:"units_before,omitempty"` // units that must have ended first, over all that orders them
	Behind  int       `json:"units_behind,omitempty"` // units that wait for it
}

// Explain tells where a service stands, in a plan that has it.
func (p *Plan) Explain(name string) (*Explanation, error) {
	svc := p.ServiceByName(name)
	if svc == nil {
		return nil, p.unknown(name)
	}
	x := &Explanation{Service: name, Description: svc.Description, Place: svc.Place, DependsOn: svc.DependsOn, Behind: svc.Behind}
	x.PackVersion = svc.PackVersion
	x.Target, x.Probe, x.Requires, x.Disk, x.Delegates = svc.Target, svc.Probe, svc.Requires, svc.Disk, svc.Delegates
	for i := range p.Services {
		for _, d := range p.Services[i].DependsOn {
			if d.Service == name {
				d.Service = p.Services[i].Name
				x.Dependents = append(x.Dependents, d)
			}
		}
	}
	w, err := p.waiter()
	if err != nil {
		return nil, err
	}
	for _, pl := range svc.Placements {
		s := Standing{Role: pl.Role, Hosts: p.RoleByName(pl.Role).Members, Stage: pl.Stage, Wave: pl.Wave, Place: pl.Place, Why: p.whyStage(pl), From: pl.StageFrom, WaveAfter: pl.WaveAfter}
		s.Preflight, s.Units, s.Rollback, err = throughout(p, func(units []Unit) ([]Waiting, error) { return w.ofService(svc, pl.Role, units) })
		if err != nil {
			return nil, err
		}
		x.Standings = append(x.Standings, s)
	}
	return x, nil
}

// throughout asks for the units of the preflight, of the stages and of the way back.
func throughout[T any](p *Plan, of func([]Unit) ([]T, error)) (preflight, units, rollback []T, err error) {
	var err1, err2, err3 error
	preflight, err1 = of(p.Preflight)
	units, err2 = of(unitsOf(p.Stages))
	rollback, err3 = of(unitsOf(p.Rollback))
	return preflight, units, rollback, errors.Join(err1, err2, err3)
}

// unknown says what is known of a name that is neither a service nor a role of the plan.
func (p *Plan) unknown(name string) error {
	for _, n := range p.Ignored {
		if n.Subject == name {
			return fmt.Errorf("service %q is not in the plan: %s (%s:%d)", name, n.Text, n.File, n.Line)
		}
	}
	return fmt.Errorf("%q is neither a service nor a role of the plan", name)
}

// whyStage says in words what gave the placement its stage and wave.
func (p *Plan) whyStage(pl Placement) string {
	if pl.Wave == 0 {
		return "it has no tasks there"
	}
	if old, taking, ok := p.Instances(pl.Role); ok {
		return "the hosts of " + taking.Name + " take over from those of " + old.Name + ", phase by phase"
	}
	if p.RoleByName(pl.Role).Rolling != nil {
		return "role " + pl.Role + " is rolling: its batches go through all steps at a time"
	}
	return "stepping with the other roles of the wave"
}

// waiter tells what units wait for.
type waiter struct {
	graph  *Graph            // nil in a plan too large for it
	counts map[string]bool   // units that the graph knows
	tracks map[string]*Track // by the units that are their parts
}

func (p *Plan) waiter() (*waiter, error) {
	g, err := p.Graph()
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	w := &waiter{graph: g, counts: map[string]bool{}, tracks: map[string]*Track{}}
	for _, u := range unitsOf(p.Stages) {
		w.counts[u.ID] = g != nil
	}
	for _, s := range slices.Concat(p.Stages, p.Rollback) {
		for _, wave := range s.Waves {
			for i, t := range wave.Tracks {
				for _, u := range t.Parts {
					w.tracks[u.ID] = &wave.Tracks[i]
				}
			}
		}
	}
	return w, nil
}

// unitsOf lists the units of stages in their order.
func unitsOf(stages []Stage) []Unit {
	var out []Unit
	for _, s := range stages {
		s.Units(func(_ Wave, u Unit) { out = append(out, u) })
	}
	return out
}

// of tells what each of some units waits for. What a track waits for is told of the
// first of them that is its part, as the parts follow each other.
func (w *waiter) of(units []Unit) ([]Waiting, error) {
	var out []Waiting
	var told *Track
	for _, u := range units {
		x := Waiting{Unit: u.ID, After: u.After}
		if t := w.tracks[u.ID]; t != nil && t != told {
			told, x.After = t, t.After
		}
		if t := w.tracks[u.ID]; t != nil {
			i := slices.IndexFunc(t.Parts, func(o Unit) bool { return o.ID == u.ID })
			if i > 0 && t.Parts[i-1].Role != u.Role {
				x.After = []After{{Unit: t.Parts[i-1].ID, Reason: "the replacement of " + t.Role}}
			} else if i > 0 && t.Parts[0].Role != t.Role {
				x.After = nil // it follows a part of its own role
			}
		}
		if w.counts[u.ID] {
			before, err := w.graph.Before(u.ID)
			behind, err2 := w.graph.Behind(u.ID)
			if err := errors.Join(err, err2); err != nil {
				return nil, err
			}
			x.Before, x.Behind = len(before), len(behind)
		}
		out = append(out, x)
	}
	return out, nil
}

// ofService gives those of the units that hold tasks of the service on one role.
func (w *waiter) ofService(svc *Service, role string, units []Unit) ([]Waiting, error) {
	names := map[string]string{}
	for _, t := range svc.Tasks {
		names[t.ID] = cmp.Or(t.Name, t.ID)
	}
	var with []Unit
	var held [][]string
	var leftOut [][]LeftOut
	for _, u := range units {
		var list []string
		for _, seg := range u.Segments {
			if u.Role == role && seg.Service == svc.Name && seg.Links == "" {
				for _, id := range seg.Tasks {
					list = append(list, names[id])
				}
			}
		}
		var left []LeftOut
		for _, l := range u.LeftOut {
			if u.Role == role && (l.Service == svc.Name || l.SameAs == svc.Name) {
				left = append(left, l)
			}
		}
		if len(list)+len(left) > 0 {
			with, held, leftOut = append(with, u), append(held, list), append(leftOut, left)
		}
	}
	out, err := w.of(with)
	for i := range out {
		out[i].Tasks, out[i].LeftOut = held[i], leftOut[i]
	}
	return out, err
}

// ServiceNames gives the services of the plan, for those who mistype one.
func (p *Plan) ServiceNames() []string {
	return names(p.Services, func(s *Service) string { return s.Name })
}

func names[T any](list []T, of func(*T) string) []string {
	var out []string
	for i := range list {
		out = append(out, of(&list[i]))
	}
	return out
}

// Summary says in one line how much there is to do.
func (p *Plan) Summary() string {
	hosts, services := map[string]bool{}, map[string]bool{}
	roles := 0
	for _, r := range p.Roles {
		on := p.WorkedOn(r.Name)
		for _, h := range on {
			hosts[h] = true
		}
		if p.Undo == "" || len(on) > 0 {
			roles++
		}
	}
	for _, s := range p.Services {
		services[s.Name] = p.Undo == ""
	}
	units, stages := 0, 0
	for _, s := range p.Stages {
		if len(s.Waves) > 0 {
			stages++
		}
		s.Units(func(_ Wave, u Unit) {
			units++
			for _, s := range u.services() {
				services[s] = true
			}
		})
	}
	maps.DeleteFunc(services, func(_ string, has bool) bool { return !has })
	parts := []string{count(len(services), "service"), count(roles, "role")}
	if p.HostsKnown {
		parts = append(parts, count(len(hosts), "host"))
	} else {
		parts = append(parts, "hosts not known yet")
	}
	parts = append(parts, count(stages, "stage"), count(units, "unit"))
	text := strings.Join(parts, ", ")
	if h := p.Hop; h != nil {
		text = h.String() + " (hop " + itoa(h.Number) + " of " + itoa(h.Of) + "), " + text
	}
	return text
}

// LeftOut counts the tasks of the preflight and the stages that are left out because an
// identical one stands for them.
func (p *Plan) LeftOut() int {
	n := 0
	for _, u := range slices.Concat(p.Preflight, unitsOf(p.Stages)) {
		n += len(u.LeftOut)
	}
	return n
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
