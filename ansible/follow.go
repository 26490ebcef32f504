package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/upstep/upstep/event"
)

// Process is a playbook that runs, or that ran. Its methods may be called side by
// side.
type Process struct {
	folder string
	id     identity
	lock   *os.File // to ask whether the lock is free
	events *os.File
	leader *detached     // nil for one that another upstep started
	conn   *net.UnixConn // nil the same, and after Close

	next sync.Mutex // Next is one at a time

	mu      sync.Mutex
	queue   []told
	offset  int64  // of the events file: behind what was read
	part    []byte // of a line that came over the socket
	alone   bool   // nothing more comes over the socket
	orphans orphans
	ended   bool
	waiting bool // a gate was given out and is not answered

	told, stopped, began bool
	heard                bool  // an event was read, so that the callback is there
	fault                error // it is not
}

// told is an event and where it ends in the events file.
type told struct {
	event  event.Event
	behind int64
}

var (
	// ErrNoGate says that no play waits for an answer.
	ErrNoGate = errors.New("no play waits for an answer")
	// ErrNobody says that the process can't be answered: another upstep started it, or
	// it has gone.
	ErrNobody = errors.New("the process can't be answered")
)

// pollTime is for what gives no sign: a lock that becomes free, another's events.
const pollTime = 20 * time.Millisecond

// Adopt follows a process that an upstep started which is gone. Such a process ends
// at its next gate. Next gives its events from the offset on, until its lock is free,
// or what is left of them when it is already. Secret values are lost.
func Adopt(folder string, offset int64) (*Process, error) {
	p := &Process{folder: folder, offset: offset, alone: true, orphans: orphans{grace: orphanGrace}}
	var err error
	if p.lock, err = os.Open(filepath.Join(folder, lockFile)); err != nil {
		return nil, fmt.Errorf("adopt a process: %w", err)
	}
	if p.events, err = os.Open(filepath.Join(folder, eventsFile)); err != nil {
		_ = p.lock.Close()
		return nil, fmt.Errorf("adopt a process: %w", err)
	}
	// Without it, who holds the lock tells which processes they are.
	if text, err := os.ReadFile(filepath.Join(folder, pidFile)); err == nil {
		_ = json.Unmarshal(text, &p.id)
	}
	if err := p.passOver(); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("adopt a process: %w", err)
	}
	return p, nil
}

// Running tells whether the process or one of its workers is there.
func (p *Process) Running() bool { return !p.free() }

// passOver takes notice of the events before the offset, which the Outcome needs.
func (p *Process) passOver() error {
	end := p.offset
	p.offset = 0
	for p.offset < end {
		more, err := p.lines(end)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			break
		}
	}
	p.offset = end
	return nil
}

// Next gives the next event, and the offset of the events file behind it: what a
// later Adopt goes on from. The offset is 0 for events that reach no disk. It blocks
// until there is one, and gives io.EOF when the process and its workers are gone.
func (p *Process) Next(ctx context.Context) (event.Event, int64, error) {
	p.next.Lock()
	defer p.next.Unlock()
	for {
		e, done, err := p.ready()
		if fault := p.listen(errors.Is(err, io.EOF)); fault != nil {
			return event.Event{}, 0, fault
		}
		if done || err != nil {
			return e.event, e.behind, err
		}
		if err := p.wake(ctx); err != nil {
			return event.Event{}, 0, err
		}
	}
}

// listen ends a process whose plays nothing holds. over says that it has ended.
func (p *Process) listen(over bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard || p.fault != nil || p.ended && !over { // or it was closed
		return p.fault
	}
	if p.fault = p.unheld(over); p.fault == nil {
		return nil
	}
	p.began = true // for all that is known
	p.mu.Unlock()
	_ = p.Terminate(lostGrace)
	p.mu.Lock()
	return p.fault
}

// ready gives an event that is there already.
func (p *Process) ready() (told, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 && !p.ended {
		// Free first, then the file: what was written before the end is not missed.
		over := p.alone && p.gone()
		if err := p.fill(over); err != nil {
			return told{}, false, err
		}
		p.ended = over && len(p.queue) == 0
	}
	switch {
	case len(p.queue) > 0:
		e := p.queue[0]
		p.queue = p.queue[1:]
		p.waiting = e.event.Kind == event.Gate
		return e, true, nil
	case p.ended:
		return told{}, true, io.EOF
	}
	return told{}, false, nil
}

// gone tells whether the process has ended with all of its workers.
func (p *Process) gone() bool {
	if p.leader != nil {
		select {
		case <-p.leader.done:
		default:
			return false
		}
	}
	if p.free() {
		return true
	}
	if p.leader != nil || p.id.Pid != 0 && !p.id.alive() {
		if e := p.orphans.end(p); e != nil {
			p.queue = append(p.queue, told{event: *e, behind: p.offset})
		}
	}
	return false
}

// fill reads what the events file has more. What came over the socket was sent
// before a gate was written, so it stands before the gate. What wakes may be taken off the
// socket with the rest, after the file was looked at: then the line that it was sent for is
// looked for again, or nobody would ever.
func (p *Process) fill(over bool) error {
	for {
		info, err := p.events.Stat()
		if err != nil {
			return err
		}
		more, err := p.lines(info.Size())
		if err != nil {
			return err
		}
		secret, took := p.drain(over)
		for _, m := range more {
			if m.event.Kind == event.Gate || m.event.Kind == event.End {
				p.queue = append(p.queue, secret...)
				secret = nil
			}
			p.queue = append(p.queue, m)
		}
		p.queue = append(p.queue, secret...)
		if len(p.queue) > 0 || !took {
			return nil
		}
	}
}

// mostRead bounds what is held of the events file at once; a longer line is read whole.
const mostRead = 4 << 20

// lines reads whole lines up to an end.
func (p *Process) lines(end int64) ([]told, error) {
	var out []told
	for size := int64(mostRead); p.offset < end; size *= 2 {
		chunk := make([]byte, min(size, end-p.offset))
		n, err := p.events.ReadAt(chunk, p.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		chunk = chunk[:n]
		last := bytes.LastIndexByte(chunk, '\n')
		if last < 0 {
			if int64(n) < size {
				break // half a line
			}
			continue
		}
		for line := range bytes.Lines(chunk[:last+1]) {
			p.offset += int64(len(line))
			e := p.read(line)
			out = append(out, told{event: e, behind: p.offset})
		}
		break
	}
	return out, nil
}

// read reads one line; one that can't be read is told, not passed over.
func (p *Process) read(line []byte) event.Event {
	var e event.Event
	p.heard = true
	if err := json.Unmarshal(line, &e); err != nil {
		return event.Event{Kind: event.Note, State: "failed", Message: fmt.Sprintf("an event can't be read: %v", err)}
	}
	switch e.Kind { //nolint:exhaustive // the others say nothing of the whole
	case event.Play:
		p.began = true
	case event.End:
		p.told, p.stopped = true, e.State == "stopped"
	}
	return e
}

// drain takes what the socket has, without waiting, and tells whether it had anything.
func (p *Process) drain(over bool) (out []told, took bool) {
	if p.conn != nil && !p.alone || p.conn != nil && over {
		raw, err := p.conn.SyscallConn()
		if err == nil {
			_ = p.conn.SetReadDeadline(time.Time{})
			buf := make([]byte, 64<<10)
			for more := true; more; {
				more = false
				err := raw.Read(func(fd uintptr) bool {
					n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_DONTWAIT)
					if n > 0 && err == nil {
						p.part, more, took = append(p.part, buf[:n]...), true, true
					}
					p.alone = p.alone || n == 0 && err == nil
					return true
				})
				if err != nil {
					break
				}
			}
		}
	}
	for {
		line, rest, ok := bytes.Cut(p.part, []byte("\n"))
		if !ok {
			return out, took
		}
		p.part = rest
		if len(line) > 0 {
			out = append(out, told{event: p.read(line)})
		}
	}
}

// wake waits until there may be something new; not for long while nothing was heard.
func (p *Process) wake(ctx context.Context) error {
	p.mu.Lock()
	heard := p.heard
	p.mu.Unlock()
	if heard {
		return p.doze(ctx)
	}
	brief, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if err := p.doze(brief); err != nil && brief.Err() == nil || ctx.Err() != nil {
		return err
	}
	return nil
}

func (p *Process) doze(ctx context.Context) error {
	p.mu.Lock()
	conn, alone := p.conn, p.alone
	p.mu.Unlock()
	if alone || conn == nil {
		return wait(ctx, pollTime)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return p.silent()
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // long past: it ends the wait
		close(interrupted)
	})
	// A worker that outlives its killed leader holds the socket, too.
	over := make(chan struct{})
	go func() {
		select {
		case <-p.leader.done:
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		case <-over:
		}
	}()
	raw, err := conn.SyscallConn()
	if err == nil {
		one := make([]byte, 1)
		err = raw.Read(func(fd uintptr) bool {
			_, _, err := syscall.Recvfrom(int(fd), one, syscall.MSG_DONTWAIT|syscall.MSG_PEEK)
			return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		})
	}
	close(over)
	if !stop() {
		<-interrupted
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return p.silent()
	}
	return nil
}

// silent notes that the socket gives no more.
func (p *Process) silent() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alone = true
	return nil
}

// Answer lets the play of the last Gate go on.
func (p *Process) Answer(a event.Answer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return ErrNobody
	}
	if !p.waiting {
		return ErrNoGate
	}
	if a.Do == event.Go && a.Hosts != nil && len(a.Hosts) == 0 {
		// it would be left out of the message, and then mean every host
		return errors.New("an answer names no host: skip the play instead")
	}
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("answer a gate: %w", err)
	}
	if _, err := p.conn.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrNobody, err)
	}
	p.waiting = false
	return nil
}

// Close lets go of the process, as the end of upstep would: it ends at its next gate.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		_ = p.conn.Close()
	}
	if p.leader != nil {
		select {
		case <-p.leader.started:
		default:
			p.leader.release()
		}
	}
	p.alone, p.ended, p.conn = true, true, nil
	for _, f := range []*os.File{p.events, p.lock} {
		if f != nil {
			_ = f.Close()
		}
	}
	return nil
}
