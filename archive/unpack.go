package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Unpack unpacks an archive to the folder dir, which there must not be yet; an existing
// one is an error that wraps fs.ErrExist. The folder appears in one step, whole and on
// disk, once the archive was read to its end and check, when it is not nil, has nothing
// against what stands in the temporary folder that it is given. On any error, or when
// it is killed, there is no dir, and what a killed one left beside it the next one clears.
func Unpack(r io.Reader, dir string, l Limits, check func(folder string, entries []Entry) error) ([]Entry, error) {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &fs.PathError{Op: "unpack", Path: dir, Err: fs.ErrExist}
		}
		return nil, err
	}
	clearAbandoned(dir)
	s, err := newStage(dir)
	if err != nil {
		return nil, err
	}
	entries, err := Read(r, l, s.put)
	if err == nil && check != nil {
		err = check(s.root, entries)
	}
	if err == nil {
		err = s.finish(dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.root), s.lock.Close())
	}
	return entries, errors.Join(syncFolder(filepath.Dir(dir)), s.lock.Close())
}

// stage is the folder beside the target in which it is made.
type stage struct {
	root string
	lock *os.File // held as long as somebody works there
}

func stagePrefix(dir string) string { return "." + filepath.Base(dir) + ".unpack-" }

var stageName = regexp.MustCompile(`^[0-9]+$`)

func newStage(dir string) (*stage, error) {
	for {
		root := filepath.Join(filepath.Dir(dir), fmt.Sprintf("%s%d", stagePrefix(dir), rand.Uint64())) //nolint:gosec // no secret
		if err := os.Mkdir(root, 0o755); errors.Is(err, fs.ErrExist) {                                 //nolint:gosec // what is unpacked is for everyone to read, as far as the umask lets them
			continue
		} else if err != nil {
			return nil, err
		}
		lock, err := lockFolder(root)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(root))
		}
		if lock != nil {
			return &stage{root, lock}, nil
		}
		// Somebody who clears up came between the two, and has removed it.
	}
}

// lockFolder gives nil where somebody else has the folder, or it is gone.
func lockFolder(path string) (*os.File, error) {
	f, err := os.Open(path) //nolint:gosec // a folder of our own
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a file descriptor is small
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENOLCK) {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := os.Lstat(path); err != nil {
		return nil, f.Close()
	}
	return f, nil
}

// clearAbandoned removes what killed ones left; what can't be removed does no harm.
func clearAbandoned(dir string) {
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), stagePrefix(dir))
		if !ours || !e.IsDir() || !stageName.MatchString(rest) {
			continue
		}
		path := filepath.Join(filepath.Dir(dir), e.Name())
		if lock, err := lockFolder(path); err == nil && lock != nil {
			_ = os.RemoveAll(path)
			_ = lock.Close()
		}
	}
}

func (s *stage) put(e Entry, content io.Reader) error {
	path := filepath.Join(s.root, filepath.FromSlash(e.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as the stage itself
		return err
	}
	mode := fs.FileMode(0o644)
	if e.Executable {
		mode = 0o755
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // Read lets no path out of the folder
	if err != nil {
		return err
	}
	// The archive's errors, unlike the disk's, are for Read to tell.
	if _, err := io.Copy(disk{f}, content); err != nil {
		if failed := (*diskError)(nil); errors.As(err, &failed) {
			return errors.Join(failed.error, f.Close())
		}
		return errors.Join(f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// disk marks errors of writing.
type disk struct{ f *os.File }

type diskError struct{ error }

func (d disk) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}

// finish brings the folders to disk and puts the whole in place.
func (s *stage) finish(dir string) error {
	err := filepath.WalkDir(s.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncFolder(path)
	})
	if err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, s.root, unix.AT_FDCWD, dir, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // not on every file system
		err = os.Rename(s.root, dir)
	}
	if err != nil {
		return fmt.Errorf("unpack to %s: %w", dir, err)
	}
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path) //nolint:gosec // a folder of our own
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
