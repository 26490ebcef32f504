package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/upstep/upstep/planner"
)

func (a *app) stageTable(p *planner.Plan, number int, s planner.Stage) {
	a.printf("\nstage %d: %s", number, s.Name)
	if s.Approve {
		a.printf(", begins when approved")
	}
	a.printf("\n")
	t := newTable()
	for _, w := range s.Waves {
		label := fmt.Sprintf("wave %d", w.Number)
		row := func(what, who string) {
			if len(s.Waves) > 1 {
				t.AppendRow(table.Row{label, what, who})
			} else {
				t.AppendRow(table.Row{what, who})
			}
			label = ""
		}
		for _, st := range w.Steps {
			what := fmt.Sprintf("step %d", st.Number)
			if st.Name != "" {
				what += " " + st.Name
			}
			row(what, a.stepLine(p, st))
		}
		if len(w.Health) > 0 {
			row("health", strings.Join(rolesOf(w.Health), " | "))
		}
		for _, tr := range w.Tracks {
			switch {
			case !p.Replaced(tr):
				row("rolling", trackLine(p, tr))
			case s.Name == planner.Retire:
				row("retired", retireLine(p, tr))
			default:
				for i, line := range replaceLines(p, tr) {
					row(map[bool]string{true: "replaced"}[i == 0], line)
				}
			}
		}
	}
	a.printTable(t)
}

// stepLine shows the units of a step: | for side by side, > for one after the other.
func (a *app) stepLine(p *planner.Plan, st planner.Step) string {
	var b strings.Builder
	for i, u := range st.Units {
		if i > 0 {
			sep := " | "
			if len(u.After) > 0 {
				sep = " > "
			}
			b.WriteString(sep)
		}
		b.WriteString(u.ID[strings.LastIndexByte(u.ID, '/')+1:])
		switch {
		case u.Backup:
			b.WriteString(" (backup)")
		case u.Once:
			b.WriteString(" (once)")
		case p.HostsKnown && i == slices.IndexFunc(st.Units, func(o planner.Unit) bool { return o.Role == u.Role }):
			b.WriteString(" " + plural(len(p.HostsOf(u)), "host"))
		}
	}
	return b.String()
}

// migrationsTable shows what changes a schema, which nobody wants to overlook.
func (a *app) migrationsTable(p *planner.Plan) {
	list := p.Migrations()
	if len(list) == 0 {
		return
	}
	a.printf("\nmigrations\n")
	t := newTable()
	for _, m := range list {
		how := "no backup_tasks"
		if m.Backup != "" {
			how = "backup in " + m.Backup
		}
		t.AppendRow(table.Row{m.Unit, m.Service + ": " + m.Name, how, at(m.Place)})
	}
	a.printTable(t)
}

func trackLine(p *planner.Plan, tr planner.Track) string {
	role := p.RoleByName(tr.Role)
	ro := role.Rolling
	var steps []string
	var around []string
	for _, u := range tr.Parts {
		if u.Kind == planner.KindStep {
			if s := fmt.Sprint(u.Step); !slices.Contains(steps, s) {
				steps = append(steps, s)
			}
		} else {
			around = append(around, string(u.Kind))
		}
	}
	text := tr.Role
	if p.HostsKnown {
		text += " " + plural(len(p.TrackHosts(tr)), "host")
	}
	if len(ro.Batches) > 0 && p.Undo == "" {
		var sizes []string
		for _, b := range ro.Batches {
			sizes = append(sizes, fmt.Sprint(len(b)))
		}
		text += ", batches of " + shortened(sizes, 8)
	} else {
		text += ", batches of " + strings.Join(ro.Batch, ", ")
	}
	var what []string
	switch {
	case len(steps) == 1:
		what = append(what, "step "+steps[0])
	case len(steps) > 1:
		what = append(what, "steps "+strings.Join(steps, ", "))
	}
	if len(around) > 0 {
		what = append(what, strings.Join(around, ", "))
	}
	text += ": " + strings.Join(what, "; ")
	if ro.Percentage < 100 {
		text += fmt.Sprintf("; %d%% of the hosts per run", ro.Percentage)
	}
	if ro.Pause > 0 {
		text += "; pause " + time.Duration(ro.Pause).String()
	}
	return text
}
