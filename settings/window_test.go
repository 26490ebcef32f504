package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWindowsAreRead(t *testing.T) {
	for text, want := range map[string][]string{
		`window: {from: "22:00", to: "05:00", days: [fri, sat], timezone: Europe/Berlin}`: {"fri, sat 22:00 to 05:00 Europe/Berlin"},
		"window: {from: 22:00, to: 5:00}":                                                 {"22:00 to 05:00"},
		"window: {days: [Sunday, sat]}":                                                   {"sat, sun 00:00 to 24:00"},
		"window: {days: mon-fri, from: 1:00, to: 24:00}":                                  {"mon, tue, wed, thu, fri 01:00 to 24:00"},
		"window: [{from: 22:00, to: 5:00}, {days: [mon-sun]}]":                            {"22:00 to 05:00", "00:00 to 24:00"},
		"window:": nil,
	} {
		s, problems := load(t, text)
		require.Empty(t, problems, text)
		var have []string
		for _, w := range s.Windows {
			have = append(have, w.String())
		}
		require.Equal(t, want, have, text)
	}
}

func TestEveryProblemOfAWindow(t *testing.T) {
	const (
		how      = "\n  hint: write window: {from: \"22:00\", to: \"05:00\", days: [fri, sat]}"
		howClock = `: "22:00", from "00:00" to "23:59"; to may be "24:00"`
		howDays  = "\n  hint: days are mon, tue, wed, thu, fri, sat, sun, and mon-fri for several"
	)
	for text, want := range map[string]string{
		"window: 22:00":                                   "1:9: window must be a mapping or a list of them, not a single value" + how,
		"window: {}":                                      "1:9: window must be a mapping or a list of them, not nothing" + how,
		"window: []":                                      "1:9: window must be a mapping or a list of them, not nothing" + how,
		"window: [nights]":                                "1:10: a window must be a mapping, not a single value" + how,
		"window: [[]]":                                    "1:10: a window must be a mapping, not nothing" + how,
		"window: {from: 22:00, too: 5:00}":                "1:23: unknown key \"too\" in the window\n  hint: did you mean \"to\"?",
		"window: {from: 22:00}":                           "1:9: the window has no to\n  hint: add to: VALUE",
		"window: {timezone: UTC}":                         "1:9: the window has no from\n  hint: add from: VALUE\nupgrade.yaml:1:9: the window has no to\n  hint: add to: VALUE",
		"window: {from: 25:00, to: 5:00}":                 "1:16: from of the window must be a time of day, not \"25:00\"\n  hint: write from" + howClock,
		"window: {from: 24:00, to: 5:00}":                 "1:16: from of the window must be a time of day, not \"24:00\"\n  hint: write from" + howClock,
		"window: {from: 1:00, to: 2}":                     "1:26: to of the window must be a time of day, not \"2\"\n  hint: write to" + howClock,
		"window: {from: [1], to: 2:00}":                   "1:16: from of the window must be a single value, not a list",
		"window: {from: 2:00, to: 02:00}":                 "1:26: the window opens and closes at 02:00\n  hint: for whole days leave out from and to, or write from: \"00:00\", to: \"24:00\"",
		"window: {days: [fry]}":                           "1:17: \"fry\" is no day of the week\n  hint: did you mean \"fri\"?",
		"window: {days: [weekend, mon-x]}":                "1:17: \"weekend\" is no day of the week" + howDays + "\nupgrade.yaml:1:26: \"mon-x\" is no day of the week" + howDays,
		"window: {days: []}":                              "1:16: days of the window names no day\n  hint: leave it out for every day",
		"window: {days: {mon: 1}}":                        "1:16: days of the window must be a list, not a mapping",
		"window: {days: [[mon]]}":                         "1:17: every element of days must be a single value, not a list",
		"window: {days: mon, timezone: Mars}":             "1:31: unknown time zone \"Mars\"\n  hint: write a name of the IANA database, such as Europe/Berlin; without it the control machine's zone counts",
		"window: {days: mon, timezone: Local}":            "1:31: unknown time zone \"Local\"\n  hint: write a name of the IANA database, such as Europe/Berlin; without it the control machine's zone counts",
		"window: {days: mon, timezone: america/new york}": "1:31: unknown time zone \"america/new york\"\n  hint: did you mean \"America/New_York\"?",
	} {
		t.Run(text, func(t *testing.T) {
			_, problems := load(t, text)
			require.Equal(t, "upgrade.yaml:"+want, problems)
		})
	}
}
