package playbooks

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// treeOf makes a tree whose every file holds the word.
func treeOf(word string, files int) *Tree {
	t := &Tree{}
	for i := range files {
		t.Files = append(t.Files, File{Path: fmt.Sprintf("stage/%d/%s-%d.yml", i%7, "unit", i), Data: []byte(word + "\n"), Executable: i%5 == 0})
	}
	for _, name := range []string{"only-" + word + ".yml", "plan.json", "upgrade.yml"} {
		t.Files = append(t.Files, File{Path: name, Data: []byte(word + "\n")})
	}
	t.Files = append(t.Files, File{Path: SumsFile, Data: sums(t.Files)})
	return t
}

// contents gives every file below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = string(data)
		return err
	}))
	return out
}

func requireTree(t *testing.T, dir string, trees ...*Tree) {
	t.Helper()
	have := contents(t, dir)
	delete(have, "mine/notes.txt")
	for _, tree := range trees {
		same := len(have) == len(tree.Files)
		for _, f := range tree.Files {
			same = same && have[f.Path] == string(f.Data)
		}
		if same {
			return
		}
	}
	require.Fail(t, "the folder holds neither tree whole", "%d files", len(have))
}

func TestWriteIsAllOrNothing(t *testing.T) {
	if dir := os.Getenv("WRITE_UNTIL_KILLED"); dir != "" {
		for i := 0; ; i++ {
			_, err := Write(t.Context(), dir, treeOf([]string{"a", "b"}[i%2], 150), false)
			require.NoError(t, err)
		}
	}
	kills := 25
	if os.Getenv("UPSTEP_SOAK") != "" {
		kills = 500
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "playbooks")
	a, b := treeOf("a", 150), treeOf("b", 150)
	_, err := Write(t.Context(), dir, a, false)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "mine"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine", "notes.txt"), []byte("mine"), 0o600))
	seen := map[string]int{}
	for i := range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWriteIsAllOrNothing$")
		cmd.Env = append(os.Environ(), "WRITE_UNTIL_KILLED="+dir)
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		requireTree(t, dir, a, b)
		data, err := os.ReadFile(filepath.Join(dir, "mine", "notes.txt"))
		require.NoError(t, err, "kill %d: a foreign file is gone", i)
		require.Equal(t, "mine", string(data))
		seen[contents(t, dir)["stage/0/unit-0.yml"]]++
	}
	t.Logf("%d kills, ended with %v", kills, seen)
	_, err = Write(t.Context(), dir, a, false)
	require.NoError(t, err)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, left, 1, "what killed emits left beside the tree is cleared by the next")
}

func TestWriteWhereFoldersCannotBeExchanged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "playbooks")
	a, b := treeOf("a", 20), treeOf("b", 20)
	_, err := Write(t.Context(), dir, a, false)
	require.NoError(t, err)
	d, err := survey(dir, b)
	require.NoError(t, err)
	require.NoError(t, d.inPlace(t.Context(), b))
	requireTree(t, dir, b)
	require.NoFileExists(t, filepath.Join(dir, "only-a.yml"))
}

func TestWriteKeepsWhatIsNotItsOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "link")
	real := filepath.Join(t.TempDir(), "real")
	require.NoError(t, os.MkdirAll(filepath.Join(real, "empty"), 0o700))
	require.NoError(t, os.Symlink(real, dir))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(real, "dangling")))
	require.NoError(t, os.WriteFile(filepath.Join(real, "mine.yml"), []byte("x"), 0o640))
	for _, tree := range []*Tree{treeOf("a", 5), treeOf("b", 5)} {
		w, err := Write(t.Context(), dir, tree, false)
		require.NoError(t, err)
		require.False(t, w.Empty())
	}
	info, err := os.Lstat(dir)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink, "the link to the folder is still a link")
	info, err = os.Stat(filepath.Join(real, "mine.yml"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode().Perm())
	info, err = os.Stat(filepath.Join(real, "empty"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	target, err := os.Readlink(filepath.Join(real, "dangling"))
	require.NoError(t, err)
	require.Equal(t, "nowhere", target)
}

func TestWriteOfTheSameTreeTouchesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "playbooks")
	_, err := Write(t.Context(), dir, treeOf("a", 30), false)
	require.NoError(t, err)
	before, err := os.Stat(filepath.Join(dir, "only-a.yml"))
	require.NoError(t, err)
	w, err := Write(t.Context(), dir, treeOf("a", 30), false)
	require.NoError(t, err)
	require.True(t, w.Empty())
	after, err := os.Stat(filepath.Join(dir, "only-a.yml"))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	require.Equal(t, before.ModTime(), after.ModTime())
}

func TestSumsOfOthersAreNotBelieved(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "playbooks")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	precious := filepath.Join(parent, "precious")
	require.NoError(t, os.WriteFile(precious, []byte("x"), 0o600))
	line := strings.Repeat("0", 64) + "  ../precious\n" + strings.Repeat("0", 64) + "  /etc/hostname\n" +
		strings.Repeat("0", 64) + "  plan.json\n" + strings.Repeat("0", 64) + "  upgrade.yml\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, SumsFile), []byte(line), 0o600))
	w, err := Write(t.Context(), dir, treeOf("a", 3), false)
	require.NoError(t, err)
	require.Empty(t, w.Removed)
	require.FileExists(t, precious)
}
