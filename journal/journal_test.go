package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
)

// noon is when tests take place; at gives moments after it.
func at(seconds int) time.Time {
	return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

var alice = journal.Who{User: "alice", Host: "ci-3", PID: 4242, Version: "1.0.0", Command: []string{"upstep", "run"}}

func open(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), dir, journal.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

func begin(t *testing.T, j *journal.Journal, name string, seconds int) journal.RunID {
	t.Helper()
	id, err := j.Begin(t.Context(), name, []byte(`{"name":"`+name+`"}`), journal.Invocation{Who: alice, Started: at(seconds)})
	require.NoError(t, err)
	return id
}

func write(t *testing.T, j *journal.Journal, run journal.RunID, f func(*journal.Tx)) {
	t.Helper()
	require.NoError(t, j.Write(t.Context(), run, func(tx *journal.Tx) error { f(tx); return nil }))
}

func TestARunIsRecordedFromItsBeginningToItsEnd(t *testing.T) {
	j := open(t, t.TempDir())
	none, err := j.Current(t.Context())
	require.NoError(t, err)
	require.Nil(t, none)

	run := begin(t, j, "queens", 0)
	require.Equal(t, journal.RunID("20261121-120000"), run)
	require.Equal(t, journal.RunID("20261121-120000-2"), begin(t, j, "queens", 0))
	require.Equal(t, journal.RunID("20261121-120000-3"), begin(t, j, "queens", 0))

	n, err := j.Invoke(t.Context(), run, []byte(`{"name":"mended"}`), journal.Invocation{Who: alice, Started: at(5)})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	write(t, j, run, func(tx *journal.Tx) {
		tx.InvocationEnded(1, 3, "unit a failed", at(4))
		tx.PostUpgrade()
		tx.RunState(journal.Done, at(9))
	})

	got, err := j.Run(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, journal.Run{ID: run, Plan: "queens", State: journal.Done, Who: alice, Started: at(0), Ended: at(9), PostUpgrade: true}, got)
	current, err := j.Current(t.Context())
	require.NoError(t, err)
	require.Equal(t, journal.RunID("20261121-120000-3"), current.ID)
	runs, err := j.Runs(t.Context(), 2)
	require.NoError(t, err)
	require.Len(t, runs, 2)
	require.Equal(t, journal.RunID("20261121-120000-3"), runs[0].ID)

	calls, err := j.Invocations(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, []journal.Invocation{
		{Number: 1, Who: alice, Plan: calls[0].Plan, Started: at(0), Ended: at(4), ExitCode: 3, Outcome: "unit a failed"},
		{Number: 2, Who: alice, Plan: calls[1].Plan, Started: at(5)},
	}, calls)
	for n, want := range []string{`{"name":"queens"}`, `{"name":"mended"}`} {
		plan, err := j.Plan(t.Context(), calls[n].Plan)
		require.NoError(t, err)
		require.Equal(t, want, string(plan))
	}

	_, err = j.Run(t.Context(), "nobody")
	require.ErrorIs(t, err, journal.ErrNoRun)
	require.EqualError(t, err, "run nobody: the journal has no such run")
	require.ErrorIs(t, j.Write(t.Context(), "nobody", func(tx *journal.Tx) error { tx.PostUpgrade(); return nil }), journal.ErrNoRun)
}

func TestUnitsAndHosts(t *testing.T) {
	task := &event.Task{ID: "1", Name: "stop", File: "a.yml", Line: 3, Source: "services/a.yaml:9"}
	cases := map[string]struct {
		told func(*journal.Tx)
		want journal.Unit
	}{
		"a unit starts on its hosts": {
			func(tx *journal.Tx) { tx.UnitStarted("u", "d1", []string{"a", "b"}, at(1)) },
			journal.Unit{State: journal.Started, Digest: "d1", Started: at(1), Hosts: map[string]journal.Host{
				"a": {State: journal.Started, Digest: "d1", Tries: 1, Started: at(1)},
				"b": {State: journal.Started, Digest: "d1", Tries: 1, Started: at(1)},
			}},
		},
		"hosts leave it each in their own way": {
			func(tx *journal.Tx) {
				tx.UnitStarted("u", "d1", []string{"a", "b", "c"}, at(1))
				tx.Host("u", "a", journal.Host{State: journal.Ended, Changed: true, Ended: at(2)})
				tx.Host("u", "b", journal.Host{State: journal.Failed, Ended: at(3), Message: "no", Task: task, Stderr: "oh"})
				tx.Host("u", "c", journal.Host{State: journal.Unreachable, Ended: at(3)})
				tx.UnitEnded("u", journal.Failed, at(4))
			},
			journal.Unit{State: journal.Failed, Digest: "d1", Started: at(1), Ended: at(4), Lost: 3, Hosts: map[string]journal.Host{
				"a": {State: journal.Ended, Digest: "d1", Changed: true, Tries: 1, Started: at(1), Ended: at(2)},
				"b": {State: journal.Failed, Digest: "d1", Tries: 1, Started: at(1), Ended: at(3), Message: "no", Task: task, Stderr: "oh"},
				"c": {State: journal.Unreachable, Digest: "d1", Tries: 1, Started: at(1), Ended: at(3)},
			}},
		},
		"whatever a command says": {
			func(tx *journal.Tx) {
				tx.UnitStarted("u", "d", []string{"ä b'\"%?"}, at(1))
				tx.Host("u", "ä b'\"%?", journal.Host{State: journal.Failed, Message: "a\x00b\xff", Stderr: strings.Repeat("é\n", 50_000)})
			},
			journal.Unit{State: journal.Started, Digest: "d", Started: at(1), Hosts: map[string]journal.Host{
				"ä b'\"%?": {State: journal.Failed, Digest: "d", Tries: 1, Started: at(1), Message: "a\x00b\xff", Stderr: strings.Repeat("é\n", 50_000)},
			}},
		},
		"a second try forgets the failure, not the change, and leaves other hosts alone": {
			func(tx *journal.Tx) {
				tx.UnitStarted("u", "d1", []string{"a", "b"}, at(1))
				tx.Host("u", "a", journal.Host{State: journal.Ended, Ended: at(2)})
				tx.Host("u", "b", journal.Host{State: journal.Failed, Changed: true, Ended: at(3), Message: "no", Task: task})
				tx.UnitEnded("u", journal.Failed, at(4))
				tx.UnitStarted("u", "d2", []string{"b"}, at(10))
				tx.Host("u", "b", journal.Host{State: journal.Ended, Ended: at(12)})
				tx.OnceEnded("u", at(11))
				tx.UnitEnded("u", journal.Ended, at(12))
			},
			journal.Unit{State: journal.Ended, Digest: "d2", Started: at(1), Ended: at(12), Seconds: 2, Lost: 3, Once: at(11), Hosts: map[string]journal.Host{
				"a": {State: journal.Ended, Digest: "d1", Tries: 1, Started: at(1), Ended: at(2)},
				"b": {State: journal.Ended, Digest: "d2", Changed: true, Tries: 2, Started: at(10), Ended: at(12)},
			}},
		},
		"batches of a unit add up": {
			func(tx *journal.Tx) {
				tx.UnitStarted("u", "d", []string{"a"}, at(0))
				tx.UnitEnded("u", journal.Ended, at(5))
				tx.UnitStarted("u", "d", []string{"b"}, at(100))
				tx.UnitEnded("u", journal.Ended, at(107))
			},
			journal.Unit{State: journal.Ended, Digest: "d", Started: at(0), Ended: at(107), Seconds: 12, Hosts: map[string]journal.Host{
				"a": {State: journal.Started, Digest: "d", Tries: 1, Started: at(0)},
				"b": {State: journal.Started, Digest: "d", Tries: 1, Started: at(100)},
			}},
		},
		"a host is skipped before its unit starts": {
			func(tx *journal.Tx) {
				tx.Skip(journal.Skip{Unit: "u", Host: "a", Reason: "dead", Who: alice, At: at(1)})
			},
			journal.Unit{State: journal.Waiting, Hosts: map[string]journal.Host{"a": {State: journal.Skipped, Ended: at(1)}}},
		},
		"a unit is skipped, and hosts that ended it stay ended": {
			func(tx *journal.Tx) {
				tx.UnitStarted("u", "d", []string{"a", "b"}, at(0))
				tx.Host("u", "a", journal.Host{State: journal.Ended, Ended: at(2)})
				tx.Host("u", "b", journal.Host{State: journal.Failed, Ended: at(2), Message: "no"})
				tx.Skip(journal.Skip{Unit: "u", Reason: "by hand", Who: alice, At: at(5)})
			},
			journal.Unit{State: journal.Skipped, Digest: "d", Started: at(0), Ended: at(5), Hosts: map[string]journal.Host{
				"a": {State: journal.Ended, Digest: "d", Tries: 1, Started: at(0), Ended: at(2)},
				"b": {State: journal.Skipped, Digest: "d", Tries: 1, Started: at(0), Ended: at(5), Message: "no"},
			}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := open(t, t.TempDir())
			run, other := begin(t, j, "p", 0), begin(t, j, "p", 0)
			write(t, j, run, c.told)
			write(t, j, other, func(tx *journal.Tx) { tx.UnitStarted("u", "x", []string{"a"}, at(500)) })
			got, err := j.Progress(t.Context(), run)
			require.NoError(t, err)
			require.Equal(t, map[string]journal.Unit{"u": c.want}, got.Units)
		})
	}
}

func TestWhatCannotBeIsRefusedWhole(t *testing.T) {
	cases := map[string]struct {
		told func(*journal.Tx)
		want string
	}{
		"a host of a unit that has not started": {
			func(tx *journal.Tx) { tx.Host("v", "a", journal.Host{State: journal.Ended}) },
			"host a in unit v: the unit has not started",
		},
		"the end of a unit that has not started":     {func(tx *journal.Tx) { tx.UnitEnded("v", journal.Ended, at(1)) }, "unit v has not started"},
		"run_once in a unit that has not started":    {func(tx *journal.Tx) { tx.OnceEnded("v", at(1)) }, "unit v has not started"},
		"the end of a process that has not started":  {func(tx *journal.Tx) { tx.ProcessEnded(7, "ok", at(1)) }, "process 7 has not started"},
		"the end of an invocation that never was":    {func(tx *journal.Tx) { tx.InvocationEnded(7, 0, "ok", at(1)) }, "there is no invocation 7"},
		"a process number a second time":             {func(tx *journal.Tx) { tx.ProcessStarted(journal.Process{Number: 1, Started: at(1)}) }, "UNIQUE constraint failed"},
		"events from an offset that is taken in":     {func(tx *journal.Tx) { tx.Taken(1, 5, 9) }, "the events of process 1 are not taken in up to byte 5"},
		"a variable that is no JSON":                 {func(tx *journal.Tx) { tx.Values([]event.Value{{Host: "a", Name: "x", JSON: json.RawMessage(`{`)}}) }, "variable x of host a is no JSON"},
		"a mistake of the caller's own after a unit": {nil, "mistake"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			j := open(t, t.TempDir())
			run := begin(t, j, "p", 0)
			write(t, j, run, func(tx *journal.Tx) { tx.ProcessStarted(journal.Process{Number: 1, Started: at(1)}) })
			err := j.Write(t.Context(), run, func(tx *journal.Tx) error {
				tx.UnitStarted("u", "d", []string{"a"}, at(1))
				if c.told == nil {
					return errors.New("mistake")
				}
				c.told(tx)
				return nil
			})
			require.ErrorContains(t, err, c.want)
			got, err := j.Progress(t.Context(), run)
			require.NoError(t, err)
			require.Empty(t, got.Units)
			write(t, j, run, func(tx *journal.Tx) { tx.UnitStarted("u", "d", nil, at(1)) })
		})
	}
}

func TestEventsAreTakenInExactlyOnce(t *testing.T) {
	j := open(t, t.TempDir())
	run := begin(t, j, "p", 0)
	write(t, j, run, func(tx *journal.Tx) {
		tx.ProcessStarted(journal.Process{Number: 1, Book: "Web.yml", Folder: "runs/1", Started: at(0)})
		tx.Event(event.Event{Kind: event.RunStart, Time: at(0)})
		tx.Taken(1, 0, 10, event.Event{Kind: event.Play, Time: at(1)}, event.Event{Kind: event.OK, Host: "a", Time: at(2)})
	})
	var twice *journal.OffsetError
	require.ErrorAs(t, j.Write(t.Context(), run, func(tx *journal.Tx) error {
		tx.Taken(1, 0, 10, event.Event{Kind: event.Play, Time: at(1)})
		return nil
	}), &twice)
	require.Equal(t, 1, twice.Process)
	write(t, j, run, func(tx *journal.Tx) {
		tx.Taken(1, 10, 12, event.Event{Kind: event.End, Time: at(3)})
		tx.ProcessEnded(1, "ended", at(4))
	})

	all, err := j.Events(t.Context(), run, 0, 0)
	require.NoError(t, err)
	var kinds []event.Kind
	for _, e := range all {
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []event.Kind{event.RunStart, event.Play, event.OK, event.End}, kinds)
	require.Zero(t, all[0].Process)
	require.Equal(t, 1, all[1].Process)
	some, err := j.Events(t.Context(), run, all[1].Number, 1)
	require.NoError(t, err)
	require.Equal(t, all[2:3], some)

	processes, err := j.Processes(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, []journal.Process{{Number: 1, Book: "Web.yml", Folder: "runs/1", Started: at(0), Ended: at(4), Offset: 12, Outcome: "ended"}}, processes)
}

func TestSecretsNeverReachTheDisk(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	run := begin(t, j, "p", 0)
	value := func(name, v string, secret bool) event.Value {
		return event.Value{Host: "a", Name: name, JSON: json.RawMessage(v), Secret: secret, Task: "u.yml:3"}
	}
	write(t, j, run, func(tx *journal.Tx) {
		tx.ProcessStarted(journal.Process{Number: 1, Started: at(0)})
		tx.Values([]event.Value{value("x", `1`, false), value("p", `"hunter2"`, true), value("nothing", `null`, false)})
		tx.Taken(1, 0, 1, event.Event{Kind: event.Vars, Time: at(0), Values: []event.Value{
			value("q", `"hunter2"`, true), value("x", `{"n": 2.50, "big": 12345678901234567890}`, false),
			{Kind: event.AddedTo, Host: "new", Name: "web"},
			{Kind: event.AddedHost, Host: "new", JSON: json.RawMessage(`{"ansible_host":"1.2.3.4"}`)},
		}})
	})
	got, err := j.Values(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, []event.Value{
		{Kind: event.AddedHost, Host: "new", JSON: json.RawMessage(`{"ansible_host":"1.2.3.4"}`)},
		{Kind: event.AddedTo, Host: "new", Name: "web"},
		{Host: "a", Name: "p", Secret: true, Task: "u.yml:3"},
		value("nothing", `null`, false),
		{Host: "a", Name: "q", Secret: true, Task: "u.yml:3"},
		value("x", `{"n": 2.50, "big": 12345678901234567890}`, false),
	}, got)
	// A variable that becomes a secret loses the value that it had.
	write(t, j, run, func(tx *journal.Tx) { tx.Values([]event.Value{value("x", `"hunter2"`, true)}) })
	got, err = j.Values(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, event.Value{Host: "a", Name: "x", Secret: true, Task: "u.yml:3"}, got[len(got)-1])

	events, err := j.Events(t.Context(), run, 0, 0)
	require.NoError(t, err)
	require.Len(t, events[0].Values, 4)
	require.Equal(t, event.Value{Host: "a", Name: "q", Secret: true, Task: "u.yml:3"}, events[0].Values[0])
	files, err := filepath.Glob(filepath.Join(dir, journal.Folder, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NotContains(t, string(data), "hunter2", f)
	}
}

func TestRequestsReachTheRun(t *testing.T) {
	dir := t.TempDir()
	j, other := open(t, dir), open(t, dir)
	run := begin(t, j, "p", 0)
	first, err := other.Ask(t.Context(), run, journal.Request{Ask: journal.Approve, Gate: "control-plane", Who: alice, At: at(1)})
	require.NoError(t, err)
	_, err = other.Ask(t.Context(), run, journal.Request{Ask: journal.CancelNow, Who: alice, At: at(2)})
	require.NoError(t, err)
	got, err := j.Requests(t.Context(), run, 0)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, journal.Request{Number: first, Ask: journal.Approve, Gate: "control-plane", Who: alice, At: at(1)}, got[0])
	got, err = j.Requests(t.Context(), run, first)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, journal.CancelNow, got[0].Ask)
}

func TestDurationsAreOfTheLastRunThatIsDone(t *testing.T) {
	j := open(t, t.TempDir())
	for n, c := range []struct {
		plan  string
		unit  string
		state journal.RunState
		how   journal.State
	}{
		{"p", "u", journal.Done, journal.Ended},
		{"p", "v", journal.Done, journal.Ended},
		{"p", "u", journal.Done, journal.Ended},
		{"p", "u", journal.Done, journal.Skipped},
		{"p", "u", journal.Abandoned, journal.Ended},
		{"p", "u", journal.Unfinished, journal.Ended},
		{"q", "u", journal.Done, journal.Ended},
	} {
		run := begin(t, j, c.plan, n)
		write(t, j, run, func(tx *journal.Tx) {
			tx.UnitStarted(c.unit, "d", nil, at(0))
			tx.UnitEnded(c.unit, c.how, at(n+1))
			tx.RunState(c.state, at(50))
		})
	}
	got, err := j.Durations(t.Context(), "p")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"u": 3, "v": 2}, got)
}

func TestPruneKeepsTheLastRunsAndEveryOpenOne(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	var runs []journal.RunID
	for n := range 5 {
		run := begin(t, j, fmt.Sprintf("p%d", n), n)
		runs = append(runs, run)
		write(t, j, run, func(tx *journal.Tx) {
			tx.UnitStarted("u", "d", []string{"a"}, at(0))
			for range 300 {
				tx.Event(event.Event{Kind: event.OK, Time: at(0), Message: strings.Repeat("x", 1000)})
			}
			if n != 1 {
				tx.RunState(journal.Done, at(50))
			}
		})
	}
	old, err := j.Invocations(t.Context(), runs[0])
	require.NoError(t, err)
	removed, err := j.Prune(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, []journal.RunID{runs[0], runs[2]}, removed)
	_, err = j.Plan(t.Context(), old[0].Plan)
	require.ErrorContains(t, err, "the journal has no plan")
	left, err := j.Runs(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, left, 3)
	events, err := j.Events(t.Context(), runs[0], 0, 0)
	require.NoError(t, err)
	require.Empty(t, events)
	removed, err = j.Prune(t.Context(), 2)
	require.NoError(t, err)
	require.Empty(t, removed)
	_, err = j.Prune(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	info, err := os.Stat(filepath.Join(dir, journal.Folder, journal.FileName))
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(900_000), "pages are given back")
	j2 := open(t, dir)
	require.Equal(t, journal.RunID("20261121-120005"), begin(t, j2, "p", 5))
}

func TestTheFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c%41#d")
	require.NoError(t, os.Mkdir(dir, 0o755))
	j := open(t, dir)
	begin(t, j, "p", 0)
	info, err := os.Stat(filepath.Join(dir, journal.Folder))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(filepath.Join(dir, journal.Folder))
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
	data, err := os.ReadFile(filepath.Join(dir, journal.Folder, ".gitignore"))
	require.NoError(t, err)
	require.Equal(t, "*\n", string(data))
}

func TestACancelledWriteLeavesNothing(t *testing.T) {
	j := open(t, t.TempDir())
	run := begin(t, j, "p", 0)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	require.ErrorIs(t, j.Write(ctx, run, func(tx *journal.Tx) error {
		tx.UnitStarted("u", "d", nil, at(0))
		cancel(why)
		return nil
	}), why)
	write(t, j, run, func(tx *journal.Tx) { tx.UnitStarted("v", "d", nil, at(0)) })
	got, err := j.Progress(t.Context(), run)
	require.NoError(t, err)
	require.Len(t, got.Units, 1)
}

func TestAWriteThatIsCancelledAnywhereIsWholeOrNothing(t *testing.T) {
	j := open(t, t.TempDir())
	run := begin(t, j, "p", 0)
	total, cancelled := 0, 0
	for n := range 30 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*500*time.Microsecond)
		err := j.Write(ctx, run, func(tx *journal.Tx) error {
			for range 500 {
				tx.Event(event.Event{Kind: event.OK, Time: at(0)})
			}
			return nil
		})
		cancel()
		if err == nil {
			total += 500
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancelled++
		}
		write(t, j, run, func(tx *journal.Tx) { tx.Event(event.Event{Kind: event.Note}) })
		total++
		events, err := j.Events(t.Context(), run, 0, 0)
		require.NoError(t, err)
		require.Len(t, events, total)
	}
	require.Positive(t, cancelled)
}

func TestManyMayWriteAndReadAtATime(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	run := begin(t, j, "p", 0)
	reader, err := journal.OpenForReading(t.Context(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()
	require.ErrorContains(t, reader.Write(t.Context(), run, func(tx *journal.Tx) error { tx.PostUpgrade(); return nil }), "open for reading only")
	var writers, all sync.WaitGroup
	over := make(chan struct{})
	for w := range 4 {
		journals := []*journal.Journal{j, open(t, dir)}
		writers.Go(func() {
			for n := range 25 {
				if err := journals[w%2].Write(t.Context(), run, func(tx *journal.Tx) error {
					unit := fmt.Sprintf("u%d-%d", w, n)
					tx.UnitStarted(unit, "d", []string{"a", "b"}, at(n))
					tx.UnitEnded(unit, journal.Ended, at(n+1))
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() { writers.Wait(); close(over) })
	all.Go(func() {
		for last := 0; ; {
			p, err := reader.Progress(t.Context(), run)
			if err != nil || len(p.Units) < last {
				t.Error("units went away", err)
			}
			last = len(p.Units)
			for id, u := range p.Units {
				if u.State != journal.Ended || len(u.Hosts) != 2 {
					t.Errorf("unit %s is half written: %v", id, u)
				}
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	all.Wait()
	p, err := reader.Progress(t.Context(), run)
	require.NoError(t, err)
	require.Len(t, p.Units, 100)
}

func TestAfterWriteCountsDurableTransactions(t *testing.T) {
	var seen []int
	j, err := journal.Open(t.Context(), t.TempDir(), journal.Options{AfterWrite: func(n int) { seen = append(seen, n) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	run := begin(t, j, "p", 0)
	write(t, j, run, func(*journal.Tx) {})
	write(t, j, run, func(tx *journal.Tx) { tx.PostUpgrade() })
	require.Error(t, j.Write(t.Context(), run, func(tx *journal.Tx) error { tx.OnceEnded("x", at(0)); return nil }))
	write(t, j, run, func(tx *journal.Tx) { tx.RunState(journal.Done, at(1)) })
	require.Equal(t, []int{1, 2, 3}, seen)
}

func BenchmarkEvents(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		j, err := journal.Open(b.Context(), b.TempDir(), journal.Options{})
		require.NoError(b, err)
		run, err := j.Begin(b.Context(), "p", []byte("{}"), journal.Invocation{Who: alice, Started: at(0)})
		require.NoError(b, err)
		require.NoError(b, j.Write(b.Context(), run, func(tx *journal.Tx) error {
			tx.ProcessStarted(journal.Process{Number: 1, Started: at(0)})
			return nil
		}))
		b.StartTimer()
		// 200 hosts, 100 tasks, in batches of 250.
		for n := range int64(80) {
			require.NoError(b, j.Write(b.Context(), run, func(tx *journal.Tx) error {
				events := make([]event.Event, 250)
				for k := range events {
					events[k] = event.Event{
						Kind: event.Changed, Time: at(k), Unit: "control-plane/1/step3/Controller", Host: fmt.Sprintf("host-%d", k), Seconds: 1.25,
						Task: &event.Task{ID: "5254008d-77c6-1c5e-8a2f-000000000012", Name: "nova_compute : restart the service", Action: "ansible.builtin.service", File: "control-plane/1/step3/Controller.yml", Line: 120, Source: "services/nova_compute.yaml:44"},
					}
				}
				tx.Taken(1, n, n+1, events...)
				return nil
			}))
		}
		b.StopTimer()
		require.NoError(b, j.Close())
		b.StartTimer()
	}
}
