package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

// row is a role's line on the screen.
type row struct {
	name, count, failed, doing string
	rank                       int // what is shown first where room is scarce
}

const (
	hasFailed = iota
	atWork
	waits
	isDone
)

// frame draws where the run is within a width and a height: how far and how long, the
// stage, the roles, what is out of traffic. What does not fit is counted.
func (l *ledger) frame(width, height int, now time.Time, run string, color bool) []string {
	n, of := l.ended()
	head := clock(now.Sub(l.began))
	if left, known := l.left(now); known && n < of {
		head += ", about " + roughly(left) + " left"
	}
	head += fmt.Sprintf("   %d/%d units   run %s", n, of, run)
	if l.plan.Name != "" {
		head += "   " + l.plan.Name
	}
	lines := []string{fit(head, width), fit(l.where(), width)}
	var foot []string
	if out := l.outOfTraffic(); len(out) > 0 {
		foot = append(foot, fit(fmt.Sprintf("out of traffic (%d): %s", len(out), strings.Join(out, ", ")), width))
	}
	if l.halt != "" {
		foot = append(foot, fit(clean(l.halt), width))
	}
	if height <= len(lines)+len(foot) {
		lines = append(lines[:1], foot...)
		return lines[:min(len(lines), height)]
	}
	lines = append(lines, l.rows(width, height-len(lines)-len(foot), now, color)...)
	lines = append(lines, foot...)
	if color {
		lines[0] = bold + lines[0] + "\x1b[0m"
	}
	return lines
}

// where says which stage, wave and step the run is in.
func (l *ledger) where() string {
	if l.waits != "" {
		return clean(l.waits)
	}
	if !l.check.began.IsZero() && !l.check.over {
		return fmt.Sprintf("preflight: %s looked at so far", plural(len(l.check.hosts), "host"))
	}
	if l.stage == "" {
		return "getting ready"
	}
	var stages []string
	for _, s := range l.plays {
		if !slices.Contains(stages, s.Stage) {
			stages = append(stages, s.Stage)
		}
	}
	for _, st := range l.plan.Stages {
		if st.Name != l.stage {
			continue
		}
		text := fmt.Sprintf("stage %d/%d %s", slices.Index(stages, st.Name)+1, len(stages), st.Name)
		var steps []string
		wave := 0
		for _, s := range l.plays {
			if s.state != journal.Started || s.Stage != l.stage {
				continue
			}
			wave = s.Wave
			if name := l.step(s, false); name != "" && !slices.Contains(steps, name) {
				steps = append(steps, name)
			}
		}
		if wave > 0 && len(st.Waves) > 1 {
			text += fmt.Sprintf(", wave %d", wave)
		}
		if len(steps) > 0 {
			text += ", " + strings.Join(steps, " + ")
		}
		return text
	}
	return l.stage
}

// step names what part of its work a play is at.
func (l *ledger) step(s *sheet, short bool) string {
	for _, u := range s.Units {
		if u.ID != s.unit && (s.unit != "" || u.ID != s.ID) {
			continue
		}
		if u.Kind != planner.KindStep {
			return u.Kind.Words()
		}
		name := ""
		for _, n := range l.plan.Steps {
			if n.Number == u.Step && !short {
				name = " " + n.Name
			}
		}
		return fmt.Sprintf("step %d%s", u.Step, name)
	}
	return ""
}

// rows draws the roles in at most so many lines.
func (l *ledger) rows(width, most int, now time.Time, color bool) []string {
	all := l.roles(now)
	shown := all
	rest := ""
	if len(all) > most {
		order := make([]int, len(all))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return all[a].rank - all[b].rank })
		kept := order[:max(0, most-1)]
		var left [isDone + 1]int
		for _, i := range order[len(kept):] {
			left[all[i].rank]++
		}
		slices.Sort(kept)
		shown = nil
		for _, i := range kept {
			shown = append(shown, all[i])
		}
		var parts []string
		for rank, word := range []string{"failed", "at work", "waiting", "done"} {
			if left[rank] > 0 {
				parts = append(parts, strconv.Itoa(left[rank])+" "+word)
			}
		}
		rest = fmt.Sprintf("%s: %s", plural(len(all)-len(kept), "more role"), strings.Join(parts, ", "))
	}
	names, counts := 0, 0
	for _, r := range shown {
		names, counts = max(names, runewidth.StringWidth(r.name)), max(counts, len(r.count))
	}
	names = min(names, max(8, width/4))
	var out []string
	for _, r := range shown {
		line := runewidth.FillRight(fit(r.name, names), names) + "  " + fmt.Sprintf("%*s", counts, r.count) + "  "
		rest := fit(r.failed+r.doing, width-runewidth.StringWidth(line))
		if color && r.failed != "" && strings.HasPrefix(rest, r.failed) {
			rest = red + r.failed + "\x1b[0m" + rest[len(r.failed):]
		}
		if color && (r.rank == isDone || r.rank == waits) {
			line, rest = dim+line, rest+"\x1b[0m"
		}
		out = append(out, strings.TrimRight(fit2(line, rest, width), " "))
	}
	if rest != "" {
		out = append(out, fit(rest, width))
	}
	return out
}

// fit2 joins two parts of a line; where not even the first has room it is cut.
func fit2(first, rest string, width int) string {
	if rest == "" {
		return fit(first, width)
	}
	return first + rest
}

// roles tells of every role what it is at.
func (l *ledger) roles(now time.Time) []row {
	var out []row
	for _, s := range l.plays {
		if s.Role == "" && s.state == journal.Started {
			out = append(out, l.row(s.ID, []*sheet{s}, now))
		}
	}
	of := map[string][]*sheet{}
	for _, s := range l.plays {
		of[s.Role] = append(of[s.Role], s)
	}
	for _, r := range l.plan.Roles {
		if len(of[r.Name]) > 0 {
			out = append(out, l.row(r.Name, of[r.Name], now))
		}
	}
	return out
}

func (l *ledger) row(name string, plays []*sheet, now time.Time) row {
	r := row{name: clean(name)}
	over := 0
	failed := map[string]bool{}
	var s *sheet
	for _, p := range plays {
		if p.over() {
			over++
		}
		for h := range p.lost {
			failed[h] = true
		}
		if p.state == journal.Started {
			s = p
		}
	}
	if len(failed) > 0 {
		r.failed = fmt.Sprintf("%d failed  ", len(failed))
	}
	switch {
	case s != nil:
		r.count = fmt.Sprintf("%d/%d", len(s.done), max(len(s.members), len(s.hosts)))
		r.rank = atWork
		if len(failed) > 0 {
			r.rank = hasFailed
		}
		r.doing = l.step(s, true)
		if s.task != nil {
			r.doing += ": " + clean(s.task.Name)
			if len(s.hosts) > 1 {
				r.doing += fmt.Sprintf(" %d/%d", len(s.through), len(s.hosts))
			}
		}
		if s.Batches {
			r.doing += "  on " + shortened(s.hosts, 2)
		}
		r.doing = clock(now.Sub(s.began)) + "  " + strings.TrimPrefix(r.doing, "  ")
	case len(failed) > 0:
		r.rank, r.count = hasFailed, fmt.Sprintf("%d/%d", len(plays[0].members)-len(failed), len(plays[0].members))
	case over == len(plays):
		r.rank, r.count, r.doing = isDone, fmt.Sprintf("%d/%d", len(plays[0].members), len(plays[0].members)), "done"
	default:
		r.rank, r.count, r.doing = waits, fmt.Sprintf("%d/%d", 0, len(plays[0].members)), "waits"
		if over > 0 {
			r.count, r.doing = "", fmt.Sprintf("waits, %d of %s ended", over, plural(len(plays), "unit"))
		}
		for _, p := range plays {
			if p.Batches && !p.over() && len(p.done) > 0 {
				r.count = fmt.Sprintf("%d/%d", len(p.done), len(p.members))
			}
		}
	}
	return r
}

// clock writes how long something took so far: 0:07, 12:30, 1:02:03.
func clock(d time.Duration) string {
	s := max(0, int(d.Seconds()))
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// roughly writes an estimate, no more precise than it is.
func roughly(d time.Duration) string {
	switch {
	case d < 55*time.Second:
		return fmt.Sprintf("%ds", max(5, int(d.Seconds()+4)/5*5))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int((d+30*time.Second)/time.Minute))
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
