package source

import (
	"fmt"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// Quote gives a string as a YAML value: plain where that is surely read as the
// same text by every YAML version, in brackets too, else in double quotes.
func Quote(s string) string {
	if plainWord(s) {
		return s
	}
	return quote(s)
}

func plainWord(s string) bool {
	if s == "" || !oneLine(s) || strings.TrimSpace(s) != s || strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return false
	}
	first := rune(s[0])
	if !unicode.IsLetter(first) && first != '/' && first != '_' {
		return false
	}
	if strings.ContainsAny(s, "{}[],\t") {
		return false
	}
	var n yaml.Node
	if _, isBool := ParseBool(s); isBool || strings.EqualFold(s, "y") || strings.EqualFold(s, "n") {
		return false
	}
	n.SetString(s)
	n.Style, n.Tag = 0, ""
	return n.ShortTag() == "!!str"
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case printable(r):
			b.WriteRune(r)
		default:
			b.WriteString(Escape(r))
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Escape gives a character as an escape in double quotes.
func Escape(r rune) string {
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
