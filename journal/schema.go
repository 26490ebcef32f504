package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	lib "modernc.org/sqlite/lib"
)

// applicationID marks the file as a journal of upstep: "upst".
const applicationID = 0x75707374

// migrations are the steps from an empty file to today's schema: step n makes schema
// n+1 of schema n. A step that was released never changes.
func migrations() []string { return []string{schema1} }

// Times are nanoseconds since 1970 in UTC.
const schema1 = `
CREATE TABLE plans (
	digest   TEXT PRIMARY KEY, -- SHA-256 in hex of the document
	document BLOB NOT NULL     -- gzip
) STRICT;

CREATE TABLE runs (
	number       INTEGER PRIMARY KEY AUTOINCREMENT,
	id           TEXT NOT NULL UNIQUE,
	plan         TEXT NOT NULL, -- its name
	state        TEXT NOT NULL,
	started      INTEGER NOT NULL,
	ended        INTEGER,
	post_upgrade INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE invocations (
	run       INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	number    INTEGER NOT NULL,
	who       TEXT NOT NULL, -- JSON
	plan      TEXT REFERENCES plans,
	started   INTEGER NOT NULL,
	ended     INTEGER,
	exit_code INTEGER,
	outcome   TEXT,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX invocations_plan ON invocations (plan);

CREATE TABLE units (
	number     INTEGER PRIMARY KEY,
	run        INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	id         TEXT NOT NULL,
	state      TEXT NOT NULL,
	started    INTEGER, -- first
	began      INTEGER, -- last
	ended      INTEGER,
	seconds    REAL NOT NULL DEFAULT 0, -- of the times that it ended
	lost       REAL NOT NULL DEFAULT 0, -- of the times that it did not
	once_ended INTEGER,
	UNIQUE (run, id)
) STRICT;

CREATE TABLE starts ( -- one for each time that a unit began
	number INTEGER PRIMARY KEY,
	unit   INTEGER NOT NULL REFERENCES units ON DELETE CASCADE,
	digest TEXT NOT NULL, -- of the text that was run
	at     INTEGER NOT NULL
) STRICT;

CREATE INDEX starts_unit ON starts (unit);

CREATE TABLE hosts (
	unit    INTEGER NOT NULL REFERENCES units ON DELETE CASCADE,
	host    TEXT NOT NULL,
	start   INTEGER, -- the last of its starts
	state   TEXT NOT NULL,
	changed INTEGER NOT NULL DEFAULT 0,
	tries   INTEGER NOT NULL DEFAULT 0,
	started INTEGER,
	ended   INTEGER,
	message TEXT,
	task    TEXT, -- JSON
	stderr  TEXT,
	PRIMARY KEY (unit, host)
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
	run     INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	number  INTEGER NOT NULL,
	book    TEXT NOT NULL,
	folder  TEXT NOT NULL,
	started INTEGER NOT NULL,
	ended   INTEGER,
	offset  INTEGER NOT NULL DEFAULT 0, -- bytes of its events that are taken in
	outcome TEXT,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	number  INTEGER PRIMARY KEY AUTOINCREMENT,
	run     INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	process INTEGER,
	event   TEXT NOT NULL -- JSON
) STRICT;

CREATE INDEX events_run ON events (run);

CREATE TABLE variables (
	number INTEGER PRIMARY KEY, -- in the order in which they were set last
	run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	kind   TEXT NOT NULL,
	host   TEXT NOT NULL,
	name   TEXT NOT NULL,
	value  TEXT, -- JSON; none of a secret
	secret INTEGER NOT NULL,
	task   TEXT NOT NULL,
	UNIQUE (run, kind, host, name)
) STRICT;

CREATE TABLE requests (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	ask    TEXT NOT NULL,
	gate   TEXT NOT NULL,
	who    TEXT NOT NULL, -- JSON
	at     INTEGER NOT NULL
) STRICT;

CREATE INDEX requests_run ON requests (run);

CREATE TABLE skips (
	number INTEGER PRIMARY KEY,
	run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	unit   TEXT NOT NULL,
	host   TEXT NOT NULL, -- empty: all that had not ended
	reason TEXT NOT NULL,
	who    TEXT NOT NULL, -- JSON
	at     INTEGER NOT NULL
) STRICT;

CREATE INDEX skips_run ON skips (run);
`

// look gives the version of the schema, 0 for an empty file. It changes nothing.
func look(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, path string, steps []string,
) (int, error) {
	var schema, application, tables int
	// One statement, so that all three are of one moment.
	err := db.QueryRowContext(ctx, `SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_user_version, pragma_application_id`).Scan(&schema, &application, &tables)
	switch {
	case err != nil:
		return 0, err
	case application == 0 && schema == 0 && tables == 0:
		return 0, nil
	case application != applicationID || schema < 1:
		return 0, &DamagedError{path, "is a SQLite database of another program"}
	case schema > len(steps):
		return 0, &NewerError{Path: path, Has: schema, Knows: len(steps)}
	}
	return schema, nil
}

// migrate brings a journal to today's schema in one transaction.
func migrate(ctx context.Context, db *sql.Conn, path string, steps []string) error {
	schema, err := look(ctx, db, path, steps)
	if err != nil {
		return err
	}
	if schema == 0 {
		// Pages that a prune frees can be given back; only possible before the first is written.
		if _, err := db.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
			return err
		}
	}
	if err := writeAhead(ctx, db); err != nil {
		return err
	}
	if schema == len(steps) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // says that it is over, after Commit
	if schema, err = look(ctx, tx, path, steps); err != nil {
		return err // another process was here first
	}
	for n := schema; n < len(steps); n++ {
		if _, err := tx.ExecContext(ctx, steps[n]); err != nil {
			return fmt.Errorf("migrate from schema %d to %d: %w", n, n+1, err)
		}
	}
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(steps))
	if _, err := tx.ExecContext(ctx, marks); err != nil {
		return err
	}
	return tx.Commit()
}

// writeAhead lets readers and a writer work side by side. SQLite does not wait where
// two processes ask for it at a time, so this does.
func writeAhead(ctx context.Context, db *sql.Conn) error {
	for try := 0; ; try++ {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return errors.New("the file system cannot hold it: SQLite's write-ahead log needs shared memory")
		case code(err)&0xff != lib.SQLITE_BUSY || try == 100:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
