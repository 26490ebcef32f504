package planner_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// planText writes what matters of a plan on few lines: stages, waves, steps, units with
// their tasks and what they come after; then what became of every service.
func planText(p *planner.Plan) string {
	b := &strings.Builder{}
	line := func(depth int, format string, args ...any) {
		b.WriteString(strings.Repeat("  ", depth) + strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	unit := func(depth int, u planner.Unit) {
		line(depth, "%s: %s%s", u.ID, segments(u), marks(u))
		for _, l := range u.LeftOut {
			line(depth+1, "without %s %s (%s): as %s %s", l.Service, l.Task, place(l.Place), l.SameAs, l.SameTask)
		}
		afters(line, depth+2, u.After)
	}
	if p.Ordering != "barrier" {
		line(0, "ordering %s", p.Ordering)
	}
	for _, u := range p.Preflight {
		unit(0, u)
	}
	write := func(prefix string, stages []planner.Stage) {
		for _, s := range stages {
			if len(s.Waves) > 0 {
				line(0, "%s %s%s", prefix, s.Name, map[bool]string{true: ", when approved"}[s.Approve])
			}
			for _, w := range s.Waves {
				line(1, "wave %d", w.Number)
				for _, st := range w.Steps {
					line(2, "step %d %s", st.Number, st.Name)
					for _, u := range st.Units {
						unit(3, u)
					}
				}
				if len(w.Health) > 0 {
					line(2, "health")
				}
				for _, u := range w.Health {
					unit(3, u)
				}
				for _, t := range w.Tracks {
					line(2, "track %s", t.Role)
					afters(line, 5, t.After)
					for _, u := range t.Parts {
						unit(3, u)
					}
				}
			}
		}
	}
	write("stage", p.Stages)
	write("rollback of", p.Rollback)
	rolesText(line, p)
	servicesText(line, p)
	for _, n := range p.Ignored {
		line(0, "ignored: %s %s (%s)", n.Subject, n.Text, place(n.Place))
	}
	for _, n := range p.Notes {
		line(0, "note: %s: %s (%s)", n.Subject, n.Text, place(n.Place))
	}
	return b.String()
}

type printer func(depth int, format string, args ...any)

// segments writes "keystone 1 2, nova 3"; of other lists than the usual one their names.
func segments(u planner.Unit) string {
	var out []string
	for _, s := range u.Segments {
		text := s.Service
		if s.Links != "" {
			text += " " + s.Links
		}
		for _, id := range s.Tasks {
			list, task, _ := strings.Cut(id, ".")
			list = strings.TrimSuffix(list, "_tasks")
			if u.Kind == planner.KindStep && list == "rollback" || list == "upgrade" || list == string(u.Kind) || list == "post_upgrade" || list == s.Links || list == "unlink" || list == "establish" {
				text += " " + task
			} else {
				text += " " + list + "." + task
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func marks(u planner.Unit) string {
	out := ""
	if u.Once {
		out += " (once)"
	}
	if u.Throttle {
		out += " (throttle)"
	}
	return out
}

func afters(line printer, depth int, list []planner.After) {
	for _, a := range list {
		at := ""
		if a.File != "" {
			at = " (" + place(a.Place) + ")"
		}
		line(depth, "after %s: %s%s", a.Unit, a.Reason, at)
	}
}

func place(p planner.Place) string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func rolesText(line printer, p *planner.Plan) {
	for _, r := range p.Roles {
		if len(r.Members) > 0 {
			line(0, "role %s: %s", r.Name, strings.Join(r.Members, " "))
		}
		if r.Rolling != nil && len(r.Rolling.Batches) > 0 {
			line(1, "batches %v", r.Rolling.Batches)
		}
	}
}

func servicesText(line printer, p *planner.Plan) {
	for _, s := range p.Services {
		line(0, "service %s", s.Name)
		for _, pl := range s.Placements {
			text := fmt.Sprintf("on %s (%s): %s", pl.Role, place(pl.Place), pl.Stage)
			if pl.StageFrom.File != "" {
				text += " (" + place(pl.StageFrom) + ")"
			}
			if pl.Wave > 0 {
				text += fmt.Sprintf(", wave %d", pl.Wave)
			}
			line(1, "%s", text)
			afters(line, 2, pl.WaveAfter)
		}
		for _, d := range s.DependsOn {
			text := fmt.Sprintf("depends on %s: %s", d.Service, d.Kind)
			if d.Scope != "" {
				text += ", scope " + d.Scope
			}
			line(1, "%s (%s)", text, place(d.Place))
		}
		for _, d := range s.Disk {
			line(1, "needs %s in %s: %d", d.Size, d.Path, d.Bytes)
		}
		for _, d := range s.Delegates {
			line(1, "%s (line %d) runs on %s%s", d.Task, d.Line, d.To, map[bool]string{true: ", not asked: " + d.NotAsked}[d.NotAsked != ""])
			for _, w := range d.When {
				line(3, "when %s", w)
			}
			for text := range strings.Lines(d.Vars + d.Loop) {
				line(3, "| %s", strings.TrimRight(text, "\n"))
			}
		}
		for _, list := range [][]planner.Task{s.Handlers, slices.DeleteFunc(slices.Clone(s.Tasks), func(t planner.Task) bool { return !strings.Contains(t.Text, "notify") })} {
			for _, t := range list {
				for text := range strings.Lines(t.Text) {
					line(1, "| %s", strings.TrimRight(text, "\n"))
				}
			}
		}
	}
}
