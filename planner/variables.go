package planner

import (
	"slices"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Crossing is a variable that a service uses and that only others register or set,
// with nothing that orders them.
type Crossing struct {
	Variable string     `json:"variable"`
	User     string     `json:"used_by"`
	Setters  []string   `json:"set_by"`
	Place    source.Pos `json:"place"`
}

// Crossings gives the variables that cross services of a world without a dependency,
// by the services' names.
func Crossings(w World) []Crossing {
	b := &builder{World: w, sink: &source.Sink{}}
	b.sort()
	b.place()
	var out []Crossing
	b.crossings(func(c Crossing, _ []int) { out = append(out, c) })
	return out
}

// variables warns where a service uses what only others register, and nothing orders
// them.
func (b *builder) variables() {
	b.crossings(func(c Crossing, set []int) {
		b.sink.Warnf(c.Place, "%s uses %q, which only %s, without depending on it", c.User, c.Variable, b.registers(set)).
			WithHint("add depends_on: [" + c.Setters[0] + "] to " + c.User + "; " + c.Variable + " is set in " + b.Services[set[0]].Pos.File)
	})
}

// crossings finds the variables that cross services, with the numbers of those that set them.
func (b *builder) crossings(found func(c Crossing, set []int)) {
	known := b.givenVariables()
	setters := map[string][]int{}
	for i := range b.Services {
		for _, n := range b.Services[i].Registered() {
			if !known[n] {
				setters[n] = append(setters[n], i)
			}
		}
	}
	below := &reached{b: b, seen: make([]int, len(b.Services))}
	for i := range b.Services {
		svc := &b.Services[i]
		if len(b.standing[i]) == 0 {
			continue // it does nothing
		}
		below.from(i)
		for _, u := range svc.Uses {
			set := setters[u.Name]
			if len(set) == 0 || slices.Contains(set, i) || slices.Contains(svc.Vars.Names, u.Name) || below.any(set) {
				continue
			}
			c := Crossing{Variable: u.Name, User: svc.Name, Place: u.Pos}
			for _, s := range set {
				c.Setters = append(c.Setters, b.Services[s].Name)
			}
			found(c, set)
		}
	}
}

// givenVariables are those that every service may use: inputs, the deployment's own,
// and what the tasks before all services set.
func (b *builder) givenVariables() map[string]bool {
	known := map[string]bool{}
	for _, n := range b.Settings.Vars.Names {
		known[n] = true
	}
	for _, in := range b.Settings.Inputs {
		known[in.Name] = true
	}
	for _, d := range b.Settings.Before {
		for _, t := range d.Tasks {
			for _, n := range slices.Concat(t.Registers, t.SetsFacts) {
				known[n] = true
			}
		}
	}
	return known
}

func (b *builder) registers(set []int) string {
	switch name := b.Services[set[0]].Name; len(set) {
	case 1:
		return name + " registers"
	case 2:
		return name + " and " + b.Services[set[1]].Name + " register"
	default:
		return name + " and " + itoa(len(set)-1) + " others register"
	}
}

// reached answers whether a service depends on one of some others, over more of them
// too. It looks only as far as it is asked.
type reached struct {
	b     *builder
	seen  []int // the last service, plus one, from which each was reached
	start int
	found []int // what is reached so far, in the order of its finding
	next  int   // of found, whose dependencies are not looked at yet
}

func (r *reached) from(i int) { r.start, r.found, r.next = i, append(r.found[:0], i), 0 }

func (r *reached) any(set []int) bool {
	here := func(i int) bool { return r.seen[i] == r.start+1 }
	for !slices.ContainsFunc(set, here) {
		if r.next == len(r.found) {
			return false
		}
		r.visit(&r.b.Services[r.found[r.next]])
		r.next++
	}
	return true
}

func (r *reached) visit(svc *services.Service) {
	for d := range svc.DependsOn {
		if i, ok := r.b.index[svc.DependsOn[d].Service]; ok && r.seen[i] != r.start+1 {
			r.seen[i] = r.start + 1
			r.found = append(r.found, i)
		}
	}
}
