package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCIJobsGoOnAfterALostRunner runs the scripts of docs/ci: plan, an upgrade whose
// machine is lost in the middle, and the job that is started again on another.
func TestCIJobsGoOnAfterALostRunner(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "ansible-inventory")
	bin := filepath.Dir(built(t))
	scripts, err := filepath.Abs(filepath.Join("..", "..", "docs", "ci"))
	require.NoError(t, err)
	project, counts := counting(t)
	store := t.TempDir()
	job := func(ctx context.Context, script string) (string, string, error) {
		dir := filepath.Join(t.TempDir(), "checkout")
		require.NoError(t, os.CopyFS(dir, os.DirFS(project)))
		cmd := exec.CommandContext(ctx, filepath.Join(scripts, script)) //nolint:gosec // the documented scripts
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "UPSTEP_STORE="+store, "UPSTEP_STORE_EVERY=1", "UPSTEP_TEST="+dir)
		cmd.Cancel = func() error {
			endChildren(t, dir)
			return cmd.Process.Kill()
		}
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		return dir, string(out), err
	}
	emit := exec.CommandContext(t.Context(), filepath.Join(bin, "upstep"), "emit", "-C", project) //nolint:gosec // built by this test
	require.NoError(t, emit.Run())

	dir, out, err := job(t.Context(), "plan.sh")
	require.NoError(t, err, out)
	require.FileExists(t, filepath.Join(dir, "plan.txt"))

	ctx, cancel := context.WithCancel(t.Context())
	lost := make(chan string, 1)
	go func() {
		_, out, _ := job(ctx, "upgrade.sh")
		lost <- out
	}()
	require.Eventually(t, func() bool { // something has ended, and was carried
		return tally(t, counts)["d1 db1"] > 0
	}, time.Minute, 50*time.Millisecond)
	time.Sleep(2 * time.Second)
	cancel()
	t.Log(<-lost)
	before := tally(t, counts)

	dir, out, err = job(t.Context(), "upgrade.sh")
	require.NoError(t, err, out)
	require.Contains(t, out, "done: ")
	require.FileExists(t, filepath.Join(dir, "junit.xml"))
	require.Equal(t, 1, before["d1 db0"])
	require.Equal(t, 1, tally(t, counts)["d1 db0"], "what had ended is not done again\n%s", out)
	require.Positive(t, tally(t, counts)["w2 restore"])
}
