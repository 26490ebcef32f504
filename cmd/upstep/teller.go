package main

import (
	"context"
	"sync"
	"time"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
)

// teller tells what happens to the ledger, the view and those who are notified, one event
// after the other, whoever has something to tell.
type teller struct {
	mu      sync.Mutex
	ledger  *ledger
	view    runView
	notices *notices         // nil: nobody is notified
	journal *journal.Journal // nil: nothing is kept
	run     journal.RunID
}

func (t *teller) tell(e event.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ledger.take(e)
	t.view.report(t.ledger, e)
	if t.notices != nil {
		t.notices.take(t.ledger, e)
	}
}

// note tells something of upstep's own, if there is, and has the journal keep it. The run
// goes on where that is not possible: it meets the journal itself.
func (t *teller) note(ctx context.Context, text string) {
	if text == "" {
		return
	}
	e := event.Event{Kind: event.Note, Time: time.Now(), Run: string(t.run), Message: text}
	if t.journal != nil {
		_ = t.journal.Write(context.WithoutCancel(ctx), t.run, func(tx *journal.Tx) error { tx.Event(e); return nil })
	}
	t.tell(e)
}
