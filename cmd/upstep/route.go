package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/route"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// routeFlags says from which release to which.
func (a *app) routeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.from, "from", "", "`VERSION` from which the upgrade leads, over the releases of upgrade.yaml")
	cmd.Flags().StringVar(&a.to, "to", "", "`VERSION` to which the upgrade leads")
}

// hops gives the releases that the upgrade leads over; none where it is not told from
// which version to which.
func (a *app) hops(s *settings.Settings, sink *source.Sink) ([]settings.Release, error) {
	g := route.New(s.Releases, sink)
	from, to := s.From, s.To
	if a.from != "" {
		from = a.from
	}
	if a.to != "" {
		to = a.to
	}
	switch {
	case from == "" && to == "":
		return nil, nil
	case len(s.Releases) == 0 && (a.from != "" || a.to != ""):
		return nil, usageError{errors.New("upgrade.yaml declares no releases"), "declare the jumps that exist under releases:, or leave out --from and --to"}
	case len(s.Releases) == 0:
		return nil, nil
	case a.services != "":
		return nil, usageError{errors.New("--services and a route contradict each other: each release has a folder of its own"), "leave out --services, or --from and --to"}
	case from == "":
		return nil, usageError{fmt.Errorf("from which version to %s?", to), "give --from VERSION"}
	case to == "":
		return nil, usageError{fmt.Errorf("from %s to which version?", from), "give --to VERSION"}
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
	for i, h := range hops {
		w := base
		w.Services = services.Load(os.DirFS(a.path(h.Services)), h.Services, sink)
		w.Hop = &planner.Hop{From: h.From, To: h.To, Number: i + 1, Of: len(hops), Notes: h.Notes}
		note(w.Services)
		out = append(out, w)
	}
	for _, r := range base.Settings.Releases { // the roles name services that only other releases have
		if !slices.ContainsFunc(hops, func(h settings.Release) bool { return h.Services == r.Services }) {
			note(services.Load(os.DirFS(a.path(r.Services)), r.Services, &source.Sink{}))
		}
	}
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
	askForRoom(out)
	return out
}

// askForRoom has each hop ask for the room that later ones need, too: what a host lacks
// for the last hop is told before the first.
func askForRoom(hops []planner.World) {
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

func (a *app) releasesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "Show the declared releases, and what can be reached",
		Long: `Show the jumps between versions that upgrade.yaml declares under releases:, what is
blocked and why, and, with --from, which versions can be reached and over which.
With --output json there is a matrix for CI: every hop that may be taken.`,
		Example: "  upstep releases\n  upstep releases --from 3.4.2\n  upstep releases --output json | jq -c .matrix",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.releases() },
	}
	cmd.Flags().StringVar(&a.from, "from", "", "`VERSION` that is installed")
	a.outputFlag(cmd)
	return cmd
}

// releaseView is a declared jump as it is shown.
type releaseView struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Services string `json:"services"`
	Notes    string `json:"notes,omitempty"`
	Blocked  string `json:"blocked,omitempty"`
}

// releasesView is everything that there is to say of releases.
type releasesView struct {
	Releases []releaseView `json:"releases"`
	From     string        `json:"from,omitempty"`
	Reach    []route.Reach `json:"reach,omitempty"`
	Matrix   struct {
		Include []releaseView `json:"include"`
	} `json:"matrix"`
}

func (a *app) releases() error {
	if err := a.needFolder(); err != nil {
		return err
	}
	sink := &source.Sink{}
	given, err := a.given(sink)
	if err != nil {
		return err
	}
	s := a.readSettings(given, sink)
	g := route.New(s.Releases, sink)
	found := sink.Problems()
	a.show(found)
	if found.Count(source.Error) > 0 {
		return a.refused(found)
	}
	if len(s.Releases) == 0 {
		return usageError{errors.New("upgrade.yaml declares no releases"), "declare the jumps that exist under releases: [{from: VERSION, to: VERSION, services: FOLDER}]"}
	}
	v := releasesView{From: a.from}
	if v.From == "" {
		v.From = s.From
	}
	v.Matrix.Include = []releaseView{}
	for _, r := range s.Releases {
		shown := releaseView{r.From, r.To, r.Services, strings.TrimSpace(r.Notes), r.Blocked}
		v.Releases = append(v.Releases, shown)
		if r.Blocked == "" {
			v.Matrix.Include = append(v.Matrix.Include, shown)
		}
	}
	slices.SortStableFunc(v.Releases, func(x, y releaseView) int {
		if c := route.Compare(x.From, y.From); c != 0 {
			return c
		}
		return route.Compare(x.To, y.To)
	})
	if v.From != "" {
		if !slices.Contains(g.Versions(), v.From) {
			return usageError{fmt.Errorf("no release is declared from %s", v.From), "declared are " + strings.Join(g.Versions(), ", ")}
		}
		v.Reach = g.Reach(v.From)
	}
	return a.result(v, func() { a.releasesTable(v) })
}

func (a *app) releasesTable(v releasesView) {
	t := newTable()
	for _, r := range v.Releases {
		state := strings.Join(strings.Fields(r.Notes), " ")
		if r.Blocked != "" {
			state = "blocked: " + r.Blocked
		}
		t.AppendRow(table.Row{r.From + " -> " + r.To, filepath.ToSlash(r.Services), state})
	}
	a.printf("releases\n")
	a.printTable(t)
	if v.From == "" {
		return
	}
	a.printf("\nfrom %s\n", v.From)
	t = newTable()
	for _, r := range v.Reach {
		if r.Why != "" {
			t.AppendRow(table.Row{r.Version, "not: " + r.Why})
			continue
		}
		t.AppendRow(table.Row{r.Version, "over " + strings.Join(r.Over, " -> ")})
	}
	a.printTable(t)
}

// startOf finds with which hop a route goes on: the one whose run is unfinished, else
// the one that leads from where the last run ended. A route that does not pass there is
// refused: its hops were not tried from there.
func (a *app) startOf(ctx context.Context, r *planner.Route, fresh bool) (start int, err error) {
	if fresh || r.Hops[0].Hop == nil {
		return 0, nil
	}
	j, err := journal.OpenForReading(ctx, a.dir)
	if errors.Is(err, journal.ErrNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	run, err := j.Current(ctx)
	if err != nil {
		return 0, err
	}
	unfinished := run != nil
	if run == nil {
		if run, err = j.Latest(ctx); err != nil || run == nil || run.State != journal.Done {
			return 0, err
		}
	}
	before, err := planOf(ctx, j, run.ID)
	if err != nil {
		return 0, err
	}
	if unfinished {
		at := slices.IndexFunc(r.Hops, func(p *planner.Plan) bool { return p.Hop.Same(before.Hop) })
		if at < 0 && before.Undo == "" {
			return 0, usageError{fmt.Errorf("run %s is unfinished, and is no hop of %s", run.ID, r.Title()), "finish it first, or give --new to leave it as it is"}
		}
		return max(at, 0), nil // a rollback that is on is told where the run is opened
	}
	if before.Hop == nil {
		return 0, nil
	}
	stands := before.Hop.To
	if before.Undo != "" {
		stands = before.Hop.From
	}
	for i, p := range r.Hops {
		switch {
		case p.Hop.From == stands:
			a.tellNewHosts(before, p)
			return i, nil
		case p.Hop.To == stands && i == len(r.Hops)-1:
			return i, nil
		}
	}
	return 0, usageError{fmt.Errorf("the last run, %s, led to %s, and the route %s does not pass there", run.ID, stands, r.Title()), "name a route from " + stands + ", or give --new to take this one all the same"}
}

// tellNewHosts warns of hosts that were not there in the hop before.
func (a *app) tellNewHosts(before, now *planner.Plan) {
	had := map[string]bool{}
	for i := range before.Roles {
		for _, h := range before.Roles[i].Members {
			had[h] = true
		}
	}
	var others []string
	for i := range now.Roles {
		for _, h := range now.Roles[i].Members {
			if !had[h] && !slices.Contains(others, h) {
				others = append(others, h)
			}
		}
	}
	if len(others) > 0 && before.Undo == "" {
		a.errorf("upstep: warning: not in the hop %s, and now in %s: %s\n  hint: take them through the hops before, or leave them out with --exclude\n", before.Hop, now.Hop, shortened(others, 6))
	}
}

// treesOf renders each hop, and the tree that emit would write.
func treesOf(r *planner.Route) (each []*playbooks.Tree, whole *playbooks.Tree, err error) {
	if whole, err = playbooks.RenderRoute(r); err != nil || r.Hops[0].Hop == nil || r.Alone() {
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
