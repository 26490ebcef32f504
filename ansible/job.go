package ansible

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/apenella/go-ansible/v2/pkg/execute"
	"github.com/apenella/go-ansible/v2/pkg/execute/exec"
	"github.com/apenella/go-ansible/v2/pkg/playbook"
)

// Job is one playbook to run.
type Job struct {
	// Folder is of this process alone. It is made with mode 0700 and holds what is
	// left of the process when upstep is gone: lock, pid, events, output, outcome.
	Folder    string
	Tree      string   // absolute folder of the emitted playbooks
	Book      string   // the playbook below it
	Inventory []string // as for Tool.Inventory
	// Facts is the folder of a fact cache that the processes of a run share. It counts
	// unless the user has configured a fact cache.
	Facts       string
	SkipTags    []string
	Check, Diff bool
	Forks       int // 0: the user's own setting
}

// What stands in a job's folder.
const (
	lockFile    = "lock"
	pidFile     = "pid"
	eventsFile  = "events"
	outputFile  = "output"
	outcomeFile = "outcome"
	pluginDir   = "callback"
	varsPrefix  = "vars-" // removed as soon as Ansible has read them
)

// Start starts ansible-playbook, detached: it survives upstep, holds before each
// play, and ends there by itself when nobody answers. Cancelling the context later
// does not end it; Terminate does. The folder must not have served another job.
func (t *Tool) Start(ctx context.Context, job Job) (*Process, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx, "ansible-playbook")
	}
	for _, s := range job.Inventory {
		if err := t.checkSource(s); err != nil {
			return nil, err
		}
	}
	set, err := t.settings(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(job.Folder)
	if err != nil {
		return nil, err
	}
	if strings.Contains(folder, ":") {
		return nil, fmt.Errorf("folder %s: Ansible takes a colon in a path as the end of it", folder)
	}
	p := &Process{folder: folder, orphans: orphans{grace: orphanGrace}, leader: &detached{done: make(chan struct{}), started: make(chan struct{})}}
	if err := t.prepare(p, job, set); err != nil {
		p.leader.clean()
		_ = p.Close()
		return nil, fmt.Errorf("prepare %s: %w", folder, err)
	}
	if err := p.start(ctx); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// prepare makes the folder and everything that the process inherits.
func (t *Tool) prepare(p *Process, job Job, set settings) error {
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return err
	}
	// MkdirAll leaves the mode of a folder that was there.
	if err := os.Chmod(p.folder, 0o700); err != nil { //nolint:gosec // a folder needs x
		return err
	}
	// First, as it refuses a folder that another job has used.
	var err error
	p.events, err = os.OpenFile(filepath.Join(p.folder, eventsFile), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errors.New("a job has used this folder")
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(p.folder, pluginDir), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.folder, pluginDir, "upstep.py"), t.plugin, 0o600); err != nil {
		return err
	}
	d := p.leader
	if d.args, d.removed, err = t.bookArgs(p.folder, job); err != nil {
		return err
	}
	for _, name := range d.removed {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		d.hidden = append(d.hidden, string(text))
	}
	d.dir, d.env = t.dir, t.jobEnv(p.folder, job, set, d.removed)
	if d.out, err = os.OpenFile(filepath.Join(p.folder, outputFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	// The lock belongs to the open file: whoever inherits it holds the lock on, after
	// this process has closed it. Only they have it open for writing.
	if d.lock, err = os.OpenFile(filepath.Join(p.folder, lockFile), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if p.lock, err = os.Open(d.lock.Name()); err != nil {
		return err
	}
	if err = syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	p.conn, d.peer, err = pair()
	return err
}

// pair makes two connected sockets: one for this process, one to be inherited.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	own, peer := os.NewFile(uintptr(fds[0]), "gate"), os.NewFile(uintptr(fds[1]), "gate")
	defer func() { _ = own.Close() }()
	c, err := net.FileConn(own)
	if err != nil {
		_ = peer.Close()
		return nil, nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		_ = peer.Close()
		return nil, nil, errors.New("not a local socket")
	}
	return conn, peer, nil
}

// bookArgs gives the command line, without a secret on it.
func (t *Tool) bookArgs(folder string, job Job) (args, removed []string, err error) {
	own, removed, err := runArgs(t.args, folder)
	if err != nil {
		return nil, removed, err
	}
	opts := &playbook.AnsiblePlaybookOptions{Check: job.Check, Diff: job.Diff, SkipTags: strings.Join(job.SkipTags, ",")}
	if job.Forks > 0 {
		opts.Forks = strconv.Itoa(job.Forks)
	}
	var more []string
	for i, s := range job.Inventory {
		if i == 0 {
			opts.Inventory = s
			continue
		}
		more = append(more, playbook.InventoryFlag+"="+s)
	}
	args, err = command{
		make: playbook.NewAnsiblePlaybookCmd(
			playbook.WithPlaybooks(filepath.Join(job.Tree, job.Book)),
			playbook.WithPlaybookOptions(opts)).Command,
		// Of an option given twice the last counts, and upstep shares forks out.
		more: slices.Concat(own, more),
	}.Command()
	if job.Forks > 0 && err == nil {
		args = append(args, playbook.ForksFlag+"="+opts.Forks)
	}
	return args, removed, err
}

// detached is the process as go-ansible starts it.
type detached struct {
	args       []string
	removed    []string // files of extra variables
	hidden     []string // what stands in them
	dir        string
	env        []string
	out        *os.File // its standard output and standard error
	lock, peer *os.File // descriptors 3 and 4

	silent
	started chan struct{} // closed when startErr is known
	done    chan struct{} // closed when the process was waited for
}

var (
	_ execute.Executabler = (*detached)(nil)
	_ exec.Cmder          = (*detached)(nil)
)

// Command is part of go-ansible's interface; its executor calls only CommandContext.
func (d *detached) Command(name string, arg ...string) exec.Cmder {
	return d.CommandContext(context.Background(), name, arg...)
}

// CommandContext makes the process: a session of its own, no terminal, nothing that
// ends with upstep. The context does not end it.
func (d *detached) CommandContext(_ context.Context, name string, arg ...string) exec.Cmder {
	d.Cmd = osexec.Command(name, arg...) //nolint:noctx // it outlives whoever started it
	d.Dir, d.Env = d.dir, d.env
	d.Stdout, d.Stderr = d.out, d.out
	d.ExtraFiles = []*os.File{d.lock, d.peer}
	d.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return d
}

// Start starts the process, and lets go of what only the process is to hold.
func (d *detached) Start() error {
	err := d.silent.Start()
	d.release()
	close(d.started)
	return err
}

// clean removes the files that Ansible has read, or never will.
func (d *detached) clean() {
	for _, name := range d.removed {
		_ = os.Remove(name)
	}
}

// scrub takes extra variables out of what Ansible printed before the callback could:
// it repeats a line that it can't read.
func (d *detached) scrub(folder string) {
	if info, err := os.Stat(filepath.Join(folder, eventsFile)); err != nil || info.Size() > 0 {
		return
	}
	name := filepath.Join(folder, outputFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return
	}
	clean := string(text)
	for _, h := range d.hidden {
		for line := range strings.Lines(h) {
			if line = strings.TrimSpace(line); len(line) > 1 {
				clean = strings.ReplaceAll(clean, line, "(extra vars)")
			}
		}
	}
	if clean != string(text) {
		_ = keep(name, []byte(clean))
	}
}

func (d *detached) release() {
	for _, f := range []*os.File{d.lock, d.peer, d.out} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Wait waits for the process and keeps silent about how it ended, as go-ansible
// asserts a type that the error need not have.
func (d *detached) Wait() error {
	_ = d.Cmd.Wait()
	return nil
}

// start runs the command through go-ansible and returns when it has started.
func (p *Process) start(ctx context.Context) error {
	d := p.leader
	go func() {
		defer close(d.done)
		// Its error is of no use, as in Tool.run.
		_ = execute.NewDefaultExecute(
			execute.WithCmd(command{make: func() ([]string, error) { return d.args, nil }}),
			execute.WithExecutable(d),
			execute.WithOutput(noOutput{}),
			execute.WithWrite(io.Discard),
			execute.WithWriteError(io.Discard),
		).Execute(context.WithoutCancel(ctx))
		d.clean()
		d.scrub(p.folder)
		if d.Cmd != nil && d.ProcessState != nil {
			_ = writeOutcome(p.folder, d.ProcessState)
		}
	}()
	select {
	case <-d.started:
	case <-d.done:
		select {
		case <-d.started: // it was quick
		default: // go-ansible did not come as far as to start it
			d.release()
			return errors.New("start ansible-playbook: no process")
		}
	}
	switch {
	case errors.Is(d.startErr, osexec.ErrNotFound):
		return &NotInstalledError{Binary: "ansible-playbook"}
	case d.startErr != nil:
		return fmt.Errorf("start ansible-playbook: %w", d.startErr)
	}
	id, err := identify(d.Process.Pid)
	if err != nil {
		return nil //nolint:nilerr // it has ended already, which Next tells
	}
	p.id = id
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return keep(filepath.Join(p.folder, pidFile), text)
}

// keep writes a small file whole or not at all.
func keep(name string, text []byte) error {
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
