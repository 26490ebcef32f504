// Package journal is the durable record of runs: what a Write has returned for is on
// disk, whole, and stays readable while others write, whenever the process is killed.
//
// It is one SQLite file, .upstep/journal.db, and beside it the lock of the project.
package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Where a project keeps what runs leave behind.
const (
	Folder   = ".upstep" // in the project's folder
	FileName = "journal.db"
)

// ErrNone says that the project has no journal: nothing was ever run.
var ErrNone = errors.New("nothing was run in this project yet")

// ErrNoRun says that the journal does not have the run that was asked for.
var ErrNoRun = errors.New("the journal has no such run")

// Options are for Open; the zero value is right for a run.
type Options struct {
	// AfterWrite is called after each durable transaction with their number since Open.
	AfterWrite func(n int)
}

// Journal is an open journal. It may be used by several goroutines.
type Journal struct {
	path  string
	write *sql.Conn // nil when open for reading
	db    *sql.DB   // of write
	read  *sql.DB
	after func(int)
	temp  string // the folder of a copy that is read instead

	mu      sync.Mutex // held while a transaction is written
	stmts   map[string]*sql.Stmt
	written int
	closed  bool
}

// Open opens the journal of the project in dir for reading and writing, and makes it
// where there is none. Several processes may have it open. A file that is damaged or
// no journal is a *DamagedError, one of a later upstep a *NewerError; neither is touched.
func Open(ctx context.Context, dir string, o Options) (*Journal, error) {
	if err := makeFolder(filepath.Join(dir, Folder)); err != nil {
		return nil, err
	}
	return openWith(ctx, filepath.Join(dir, Folder, FileName), o, migrations())
}

func openWith(ctx context.Context, path string, o Options, steps []string) (*Journal, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	// A transaction takes the write lock when it begins, so that it never fails halfway.
	db, err := connect(path, "rw", 1, "_txlock=immediate")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err == nil {
		err = migrate(ctx, conn, path, steps)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "PRAGMA busy_timeout = 0") // begin waits itself
	}
	if err != nil {
		return nil, errors.Join(explain(path, "open journal", err), db.Close())
	}
	read, err := connect(path, "rw", readers, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Journal{path: path, db: db, write: conn, read: read, after: o.AfterWrite, stmts: map[string]*sql.Stmt{}}, nil
}

// OpenForReading opens a journal that others may be writing, without ever changing
// it; ErrNone when there is none. On a read-only file system, and when an earlier
// upstep wrote it, it reads a copy.
func OpenForReading(ctx context.Context, dir string) (*Journal, error) {
	path := filepath.Join(dir, Folder, FileName)
	return openForReading(ctx, path, migrations())
}

func openForReading(ctx context.Context, path string, steps []string) (*Journal, error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil, ErrNone
	case err != nil:
		return nil, err
	}
	db, err := connect(path, "ro", readers, "")
	if err != nil {
		return nil, err
	}
	schema, err := look(ctx, db, path, steps)
	var copied string
	switch {
	case unwritable(err):
		// SQLite needs to make an index of the write-ahead log beside it.
		copied, err = copyFiles(path)
	case err == nil && schema == 0:
		err = ErrNone // its making was interrupted
	case err == nil && schema < len(steps):
		copied, err = snapshot(ctx, db)
	case err == nil:
		return &Journal{path: path, read: db}, nil
	}
	err = errors.Join(explain(path, "open journal", err), db.Close())
	if err != nil {
		return nil, errors.Join(err, removeCopy(copied))
	}
	j, err := openWith(ctx, filepath.Join(copied, FileName), Options{}, steps)
	if err != nil {
		return nil, errors.Join(err, removeCopy(copied))
	}
	err = errors.Join(j.write.Close(), j.db.Close())
	j.write, j.temp, j.path = nil, copied, path
	return j, err
}

// Close closes the journal; once is enough. What Write returned for is on disk already.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	var errs []error
	for _, s := range j.stmts {
		errs = append(errs, s.Close())
	}
	errs = append(errs, j.read.Close())
	if j.write != nil {
		errs = append(errs, j.write.Close(), j.db.Close()) // last, so that it takes the log into the file
	}
	errs = append(errs, removeCopy(j.temp))
	return explain(j.path, "close journal", errors.Join(errs...))
}

// readers is how many goroutines read at a time.
const readers = 4

// connect prepares connections; the first use opens one.
func connect(path, mode string, conns int, more string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: abs}
	// A full sync of every transaction: a unit's start must survive a power cut.
	u.RawQuery = "mode=" + mode + "&_pragma=busy_timeout(30000)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&" + more
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// makeFolder makes .upstep, for its owner alone and kept out of Git.
func makeFolder(dir string) error {
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncFolder(filepath.Dir(dir)); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Lstat(ignore); errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(ignore, []byte("*\n"), 0o600)
	}
	return nil
}

// makeFile makes an empty file where there is none: SQLite gives its other files the
// mode of the first. An existing file is not opened, because closing it would drop
// the locks that this process may hold on it.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncFolder(filepath.Dir(path)))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// copyFiles copies a journal that nobody can be writing, with its write-ahead log.
func copyFiles(path string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "upstep-journal-"); err != nil {
		return "", err
	}
	for _, suffix := range []string{"", "-wal"} {
		err := copyFile(path+suffix, filepath.Join(dir, FileName+suffix))
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return dir, err
		}
	}
	return dir, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// snapshot copies a journal that others may be writing, as it is at one moment.
func snapshot(ctx context.Context, db *sql.DB) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "upstep-journal-"); err != nil {
		return "", err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", filepath.Join(dir, FileName))
	return dir, err
}

// CopyTo writes the journal, as it is at one moment, as that of the project in dir, which
// must not have one. Others may be writing it meanwhile.
func (j *Journal) CopyTo(ctx context.Context, dir string) error {
	if err := makeFolder(filepath.Join(dir, Folder)); err != nil {
		return err
	}
	path := filepath.Join(dir, Folder, FileName)
	if err := makeFile(path); err != nil { // with its mode; SQLite fills an empty file
		return err
	}
	_, err := j.read.ExecContext(ctx, "VACUUM INTO ?", path)
	return explain(path, "copy journal", err)
}

func removeCopy(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// DamagedError says that the file is no journal that can be read.
type DamagedError struct {
	Path   string
	Reason string
}

// Error gives the file and what is wrong with it.
func (e *DamagedError) Error() string { return "journal " + e.Path + ": " + e.Reason }

// Hint says what to do. Nothing is lost by following it.
func (e *DamagedError) Hint() string {
	return "put it back from a backup; or look at how far the hosts are, move it away together with " +
		FileName + "-wal and " + FileName + "-shm, and start anew: upstep then knows of no earlier run"
}

// NewerError says that a later upstep wrote the journal.
type NewerError struct {
	Path       string
	Has, Knows int // versions of the schema
}

// Error names both versions.
func (e *NewerError) Error() string {
	return fmt.Sprintf("journal %s has schema %d, and this upstep knows schemas up to %d", e.Path, e.Has, e.Knows)
}

// Hint says what to do.
func (e *NewerError) Hint() string { return "use the later upstep that wrote it" }

// spaceError says that the disk is full.
type spaceError struct{ error }

func (e spaceError) Unwrap() error { return e.error }

// Hint says what to do.
func (e spaceError) Hint() string {
	return "free space on the disk of " + Folder + "; what was recorded before is whole"
}

// code gives SQLite's extended code of an error, or 0.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// unwritable tells whether SQLite could not make its files beside the journal.
func unwritable(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
		return true
	}
	return false
}

// explain turns what SQLite says into what an operator can act on.
func explain(path, doing string, err error) error {
	if code(err) == lib.SQLITE_IOERR_SHMSIZE { // the index of the log has no room
		return spaceError{fmt.Errorf("%s %s: disk is full: %w", doing, path, err)}
	}
	switch code(err) & 0xff {
	case lib.SQLITE_NOTADB:
		return &DamagedError{path, "is no SQLite database"}
	case lib.SQLITE_CORRUPT:
		return &DamagedError{path, "is damaged: " + err.Error()}
	case lib.SQLITE_FULL:
		return spaceError{fmt.Errorf("%s %s: %w", doing, path, err)}
	case 0:
		return err
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
