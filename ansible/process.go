package ansible

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/apenella/go-ansible/v2/pkg/execute"
	"github.com/apenella/go-ansible/v2/pkg/execute/exec"
	"github.com/apenella/go-ansible/v2/pkg/execute/result"
)

const (
	maxStdout = 256 << 20 // an inventory of 100,000 hosts with variables
	maxStderr = 1 << 20
	drainTime = 2 * time.Second // for output that outlives its writer
)

// command is go-ansible's argument list, changed where that library can't say it.
type command struct {
	make func() ([]string, error)
	more []string // options that follow
}

var _ execute.Commander = command{}

// Command gives the arguments. ansible-inventory's builder puts an empty group
// among them, which is taken out.
func (c command) Command() ([]string, error) {
	made, err := c.make()
	if err != nil {
		return nil, err
	}
	args := made[:1:1]
	for _, a := range made[1:] {
		if a != "" {
			args = append(args, a)
		}
	}
	return append(args, c.more...), nil
}

// String stays silent: go-ansible prints it in errors, and arguments may hold secrets.
func (c command) String() string { return "" }

// outcome is how a command ended.
type outcome struct {
	binary         string
	code           int
	stdout, stderr []byte
	over           bool // there was more on standard output than is kept
}

func (o outcome) failed(message string) error {
	return &CommandError{Binary: o.binary, Code: o.code, Message: message}
}

// run starts the command through go-ansible and waits for it. The error is for
// commands that did not start, were cancelled or were killed; one that ended by
// itself gives its exit code.
func (t *Tool) run(ctx context.Context, cmd command) (outcome, error) {
	args, err := cmd.Command()
	if err != nil {
		return outcome{}, fmt.Errorf("build the command line: %w", err)
	}
	l := &launcher{tool: t}
	// Its error is of no use: it loses the exit code and prints the environment.
	// What happened stands in the process itself.
	_ = execute.NewDefaultExecute(
		execute.WithCmd(cmd),
		execute.WithExecutable(l),
		execute.WithOutput(noOutput{}),
		execute.WithWrite(io.Discard),
		execute.WithWriteError(io.Discard),
	).Execute(ctx)
	return l.outcome(ctx, filepath.Base(args[0]))
}

func (l *launcher) outcome(ctx context.Context, binary string) (outcome, error) {
	p := l.started
	if p == nil || p.ProcessState == nil {
		if ctx.Err() != nil {
			return outcome{}, cancelled(ctx, binary)
		}
		if p != nil && errors.Is(p.startErr, osexec.ErrNotFound) {
			return outcome{}, &NotInstalledError{Binary: binary}
		}
		if p != nil && p.startErr != nil {
			return outcome{}, fmt.Errorf("start %s: %w", binary, p.startErr)
		}
		return outcome{}, fmt.Errorf("start %s: no process", binary)
	}
	o := outcome{
		binary: binary, code: p.ProcessState.ExitCode(),
		stdout: p.out.data, stderr: p.err.bytes(), over: p.out.over,
	}
	if ctx.Err() != nil && !p.ProcessState.Success() {
		return o, cancelled(ctx, binary)
	}
	if ws, ok := p.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return o, o.failed("killed by signal: " + ws.Signal().String())
	}
	return o, nil
}

// cancelled keeps both: what callers test for, and what the deadline says of itself.
func cancelled(ctx context.Context, binary string) error {
	e := &InterruptedError{Binary: binary, errs: []error{ctx.Err()}}
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		e.errs = append(e.errs, cause)
	}
	return e
}

// launcher makes the one process of a run for go-ansible.
type launcher struct {
	tool    *Tool
	started *process
}

var _ execute.Executabler = (*launcher)(nil)

// Command is part of go-ansible's interface; its executor calls only CommandContext.
func (l *launcher) Command(name string, arg ...string) exec.Cmder {
	return l.CommandContext(context.Background(), name, arg...)
}

// CommandContext makes the process: a group of its own, no terminal, bounded output.
func (l *launcher) CommandContext(ctx context.Context, name string, arg ...string) exec.Cmder {
	p := &process{silent: silent{Cmd: osexec.CommandContext(ctx, name, arg...)}, out: &head{max: l.tool.most}, err: &tail{max: maxStderr}}
	p.grace = l.tool.grace
	p.Dir, p.Env = l.tool.dir, l.tool.env
	p.Stdout, p.Stderr = p.out, p.err
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.WaitDelay = drainTime
	p.Cancel = func() error { return endGroup(p.Process.Pid, p.grace) }
	l.started = p
	return p
}

// silent is a command whose output go-ansible does not get to see: it would wait for a
// pipe that a grandchild holds.
type silent struct {
	*osexec.Cmd
	startErr error
}

// StdoutPipe gives an empty pipe: the output goes elsewhere.
func (s *silent) StdoutPipe() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}

// StderrPipe gives an empty pipe, as StdoutPipe does.
func (s *silent) StderrPipe() (io.ReadCloser, error) { return s.StdoutPipe() }

// Start starts the process and keeps its error.
func (s *silent) Start() error {
	s.startErr = s.Cmd.Start()
	return s.startErr
}

// process hides its error as well, as go-ansible asserts a type that it need not have.
type process struct {
	silent
	grace time.Duration
	out   *head
	err   *tail
}

var _ exec.Cmder = (*process)(nil)

// Wait waits for the process and its output, and keeps silent about how it ended.
// After any but a clean end what is left of the group is ended: Ansible's workers,
// or whoever still holds the output.
func (p *process) Wait() error {
	if err := p.Cmd.Wait(); err != nil {
		_ = endGroup(p.Process.Pid, 0)
	}
	return nil
}

// endGroup ends a process group: TERM, so that Ansible removes its temporary files,
// and KILL for what is left after the grace. CONT wakes what waits for a terminal.
func endGroup(pgid int, grace time.Duration) error {
	const poll = 10 * time.Millisecond
	if err := syscall.Kill(-pgid, syscall.SIGTERM); errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	_ = syscall.Kill(-pgid, syscall.SIGCONT)
	for waited := time.Duration(0); waited < grace; waited += poll {
		if errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH) {
			return nil
		}
		time.Sleep(poll)
	}
	_ = syscall.Kill(-pgid, syscall.SIGKILL)
	return nil
}

// noOutput takes go-ansible's printing away; an error in it would make the
// executor forget the process.
type noOutput struct{}

// Print does nothing.
func (noOutput) Print(context.Context, io.Reader, io.Writer, ...result.OptionsFunc) error { return nil }
