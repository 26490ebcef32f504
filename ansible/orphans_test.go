package ansible

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
)

// TestWorkersThatWaitForADeadLeaderAreEnded adopts what a killed ansible-playbook leaves: a
// worker that does nothing any more, and one whose command is at work.
func TestWorkersThatWaitForADeadLeaderAreEnded(t *testing.T) {
	t.Parallel()
	left := func(script string) (*Process, *exec.Cmd) {
		dir := t.TempDir()
		lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the test's own
		require.NoError(t, err)
		defer func() { require.NoError(t, lock.Close()) }()
		require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
		require.NoError(t, os.WriteFile(filepath.Join(dir, eventsFile), []byte(`{"kind":"play"}`+"\n"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, pidFile), []byte(`{"pid":999999999,"start":"1"}`), 0o600))
		worker := exec.CommandContext(t.Context(), "sh", "-c", script) //nolint:gosec // the test's own
		worker.ExtraFiles = []*os.File{lock}
		worker.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		require.NoError(t, worker.Start())
		t.Cleanup(func() {
			_ = syscall.Kill(-worker.Process.Pid, syscall.SIGKILL)
			_ = worker.Wait()
		})
		p, err := Adopt(dir, 0)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		p.orphans.grace = 0
		return p, worker
	}
	next := func(p *Process, most time.Duration) (event.Event, error) {
		ctx, cancel := context.WithTimeout(t.Context(), most)
		defer cancel()
		e, _, err := p.Next(ctx)
		return e, err
	}

	idle, worker := left("exec sleep 600")
	e, err := next(idle, time.Minute)
	require.NoError(t, err)
	require.Equal(t, event.Play, e.Kind)
	e, err = next(idle, time.Minute)
	require.NoError(t, err)
	require.Equal(t, event.Note, e.Kind)
	require.Contains(t, e.Message, "were ended")
	require.Error(t, worker.Wait())
	_, err = next(idle, time.Minute)
	require.ErrorIs(t, err, io.EOF)
	require.False(t, idle.Outcome().Known)

	busy, _ := left("sleep 600 3>&-; true") // what it started does not hold the lock
	_, err = next(busy, time.Minute)
	require.NoError(t, err)
	_, err = next(busy, 4*time.Second)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, busy.Running())
}
