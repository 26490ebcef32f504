package playbooks

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/upstep/upstep/archive"
)

// disk is what stands in the folder now, compared with a tree.
type disk struct {
	dir     string
	exists  bool
	touched bool                   // something of the old tree was changed
	same    map[string]bool        // files that are as the tree has them
	changed map[string]fs.FileInfo // files that are not, and keep their mode and owner
	stale   map[string]bool        // files of an earlier emit that no longer belong
	written Written
	refused EditedError
}

func survey(dir string, t *Tree) (*disk, error) {
	d := &disk{
		dir: dir, same: map[string]bool{}, changed: map[string]fs.FileInfo{}, stale: map[string]bool{},
		refused: EditedError{Dir: dir},
	}
	_, err := os.Stat(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d.exists = err == nil
	recorded, err := recordedSums(filepath.Join(dir, SumsFile))
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, f := range t.Files {
		folder, err := d.look(f, recorded)
		if err != nil {
			return nil, err
		}
		if folder {
			folders = append(folders, f.Path)
		}
	}
	for _, f := range t.Files {
		delete(recorded, f.Path)
	}
	for path, sum := range recorded {
		if throughLink(dir, path) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, path)) //nolint:gosec // recordedSums lets no path out of dir
		if err != nil {
			continue // gone already
		}
		if archive.Sum(data) != sum {
			d.refused.Edited = append(d.refused.Edited, path)
		}
		d.stale[path] = true
		d.written.Removed = append(d.written.Removed, path)
	}
	for _, path := range folders {
		if !d.ownFolder(dir, path) {
			d.refused.Folders = append(d.refused.Folders, path)
		}
	}
	sort.Strings(d.written.Removed)
	sort.Strings(d.refused.Edited)
	return d, nil
}

// look compares one file of the tree with the disk, and tells whether a folder is there.
func (d *disk) look(f File, recorded map[string]string) (folder bool, err error) {
	path := filepath.Join(d.dir, f.Path)
	for i := range len(f.Path) {
		if f.Path[i] != '/' {
			continue
		}
		// Something else where the tree needs a folder is not ours to replace.
		parent := f.Path[:i]
		if info, err := os.Lstat(filepath.Join(d.dir, parent)); err == nil && !info.IsDir() {
			if recorded[parent] == "" && !slices.Contains(d.refused.Strays, parent) {
				d.refused.Strays = append(d.refused.Strays, parent)
			}
			d.written.Created = append(d.written.Created, f.Path)
			return false, nil
		}
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		d.written.Created = append(d.written.Created, f.Path)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		d.written.Changed = append(d.written.Changed, f.Path)
		return true, nil
	}
	var data []byte
	if info.Mode().IsRegular() {
		if data, err = os.ReadFile(path); err != nil {
			return false, err
		}
		if bytes.Equal(data, f.Data) && (info.Mode()&0o100 != 0) == f.Executable {
			d.same[f.Path] = true
			d.written.Unchanged++
			return false, nil
		}
		d.changed[f.Path] = info
	}
	d.written.Changed = append(d.written.Changed, f.Path)
	sum, ours := recorded[f.Path]
	switch {
	case f.Path == SumsFile && len(recorded) > 0 || info.Mode().IsRegular() && bytes.Equal(data, f.Data):
	case !ours:
		d.refused.Strays = append(d.refused.Strays, f.Path)
	case sum != archive.Sum(data):
		d.refused.Edited = append(d.refused.Edited, f.Path)
	}
	return false, nil
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
