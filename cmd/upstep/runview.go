package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/runner"
)

// runView tells of a run in lines: one for each unit that begins or ends, one for each
// failure.
type runView struct {
	*invocation
	changed map[string]bool // hosts that the unit changed, by unit and host
	began   time.Time
}

func newRunView(s *invocation) *runView {
	return &runView{invocation: s, changed: map[string]bool{}, began: time.Now()}
}

// report shows an event. Progress is for standard error's readers too, but it is what
// the command is for, and goes to standard output.
func (v *runView) report(e event.Event) {
	at := e.Time.Local().Format("15:04:05")
	switch e.Kind { //nolint:exhaustive // tasks that go well are not told one by one
	case event.RunStart:
		what := "run"
		if len(v.done.Units) > 0 {
			what = "going on with run"
		}
		v.printf("%s  %s %s: %s\n", at, what, v.run, v.plan.Summary())
	case event.UnitStart:
		v.printf("%s  %s begins on %s\n", at, e.Unit, fewHosts(e.Hosts))
	case event.Changed:
		v.changed[e.Unit+"\x00"+e.Host] = true
	case event.UnitEnd:
		v.printf("%s  %s %s, %s\n", at, e.Unit, e.State, duration(e.Seconds))
	case event.Note, event.Wait:
		v.printf("%s  %s\n", at, e.Message)
	case event.Failed, event.Unreachable:
		if e.Item == "" && !e.Ignored && !e.Rescued {
			v.printf("%s  %s %s on %s: %s\n", at, e.Unit, e.Kind, e.Host, firstLine(e.Message))
		}
	case event.Retry:
		v.printf("%s  %s on %s: try %d of %d of %q\n", at, e.Unit, e.Host, e.Try, e.Tries, e.Task.Name)
	}
}

// fewHosts names hosts as far as they are few.
func fewHosts(hosts []string) string {
	const most = 4
	if len(hosts) <= most {
		return strings.Join(hosts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(hosts[:most], ", "), len(hosts)-most)
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

// summary tells how it ended: what failed, where and why, what is left out of traffic,
// and the command that goes on.
func (v *runView) summary(res runner.Result, done journal.Progress) error {
	v.failures(res)
	v.outOfTraffic(done)
	ended, open := len(res.Ended), len(res.Open)
	switch {
	case res.State == runner.Done && ended == 0:
		v.printf("\nnothing to do: every unit of run %s has ended\n", v.run)
		return nil
	case res.State == runner.Done:
		v.printf("\ndone: %s in %s\n", plural(ended, "unit"), duration(time.Since(v.began).Seconds()))
		return nil
	}
	v.printf("\n%s ended, %s left", plural(ended, "unit"), plural(open, "unit"))
	if open > 0 {
		v.printf(": next is %s", res.Open[0])
	}
	v.printf("\n")
	if res.Reason != "" && res.State == runner.Stopped {
		v.printf("stopped: %s\n", res.Reason)
	}
	v.printf("\nnext: ")
	switch res.State {
	case runner.PreflightFailed:
		v.printf("nothing was changed; mend what preflight names, then\n  upstep run%s\n", v.sameFlags())
		return codeError{code: exitPreflight}
	case runner.Failing:
		v.printf("mend it, then the same command goes on\n  upstep run%s\n", v.sameFlags())
		return codeError{code: exitFailed}
	default:
		v.printf("%supstep run%s\n", v.approveFirst(), v.sameFlags())
		return codeError{code: exitStopped}
	}
}

// failures tells what failed, a unit's failures together.
func (v *runView) failures(res runner.Result) {
	last := ""
	for _, f := range res.Failures {
		head := f.Unit
		if head == "" {
			head = "preflight"
		}
		if head != last {
			v.printf("\nfailed: %s\n", head)
			last = head
		}
		v.printf("  %s", f.State)
		if len(f.Hosts) > 0 {
			v.printf(" on %s", fewHosts(f.Hosts))
		}
		if f.Task != nil {
			v.printf(": %s", f.Task.Name)
			switch {
			case f.Task.Source != "":
				v.printf(" (%s)", f.Task.Source)
			case f.Task.File != "":
				v.printf(" (%s:%d)", f.Task.File, f.Task.Line)
			}
		}
		v.printf("\n")
		for _, part := range []struct{ name, text string }{{"", f.Message}, {"stderr: ", f.Stderr}, {"stdout: ", f.Stdout}} {
			if part.text != "" {
				v.printf("%s\n", indent(part.name+part.text, 20))
			}
		}
		if f.Folder != "" {
			v.printf("    log: %s\n", filepath.Join(v.root, f.Folder, "output"))
		}
	}
}

// indent gives the last lines of a text, moved in.
func indent(s string, most int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > most {
		lines = append([]string{fmt.Sprintf("[%d lines before]", len(lines)-most)}, lines[len(lines)-most:]...)
	}
	return "    " + strings.Join(lines, "\n    ")
}

// outOfTraffic names the hosts that do not serve.
func (v *runView) outOfTraffic(done journal.Progress) {
	head := false
	for _, s := range v.plan.Stages {
		for _, w := range s.Waves {
			for _, t := range w.Tracks {
				for _, h := range slices.Sorted(slices.Values(v.plan.RoleByName(t.Role).Members)) {
					st := done.Standing(t.Parts, h)
					if !st.OutOfTraffic {
						continue
					}
					if !head {
						v.printf("\nout of traffic:\n")
						head = true
					}
					v.printf("  %s (%s): %s", h, t.Role, st.Stand)
					if st.Why != "" {
						v.printf(", %s", firstLine(st.Why))
					}
					v.printf("\n")
				}
			}
		}
	}
}
