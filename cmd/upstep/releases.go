package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/route"
	"github.com/upstep/upstep/source"
)

func (a *app) releasesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "Show the declared releases, and what can be reached",
		Long: `Show the jumps between versions that upgrade.yaml declares under releases:, what is
blocked and why, and, with --from, which versions can be reached and over which.
With --output json there is a matrix for CI: every hop that may be taken.`,
		Example: "  upstep releases\n  upstep releases --from 3.4.2\n  upstep releases --output json | jq -c .matrix",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.releases(cmd.Context()) },
	}
	cmd.Flags().StringVar(&a.from, "from", "", "`VERSION` that is installed; installed: ask the hosts")
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

func (a *app) releases(ctx context.Context) error {
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
	v := releasesView{From: cmp.Or(a.from, s.From)}
	if v.From == installed {
		if v.From, err = a.installedRelease(ctx, &s, g.Versions()); err != nil {
			return err
		}
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
