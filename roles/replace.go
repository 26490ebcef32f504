package roles

import (
	"time"

	"github.com/upstep/upstep/source"
)

// Replace says that other hosts take over from a role's.
type Replace struct {
	With    string // an Ansible inventory pattern; "" when it could not be read, which is reported
	WithPos source.Pos
	// How long the old hosts stay after the cut over, ready to be cut back to.
	Keep time.Duration
	Told bool // they stay until the operator says that they may go; Keep is 0
	Pos  source.Pos
}

// UntilTold is what keep says where nothing else is said.
const UntilTold = "until told"

// parseReplace reads which hosts take over from a role's; nil where none do.
func parseReplace(f source.Fields, vals source.Values, sink *source.Sink) *Replace {
	at := f.PosOf("replace")
	switch v := f.Get("replace"); {
	case f.IsNull("replace"), v.Exists() && v.Kind() != source.Map:
		sink.Errorf(at, "replace of the role must name the hosts that take over").
			WithHint("write replace: {with: PATTERN}; remove the line if the role is upgraded in place")
		return &Replace{Pos: at, WithPos: at, Told: true}
	case !v.Exists():
		return nil
	}
	if f.Has("rolling") {
		sink.Errorf(at, "a role is rolling or it is replaced, not both").
			WithHint("new hosts take over all at once: take rolling: away, or replace:")
	}
	written := source.ReadFields(f.Get("replace"), "replace", sink, "with", "keep")
	r := &Replace{Pos: at, WithPos: written.PosOf("with"), Told: true}
	if written.Lacks("with") {
		sink.Errorf(at, "replace has no with").WithHint("write with: PATTERN, the hosts that take over")
	}
	r.With = hosts(written, "with", "", vals, sink)
	if v := f.Get("replace").Substitute(vals, sink).Get("keep"); v.Text() != "" && v.Text() != UntilTold || v.Kind() == source.Map || v.Kind() == source.List {
		keep, ok := source.ParseDuration(v.Text())
		if r.Told, r.Keep = false, keep; !ok {
			sink.Errorf(v.Pos(), "keep of replace must be a duration such as 30m or 24h, or %q", UntilTold).
				WithHint("0s retires the old hosts at the end of the same run")
		}
	}
	return r
}
