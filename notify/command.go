package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command runs a command with the letter on its standard input and the message in its
// environment. It is a process group of its own: Ctrl-C on the terminal is not for it, and
// what it started ends with it where it takes too long.
func (p *post) command(ctx context.Context, argv []string, l letter) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = append(append([]string{}, p.Env...), variables(l.Message)...)
	cmd.Stdin = strings.NewReader(l.body)
	said := &tail{}
	cmd.Stderr = said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 500 * time.Millisecond // for what it started and what holds its standard error
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well, and something of it goes on
		return nil
	}
	if _, is := errors.AsType[*exec.ExitError](err); is && said.Len() > 0 {
		return fmt.Errorf("%w: %s", err, lastLine(said.String()))
	}
	return err
}

// variables gives a message as environment variables.
func variables(m Message) []string {
	var versions, failed []string
	for _, v := range m.Versions {
		versions = append(versions, v.String())
	}
	for _, f := range m.Failures {
		failed = append(failed, f.String())
	}
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	var out []string
	for _, v := range []struct{ name, value string }{
		{"EVENT", m.Event},
		{"TEST", map[bool]string{true: "true"}[m.Test]},
		{"TIME", m.Time.Format(time.RFC3339)},
		{"PROJECT", m.Project},
		{"RUN", m.Run},
		{"BY", m.By},
		{"STAGE", m.Stage},
		{"ROLE", m.Role},
		{"UNIT", m.Unit},
		{"BATCH", number(m.Batch)},
		{"HOSTS", strings.Join(m.Hosts, ",")},
		{"COUNT", number(m.Count)},
		{"VERSIONS", strings.Join(versions, ", ")},
		{"STATE", m.State},
		{"DURATION", m.Duration()},
		{"SECONDS", strconv.FormatFloat(m.Seconds, 'f', -1, 64)},
		{"TRY", number(m.Try)},
		{"TRIES", number(m.Tries)},
		{"FAILED_HOSTS", strings.Join(m.FailedHosts, ",")},
		{"FAILURES", strings.Join(failed, "\n")},
		{"MESSAGE", m.Message},
		{"OUT_OF_TRAFFIC", strings.Join(m.OutOfTraffic, ",")},
		{"NEXT", m.Next},
		{"SUBJECT", m.Subject},
	} {
		out = append(out, "UPSTEP_"+v.name+"="+bounded(v.value))
	}
	return out
}

// bounded cuts a value to what an environment takes; the letter has all of it.
func bounded(value string) string {
	const most = 32 << 10
	value = strings.ReplaceAll(value, "\x00", "")
	if len(value) <= most {
		return value
	}
	cut := value[:most]
	if at := strings.LastIndexAny(cut, ",\n"); at > 0 {
		cut = cut[:at]
	}
	return strings.ToValidUTF8(cut, "") + ",..."
}

// tail keeps the end of what is written.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	n, _ := t.Buffer.Write(p)
	if more := t.Len() - most; more > 0 {
		t.Next(more)
	}
	return n, nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
