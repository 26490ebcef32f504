package playbooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Written says what a Write did; paths are below the tree.
type Written struct {
	Created, Changed, Removed []string
	Unchanged                 int
	// Left names folders beside the tree that could not be removed. They hold nothing
	// that is needed; the next Write tries again.
	Left []string
}

// Empty tells whether the tree on disk was already as it should be.
func (w Written) Empty() bool { return len(w.Created)+len(w.Changed)+len(w.Removed) == 0 }

// EditedError lists files that Write would overwrite and must not: changed by hand
// since they were emitted, or never emitted at all. Folders stand where the tree has a
// file; they are not overwritten even when that is asked for.
type EditedError struct {
	Dir                     string
	Edited, Strays, Folders []string
}

// Error lists the files.
func (e *EditedError) Error() string {
	var out []string
	for _, f := range e.Edited {
		out = append(out, filepath.Join(e.Dir, f)+": changed by hand since it was emitted")
	}
	for _, f := range e.Strays {
		out = append(out, filepath.Join(e.Dir, f)+": is in the way and was not written by upstep")
	}
	for _, f := range e.Folders {
		out = append(out, filepath.Join(e.Dir, f)+": is a folder where upstep must write a file")
	}
	return strings.Join(out, "\n")
}

// refuses tells whether the files keep Write from writing.
func (e *EditedError) refuses(overwrite bool) bool {
	return len(e.Folders) > 0 || !overwrite && len(e.Edited)+len(e.Strays) > 0
}

// PlaceError says why no tree can be written where it was asked for.
type PlaceError struct{ Path, Reason string }

// Error gives the path and the reason.
func (e *PlaceError) Error() string { return e.Path + " " + e.Reason }

// Compare tells what Write would do to dir, without doing it. Where Write would refuse,
// the error is its *EditedError, beside what it would do if it were to overwrite.
func Compare(dir string, t *Tree) (Written, error) {
	dir, err := resolve(dir)
	if err != nil {
		return Written{}, err
	}
	d, err := survey(dir, t)
	if err != nil {
		return Written{}, placed(err)
	}
	if d.refused.refuses(false) {
		return d.written, &d.refused
	}
	return d.written, nil
}

// Write makes dir hold the tree: files of an earlier emit that no longer belong are
// removed, anything else in it is left alone, and folders keep their owner and mode. It
// is all or nothing: the new tree is made beside the old one, brought to disk, and
// exchanged with it in one step; a context that ends before that leaves the old one.
// Files changed by hand are an *EditedError unless overwrite is set, a dir that cannot be
// written is a *PlaceError.
func Write(ctx context.Context, dir string, t *Tree, overwrite bool) (Written, error) {
	dir, err := resolve(dir)
	if err != nil {
		return Written{}, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil { //nolint:gosec // as the user's umask has it
		if errors.Is(err, fs.ErrNotExist) { // a file system of the kernel's own, such as /proc
			return Written{}, &PlaceError{parent, "cannot be made"}
		}
		return Written{}, placed(err)
	}
	locked, unlock, err := lock(ctx, parent, dir)
	if err != nil {
		return Written{}, err
	}
	defer unlock()
	var left []string
	if locked {
		left = clearAbandoned(dir)
	}
	d, err := survey(dir, t)
	switch {
	case err != nil:
		return Written{}, placed(err)
	case d.refused.refuses(overwrite):
		return Written{}, &d.refused
	case d.written.Empty():
		d.written.Left = left
		return d.written, nil
	}
	if err := d.replace(ctx, t); err != nil {
		if place := (*PlaceError)(nil); errors.As(placed(err), &place) {
			return Written{}, place
		}
		if !d.touched {
			return Written{}, fmt.Errorf("write %s: nothing was changed: %w", dir, err)
		}
		return Written{}, fmt.Errorf("write %s: %w", dir, err)
	}
	d.written.Left = append(d.written.Left, left...)
	return d.written, nil
}

// resolve gives the folder behind a link, and refuses what can be no folder.
func resolve(dir string) (string, error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	} else if err != nil {
		return "", placed(err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		target, _ := os.Readlink(dir)
		return "", &PlaceError{dir, "is a link to " + target + ", which does not exist"}
	}
	if err != nil {
		return "", &PlaceError{dir, "is a link that leads nowhere"}
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", placed(err)
	}
	if !info.IsDir() {
		return "", &PlaceError{dir, "is a file, not a folder"}
	}
	return real, nil
}

// placed turns an error of the system that says "not here" into a *PlaceError.
func placed(err error) error {
	var path string
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		path = pathErr.Path
	case errors.As(err, &linkErr):
		path = linkErr.New
	default:
		return err
	}
	for _, no := range []unix.Errno{unix.EACCES, unix.EPERM, unix.EROFS, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG} {
		if errors.Is(err, no) {
			return &PlaceError{path, "cannot be used: " + no.Error()}
		}
	}
	return err
}
