package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/sys/unix"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// frameTime is what lies at least between two frames: a slow link has to keep up.
const frameTime = 250 * time.Millisecond

// screen gives a terminal's size; zeros where it does not tell.
type screen func() (columns, rows int)

// screenOf gives the screen behind a stream, or nil.
func screenOf(w io.Writer) screen {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return nil
	}
	return func() (int, int) {
		size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			return 0, 0
		}
		return int(size.Col), int(size.Row)
	}
}

// liveView draws where a run is, below what failed so far. Only its own goroutine writes
// to the terminal: one that is slow, or stopped by Ctrl-S, misses frames and holds up
// nothing. Neither keyboard nor signals are touched.
type liveView struct {
	out    io.Writer
	screen screen
	color  bool
	mu     sync.Mutex // of what follows, but for drawn
	ledger *ledger
	run    string
	told   []event.Event // failures and notes that are to stay on the screen
	dirty  bool
	paused bool // an operator is asked something
	drawn  []string
	flush  chan chan struct{}
	quit   chan outcome
	over   chan struct{}
}

func newLiveView(w io.Writer, s screen, color bool) *liveView {
	v := &liveView{out: w, screen: s, color: color, flush: make(chan chan struct{}, 1), quit: make(chan outcome, 1), over: make(chan struct{})}
	go v.draw()
	return v
}

func (v *liveView) report(l *ledger, e event.Event) {
	v.mu.Lock()
	v.ledger, v.dirty = l, true
	switch {
	case e.Kind == event.RunStart:
		v.run = e.Run
	case l.lost(e), e.Kind == event.Note, e.Kind == event.Wait, e.Kind == event.UnitEnd && e.State != "ended" && e.State != "failed":
		v.told = append(v.told, e)
	}
	for _, said := range l.check.versions() {
		v.told = append(v.told, event.Event{Kind: event.Note, Time: e.Time, Unit: playbooks.Preflight, Message: said})
	}
	ask := e.Kind == event.Wait && e.Stage != "" // else it waits for a window, and nobody is asked
	switch e.Kind {                              //nolint:exhaustive // tasks that were at work go on while somebody is asked
	case event.Wait:
		v.paused = ask
	case event.UnitStart, event.Note, event.RunEnd:
		v.paused = false
	}
	v.mu.Unlock()
	if ask { // the question comes right behind, and the screen must be free for it
		free := make(chan struct{})
		select {
		case v.flush <- free:
		case <-time.After(2 * frameTime):
			return
		}
		select {
		case <-free:
		case <-time.After(2 * frameTime):
		}
	}
}

func (v *liveView) end(o outcome) {
	v.quit <- o
	<-v.over
}

// draw is the goroutine that writes.
func (v *liveView) draw() {
	defer close(v.over)
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	var last time.Time // of the last frame, to the second that it shows
	for {
		whole := false
		select {
		case <-tick.C:
		case <-resized:
			whole = true
		case free := <-v.flush:
			v.paint(time.Now(), true)
			close(free)
			continue
		case o := <-v.quit:
			v.finish(o)
			return
		}
		now := time.Now()
		v.mu.Lock()
		due := v.dirty || whole || now.Sub(last) >= time.Second
		v.dirty = false
		v.mu.Unlock()
		if due {
			last = now
			v.paint(now, whole)
		}
	}
}

// paint writes what is new above the frame, and the frame. A whole one is written though
// its lines are the same.
func (v *liveView) paint(now time.Time, whole bool) {
	columns, rows := v.size()
	v.mu.Lock()
	told, paused := v.told, v.paused
	v.told = nil
	var frame []string
	if v.ledger != nil && !paused {
		v.ledger.mu.Lock()
		frame = v.ledger.frame(columns-1, rows-1, now, v.run, v.color)
		v.ledger.mu.Unlock()
	}
	v.mu.Unlock()
	_, _ = v.out.Write(v.change(told, frame, rows, whole)) // results remembers a failure
}

// size gives the size to draw for.
func (v *liveView) size() (int, int) {
	columns, rows := 0, 0
	if v.screen != nil {
		columns, rows = v.screen()
	}
	if columns <= 0 || rows <= 0 {
		columns, rows = 80, 24
	}
	return max(columns, 12), max(rows, 3)
}

// change gives what leads from the frame that is drawn to the next.
func (v *liveView) change(told []event.Event, frame []string, rows int, whole bool) []byte {
	var b bytes.Buffer
	if n := min(len(v.drawn), rows) - 1; n > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", n)
	} else if len(v.drawn) > 0 {
		b.WriteString("\r")
	}
	old := v.drawn
	if whole || len(told) > 0 || len(old) > rows || len(frame) == 0 && len(old) > 0 {
		b.WriteString("\x1b[J")
		old = nil
	}
	for _, line := range v.keep(told) {
		b.WriteString(line + "\r\n")
	}
	for i, line := range frame {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if i >= len(old) || old[i] != line {
			b.WriteString(line + "\x1b[K")
		}
	}
	if len(frame) < len(old) {
		b.WriteString("\x1b[J")
	}
	v.drawn = frame
	return b.Bytes()
}

// keep words what stays on the screen. Hosts that failed alike stand together: five
// hundred that miss a disk are one thing to read.
func (v *liveView) keep(told []event.Event) []string {
	var out []string
	var failures []runner.Failure
	for _, e := range told {
		at := e.Time.Local().Format("15:04:05")
		switch {
		case lost(e):
			f := failureOf(e)
			f.Hosts[0], f.Stdout = at+" "+e.Host, "" // the output is for the end
			failures = append(failures, f)
		case e.Kind == event.UnitEnd:
			out = append(out, fmt.Sprintf("%s %s: %s", at, v.paintIn(red, e.State), e.Unit))
		default:
			out = append(out, fmt.Sprintf("%s %s", at, v.paintIn(bold, clean(e.Message))))
		}
	}
	var lines []string
	for _, f := range alike(failures) {
		at, _, _ := strings.Cut(f.Hosts[0], " ")
		for i, h := range f.Hosts {
			_, f.Hosts[i], _ = strings.Cut(h, " ")
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s on %s", at, v.paintIn(red, string(f.State)), unitName(f.Unit), shortened(f.Hosts, 10)))
		lines = append(lines, linesOf(f, 5)...)
	}
	return append(lines, out...)
}

func (v *liveView) finish(o outcome) {
	v.mu.Lock()
	v.paused = true // no frame any more
	v.mu.Unlock()
	v.paint(time.Now(), false)
	var b bytes.Buffer
	if v.run != "" {
		fmt.Fprintf(&b, "run %s\n", v.run)
	}
	o.summary(&b)
	_, _ = v.out.Write(b.Bytes())
}

// The colours of the live view; what they say stands in words as well.
const (
	red  = "\x1b[31m"
	bold = "\x1b[1m"
	dim  = "\x1b[2m"
)

func (v *liveView) paintIn(color, s string) string {
	if !v.color || s == "" {
		return s
	}
	return color + s + "\x1b[0m"
}

// fit cuts a text to a width on the screen.
func fit(s string, width int) string {
	if runewidth.StringWidth(s) <= width {
		return s
	}
	return runewidth.Truncate(s, max(width, 0), strings.Repeat(".", min(2, max(width, 0))))
}
