// Package calendar says when maintenance windows are open, over midnight and over changes
// of the clocks.
package calendar

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // a machine without a time zone database knows every zone as well
)

// Window is a span of time that comes again every week.
type Window struct {
	From Clock  `json:"from"`
	To   Clock  `json:"to"`                 // at From or before it: on the next day
	Days []Day  `json:"days,omitempty"`     // on which it opens; none: every day
	Zone string `json:"timezone,omitempty"` // of the IANA database; none: the control machine's
}

// String is how an operator reads it.
func (w Window) String() string {
	text := daysText(w.Days) + w.From.String() + " to " + w.To.String()
	if w.Zone != "" {
		text += " " + w.Zone
	}
	return text
}

// Calendar is windows whose time zones are known. It is open when one of them is.
type Calendar struct{ windows []placed }

// placed is a window in its time zone.
type placed struct {
	Window
	zone *time.Location
}

// New places windows; here is the zone of those that name none. The error is for a zone
// that there is not.
func New(windows []Window, here *time.Location) (*Calendar, error) {
	c := &Calendar{}
	for _, w := range windows {
		zone := here
		if w.Zone != "" {
			var err error
			if zone, err = Zone(w.Zone); err != nil {
				return nil, err
			}
		}
		c.windows = append(c.windows, placed{w, zone})
	}
	return c, nil
}

// Zone gives the time zone of a name.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" { // Go's own names, of UTC and of this machine
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	return zone, nil
}

// span is one time that a window, or several that adjoin, is open.
type span struct{ open, close time.Time }

// Open tells whether a window is open at a time, and until when that is so: when the last
// of those that adjoin closes, or when the next opens. It is the zero time for never.
func (c *Calendar) Open(at time.Time) (open bool, until time.Time) {
	const more = 8 * 24 * time.Hour // than a week, also one in which clocks go back
	for _, s := range c.spans(at) {
		switch {
		case !s.close.After(at):
		case s.open.After(at):
			return false, s.open
		case s.close.Sub(at) > more: // what adjoins for so long does so for ever
			return true, time.Time{}
		default:
			return true, s.close
		}
	}
	return false, time.Time{}
}

// spans gives when windows are open around a time and in the nine days after it, in
// order, those that adjoin as one.
func (c *Calendar) spans(at time.Time) []span {
	const before, after = -2, 10
	var all []span
	for _, w := range c.windows {
		year, month, day := at.In(w.zone).Date()
		for d := before; d <= after; d++ {
			date := time.Date(year, month, day+d, 0, 0, 0, 0, time.UTC)
			if !w.opensOn(date.Weekday()) {
				continue
			}
			closing := date
			if w.To <= w.From {
				closing = date.AddDate(0, 0, 1)
			}
			s := span{instant(date, w.From, w.zone), instant(closing, w.To, w.zone)}
			if s.close.After(s.open) { // the clocks may pass over all of it
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.open.Compare(b.open) })
	var out []span
	for _, s := range all {
		if last := len(out) - 1; last < 0 || s.open.After(out[last].close) {
			out = append(out, s)
		} else if s.close.After(out[last].close) {
			out[last].close = s.close
		}
	}
	return out
}

func (w Window) opensOn(day time.Weekday) bool {
	return len(w.Days) == 0 || slices.Contains(w.Days, Day(day))
}

// instant gives the moment at which a zone's clocks show a time on a date, which is given
// as its midnight in UTC. A time that comes twice is the first; one that the clocks pass
// over is when they do.
func instant(date time.Time, c Clock, zone *time.Location) time.Time {
	shown := date.Unix() + int64(c)*60
	const day = 24 * 60 * 60
	was, is := offset(shown-day, zone), offset(shown+day, zone)
	first, found := int64(0), false
	for _, o := range []int64{was, is} {
		if at := shown - o; offset(at, zone) == o && (!found || at < first) {
			first, found = at, true
		}
	}
	if !found {
		start, _ := time.Unix(shown-was, 0).In(zone).ZoneBounds()
		return start
	}
	return time.Unix(first, 0).In(zone)
}

// offset gives how many seconds a zone's clocks are ahead of UTC.
func offset(at int64, zone *time.Location) int64 {
	_, seconds := time.Unix(at, 0).In(zone).Zone()
	return int64(seconds)
}
