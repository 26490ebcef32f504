package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upstep/upstep/journal"
)

// requestPause is how often a run looks at what others asked of it.
const requestPause = 500 * time.Millisecond

// heed does what others ask of the run over its journal, until done is called: a cancel
// is sent to stop, and one that cannot wait cancels the context with its reason.
func (s *invocation) heed(ctx context.Context, stop chan<- string) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	if s.journal == nil {
		return ctx, func() { end(nil) }
	}
	var over sync.WaitGroup
	over.Go(func() {
		last, told := int64(0), false
		for {
			// A journal that cannot be read stops the run where it writes.
			list, _ := s.journal.Requests(ctx, s.run, last)
			for _, r := range list {
				last = r.Number
				why := "cancelled by " + by(r.Who)
				// What was asked of an earlier invocation was done or came too late.
				if r.Ask == journal.Approve || r.At.Before(s.since) {
					continue
				}
				if !told { // the channel has room for one
					stop <- why
					told = true
				}
				if r.Ask == journal.CancelNow {
					end(codeError{errors.New(why), exitStopped})
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(requestPause):
			}
		}
	})
	return ctx, func() {
		end(nil)
		over.Wait() // it reads the journal
	}
}

// by names a person at a host.
func by(w journal.Who) string { return w.User + " on " + w.Host }

// errNobody says that there is no terminal to ask on.
var errNobody = errors.New("there is no terminal to ask on")

// approve asks whether a stage may begin: on a terminal, and whoever approves it from
// elsewhere. It is asked once in a run.
func (s *invocation) approve(ctx context.Context, stage string) (bool, error) {
	if s.journal == nil {
		return true, nil // a check changes nothing
	}
	if ok, err := s.approved(ctx, stage); ok || err != nil {
		return ok, err
	}
	if !isTerminal(s.stdin) {
		return false, errNobody
	}
	// What was typed before the question is no answer to it.
	forgetTyped(s.stdin)
	for len(s.lines) > 0 {
		<-s.lines
	}
	lines := s.typed()
	s.errorf("approve stage %s? [y/N] ", stage)
	for {
		select {
		case line := <-lines:
			if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line))) {
				return false, nil
			}
			_, err := s.journal.Ask(ctx, s.run, journal.Request{Ask: journal.Approve, Gate: stage, Who: s.who(), At: time.Now()})
			return err == nil, err
		case <-ctx.Done():
			s.errorf("\n")
			return false, context.Cause(ctx)
		case <-time.After(requestPause):
			if ok, err := s.approved(ctx, stage); ok || err != nil {
				s.errorf("\n")
				return ok, err
			}
		}
	}
}

// approved tells whether somebody has approved a stage of the run.
func (s *invocation) approved(ctx context.Context, stage string) (bool, error) {
	list, err := s.journal.Requests(ctx, s.run, 0)
	return approvals(list)[stage], err
}

// approvals gives the stages that were approved.
func approvals(list []journal.Request) map[string]bool {
	out := map[string]bool{}
	for _, r := range list {
		if r.Ask == journal.Approve {
			out[r.Gate] = true
		}
	}
	return out
}

// typed gives what is typed, line by line. A read of a terminal does not end when the
// answer came from elsewhere, so one goroutine reads for all questions.
func (s *invocation) typed() chan string {
	if s.lines == nil {
		s.lines = make(chan string, 16)
		go func() {
			in := bufio.NewReader(s.stdin)
			for {
				line, err := in.ReadString('\n')
				s.lines <- line
				if err != nil {
					return
				}
			}
		}()
	}
	return s.lines
}

// forgetTyped discards what was typed on a terminal and not read yet.
func forgetTyped(stream any) {
	f, ok := stream.(*os.File)
	if !ok {
		return
	}
	// The kernel stops a process in the background for it.
	if group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP); err == nil && group == unix.Getpgrp() {
		_ = unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH)
	}
}

// isTerminal tells whether somebody may type there.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// approveFirst names the command without which a run does not go on: that for the stage
// that waits, unless it was approved meanwhile.
func (s *invocation) approveFirst(ctx context.Context, stage string) (string, error) {
	if stage == "" || s.journal == nil {
		return "", nil
	}
	if ok, err := s.approved(ctx, stage); ok || err != nil {
		return "", err
	}
	return s.asTyped("upstep approve "+string(s.run)+" "+shellWord(stage)+s.sameFolder()) + "\n  then ", nil
}

// sameFolder repeats the flag that every command needs as well.
func (a *app) sameFolder() string {
	if a.dir == "." {
		return ""
	}
	return " -C " + shellWord(a.dir)
}
