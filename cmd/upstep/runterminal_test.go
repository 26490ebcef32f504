package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
)

// late is longer than a small upgrade takes on a busy machine.
const late = 3 * time.Minute

// smallProject is an upgrade of hosts that are folders, with a task that lasts.
func smallProject(t *testing.T, hosts ...string) string {
	t.Helper()
	needAnsible(t, "ansible-playbook")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"services/web.yaml": `service_name: web
upgrade_tasks:
  - name: Write the version
    ansible.builtin.copy: {content: "2", dest: "{{ root }}-{{ inventory_hostname }}", mode: "0644"}
    tags: step1
  - name: Take a while
    ansible.builtin.command: sleep {{ nap }}
    changed_when: false
    tags: step2
  - name: Break where it is asked for
    ansible.builtin.command: test ! -e {{ root }}-broken
    changed_when: false
    tags: step3
`,
		"roles.yaml":    "- {name: Web, hosts: all, services: [web]}\n",
		"inventory.ini": "[all:vars]\nansible_connection=local\nansible_python_interpreter=\"{{ ansible_playbook_python }}\"\nroot=" + dir + "/host\nnap=2\n[webs]\n" + strings.Join(hosts, "\n") + "\n",
	})
	return dir
}

// ptySession is a terminal with upstep on it.
type ptySession struct {
	*exec.Cmd
	pty  *os.File
	mu   sync.Mutex
	text bytes.Buffer
	over chan struct{}
}

func onTerminal(t *testing.T, dir string, columns, rows uint16, args ...string) *ptySession {
	t.Helper()
	s := &ptySession{over: make(chan struct{})}
	s.Cmd = typed(t, dir, args...)
	s.Env = append(os.Environ(), "TERM=xterm")
	var err error
	s.pty, err = pty.StartWithSize(s.Cmd, &pty.Winsize{Cols: columns, Rows: rows})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.pty.Close() })
	return s
}

// read takes in what is said, until the terminal is closed.
func (s *ptySession) read() {
	defer close(s.over)
	buf := make([]byte, 4096)
	for {
		n, err := s.pty.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *ptySession) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// says waits until something is on the terminal.
func (s *ptySession) says(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.said(), text) }, late, 20*time.Millisecond, text)
}

func (s *ptySession) types(t *testing.T, text string) {
	t.Helper()
	_, err := s.pty.WriteString(text)
	require.NoError(t, err)
}

func (s *ptySession) exit(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(late, func() { _ = s.Process.Kill() })
	defer timer.Stop()
	<-s.over
	err := s.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return s.ProcessState.ExitCode()
}

func TestLiveViewOnATerminal(t *testing.T) {
	t.Parallel()
	dir := smallProject(t, "h1", "h2")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "host-broken"), nil, 0o644))
	s := onTerminal(t, dir, 80, 24, "run")
	go s.read()
	s.says(t, "Take a while")
	require.NoError(t, pty.Setsize(s.pty, &pty.Winsize{Cols: 40, Rows: 10}))
	time.Sleep(2 * frameTime) // a frame for the old size may be on its way
	before := len(s.said())
	require.Equal(t, exitFailed, s.exit(t), s.said())

	frames := 0
	for line := range strings.SplitSeq(clean(s.said()[before:]), "\n") {
		if strings.Contains(line, " units ") && strings.HasPrefix(line, "0:") {
			frames++
			require.Less(t, len(line), 40, "frames are drawn for the new size")
		}
	}
	require.Positive(t, frames)
	term := &terminal{columns: 200, rows: 60}
	_, err := term.Write([]byte(s.said()))
	require.NoError(t, err)
	out := term.String()
	// Two hosts that fail alike stand together unless a frame was drawn between them.
	require.Contains(t, []int{2, 3}, strings.Count(out, "Break where it is asked for (services/web.yaml:10)"), "above the frame, and in the summary:\n%s", out)
	require.Contains(t, out, "\nfailed: non-control-plane/1/step3/Web\n  hosts:   h1, h2\n")
	require.True(t, strings.HasSuffix(out, "next: mend it, then this goes on from there\n  upstep run\n"), out)
	require.NotContains(t, s.said(), "\x1b[?", "no mode of the terminal is changed")
}

func TestCtrlCReachesARunBelowTheLiveView(t *testing.T) {
	t.Parallel()
	dir := smallProject(t, "h1")
	s := onTerminal(t, dir, 80, 24, "run", "--junit", "j.xml")
	go s.read()
	s.says(t, "Take a while")
	s.types(t, "\x03")
	require.Equal(t, exitStopped, s.exit(t), s.said())
	require.Contains(t, s.said(), "stopped:  stopped by interrupt")
	require.Contains(t, s.said(), "next:\r\n  upstep run --junit j.xml")
	text, err := os.ReadFile(filepath.Join(dir, "j.xml"))
	require.NoError(t, err)
	var suites junitSuites
	require.NoError(t, xml.Unmarshal(text, &suites))
	require.Equal(t, 1, suites.Skipped, "step 3:\n%s", text)
	require.Zero(t, suites.Failures)
}

// TestOnlyWhatIsTypedBehindAQuestionAnswersIt types ahead of both questions of a run, and
// answers one with yes and one with no.
func TestOnlyWhatIsTypedBehindAQuestionAnswersIt(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"upgrade.yaml": "stages: [first, {name: second, approve: true}, {name: third, approve: true}]\n",
		"roles.yaml": `- {name: One, hosts: all, stage: first, services: [one]}
- {name: Two, hosts: all, stage: second, services: [two]}
- {name: Three, hosts: all, stage: third, services: [three]}
`,
		"services/one.yaml": "service_name: one\nupgrade_tasks:\n  - {name: One, ansible.builtin.debug: {msg: one}, tags: step1}\n",
		"services/two.yaml": `service_name: two
upgrade_tasks:
  - name: Two
    ansible.builtin.shell: touch ` + dir + `/began; until test -e ` + dir + `/go; do sleep 0.1; done
    tags: step1
`,
		"services/three.yaml": "service_name: three\nupgrade_tasks:\n  - {name: Three, ansible.builtin.debug: {msg: three}, tags: step1}\n",
		"inventory.ini":       "h1 ansible_connection=local ansible_python_interpreter=\"{{ ansible_playbook_python }}\"\n",
	})
	s := onTerminal(t, dir, 80, 24, "run")
	go s.read()
	asks := func(stage string) {
		s.says(t, "approve stage "+stage+"? [y/N] ")
		time.Sleep(3 * requestPause) // what was typed ahead would have been read
		_, out, _ := upstep(t, dir, "status")
		require.Contains(t, out, ": waiting\n")
		require.Contains(t, out, stage+", waits for approval\n")
	}
	s.types(t, "y\ny\n")
	asks("second")
	s.types(t, "yes\n")
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil }, late, 20*time.Millisecond)
	s.types(t, "y\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	asks("third")
	s.types(t, "nope\n")
	require.Equal(t, exitStopped, s.exit(t), s.said())
	require.Contains(t, s.said(), "stopped:  stage third was not approved")
	require.Regexp(t, `next:\r\n  upstep approve [0-9-]+ third\r\n  then upstep run\r\n`, s.said())

	j, err := journal.OpenForReading(t.Context(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	r, err := j.Latest(t.Context())
	require.NoError(t, err)
	list, err := j.Requests(t.Context(), r.ID, 0)
	require.NoError(t, err)
	require.Len(t, list, 1, "the answer is kept as one from elsewhere is")
	require.Equal(t, "second", list[0].Gate)
}

func TestTerminalThatNobodyReadsHoldsUpNoRun(t *testing.T) {
	t.Parallel()
	dir := smallProject(t, "h1")
	s := onTerminal(t, dir, 200, 60, "run")
	defer func() { _ = s.Process.Kill() }()
	fill := make([]byte, 1<<16) // echoed, so that the terminal is full
	go func() { _, _ = s.pty.Write(bytes.ReplaceAll(fill, []byte{0}, []byte("x\n"))) }()
	ended := func() bool {
		j, err := journal.OpenForReading(t.Context(), dir)
		if err != nil {
			return false
		}
		defer func() { _ = j.Close() }()
		r, err := j.Latest(t.Context())
		return err == nil && r != nil && r.State == journal.Done
	}
	require.Eventually(t, ended, late, 200*time.Millisecond)
	require.Eventually(t, func() bool {
		owner, err := journal.Holder(dir)
		return err == nil && owner == nil
	}, soon, 50*time.Millisecond, "the lock is free though nobody reads")
	go s.read()
	require.Zero(t, s.exit(t))
	require.Contains(t, s.said(), "done: 3 units in ")
}

func TestRunGoesOnWithoutAReader(t *testing.T) {
	t.Parallel()
	dir := smallProject(t, "h1")
	cmd := typed(t, dir, "run")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(out, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, out.Close()) // as head does
	err = cmd.Wait()
	require.Error(t, err)
	require.Equal(t, exitUnexpected, cmd.ProcessState.ExitCode(), "the run is done, and its output is lost")
	require.Contains(t, stderr.String(), "write output: ")
	require.FileExists(t, filepath.Join(dir, "host-h1"))
}

// TestJSONAndJUnitOfRealRuns lets a schema look at every line, and a second run prove
// that nothing changes.
func TestJSONAndJUnitOfRealRuns(t *testing.T) {
	t.Parallel()
	dir := smallProject(t, "h1", "h2")
	run := func(args ...string) (int, []byte, string) {
		cmd := typed(t, dir, append([]string{"run"}, args...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()
	}
	code, stdout, stderr := run("--output", "json", "--expect-unchanged", "--junit", "j.xml")
	require.Equal(t, exitFailed, code, stderr)
	lines := validLines(t, stdout)
	last := lines[len(lines)-1]
	require.Equal(t, "done", last["state"])
	require.Len(t, last["changed"], 2)
	require.Contains(t, stderr, "\nchanged, though nothing was to: 2 hosts\n  non-control-plane/1/step1/Web on h1, h2: Write the version (services/web.yaml:3)\n")
	text, err := os.ReadFile(filepath.Join(dir, "j.xml"))
	require.NoError(t, err)
	var suites junitSuites
	require.NoError(t, xml.Unmarshal(text, &suites))
	require.Equal(t, []int{8, 2, 0, 0}, []int{suites.Tests, suites.Failures, suites.Errors, suites.Skipped}, "%s", text)
	require.NoError(t, os.Remove(filepath.Join(dir, "j.xml")))

	code, stdout, _ = run("--output", "json")
	require.Zero(t, code)
	require.Len(t, validLines(t, stdout), 2, "there is nothing to do")
	code, stdout, stderr = run("--output", "json", "--expect-unchanged", "--junit", "j.xml")
	require.Equal(t, exitInvalid, code)
	require.Equal(t, "refused", validLines(t, stdout)[1]["state"])
	require.Contains(t, stderr, "hint: --new runs it again")
	require.FileExists(t, filepath.Join(dir, "j.xml"))

	code, _, stderr = run("--new", "--expect-unchanged", "--junit", "j.xml")
	require.Zero(t, code, stderr)
}
