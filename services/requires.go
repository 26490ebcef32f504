package services

import (
	"slices"

	"github.com/upstep/upstep/source"
)

// Requirement says between which versions another service must stand before this one is
// upgraded.
type Requirement struct {
	Service  string
	Min, Max string // "" for any; may hold {{ input }}
	Pos      source.Pos
	Hop      string // of a later hop of a route, FROM -> TO; "" for the service's own
}

func (p *parser) requires(f source.Fields) []Requirement {
	v := f.Get("requires")
	if !v.Exists() {
		return nil
	}
	const how = `write requires: [{service: NAME, min_version: "13", max_version: "16"}]`
	if v.Kind() != source.List {
		p.sink.Errorf(v.Pos(), "requires must be a list, not %s", v.Kind()).WithHint(how)
		return nil
	}
	var out []Requirement
	for _, it := range v.Items() {
		if it.Kind() != source.Map {
			p.sink.Errorf(it.Pos(), "a requirement must be a mapping, not %s", it.Kind()).WithHint(how)
			continue
		}
		m := source.ReadFields(it, "the requirement", p.sink, "service", "min_version", "max_version")
		r := Requirement{Service: m.Required("service"), Min: m.Line("min_version"), Max: m.Line("max_version"), Pos: it.Pos()}
		if r.Service == "" {
			continue
		}
		if r.Min == "" && r.Max == "" {
			p.sink.Errorf(it.Pos(), "requirement of %s says neither min_version nor max_version", r.Service).WithHint(how)
			continue
		}
		if i := slices.IndexFunc(out, func(o Requirement) bool { return o.Service == r.Service }); i >= 0 {
			p.sink.Errorf(r.Pos, "%q stands twice in requires", r.Service).WithHint("it stands first at " + out[i].Pos.Short())
			continue
		}
		out = append(out, r)
	}
	return out
}
