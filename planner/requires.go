package planner

import (
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Requirement says between which versions another service must stand on its hosts before
// a service is upgraded: preflight asks.
type Requirement struct {
	Service string `json:"service"`
	Min     string `json:"min_version,omitempty"`
	Max     string `json:"max_version,omitempty"` // counts as far as it is written: 16 allows 16.4
	Hop     string `json:"hop,omitempty"`         // of a later hop of the route; none: of this plan
	Place
}

// Allows tells whether a version is between those that are required; one that is no
// version is not.
func (r *Requirement) Allows(version string) bool {
	v, ok := ParseVersion(version)
	if !ok {
		return false
	}
	if low, is := ParseVersion(r.Min); is && compareNumbers(v.Number, low.Number) < 0 {
		return false
	}
	high, is := ParseVersion(r.Max)
	return !is || compareNumbers(FirstNumbers(v.Number, Numbers(high.Number)), high.Number) <= 0
}

// String says what is required: 13 or later, up to 16, or both.
func (r *Requirement) String() string {
	switch {
	case r.Max == "":
		return r.Min + " or later"
	case r.Min == "":
		return "up to " + r.Max
	}
	return r.Min + " to " + r.Max
}

// Numbers counts the numbers of a version, as Version.Number has it.
func Numbers(number string) int { return strings.Count(number, ".") + 1 }

// FirstNumbers gives the first numbers of a version.
func FirstNumbers(number string, n int) string {
	parts := strings.Split(number, ".")
	return strings.Join(parts[:min(n, len(parts))], ".")
}

// compareNumbers compares what ParseVersion gave.
func compareNumbers(a, b string) int {
	v, errA := goversion.NewVersion(a)
	w, errB := goversion.NewVersion(b)
	if errA != nil || errB != nil {
		return strings.Compare(a, b)
	}
	return v.Compare(w)
}

// requirements looks at what services ask of the versions of others.
func (b *builder) requirements() {
	inputs := b.Settings.Values()
	names := b.serviceNames()
	for i := range b.Services {
		svc := &b.Services[i]
		for k := range svc.Requires {
			r := &svc.Requires[k]
			r.Min, r.Max = inputs.Expand(r.Min, r.Pos, b.sink), inputs.Expand(r.Max, r.Pos, b.sink)
			of, known := b.index[r.Service]
			if !known {
				b.unknown(r.Pos, r.Service, names)
				continue
			}
			if b.soundBounds(svc.Name, r) && len(b.standing[i]) > 0 {
				b.answerable(svc, r, of)
			}
		}
	}
}

// soundBounds reports bounds that are no versions, or the wrong way round.
func (b *builder) soundBounds(name string, r *services.Requirement) bool {
	low, high := b.bound(r, "min_version", r.Min), b.bound(r, "max_version", r.Max)
	if low == nil || high == nil {
		return false
	}
	if low.Number != "" && high.Number != "" && compareNumbers(FirstNumbers(low.Number, Numbers(high.Number)), high.Number) > 0 {
		b.sink.Errorf(r.Pos, "%s requires a version of %s that there can't be: %s or later and up to %s", name, r.Service, r.Min, r.Max).WithHint("min_version is the lower of the two")
		return false
	}
	return true
}

// bound takes a bound apart; nil for one that is no version, which is reported.
func (b *builder) bound(r *services.Requirement, key, text string) *Version {
	v, ok := ParseVersion(text)
	if !ok && text != "" {
		b.sink.Errorf(r.Pos, "%s %q of %s is no version", key, text, r.Service).WithHint("write one such as 15.4")
		return nil
	}
	return &v
}

// answerable reports a requirement that nobody can answer, or that this plan breaks itself
// before it comes to the service.
func (b *builder) answerable(svc *services.Service, r *services.Requirement, of int) {
	other := &b.Services[of]
	switch {
	case other.Read > services.Whole:
	case len(b.standing[of]) == 0:
		b.sink.Errorf(r.Pos, "%s requires a version of %s, which stands on no role", svc.Name, r.Service).WithHint("place it on the role of its hosts: nothing else tells what is installed")
	case other.Version.Probe == "":
		b.sink.Errorf(r.Pos, "%s requires a version of %s, which has no version.probe", svc.Name, r.Service).WithHint("tell how the installed version is found: " + other.Pos.Short())
	case r.Hop == "" && b.upgradedBefore(svc, r.Service):
		if req := requirementOf(r); !req.Allows(other.Version.Target) {
			b.sink.Errorf(r.Pos, "%s requires %s %s, and this plan brings it to %s before", svc.Name, r.Service, &req, other.Version.Target).
				WithHint("the target stands in " + other.Version.Pos.Short())
		}
	}
}

// upgradedBefore tells whether another service has its target before one begins.
func (b *builder) upgradedBefore(svc *services.Service, other string) bool {
	if _, is := ParseVersion(b.Services[b.index[other]].Version.Target); !is {
		return false
	}
	return slices.ContainsFunc(svc.DependsOn, func(d services.Dependency) bool { return d.Service == other && d.Upgraded })
}

func requirementOf(r *services.Requirement) Requirement {
	return Requirement{Service: r.Service, Min: r.Min, Max: r.Max, Hop: r.Hop, Place: placeOf(r.Pos)}
}

// required gives what of a service's requirements preflight asks: what this plan itself
// brings about before is not there yet.
func (b *builder) required(svc *services.Service) []Requirement {
	var out []Requirement
	for k := range svc.Requires {
		if r := &svc.Requires[k]; r.Hop != "" || !b.upgradedBefore(svc, r.Service) {
			out = append(out, requirementOf(r))
		}
	}
	return out
}

// Required is a requirement with the service that has it.
type Required struct {
	By string
	Requirement
}

// RequiredOf gives what services ask of the version of one, in their order.
func (p *Plan) RequiredOf(service string) []Required {
	var out []Required
	for i := range p.Services {
		for _, r := range p.Services[i].Requires {
			if r.Service == service {
				out = append(out, Required{p.Services[i].Name, r})
			}
		}
	}
	return out
}

// AskAhead has each hop of a route ask for what later ones need too: what a host lacks for
// the last hop is told before the first.
func AskAhead(hops []World, sink *source.Sink) {
	askForRoom(hops)
	refuseDowngrades(hops, sink)
	for h := 1; h < len(hops); h++ {
		for s := range hops[h].Services {
			svc := &hops[h].Services[s]
			for _, r := range svc.Requires {
				if r.Hop == "" {
					askForVersion(hops[:h+1], svc, r, sink)
				}
			}
		}
	}
}

// refuseDowngrades reports a service whose target an earlier hop is beyond: the later one's
// preflight would refuse its hosts, in the middle of the route.
func refuseDowngrades(hops []World, sink *source.Sink) {
	type reached struct {
		target string
		hop    *Hop
		at     source.Pos
	}
	last := map[string]reached{}
	for h := range hops {
		if hops[h].AllowDowngrade {
			return
		}
		for s := range hops[h].Services {
			svc := &hops[h].Services[s]
			to, is := ParseVersion(svc.Version.Target)
			if !is {
				continue
			}
			if before, was := last[svc.Name]; was {
				if from, _ := ParseVersion(before.target); compareNumbers(from.Number, to.Number) > 0 {
					sink.Errorf(svc.Version.Pos, "the hop %s leads %s to %s, and %s has brought it to %s before", hops[h].Hop, svc.Name, svc.Version.Target, before.hop, before.target).
						WithHint("the other target stands in " + before.at.Short() + "; --allow-downgrade allows it")
				}
			}
			last[svc.Name] = reached{svc.Version.Target, hops[h].Hop, svc.Version.Pos}
		}
	}
}

// askForVersion looks for what a requirement of the last of some hops finds: the target of
// an earlier hop, or what is installed before the first.
func askForVersion(hops []World, svc *services.Service, r services.Requirement, sink *source.Sink) {
	last := len(hops) - 1
	for h := last - 1; h >= 0; h-- {
		other := serviceOf(&hops[h], r.Service)
		if other == nil {
			continue
		}
		if _, is := ParseVersion(other.Version.Target); !is {
			continue
		}
		if req := requirementOf(&r); !req.Allows(other.Version.Target) {
			sink.Errorf(r.Pos, "%s requires %s %s, and the hop %s brings it to %s", svc.Name, r.Service, &req, hops[h].Hop, other.Version.Target).
				WithHint("the target stands in " + other.Version.Pos.Short())
		}
		return
	}
	first, by := serviceOf(&hops[0], r.Service), serviceOf(&hops[0], svc.Name)
	if first == nil || by == nil {
		return // in its own hop it is told that there is no such service
	}
	if own := serviceOf(&hops[last], r.Service); first.Version.Probe == "" && own != nil {
		first.Version.Probe = own.Version.Probe
	}
	r.Hop = hops[last].Hop.String()
	by.Requires = append(by.Requires, r)
}

func serviceOf(w *World, name string) *services.Service {
	if i := slices.IndexFunc(w.Services, func(s services.Service) bool { return s.Name == name }); i >= 0 {
		return &w.Services[i]
	}
	return nil
}

// askForRoom has each hop ask for the free space that later ones need.
func askForRoom(hops []World) {
	later := map[string][]services.Need{}
	for _, hop := range slices.Backward(hops) {
		for s := range hop.Services {
			svc := &hop.Services[s]
			all := slices.Clone(svc.Disk)
			for _, need := range later[svc.Name] {
				switch at := slices.IndexFunc(all, func(n services.Need) bool { return n.Path == need.Path }); {
				case at < 0:
					all = append(all, need)
				case all[at].Bytes < need.Bytes:
					all[at] = need
				}
			}
			svc.Disk, later[svc.Name] = all, all
		}
	}
}
