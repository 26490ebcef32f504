package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upstep/upstep/planner"
)

// drawing is a plan as boxes within boxes and arrows between them.
type drawing struct {
	name   string
	boxes  []box
	arrows []arrow
}

// box is a stage, a wave, a step or a track; the innermost hold units.
type box struct {
	title string
	inner []box
	units []node
}

type node struct{ id, label string }

// arrow leads from what ends first; a thick one is a barrier.
type arrow struct {
	from, to, label string
	barrier         bool
}

func drawingOf(p *planner.Plan) drawing {
	d := drawing{name: p.Name}
	ids := map[string]string{}
	var last []string // units that the next barrier waits for
	nodeOf := func(u planner.Unit, first, chained, sameRole bool) node {
		id := fmt.Sprintf("u%d", len(ids)+1)
		ids[u.ID] = id
		for _, a := range u.After {
			if from, ok := ids[a.Unit]; ok {
				d.arrows = append(d.arrows, arrow{from: from, to: id, label: a.Reason})
			}
		}
		if first && len(last) > 0 {
			d.arrows = append(d.arrows, arrow{from: last[len(last)-1], to: id, barrier: true})
		}
		return node{id, label(u, chained, sameRole)}
	}
	level := func(title string, units []planner.Unit, chain bool) box {
		b := box{title: title}
		sameRole := len(rolesOf(units)) == 1
		for i, u := range units {
			n := nodeOf(u, i == 0, chain, sameRole)
			if chain && i > 0 {
				d.arrows = append(d.arrows, arrow{from: b.units[i-1].id, to: n.id})
			}
			b.units = append(b.units, n)
		}
		last = append(last, b.units[len(b.units)-1].id)
		return b
	}
	for _, s := range p.Stages {
		stage := box{title: "stage " + s.Name}
		for _, w := range s.Waves {
			wave := box{title: fmt.Sprintf("wave %d", w.Number)}
			for _, st := range w.Steps {
				title := fmt.Sprintf("step %d", st.Number)
				if st.Name != "" {
					title += " " + st.Name
				}
				wave.inner = append(wave.inner, level(title, st.Units, false))
			}
			if len(w.Health) > 0 {
				wave.inner = append(wave.inner, level("health", w.Health, false))
			}
			for _, t := range w.Tracks {
				title := "batches of " + t.Role
				switch {
				case s.Name == planner.Retire:
					title = "retirement of " + t.Role
				case p.Replaced(t):
					title = "replacement of " + t.Role
				}
				wave.inner = append(wave.inner, level(title, t.Parts, true))
			}
			stage.inner = append(stage.inner, wave)
		}
		if len(stage.inner) > 0 {
			d.boxes = append(d.boxes, stage)
		}
	}
	return d
}

// label names a unit by its role, or within a track by its part.
func label(u planner.Unit, part, sameRole bool) string {
	var services []string
	for _, s := range u.Segments {
		services = append(services, s.Service)
	}
	name := u.ID[strings.LastIndexByte(u.ID, '/')+1:]
	if part {
		name = string(u.Kind)
		switch {
		case u.Kind == planner.KindStep:
			name += fmt.Sprintf(" %d", u.Step)
		case !sameRole:
			name = u.Kind.Words() + " " + u.Role
		}
	}
	return name + "\n" + shortened(services, 4)
}

func (d drawing) dot() string {
	var b strings.Builder
	b.WriteString("digraph plan {\n  rankdir=LR;\n  compound=true;\n  node [shape=box, fontname=\"sans-serif\"];\n  fontname=\"sans-serif\";\n")
	if d.name != "" {
		fmt.Fprintf(&b, "  label=%s;\n", strconv.Quote(d.name))
	}
	n := 0
	var write func(box, string)
	write = func(x box, pad string) {
		n++
		fmt.Fprintf(&b, "%ssubgraph cluster_%d {\n%s  label=%s;\n", pad, n, pad, strconv.Quote(x.title))
		for _, u := range x.units {
			fmt.Fprintf(&b, "%s  %s [label=%s];\n", pad, u.id, strconv.Quote(u.label))
		}
		for _, in := range x.inner {
			write(in, pad+"  ")
		}
		b.WriteString(pad + "}\n")
	}
	for _, x := range d.boxes {
		write(x, "  ")
	}
	for _, a := range d.arrows {
		switch {
		case a.barrier:
			fmt.Fprintf(&b, "  %s -> %s [style=bold, color=gray];\n", a.from, a.to)
		case a.label != "":
			fmt.Fprintf(&b, "  %s -> %s [tooltip=%s];\n", a.from, a.to, strconv.Quote(a.label))
		default:
			fmt.Fprintf(&b, "  %s -> %s;\n", a.from, a.to)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func (d drawing) mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`"`, "#quot;", "\n", "<br/>").Replace(s) + `"`
	}
	n := 0
	var write func(box, string)
	write = func(x box, pad string) {
		n++
		fmt.Fprintf(&b, "%ssubgraph g%d[%s]\n", pad, n, quote(x.title))
		for _, u := range x.units {
			fmt.Fprintf(&b, "%s  %s[%s]\n", pad, u.id, quote(u.label))
		}
		for _, in := range x.inner {
			write(in, pad+"  ")
		}
		b.WriteString(pad + "end\n")
	}
	for _, x := range d.boxes {
		write(x, "  ")
	}
	for _, a := range d.arrows {
		if a.barrier {
			fmt.Fprintf(&b, "  %s ==> %s\n", a.from, a.to)
		} else {
			fmt.Fprintf(&b, "  %s --> %s\n", a.from, a.to)
		}
	}
	return b.String()
}
