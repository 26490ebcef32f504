package settings

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/upstep/upstep/source"
)

// reader reads notifications.
type reader struct {
	inputs source.Values
	sink   *source.Sink
}

const howNotify = "write notify: [{on: [run, batch.failure], webhook: https://...}]"

// notifications reads one notification, or a list of them.
func (r reader) notifications(v source.Node) []Notification {
	list := []source.Node{v}
	switch {
	case !v.Exists():
		return nil
	case v.Kind() == source.List && v.Len() > 0:
		list = v.Items()
	case v.Kind() != source.Map || len(v.Entries()) == 0:
		r.sink.Errorf(v.Pos(), "notify must be a list of notifications, not %s", shape(v)).WithHint(howNotify)
		return nil
	}
	var out []Notification
	for _, it := range list {
		if it.Kind() != source.Map {
			r.sink.Errorf(it.Pos(), "a notification must be a mapping, not %s", shape(it)).WithHint(howNotify)
			continue
		}
		n := r.notification(it)
		if n.Name == "" {
			n.Name = unused(n, out)
		}
		if i := slices.IndexFunc(out, func(o Notification) bool { return o.Name == n.Name }); i >= 0 {
			r.sink.Errorf(it.Pos(), "duplicate notification %q", n.Name).WithHint("the first stands at " + out[i].Pos.Short() + "; give each a name of its own")
			continue
		}
		out = append(out, n)
	}
	return out
}

// unused names a notification after its first receiver.
func unused(n Notification, others []Notification) string {
	stem := "notification"
	if len(n.Receivers) > 0 {
		stem = n.Receivers[0].Kind()
	}
	name := stem
	for i := 2; slices.ContainsFunc(others, func(o Notification) bool { return o.Name == name }); i++ {
		name = fmt.Sprintf("%s-%d", stem, i)
	}
	return name
}

func (r reader) notification(v source.Node) Notification {
	f := source.ReadFields(v, "the notification", r.sink, "name", "on", "template", "receivers", "webhook", "command", "mail", "timeout", "tries", "delay")
	n := Notification{Name: f.Line("name"), On: r.on(f), Template: template(f, "template"), Pos: v.Pos()}
	usual := r.patience(f, Receiver{Timeout: Duration(10 * time.Second), Tries: 1, Delay: Duration(5 * time.Second)})
	var direct []string
	for _, kind := range kinds() {
		if f.Has(kind) {
			direct = append(direct, kind)
		}
	}
	list := f.Get("receivers")
	switch {
	case list.Exists() && len(direct) > 0:
		r.sink.Errorf(f.PosOf(direct[0]), "a notification with receivers has no %s beside them", direct[0]).WithHint("move it into receivers: they are tried in turn until one answers")
	case list.Exists() && (list.Kind() != source.List || list.Len() == 0):
		r.sink.Errorf(list.Pos(), "receivers must be a list with at least one receiver, not %s", shape(list)).WithHint("write receivers: [{webhook: https://...}, {command: [...]}]")
	case list.Exists():
		for _, it := range list.Items() {
			n.Receivers = append(n.Receivers, r.receiver(it, usual)...)
		}
	case len(direct) == 1:
		n.Receivers = r.kind(direct[0], f.Get(direct[0]), usual)
	case len(direct) > 1:
		r.sink.Errorf(f.PosOf(direct[1]), "the notification has %s and %s", direct[0], direct[1]).
			WithHint("write receivers: [...] where the second is for when the first does not answer, or two notifications where both are to be told")
	case !f.Misspelt("receivers") && !slices.ContainsFunc(kinds(), f.Misspelt):
		r.sink.Errorf(v.Pos(), "the notification has no receiver").WithHint("add one of webhook, command, mail; or receivers: with a list of them")
	}
	return n
}

// on reads what a notification tells of; by default all that becomes of the run.
func (r reader) on(f source.Fields) []string {
	v := f.Get("on")
	words := []source.Node{v}
	switch {
	case !v.Exists():
		return slices.DeleteFunc(Happenings(), func(h string) bool { return !happening("run", h) })
	case v.Kind() != source.Scalar:
		if words = f.Strings("on"); v.Kind() == source.List && v.Len() == 0 {
			r.sink.Errorf(v.Pos(), "on of the notification names nothing").WithHint("write on: [run, batch.failure]")
		}
	}
	known := []string{"run", "stage", "batch", "start", "success", "failure", "stop", "wait"}
	var out []string
	for _, h := range Happenings() {
		if slices.ContainsFunc(words, func(w source.Node) bool { return happening(w.Text(), h) }) {
			out = append(out, h)
		}
	}
	for _, w := range words {
		if !slices.ContainsFunc(Happenings(), func(h string) bool { return happening(w.Text(), h) }) {
			hint := source.DidYouMean(w.Text(), append(Happenings(), known...))
			if hint == "" {
				hint = "known are " + strings.Join(Happenings(), ", ") + ", and for several of them " + strings.Join(known, ", ")
			}
			r.sink.Errorf(w.Pos(), "nothing is called %q that can be told of", w.Text()).WithHint(hint)
		}
	}
	return out
}

// patience reads how long and how often is tried.
func (r reader) patience(f source.Fields, usual Receiver) Receiver {
	out := usual
	out.Timeout = Duration(f.Duration("timeout", time.Duration(usual.Timeout)))
	if out.Timeout == 0 {
		r.sink.Errorf(f.PosOf("timeout"), "a timeout of 0 leaves no time to answer").WithHint("write timeout: 10s")
	}
	out.Tries = f.Int("tries", 1, usual.Tries)
	out.Delay = Duration(f.Duration("delay", time.Duration(usual.Delay)))
	return out
}

func template(f source.Fields, key string) Template {
	if !f.Has(key) {
		return Template{}
	}
	return Template{Text: f.String(key), Pos: f.PosOf(key)}
}
