package calendar_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/calendar"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := calendar.Zone(name)
	require.NoError(t, err)
	return z
}

// window reads a window as a plan has it.
func windows(t testing.TB, text string) *calendar.Calendar {
	t.Helper()
	var list []calendar.Window
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	c, err := calendar.New(list, zone(t, "Europe/Berlin"))
	require.NoError(t, err)
	return c
}

// TestOpen asks at moments of a week: 16 November 2026 is a Monday.
func TestOpen(t *testing.T) {
	const (
		nights  = `[{"from":"22:00","to":"05:00","days":["fri","sat"]}]`
		always  = `[{"from":"00:00","to":"24:00"}]`
		weekend = `[{"from":"00:00","to":"24:00","days":["sat","sun"]}]`
		two     = `[{"from":"22:00","to":"02:00","days":["tue"]},{"from":"02:00","to":"03:00","days":["wed"]},{"from":"12:00","to":"13:00"}]`
		abroad  = `[{"from":"09:00","to":"10:00","timezone":"Asia/Tokyo"}]`
		// Europe's clocks go forward at 02:00 on 29 March 2026 and back at 03:00 on 25 October.
		skipped  = `[{"from":"02:15","to":"02:45"}]`
		opening  = `[{"from":"02:30","to":"04:00"}]`
		spring   = `[{"from":"22:00","to":"05:00"}]`
		repeated = `[{"from":"02:15","to":"02:45","days":["sun"]}]`
		closing  = `[{"from":"22:00","to":"02:30","days":["sat"]}]`
		// Lebanon's go forward at midnight: 29 March 2026 begins at 01:00.
		midnight = `[{"from":"00:00","to":"24:00","days":["sun"],"timezone":"Asia/Beirut"}]`
	)
	for name, c := range map[string]struct {
		windows, at string
		open        bool
		until       string
	}{
		"before it opens":              {nights, "2026-11-20T21:59:59+01:00", false, "2026-11-20T22:00:00+01:00"},
		"as it opens":                  {nights, "2026-11-20T22:00:00+01:00", true, "2026-11-21T05:00:00+01:00"},
		"after midnight":               {nights, "2026-11-21T04:59:59+01:00", true, "2026-11-21T05:00:00+01:00"},
		"as it closes":                 {nights, "2026-11-21T05:00:00+01:00", false, "2026-11-21T22:00:00+01:00"},
		"the night of its last day":    {nights, "2026-11-22T03:00:00+01:00", true, "2026-11-22T05:00:00+01:00"},
		"a week until the next":        {nights, "2026-11-22T05:00:00+01:00", false, "2026-11-27T22:00:00+01:00"},
		"whichever zone asks":          {nights, "2026-11-20T21:00:00Z", true, "2026-11-21T04:00:00Z"},
		"always":                       {always, "2026-11-20T21:00:00Z", true, ""},
		"never":                        {`[]`, "2026-11-20T21:00:00Z", false, ""},
		"days that adjoin":             {weekend, "2026-11-21T12:00:00+01:00", true, "2026-11-23T00:00:00+01:00"},
		"windows that adjoin":          {two, "2026-11-18T01:00:00+01:00", true, "2026-11-18T03:00:00+01:00"},
		"the nearest of several":       {two, "2026-11-18T03:00:00+01:00", false, "2026-11-18T12:00:00+01:00"},
		"a zone of its own":            {abroad, "2026-11-18T00:30:00Z", true, "2026-11-18T01:00:00Z"},
		"the day is that of the zone":  {`[{"from":"09:00","to":"10:00","days":["thu"],"timezone":"Asia/Tokyo"}]`, "2026-11-18T23:00:00Z", false, "2026-11-19T00:00:00Z"},
		"the clocks pass over all":     {skipped, "2026-03-29T01:00:00+01:00", false, "2026-03-30T02:15:00+02:00"},
		"the clocks pass over from":    {opening, "2026-03-29T01:00:00+01:00", false, "2026-03-29T03:00:00+02:00"},
		"a night of one hour less":     {spring, "2026-03-28T22:00:00+01:00", true, "2026-03-29T05:00:00+02:00"},
		"a night of one hour more":     {spring, "2026-10-24T22:00:00+02:00", true, "2026-10-25T05:00:00+01:00"},
		"from comes twice":             {repeated, "2026-10-25T01:00:00+02:00", false, "2026-10-25T02:15:00+02:00"},
		"the second time is no window": {repeated, "2026-10-25T02:30:00+01:00", false, "2026-11-01T02:15:00+01:00"},
		"to comes twice":               {closing, "2026-10-25T02:00:00+02:00", true, "2026-10-25T02:30:00+02:00"},
		"a day without a midnight":     {midnight, "2026-03-28T23:30:00+02:00", false, "2026-03-29T01:00:00+03:00"},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			open, until := windows(t, c.windows).Open(at)
			require.Equal(t, c.open, open, until)
			if c.until == "" {
				require.True(t, until.IsZero(), until)
				return
			}
			want, err := time.Parse(time.RFC3339, c.until)
			require.NoError(t, err)
			require.True(t, want.Equal(until), "%s is not %s", until, want)
		})
	}
}

// TestOpenAgreesWithTheClocks goes through two changes of the clocks minute by minute:
// but for the hour that comes twice, a window is open when the clocks show a time in it.
func TestOpenAgreesWithTheClocks(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	c := windows(t, `[{"from":"23:10","to":"03:40"},{"from":"12:00","to":"12:01"}]`)
	for _, day := range []time.Time{time.Date(2026, 3, 28, 12, 0, 0, 0, berlin), time.Date(2026, 10, 24, 12, 0, 0, 0, berlin)} {
		var was bool
		var promised time.Time
		for at := day; at.Before(day.Add(30 * time.Hour)); at = at.Add(time.Minute) {
			shown := at.Hour()*60 + at.Minute()
			open, until := c.Open(at)
			require.Equal(t, shown >= 23*60+10 || shown < 3*60+40 || shown == 12*60, open, at)
			require.True(t, until.After(at), at)
			if !at.Equal(day) {
				require.Equal(t, was != open, !at.Before(promised), "it changes when it was said to: %s", at)
			}
			was, promised = open, until
		}
	}
}

func TestWordsOfWindows(t *testing.T) {
	for text, want := range map[string]calendar.Clock{"00:00": 0, "5:30": 330, "23:59": 1439, "24:00": calendar.EndOfDay} {
		c, ok := calendar.ParseClock(text)
		require.True(t, ok, text)
		require.Equal(t, want, c)
	}
	for _, text := range []string{"", "22", "22:0", "24:01", "12:60", "-1:00", "22:00:00", "1320", "٢٢:٠٠"} {
		_, ok := calendar.ParseClock(text)
		require.False(t, ok, text)
	}
	for text, want := range map[string]string{"mon": "mon ", "Sunday": "sun ", "mon-fri": "mon, tue, wed, thu, fri ", "FRI - mon": "mon, fri, sat, sun ", "tue-mon": ""} {
		days, ok := calendar.ParseDays(text)
		require.True(t, ok, text)
		w := calendar.Window{From: 60, To: 120, Days: calendar.SortDays(days), Zone: "UTC"}
		require.Equal(t, want+"01:00 to 02:00 UTC", w.String())
	}
	for _, text := range []string{"", "mo", "mon-", "mon-x", "monday-friday-sunday"} {
		_, ok := calendar.ParseDays(text)
		require.False(t, ok, text)
	}
	for _, name := range []string{"", "Local", "Mars/Olympus", "../etc/passwd"} {
		_, err := calendar.Zone(name)
		require.Error(t, err, name)
	}
	_, err := calendar.New([]calendar.Window{{Zone: "Nowhere"}}, time.UTC)
	require.EqualError(t, err, `unknown time zone "Nowhere"`)
	require.Error(t, json.Unmarshal([]byte(`{"from":"25:00"}`), &calendar.Window{}))
	require.Error(t, json.Unmarshal([]byte(`{"days":["someday"]}`), &calendar.Window{}))
	text, err := json.Marshal(calendar.Window{From: 1320, To: 300, Days: []calendar.Day{5, 6}, Zone: "Europe/Berlin"})
	require.NoError(t, err)
	require.JSONEq(t, `{"from":"22:00","to":"05:00","days":["fri","sat"],"timezone":"Europe/Berlin"}`, string(text))
}

func TestMomentsAsOperatorsSayThem(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	now := time.Date(2026, 11, 18, 12, 0, 0, 0, berlin)
	require.Equal(t, "Sat 22:00", calendar.Moment(time.Date(2026, 11, 21, 22, 0, 0, 0, berlin), now))
	require.Equal(t, "Wed 25 Nov 22:00", calendar.Moment(time.Date(2026, 11, 25, 22, 0, 0, 0, berlin), now))
	require.Equal(t, "Wed 23:00 UTC", calendar.Moment(time.Date(2026, 11, 18, 23, 0, 0, 0, time.UTC), now))
}
