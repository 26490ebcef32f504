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
	"io"
	"time"

	"github.com/upstep/upstep/event"
)

const selectRun = `SELECT r.id, r.plan, r.state, r.started, r.ended, r.post_upgrade, i.who
	FROM runs r JOIN invocations i ON i.run = r.number AND i.number = 1 `

// Runs gives the last runs, the latest first; limit 0 gives all.
func (j *Journal) Runs(ctx context.Context, limit int) ([]Run, error) {
	if limit <= 0 {
		limit = -1
	}
	return query(ctx, j, readRun, selectRun+`ORDER BY r.number DESC LIMIT ?1`, limit)
}

// Current gives the latest open run, nil if there is none.
func (j *Journal) Current(ctx context.Context) (*Run, error) {
	return first(query(ctx, j, readRun, selectRun+`WHERE r.state = ?1 ORDER BY r.number DESC LIMIT 1`, string(Unfinished)))
}

// Latest gives the latest run, nil if there is none.
func (j *Journal) Latest(ctx context.Context) (*Run, error) { return first(j.Runs(ctx, 1)) }

// Run gives a run; ErrNoRun if there is no such.
func (j *Journal) Run(ctx context.Context, id RunID) (Run, error) {
	r, err := first(query(ctx, j, readRun, selectRun+`WHERE r.id = ?1`, string(id)))
	if err == nil && r == nil {
		err = fmt.Errorf("run %s: %w", id, ErrNoRun)
	}
	if err != nil {
		return Run{}, err
	}
	return *r, nil
}

func first[T any](all []T, err error) (*T, error) {
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

func readRun(s scan) (r Run, err error) {
	err = s(&r.ID, &r.Plan, &r.State, at{&r.Started}, at{&r.Ended}, &r.PostUpgrade, document{&r.Who})
	return r, err
}

// Invocations gives the commands that worked on a run, in order.
func (j *Journal) Invocations(ctx context.Context, run RunID) ([]Invocation, error) {
	return query(ctx, j, func(s scan) (i Invocation, err error) {
		err = s(&i.Number, document{&i.Who}, &i.Plan, at{&i.Started}, at{&i.Ended}, &i.ExitCode, &i.Outcome)
		return i, err
	}, `SELECT number, who, plan, started, ended, coalesce(exit_code, 0), coalesce(outcome, '')
		FROM invocations WHERE run = `+ofRun+` ORDER BY number`, string(run))
}

// ofRun is the key of the run that is ?1; nothing is of a run that there is not.
const ofRun = `(SELECT number FROM runs WHERE id = ?1) `

// Plan gives a plan document by its SHA-256, byte for byte.
func (j *Journal) Plan(ctx context.Context, digest string) ([]byte, error) {
	packed, err := first(query(ctx, j, func(s scan) (b []byte, err error) {
		err = s(&b)
		return b, err
	}, `SELECT document FROM plans WHERE digest = ?1`, digest))
	if err != nil {
		return nil, err
	}
	if packed == nil {
		return nil, fmt.Errorf("the journal has no plan %s", digest)
	}
	r, err := gzip.NewReader(bytes.NewReader(*packed))
	if err != nil {
		return nil, &DamagedError{j.path, "plan " + digest + ": " + err.Error()}
	}
	plan, err := io.ReadAll(r)
	if sum := sha256.Sum256(plan); err != nil || hex.EncodeToString(sum[:]) != digest {
		return nil, &DamagedError{j.path, "plan " + digest + " is not what was recorded"}
	}
	return plan, nil
}

// Progress gives what a run has done so far, at one moment.
func (j *Journal) Progress(ctx context.Context, run RunID) (Progress, error) {
	p := Progress{Units: map[string]Unit{}}
	tx, err := j.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // all is of one moment
	if err != nil {
		return Progress{}, explain(j.path, "read journal", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	_, err = rows(ctx, tx, j.path, func(s scan) (struct{}, error) {
		var id string
		u := Unit{Hosts: map[string]Host{}}
		err := s(&id, &u.State, &u.Digest, at{&u.Started}, at{&u.Ended}, &u.Seconds, &u.Lost, at{&u.Once})
		p.Units[id] = u
		return struct{}{}, err
	}, `SELECT id, state, coalesce((SELECT digest FROM starts WHERE unit = units.number ORDER BY number DESC LIMIT 1), ''),
		started, ended, seconds, lost, once_ended FROM units WHERE run = `+ofRun, string(run))
	if err != nil {
		return Progress{}, err
	}
	_, err = rows(ctx, tx, j.path, func(s scan) (struct{}, error) {
		var unit, host string
		var h Host
		err := s(&unit, &host, &h.State, &h.Digest, &h.Changed, &h.Tries, at{&h.Started}, at{&h.Ended}, &h.Message, document{&h.Task}, &h.Stderr)
		if err == nil {
			p.Units[unit].Hosts[host] = h
		}
		return struct{}{}, err
	}, `SELECT u.id, h.host, h.state, coalesce(s.digest, ''), h.changed, h.tries, h.started, h.ended, coalesce(h.message, ''), h.task, coalesce(h.stderr, '')
		FROM units u JOIN hosts h ON h.unit = u.number LEFT JOIN starts s ON s.number = h.start WHERE u.run = `+ofRun, string(run))
	if err != nil {
		return Progress{}, err
	}
	p.Skips, err = rows(ctx, tx, j.path, func(s scan) (k Skip, err error) {
		err = s(&k.Unit, &k.Host, &k.Reason, document{&k.Who}, at{&k.At})
		return k, err
	}, `SELECT unit, host, reason, who, at FROM skips WHERE run = `+ofRun+` ORDER BY number`, string(run))
	return p, err
}

// Values gives the variables of a run in an order in which they can be set again:
// hosts that were added, groups, then variables, each as they were set last. Of
// secrets there is no JSON.
func (j *Journal) Values(ctx context.Context, run RunID) ([]event.Value, error) {
	return query(ctx, j, func(s scan) (v event.Value, err error) {
		var value sql.NullString
		err = s(&v.Kind, &v.Host, &v.Name, &value, &v.Secret, &v.Task)
		if value.Valid {
			v.JSON = json.RawMessage(value.String)
		}
		return v, err
	}, `SELECT kind, host, name, value, secret, task FROM variables WHERE run = `+ofRun+`
		ORDER BY CASE kind WHEN ?2 THEN 0 WHEN ?3 THEN 1 ELSE 2 END, number`, string(run), string(event.AddedHost), string(event.AddedTo))
}

// Processes gives the processes of a run, in the order of their numbers. Those without
// Ended are at work, or wait to be adopted.
func (j *Journal) Processes(ctx context.Context, run RunID) ([]Process, error) {
	return query(ctx, j, func(s scan) (p Process, err error) {
		err = s(&p.Number, &p.Book, &p.Folder, at{&p.Started}, at{&p.Ended}, &p.Offset, &p.Outcome)
		return p, err
	}, `SELECT number, book, folder, started, ended, offset, coalesce(outcome, '') FROM processes WHERE run = `+ofRun+` ORDER BY number`, string(run))
}

// Events gives the events of a run that come after a number, in the order in which they
// were recorded; limit 0 gives all.
func (j *Journal) Events(ctx context.Context, run RunID, after int64, limit int) ([]Recorded, error) {
	if limit <= 0 {
		limit = -1
	}
	return query(ctx, j, func(s scan) (r Recorded, err error) {
		err = s(&r.Number, &r.Process, document{&r.Event})
		return r, err
	}, `SELECT number, coalesce(process, 0), event FROM events WHERE run = `+ofRun+` AND number > ?2 ORDER BY number LIMIT ?3`,
		string(run), after, limit)
}

// Requests gives what was asked of a run after a request's number, in order.
func (j *Journal) Requests(ctx context.Context, run RunID, after int64) ([]Request, error) {
	return query(ctx, j, func(s scan) (r Request, err error) {
		err = s(&r.Number, &r.Ask, &r.Gate, document{&r.Who}, at{&r.At})
		return r, err
	}, `SELECT number, ask, gate, who, at FROM requests WHERE run = `+ofRun+` AND number > ?2 ORDER BY number`, string(run), after)
}

// Durations gives how many seconds each unit took in the last run of a plan that is
// done and in which the unit ended.
func (j *Journal) Durations(ctx context.Context, plan string) (map[string]float64, error) {
	out := map[string]float64{}
	_, err := query(ctx, j, func(s scan) (struct{}, error) {
		var unit string
		var seconds float64
		err := s(&unit, &seconds)
		out[unit] = seconds // of a later run
		return struct{}{}, err
	}, `SELECT u.id, u.seconds FROM units u JOIN runs r ON r.number = u.run
		WHERE r.plan = ?1 AND r.state = ?2 AND u.state = ?3 ORDER BY r.number`, plan, string(Done), string(Ended))
	return out, err
}

// scan takes a row apart.
type scan func(into ...any) error

// querier is a pool of connections or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func query[T any](ctx context.Context, j *Journal, read func(scan) (T, error), q string, args ...any) ([]T, error) {
	return rows(ctx, j.read, j.path, read, q, args...)
}

func rows[T any](ctx context.Context, db querier, path string, read func(scan) (T, error), q string, args ...any) (all []T, err error) {
	r, err := db.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, explain(path, "read journal", err)
	}
	defer func() { err = explain(path, "read journal", errors.Join(err, r.Close())) }()
	for r.Next() {
		v, err := read(r.Scan)
		if err != nil {
			return nil, &DamagedError{path, "a row cannot be read: " + err.Error()}
		}
		all = append(all, v)
	}
	return all, r.Err()
}

// at reads a time; none is the zero time.
type at struct{ to *time.Time }

// Scan is of sql.Scanner.
func (a at) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*a.to = time.Time{}
	case int64:
		*a.to = time.Unix(0, v).UTC()
	default:
		return fmt.Errorf("%T is no time", v)
	}
	return nil
}

// document reads JSON; none leaves the value as it is.
type document struct{ to any }

// Scan is of sql.Scanner.
func (d document) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), d.to)
	}
	return fmt.Errorf("%T is no JSON", v)
}
