package runner

import (
	"slices"

	"github.com/upstep/upstep/event"
)

// valueLog is what hosts registered and set, in order, so that each process can be told
// what it does not know yet.
type valueLog struct {
	entries []entry
	latest  map[entryKey]int
}

type entry struct {
	event.Value
	process int // that told of it; 0: an earlier invocation
	stale   bool
}

type entryKey struct {
	host, name string
	kind       event.ValueKind
}

func (v *valueLog) add(process int, values []event.Value) {
	if v.latest == nil {
		v.latest = map[entryKey]int{}
	}
	for _, val := range values {
		key := entryKey{val.Host, val.Name, val.Kind}
		if i, known := v.latest[key]; known {
			v.entries[i].stale = true
			v.entries[i].JSON = nil // it may be large
		}
		v.latest[key] = len(v.entries)
		v.entries = append(v.entries, entry{Value: val, process: process})
	}
}

// since gives what came after a mark and is not the process's own, and the mark behind it.
func (v *valueLog) since(mark, process int) ([]event.Value, int) {
	var out []event.Value
	for _, e := range v.entries[min(mark, len(v.entries)):] {
		if !e.stale && e.process != process && e.JSON != nil {
			out = append(out, e.Value)
		}
	}
	return slices.Clip(out), len(v.entries)
}
