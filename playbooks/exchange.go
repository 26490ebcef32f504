package playbooks

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"golang.org/x/sys/unix"
)

// errInPlace says that the folder cannot be exchanged, only its files replaced.
var errInPlace = errors.New("the folder cannot be exchanged")

// replace puts the new tree in the place of the old: by an exchange of folders, or where
// that cannot be file by file.
func (d *disk) replace(ctx context.Context, t *Tree) error {
	if d.exists {
		if err := unix.Access(d.dir, unix.W_OK|unix.X_OK); err != nil {
			return &fs.PathError{Op: "write", Path: d.dir, Err: err}
		}
	}
	if !d.exists || exchangeable(d.dir) {
		if err := d.exchange(ctx, t); !errors.Is(err, errInPlace) {
			return err
		}
	}
	return d.inPlace(ctx, t)
}

// exchangeable tells whether a new tree can be made beside the folder. Beside a mount
// point is another file system; the folder above may be closed to this user.
func exchangeable(dir string) bool {
	parent := filepath.Dir(dir)
	var in, above unix.Stat_t
	return unix.Stat(dir, &in) == nil && unix.Stat(parent, &above) == nil && in.Dev == above.Dev &&
		unix.Access(parent, unix.W_OK|unix.X_OK) == nil
}

// exchange makes the new tree beside the old and exchanges the two.
func (d *disk) exchange(ctx context.Context, t *Tree) (err error) {
	parent := filepath.Dir(d.dir)
	s, err := newStage(parent, d.dir)
	if err != nil {
		return err
	}
	defer func() { d.written.Left = append(d.written.Left, s.remove()...) }()
	if d.exists {
		s.adopt(d.dir, s.root)
	}
	if err := d.fill(ctx, s, t, true); err != nil {
		return err
	}
	if !d.exists {
		if err := ctx.Err(); err != nil {
			return err
		}
		return errors.Join(os.Rename(s.root, d.dir), syncDir(parent))
	}
	if err := d.carryOver(ctx, s, d.dir, s.root); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errInPlace // links to others' files may be forbidden
	}
	s.settle()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, s.root, unix.AT_FDCWD, d.dir, unix.RENAME_EXCHANGE); err != nil {
		return errInPlace
	}
	d.touched = true
	// What was put into the old folder meanwhile moves over too. The new tree stands: from
	// here on a cancelled context changes nothing.
	if err := d.carryOver(context.WithoutCancel(ctx), s, s.root, d.dir); err != nil {
		return errors.Join(err, s.keep())
	}
	return syncDir(parent)
}

// inPlace puts the new files in place singly, the list of sums last, so that an
// interruption is found and mended by the next emit.
func (d *disk) inPlace(ctx context.Context, t *Tree) error {
	s, err := newStage(d.dir, d.dir)
	if err != nil {
		return err
	}
	defer func() { d.written.Left = append(d.written.Left, s.remove()...) }()
	if err := d.fill(ctx, s, t, false); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.touched = true // and on to the end: half of each tree is worse than a late stop
	for path := range d.stale {
		if err := os.Remove(filepath.Join(d.dir, path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for p := filepath.Dir(path); p != "." && os.Remove(filepath.Join(d.dir, p)) == nil; p = filepath.Dir(p) {
			continue // folders that hold nothing more
		}
	}
	for _, path := range d.refused.Strays {
		if err := os.Remove(filepath.Join(d.dir, path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, f := range t.Files { // the list of sums is the last of a tree
		if d.same[f.Path] {
			continue
		}
		target := filepath.Join(d.dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil { //nolint:gosec // as the user's umask has it
			return err
		}
		if err := os.Rename(filepath.Join(s.root, f.Path), target); err != nil {
			return err
		}
	}
	return syncDir(d.dir)
}

// fill writes the tree into the stage and brings it to disk: all of it with links to
// what is unchanged, or only what is new.
func (d *disk) fill(ctx context.Context, s *stage, t *Tree, all bool) error {
	dirs := map[string]bool{".": true}
	var made []string
	for _, f := range t.Files {
		for p := filepath.Dir(f.Path); !dirs[p]; p = filepath.Dir(p) {
			dirs[p] = true
			made = append(made, p)
		}
	}
	sort.Strings(made)
	for _, p := range made {
		path := filepath.Join(s.root, p)
		if err := os.Mkdir(path, 0o777); err != nil { //nolint:gosec // as the user's umask has it
			return err
		}
		if all {
			s.adopt(filepath.Join(d.dir, p), path)
		}
	}
	const writers = 8
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for k := range writers {
		wg.Go(func() {
			for i := k; i < len(t.Files) && errs[k] == nil; i += writers {
				if errs[k] = ctx.Err(); errs[k] == nil {
					errs[k] = d.put(s, t.Files[i], all)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return syncAll(s.root)
}

// put makes one file of the tree in the stage.
func (d *disk) put(s *stage, f File, all bool) error {
	path := filepath.Join(s.root, f.Path)
	if d.same[f.Path] && (!all || os.Link(filepath.Join(d.dir, f.Path), path) == nil) {
		return nil
	}
	mode := fs.FileMode(0o666)
	if f.Executable {
		mode = 0o777
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // as the user's umask has it
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	if old := d.changed[f.Path]; old != nil {
		keepOwner(path, old)
		perm := old.Mode().Perm() &^ 0o111
		if f.Executable {
			perm |= perm & 0o444 >> 2
		}
		err = errors.Join(err, out.Chmod(perm))
	}
	return errors.Join(err, out.Close())
}

// carryOver links what is not upstep's own from one folder into another.
func (d *disk) carryOver(ctx context.Context, s *stage, from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if _, err := os.Lstat(target); err == nil || d.stale[rel] {
			return nil
		}
		if e.IsDir() {
			if d.ownFolder(from, rel) {
				return nil
			}
			if err := os.Mkdir(target, 0o777); err != nil { //nolint:gosec // adopt gives it its mode
				return err
			}
			s.adopt(path, target)
			return nil
		}
		err = os.MkdirAll(filepath.Dir(target), 0o777) //nolint:gosec // as the user's umask has it
		if err == nil {
			err = os.Link(path, target)
		}
		if err != nil && e.Type()&fs.ModeSymlink != 0 {
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, target)
			}
		}
		return err
	})
}

// syncAll brings everything below a folder to disk before it takes the old one's
// place. One call for the whole file system costs far less than one for each of
// hundreds of files.
func syncAll(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // the folder just made
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close()) //nolint:gosec // a file descriptor is small
}

func syncDir(path string) error {
	f, err := os.Open(path) //nolint:gosec // a folder of the tree
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
