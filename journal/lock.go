package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is the file in Folder that a run holds.
const lockName = "lock"

// Between a lock and the name in it lie microseconds; a busy host may stretch them.
const (
	patience = 25
	moment   = 10 * time.Millisecond
)

// Owner is who holds the lock of a project. Lock fills in PID and Started.
type Owner struct {
	Who
	Since time.Time `json:"since"`
	// Started tells a process from a later one with the same PID.
	Started string `json:"started,omitempty"`
}

// String is how an operator wants to read it. Times are of the zone in which they were given.
func (o Owner) String() string {
	return fmt.Sprintf("%s on host %s, pid %d, since %s: %s", o.User, o.Host, o.PID, o.Since.Format("15:04 on 2006-01-02"), strings.Join(o.Command, " "))
}

// LockedError says that somebody else has the lock.
type LockedError struct {
	Owner *Owner // nil: it is just being taken, nobody's name stands in it yet
	// Lost: the lock is free, but its owner, on another host of a file system that may
	// not share locks between hosts, has not given it back.
	Lost bool
}

// Error names the owner.
func (e *LockedError) Error() string {
	switch {
	case e.Owner == nil:
		return "the lock is just being taken by another upstep"
	case e.Lost:
		return "maybe still held by " + e.Owner.String()
	}
	return "held by " + e.Owner.String()
}

// Hint says what to do.
func (e *LockedError) Hint() string {
	switch {
	case e.Owner == nil:
		return "try again in a moment"
	case e.Lost:
		return "this file system does not tell whether that process is alive: look on " + e.Owner.Host + ", and if it is gone, upstep unlock --force"
	}
	return "wait for it, or see upstep status"
}

// Held is the lock of a project. It is gone with the process, however that ends, and
// no child inherits it.
type Held struct{ file *os.File }

// Lock takes the lock of the project in dir: one run at a time. It does not wait; a
// *LockedError names who has it. The lock of a process that died is free, whatever it
// left in the file.
func Lock(dir string, o Owner) (*Held, error) { return lock(dir, o, foreign) }

func lock(dir string, o Owner, foreign func(*os.File) bool) (*Held, error) {
	if err := makeFolder(filepath.Join(dir, Folder)); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, Folder, lockName)
	// Who has just taken it may not have put the name in yet, and who looks whether it
	// is held holds it for a moment: both are over soon.
	for range patience {
		f, err := find(path, os.O_RDWR|os.O_CREATE, unix.LOCK_EX, o.Host, foreign)
		switch {
		case err != nil:
			return nil, err
		case f.held && f.unseen:
			return nil, errors.Join(&LockedError{Owner: f.owner, Lost: true}, f.file.Close())
		case f.held:
			return own(f.file, o)
		case f.owner != nil && !f.owner.gone(o.Host):
			return nil, errors.Join(&LockedError{Owner: f.owner}, f.file.Close())
		}
		if err := f.file.Close(); err != nil {
			return nil, err
		}
		time.Sleep(moment)
	}
	return nil, &LockedError{}
}

// own puts the owner's name into the lock.
func own(f *os.File, o Owner) (*Held, error) {
	o.PID = os.Getpid()
	o.Started = processStart(o.PID)
	data, err := json.Marshal(o)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(data, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take lock %s: %w", f.Name(), err), f.Truncate(0), f.Close())
	}
	return &Held{f}, nil
}

// Release gives the lock back. The file stays: who has opened it already must find
// the same lock as who opens it now.
func (h *Held) Release() error {
	return errors.Join(h.file.Truncate(0), h.file.Close())
}

// Holder gives who holds the lock of the project in dir, nil if nobody does. Not for
// the process that holds it.
func Holder(dir string) (*Owner, error) {
	for range patience {
		f, err := find(filepath.Join(dir, Folder, lockName), os.O_RDONLY, unix.LOCK_SH, hostName(), foreign)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if err := f.file.Close(); err != nil {
			return nil, err
		}
		switch {
		case f.held && !f.unseen:
			return nil, nil
		case f.owner != nil && !f.owner.gone(hostName()):
			return f.owner, nil
		}
		time.Sleep(moment)
	}
	return nil, &LockedError{}
}

// Unlock clears what a holder that died left in the lock, and gives whose it was, nil
// if there was nothing. A lock that is held is a *LockedError. Only force clears that
// of a host whose processes cannot be seen from here; it is for who has looked there.
func Unlock(dir string, force bool) (*Owner, error) {
	return unlock(dir, force, foreign)
}

func unlock(dir string, force bool, foreign func(*os.File) bool) (*Owner, error) {
	path := filepath.Join(dir, Folder, lockName)
	f, err := find(path, os.O_RDWR, unix.LOCK_EX, hostName(), foreign)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch {
	case f.unseen && !force:
		err = &LockedError{Owner: f.owner, Lost: true}
	case f.held:
		err = f.file.Truncate(0)
	case f.unseen:
		// The server still holds it for a host that is gone. take sees that the file is another.
		err = os.Remove(path)
	default:
		err = &LockedError{Owner: f.owner}
	}
	return f.owner, errors.Join(err, f.file.Close())
}

// hostName is this host's, empty if it has none: then every holder is on another.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// taken is the lock's file.
type taken struct {
	file   *os.File
	held   bool   // the lock on it could be had
	owner  *Owner // whose name stands in it; nil: nobody's
	unseen bool   // the owner is on another host, which may not share the lock
}

// find takes the lock as far as that goes, and reads whose name stands in it. host is
// where this process is.
func find(path string, flag, how int, host string, foreign func(*os.File) bool) (taken, error) {
	f, err := take(path, flag, how)
	if err != nil {
		return taken{}, err
	}
	if f.owner, err = readOwner(f.file); err != nil {
		return taken{}, errors.Join(err, f.file.Close())
	}
	f.unseen = f.owner != nil && f.owner.Host != host && foreign(f.file)
	return f, nil
}

func take(path string, flag, how int) (taken, error) {
	for {
		f, err := os.OpenFile(path, flag, 0o600) // close-on-exec, so that no playbook's process inherits it
		if err != nil {
			return taken{}, err
		}
		for {
			err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			return taken{file: f}, nil
		}
		if err != nil {
			return taken{}, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		// A lock on a file that was removed meanwhile would be one that nobody else sees.
		mine, err := f.Stat()
		if err != nil {
			return taken{}, errors.Join(err, f.Close())
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return taken{file: f, held: true}, nil
		}
		if err := f.Close(); err != nil {
			return taken{}, err
		}
	}
}

// readOwner gives the name in the lock, nil if there is none, or half of one.
func readOwner(f *os.File) (*Owner, error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return nil, err
	}
	var o Owner
	if json.Unmarshal(data, &o) != nil || o.PID == 0 {
		return nil, nil
	}
	return &o, nil
}

// gone tells that the owner was a process of this host and is no more.
func (o Owner) gone(host string) bool {
	return o.Host == host && (o.Started == "" || processStart(o.PID) != o.Started)
}

// processStart gives when a process of this host started, in ticks since it booted,
// with the name of that boot; empty if there is none. proc(5).
func processStart(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is in brackets and may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const start = 22 - 3 // the third is the first here
	if len(fields) <= start {
		return ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return string(fields[start])
	}
	return string(fields[start]) + "@" + string(bytes.TrimSpace(boot))
}

// foreign tells whether a file may be seen by other hosts too. The kernel knows every
// holder of a lock on a local file system, in whatever container it is.
func foreign(f *os.File) bool {
	var s unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &s) != nil {
		return true
	}
	const zfs, bcachefs = 0x2fc12fc1, 0xca451a4e
	switch uint32(s.Type) { //nolint:gosec // magic numbers have 32 bits
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC,
		unix.OVERLAYFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, zfs, bcachefs:
		return false
	}
	return true
}
