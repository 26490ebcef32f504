package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/upstep/upstep/event"
)

// Begin records a new run of the plan called name, and its first invocation, which
// follows the plan document. Number, Plan and how it ended are not read from i.
func (j *Journal) Begin(ctx context.Context, name string, document []byte, i Invocation) (RunID, error) {
	var id RunID
	err := j.commit(ctx, "begin run", func(t *transaction) error {
		stem := i.Started.UTC().Format("20060102-150405")
		id = RunID(stem)
		for n := 2; ; n++ {
			touched, err := t.exec(ctx, `INSERT INTO runs (id, plan, state, started) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`,
				string(id), name, string(Unfinished), nanos(i.Started))
			if err != nil {
				return err
			}
			if touched == 1 {
				break
			}
			id = RunID(fmt.Sprintf("%s-%d", stem, n))
		}
		_, err := t.invoke(ctx, id, document, i)
		return err
	})
	return id, err
}

// Invoke records that another command works on a run, and gives its number.
func (j *Journal) Invoke(ctx context.Context, run RunID, document []byte, i Invocation) (number int, err error) {
	err = j.commit(ctx, "go on with run "+string(run), func(t *transaction) error {
		number, err = t.invoke(ctx, run, document, i)
		return err
	})
	return number, err
}

func (t *transaction) invoke(ctx context.Context, run RunID, document []byte, i Invocation) (int, error) {
	key, err := t.run(ctx, run)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(document)
	digest := hex.EncodeToString(sum[:])
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(document)
	if err := errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	if _, err := t.exec(ctx, `INSERT INTO plans (digest, document) VALUES (?1, ?2) ON CONFLICT DO NOTHING`, digest, packed.Bytes()); err != nil {
		return 0, err
	}
	who, err := json.Marshal(i.Who)
	if err != nil {
		return 0, err
	}
	var number int
	err = t.row(ctx, `INSERT INTO invocations (run, number, who, plan, started)
		VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM invocations WHERE run = ?1), ?2, ?3, ?4) RETURNING number`,
		[]any{key, string(who), digest, nanos(i.Started)}, &number)
	return number, err
}

// Ask records a request, for the process that has the run in hand to read.
func (j *Journal) Ask(ctx context.Context, run RunID, r Request) (number int64, err error) {
	who, err := json.Marshal(r.Who)
	if err != nil {
		return 0, err
	}
	err = j.commit(ctx, "ask run "+string(run), func(t *transaction) error {
		key, err := t.run(ctx, run)
		if err != nil {
			return err
		}
		return t.row(ctx, `INSERT INTO requests (run, ask, gate, who, at) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING number`,
			[]any{key, string(r.Ask), r.Gate, string(who), nanos(r.At)}, &number)
	})
	return number, err
}

// Write records what f tells, all of it or nothing. Once it has returned nil, what
// was told is on disk. What happened is worth recording after a cancellation too:
// the caller then gives a context that is not cancelled.
func (j *Journal) Write(ctx context.Context, run RunID, f func(*Tx) error) error {
	var tx Tx
	if err := errors.Join(f(&tx), tx.err); err != nil {
		return err
	}
	if len(tx.changes) == 0 {
		return nil
	}
	return j.commit(ctx, "record run "+string(run), func(t *transaction) error {
		key, err := t.run(ctx, run)
		if err != nil {
			return err
		}
		for _, c := range tx.changes {
			touched, err := t.exec(ctx, c.query, append([]any{key}, c.args...)...)
			if err != nil {
				return err
			}
			if touched == 0 && c.untouched != nil {
				return fmt.Errorf("run %s: %w", run, c.untouched)
			}
		}
		return nil
	})
}

// Tx gathers what happened, for one durable transaction, in the order of its calls.
// A mistake in a call is what Write returns.
type Tx struct {
	changes []change
	err     error
}

type change struct {
	query     string // ?1 is the run
	args      []any  // from ?2
	untouched error  // what it means that no row was; nil: nothing
}

func (t *Tx) add(untouched error, query string, args ...any) {
	t.changes = append(t.changes, change{query, args, untouched})
}

func (t *Tx) json(v any) string {
	data, err := json.Marshal(v)
	t.err = errors.Join(t.err, err)
	return string(data)
}

// UnitStarted records that a unit begins on hosts, with the digest of its text. What
// these hosts did in it before is history then, except that they changed something.
func (t *Tx) UnitStarted(unit, digest string, hosts []string, at time.Time) {
	t.add(nil, `INSERT INTO units (run, id, state, started, began) VALUES (?1, ?2, ?3, ?4, ?4)
		ON CONFLICT (run, id) DO UPDATE SET state = ?3, started = coalesce(started, ?4), began = ?4, ended = NULL`,
		unit, string(Started), nanos(at))
	t.add(nil, `INSERT INTO starts (unit, digest, at) SELECT number, ?3, ?4 FROM units WHERE run = ?1 AND id = ?2`, unit, digest, nanos(at))
	for _, h := range hosts {
		t.add(nil, `INSERT INTO hosts (unit, host, start, state, tries, started)
			SELECT number, ?3, (SELECT max(number) FROM starts WHERE unit = units.number), ?4, 1, ?5 FROM units WHERE run = ?1 AND id = ?2
			ON CONFLICT (unit, host) DO UPDATE SET start = excluded.start, state = ?4, tries = tries + 1, started = ?5,
			ended = NULL, message = NULL, task = NULL, stderr = NULL`,
			unit, h, string(Started), nanos(at))
	}
}

// Host records how a host left a unit that has started. Of h, State, Changed, Ended,
// Message, Task and Stderr are taken.
func (t *Tx) Host(unit, host string, h Host) {
	var task any
	if h.Task != nil {
		task = t.json(h.Task)
	}
	t.add(fmt.Errorf("host %s in unit %s: the unit has not started", host, unit), `INSERT INTO hosts (unit, host, state, changed, ended, message, task, stderr)
		SELECT number, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM units WHERE run = ?1 AND id = ?2
		ON CONFLICT (unit, host) DO UPDATE SET state = excluded.state, changed = changed OR excluded.changed,
		ended = excluded.ended, message = excluded.message, task = excluded.task, stderr = excluded.stderr`,
		unit, host, string(h.State), h.Changed, nanos(h.Ended), text(h.Message), task, text(h.Stderr))
}

// OnceEnded records that the run_once task of a unit ended, which must not run again.
func (t *Tx) OnceEnded(unit string, at time.Time) {
	t.add(fmt.Errorf("unit %s has not started", unit), `UPDATE units SET once_ended = ?3 WHERE run = ?1 AND id = ?2`, unit, nanos(at))
}

// UnitEnded records how a unit that has started came to its end.
func (t *Tx) UnitEnded(unit string, s State, at time.Time) {
	column := "lost"
	if s.Passed() {
		column = "seconds"
	}
	t.add(fmt.Errorf("unit %s has not started", unit), `UPDATE units SET state = ?3, ended = ?4,
		`+column+` = `+column+` + iif(state = '`+string(Started)+`', max(0, ?4 - began) / 1e9, 0) WHERE run = ?1 AND id = ?2`,
		unit, string(s), nanos(at))
}

// Skip records that a person takes a unit as done, on one host or on all that have not
// ended it. The unit need not have started.
func (t *Tx) Skip(s Skip) {
	t.add(nil, `INSERT INTO skips (run, unit, host, reason, who, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		s.Unit, s.Host, s.Reason, t.json(s.Who), nanos(s.At))
	if s.Host != "" {
		t.add(nil, `INSERT INTO units (run, id, state) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`, s.Unit, string(Waiting))
		t.add(nil, `INSERT INTO hosts (unit, host, state, ended) SELECT number, ?3, ?4, ?5 FROM units WHERE run = ?1 AND id = ?2
			ON CONFLICT (unit, host) DO UPDATE SET state = ?4, ended = ?5`, s.Unit, s.Host, string(Skipped), nanos(s.At))
		return
	}
	t.add(nil, `INSERT INTO units (run, id, state, ended) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (run, id) DO UPDATE SET state = ?3, ended = ?4`, s.Unit, string(Skipped), nanos(s.At))
	t.add(nil, `UPDATE hosts SET state = ?3, ended = ?4 WHERE unit = (SELECT number FROM units WHERE run = ?1 AND id = ?2) AND state <> ?5`,
		s.Unit, string(Skipped), nanos(s.At), string(Ended))
}

// ProcessStarted records a process that is about to start; nothing of its events is
// taken in yet. Its Number, Book, Folder and Started are taken.
func (t *Tx) ProcessStarted(p Process) {
	t.add(nil, `INSERT INTO processes (run, number, book, folder, started) VALUES (?1, ?2, ?3, ?4, ?5)`, p.Number, p.Book, p.Folder, nanos(p.Started))
}

// OffsetError says that events would be taken in twice, or left out.
type OffsetError struct {
	Process int
	From    int64
}

// Error gives the process and the offset.
func (e *OffsetError) Error() string {
	return fmt.Sprintf("the events of process %d are not taken in up to byte %d", e.Process, e.From)
}

// Taken records the events that stand in a process's file between two offsets. Each
// is taken in exactly once: where an earlier Write got to another offset than from,
// this one is an *OffsetError.
func (t *Tx) Taken(process int, from, to int64, events ...event.Event) {
	t.add(&OffsetError{process, from}, `UPDATE processes SET offset = ?4 WHERE run = ?1 AND number = ?2 AND offset = ?3`, process, from, to)
	for _, e := range events {
		t.event(process, e)
	}
}

// ProcessEnded records that a process is gone and its events are taken in.
func (t *Tx) ProcessEnded(number int, outcome string, at time.Time) {
	t.add(fmt.Errorf("process %d has not started", number), `UPDATE processes SET ended = ?3, outcome = ?4 WHERE run = ?1 AND number = ?2`,
		number, nanos(at), outcome)
}

// Event records an event of upstep's own.
func (t *Tx) Event(e event.Event) { t.event(nil, e) }

// event keeps values apart from their event, so that each stands once and no secret
// is among them.
func (t *Tx) event(process any, e event.Event) {
	t.Values(e.Values)
	if len(e.Values) > 0 {
		bare := make([]event.Value, len(e.Values))
		for n, v := range e.Values {
			v.JSON = nil
			bare[n] = v
		}
		e.Values = bare
	}
	t.add(nil, `INSERT INTO events (run, process, event) VALUES (?1, ?2, ?3)`, process, t.json(e))
}

// Values records variables of hosts, over those they had before. Of a secret only the
// name is kept, and the task that set it. Taken and Event do this for their events.
func (t *Tx) Values(values []event.Value) {
	for _, v := range values {
		var value any
		switch {
		case v.Secret || v.JSON == nil:
		case !json.Valid(v.JSON):
			t.err = errors.Join(t.err, fmt.Errorf("variable %s of host %s is no JSON", v.Name, v.Host))
		default:
			value = string(v.JSON)
		}
		t.add(nil, `INSERT OR REPLACE INTO variables (run, kind, host, name, value, secret, task) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
			string(v.Kind), v.Host, v.Name, value, v.Secret, v.Task)
	}
}

// PostUpgrade records that post_upgrade begins.
func (t *Tx) PostUpgrade() { t.add(nil, `UPDATE runs SET post_upgrade = 1 WHERE number = ?1`) }

// RunState records how a run came to its end, or that it is open again.
func (t *Tx) RunState(s RunState, at time.Time) {
	ended := nanos(at)
	if s == Unfinished {
		ended = nil
	}
	t.add(nil, `UPDATE runs SET state = ?2, ended = ?3 WHERE number = ?1`, string(s), ended)
}

// InvocationEnded records how a command came to its end.
func (t *Tx) InvocationEnded(number, exitCode int, outcome string, at time.Time) {
	t.add(fmt.Errorf("there is no invocation %d", number), `UPDATE invocations SET ended = ?3, exit_code = ?4, outcome = ?5 WHERE run = ?1 AND number = ?2`,
		number, nanos(at), exitCode, outcome)
}

// Prune removes all but the last keep runs, and never one that is open. What lies in
// folders of the removed runs is the caller's to remove.
func (j *Journal) Prune(ctx context.Context, keep int) (removed []RunID, err error) {
	err = j.commit(ctx, "prune", func(t *transaction) error {
		rows, err := t.tx.QueryContext(ctx, `DELETE FROM runs WHERE state <> ?1
			AND number NOT IN (SELECT number FROM runs ORDER BY number DESC LIMIT ?2) RETURNING id`, string(Unfinished), max(keep, 0))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id RunID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			removed = append(removed, id)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM plans WHERE digest NOT IN (SELECT plan FROM invocations WHERE plan IS NOT NULL)`)
		return err
	})
	if err != nil || len(removed) == 0 {
		return nil, err
	}
	slices.Sort(removed)
	// Gives pages back to the file system; the record is right without it.
	return removed, j.commit(ctx, "shrink", func(t *transaction) error {
		rows, err := t.tx.QueryContext(ctx, "PRAGMA incremental_vacuum")
		if err != nil {
			return err
		}
		for rows.Next() {
			// Each row is a page.
		}
		return errors.Join(rows.Err(), rows.Close())
	})
}

// transaction is one durable transaction at work.
type transaction struct {
	journal *Journal
	tx      *sql.Tx
}

// commit does f in one durable transaction.
func (j *Journal) commit(ctx context.Context, doing string, f func(*transaction) error) error {
	n, err := j.transact(ctx, f)
	if err != nil {
		return explain(j.path, doing, err)
	}
	if j.after != nil {
		j.after(n)
	}
	return nil
}

func (j *Journal) transact(ctx context.Context, f func(*transaction) error) (int, error) {
	if j.write == nil {
		return 0, errors.New("the journal is open for reading only")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	tx, err := j.begin(ctx)
	if err != nil {
		return 0, err
	}
	err = f(&transaction{j, tx})
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		_ = tx.Rollback() // after a full disk, for one, SQLite has done so already
		return 0, err
	}
	j.written++
	return j.written, nil
}

// begin waits until no other process writes. SQLite's own waiting sleeps ever longer,
// so that beside a busy run a request to cancel it would wait for seconds.
func (j *Journal) begin(ctx context.Context) (*sql.Tx, error) {
	const pause, longest = 500 * time.Microsecond, 30 * time.Second
	for waited := time.Duration(0); ; waited += pause {
		// A cancellation stops what is done in it, but never the commit: whether that was
		// done would be anyone's guess.
		tx, err := j.write.BeginTx(context.WithoutCancel(ctx), nil)
		if code(err)&0xff != lib.SQLITE_BUSY || waited >= longest {
			return tx, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// stmt gives a statement that is compiled once while the journal is open. There is one
// connection, so that it is done in the transaction.
func (t *transaction) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := t.journal.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.journal.write.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.journal.stmts[query] = s
	return s, nil
}

// exec gives how many rows were touched.
func (t *transaction) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *transaction) row(ctx context.Context, query string, args []any, into ...any) error {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

// run gives the key of a run.
func (t *transaction) run(ctx context.Context, id RunID) (int64, error) {
	var key int64
	err := t.row(ctx, `SELECT number FROM runs WHERE id = ?1`, []any{string(id)}, &key)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("run %s: %w", id, ErrNoRun)
	}
	return key, err
}

// nanos is a time as the journal keeps it, nil for none.
func nanos(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// text is a text as the journal keeps it, nil for none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
