package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/upstep/upstep/planner"
)

// planTable prints what an operator wants to know before a night's work.
func (a *app) planTable(p *planner.Plan, window string) {
	name := p.Name
	if name == "" {
		name = "upgrade"
	}
	if p.Undo != "" {
		name = "rollback of run " + p.Undo
	}
	a.printf("%s: %s\n", name, p.Summary())
	a.hopNotes(p)
	for _, in := range p.Inputs {
		a.printf("  %s = %s\n", in.Name, in.Value)
	}
	for i, w := range p.Windows {
		if i == 0 {
			a.printf("\n")
		}
		a.printf("window: %s\n", w)
	}
	if window != "" {
		a.printf("  %s\n", window)
	}
	if asked := preflightParts(p); len(asked) > 0 {
		a.printf("\npreflight: %s\n", strings.Join(asked, "; "))
	}
	for _, d := range p.Before {
		a.printf("\nbefore: %s, on %s\n", d.Name, d.Hosts)
	}
	number := 0
	for _, s := range p.Stages {
		if s.Name == planner.Retire {
			a.afterLines(p)
		}
		if len(s.Waves) > 0 {
			number++
			a.stageTable(p, number, s)
		}
	}
	if !slices.ContainsFunc(p.Stages, func(s planner.Stage) bool { return s.Name == planner.Retire }) {
		a.afterLines(p)
	}
	a.migrationsTable(p)
	a.rolesTable(p)
	a.notes("ignored", p.Ignored)
	a.notes("to know", p.Notes)
	if n := p.LeftOut(); n > 0 {
		a.printf("\n%s: an identical one of the role's step stands for each (identical_tasks: once)%s\n", leftOut(n), toldBy(p))
	}
	if n := stepOnly(p); n > 0 && p.Undo == "" {
		a.printf("\n%s within steps only; `upstep explain SERVICE` tells which\n", ordering(n))
	}
	if p.Undo != "" {
		a.printf("\nnext: upstep rollback %s%s\n", p.Undo, a.sameFlags())
		return
	}
}

func (a *app) afterLines(p *planner.Plan) {
	for _, d := range p.After {
		a.printf("\nafter: %s, on %s\n", d.Name, d.Hosts)
	}
}

// plan shows the plans of a route.
func (a *app) plan(ctx context.Context, r *planner.Route) error {
	if a.output != "table" && r.Hops[0].Hop != nil {
		doc, err := r.Encode()
		if err != nil {
			return err
		}
		return a.document(json.RawMessage(doc))
	}
	return a.result(r.Hops[0], func() {
		a.routeTable(r)
		for _, p := range r.Hops {
			if p.Hop != nil {
				a.printf("\n")
			}
			a.planTable(p, a.windowText(ctx, p))
		}
		a.printf("\nnext: upstep emit%s\n", a.sameFlags())
	})
}

// preflightParts says what preflight asks, and on which roles.
func preflightParts(p *planner.Plan) []string {
	var out, versions, room []string
	if len(p.Preflight) > 0 {
		out = append(out, "checks on "+strings.Join(rolesOf(p.Preflight), ", "))
	}
	for i := range p.Roles {
		r := &p.Roles[i]
		if slices.ContainsFunc(r.Services, func(s string) bool { return p.ServiceByName(s).Probe != "" }) {
			versions = append(versions, r.Name)
		}
		if needed := p.Room(r.Name); len(needed) > 0 {
			room = append(room, r.Name+" ("+roomText(needed)+")")
		}
	}
	if len(versions) > 0 {
		out = append(out, "versions on "+strings.Join(versions, ", "))
	}
	for i := range p.Services {
		for _, r := range p.Services[i].Requires {
			out = append(out, requirementText(&r, p.Services[i].Name))
		}
	}
	if p.AllowDowngrade {
		out = append(out, "downgrades allowed")
	}
	if len(room) > 0 {
		out = append(out, "room on "+strings.Join(room, ", "))
	}
	return out
}

// requirementText says what a service requires of another's version, and for which hop.
func requirementText(r *planner.Requirement, by string) string {
	text := fmt.Sprintf("%s %s for %s", r.Service, r, by)
	if r.Hop != "" {
		text += " from " + r.Hop
	}
	return text
}

func leftOut(n int) string {
	if n == 1 {
		return "1 task is left out"
	}
	return fmt.Sprintf("%d tasks are left out", n)
}

// toldBy names the command that tells more of a plan; there is none for a rollback.
func toldBy(p *planner.Plan) string {
	if p.Undo != "" {
		return ""
	}
	return "; `upstep explain SERVICE` tells which"
}

func ordering(n int) string {
	if n == 1 {
		return "1 dependency orders"
	}
	return fmt.Sprintf("%d dependencies order", n)
}

// stepOnly counts the dependencies that order within steps only.
func stepOnly(p *planner.Plan) int {
	n := 0
	for i := range p.Services {
		for _, d := range p.Services[i].DependsOn {
			if d.Kind == "step" {
				n++
			}
		}
	}
	return n
}

// sameFlags repeats the flags that the next command needs as well.
func (a *app) sameFlags() string {
	var b strings.Builder
	if a.dir != "." {
		b.WriteString(" -C " + shellWord(a.dir))
	}
	for _, f := range []struct{ name, value string }{{"services", a.services}, {"roles", a.roles}} {
		if f.value != "" {
			b.WriteString(" --" + f.name + " " + shellWord(f.value))
		}
	}
	for _, f := range []struct {
		name   string
		values []string
	}{{" -i ", a.inventory}, {" --inputs ", a.inputs}, {" --set ", a.set}} {
		for _, v := range f.values {
			b.WriteString(f.name + shellWord(v))
		}
	}
	for _, f := range []struct{ name, value string }{{"from", a.from}, {"to", a.to}} {
		if f.value != "" {
			b.WriteString(" --" + f.name + " " + shellWord(f.value))
		}
	}
	if a.allowDowngrade {
		b.WriteString(" --allow-downgrade")
	}
	return b.String()
}

// shellWord quotes a word where a shell would read it as anything else.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("%+,-./:=@_", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// pathWord is a path as a shell word that no command takes for an option.
func pathWord(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return shellWord(path)
}

func rolesOf(units []planner.Unit) []string {
	var out []string
	for _, u := range units {
		if !slices.Contains(out, u.Role) {
			out = append(out, u.Role)
		}
	}
	return out
}

func newTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.Options{SeparateColumns: true}
	style.Box = table.BoxStyle{PaddingRight: "   ", MiddleVertical: ""}
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	return t
}

func (a *app) printTable(t table.Writer) {
	for line := range strings.SplitSeq(t.Render(), "\n") {
		a.printf("  %s\n", strings.TrimRight(line, " "))
	}
}

// shortened names hosts, services and the like as far as they are few.
func shortened(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

func (a *app) rolesTable(p *planner.Plan) {
	a.printf("\nroles\n")
	t := newTable()
	for i := range p.Roles {
		r := &p.Roles[i]
		members := p.WorkedOn(r.Name)
		if p.Undo != "" && len(members) == 0 {
			continue
		}
		hosts := r.Hosts
		if p.HostsKnown {
			hosts = plural(len(members), "host")
			if len(members) > 0 {
				hosts += ": " + shortened(members, 4)
			} else if r.Optional {
				hosts += " (optional)"
			}
		}
		t.AppendRow(table.Row{r.Name, hosts, plural(len(r.Services), "service") + ": " + shortened(r.Services, 6)})
	}
	a.printTable(t)
}

func (a *app) notes(title string, list []planner.Note) {
	if len(list) == 0 {
		return
	}
	a.printf("\n%s\n", title)
	t := newTable()
	for _, n := range list {
		t.AppendRow(table.Row{n.Subject, n.Text, at(n.Place)})
	}
	a.printTable(t)
}
