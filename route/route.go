// Package route finds the way from one release to another over the jumps that are
// declared, and says why there is none.
package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// Graph is the declared jumps.
type Graph struct {
	releases []settings.Release
	from     map[string][]int // by the version that they lead from, the highest target first
}

// New makes the graph. Jumps that lead in a circle are a problem, told once each.
func New(releases []settings.Release, sink *source.Sink) *Graph {
	g := &Graph{releases: releases, from: map[string][]int{}}
	for i, r := range releases {
		g.from[r.From] = append(g.from[r.From], i)
	}
	for _, list := range g.from {
		slices.SortStableFunc(list, func(a, b int) int { return Compare(releases[b].To, releases[a].To) })
	}
	g.refuseCircles(sink)
	return g
}

// Compare orders versions as versions: 1.9 before 1.10. What are no versions are
// ordered as text, behind those that are.
func Compare(a, b string) int {
	v, errA := version.NewVersion(a)
	w, errB := version.NewVersion(b)
	switch {
	case errA == nil && errB == nil:
		if c := v.Compare(w); c != 0 {
			return c
		}
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// Versions gives every version that a jump names, in their order.
func (g *Graph) Versions() []string {
	var out []string
	for _, r := range g.releases {
		out = append(out, r.From, r.To)
	}
	slices.SortFunc(out, Compare)
	return slices.Compact(out)
}

// Route is a chain of jumps.
type Route struct {
	Hops []settings.Release
	// Others are the routes of the same length that were not chosen, each by its versions.
	Others [][]string
}

// Error says why there is no route.
type Error struct {
	Message, Hint string
	Pos           source.Pos
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Find gives the route with the fewest jumps; of several the one with the highest
// versions, compared from the first jump on. Where there is none the error is an *Error.
func (g *Graph) Find(from, to string) (Route, error) {
	if err := g.known(from, "from"); err != nil {
		return Route{}, err
	}
	if err := g.known(to, "to"); err != nil {
		return Route{}, err
	}
	if from == to {
		return Route{}, &Error{Message: "the upgrade begins and ends at " + from, Hint: "name two versions"}
	}
	routes := g.shortest(from, to, false)
	if len(routes) == 0 {
		return Route{}, g.none(from, to)
	}
	out := Route{Hops: g.hops(routes[0])}
	for _, other := range routes[1:] {
		out.Others = append(out.Others, versionsOf(g.hops(other)))
	}
	return out, nil
}

func (g *Graph) hops(route []int) []settings.Release {
	var out []settings.Release
	for _, i := range route {
		out = append(out, g.releases[i])
	}
	return out
}

func versionsOf(hops []settings.Release) []string {
	out := []string{hops[0].From}
	for _, h := range hops {
		out = append(out, h.To)
	}
	return out
}

// most is how many routes of equal length are looked at.
const most = 16

// shortest gives the shortest routes, the highest versions first.
func (g *Graph) shortest(from, to string, blocked bool) [][]int {
	far := g.distances(to, blocked)
	d, ok := far[from]
	if !ok {
		return nil
	}
	var out [][]int
	var walk func(at string, left int, so []int)
	walk = func(at string, left int, so []int) {
		if left == 0 {
			out = append(out, slices.Clone(so))
			return
		}
		for _, i := range g.from[at] {
			next := g.releases[i]
			if n, ok := far[next.To]; ok && n == left-1 && (blocked || next.Blocked == "") && len(out) < most {
				walk(next.To, left-1, append(so, i))
			}
		}
	}
	walk(from, d, nil)
	return out
}

// distances gives how many jumps each version is away from a target.
func (g *Graph) distances(to string, blocked bool) map[string]int {
	far := map[string]int{to: 0}
	for changed := true; changed; {
		changed = false
		for _, r := range g.releases {
			d, ok := far[r.To]
			if !ok || r.Blocked != "" && !blocked {
				continue
			}
			if old, had := far[r.From]; !had || d+1 < old {
				far[r.From], changed = d+1, true
			}
		}
	}
	return far
}

func (g *Graph) known(name, what string) error {
	all := g.Versions()
	if slices.Contains(all, name) {
		return nil
	}
	hint := source.DidYouMean(name, all)
	if hint == "" {
		hint = "declared are " + strings.Join(all, ", ")
	}
	return &Error{Message: fmt.Sprintf("no release is declared %s %s", what, name), Hint: hint}
}

// none says why there is no route.
func (g *Graph) none(from, to string) *Error {
	if over := g.shortest(from, to, true); len(over) > 0 {
		for _, r := range g.hops(over[0]) {
			if r.Blocked != "" {
				return &Error{
					Message: fmt.Sprintf("the way from %s to %s leads over %s -> %s, which is blocked: %s", from, to, r.From, r.To, r.Blocked),
					Hint:    g.reachable(from), Pos: r.Pos,
				}
			}
		}
	}
	return &Error{Message: fmt.Sprintf("no way leads from %s to %s", from, to), Hint: g.reachable(from)}
}

func (g *Graph) reachable(from string) string {
	var out []string
	for _, r := range g.Reach(from) {
		if r.Why == "" {
			out = append(out, r.Version)
		}
	}
	if len(out) == 0 {
		return "nothing can be reached from " + from
	}
	return "from " + from + " can be reached " + strings.Join(out, ", ")
}

// Reach is whether a version can be reached, and over which, or why not.
type Reach struct {
	Version string   `json:"version"`
	Over    []string `json:"route,omitempty"` // from the first to this one
	Why     string   `json:"why_not,omitempty"`
}

// Reach tells of every other version whether it can be reached from one.
func (g *Graph) Reach(from string) []Reach {
	var out []Reach
	for _, v := range g.Versions() {
		if v == from {
			continue
		}
		r := Reach{Version: v}
		if routes := g.shortest(from, v, false); len(routes) > 0 {
			r.Over = versionsOf(g.hops(routes[0]))
		} else if over := g.shortest(from, v, true); len(over) > 0 {
			for _, h := range g.hops(over[0]) {
				if h.Blocked != "" {
					r.Why = fmt.Sprintf("%s -> %s is blocked: %s", h.From, h.To, h.Blocked)
					break
				}
			}
		} else {
			r.Why = "no way leads there from " + from
		}
		out = append(out, r)
	}
	return out
}

// refuseCircles reports jumps that lead back to where they began.
func (g *Graph) refuseCircles(sink *source.Sink) {
	const (
		unseen = iota
		underWay
		done
	)
	state := map[string]int{}
	var path []int
	var walk func(at string)
	walk = func(at string) {
		state[at] = underWay
		for _, i := range g.from[at] {
			to := g.releases[i].To
			path = append(path, i)
			switch state[to] {
			case underWay:
				g.circle(path, to, sink)
			case unseen:
				walk(to)
			}
			path = path[:len(path)-1]
		}
		state[at] = done
	}
	for _, v := range g.Versions() {
		if state[v] == unseen {
			walk(v)
		}
	}
}

func (g *Graph) circle(path []int, at string, sink *source.Sink) {
	first := slices.IndexFunc(path, func(i int) bool { return g.releases[i].From == at })
	var text strings.Builder
	text.WriteString(at)
	for _, i := range path[first:] {
		text.WriteString(" -> " + g.releases[i].To + " (" + g.releases[i].Pos.Short() + ")")
	}
	sink.Errorf(g.releases[path[len(path)-1]].Pos, "releases lead in a circle: %s", text.String()).WithHint("an upgrade leads from lower to higher versions: take one of the jumps out")
}
