package playbooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Written says what a Write did; paths are below the tree.
type Written struct {
	Created, Changed, Removed []string
	Unchanged                 int
}

// Empty tells whether the tree on disk was already as it should be.
func (w Written) Empty() bool { return len(w.Created)+len(w.Changed)+len(w.Removed) == 0 }

// EditedError lists files that Write would overwrite and must not: changed by hand
// since they were emitted, or never emitted at all.
type EditedError struct {
	Dir            string
	Edited, Strays []string
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
	return strings.Join(out, "\n")
}

// Compare tells what Write would do to dir, without doing it.
func Compare(dir string, t *Tree) (Written, error) {
	d, err := survey(dir, t)
	if err != nil {
		return Written{}, err
	}
	return d.written, nil
}

// Write makes dir hold the tree: files of an earlier emit that no longer belong are
// removed, anything else in it is left alone. It is all or nothing: the new tree is
// made beside the old one, brought to disk, and exchanged with it in one step. Files
// changed by hand are an *EditedError unless overwrite is set.
func Write(dir string, t *Tree, overwrite bool) (Written, error) {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	clearAbandoned(dir)
	d, err := survey(dir, t)
	if err != nil {
		return Written{}, err
	}
	if len(d.refused.Edited)+len(d.refused.Strays) > 0 && !overwrite {
		return Written{}, &d.refused
	}
	if d.written.Empty() {
		return d.written, nil
	}
	if err := d.replace(t); err != nil {
		return Written{}, fmt.Errorf("write %s: %w", dir, err)
	}
	return d.written, nil
}

// disk is what stands in the folder now, compared with a tree.
type disk struct {
	dir     string
	exists  bool
	same    map[string]bool // files that are as the tree has them
	stale   map[string]bool // files of an earlier emit that no longer belong
	written Written
	refused EditedError
}

func survey(dir string, t *Tree) (*disk, error) {
	d := &disk{dir: dir, same: map[string]bool{}, stale: map[string]bool{}, refused: EditedError{Dir: dir}}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder", dir)
	default:
		d.exists = true
	}
	recorded, err := recordedSums(filepath.Join(dir, SumsFile))
	if err != nil {
		return nil, err
	}
	for _, f := range t.Files {
		if err := d.look(f, recorded); err != nil {
			return nil, err
		}
		delete(recorded, f.Path)
	}
	for path, sum := range recorded {
		data, err := os.ReadFile(filepath.Join(dir, path)) //nolint:gosec // recordedSums lets no path out of dir
		if err != nil {
			continue // gone already
		}
		if hash(data) != sum {
			d.refused.Edited = append(d.refused.Edited, path)
		}
		d.stale[path] = true
		d.written.Removed = append(d.written.Removed, path)
	}
	sort.Strings(d.written.Removed)
	sort.Strings(d.refused.Edited)
	return d, nil
}

// look compares one file of the tree with the disk.
func (d *disk) look(f File, recorded map[string]string) error {
	path := filepath.Join(d.dir, f.Path)
	for parent := filepath.Dir(f.Path); parent != "."; parent = filepath.Dir(parent) {
		// Something else where the tree needs a folder is not ours to replace.
		if info, err := os.Lstat(filepath.Join(d.dir, parent)); err == nil && !info.IsDir() && recorded[parent] == "" {
			if !slices.Contains(d.refused.Strays, parent) {
				d.refused.Strays = append(d.refused.Strays, parent)
			}
		}
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		d.written.Created = append(d.written.Created, f.Path)
		return nil
	}
	if err != nil {
		return err
	}
	var data []byte
	if info.Mode().IsRegular() {
		if data, err = os.ReadFile(path); err != nil {
			return err
		}
		if bytes.Equal(data, f.Data) && (info.Mode()&0o100 != 0) == f.Executable {
			d.same[f.Path] = true
			d.written.Unchanged++
			return nil
		}
	}
	d.written.Changed = append(d.written.Changed, f.Path)
	sum, ours := recorded[f.Path]
	switch {
	case f.Path == SumsFile || bytes.Equal(data, f.Data):
	case !ours:
		d.refused.Strays = append(d.refused.Strays, f.Path)
	case sum != hash(data):
		d.refused.Edited = append(d.refused.Edited, f.Path)
	}
	return nil
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// recordedSums reads which files an earlier emit wrote. Paths that lead out of the
// folder are not believed.
func recordedSums(path string) (map[string]string, error) {
	out := map[string]string{}
	data, err := os.ReadFile(path) //nolint:gosec // the emitted tree's own file
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if ok && len(sum) == 64 && filepath.IsLocal(name) {
			out[name] = sum
		}
	}
	return out, nil
}

// stagePrefix begins the name of the folder in which a new tree is made.
func stagePrefix(dir string) string { return "." + filepath.Base(dir) + ".emit-" }

// clearAbandoned removes what a killed emit left beside the tree.
func clearAbandoned(dir string) {
	parent := filepath.Dir(dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		var pid int
		if rest, ok := strings.CutPrefix(e.Name(), stagePrefix(dir)); !ok || !e.IsDir() {
			continue
		} else if _, err := fmt.Sscanf(rest, "%d-", &pid); err != nil {
			continue
		}
		if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.RemoveAll(filepath.Join(parent, e.Name()))
		}
	}
}

// replace makes the new tree beside the old and puts it in its place.
func (d *disk) replace(t *Tree) (err error) {
	parent := filepath.Dir(d.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // playbooks are for everyone to read
		return err
	}
	stage, err := os.MkdirTemp(parent, fmt.Sprintf("%s%d-", stagePrefix(d.dir), os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	if err := os.Chmod(stage, 0o755); err != nil { //nolint:gosec // playbooks are for everyone to read
		return err
	}
	if err := d.fill(stage, t); err != nil {
		return err
	}
	if !d.exists {
		if err := os.Rename(stage, d.dir); err != nil {
			return err
		}
		return syncDir(parent)
	}
	if err := d.carryOver(stage); err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, stage, unix.AT_FDCWD, d.dir, unix.RENAME_EXCHANGE)
	if err != nil {
		// A mount point, or a file system that cannot exchange folders: file by file, the
		// list of sums last, so that an interruption is found and mended by the next emit.
		return d.oneByOne(stage, t)
	}
	// What was put into the old folder meanwhile moves over too.
	if err := d.carryOverFrom(stage, d.dir); err != nil {
		return err
	}
	return syncDir(parent)
}

// fill writes the tree into a folder and brings it to disk.
func (d *disk) fill(stage string, t *Tree) error {
	dirs := map[string]bool{stage: true}
	for _, f := range t.Files {
		for p := filepath.Dir(filepath.Join(stage, f.Path)); !dirs[p]; p = filepath.Dir(p) {
			dirs[p] = true
		}
	}
	made := make([]string, 0, len(dirs))
	for p := range dirs {
		made = append(made, p)
	}
	sort.Strings(made)
	for _, p := range made {
		if err := os.MkdirAll(p, 0o755); err != nil { //nolint:gosec // playbooks are for everyone to read
			return err
		}
	}
	const writers = 8
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for k := range writers {
		wg.Go(func() {
			for i := k; i < len(t.Files) && errs[k] == nil; i += writers {
				f := t.Files[i]
				if d.same[f.Path] && os.Link(filepath.Join(d.dir, f.Path), filepath.Join(stage, f.Path)) == nil {
					continue
				}
				errs[k] = writeFile(filepath.Join(stage, f.Path), f)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return syncAll(stage)
}

// syncAll brings everything below a folder to disk before it takes the old one's
// place. One call for the whole file system costs far less than one for each of
// hundreds of files.
func syncAll(stage string) error {
	f, err := os.Open(stage) //nolint:gosec // the folder just made
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close()) //nolint:gosec // a file descriptor is small
}

func writeFile(path string, f File) error {
	mode := fs.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // playbooks are for everyone to read
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	return errors.Join(err, out.Close())
}

func syncDir(path string) error {
	f, err := os.Open(path) //nolint:gosec // a folder of the tree
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// carryOver links what is not upstep's own from the old folder into the new one.
func (d *disk) carryOver(stage string) error { return d.carryOverFrom(d.dir, stage) }

func (d *disk) carryOverFrom(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
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
		switch {
		case e.IsDir():
			if d.ownFolder(from, rel) {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			return os.MkdirAll(target, info.Mode().Perm())
		case e.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // playbooks are for everyone to read
			return err
		}
		return os.Link(path, target)
	})
}

// ownFolder tells whether a folder holds nothing but stale files, so that it goes with them.
func (d *disk) ownFolder(from, rel string) bool {
	own := false
	for s := range d.stale {
		own = own || strings.HasPrefix(s, rel+string(filepath.Separator))
	}
	if !own {
		return false
	}
	foreign := false
	_ = filepath.WalkDir(filepath.Join(from, rel), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			foreign = true
			return nil
		}
		r, err := filepath.Rel(from, path)
		foreign = foreign || err != nil || !e.IsDir() && !d.stale[r]
		return nil
	})
	return !foreign
}

// oneByOne puts the new files in place singly.
func (d *disk) oneByOne(stage string, t *Tree) error {
	files := slices.Clone(t.Files)
	slices.SortStableFunc(files, func(a, b File) int {
		switch {
		case a.Path == SumsFile && b.Path != SumsFile:
			return 1
		case b.Path == SumsFile && a.Path != SumsFile:
			return -1
		}
		return 0
	})
	for _, f := range files {
		target := filepath.Join(d.dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { //nolint:gosec // playbooks are for everyone to read
			return err
		}
		if err := os.Rename(filepath.Join(stage, f.Path), target); err != nil {
			return err
		}
	}
	for s := range d.stale {
		if err := os.Remove(filepath.Join(d.dir, s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(d.dir)
}
