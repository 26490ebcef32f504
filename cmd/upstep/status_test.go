package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
)

// upstep runs a command line in a folder and gives what it prints.
func upstep(t *testing.T, dir string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
	code = a.execute(t.Context(), append(args, "-C", dir))
	return code, stdout.String(), stderr.String()
}

// manyHosts records a run of two roles with 500 hosts each, of which one is rolling, that
// was killed: 30 hosts failed, 10 are out of traffic.
func manyHosts(t *testing.T) (dir string, run journal.RunID) {
	t.Helper()
	var web, app []string
	for n := range 500 {
		web, app = append(web, fmt.Sprintf("web%03d", n)), append(app, fmt.Sprintf("app%03d", n))
	}
	unit := func(id string, kind planner.Kind, role string) planner.Unit {
		return planner.Unit{ID: id, Kind: kind, Role: role, Step: 2, Segments: []planner.Segment{}}
	}
	parts := []planner.Unit{
		unit("main/2/drain/Web", planner.KindDrain, "Web"), unit("main/2/step2/Web", planner.KindStep, "Web"),
		unit("main/2/restore/Web", planner.KindRestore, "Web"),
	}
	plan := planner.Plan{
		Format: planner.Format, Ordering: "barrier", HostsKnown: true, Services: []planner.Service{},
		Roles: []planner.Role{
			{Name: "App", Hosts: "app", Members: app, Services: []string{}},
			{Name: "Web", Hosts: "web", Members: web, Services: []string{}, Rolling: &planner.Rolling{Drain: "host", Percentage: 100, MaxFailures: "0"}},
		},
		Stages: []planner.Stage{{Name: "main", Waves: []planner.Wave{
			{Number: 1, Steps: []planner.Step{{Number: 2, Name: "a name that somebody gave without thinking of narrow terminals", Units: []planner.Unit{unit("main/1/step2/App", planner.KindStep, "App")}}}},
			{Number: 2, Tracks: []planner.Track{{Role: "Web", Parts: parts}}},
		}}},
	}
	doc, err := plan.Encode()
	require.NoError(t, err)
	dir = t.TempDir()
	ctx, now := context.Background(), time.Now()
	j, err := journal.Open(ctx, dir, journal.Options{})
	require.NoError(t, err)
	run, err = j.Begin(ctx, "", doc, journal.Invocation{Who: journal.Who{User: "alice", Host: "ci-3", PID: 1, Command: []string{"run"}}, Started: now})
	require.NoError(t, err)
	require.NoError(t, j.Write(ctx, run, func(tx *journal.Tx) error {
		tx.UnitStarted("main/1/step2/App", "", app, now)
		for n, h := range app {
			state := journal.Host{State: journal.Ended, Ended: now}
			if n%20 == 0 { // in one of three ways
				state = journal.Host{State: journal.Failed, Ended: now, Message: fmt.Sprintf("no space %d\nmore", n%3), Task: &event.Task{Name: "Install", Source: "services/app.yaml:3"}}
			}
			tx.Host("main/1/step2/App", h, state)
		}
		tx.UnitStarted(parts[0].ID, "", web[:30], now)
		tx.UnitStarted(parts[1].ID, "", web[:30], now)
		for _, h := range web[:30] {
			tx.Host(parts[0].ID, h, journal.Host{State: journal.Ended, Ended: now})
		}
		return nil
	}))
	require.NoError(t, j.Close())
	return dir, run
}

func TestStatusOfManyHostsIsShort(t *testing.T) {
	dir, run := manyHosts(t)
	code, out, errs := upstep(t, dir, "status")
	require.Zero(t, code, errs)
	require.Contains(t, out, "run "+string(run)+": interrupted\n")
	words := strings.Join(strings.Fields(out), " ")
	require.Contains(t, words, "App 475 of 500 hosts (25 failed)")
	require.Contains(t, words, "Web 500 hosts: 470 untouched, 30 drained")
	require.Contains(t, words, "out of traffic web000, web001, ")
	require.Contains(t, words, "web019 and 10 more (Web): drained, left there")
	require.Contains(t, out, "\nfailed: main/1/step2/App\n  hosts:   app000, app060, app120, app180, app240, app300, app360, app420,\n           app480\n  task:    Install (services/app.yaml:3)\n  message: no space 0\n           more\n")
	require.Contains(t, out, "\nunknown: main/2/step2/Web\n  hosts:   30: web000, ")
	require.Less(t, strings.Count(out, "\n"), 45, out)
	for line := range strings.SplitSeq(out, "\n") {
		if !strings.Contains(line, dir) { // a command is never broken
			require.LessOrEqual(t, len(line), width, line)
		}
	}
	code, out, _ = upstep(t, dir, "status", string(run), "--hosts")
	require.Zero(t, code)
	require.Contains(t, out, "web499: untouched")
	require.Contains(t, strings.Join(strings.Fields(out), " "), "web028, web029 message: upstep was ended in the middle of it")
}

func TestStatusAsDocument(t *testing.T) {
	dir, run := manyHosts(t)
	code, out, errs := upstep(t, dir, "status", "-o", "json")
	require.Zero(t, code, errs)
	var s runStatus
	require.NoError(t, json.Unmarshal([]byte(out), &s))
	require.Equal(t, run, s.Run)
	require.Len(t, s.OutOfTraffic, 30)
	require.Len(t, s.Failures, 4, "three ways to fail, and what nobody saw the end of")
	require.Equal(t, map[string]int{"failed": 1, "partial": 1, "unknown": 1, "waiting": 1}, s.Units)
	code, out, errs = upstep(t, dir, "history", "-o", "yaml")
	require.Zero(t, code, errs)
	require.Contains(t, out, "state: interrupted")
}

func TestApprovalIsOfStagesThatAsk(t *testing.T) {
	dir, run := manyHosts(t)
	code, _, errs := upstep(t, dir, "approve")
	require.Equal(t, exitInvalid, code)
	require.Contains(t, errs, "no stage of run "+string(run)+" asks for approval")
	code, _, errs = upstep(t, dir, "approve", string(run)+"1", "main")
	require.Equal(t, exitInvalid, code)
	require.Contains(t, errs, `did you mean "`+string(run)+`"?`)
	code, out, errs := upstep(t, dir, "prune", "--keep", "0")
	require.Zero(t, code, errs)
	require.Equal(t, "0 runs removed, 1 kept\n", out)
}

// TestPruneKeepsTheOpenRunAndTheLastOnes looks at the journal and at the folders, one of
// which an interrupted prune has left.
func TestPruneKeepsTheOpenRunAndTheLastOnes(t *testing.T) {
	dir, open := manyHosts(t)
	j, err := journal.Open(t.Context(), dir, journal.Options{})
	require.NoError(t, err)
	ids := []string{string(open), "20200101-000000"}
	for n := range 3 {
		at := time.Now().Add(time.Duration(n+1) * time.Hour)
		id, err := j.Begin(t.Context(), "", []byte("{}"), journal.Invocation{Who: journal.Who{User: "alice"}, Started: at})
		require.NoError(t, err)
		require.NoError(t, j.Write(t.Context(), id, func(tx *journal.Tx) error { tx.RunState(journal.Done, at); return nil }))
		ids = append(ids, string(id))
	}
	require.NoError(t, j.Close())
	root := filepath.Join(dir, journal.Folder, "runs")
	for _, id := range ids {
		require.NoError(t, os.MkdirAll(filepath.Join(root, id, "playbooks"), 0o700))
	}
	prune := func(keep string, want ...string) {
		code, out, errs := upstep(t, dir, "prune", "--keep", keep)
		require.Zero(t, code, errs)
		require.Equal(t, want, strings.Split(strings.TrimSpace(out), "\n"))
	}
	prune("1", "removed run 20200101-000000", "removed run "+ids[2], "removed run "+ids[3], "3 runs removed, 2 kept")
	left, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, left, 2)
	prune("0", "removed run "+ids[4], "1 run removed, 1 kept")
	prune("0", "0 runs removed, 1 kept")
	require.DirExists(t, filepath.Join(root, string(open)), "a run that is not finished is never removed")
}

func TestStageThatWasApprovedIsNoLongerNext(t *testing.T) {
	dir, run := manyHosts(t)
	j, err := journal.Open(t.Context(), dir, journal.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	s := &invocation{app: &app{dir: "."}, journal: j, run: run}
	first, err := s.approveFirst(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, first, "nothing was asked")
	stage := "main"
	first, err = s.approveFirst(t.Context(), stage)
	require.NoError(t, err)
	require.Equal(t, "upstep approve "+string(run)+" main\n  then ", first)
	_, err = j.Ask(t.Context(), run, journal.Request{Ask: journal.Approve, Gate: stage, At: time.Now()})
	require.NoError(t, err)
	first, err = s.approveFirst(t.Context(), stage)
	require.NoError(t, err)
	require.Empty(t, first)
}
