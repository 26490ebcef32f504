package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the other process of a test, where it is told so.
func TestMain(m *testing.M) {
	switch os.Getenv("UPSTEP_JOURNAL_CHILD") {
	case "lock":
		lockChild()
	case "write":
		writeChild()
	default:
		os.Exit(m.Run())
	}
}

// lockChild tries for the lock at each line "try", and answers with who has it.
func lockChild() {
	lines := bufio.NewScanner(os.Stdin)
	var held *Held
	for lines.Scan() {
		switch lines.Text() {
		case "try":
			var err error
			held, err = Lock(os.Args[1], owner())
			var locked *LockedError
			switch {
			case err == nil:
				fmt.Println("won")
			case errors.As(err, &locked) && locked.Owner == nil:
				fmt.Println("being taken")
			case errors.As(err, &locked):
				fmt.Println("lost to", locked.Owner.PID)
			default:
				fmt.Println("error:", err)
			}
		case "children":
			// A child that outlives its parent must not keep the lock.
			c := exec.CommandContext(context.Background(), "sleep", "20")
			fmt.Println(c.Start(), c.Process.Pid)
		case "release":
			if held != nil {
				if err := held.Release(); err != nil {
					fmt.Println("error:", err)
				}
				held = nil
			}
			fmt.Println("released")
		}
	}
}

func owner() Owner {
	return Owner{
		Who:   Who{User: "alice", Host: hostName(), Command: []string{"upstep", "run"}},
		Since: time.Date(2026, 11, 21, 21, 14, 0, 0, time.UTC),
	}
}

// child is another process of a test.
type child struct {
	*exec.Cmd
	in    io.Writer
	lines *bufio.Scanner
}

func start(t *testing.T, kind string, args ...string) *child {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), "UPSTEP_JOURNAL_CHILD="+kind)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	return &child{c, in, bufio.NewScanner(out)}
}

func (c *child) tell(t *testing.T, line string) {
	t.Helper()
	_, err := fmt.Fprintln(c.in, line)
	require.NoError(t, err)
}

func (c *child) answer(t *testing.T) string {
	t.Helper()
	require.True(t, c.lines.Scan(), "the other process is gone")
	return c.lines.Text()
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()
}

func TestOneOfManyTakesTheLock(t *testing.T) {
	dir := t.TempDir()
	children := make([]*child, 8)
	for n := range children {
		children[n] = start(t, "lock", dir)
	}
	// Somebody who looks who holds it is in nobody's way.
	ctx, cancel := context.WithCancel(t.Context())
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for ctx.Err() == nil {
			var locked *LockedError
			if _, err := Holder(dir); err != nil && !errors.As(err, &locked) {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
	})
	defer watcher.Wait()
	defer cancel()
	taking := 0
	for round := range 125 {
		for _, c := range children {
			c.tell(t, "try")
		}
		winner, answers := -1, make([]string, len(children))
		for n, c := range children {
			answers[n] = c.answer(t)
			if answers[n] == "won" {
				require.Negative(t, winner, "two have the lock in round %d", round)
				winner = n
			}
		}
		require.GreaterOrEqual(t, winner, 0, "nobody has the lock in round %d: %v", round, answers)
		for n, a := range answers {
			if a == "being taken" {
				taking++
			} else if n != winner {
				require.Equal(t, fmt.Sprint("lost to ", children[winner].Process.Pid), a)
			}
		}
		held, err := Holder(dir)
		require.NoError(t, err)
		require.Equal(t, children[winner].Process.Pid, held.PID)
		if round%10 == 9 { // its name stays in the file
			children[winner].kill(t)
			children[winner] = start(t, "lock", dir)
			held, err := Holder(dir)
			require.NoError(t, err)
			require.Nil(t, held)
		}
		for _, c := range children {
			c.tell(t, "release")
		}
		for _, c := range children {
			require.Equal(t, "released", c.answer(t))
		}
	}
	for _, c := range children {
		c.kill(t)
	}
	require.Less(t, taking, 50, "the owner is nearly always named")
}

func TestAChildDoesNotKeepTheLock(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "lock", dir)
	c.tell(t, "try")
	require.Equal(t, "won", c.answer(t))
	c.tell(t, "children")
	var pid int
	_, err := fmt.Sscanf(c.answer(t), "<nil> %d", &pid)
	require.NoError(t, err)
	_, err = Unlock(dir, true)
	var locked *LockedError
	require.ErrorAs(t, err, &locked, "a living holder is never overruled")
	c.kill(t)
	orphan, err := os.FindProcess(pid)
	require.NoError(t, err)
	defer func() { _ = orphan.Kill() }()

	was, err := Unlock(dir, false)
	require.NoError(t, err)
	require.Equal(t, c.Process.Pid, was.PID)
	was, err = Unlock(dir, false)
	require.NoError(t, err)
	require.Nil(t, was)
	held, err := Lock(dir, owner())
	require.NoError(t, err)
	require.NoError(t, held.Release())
}

func TestTheLockNamesItsOwner(t *testing.T) {
	dir := t.TempDir()
	who, err := Holder(dir)
	require.NoError(t, err)
	require.Nil(t, who)
	held, err := Lock(dir, owner())
	require.NoError(t, err)
	_, err = Lock(dir, owner())
	require.EqualError(t, err, fmt.Sprintf("held by alice on host %s, pid %d, since 21:14 on 2026-11-21: upstep run", hostName(), os.Getpid()))
	who, err = Holder(dir)
	require.NoError(t, err)
	require.True(t, who.Since.Equal(owner().Since))
	require.NoError(t, held.Release())
	who, err = Holder(dir)
	require.NoError(t, err)
	require.Nil(t, who)
	info, err := os.Stat(filepath.Join(dir, Folder, lockName))
	require.NoError(t, err)
	require.Zero(t, info.Size())
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWhatTheLastHolderLeft(t *testing.T) {
	alive := owner()
	alive.PID, alive.Started = os.Getpid(), processStart(os.Getpid())
	elsewhere := owner()
	elsewhere.Host, elsewhere.PID = "another", 1
	text := func(o Owner) string {
		data, err := json.Marshal(o)
		require.NoError(t, err)
		return string(data)
	}
	cases := map[string]struct {
		left    string
		foreign bool // the file system is shared with other hosts
		refused bool
	}{
		"nothing":                               {left: ""},
		"half a name":                           {left: text(alive)[:30]},
		"zeroes":                                {left: strings.Repeat("\x00", 100)},
		"a name that is longer than the next":   {left: text(alive) + strings.Repeat(" ", 1000) + "\n"},
		"a process that is there, without lock": {left: text(alive), foreign: true},
		"a container's name":                    {left: text(elsewhere)},
		"another host's name":                   {left: text(elsewhere), foreign: true, refused: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			foreign := func(*os.File) bool { return c.foreign }
			require.NoError(t, os.Mkdir(filepath.Join(dir, Folder), 0o700))
			path := filepath.Join(dir, Folder, lockName)
			require.NoError(t, os.WriteFile(path, []byte(c.left), 0o600))
			held, err := lock(dir, owner(), foreign)
			if c.refused {
				require.EqualError(t, err, "maybe still held by alice on host another, pid 1, since 21:14 on 2026-11-21: upstep run")
				_, err = unlock(dir, false, foreign)
				require.Error(t, err)
				was, err := unlock(dir, true, foreign)
				require.NoError(t, err)
				require.Equal(t, "another", was.Host)
				held, err = lock(dir, owner(), foreign)
				require.NoError(t, err)
				require.NoError(t, held.Release())
				return
			}
			require.NoError(t, err)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, json.Valid(data), "%s", data)
			require.NoError(t, held.Release())
		})
	}
}

func TestALockThatItsServerKeepsForAHostThatIsGone(t *testing.T) {
	dir := t.TempDir()
	foreign := func(*os.File) bool { return true }
	gone := owner()
	gone.Host = "another"
	stuck, err := lock(dir, gone, foreign)
	require.NoError(t, err)
	_, err = unlock(dir, false, foreign)
	require.Error(t, err)
	_, err = unlock(dir, true, foreign)
	require.NoError(t, err)
	held, err := lock(dir, owner(), foreign)
	require.NoError(t, err)
	require.NoError(t, stuck.Release(), "it has a file of its own by now")
	_, err = lock(dir, owner(), foreign)
	require.Error(t, err)
	require.NoError(t, held.Release())
}
