package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Clock is a time of day in minutes after midnight. 24:00 is the end of the day.
type Clock int

// EndOfDay is 24:00.
const EndOfDay Clock = 24 * 60

var clockText = regexp.MustCompile(`^(\d{1,2}):(\d\d)$`)

// ParseClock reads 22:00 or 5:30.
func ParseClock(s string) (Clock, bool) {
	m := clockText.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	hours, _ := strconv.Atoi(m[1])
	minutes, _ := strconv.Atoi(m[2])
	c := Clock(hours*60 + minutes)
	return c, minutes < 60 && c <= EndOfDay
}

// String gives 22:00.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", c/60, c%60) }

// MarshalText is String.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is ParseClock.
func (c *Clock) UnmarshalText(text []byte) error {
	v, ok := ParseClock(string(text))
	if !ok {
		return fmt.Errorf("%q is no time of day", text)
	}
	*c = v
	return nil
}

// Day is a day of the week.
type Day time.Weekday

// DayNames gives the days as they are written, Monday first.
func DayNames() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

// ParseDay reads a day, as mon or Monday.
func ParseDay(s string) (Day, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := d.String(); strings.EqualFold(s, name) || strings.EqualFold(s, name[:3]) {
			return Day(d), true
		}
	}
	return 0, false
}

// ParseDays reads a day, or several as mon-fri or fri-mon.
func ParseDays(s string) ([]Day, bool) {
	first, last, several := strings.Cut(s, "-")
	from, ok := ParseDay(strings.TrimSpace(first))
	if !several {
		return []Day{from}, ok
	}
	to, good := ParseDay(strings.TrimSpace(last))
	if !ok || !good {
		return nil, false
	}
	out := []Day{from}
	for d := from; d != to; {
		d = (d + 1) % 7
		out = append(out, d)
	}
	return out, true
}

// SortDays gives the days from Monday on, each once; none for all of them.
func SortDays(days []Day) []Day {
	out := slices.Clone(days)
	slices.SortFunc(out, func(a, b Day) int { return a.place() - b.place() })
	if out = slices.Compact(out); len(out) == 7 {
		return nil
	}
	return out
}

// place counts from Monday.
func (d Day) place() int { return int(d+6) % 7 }

// String gives mon.
func (d Day) String() string { return DayNames()[d.place()] }

// MarshalText is String.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDay.
func (d *Day) UnmarshalText(text []byte) error {
	v, ok := ParseDay(string(text))
	if !ok {
		return fmt.Errorf("%q is no day of the week", text)
	}
	*d = v
	return nil
}

// daysText names days before a time; nothing for all of them.
func daysText(days []Day) string {
	if len(days) == 0 {
		return ""
	}
	var names []string
	for _, d := range days {
		names = append(names, d.String())
	}
	return strings.Join(names, ", ") + " "
}

// Since names the time from which something is so, as Moment does: the first whole minute
// at which it is, so that whoever comes by the clock does not come too early.
func Since(t, now time.Time) string {
	if whole := t.Truncate(time.Minute); !whole.Equal(t) {
		t = whole.Add(time.Minute)
	}
	return Moment(t, now)
}

// Moment names a time as an operator in a zone says it: by its day of the week when it is
// near, by its date when it is not, with its own zone where that is another.
func Moment(t, now time.Time) string {
	text := t.Format("Mon 15:04")
	if t.Sub(now) > 6*24*time.Hour || now.Sub(t) > 0 {
		text = t.Format("Mon 2 Jan 15:04")
	}
	_, there := t.Zone()
	if _, here := t.In(now.Location()).Zone(); here != there {
		text += t.Format(" MST")
	}
	return text
}
