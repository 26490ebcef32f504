package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

// recording is a run of testdata/local that was recorded with --output json.
type recording struct {
	plan   *planner.Plan
	events []event.Event
	result runner.Result
	lines  [][]byte
}

func recorded(t *testing.T, name string) recording {
	t.Helper()
	dir := filepath.Join("..", "..", "testdata", "run")
	doc, err := os.ReadFile(filepath.Join(dir, "plan.json"))
	require.NoError(t, err)
	r := recording{}
	r.plan, err = planner.Decode(doc)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, name+".jsonl"))
	require.NoError(t, err)
	r.lines = bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	last := len(r.lines) - 1
	for _, line := range r.lines[1:last] {
		var e event.Event
		require.NoError(t, json.Unmarshal(line, &e))
		r.events = append(r.events, e)
	}
	require.NoError(t, json.Unmarshal(r.lines[last], &r.result))
	l := newLedger(r.plan, journal.Progress{}, r.events[0].Time)
	for _, id := range r.result.Ended {
		r.result.Units += len(l.of[id].Units)
	}
	for _, id := range r.result.Open {
		r.result.Left += len(l.of[id].Units)
	}
	return r
}

// progress is what a journal would say after events.
func progress(l *ledger) journal.Progress {
	p := journal.Progress{Units: map[string]journal.Unit{}}
	for unit, hosts := range l.work {
		u := journal.Unit{State: journal.Ended, Hosts: map[string]journal.Host{}}
		for h, w := range hosts {
			host := journal.Host{State: w.state}
			if w.state == before {
				host.State = journal.Ended
			}
			if w.failure != nil {
				host.Message, host.Task = w.failure.Message, w.failure.Task
			}
			if host.State != "" {
				u.Hosts[h] = host
			}
			if !host.State.Passed() {
				u.State = journal.Failed
			}
		}
		p.Units[unit] = u
	}
	return p
}

// play feeds a view with a recording, and gives how it ended.
func (r recording) play(v runView, done journal.Progress, f runFlags) outcome {
	o := outcome{app: &app{dir: ".", stderr: &bytes.Buffer{}}, flags: f, plan: r.plan, run: "20261121-142615", root: ".upstep"}
	o.ledger = newLedger(r.plan, done, r.events[0].Time)
	for _, e := range r.events {
		o.ledger.take(e)
		if v != nil {
			v.report(o.ledger, e)
		}
	}
	o.err = o.finish(r.result, progress(o.ledger))
	o.code = codeOf(context.Background(), o.err)
	o.ended = r.events[len(r.events)-1].Time
	return o
}

// golden compares a text with a file, or rewrites the file.
func golden(t *testing.T, name string, have string) {
	t.Helper()
	file := filepath.Join("..", "..", "testdata", "run", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(have), 0o644)) //nolint:gosec // read by everybody
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), have)
}

func TestPlainViewOfARun(t *testing.T) {
	failed := recorded(t, "failed")
	var out bytes.Buffer
	v := newPlainView(&out, time.UTC)
	o := failed.play(v, journal.Progress{}, runFlags{})
	v.end(o)
	golden(t, "failed.txt", out.String())
	require.Equal(t, exitFailed, o.code)

	out.Reset()
	v = newPlainView(&out, time.UTC)
	o = recorded(t, "resumed").play(v, progress(o.ledger), runFlags{})
	v.end(o)
	golden(t, "resumed.txt", out.String())
	require.Equal(t, exitDone, o.code)
	require.NotContains(t, out.String(), "\x1b")
}

// terminal understands what the live view writes, as a terminal does.
type terminal struct {
	columns, rows int
	lines         []string // with what scrolled out above
	row, col      int
	wrapped       bool
}

func (s *terminal) Write(text []byte) (int, error) {
	for rest := string(text); rest != ""; {
		if seq, ok := strings.CutPrefix(rest, "\x1b["); ok {
			end := strings.IndexFunc(seq, func(r rune) bool { return r >= '@' })
			n := 1
			_, _ = fmt.Sscan(seq[:end], &n)
			switch seq[end] {
			case 'A':
				s.row = max(s.row-n, len(s.lines)-s.rows, 0)
			case 'K':
				s.line(s.row)
				s.lines[s.row] = cutAt(s.lines[s.row], s.col)
			case 'J':
				s.line(s.row)
				s.lines[s.row] = cutAt(s.lines[s.row], s.col)
				for i := s.row + 1; i < len(s.lines); i++ {
					s.lines[i] = ""
				}
			}
			rest = seq[end+1:]
			continue
		}
		r := []rune(rest)[0]
		rest = rest[len(string(r)):]
		switch r {
		case '\r':
			s.col = 0
		case '\n':
			s.row++
			s.col = 0
			s.line(s.row)
		default:
			if s.col+runewidth.RuneWidth(r) > s.columns {
				s.row, s.col, s.wrapped = s.row+1, 0, true
			}
			s.line(s.row)
			line := s.lines[s.row]
			s.lines[s.row] = cutAt(line, s.col) + string(r) + strings.TrimPrefix(line, cutAt(line, s.col+runewidth.RuneWidth(r)))
			s.col += runewidth.RuneWidth(r)
		}
	}
	return len(text), nil
}

func (s *terminal) line(n int) {
	for len(s.lines) <= n {
		s.lines = append(s.lines, "")
	}
}

func cutAt(s string, width int) string {
	if len(s) <= width { // no character is wider than its bytes are many
		return s
	}
	return runewidth.Truncate(s, width, "")
}

func (s *terminal) String() string {
	return strings.TrimRight(strings.Join(s.lines, "\n"), "\n ") + "\n"
}

func TestLiveViewOfARun(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			failed := recorded(t, "failed")
			term := &terminal{columns: size[0], rows: size[1]}
			v := &liveView{out: term, screen: func() (int, int) { return size[0], size[1] }}
			var frames []string
			o := outcome{app: &app{dir: "."}, plan: failed.plan, run: "20261121-142615", root: ".upstep"}
			o.ledger = newLedger(failed.plan, journal.Progress{}, failed.events[0].Time)
			o.ledger.known = map[string]float64{}
			for _, p := range o.ledger.plays {
				o.ledger.known[p.Units[0].ID] = 60
			}
			for n, e := range failed.events {
				o.ledger.take(e)
				v.report(o.ledger, e)
				v.paint(e.Time, n%17 == 0)
				for _, line := range v.drawn {
					require.LessOrEqual(t, runewidth.StringWidth(line), size[0]-1)
				}
				require.Less(t, len(v.drawn), size[1])
				if n%25 == 20 || e.Kind == event.Failed {
					frames = append(frames, strings.Join(v.drawn, "\n"))
				}
			}
			o.err = o.finish(failed.result, progress(o.ledger))
			o.code = codeOf(context.Background(), o.err)
			o.ended = failed.events[len(failed.events)-1].Time
			v.finish(o)
			out := strings.ReplaceAll(term.String(), failed.events[0].Time.Local().Format("15:"), "HH:")
			golden(t, fmt.Sprintf("live-%dx%d.txt", size[0], size[1]), strings.Join(frames, "\n----\n")+"\n==== left on the screen\n"+out)
			var summary bytes.Buffer
			o.summary(&summary)
			if size[0] == 200 {
				require.True(t, strings.HasSuffix(out, summary.String()), "the summary is that of the plain view")
			}
			require.Equal(t, 1, strings.Count(out, "out of traffic: 1 host"), "no frame is left behind")
			require.NotContains(t, out, "about", "no frame is left behind")
		})
	}
}

// large is a plan of many roles with many hosts each.
func large(roles, hosts int) *planner.Plan {
	p := &planner.Plan{Name: "large", Ordering: "barrier", HostsKnown: true}
	st := planner.Stage{Name: "all"}
	wave := planner.Wave{Number: 1, Steps: []planner.Step{{Number: 1, Name: "install"}}}
	for i := range roles {
		r := planner.Role{Name: fmt.Sprintf("Role%02d-with-a-rather-long-name", i)}
		for h := range hosts {
			r.Members = append(r.Members, fmt.Sprintf("host-%02d-%03d.example.com", i, h))
		}
		p.Roles = append(p.Roles, r)
		wave.Steps[0].Units = append(wave.Steps[0].Units, planner.Unit{ID: "all/1/step1/" + r.Name, Kind: planner.KindStep, Role: r.Name, Step: 1})
	}
	st.Waves = []planner.Wave{wave}
	p.Stages = []planner.Stage{st}
	return p
}

func TestLiveViewOfManyHostsAndRoles(t *testing.T) {
	p := large(30, 500)
	for _, size := range [][2]int{{40, 10}, {80, 24}, {200, 60}, {12, 3}} {
		start := time.Unix(1e9, 0)
		term := &terminal{columns: size[0], rows: size[1]}
		v := &liveView{out: term, screen: func() (int, int) { return size[0], size[1] }}
		l := newLedger(p, journal.Progress{}, start)
		tell := func(e event.Event) {
			e.Time = start
			l.take(e)
			v.report(l, e)
		}
		tell(event.Event{Kind: event.RunStart, Run: "r"})
		for i, r := range p.Roles {
			unit := "all/1/step1/" + r.Name
			tell(event.Event{Kind: event.UnitStart, Stage: "all", Unit: unit, Role: r.Name, Hosts: r.Members})
			for n, h := range r.Members {
				task := &event.Task{ID: "t", Name: "Install \u6f22\u5b57 packages\x1b[2J", Source: "services/a.yaml:3"}
				tell(event.Event{Kind: event.Start, Stage: "all", Unit: unit, Role: r.Name, Host: h, Task: task})
				e := event.Event{Kind: event.Changed, Stage: "all", Unit: unit, Role: r.Name, Host: h, Task: task, Last: true}
				if i == 3 && n%2 == 0 {
					e.Kind, e.Message = event.Failed, "no space left"
				}
				if i != 7 || n < 100 {
					tell(e)
				}
			}
			if i < 3 {
				tell(event.Event{Kind: event.UnitEnd, Stage: "all", Unit: unit, Role: r.Name, Hosts: r.Members, State: "ended"})
			}
		}
		began := time.Now()
		v.paint(start.Add(time.Hour), false)
		require.Less(t, time.Since(began), time.Second)
		require.Less(t, len(v.drawn), max(size[1], 3))
		for _, line := range v.drawn {
			require.LessOrEqual(t, runewidth.StringWidth(line), size[0]-1)
			require.NotContains(t, line, "\x1b")
		}
		require.Equal(t, 1, strings.Count(strings.ReplaceAll(term.String(), "\n", ""), "no space left"), "alike failures stand together")
		if size[0] == 80 {
			golden(t, "live-large.txt", strings.Join(v.drawn, "\n")+"\n")
		}
	}
}

func TestBlockedTerminalHoldsUpNothing(t *testing.T) {
	r, w, err := os.Pipe() // nobody reads for now
	require.NoError(t, err)
	rec := recorded(t, "failed")
	for name, v := range map[string]runView{
		"live":  newLiveView(w, func() (int, int) { return 200, 60 }, true),
		"plain": newPlainView(w, time.UTC),
		"json":  newJSONView(w),
	} {
		began := time.Now()
		var o outcome
		for range 50 {
			o = rec.play(v, journal.Progress{}, runFlags{})
		}
		require.Less(t, time.Since(began), 8*time.Second, name)
		ended := make(chan struct{})
		go func() { v.end(o); close(ended) }()
		if name == "json" {
			select {
			case <-ended:
				t.Fatal("what was not read is lost")
			case <-time.After(100 * time.Millisecond):
			}
		}
		stop := make(chan struct{})
		go func() { // now somebody reads
			buf := make([]byte, 1<<16)
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = r.Read(buf)
				}
			}
		}()
		<-ended
		close(stop)
		_, _ = w.WriteString("\n")
	}
}

func TestLiveViewLeavesTheScreenToAQuestion(t *testing.T) {
	term := &terminal{columns: 80, rows: 24}
	v := &liveView{out: term, flush: make(chan chan struct{}, 1)}
	l := newLedger(large(2, 2), journal.Progress{}, time.Unix(1e9, 0))
	v.report(l, event.Event{Kind: event.RunStart, Run: "r"})
	v.paint(time.Unix(1e9, 0), false)
	require.Contains(t, term.String(), "0/2 units")
	go func() { v.paint(time.Unix(1e9, 0), true); close(<-v.flush) }()
	began := time.Now()
	v.report(l, event.Event{Kind: event.Wait, Stage: "all", Message: "stage all waits for approval"})
	require.Less(t, time.Since(began), soon)
	v.paint(time.Unix(1e9, 0), true)
	require.NotContains(t, term.String(), "units")
	require.Contains(t, term.String(), "stage all waits for approval")
	_, _ = term.Write([]byte("approve? yes\r\n"))
	v.report(l, event.Event{Kind: event.UnitStart, Unit: "all/1/step1/Role00-with-a-rather-long-name", Stage: "all"})
	v.paint(time.Unix(1e9, 0), false)
	require.Contains(t, term.String(), "approve? yes\n0:00   0/2 units", "the frame stands below the question")
}

func TestOutboxKeepsWhatMustBeTold(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 1<<16)) // full
	require.NoError(t, err)
	o := newOutbox(w, 100, func(n int) []byte { return fmt.Appendf(nil, "[%d]\n", n) })
	o.put([]byte("first\n"), false)
	require.Eventually(t, func() bool { o.mu.Lock(); defer o.mu.Unlock(); return len(o.waiting) == 0 }, soon, time.Millisecond)
	for range 100 {
		o.put([]byte(strings.Repeat("x", 9)+"\n"), false)
	}
	o.put([]byte("failed\n"), true)
	go func() { o.close(); _ = w.Close() }()
	_, err = r.Read(make([]byte, 1<<16))
	require.NoError(t, err)
	var lines []string
	for s := bufio.NewScanner(r); s.Scan(); {
		lines = append(lines, s.Text())
	}
	require.Equal(t, "first", lines[0])
	require.Equal(t, []string{"[90]", "failed"}, lines[len(lines)-2:])
	require.Len(t, lines, 13)
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join("..", "..", "docs", "reference", "event.schema.json"))
	require.NoError(t, err)
	return s
}

func validLines(t *testing.T, text []byte) []map[string]any {
	t.Helper()
	s := schema(t)
	var out []map[string]any
	for line := range bytes.Lines(text) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		require.NoError(t, err, "%s", line)
		require.NoError(t, s.Validate(v), "%s", line)
		out = append(out, v.(map[string]any)) //nolint:forcetypeassert // the schema says so
	}
	return out
}

func TestRecordedEventsFollowTheSchema(t *testing.T) {
	for _, name := range []string{"failed", "resumed"} {
		rec := recorded(t, name)
		lines := validLines(t, bytes.Join(rec.lines, []byte("\n")))
		require.Equal(t, event.Format, lines[0]["format"])
		require.Equal(t, "result", lines[len(lines)-1]["kind"])
		var out bytes.Buffer
		v := newJSONView(&out)
		v.end(rec.play(v, journal.Progress{}, runFlags{}))
		again := validLines(t, out.Bytes())
		require.Equal(t, lines[:len(lines)-1], again[:len(again)-1])
	}
	require.Error(t, schema(t).Validate(map[string]any{"kind": "wonder", "time": "2026-11-21T14:26:15Z"}))
}

func TestJUnitOfARun(t *testing.T) {
	rec := recorded(t, "failed")
	for i := range rec.events {
		if rec.events[i].Kind == event.Failed {
			rec.events[i].Stderr = "bad \x00\x1b[1m\xff<&]]>\ufffe"
		}
	}
	o := rec.play(nil, journal.Progress{}, runFlags{})
	file := filepath.Join(t.TempDir(), "j.xml")
	require.NoError(t, o.writeJUnit(file, o.err))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var s junitSuites
	require.NoError(t, xml.Unmarshal(text, &s))
	require.Equal(t, []int{31, 1, 0, 2}, []int{s.Tests, s.Failures, s.Errors, s.Skipped})
	cases := map[string]junitCase{}
	var suites []string
	for _, suite := range s.Suites {
		suites = append(suites, suite.Name)
		for _, c := range suite.Cases {
			cases[c.Name] = c
		}
	}
	require.Equal(t, []string{"preflight", "control-plane", "non-control-plane"}, suites)
	c := cases["non-control-plane/1/step4/Web web2"]
	require.Equal(t, "services/web.yaml", c.File)
	require.Equal(t, "17", c.Line)
	require.Equal(t, "Start the web server: non-zero return code", c.Failure.Message)
	require.Contains(t, c.Failure.Text, "stderr: bad ")
	require.Contains(t, c.Failure.Text, "<&]]>")
	require.Equal(t, "not run", cases["non-control-plane/1/health/Web web2"].Skipped.Message)
	require.Regexp(t, `^[0-9]\.[0-9]{3}$`, cases["control-plane/1/step2/Api api1"].Time)
	require.NotEqual(t, "0.000", cases["control-plane/1/step2/Api api1"].Time)

	o = rec.play(nil, progress(o.ledger), runFlags{viewFlags: viewFlags{expectUnchanged: true}})
	require.NoError(t, o.writeJUnit(file, o.err))
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), `<failure message="changed by Install the web server (services/web.yaml:11)" type="changed">`)

	none := outcome{app: o.app}
	require.NoError(t, none.writeJUnit(file, usageError{fmt.Errorf("no hosts"), ""}))
	s = junitSuites{}
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(text, &s))
	require.Equal(t, "no hosts", s.Suites[0].Cases[0].Error.Message)
}

func TestNextCommandRepeatsWhatCounts(t *testing.T) {
	a := &app{dir: "my project"}
	o := outcome{app: a, over: true, result: runner.Result{State: runner.Failing, Ended: []string{"a"}}, flags: runFlags{
		limit: []string{"g*"}, fresh: true, check: true, ansibleOptions: []string{"--vault-password-file", "a b"}, viewFlags: viewFlags{view: "auto", output: "json", junit: "j.xml"},
		Options: runner.Options{Selection: runner.Selection{Stages: []string{"x"}, Services: []string{"s"}, Steps: []int{1, 2}, Hosts: []string{"h1", "h2"}}, Rerun: []string{"a", "b"}, Yes: true},
	}}
	require.Equal(t, "upstep run -C 'my project' --stage x --service s --step 1 --step 2 --limit 'g*' --rerun b --check --yes --output json --junit j.xml -- --vault-password-file 'a b'", o.next())
	o.result = runner.Result{State: runner.Stopped, Narrowed: true}
	require.NotContains(t, o.next(), "--stage")
}

func TestFailureOfThePreflightIsToldOnce(t *testing.T) {
	rec := recorded(t, "failed")
	start := rec.events[0].Time
	at := func(seconds int, unit, host string, rescued bool) event.Event {
		return event.Event{
			Kind: event.Failed, Stage: "preflight", Unit: unit, Host: host, Time: start.Add(time.Duration(seconds) * time.Second),
			Message: "no room", Rescued: rescued, Task: &event.Task{Name: "Look"},
		}
	}
	var out bytes.Buffer
	v := newPlainView(&out, time.UTC)
	l := newLedger(rec.plan, journal.Progress{}, start)
	for _, e := range []event.Event{
		{Kind: event.UnitEnd, Unit: "non-control-plane/1/Web", Time: start, State: "ended"}, // of a process that was taken over
		at(1, "preflight/Web", "web1", true), at(2, "preflight/Web", "web1", true),          // two checks
		at(3, "", "web1", false),                          // what they said, again
		at(3, "", "web2", false), at(4, "", "web2", true), // lost in the end only
		{Kind: event.RunEnd, Time: start.Add(5 * time.Second), State: "preflight_failed"},
	} {
		l.take(e)
		v.report(l, e)
	}
	v.out.close()
	var told []string
	for line := range strings.Lines(out.String()) {
		told = append(told, strings.Join(strings.Fields(line)[1:min(4, len(strings.Fields(line)))], " "))
	}
	require.Equal(t, []string{
		"ended non-control-plane/1/Web 0", "begins preflight", "failed preflight/Web web1:", "failed preflight/Web web1:",
		"failed preflight web2:", "failed preflight web2:", "failed preflight 2",
	}, told, out.String())
}

func TestFailureOfACheckNamesNoLogThatIsGone(t *testing.T) {
	o := recorded(t, "failed").play(nil, journal.Progress{}, runFlags{check: true})
	o.root = ""
	var out bytes.Buffer
	o.summary(&out)
	require.NotContains(t, out.String(), "log:")
	require.Contains(t, out.String(), "\nnext: mend it, then check again\n  upstep run --check\n")
}

func TestNextCommandSaysWhatItHides(t *testing.T) {
	const note = "\n  where ****** stands write the value again: it is kept nowhere\n"
	o := recorded(t, "failed").play(nil, journal.Progress{}, runFlags{})
	for name, c := range map[string]struct {
		options []string
		next    string
		hides   bool
	}{
		"a value":            {[]string{"-e", "token=s3"}, "upstep run -- -e '******'", true},
		"a value, joined":    {[]string{"--extra-vars=token=s3", "--diff"}, "upstep run -- '--extra-vars=******' --diff", true},
		"a file of values":   {[]string{"-e", "@more.yml"}, "upstep run -- -e @more.yml", false},
		"stars of one's own": {[]string{"--tags", "******"}, "upstep run -- --tags '******'", false},
	} {
		t.Run(name, func(t *testing.T) {
			o.flags.ansibleOptions = c.options
			var out bytes.Buffer
			o.summary(&out)
			require.Contains(t, out.String(), "\n  "+c.next+"\n")
			require.Equal(t, c.hides, strings.HasSuffix(out.String(), note), out.String())
			require.NotContains(t, out.String(), "s3")
		})
	}
}

func TestTextOfOtherMachinesObeysNothing(t *testing.T) {
	require.Equal(t, "red? a\nb c", clean("\x1b[31mred\x1b[0m\x01 a\rb\tc"))
	require.Equal(t, "plain", clean("plain"))
	require.Equal(t, "more", clean("\x1b[2J\x1b]0;title\x07\x1b(B\x1b7m\x1b[5Aore"))
	require.NotContains(t, clean("\x1b]0;title\x07\x9b2J\x1b"), "\x1b")
}
