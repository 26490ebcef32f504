package pack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Folders and files below the hidden folder.
const (
	hidden  = ".packs"
	staged  = hidden + "/new"
	kept    = hidden + "/kept"
	pending = hidden + "/pending.json"
)

// move puts one pack in place, or takes it away. Paths are below the store's folder.
type move struct {
	Pack    string `json:"pack"`
	Version string `json:"version,omitempty"`
	Folder  string `json:"folder"`
	// From is where the new folder waits; "" takes the pack away. Inode tells it from the
	// old one, which waits there once the two were exchanged.
	From  string `json:"from,omitempty"`
	Inode uint64 `json:"inode,omitempty"`
	Keep  string `json:"keep"` // where the old one goes, if there is one
}

// change is what is written down before the first move, so that a later command goes on
// where a killed one stopped.
type change struct {
	Format string `json:"format"`
	What   string `json:"what"` // the command's name
	Moves  []move `json:"moves"`
	// Values are texts of files of parameters that come along, by pack. A file that stands
	// there already is left alone.
	Values map[string]string `json:"values,omitempty"`
}

const changeFormat = "upstep.packs.change/1"

// carryOut makes all moves, or is gone on with by the next Recover.
func (s *Store) carryOut(what string, moves []move, values map[string]string) error {
	for i := range moves {
		m := &moves[i]
		if err := os.MkdirAll(filepath.Dir(s.path(m.Keep)), 0o755); err != nil { //nolint:gosec // as the packs themselves
			return err
		}
		if m.From == "" {
			continue
		}
		var err error
		if m.Inode, err = inode(s.path(m.From)); err != nil {
			return err
		}
	}
	c := change{changeFormat, what, moves, values}
	doc, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	s.before("writing down")
	if err := errors.Join(renameio.WriteFile(s.path(pending), append(doc, '\n'), 0o600), syncFolder(s.path(hidden))); err != nil {
		return err
	}
	s.changed = false
	if err = s.perform(c); err == nil {
		return nil
	}
	if !s.changed {
		return fmt.Errorf("nothing was changed: %w", errors.Join(err, os.Remove(s.path(pending)), s.clear()))
	}
	return fmt.Errorf("%w; the next command that changes packs goes on from there", err)
}

// Recover goes on with what a killed command had begun, and clears what one left that
// had changed nothing yet. It says what it did.
func (s *Store) Recover() ([]string, error) {
	doc, err := os.ReadFile(s.path(pending))
	if errors.Is(err, fs.ErrNotExist) {
		left, err := os.ReadDir(s.path(staged))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(left) == 0 {
			return nil, nil
		}
		return []string{"cleared what an interrupted command had unpacked; it had changed nothing"}, errors.Join(err, s.clear())
	}
	if err != nil {
		return nil, err
	}
	var c change
	if err := json.Unmarshal(doc, &c); err != nil || c.Format != changeFormat || !c.local() {
		return nil, fmt.Errorf("%s is not of this upstep: take it away once the packs in %s are as they should be", s.path(pending), s.Shown)
	}
	if err := s.perform(c); err != nil {
		return nil, fmt.Errorf("finish the interrupted %s: %w", c.What, err)
	}
	var said []string
	for _, m := range c.Moves {
		text := "finished the interrupted " + c.What + " of " + m.Pack
		if m.Version != "" {
			text += " " + m.Version
		}
		said = append(said, text)
	}
	return said, nil
}

// local tells whether nothing in the record leads out of the store.
func (c change) local() bool {
	for _, m := range c.Moves {
		if !filepath.IsLocal(m.Folder) || !filepath.IsLocal(m.Keep) || m.From != "" && !filepath.IsLocal(m.From) {
			return false
		}
	}
	for pack := range c.Values {
		if !filepath.IsLocal(pack) {
			return false
		}
	}
	return true
}

// Interrupted tells whether a killed command left something for Recover.
func (s *Store) Interrupted() bool {
	_, err := os.Lstat(s.path(pending))
	left, _ := os.ReadDir(s.path(staged))
	return err == nil || len(left) > 0
}

// perform makes the moves that were not made yet.
func (s *Store) perform(c change) error {
	for _, pack := range slices.Sorted(maps.Keys(c.Values)) {
		file := filepath.Join(s.ValuesDir, pack+".yaml")
		if _, err := os.Lstat(file); err == nil {
			continue
		}
		s.before("write " + file)
		// They may hold what not everyone is to read.
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), renameio.WriteFile(file, []byte(c.Values[pack]), 0o600)); err != nil { //nolint:gosec // a folder of the project
			return err
		}
		s.changed = true
	}
	for _, m := range c.Moves {
		if err := s.place(m); err != nil {
			return fmt.Errorf("%s: %w", m.Pack, err)
		}
	}
	s.before("crossing out")
	err := os.Remove(s.path(pending))
	s.before("clearing up")
	return errors.Join(err, syncFolder(s.path(hidden)), s.clear())
}

// place makes one move. It may have been made already, or half of it.
func (s *Store) place(m move) error {
	target, keep := s.path(m.Folder), s.path(m.Keep)
	if m.From == "" {
		return s.rename(target, keep)
	}
	from := s.path(m.From)
	at, err := inode(from)
	if err == nil && at == m.Inode {
		if err := s.exchange(from, target, keep); err != nil {
			return err
		}
		at, err = inode(from)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // there was no old one, or it was kept already
		return nil
	case err != nil:
		return err
	case at == m.Inode:
		return fmt.Errorf("%s is not where it was put", from)
	}
	return s.rename(from, keep)
}

// exchange puts the new folder in the place of the old, if there is one, in one step.
// Where the file system can't, there is a moment without either, and the record of the
// change leads out of it.
func (s *Store) exchange(from, target, keep string) error {
	if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
		return s.rename(from, target)
	}
	s.before("exchange " + target)
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, target, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errors.Join(s.rename(target, keep), s.rename(from, target))
	}
	if err != nil {
		return fmt.Errorf("exchange %s: %w", target, err)
	}
	s.changed = true
	return errors.Join(syncFolder(filepath.Dir(target)), syncFolder(filepath.Dir(from)))
}

// rename moves a folder, unless it was moved already.
func (s *Store) rename(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s.before("rename to " + to)
	if err := os.Rename(from, to); err != nil {
		return err
	}
	s.changed = true
	return errors.Join(syncFolder(filepath.Dir(to)), syncFolder(filepath.Dir(from)))
}

// prepare makes the hidden folder, which version control is to pass over.
func (s *Store) prepare() error {
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		s.made = true
	}
	if err := os.MkdirAll(s.path(hidden), 0o755); err != nil { //nolint:gosec // as the packs themselves
		return err
	}
	ignore := s.path(hidden + "/.gitignore")
	if _, err := os.Lstat(ignore); err == nil {
		return nil
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o644) //nolint:gosec // for everyone to read
}

func (s *Store) path(rel string) string { return filepath.Join(s.Dir, filepath.FromSlash(rel)) }

func (s *Store) before(what string) {
	if s.killed != nil {
		s.killed(what)
	}
}

func inode(path string) (uint64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return st.Ino, nil
}

func syncFolder(path string) error {
	f, err := os.Open(path) //nolint:gosec // a folder of the store
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
