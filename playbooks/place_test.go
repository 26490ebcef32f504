package playbooks

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/upstep/upstep/archive"
)

func TestWriteKeepsOwnerAndModeOfFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "playbooks")
	_, err := Write(t.Context(), dir, treeOf("a", 9), false)
	require.NoError(t, err)
	mine := filepath.Join(dir, "mine", "deep")
	require.NoError(t, os.MkdirAll(mine, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(mine, "note"), []byte("mine"), 0o600))
	want := map[string]fs.FileMode{
		".": fs.ModeDir | fs.ModeSetgid | 0o770, "stage": fs.ModeDir | fs.ModeSetgid | 0o775, "stage/1": fs.ModeDir | 0o750,
		"mine": fs.ModeDir | fs.ModeSticky | 0o711, "mine/deep": fs.ModeDir | 0o500, "upgrade.yml": 0o640,
	}
	for name, mode := range want {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	root := os.Getuid() == 0
	if root {
		require.NoError(t, os.Chown(dir, 12, 34))
		require.NoError(t, os.Chmod(dir, want["."])) // a change of owner takes setgid away
		require.NoError(t, os.Chown(filepath.Join(mine, "note"), 56, 78))
	}
	require.NoError(t, unix.Setxattr(dir, "user.upstep", []byte("kept"), 0))
	w, err := Write(t.Context(), dir, treeOf("b", 9), false)
	require.NoError(t, err)
	require.Empty(t, w.Left)
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), name)
	}
	value := make([]byte, 9)
	n, err := unix.Getxattr(dir, "user.upstep", value)
	require.NoError(t, err)
	require.Equal(t, "kept", string(value[:n]))
	if root {
		for name, ids := range map[string][2]uint32{".": {12, 34}, "mine/deep/note": {56, 78}} {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			st := info.Sys().(*syscall.Stat_t)
			require.Equal(t, ids[0], st.Uid, name)
			require.Equal(t, ids[1], st.Gid, name)
		}
		info, err := os.Stat(filepath.Join(dir, "only-b.yml"))
		require.NoError(t, err)
		require.Equal(t, uint32(34), info.Sys().(*syscall.Stat_t).Gid, "a setgid folder gives new files its group")
	}
	require.NoError(t, os.Chmod(mine, 0o700))
}

// cancelledAfter is a context that ends when it has been asked so many times.
type cancelledAfter struct {
	context.Context //nolint:containedctx // it is one
	mu              sync.Mutex
	asks            int
}

func (c *cancelledAfter) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asks--; c.asks < 0 {
		return context.Canceled
	}
	return nil
}

func TestACancelledWriteLeavesTheOldTree(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "playbooks")
	a, b := treeOf("a", 20), treeOf("b", 20)
	_, err := Write(t.Context(), dir, a, false)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mine"), 0o755))
	ended := false
	for asks := 0; !ended; asks++ {
		_, err := Write(&cancelledAfter{Context: t.Context(), asks: asks}, dir, b, false)
		if ended = err == nil; ended {
			requireTree(t, dir, b)
			require.Greater(t, asks, 20)
			continue
		}
		require.ErrorIs(t, err, context.Canceled)
		requireTree(t, dir, a)
		left, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Len(t, left, 1)
	}
}

func TestWriteRefusesPlacesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	require.NoError(t, os.Symlink("gone", filepath.Join(dir, "dangling")))
	require.NoError(t, os.Symlink("self", filepath.Join(dir, "self")))
	for name, want := range map[string]string{
		"file":                   "is a file, not a folder",
		"file/below":             "cannot be used: not a directory",
		"dangling":               "is a link to gone, which does not exist",
		"self":                   "is a link that leads nowhere",
		strings.Repeat("x", 300): "cannot be used: file name too long",
	} {
		_, err := Write(t.Context(), filepath.Join(dir, name), treeOf("a", 3), true)
		var place *PlaceError
		require.ErrorAs(t, err, &place, name)
		require.Contains(t, err.Error(), want)
		_, err = Compare(filepath.Join(dir, name), treeOf("a", 3))
		require.ErrorAs(t, err, &place, name)
	}
}

// asNobody runs this test again as a user without rights, in the folder, and tells
// whether it is that run.
func asNobody(t *testing.T, dir string) (inside bool) {
	t.Helper()
	if at := os.Getenv("WRITE_AS_NOBODY"); at != "" {
		require.NoError(t, os.Chdir(at)) //nolint:usetesting // t.Chdir would go back to a folder that is closed
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: needs root, to become another user")
	}
	bin := filepath.Join(dir, "test")
	data, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bin, data, 0o755)) //nolint:gosec // another user runs it
	for p := dir; p != os.TempDir(); p = filepath.Dir(p) {
		require.NoError(t, os.Chmod(p, 0o755)) //nolint:gosec // another user enters it
	}
	cmd := exec.CommandContext(t.Context(), bin, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WRITE_AS_NOBODY="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return false
}

func TestWriteWithoutRights(t *testing.T) {
	dir := ""
	if os.Getenv("WRITE_AS_NOBODY") == "" {
		dir = t.TempDir()
		for name, mode := range map[string]fs.FileMode{"closed": 0o755, "open": 0o777} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
			require.NoError(t, os.Mkdir(filepath.Join(dir, name, "playbooks"), 0o755))
			require.NoError(t, os.Chown(filepath.Join(dir, name, "playbooks"), 65534, 65534))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name, "playbooks", "note"), []byte("root's"), 0o600))
			require.NoError(t, os.Chmod(filepath.Join(dir, name), mode)) //nolint:gosec // what is tested
		}
	}
	if !asNobody(t, dir) {
		return
	}
	var place *PlaceError
	_, err := Write(t.Context(), "closed/new", treeOf("a", 3), false)
	require.ErrorAs(t, err, &place)
	require.EqualError(t, err, "closed cannot be used: permission denied")
	for _, out := range []string{"closed/playbooks", "open/playbooks"} {
		// The folder above is closed, or holds a file that may not be linked.
		for _, word := range []string{"a", "b"} {
			_, err = Write(t.Context(), out, treeOf(word, 9), false)
			require.NoError(t, err)
		}
		require.FileExists(t, filepath.Join(out, "only-b.yml"))
		require.NoFileExists(t, filepath.Join(out, "only-a.yml"))
		require.FileExists(t, filepath.Join(out, "note"))
		entries, err := os.ReadDir(out)
		require.NoError(t, err)
		require.NotContains(t, entries[0].Name(), "emit-")
		require.NoError(t, os.Chmod(out, 0o500))
		_, err = Write(t.Context(), out, treeOf("c", 9), false)
		require.EqualError(t, err, out+" cannot be used: permission denied")
	}
}

func TestAnOldTreeThatCannotBeRemovedIsNoFailure(t *testing.T) {
	dir := ""
	if os.Getenv("WRITE_AS_NOBODY") == "" {
		dir = t.TempDir()
		out := filepath.Join(dir, "open", "playbooks")
		require.NoError(t, os.MkdirAll(filepath.Dir(out), 0o755))
		_, err := Write(t.Context(), out, treeOf("a", 9), false)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(filepath.Dir(out), 0o777)) //nolint:gosec // what is tested
		require.NoError(t, os.Chmod(out, 0o777))               //nolint:gosec // what is tested
	}
	if !asNobody(t, dir) {
		// What nobody could not remove root can.
		w, err := Write(t.Context(), filepath.Join(dir, "open", "playbooks"), treeOf("b", 9), false)
		require.NoError(t, err)
		require.True(t, w.Empty())
		require.Empty(t, w.Left)
		entries, err := os.ReadDir(filepath.Join(dir, "open"))
		require.NoError(t, err)
		require.Len(t, entries, 1)
		return
	}
	w, err := Write(t.Context(), "open/playbooks", treeOf("b", 9), false)
	require.NoError(t, err)
	require.Len(t, w.Left, 1)
	require.DirExists(t, w.Left[0])
	requireTree(t, "open/playbooks", treeOf("b", 9))
	w, err = Write(t.Context(), "open/playbooks", treeOf("b", 9), false)
	require.NoError(t, err)
	require.Len(t, w.Left, 1, "it is named until it is gone")
}

func TestWriteOnAMountPointAndAFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "playbooks")
	require.NoError(t, os.Mkdir(dir, 0o755))
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("SKIPPED: cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "note"), []byte("mine"), 0o600))
	a := treeOf("a", 9)
	for _, tree := range []*Tree{a, treeOf("b", 9), a} {
		_, err := Write(t.Context(), dir, tree, false)
		require.NoError(t, err)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "note")))
	requireTree(t, dir, a)
	large := treeOf("b", 9)
	for i := range large.Files {
		large.Files[i].Data = make([]byte, 100<<10)
	}
	_, err := Write(t.Context(), dir, large, false)
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "nothing was changed")
	requireTree(t, dir, a)
}

func TestWritesAtOnceFollowEachOther(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "playbooks")
	trees := []*Tree{treeOf("a", 40), treeOf("b", 40), treeOf("c", 40)}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			_, err := Write(context.Background(), dir, trees[i%3], false)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	requireTree(t, dir, trees...)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestFoldersAreNeverOverwritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "playbooks")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "upgrade.yml", "mine"), 0o755))
	for _, overwrite := range []bool{false, true} {
		_, err := Write(t.Context(), dir, treeOf("a", 3), overwrite)
		var edited *EditedError
		require.ErrorAs(t, err, &edited)
		require.Equal(t, []string{"upgrade.yml"}, edited.Folders)
		require.DirExists(t, filepath.Join(dir, "upgrade.yml", "mine"))
	}
}

func TestFilesAndFoldersOfTheTreeChangePlaces(t *testing.T) {
	with := func(names ...string) *Tree {
		tree := treeOf("a", 1)
		tree.Files = tree.Files[:len(tree.Files)-1]
		for _, n := range names {
			tree.Files = append(tree.Files, File{Path: n, Data: []byte(n)})
		}
		tree.Files = append(tree.Files, File{Path: SumsFile, Data: sums(tree.Files)})
		return tree
	}
	file, folder := with("x"), with("x/y", "x/z/w")
	for _, place := range []func(*disk, *Tree) error{
		func(d *disk, tree *Tree) error { return d.exchange(t.Context(), tree) },
		func(d *disk, tree *Tree) error { return d.inPlace(t.Context(), tree) },
	} {
		dir := filepath.Join(t.TempDir(), "playbooks")
		_, err := Write(t.Context(), dir, file, false)
		require.NoError(t, err)
		for _, tree := range []*Tree{folder, file} {
			d, err := survey(dir, tree)
			require.NoError(t, err)
			require.False(t, d.refused.refuses(false), d.refused.Error())
			require.NoError(t, place(d, tree))
			requireTree(t, dir, tree)
		}
	}
}

func TestWhatLinksLeadToIsNotTouched(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "playbooks")
		a, b := treeOf("a", 9), treeOf("b", 3)
		_, err := Write(t.Context(), dir, a, false)
		require.NoError(t, err)
		moved := filepath.Join(parent, "moved")
		require.NoError(t, os.Rename(filepath.Join(dir, "stage"), moved))
		require.NoError(t, os.Symlink(moved, filepath.Join(dir, "stage")))
		before := contents(t, moved)
		_, err = Write(t.Context(), dir, b, false)
		var edited *EditedError
		require.ErrorAs(t, err, &edited)
		require.Equal(t, []string{"stage"}, edited.Strays)
		d, err := survey(dir, b)
		require.NoError(t, err)
		if inPlace {
			require.NoError(t, d.inPlace(t.Context(), b))
		} else {
			require.NoError(t, d.exchange(t.Context(), b))
		}
		requireTree(t, dir, b)
		require.Equal(t, before, contents(t, moved))
	}
}

func TestSumsOfOtherThingsAreAFileInTheWay(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "release.tar"), []byte("x"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, SumsFile), []byte(archive.SumLine(archive.Sum([]byte("x")), "release.tar")), 0o600))
	_, err := Write(t.Context(), dir, treeOf("a", 3), false)
	var edited *EditedError
	require.ErrorAs(t, err, &edited)
	require.Equal(t, []string{SumsFile}, edited.Strays)
	_, err = Write(t.Context(), dir, treeOf("a", 3), true)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "release.tar"))
}

func TestSumsAreReadAsTheyAreWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "playbooks")
	tree := treeOf("a", 1)
	tree.Files = tree.Files[:len(tree.Files)-1]
	for _, name := range []string{`back\slash`, `back\\n`, "new\nline", "re\rturn", "two  spaces", " before", "*star", "ünïcode"} {
		tree.Files = append(tree.Files, File{Path: "odd/" + name, Data: []byte(name)})
	}
	tree.Files = append(tree.Files, File{Path: SumsFile, Data: sums(tree.Files)})
	_, err := Write(t.Context(), dir, tree, false)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "sha256sum", "-c", "--strict", "--quiet", SumsFile)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	w, err := Write(t.Context(), dir, treeOf("a", 1), false)
	require.NoError(t, err)
	require.Len(t, w.Removed, 8)
	require.NoDirExists(t, filepath.Join(dir, "odd"))
	_, _, ok := archive.ReadSumLine(errors.ErrUnsupported.Error())
	require.False(t, ok)
}
