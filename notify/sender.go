package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/upstep/upstep/settings"
)

// most is how many messages wait for a notification at most; then the oldest goes.
const most = 100

// Sender tells of a run as it goes on. Each notification has a goroutine and a queue of its
// own: one whose receivers hang holds up neither the run nor the others.
type Sender struct{ desks []*desk }

// desk sends the messages of a notification, one after the other.
type desk struct {
	settings.Notification
	post *post
	end  context.CancelFunc
	over chan struct{}

	mu      sync.Mutex
	filled  *sync.Cond
	waiting []Message
	closed  bool
	dropped int // from waiting

	sent, missed int
	noted        int    // of missed, those that a note told of
	said         string // by the last note
	late         bool   // the run has ended long enough ago: only the last counts
}

// New begins to send for notifications. Close ends it. What cannot be told as things are,
// as for want of a password, is noted now.
func New(ctx context.Context, list []settings.Notification, o Options) *Sender {
	s := &Sender{}
	p := newPost(o)
	for _, n := range list {
		for _, err := range p.missing(n) {
			o.Note(fmt.Sprintf("notification %s: %v", n.Name, err))
		}
		work, end := context.WithCancel(context.WithoutCancel(ctx))
		d := &desk{Notification: n, post: p, end: end, over: make(chan struct{})}
		d.filled = sync.NewCond(&d.mu)
		s.desks = append(s.desks, d)
		go d.work(work)
	}
	return s
}

// Send tells of what happened where somebody wants to know of it. It waits for nobody.
func (s *Sender) Send(m Message) {
	for _, d := range s.desks {
		if slices.Contains(d.On, m.Event) {
			d.put(m)
		}
	}
}

// Close sends what waits for as long as a message can take, and then gives each notification
// the time for the message that it is at and for the last. A cancelled ctx ends it at once.
func (s *Sender) Close(ctx context.Context) {
	for _, d := range s.desks {
		d.close()
		hurry := time.AfterFunc(d.longest(), d.hurry)
		defer hurry.Stop()
		patience := time.AfterFunc(3*d.longest(), d.end)
		defer patience.Stop()
	}
	for _, d := range s.desks {
		select {
		case <-d.over:
		case <-ctx.Done():
			d.end()
			<-d.over
		}
		d.end()
	}
}

// longest is how long a message can take at most.
func (d *desk) longest() time.Duration {
	var sum time.Duration
	for _, r := range d.Receivers {
		sum += time.Duration(r.Tries)*time.Duration(r.Timeout) + time.Duration(r.Tries-1)*time.Duration(r.Delay)
	}
	return sum
}

func (d *desk) put(m Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == most {
		d.waiting = d.waiting[1:]
		d.dropped++
	}
	d.waiting = append(d.waiting, m)
	d.filled.Signal()
}

func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.filled.Signal()
}

// hurry has the next message be the last.
func (d *desk) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late = true
}

// next gives the message whose turn it is, and counts those that found no room. At the end
// of a run, where the one before found nobody, it is the last: how the run ended.
func (d *desk) next() (m Message, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) == 0 && !d.closed {
		d.filled.Wait()
	}
	if n := len(d.waiting); d.closed && (d.said != "" || d.late) && n > 1 {
		d.dropped += n - 1
		d.waiting = d.waiting[n-1:]
	}
	d.sent += d.dropped
	d.missed += d.dropped
	d.dropped = 0
	if len(d.waiting) == 0 {
		return Message{}, false
	}
	m, d.waiting = d.waiting[0], d.waiting[1:]
	d.sent++
	return m, true
}

// work sends until there is nothing more to send.
func (d *desk) work(ctx context.Context) {
	defer close(d.over)
	for {
		m, more := d.next()
		if !more {
			break
		}
		d.tell(ctx, m)
	}
	if d.missed > d.noted {
		d.post.Note(fmt.Sprintf("notification %s: in all %d of %d messages were told nobody", d.Name, d.missed, d.sent))
	}
}

// tell tries the receivers in turn until one answers. Those that do not are noted, once as
// long as they say the same.
func (d *desk) tell(ctx context.Context, m Message) {
	var wrong []string
	answered := ""
	for _, r := range d.Receivers {
		a := d.post.bring(ctx, d.Notification, r, m)
		if a.Err == nil {
			answered = a.Receiver
			break
		}
		wrong = append(wrong, a.Receiver+": "+a.Err.Error())
	}
	said := strings.Join(append(wrong, answered), "; ")
	news := said != d.said && len(wrong) > 0
	if d.said = ""; len(wrong) > 0 {
		d.said = said
	}
	if answered == "" {
		d.missed++
	}
	if !news {
		return
	}
	text := "notification " + d.Name + ": " + strings.Join(wrong, "; ")
	if answered == "" {
		d.noted++
		text += "; nobody was told of " + m.Event
	} else {
		text += "; " + answered + " was told instead"
	}
	d.post.Note(text)
}

// missing says what receivers lack.
func (p *post) missing(n settings.Notification) []error {
	var out []error
	for _, r := range n.Receivers {
		var err error
		switch {
		case r.Webhook != nil:
			_, err = p.address(r.Webhook.URL)
			for _, h := range r.Webhook.Headers {
				_, wrong := p.open(h.Value)
				err = errors.Join(err, wrong)
			}
		case r.Mail != nil:
			_, err = p.open(r.Mail.Password)
		}
		if err != nil {
			out = append(out, fmt.Errorf("%s: %s", p.name(r), p.clean(err)))
		}
	}
	return out
}

// Try sends a message to every receiver of a notification, also behind one that answers.
func Try(ctx context.Context, n settings.Notification, m Message, o Options) []Answer {
	p := newPost(o)
	var out []Answer
	for _, r := range n.Receivers {
		out = append(out, p.bring(ctx, n, r, m))
	}
	return out
}

// Receivers names the receivers of a notification, without what is secret of them.
func Receivers(n settings.Notification, o Options) []string {
	p := newPost(o)
	var out []string
	for _, r := range n.Receivers {
		out = append(out, p.name(r))
	}
	return out
}
