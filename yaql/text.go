package yaql

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func kindOf(v any) string {
	switch Open(v).(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "a text"
	case []any, *pyList:
		return "a list"
	case *Map:
		return "a dict"
	case *set, *view:
		return "a set"
	case *iterator, *ordering:
		return "an iterator"
	case *regex:
		return "a regular expression"
	case *scope:
		return "a context"
	}
	return "a rule"
}

// str is yaql's own: true and null as in YAML, and everything else as Python writes it.
func (st *state) str(raw any) (string, error) {
	switch v := Open(raw).(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(v), nil
	default:
		return st.pythonStr(v)
	}
}

func (st *state) pythonStr(raw any) (string, error) {
	v := Open(raw)
	if s, ok := v.(string); ok {
		return s, nil
	}
	return st.repr(v)
}

// repr is Python's repr of a value that has one.
func (st *state) repr(v any) (string, error) {
	if err := st.weigh(v, 0); err != nil {
		return "", err
	}
	s := repr(v)
	if strings.Contains(s, unwritable) {
		return "", failf("%s has no text", kindOf(v))
	}
	return s, nil
}

// unwritable stands for what Python would write with its address in memory.
const unwritable = "\x00<object>"

func repr(v any) string {
	switch v := Open(v).(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatRepr(v)
	case string:
		return stringRepr(v)
	case []any:
		if len(v) == 1 {
			return "(" + repr(v[0]) + ",)"
		}
		return "(" + reprs(v) + ")"
	case *pyList:
		return "[" + reprs(v.items) + "]"
	case *set:
		if v.m.Len() == 0 {
			return "frozenset()"
		}
		return "frozenset({" + reprs(v.m.keys) + "})"
	case *Map:
		parts := make([]string, 0, v.Len())
		for k, e := range v.All() {
			parts = append(parts, repr(k)+": "+repr(e))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return unwritable
}

func reprs(items []any) string {
	parts := make([]string, len(items))
	for i, v := range items {
		parts[i] = repr(v)
	}
	return strings.Join(parts, ", ")
}

func floatRepr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func stringRepr(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte(q)
	for _, r := range s {
		switch {
		case r == '\\' || r == rune(q):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\x` + strconv.FormatInt(int64(r)+0x100, 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(q)
	return b.String()
}

func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func length(s string) int64 { return int64(utf8.RuneCountInString(s)) }

// cut takes the characters from start to end, counted as Python counts: from the end when negative, and never out of range.
func cut(s string, start, end int64) string {
	i, j := bounds(length(s), start, end)
	if i >= j {
		return ""
	}
	return string([]rune(s)[i:j])
}

func bounds(n, start, end int64) (int64, int64) {
	clamp := func(i int64) int64 {
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	return clamp(start), clamp(end)
}

// find gives the place of a text within the characters from start to end, or -1.
func find(s, sub string, start, end int64, last bool) int64 {
	n := length(s)
	if start > n {
		return -1
	}
	i, j := bounds(n, start, end)
	if i > j {
		return -1
	}
	part := string([]rune(s)[i:j])
	at := strings.Index(part, sub)
	if last {
		at = strings.LastIndex(part, sub)
	}
	if at < 0 {
		return -1
	}
	return i + length(part[:at])
}

// splitSpace is Python's split without a separator.
func splitSpace(s string, most int64) []string {
	var out []string
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		i := strings.IndexFunc(s, isSpace)
		if i < 0 || most >= 0 && int64(len(out)) >= most {
			if most < 0 || int64(len(out)) < most {
				s = strings.TrimRightFunc(s, isSpace)
			}
			return append(out, s)
		}
		out, s = append(out, s[:i]), s[i:]
	}
	return out
}

func splitSpaceRight(s string, most int64) []string {
	var out []string
	for s = strings.TrimRightFunc(s, isSpace); s != ""; s = strings.TrimRightFunc(s, isSpace) {
		i := strings.LastIndexFunc(s, isSpace)
		if i < 0 || most >= 0 && int64(len(out)) >= most {
			if most < 0 || int64(len(out)) < most {
				s = strings.TrimLeftFunc(s, isSpace)
			}
			return append(out, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		out, s = append(out, s[i+n:]), s[:i]
	}
	return out
}

func splitRight(s, sep string, most int64) []string {
	var out []string
	for most < 0 || int64(len(out)) < most {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		out, s = append(out, s[i+len(sep):]), s[:i]
	}
	return append(out, s)
}
