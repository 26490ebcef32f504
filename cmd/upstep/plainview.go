package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/playbooks"
)

// plainView tells of a run in lines: one for each unit that begins or ends, one for each
// failure.
type plainView struct {
	out       *outbox
	zone      *time.Location
	width     int // of units' names
	preflight bool
}

func newPlainView(w io.Writer, zone *time.Location) *plainView {
	return &plainView{out: newOutbox(w, 8<<20, func(n int) []byte { return fmt.Appendf(nil, "[%d lines left out: nobody read them]\n", n) }), zone: zone}
}

// line says one thing: when, what, of which unit, and more.
func (v *plainView) line(at time.Time, verb, unit, more string, must bool) {
	text := fmt.Sprintf("%s  %-11s  %-*s  %s", at.In(v.zone).Format("15:04:05"), verb, v.width, unit, more)
	v.out.put([]byte(strings.TrimRight(text, " ")+"\n"), must)
}

func (v *plainView) report(l *ledger, e event.Event) {
	if v.width == 0 {
		v.width = len(playbooks.Preflight)
		for _, s := range l.plays {
			v.width = min(44, max(v.width, len(s.ID)))
		}
	}
	switch {
	case e.Stage == playbooks.Preflight && !v.preflight:
		v.preflight = true
		v.line(e.Time, "begins", playbooks.Preflight, "", false)
	case l.check.over && v.preflight:
		v.preflight = false
		for _, said := range l.check.versions() {
			v.line(l.check.ended, "installed", playbooks.Preflight, said, true)
		}
		state := "ended"
		if e.Kind == event.RunEnd && e.State == "preflight_failed" {
			state = "failed"
		}
		v.line(l.check.ended, state, playbooks.Preflight, plural(len(l.check.hosts), "host")+", "+duration(l.check.ended.Sub(l.check.began).Seconds()), true)
	}
	s := l.of[e.Unit]
	switch e.Kind { //nolint:exhaustive // tasks that go well are not told one by one
	case event.RunStart:
		n, of := l.ended()
		more := l.plan.Summary()
		if n > 0 {
			more = fmt.Sprintf("goes on, %d of %s have ended; %s", n, plural(of, "unit"), more)
		}
		v.line(e.Time, "run", e.Run, more, true)
	case event.StageStart, event.StageEnd:
		v.line(e.Time, map[event.Kind]string{event.StageStart: "begins", event.StageEnd: "ended"}[e.Kind], "stage "+e.Stage, e.State, false)
	case event.UnitStart:
		more := plural(len(e.Hosts), "host") + ": " + shortened(e.Hosts, 4)
		if s != nil && s.Batches {
			more = fmt.Sprintf("batch of %s", more)
		}
		v.line(e.Time, "begins", e.Unit, more, false)
	case event.UnitEnd:
		v.line(e.Time, e.State, e.Unit, l.counts(s, e), true)
	case event.Note, event.Wait:
		v.line(e.Time, string(e.Kind), e.Unit, clean(e.Message), true)
	case event.Failed, event.Unreachable:
		if l.lost(e) {
			v.line(e.Time, string(e.Kind), unitName(e.Unit), toldOf(e), true)
		}
	case event.Retry:
		v.line(e.Time, "retry", e.Unit, fmt.Sprintf("%s: try %d of %d of %s", e.Host, e.Try, e.Tries, taskName(e.Task)), false)
	}
}

// counts says what became of the hosts of a unit.
func (l *ledger) counts(s *sheet, e event.Event) string {
	more := plural(len(e.Hosts), "host")
	if s != nil {
		failed := 0
		for _, h := range e.Hosts {
			if s.lost[h] {
				failed++
			}
		}
		if failed > 0 {
			more += fmt.Sprintf(", %d failed", failed)
		}
		more += fmt.Sprintf(", %d changed", len(s.changed))
	}
	return more + ", " + duration(e.Seconds)
}

// toldOf words a failure in a line.
func toldOf(e event.Event) string {
	more := e.Host + ": " + taskText(e.Task)
	if m := firstLine(clean(e.Message)); m != "" {
		more += ": " + m
	}
	return more
}

func (v *plainView) end(o outcome) {
	var b bytes.Buffer
	o.summary(&b)
	v.out.put(b.Bytes(), true)
	v.out.close()
}
