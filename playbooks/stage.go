package playbooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stage is the folder in which a new tree is made, and which holds the old one after
// the exchange.
type stage struct {
	root  string
	modes map[string]fs.FileMode // of folders that are closed to their owner in the end
}

// stageName matches what is behind stagePrefix.
var stageName = regexp.MustCompile(`^[0-9]+-[0-9]+$`)

// stagePrefix begins the name of the folder in which a new tree is made.
func stagePrefix(dir string) string { return "." + filepath.Base(dir) + ".emit-" }

// newStage makes the folder for a new tree of dir, in another folder.
func newStage(in, dir string) (*stage, error) {
	for {
		name := fmt.Sprintf("%s%d-%d", stagePrefix(dir), os.Getpid(), rand.Uint32()) //nolint:gosec // no secret
		s := &stage{root: filepath.Join(in, name), modes: map[string]fs.FileMode{}}
		switch err := os.Mkdir(s.root, 0o777); { //nolint:gosec // as the user's umask has it
		case err == nil:
			return s, nil
		case errors.Is(err, fs.ErrNotExist): // a file system of the kernel's own, such as /proc
			return nil, &PlaceError{in, "takes no folder"}
		case !errors.Is(err, fs.ErrExist):
			return nil, &fs.PathError{Op: "write", Path: in, Err: errors.Unwrap(err)}
		}
	}
}

// adopt gives a new folder the owner, the mode and the access lists of the one that it
// stands for, as far as this user may.
func (s *stage) adopt(old, made string) {
	info, err := os.Lstat(old)
	if err != nil || !info.IsDir() {
		return
	}
	keepOwner(made, info)
	keepAttributes(old, made)
	mode := info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)
	if mode&0o700 != 0o700 {
		s.modes[made] = mode
	}
	_ = os.Chmod(made, mode|0o700)
}

// settle closes the folders that were left open to be filled.
func (s *stage) settle() {
	for path, mode := range s.modes {
		_ = os.Chmod(path, mode)
	}
}

// remove removes the stage; what it cannot is named.
func (s *stage) remove() []string { return removeStage(s.root) }

// keep saves the stage from being removed.
func (s *stage) keep() error {
	kept := s.root + ".kept"
	if err := os.Rename(s.root, kept); err != nil {
		return err
	}
	return fmt.Errorf("the new tree stands; what was in the old one is in %s", kept)
}

func removeStage(root string) []string {
	if os.RemoveAll(root) == nil {
		return nil
	}
	// Folders that were closed to their owner open for their removal.
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(path, 0o700) //nolint:gosec // a folder on its way out
		}
		return nil
	})
	if os.RemoveAll(root) == nil {
		return nil
	}
	return []string{root}
}

// clearAbandoned removes what killed emits left beside the tree, or in it. It is called
// with the lock held: no other emit is at work there.
func clearAbandoned(dir string) (left []string) {
	for _, in := range []string{filepath.Dir(dir), dir} {
		entries, err := os.ReadDir(in)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if rest, ok := strings.CutPrefix(e.Name(), stagePrefix(dir)); ok && e.IsDir() && stageName.MatchString(rest) {
				left = append(left, removeStage(filepath.Join(in, e.Name()))...)
			}
		}
	}
	return left
}

// lock waits until no other emit writes to the folders. Where the file system has no
// locks it is not locked, and each goes on as if it were alone.
func lock(ctx context.Context, dirs ...string) (locked bool, unlock func(), err error) {
	const (
		poll  = 20 * time.Millisecond
		tries = int(time.Minute / poll)
	)
	var held []*os.File
	unlock = func() {
		for _, f := range held {
			_ = f.Close()
		}
	}
	locked = true
	for _, dir := range dirs {
		f, err := os.Open(dir) //nolint:gosec // where the tree is written
		if err != nil {
			continue
		}
		held = append(held, f)
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a file descriptor is small
		for i := 0; errors.Is(err, unix.EWOULDBLOCK); i++ {
			if ctx.Err() != nil || i == tries {
				unlock()
				if ctx.Err() != nil {
					return false, nil, fmt.Errorf("wait for another emit: %w", ctx.Err())
				}
				return false, nil, fmt.Errorf("%s is locked: another emit writes there", dir)
			}
			time.Sleep(poll)
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a file descriptor is small
		}
		locked = locked && err == nil
	}
	return locked && len(held) > 0, unlock, nil
}

// keepOwner gives a path the owner and group of what it stands for, as far as this user
// may: only root gives away files.
func keepOwner(path string, old fs.FileInfo) {
	st, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	if err := os.Lchown(path, int(st.Uid), int(st.Gid)); err != nil {
		_ = os.Lchown(path, -1, int(st.Gid))
	}
}

// keepAttributes copies a folder's extended attributes: access lists are among them.
func keepAttributes(old, made string) {
	names := make([]byte, 64<<10)
	n, err := unix.Llistxattr(old, names)
	if err != nil {
		return
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if name == "" {
			continue
		}
		if size, err := unix.Lgetxattr(old, name, value); err == nil {
			_ = unix.Lsetxattr(made, name, value[:size], 0)
		}
	}
}
