package main

import (
	"io"
	"sync"
)

// outbox writes in its own time, so that whoever reads the output, or does not, never
// holds up a run.
type outbox struct {
	w       io.Writer
	most    int // bytes that wait at most, but for what must be told
	gap     func(n int) []byte
	mu      sync.Mutex
	filled  *sync.Cond
	waiting []byte
	dropped int
	closed  bool
	over    chan struct{}
}

// newOutbox opens an outbox. gap words a note of texts that found no room.
func newOutbox(w io.Writer, most int, gap func(n int) []byte) *outbox {
	o := &outbox{w: w, most: most, gap: gap, over: make(chan struct{})}
	o.filled = sync.NewCond(&o.mu)
	go o.write()
	return o
}

// put hands in a text. One that must be told is kept however much waits.
func (o *outbox) put(text []byte, must bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !must && len(o.waiting)+len(text) > o.most {
		o.dropped++
		return
	}
	if o.dropped > 0 {
		o.waiting = append(o.waiting, o.gap(o.dropped)...)
		o.dropped = 0
	}
	o.waiting = append(o.waiting, text...)
	o.filled.Signal()
}

// close waits until everything is out.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.filled.Signal()
	o.mu.Unlock()
	<-o.over
}

func (o *outbox) write() {
	defer close(o.over)
	for {
		o.mu.Lock()
		for len(o.waiting) == 0 && !o.closed {
			o.filled.Wait()
		}
		text := o.waiting
		o.waiting = nil
		o.mu.Unlock()
		if len(text) == 0 {
			return
		}
		_, _ = o.w.Write(text) // results remembers a failure; the run goes on without a reader
	}
}
