package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const soon = 30 * time.Second // machines that test are busy

// session is a started upstep in a project of its own.
type session struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	dir            string
}

// begin starts upstep; the binary is this test's own, which testscript put on PATH.
func begin(t *testing.T, files map[string]string, args ...string) *session {
	t.Helper()
	s := &session{dir: t.TempDir()}
	writeFiles(t, s.dir, map[string]string{
		"services/web.yaml": "service_name: web\nupgrade_tasks:\n  - {name: Say, ansible.builtin.debug: {msg: web}, tags: step1}\n",
		"roles.yaml":        "- {name: Web, hosts: all, services: [web]}\n",
	})
	writeFiles(t, s.dir, files)
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.dir, "pipe"), 0o600))
	s.Cmd = typed(t, s.dir, args...)
	s.Stdout, s.Stderr = &s.stdout, &s.stderr
	s.Stdin = s.pipe(t)
	require.NoError(t, s.Start())
	return s
}

// pipe gives a pipe that nobody closes.
func (s *session) pipe(t *testing.T) *os.File {
	t.Helper()
	pipe, err := os.OpenFile(filepath.Join(s.dir, "pipe"), os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = pipe.Close() })
	return pipe
}

// ends waits for upstep and gives its exit code; -1 when a signal ended it.
func (s *session) ends(t *testing.T) int {
	t.Helper()
	late := time.AfterFunc(soon, func() { _ = s.Process.Kill() })
	err := s.Wait()
	require.True(t, late.Stop(), "it did not end")
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return s.ProcessState.ExitCode()
}

// reading waits until a process has opened its standard input as a file, and reads what
// never comes.
func (s *session) reading(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		open := 0
		for _, f := range files {
			if to, _ := os.Readlink(f); to == filepath.Join(s.dir, "pipe") {
				open++
			}
		}
		return open > 1
	}, soon, 10*time.Millisecond)
}

func TestSignalEndsACommandThatReadsForEver(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s := begin(t, nil, "plan", "--inputs", "/dev/stdin")
			s.reading(t, s.Process.Pid)
			require.NoError(t, s.Process.Signal(signal))
			require.Equal(t, exitStopped, s.ends(t))
			require.Equal(t, "upstep: interrupted\n", s.stderr.String())
			require.Empty(t, s.stdout.String())
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := begin(t, nil, "plan", "--inputs", "/dev/stdin")
	s.reading(t, s.Process.Pid)
	require.NoError(t, s.Process.Signal(syscall.SIGINT))
	for range 30 { // well within the grace: the first is taken in a moment, not at once
		time.Sleep(50 * time.Millisecond)
		if s.Process.Signal(syscall.SIGINT) != nil {
			break
		}
	}
	require.Equal(t, -1, s.ends(t), "the signal ends it as it ends any process")
}

func TestNohupHolds(t *testing.T) {
	t.Parallel()
	s := begin(t, nil, "plan")
	require.Zero(t, s.ends(t), s.stderr.String())

	dir := s.dir
	cmd := exec.CommandContext(t.Context(), "nohup", "upstep", "plan", "--inputs", "/dev/stdin")
	var stdout bytes.Buffer
	cmd.Dir, cmd.Stdout = dir, &stdout
	// Read only, so that it ends when the writer has closed it.
	writer := s.pipe(t)
	reader, err := os.Open(filepath.Join(dir, "pipe"))
	require.NoError(t, err)
	cmd.Stdin = reader
	require.NoError(t, cmd.Start())
	require.NoError(t, reader.Close())
	s.reading(t, cmd.Process.Pid)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	time.Sleep(100 * time.Millisecond)
	_, err = writer.WriteString("{}\n")
	require.NoError(t, err)
	require.NoError(t, s.Stdin.(*os.File).Close()) //nolint:forcetypeassert // of the first session
	require.NoError(t, writer.Close())
	require.NoError(t, cmd.Wait())
	require.Contains(t, stdout.String(), "stage 1: ")
}

func TestSignalEndsAnInventoryThatHangs(t *testing.T) {
	needAnsible(t, "ansible-inventory")
	for name, script := range map[string]string{
		"heeds signals":   "#!/bin/sh\necho $$ > started\nexec sleep 100\n",
		"ignores signals": "#!/bin/sh\ntrap '' TERM INT HUP\necho $$ > started\nwhile :; do sleep 1; done\n",
	} {
		for _, command := range []string{"plan", "validate", "emit", "graph"} {
			if command != "plan" && name != "heeds signals" {
				continue
			}
			t.Run(name+", "+command, func(t *testing.T) {
				t.Parallel()
				s := begin(t, map[string]string{"hosts.sh": script}, command, "-i", "hosts.sh")
				var pid []byte
				require.Eventually(t, func() bool {
					pid, _ = os.ReadFile(filepath.Join(s.dir, "started"))
					return len(pid) > 0
				}, soon, 20*time.Millisecond)
				require.NoError(t, s.Process.Signal(syscall.SIGTERM))
				require.Equal(t, exitStopped, s.ends(t))
				require.Equal(t, "upstep: interrupted\n", s.stderr.String())
				require.Empty(t, s.stdout.String())
				require.NoDirExists(t, filepath.Join(s.dir, "playbooks"))
				stat, _ := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "stat"))
				if len(stat) > 0 {
					require.Contains(t, string(stat), ") Z", "the script is left behind")
				}
			})
		}
	}
}
