package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

// width is what status keeps within: a terminal of 80 columns.
const width = 80

// statusTable tells how far a run is, the hosts that must not be forgotten first.
func (a *app) statusTable(s *runStatus, hosts bool) {
	a.printf("run %s%s: %s\n", s.Run, of(s.Plan), s.State)
	if s.Owner != nil {
		a.paragraph("  ", fmt.Sprintf("%s, pid %d, since %s: %s", by(s.Owner.Who), s.Owner.PID, moment(s.Owner.Since), typedAs(s.Owner.Who)))
	}
	a.printf("  began %s\n", worked(s.Began, s.Seconds))
	if !s.Opens.IsZero() {
		a.printf("  waits for the maintenance window, which opens %s\n", calendar.Moment(s.Opens, time.Now()))
	}
	if s.Owner == nil {
		a.paragraph("  ", ending(s.Last))
	}
	a.paragraph("  ", "units: "+counted(s.Units, unitStates()))
	if len(s.AtWork) > 0 {
		a.paragraph("  ", "may still be at work: "+strings.Join(s.AtWork, ", ")+"; the next run takes it over")
	}
	a.notServing(s.OutOfTraffic, hosts)
	a.replacedStatus(s.Replaced)
	a.deployments("before", s.Before)
	number := 0
	for _, st := range s.Stages {
		if len(st.Waves) > 0 {
			number++
			a.stageStatus(number, st, hosts)
		}
	}
	a.deployments("after", s.After)
	d := detail{failures: 10, more: "; --hosts shows them", hosts: 10, lines: 6}
	if hosts {
		d = detail{failures: len(s.Failures), hosts: math.MaxInt, lines: d.lines}
	}
	tellFailures(a.printf, s.Failures, d)
	a.skipped(s.Skips)
	if len(s.Next) > 0 {
		next := strings.Join(s.Next, "\n  then ")
		a.printf("\nnext: %s\n", next)
		if strings.Contains(next, hidden) {
			a.printf("  where %s stands write the value again: it is kept nowhere\n", hidden)
		}
	}
}

// worked says when a run began and how long commands worked on it; of one that was killed
// nobody knows.
func worked(began time.Time, seconds float64) string {
	text := moment(began)
	if seconds > 0 {
		text += ", " + duration(seconds) + " at work"
	}
	return text
}

func of(plan string) string {
	if plan == "" {
		return ""
	}
	return ", " + plan
}

// ending says how a command ended.
func ending(i journal.Invocation) string {
	text := by(i.Who) + ": " + typedAs(i.Who) + " "
	if i.Ended.IsZero() {
		return text + "was killed, or its host went down"
	}
	text += fmt.Sprintf("ended %s with exit code %d", moment(i.Ended), i.ExitCode)
	if i.Outcome != "" {
		text += ": " + firstLine(i.Outcome)
	}
	return text
}

// unitStates gives the order in which views count units.
func unitStates() []string {
	return []string{
		string(journal.Failed), string(journal.Unknown), string(journal.Stopped), stateRunning, statePartial,
		string(journal.Ended), string(journal.Skipped), stateWaiting, stateEmpty,
	}
}

// counted gives numbers in an order of their own, those that are none left out.
func counted(n map[string]int, order []string) string {
	var parts []string
	for _, what := range order {
		if n[what] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[what], what))
		}
	}
	return strings.Join(parts, ", ")
}

// notServing names the hosts that do not serve, those that stand alike together: they
// must not be forgotten.
func (a *app) notServing(list []hostStatus, all bool) {
	const most = 20
	if len(list) == 0 {
		return
	}
	a.printf("\nout of traffic\n")
	slices.SortStableFunc(list, func(x, y hostStatus) int { return rank(x) - rank(y) })
	for len(list) > 0 {
		role, text := list[0].Role, standText(list[0])
		alike := func(h hostStatus) bool { return h.Role == role && standText(h) == text }
		var names []string
		for _, h := range list {
			if alike(h) {
				names = append(names, h.Host)
			}
		}
		limit := most
		if all {
			limit = len(names)
		}
		a.paragraph("  ", fmt.Sprintf("%s (%s): %s", shortened(names, limit), role, text))
		list = slices.DeleteFunc(slices.Clone(list), alike)
	}
}

// rank puts hosts that nobody works on before those that are on their way.
func rank(h hostStatus) int {
	switch {
	case h.Failed:
		return 0
	case !h.AtWork:
		return 1
	}
	return 2
}

// standText says where a host stands.
func standText(h hostStatus) string {
	text := howFar(h.Stand, h.Unit)
	switch {
	case h.Failed:
		text += ", failed in " + h.Unit
		if h.Why != "" {
			text += ": " + firstLine(h.Why)
		}
	case h.AtWork:
		text += ", at work"
	case h.OutOfTraffic:
		text += ", left there"
	}
	return text
}

func (a *app) deployments(when string, list []unitStatus) {
	if len(list) == 0 {
		return
	}
	a.printf("\n%s: %s\n", when, together(list))
	if together(list) == stateWaiting || together(list) == string(journal.Ended) {
		return
	}
	for _, u := range list {
		a.printf("  %s   %s\n", u.Unit, u.State)
	}
}

// stageStatus shows a stage, a line for each state of a step's units.
func (a *app) stageStatus(number int, st stageStatus, hosts bool) {
	a.printf("\nstage %d: %s, %s\n", number, st.Name, st.State)
	var rows []statusRow
	for _, w := range st.Waves {
		wave := ""
		if len(st.Waves) > 1 {
			wave = fmt.Sprintf("wave %d ", w.Number)
		}
		for _, step := range w.Steps {
			label := fmt.Sprintf("%sstep %d", wave, step.Number)
			if step.Name != "" {
				label += " " + step.Name
			}
			rows = append(rows, unitRows(label, step.Units)...)
		}
		rows = append(rows, unitRows(wave+"health", w.Health)...)
		for _, t := range w.Tracks {
			switch {
			case len(t.Hosts) > 0:
				rows = append(rows, trackRows(wave+"rolling", t, hosts)...)
			case st.Name == planner.Retire:
				rows = append(rows, phaseRows(wave+"retired", t)...)
			default:
				rows = append(rows, phaseRows(wave+"replaced", t)...)
			}
		}
	}
	a.rows(rows)
}

// statusRow is a line of a stage.
type statusRow struct{ label, state, text string }

// unitRows gives a line for each state of a step's units.
func unitRows(label string, units []unitStatus) []statusRow {
	of := map[string][]string{}
	for _, u := range units {
		text := u.Unit[strings.LastIndexByte(u.Unit, '/')+1:]
		if !u.over() && u.State != stateWaiting {
			text += fmt.Sprintf(" %d of %s", u.Passed, plural(u.Hosts, "host"))
		}
		if u.Failed > 0 {
			what := string(journal.Failed)
			if u.State == string(journal.Unknown) { // no host failed for certain
				what = u.State
			}
			text += fmt.Sprintf(" (%d %s)", u.Failed, what)
		}
		of[u.State] = append(of[u.State], text)
	}
	var rows []statusRow
	for _, state := range unitStates() {
		if len(of[state]) > 0 {
			rows = append(rows, statusRow{label, state, strings.Join(of[state], ", ")})
			label = ""
		}
	}
	return rows
}

// trackRows counts where the hosts of a rolling role stand.
func trackRows(label string, t trackStatus, hosts bool) []statusRow {
	n := map[string]int{}
	failed := 0
	for _, h := range t.Hosts {
		n[string(h.Stand)]++
		if h.Failed {
			failed++
		}
	}
	var order []string
	for _, s := range []journal.Stand{journal.Untouched, journal.Drained, journal.Upgraded, journal.Healthy, journal.InTraffic} {
		order = append(order, string(s))
	}
	text := t.Role + " " + plural(len(t.Hosts), "host") + ": " + counted(n, order)
	if failed > 0 {
		text += fmt.Sprintf(" (%d failed)", failed)
	}
	rows := []statusRow{{label, t.State, text}}
	if hosts {
		for _, h := range t.Hosts {
			rows = append(rows, statusRow{text: h.Host + ": " + standText(h)})
		}
	}
	return rows
}

// rows prints lines in three columns, the last of them broken where it is too long.
func (a *app) rows(rows []statusRow) {
	const longest = 30 // a step may be named at any length
	label, state := 0, 0
	for i, r := range rows {
		if len(r.label) > longest {
			rows[i].label = strings.ToValidUTF8(r.label[:longest-3], "") + "..."
		}
		label, state = max(label, len(rows[i].label)), max(state, len(r.state))
	}
	for _, r := range rows {
		a.paragraph(fmt.Sprintf("  %-*s   %-*s   ", label, r.label, state, r.state), r.text)
	}
}

// paragraph prints a text behind its first line's head.
func (a *app) paragraph(head, text string) { a.printf("%s", paragraph(head, text)) }

// paragraph gives a text behind its first line's head, broken between words where lines
// get too long.
func paragraph(head, text string) string {
	margin := strings.Repeat(" ", min(len(head), width/2))
	if head == "  " {
		margin = "    "
	}
	var out strings.Builder
	line, empty := head, true
	for word := range strings.FieldsSeq(text) {
		if !empty && len(line)+1+len(word) > width {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = margin, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	out.WriteString(strings.TrimRight(line, " ") + "\n")
	return out.String()
}

// skipped tells what was taken as done by hand.
func (a *app) skipped(list []journal.Skip) {
	if len(list) > 0 {
		a.printf("\nskipped by hand\n")
	}
	for _, k := range list {
		a.paragraph("  ", fmt.Sprintf("%s%s: %s (%s, %s)", k.Unit, on(k.Host), k.Reason, by(k.Who), moment(k.At)))
	}
}
