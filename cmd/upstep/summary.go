package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

// summary tells how it ended: what failed, where and why, what is left out of traffic,
// what was done, and the command that goes on.
func (o *outcome) summary(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	next := func(why, first string) {
		say("\nnext:%s\n  %s%s\n", why, first, o.next())
		if o.hides() {
			say("  where %s stands write the value again: it is kept nowhere\n", hidden)
		}
	}
	switch {
	case o.nothing != nil:
		say("%v\n", o.nothing)
		next(" to run it again", "")
		return
	case !o.over:
		return // the error says it all
	}
	tellFailures(say, o.result.Failures, detail{failures: mostFailures, hosts: 10, lines: 20, root: o.root})
	o.sayChanges(say)
	for i, a := range o.alone() {
		if i == 0 {
			say("\nleft alone, for the version is there:\n")
		}
		say("  %s (%s: %s)\n", clean(a.Why), plural(len(a.Hosts), "host"), shortened(a.Hosts, 10))
	}
	if len(o.standing) > 0 {
		say("\nout of traffic: %s\n", plural(len(o.standing), "host"))
		for _, s := range o.standing {
			say("  %s (%s): %s", s.Host, s.Role, howFar(s.Stand, s.Unit))
			if s.Why != "" {
				say(", %s", fit(clean(firstLine(s.Why)), 100))
			}
			say("\n")
		}
	}
	for i, r := range o.replaced() {
		if i == 0 {
			say("\nreplaced:\n")
		}
		say("%s", paragraph("  ", r.text(time.Now())))
	}
	res := o.result
	ended, took := len(res.Ended), duration(o.seconds())
	switch {
	case res.State == runner.Done && ended == 0:
		say("\nnothing to do: every unit of run %s has ended\n", o.run)
		return
	case res.State == runner.Done:
		say("\ndone: %s in %s\n", plural(res.Units, "unit"), took)
		if o.code != exitDone {
			next(" make the tasks above change nothing the second time, then", "")
		}
		return
	}
	say("\ndone:     %s in %s", plural(res.Units, "unit"), took)
	if ended > 0 {
		say(", the last is %s", res.Ended[ended-1])
	}
	say("\nnot done: %s", plural(res.Left, "unit"))
	if len(res.Open) > 0 {
		say(", the first is %s", res.Open[0])
		if p := o.ledger.of[res.Open[0]]; p != nil && len(p.done) > 0 && len(p.done) < len(p.members) {
			say(" (%d of %s done)", len(p.done), plural(len(p.members), "host"))
		}
	}
	say("\n")
	if res.Reason != "" {
		say("stopped:  %s\n", clean(res.Reason))
	}
	switch res.State {
	case runner.PreflightFailed:
		next(" nothing was changed; mend what preflight names, then", "")
	case runner.Failing:
		then := "this goes on from there"
		if o.flags.check {
			then = "check again"
		}
		next(" mend it, then "+then, "")
	default:
		next(keptText(res.Kept, time.Now()), o.first)
	}
}

// howFar words how far a host is. One that failed on its way out of traffic may still
// be in it.
func howFar(stand journal.Stand, failed string) string {
	if stand == journal.Drained && strings.Contains(failed, "/"+string(planner.KindDrain)+"/") {
		return "could not leave traffic, and may still serve"
	}
	return string(stand)
}

// sayChanges names what changed though nothing was to.
func (o *outcome) sayChanges(say func(string, ...any)) {
	changes := o.unchanged()
	if len(changes) == 0 {
		return
	}
	hosts := map[string]bool{}
	type key struct{ unit, task string }
	var order []key
	at := map[key][]string{}
	for _, c := range changes {
		hosts[c.Host] = true
		k := key{c.Unit, ""}
		if c.Task != nil {
			k.task = taskText(c.Task)
		}
		if at[k] == nil {
			order = append(order, k)
		}
		at[k] = append(at[k], c.Host)
	}
	say("\nchanged, though nothing was to: %s\n", plural(len(hosts), "host"))
	for i, k := range order {
		if i == mostFailures {
			say("  and %s more\n", plural(len(order)-i, "task"))
			break
		}
		slices.Sort(at[k])
		say("  %s on %s: %s\n", k.unit, shortened(at[k], 10), k.task)
	}
}

// escapes are the sequences that terminals obey: colours, movements, titles.
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z\\^-~]`)

// clean takes out of a text of other machines what a terminal would obey.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\ufffd' }) {
		return s
	}
	s = escapes.ReplaceAllString(strings.ToValidUTF8(s, "?"), "")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == '\n':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0:
			return '?'
		}
		return r
	}, s)
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return first
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// indented gives the last lines of a text; those behind the first are moved in.
func indented(s string, most, by int) string {
	lines := slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	if len(lines) > most {
		// The first says what it is, the last how it ended.
		lines = append([]string{lines[0], fmt.Sprintf("[%d lines more]", len(lines)-most)}, lines[len(lines)-most+1:]...)
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", by))
}
