package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// The elements of a JUnit report, as far as CI systems agree on them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr,omitempty"`
		Cases     []junitCase `xml:"testcase"`
		seconds   float64
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    string        `xml:"line,attr,omitempty"`
		Failure *junitTrouble `xml:"failure"`
		Error   *junitTrouble `xml:"error"`
		Skipped *junitTrouble `xml:"skipped"`
	}
	junitTrouble struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the report, in whole or not at all.
func (o *outcome) writeJUnit(file string, problem error) error {
	text, err := xml.MarshalIndent(o.report(problem), "", " ")
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	if err := renameio.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644); err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}

// report makes a suite of each stage, with a case for each unit and host.
func (o *outcome) report(problem error) junitSuites {
	all := junitSuites{Name: "upstep", Time: seconds(o.seconds())}
	if o.plan != nil && o.plan.Name != "" {
		all.Name = o.plan.Name
	}
	if o.ledger != nil {
		o.ledger.mu.Lock()
		defer o.ledger.mu.Unlock()
		all.Suites = append(all.Suites, o.preflightSuite())
		for _, s := range o.ledger.plays {
			n := slices.IndexFunc(all.Suites, func(t junitSuite) bool { return t.Name == s.Stage })
			if n < 0 {
				n = len(all.Suites)
				all.Suites = append(all.Suites, junitSuite{Name: s.Stage})
			}
			o.cases(&all.Suites[n], s)
		}
	}
	// What no host can be blamed for.
	for _, f := range o.result.Failures {
		if len(f.Hosts) == 0 {
			all.Suites = append(all.Suites, junitSuite{Name: "run", Cases: []junitCase{{Name: cmp.Or(f.Unit, "run"), Class: "run", Error: trouble(f, o.root)}}})
		}
	}
	if problem != nil {
		if text := strings.TrimSpace(problem.Error()); text != "" {
			all.Suites = append(all.Suites, junitSuite{Name: "run", Cases: []junitCase{{Name: "run", Class: "run", Error: &junitTrouble{Message: firstLine(text), Type: "run", Text: text}}}})
		}
	}
	for i := range all.Suites {
		s := &all.Suites[i]
		for n := range s.Cases {
			c := &s.Cases[n]
			s.Tests++
			switch {
			case c.Failure != nil:
				s.Failures++
			case c.Error != nil:
				s.Errors++
			case c.Skipped != nil:
				s.Skipped++
			}
			c.Time = cmp.Or(c.Time, seconds(0))
		}
		s.Time = seconds(s.seconds)
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
	}
	all.Suites = slices.DeleteFunc(all.Suites, func(s junitSuite) bool { return s.Tests == 0 })
	return all
}

// preflightSuite has a case for each host that was looked at.
func (o *outcome) preflightSuite() junitSuite {
	p := o.ledger.check
	s := junitSuite{Name: playbooks.Preflight, seconds: p.ended.Sub(p.began).Seconds(), Timestamp: stamp(p.began)}
	if p.began.IsZero() {
		return s
	}
	failed := map[string][]runner.Failure{}
	if o.result.State == runner.PreflightFailed {
		for _, f := range o.result.Failures {
			for _, h := range f.Hosts {
				failed[h] = append(failed[h], f)
			}
		}
	}
	hosts := map[string]bool{}
	for h := range p.hosts {
		hosts[h] = true
	}
	for h := range failed {
		hosts[h] = true
	}
	for _, h := range sortedKeys(hosts) {
		if len(failed[h]) == 0 {
			s.Cases = append(s.Cases, junitCase{Name: playbooks.Preflight + " " + h, Class: playbooks.Preflight})
		}
		for _, f := range failed[h] {
			c := junitCase{Name: cmp.Or(f.Unit, playbooks.Preflight) + " " + h, Class: playbooks.Preflight}
			c.blame(f, o.root)
			s.Cases = append(s.Cases, c)
		}
	}
	return s
}

// cases adds those of a play.
func (o *outcome) cases(suite *junitSuite, s *sheet) {
	for _, u := range s.Units {
		hosts := slices.Clone(s.members)
		for h := range o.ledger.work[u.ID] { // of a deployment, or added by a task
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
		slices.Sort(hosts[len(s.members):])
		for _, h := range hosts {
			w := o.ledger.work[u.ID][h]
			if w == nil {
				w = &work{}
			}
			c := junitCase{Name: u.ID + " " + h, Class: cmp.Or(s.Role, s.Stage)}
			if !w.began.IsZero() {
				took := w.ended.Sub(w.began).Seconds()
				c.Time = seconds(took)
				suite.seconds += took
				if t := stamp(w.began); suite.Timestamp == "" || t < suite.Timestamp {
					suite.Timestamp = t
				}
			}
			switch {
			case w.failure != nil:
				c.blame(*w.failure, o.root)
			case w.state == journal.Unknown:
				c.Error = &junitTrouble{Message: "nobody saw how it ended", Type: string(journal.Unknown)}
			case w.state == journal.Stopped, w.state == journal.Started:
				c.Skipped = &junitTrouble{Message: "stopped in the middle"}
			case w.state == before:
				c.Skipped = &junitTrouble{Message: "ended in an earlier invocation"}
			case w.state == "":
				c.Skipped = &junitTrouble{Message: "not run"}
			case o.flags.expectUnchanged && len(w.changed) > 0:
				c.changed(w.changed)
			}
			suite.Cases = append(suite.Cases, c)
		}
	}
}

// blame puts a failure into a case.
func (c *junitCase) blame(f runner.Failure, root string) {
	if f.Task != nil {
		c.File, c.Line, _ = strings.Cut(place(f.Task), ":")
	}
	if f.State == journal.Failed {
		c.Failure = trouble(f, root)
	} else {
		c.Error = trouble(f, root)
	}
}

// changed makes a failure of tasks that changed a host.
func (c *junitCase) changed(tasks []*event.Task) {
	var lines []string
	for _, t := range tasks {
		lines = append(lines, taskText(t))
	}
	c.File, c.Line, _ = strings.Cut(place(tasks[0]), ":")
	c.Failure = &junitTrouble{Message: "changed by " + lines[0], Type: "changed", Text: strings.Join(lines, "\n")}
}

func trouble(f runner.Failure, root string) *junitTrouble {
	var b strings.Builder
	for _, part := range []struct{ name, text string }{
		{"task", taskOf(f.Task)}, {"source", place(f.Task)}, {"message", f.Message}, {"stderr", f.Stderr}, {"stdout", f.Stdout}, {"log", logOf(f, root)},
	} {
		if text := strings.TrimSpace(clean(part.text)); text != "" {
			fmt.Fprintf(&b, "%s: %s\n", part.name, text)
		}
	}
	message := firstLine(clean(f.Message))
	if t := taskOf(f.Task); t != "" {
		message = t + ": " + message
	}
	return &junitTrouble{Message: message, Type: string(f.State), Text: b.String()}
}

func taskOf(t *event.Task) string {
	if t == nil {
		return ""
	}
	return clean(t.Name)
}

func sortedKeys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", max(0, s)) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}
