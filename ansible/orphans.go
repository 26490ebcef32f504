package ansible

import (
	"syscall"
	"time"

	"github.com/upstep/upstep/event"
)

// orphanGrace is how long workers that outlived their leader may do nothing.
const orphanGrace = 30 * time.Second

// orphans watches workers whose leader was killed. One may wait for ever for what died with
// it, such as the lock of the queue for results, and holds the process's lock meanwhile.
type orphans struct {
	grace time.Duration
	again <-chan time.Time // when to look again
	idle  time.Time        // since when none of them does anything; zero: one does
	ticks int              // of processor time, of all of them
}

// end kills the workers that a dead leader has left once they do nothing any more: none of
// them computes, and nothing that they started is there. What they wait for, nobody gives.
func (o *orphans) end(p *Process) *event.Event {
	var now time.Time
	select {
	case now = <-o.again:
	default:
	}
	if o.again == nil || !now.IsZero() {
		o.again = time.After(time.Second)
	}
	if now.IsZero() {
		return nil
	}
	holders := p.holders()
	sessions := map[int]bool{}
	ticks := 0
	for _, s := range holders {
		sessions[s.session] = true
		ticks += s.ticks
	}
	if len(holders) == 0 || len(members(sessions)) > len(holders) || ticks != o.ticks || o.idle.IsZero() {
		o.idle, o.ticks = now, ticks
		return nil
	}
	if now.Sub(o.idle) < o.grace {
		return nil
	}
	for pid := range holders {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	o.idle = time.Time{}
	return &event.Event{Kind: event.Note, Time: now, Message: "workers of an ansible-playbook that was killed did nothing any more, and were ended"}
}
