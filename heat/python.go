package heat

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// digits are what Python takes underscores between.
var digits = regexp.MustCompile(`^[+-]?\d+(?:_\d+)*$`)

// pythonInt reads a whole number as Python's int does.
func pythonInt(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if !digits.MatchString(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	return n, err == nil
}

// number reads a number as Heat does a text; there is none that JSON can't write.
func number(s string) (any, bool) {
	if n, ok := pythonInt(s); ok {
		return n, true
	}
	s = strings.TrimSpace(s)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.ContainsAny(s, "xX_") || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	return f, true
}

// text gives a value as Python's str does.
func text(v any) string {
	if s, ok := yaql.Open(v).(string); ok {
		return s
	}
	return repr(v)
}

// repr gives a value as Python's repr does.
func repr(v any) string {
	switch t := yaql.Open(v).(type) {
	case nil:
		return "None"
	case bool:
		if t {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(t, 10)
	case float64:
		n := source.Of(t)
		return n.Text()
	case string:
		quote := "'"
		if strings.Contains(t, "'") && !strings.Contains(t, `"`) {
			quote = `"`
		}
		return quote + strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(t) + quote
	case []any:
		parts := make([]string, len(t))
		for i, it := range t {
			parts[i] = repr(it)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *yaql.Map:
		var parts []string
		for key, val := range t.All() {
			parts = append(parts, repr(key)+": "+repr(val))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}
