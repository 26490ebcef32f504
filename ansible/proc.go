package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identity is a process beyond doubt: a pid may be given anew, but not with the same
// time of start.
type identity struct {
	Pid   int    `json:"pid"`
	Start string `json:"start"` // clock ticks since the machine booted
}

// stat is what /proc tells of a process.
type stat struct {
	state   string
	session int
	ticks   int // of processor time
	start   string
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// the command's name, in brackets, may hold anything
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("pid %d: unknown form of its state", pid)
	}
	session, e1 := strconv.Atoi(fields[3])
	user, e2 := strconv.Atoi(fields[11])
	system, e3 := strconv.Atoi(fields[12])
	return stat{state: fields[0], session: session, ticks: user + system, start: fields[19]}, errors.Join(e1, e2, e3)
}

func identify(pid int) (identity, error) {
	s, err := readStat(pid)
	return identity{Pid: pid, Start: s.start}, err
}

// alive tells whether that very process runs.
func (id identity) alive() bool {
	if id.Pid == 0 {
		return false
	}
	s, err := readStat(id.Pid)
	return err == nil && s.start == id.Start && s.state != "Z"
}

// free tells whether nobody holds the lock: the process and its workers are gone.
func (p *Process) free() bool {
	// shared, so that two who ask do not take each other for the process
	if err := syscall.Flock(int(p.lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return false
	}
	_ = syscall.Flock(int(p.lock.Fd()), syscall.LOCK_UN)
	return true
}

// holders gives the processes that hold the lock, by pid: whoever has its file open as
// those have that inherited it.
func (p *Process) holders() map[int]stat {
	own := os.Getpid()
	found := map[int]stat{}
	lock, err := p.lock.Stat()
	if err != nil {
		return found
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/3")
	for _, link := range links {
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err != nil || pid == own {
			continue
		}
		if open, err := os.Stat(link); err != nil || !os.SameFile(lock, open) || !writable(pid) {
			continue
		}
		// Setsid makes a session of the leader's; a worker stays in it or leads another.
		if s, err := readStat(pid); err == nil && s.session != 0 && s.session != sessionOf(own) {
			found[pid] = s
		}
	}
	return found
}

// sessions gives the sessions in which the process and its workers live: newer
// Ansible gives each worker one of its own. Whoever has the lock file open is one of
// them, and so is whatever they have started and not detached.
func (p *Process) sessions() map[int]bool {
	found := map[int]bool{}
	if p.id.alive() {
		found[p.id.Pid] = true
	}
	for _, s := range p.holders() {
		found[s.session] = true
	}
	return found
}

// writable tells whether a process has its descriptor 3 open for reading and writing,
// as those have that inherited it; an upstep that looks at the lock has not.
func writable(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/fdinfo/3")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), "flags:")
	flags, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 8, 64)
	return err == nil && flags&syscall.O_ACCMODE == syscall.O_RDWR
}

func sessionOf(pid int) int {
	s, err := readStat(pid)
	if err != nil {
		return 0
	}
	return s.session
}

// members gives every process of those sessions.
func members(sessions map[int]bool) []int {
	var out []int
	if len(sessions) == 0 {
		return nil
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && sessions[s.session] && s.state != "Z" {
			out = append(out, pid)
		}
	}
	return out
}

// Terminate ends the process with its workers and whatever they run here: TERM, so
// that Ansible removes its temporary files, and KILL for what is left after the
// grace. What runs on other hosts may go on there: the outcome of tasks in flight is
// unknown.
func (p *Process) Terminate(grace time.Duration) error {
	const poll = 10 * time.Millisecond
	found := p.sessions()
	signal := func(sig syscall.Signal) (errs error) {
		for _, pid := range members(found) {
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = errors.Join(errs, fmt.Errorf("signal pid %d: %w", pid, err))
			}
		}
		return errs
	}
	if err := signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = signal(syscall.SIGCONT)
	for waited := time.Duration(0); waited < grace; waited += poll {
		if p.free() && len(members(found)) == 0 {
			return nil
		}
		time.Sleep(poll)
	}
	for session := range p.sessions() { // a worker forked meanwhile
		found[session] = true
	}
	return signal(syscall.SIGKILL)
}

// Outcome is how a process ended.
type Outcome struct {
	// Known says that the process told its end. Without that it vanished, and what its
	// tasks in flight did is unknown.
	Known bool
	// Stopped says that it ended at a gate, by an answer or because nobody answered.
	Stopped bool
	// Began says that a play began; without that no host was touched.
	Began bool
	// Code is Ansible's exit code, or -1: a signal ended it, or nobody was there to
	// see it. The events say more than the code does.
	Code   int
	Signal syscall.Signal // 0: none, or unknown
	Output string         // the end of what Ansible printed
	Fault  error          // a *NotLoadedError, which Next has given in place of io.EOF
}

type storedOutcome struct {
	Code   int `json:"code"`
	Signal int `json:"signal,omitempty"`
}

func writeOutcome(folder string, state *os.ProcessState) error {
	o := storedOutcome{Code: state.ExitCode()}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.Signal = int(ws.Signal())
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return keep(filepath.Join(folder, outcomeFile), text)
}

// Outcome tells how the process ended, once Next has given io.EOF.
func (p *Process) Outcome() Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := Outcome{Known: p.told, Stopped: p.stopped, Began: p.began, Code: -1, Fault: p.fault}
	if text, err := os.ReadFile(filepath.Join(p.folder, outcomeFile)); err == nil {
		var s storedOutcome
		if json.Unmarshal(text, &s) == nil {
			o.Code, o.Signal = s.Code, syscall.Signal(s.Signal)
		}
	}
	o.Output = lastOf(filepath.Join(p.folder, outputFile), 8<<10)
	return o
}

// lastOf gives the end of a file, whole lines where it is cut.
func lastOf(name string, most int64) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-most)
	text := make([]byte, info.Size()-from)
	n, _ := f.ReadAt(text, from)
	text = text[:n]
	if from > 0 {
		if _, rest, ok := bytes.Cut(text, []byte("\n")); ok {
			text = rest
		}
	}
	return strings.ToValidUTF8(string(text), "\ufffd")
}

// wait waits for a moment, or until the context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
