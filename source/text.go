package source

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// NameLimit is how many bytes a name may have that becomes part of a file's name: file
// systems take 255, and numbers and endings are put behind it.
const NameLimit = 200

// Visible gives a text as one line that can be shown anywhere: what Control finds becomes
// a space, or a sign that something was there.
func Visible(s string) string {
	if _, odd := Control(s, ""); odd {
		s = strings.Map(func(r rune) rune {
			switch _, odd := Control(string(r), ""); {
			case unicode.IsSpace(r):
				return ' '
			case odd:
				return utf8.RuneError
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}

// Control finds the first character that neither a comment nor a terminal should get:
// a control character or a line break, but for those that are allowed, or a byte that is
// no UTF-8.
func Control(s, allowed string) (rune, bool) {
	for i, r := range s {
		switch {
		case strings.ContainsRune(allowed, r) && r != utf8.RuneError:
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return rune(s[i]), true
			}
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff':
			return r, true
		}
	}
	return 0, false
}
