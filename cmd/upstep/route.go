package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/route"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// routeFlags says from which release to which.
func (a *app) routeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.from, "from", "", "`VERSION` from which the upgrade leads, over the releases of upgrade.yaml; installed: ask the hosts")
	cmd.Flags().StringVar(&a.to, "to", "", "`VERSION` to which the upgrade leads")
}

// hops gives the releases that the upgrade leads over; none where it is not told from
// which version to which.
func (a *app) hops(ctx context.Context, s *settings.Settings, sink *source.Sink) ([]settings.Release, error) {
	g := route.New(s.Releases, sink)
	from, to := cmp.Or(a.from, s.From), cmp.Or(a.to, s.To)
	if s.ReleasesBroken {
		return nil, nil // what is wrong with them tells more than that no way leads over them
	}
	ask := from == installed || from == "" && s.Installed != nil
	switch {
	case from == "" && to == "":
		return nil, nil
	case len(s.Releases) == 0 && (a.from != "" || a.to != ""):
		return nil, usageError{errors.New("upgrade.yaml declares no releases"), "declare the jumps that exist under releases:, or leave out --from and --to"}
	case len(s.Releases) == 0:
		return nil, nil
	case a.services != "":
		return nil, usageError{errors.New("--services and a route contradict each other: each release has a folder of its own"), "leave out --services, or --from and --to"}
	case from == "" && !ask:
		return nil, usageError{fmt.Errorf("from which version to %s?", to), "give --from VERSION"}
	case to == "":
		return nil, usageError{fmt.Errorf("from %s to which version?", from), "give --to VERSION"}
	}
	if ask {
		if sink.Failed() {
			return nil, nil // no host is asked for the sake of what has problems
		}
		var err error
		if from, err = a.installedRelease(ctx, s, g.Versions()); err != nil {
			return nil, err
		}
		if from == to {
			return nil, codeError{fmt.Errorf("nothing to do: the hosts stand at %s", to), exitDone}
		}
	}
	r, err := g.Find(from, to)
	if wrong, is := errors.AsType[*route.Error](err); is {
		if wrong.Pos.File != "" {
			return nil, usageError{fmt.Errorf("%w (%s)", err, wrong.Pos.Short()), wrong.Hint}
		}
		return nil, usageError{err, wrong.Hint}
	}
	for _, other := range r.Others {
		a.otherRoutes = append(a.otherRoutes, strings.Join(other, " -> "))
	}
	return r.Hops, err
}

// worldsOf makes a world of each hop: the services of its release. One that only other
// hops know has nothing to do in this one.
func (a *app) worldsOf(base planner.World, hops []settings.Release, sink *source.Sink) []planner.World {
	var out []planner.World
	known := map[string]services.Service{}
	note := func(list []services.Service) {
		for _, s := range list {
			if _, ok := known[s.Name]; !ok {
				known[s.Name] = services.Service{Name: s.Name, Description: s.Description, Pos: s.Pos, Stage: s.Stage, StagePos: s.StagePos}
			}
		}
	}
	values := a.values(sink)
	for i, h := range hops {
		w := base
		w.Services = services.Load(os.DirFS(a.path(h.Services)), h.Services, sink)
		values.Give(w.Services, sink)
		w.Hop = &planner.Hop{From: h.From, To: h.To, Number: i + 1, Of: len(hops), Notes: h.Notes}
		note(w.Services)
		out = append(out, w)
	}
	for _, r := range base.Settings.Releases { // the roles name services that only other releases have
		if !slices.ContainsFunc(hops, func(h settings.Release) bool { return h.Services == r.Services }) {
			others := services.Load(os.DirFS(a.path(r.Services)), r.Services, &source.Sink{})
			note(others)
			values.Know(others)
		}
	}
	values.Unknown(sink)
	for i := range out {
		has := map[string]bool{}
		for _, s := range out[i].Services {
			has[s.Name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(known)) {
			if !has[name] {
				out[i].Services = append(out[i].Services, known[name])
			}
		}
		out[i].Sources = a.digests(out[i])
	}
	planner.AskAhead(out, sink)
	return out
}

// single refuses a route where a command takes one plan.
func single(r *planner.Route) (*planner.Plan, error) {
	if len(r.Hops) > 1 {
		first := r.Hops[0].Hop
		return nil, usageError{fmt.Errorf("the route %s has %d hops, and this takes one", r.Title(), len(r.Hops)), fmt.Sprintf("name one, as --from %s --to %s", first.From, first.To)}
	}
	return r.Hops[0], nil
}

// routeTable prints what comes before the plans of a route.
func (a *app) routeTable(r *planner.Route) {
	if r.Hops[0].Hop == nil {
		return
	}
	a.printf("route %s: %s\n", r.Title(), plural(len(r.Hops), "hop"))
	for _, other := range a.otherRoutes {
		a.printf("  as short, with lower versions: %s\n", other)
	}
}

// hopNotes prints what the release says of itself.
func (a *app) hopNotes(p *planner.Plan) {
	if p.Hop == nil {
		return
	}
	for line := range strings.SplitSeq(strings.TrimSpace(p.Hop.Notes), "\n") {
		if line != "" {
			a.printf("  %s\n", line)
		}
	}
}

// treesOf renders each hop, and the tree that emit would write.
func treesOf(r *planner.Route) (each []*playbooks.Tree, whole *playbooks.Tree, err error) {
	if whole, err = playbooks.RenderRoute(r); err != nil || r.Single() {
		return []*playbooks.Tree{whole}, whole, err
	}
	for _, p := range r.Hops {
		t, err := playbooks.Render(p)
		if err != nil {
			return nil, nil, err
		}
		each = append(each, t)
	}
	return each, whole, nil
}
