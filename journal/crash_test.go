package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/upstep/upstep/event"
)

func noon(seconds int) time.Time {
	return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// writeChild goes on with the run of a journal until it is killed, and prints the
// number of each Write that returned.
func writeChild() {
	ctx := context.Background()
	j, err := Open(ctx, os.Args[1], Options{})
	if err != nil {
		panic(err)
	}
	r, err := j.Current(ctx)
	if err != nil {
		panic(err)
	}
	var n int
	if r == nil {
		id, err := j.Begin(ctx, "p", []byte("{}"), Invocation{Started: noon(0)})
		if err != nil {
			panic(err)
		}
		r = &Run{ID: id}
	} else {
		p, err := j.Progress(ctx, r.ID)
		if err != nil {
			panic(err)
		}
		n = len(p.Units)
	}
	for ; ; n++ {
		if err := j.Write(ctx, r.ID, func(tx *Tx) error { step(tx, n); return nil }); err != nil {
			panic(err)
		}
		fmt.Println(n + 1)
	}
}

// step tells of one unit in many rows, which whole checks.
func step(tx *Tx, n int) {
	if n == 0 {
		tx.ProcessStarted(Process{Number: 1, Started: noon(0)})
	}
	unit := "u" + strconv.Itoa(n)
	tx.UnitStarted(unit, "d", []string{"a", "b"}, noon(n))
	tx.Taken(1, int64(n), int64(n+1), event.Event{Kind: event.OK, Unit: unit, Stdout: string(bytes.Repeat([]byte("x"), 2000))})
	tx.Values([]event.Value{{Host: "a", Name: "last", JSON: []byte(strconv.Itoa(n))}})
	tx.Host(unit, "a", Host{State: Ended, Ended: noon(n)})
	tx.Host(unit, "b", Host{State: Ended, Ended: noon(n)})
	tx.UnitEnded(unit, Ended, noon(n+1))
}

// whole checks that a journal holds some number of steps, and nothing of a further one.
func whole(t *testing.T, j *Journal, run RunID) (steps int) {
	t.Helper()
	p, err := j.Progress(t.Context(), run)
	require.NoError(t, err)
	for n := range len(p.Units) {
		u := p.Units["u"+strconv.Itoa(n)]
		require.Equal(t, Ended, u.State)
		require.Equal(t, Ended, u.Hosts["a"].State)
		require.Equal(t, Ended, u.Hosts["b"].State)
	}
	events, err := j.Events(t.Context(), run, 0, 0)
	require.NoError(t, err)
	require.Len(t, events, len(p.Units))
	if len(events) > 0 {
		processes, err := j.Processes(t.Context(), run)
		require.NoError(t, err)
		require.Equal(t, int64(len(events)), processes[0].Offset)
		values, err := j.Values(t.Context(), run)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(len(events)-1), string(values[0].JSON))
	}
	return len(events)
}

func TestKilledAtAnyMomentNothingIsLostAndNothingIsHalf(t *testing.T) {
	dir := t.TempDir()
	seen := 0
	for round := range 25 {
		c := start(t, "write", dir)
		wait := time.Duration(rand.IntN(60_000)) * time.Microsecond //nolint:gosec // any moment will do
		// Later and later: a busy machine needs its time.
		time.AfterFunc(time.Duration(20+10*round)*time.Millisecond+wait, func() { _ = c.Process.Kill() })
		for c.lines.Scan() {
			n, err := strconv.Atoi(c.lines.Text())
			require.NoError(t, err)
			seen = n
		}
		_ = c.Wait()
		j, err := OpenForReading(t.Context(), dir)
		if errors.Is(err, ErrNone) && seen == 0 {
			continue
		}
		require.NoError(t, err)
		r, err := j.Current(t.Context())
		require.NoError(t, err)
		if r != nil {
			require.GreaterOrEqual(t, whole(t, j, r.ID), seen)
		}
		require.NoError(t, j.Close())
	}
	require.Positive(t, seen, "no process was given the time to write")
}

func TestWhileAnotherProcessWrites(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "write", dir)
	c.answer(t)
	go func() { // its answers must not fill the pipe
		for c.lines.Scan() {
		}
	}()
	reader, err := OpenForReading(t.Context(), dir)
	require.NoError(t, err)
	asker, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	r, err := reader.Current(t.Context())
	require.NoError(t, err)
	first, last := 0, 0
	for n := range 30 {
		p, err := reader.Progress(t.Context(), r.ID)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(p.Units), last)
		last = len(p.Units)
		if n == 0 {
			first = last
		}
		for _, u := range p.Units {
			require.Equal(t, Ended, u.State)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = asker.Ask(ctx, r.ID, Request{Ask: Cancel, At: noon(n)})
		cancel()
		require.NoError(t, err, "a request waits for long")
		time.Sleep(5 * time.Millisecond) // the lock is not fair: leave it to the other
	}
	require.Greater(t, last, first, "the other process was at work")
	asked, err := reader.Requests(t.Context(), r.ID, 0)
	require.NoError(t, err)
	require.Len(t, asked, 30)
	require.NoError(t, c.Process.Kill())
	require.NoError(t, asker.Close())
	require.NoError(t, reader.Close())
}

func TestEveryTransactionIsSyncedAndEventsAreFoundByTheirIndex(t *testing.T) {
	j, err := Open(t.Context(), t.TempDir(), Options{})
	require.NoError(t, err)
	var mode string
	var sync, keys int
	require.NoError(t, j.write.QueryRowContext(t.Context(), "SELECT journal_mode, synchronous, foreign_keys FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys").Scan(&mode, &sync, &keys))
	require.Equal(t, "wal", mode)
	require.Equal(t, 2, sync, "FULL")
	require.Equal(t, 1, keys)
	rows, err := j.read.QueryContext(t.Context(), `EXPLAIN QUERY PLAN SELECT event FROM events WHERE run = `+ofRun+` AND number > 5 ORDER BY number LIMIT 3`, "x")
	require.NoError(t, err)
	var plan []string
	for rows.Next() {
		var a, b, c int
		var detail string
		require.NoError(t, rows.Scan(&a, &b, &c, &detail))
		plan = append(plan, detail)
	}
	require.NoError(t, rows.Err())
	require.Contains(t, plan[0], "events_run (run=? AND rowid>?)")
	require.NoError(t, j.Close())
}

// contents makes a journal with some steps and gives its files, with the log beside it.
func contents(t *testing.T, steps int) (db, wal []byte) {
	t.Helper()
	dir := t.TempDir()
	j, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	run, err := j.Begin(t.Context(), "p", []byte("{}"), Invocation{Started: noon(0)})
	require.NoError(t, err)
	for n := range steps {
		require.NoError(t, j.Write(t.Context(), run, func(tx *Tx) error { step(tx, n); return nil }))
	}
	wal, err = os.ReadFile(filepath.Join(dir, Folder, FileName+"-wal"))
	require.NoError(t, err)
	empty, err := os.ReadFile(filepath.Join(dir, Folder, FileName))
	require.NoError(t, err)
	require.NotEmpty(t, empty)
	require.NoError(t, j.Close())
	db, err = os.ReadFile(filepath.Join(dir, Folder, FileName))
	require.NoError(t, err)
	if steps <= few {
		db = empty // what the log holds is not in it yet
	}
	return db, wal
}

// few steps stay in the log.
const few = 20

func place(t *testing.T, dir string, db, wal []byte) string {
	t.Helper()
	path := filepath.Join(dir, Folder, FileName)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, db, 0o600))
	if wal != nil {
		require.NoError(t, os.WriteFile(path+"-wal", wal, 0o600))
	}
	return path
}

func sqlFile(t *testing.T, statements string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), statements)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

func TestWhatIsNoJournalIsNamedAndLeftAlone(t *testing.T) {
	good, _ := contents(t, 40)
	cases := map[string]struct {
		data []byte
		want string
	}{
		"a short text":                      {[]byte("hello"), "is no SQLite database"},
		"a long text":                       {bytes.Repeat([]byte("hello, "), 5000), "is no SQLite database"},
		"zeroes":                            {make([]byte, 8192), "is no SQLite database"},
		"cut in the middle":                 {good[:len(good)/2], "is damaged: "},
		"cut in its first page":             {good[:1000], "is damaged: "},
		"the schema written over":           {append(append(bytes.Clone(good[:100]), bytes.Repeat([]byte{0xff}, 3996)...), good[4096:]...), "is damaged: "},
		"another program's":                 {sqlFile(t, `CREATE TABLE cats (name TEXT)`), "is a SQLite database of another program"},
		"another program's, marked as such": {sqlFile(t, `PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE cats (name TEXT)`), "is a SQLite database of another program"},
		"a later upstep's":                  {sqlFile(t, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = 99; CREATE TABLE cats (name TEXT)`, applicationID)), "has schema 99, and this upstep knows schemas up to 1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := place(t, dir, c.data, nil)
			_, err := Open(t.Context(), dir, Options{})
			require.ErrorContains(t, err, "journal "+path)
			require.ErrorContains(t, err, c.want)
			var hint interface{ Hint() string }
			require.ErrorAs(t, err, &hint)
			require.NotEmpty(t, hint.Hint())
			_, err = OpenForReading(t.Context(), dir)
			require.ErrorContains(t, err, c.want)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(c.data, after), "the file was changed")
		})
	}
}

func TestADamagedJournalNeverPanics(t *testing.T) {
	good, _ := contents(t, 40)
	found := 0
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same at each test
		bad := bytes.Clone(good)
		for range 1 + r.IntN(200) {
			bad[r.IntN(len(bad))] = byte(r.Int())
		}
		if r.IntN(3) == 0 {
			bad = bad[:r.IntN(len(bad))]
		}
		dir := t.TempDir()
		place(t, dir, bad, nil)
		if err := readAll(t.Context(), dir); err != nil && !errors.Is(err, ErrNone) {
			found++
			require.ErrorContains(t, err, FileName, "seed %d", seed)
		}
	}
	require.Greater(t, found, 20)
}

// readAll reads whatever a journal holds.
func readAll(ctx context.Context, dir string) error {
	j, err := OpenForReading(ctx, dir)
	if err != nil {
		return err
	}
	runs, err := j.Runs(ctx, 0)
	for _, r := range runs {
		_, e1 := j.Progress(ctx, r.ID)
		_, e2 := j.Events(ctx, r.ID, 0, 0)
		_, e3 := j.Values(ctx, r.ID)
		_, e4 := j.Processes(ctx, r.ID)
		_, e5 := j.Invocations(ctx, r.ID)
		_, e6 := j.Durations(ctx, r.Plan)
		err = errors.Join(err, e1, e2, e3, e4, e5, e6)
	}
	return errors.Join(err, j.Close())
}

func TestThereIsNoJournalYet(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenForReading(t.Context(), dir)
	require.ErrorIs(t, err, ErrNone)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files, "reading made something")
	place(t, dir, nil, nil)
	_, err = OpenForReading(t.Context(), dir)
	require.ErrorIs(t, err, ErrNone)
}

func TestAJournalOfSchema1Opens(t *testing.T) {
	statements, err := os.ReadFile("testdata/schema1.sql")
	require.NoError(t, err)
	old := sqlFile(t, string(statements))
	for _, open := range []func(string) (*Journal, error){
		func(dir string) (*Journal, error) { return Open(t.Context(), dir, Options{}) },
		func(dir string) (*Journal, error) { return OpenForReading(t.Context(), dir) },
	} {
		dir := t.TempDir()
		place(t, dir, old, nil)
		j, err := open(dir)
		require.NoError(t, err)
		r, err := j.Current(t.Context())
		require.NoError(t, err)
		require.Equal(t, "alice", r.Who.User)
		require.Equal(t, noon(0), r.Started)
		p, err := j.Progress(t.Context(), r.ID)
		require.NoError(t, err)
		u := p.Units["control-plane/1/step3/Controller"]
		require.Equal(t, "stop", u.Hosts["b"].Task.Name)
		require.Equal(t, "d1", u.Hosts["a"].Digest)
		require.Equal(t, "dead", p.Skips[0].Reason)
		calls, err := j.Invocations(t.Context(), r.ID)
		require.NoError(t, err)
		plan, err := j.Plan(t.Context(), calls[0].Plan)
		require.NoError(t, err)
		require.Equal(t, "{}", string(plan))
		events, err := j.Events(t.Context(), r.ID, 0, 0)
		require.NoError(t, err)
		require.Equal(t, "a", events[0].Host)
		values, err := j.Values(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, "1", string(values[0].JSON))
		asked, err := j.Requests(t.Context(), r.ID, 0)
		require.NoError(t, err)
		require.Equal(t, Approve, asked[0].Ask)
		processes, err := j.Processes(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, int64(120), processes[0].Offset)
		require.NoError(t, j.Close())
	}
}

func TestMigration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, Folder, FileName)
	j, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	run, err := j.Begin(t.Context(), "p", []byte("{}"), Invocation{Started: noon(0)})
	require.NoError(t, err)
	steps := append(migrations(), `ALTER TABLE runs ADD COLUMN mood TEXT; UPDATE runs SET mood = 'good'`)

	// Readers of today read a journal of yesterday that is being written, and change nothing.
	reader, err := openForReading(t.Context(), path, steps)
	require.NoError(t, err)
	got, err := reader.Run(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, run, got.ID)
	copied := reader.temp
	require.DirExists(t, copied)
	require.NoError(t, reader.Close())
	require.NoDirExists(t, copied)
	require.NoError(t, j.Close())

	_, err = openWith(t.Context(), path, Options{}, append(steps, `CREATE TABLE half (x); nonsense`))
	require.ErrorContains(t, err, "migrate from schema 2 to 3")
	j, err = Open(t.Context(), dir, Options{})
	require.NoError(t, err, "a migration that broke off changed nothing")
	require.NoError(t, j.Close())

	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			j, err := openWith(t.Context(), path, Options{}, steps)
			if err != nil {
				t.Error(err)
				return
			}
			var mood string
			if err := j.read.QueryRowContext(t.Context(), `SELECT mood FROM runs`).Scan(&mood); err != nil || mood != "good" {
				t.Error(mood, err)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, err = Open(t.Context(), dir, Options{})
	var newer *NewerError
	require.ErrorAs(t, err, &newer)
	require.EqualError(t, err, "journal "+path+" has schema 2, and this upstep knows schemas up to 1")
}

func TestManyOpenANewJournalAtATime(t *testing.T) {
	for range 5 {
		dir := t.TempDir()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				j, err := Open(t.Context(), dir, Options{})
				if err == nil {
					_, err = j.Begin(t.Context(), "p", nil, Invocation{Started: noon(0)})
					err = errors.Join(err, j.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		j, err := OpenForReading(t.Context(), dir)
		require.NoError(t, err)
		runs, err := j.Runs(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, runs, 6)
		require.NoError(t, j.Close())
	}
}

// mount gives a file system of some size in memory, or says aloud that it cannot.
func mount(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("SKIPPED: a file system of its own needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestOnAFullDiskNothingIsHalfWritten(t *testing.T) {
	for _, size := range []string{"400k", "1500k", "5m"} {
		t.Run(size, func(t *testing.T) {
			dir := mount(t, size)
			j, err := Open(t.Context(), dir, Options{})
			require.NoError(t, err)
			run, err := j.Begin(t.Context(), "p", []byte("{}"), Invocation{Started: noon(0)})
			require.NoError(t, err)
			n := 0
			for ; err == nil; n++ {
				require.Less(t, n, 2000, "the disk is never full")
				err = j.Write(t.Context(), run, func(tx *Tx) error { step(tx, n); return nil })
			}
			n--
			require.ErrorContains(t, err, "full")
			var hint interface{ Hint() string }
			require.ErrorAs(t, err, &hint)
			require.Equal(t, n, whole(t, j, run), "in the process that met it")
			require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=16m"))
			for range 5 {
				require.NoError(t, j.Write(t.Context(), run, func(tx *Tx) error { step(tx, n); return nil }))
				n++
			}
			require.NoError(t, j.Close())
			j, err = Open(t.Context(), dir, Options{})
			require.NoError(t, err)
			require.Equal(t, n, whole(t, j, run), "opened anew")
			require.NoError(t, j.Close())
		})
	}
}

func TestAFullDiskFromTheBeginning(t *testing.T) {
	dir := mount(t, "64k")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big"), make([]byte, 44_000), 0o600))
	_, err := Open(t.Context(), dir, Options{})
	require.ErrorContains(t, err, "full")
	require.NoError(t, os.Remove(filepath.Join(dir, "big")))
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=8m"))
	j, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	require.NoError(t, j.Close())
}

func TestAReadOnlyFileSystem(t *testing.T) {
	for name, steps := range map[string]int{"with what is in the log only": few, "closed": 100} {
		t.Run(name, func(t *testing.T) {
			db, wal := contents(t, steps)
			if steps > few {
				wal = nil
			}
			dir := mount(t, "8m")
			place(t, dir, db, wal)
			require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			j, err := OpenForReading(t.Context(), dir)
			require.NoError(t, err)
			r, err := j.Current(t.Context())
			require.NoError(t, err)
			require.NotNil(t, r)
			require.Equal(t, steps, whole(t, j, r.ID))
			require.NoError(t, j.Close())
			_, err = Open(t.Context(), dir, Options{})
			require.ErrorContains(t, err, "read-only file system")
		})
	}
}
