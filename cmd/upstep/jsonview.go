package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/upstep/upstep/event"
)

// jsonView writes what happens as lines of JSON, as docs/reference/events.md says.
type jsonView struct{ out *outbox }

func newJSONView(w io.Writer) *jsonView {
	v := &jsonView{newOutbox(w, 64<<20, func(n int) []byte {
		return jsonLine(event.Event{Kind: event.Note, Time: time.Now(), Message: fmt.Sprintf("%d events left out: nobody read them", n)})
	})}
	v.out.put(jsonLine(map[string]string{"format": event.Format}), true)
	return v
}

func jsonLine(value any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // of types that have no value without JSON
	return b.Bytes()
}

func (v *jsonView) report(_ *ledger, e event.Event) {
	e.Values = nil // what hosts registered is no progress
	must := true
	switch e.Kind { //nolint:exhaustive // all others must be told
	case event.Play, event.Start, event.OK, event.Changed, event.Skipped, event.Retry:
		must = false
	}
	v.out.put(jsonLine(e), must)
}

func (v *jsonView) end(o outcome) {
	v.out.put(jsonLine(o.line()), true)
	v.out.close()
	if o.code != exitDone {
		o.summary(o.stderr)
	}
}
