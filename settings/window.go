package settings

import (
	"strings"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/source"
)

const howWindow = `write window: {from: "22:00", to: "05:00", days: [fri, sat]}`

// windows reads one maintenance window, or a list of them.
func windows(v source.Node, sink *source.Sink) []calendar.Window {
	list := []source.Node{v}
	switch {
	case !v.Exists():
		return nil
	case v.Kind() == source.List && v.Len() > 0:
		list = v.Items()
	case v.Kind() != source.Map || len(v.Entries()) == 0:
		sink.Errorf(v.Pos(), "window must be a mapping or a list of them, not %s", shape(v)).WithHint(howWindow)
		return nil
	}
	var out []calendar.Window
	for _, it := range list {
		if it.Kind() != source.Map {
			sink.Errorf(it.Pos(), "a window must be a mapping, not %s", shape(it)).WithHint(howWindow)
			continue
		}
		out = append(out, window(it, sink))
	}
	return out
}

func window(v source.Node, sink *source.Sink) calendar.Window {
	f := source.ReadFields(v, "the window", sink, "from", "to", "days", "timezone")
	w := calendar.Window{To: calendar.EndOfDay, Days: days(f, sink), Zone: zone(f, sink)}
	if !f.Has("from") && !f.Has("to") && f.Has("days") { // whole days
		return w
	}
	from, good := clock(f, "from", sink)
	to, ok := clock(f, "to", sink)
	if good && ok && from == to {
		sink.Errorf(f.PosOf("to"), "the window opens and closes at %s", from).
			WithHint(`for whole days leave out from and to, or write from: "00:00", to: "24:00"`)
	}
	w.From, w.To = from, to
	return w
}

func clock(f source.Fields, key string, sink *source.Sink) (calendar.Clock, bool) {
	text := f.Required(key)
	if text == "" {
		return 0, false
	}
	c, ok := calendar.ParseClock(text)
	if !ok || key == "from" && c == calendar.EndOfDay {
		sink.Errorf(f.PosOf(key), "%s of the window must be a time of day, not %q", key, text).
			WithHint(`write ` + key + `: "22:00", from "00:00" to "23:59"; to may be "24:00"`)
		return 0, false
	}
	return c, true
}

func days(f source.Fields, sink *source.Sink) []calendar.Day {
	v := f.Get("days")
	words := []source.Node{v}
	switch {
	case !v.Exists():
		return nil
	case v.Kind() != source.Scalar:
		if words = f.Strings("days"); v.Kind() == source.List && v.Len() == 0 {
			sink.Errorf(v.Pos(), "days of the window names no day").WithHint("leave it out for every day")
		}
	}
	var out []calendar.Day
	for _, w := range words {
		found, ok := calendar.ParseDays(w.Text())
		if !ok {
			hint := source.DidYouMean(w.Text(), calendar.DayNames())
			if hint == "" {
				hint = "days are " + strings.Join(calendar.DayNames(), ", ") + ", and mon-fri for several"
			}
			sink.Errorf(w.Pos(), "%q is no day of the week", w.Text()).WithHint(hint)
			continue
		}
		out = append(out, found...)
	}
	return calendar.SortDays(out)
}

func zone(f source.Fields, sink *source.Sink) string {
	name := f.Line("timezone")
	if name == "" {
		return ""
	}
	if _, err := calendar.Zone(name); err != nil {
		hint := "write a name of the IANA database, such as Europe/Berlin; without it the control machine's zone counts"
		if usual := spelt(name); usual != name {
			if _, err := calendar.Zone(usual); err == nil {
				hint = `did you mean "` + usual + `"?`
			}
		}
		sink.Errorf(f.PosOf("timezone"), "unknown time zone %q", name).WithHint(hint)
		return ""
	}
	return name
}

// spelt writes a name as the zones of cities are: Europe/Berlin, America/New_York.
func spelt(name string) string {
	first := true
	return strings.Map(func(r rune) rune {
		was := first
		switch first = r == '/' || r == '_' || r == '-' || r == ' '; {
		case r == ' ':
			return '_'
		case was:
			return []rune(strings.ToUpper(string(r)))[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, name)
}
