package yaql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// format is Python's str.format.
func (c *call) format(s string) (any, error) {
	var b strings.Builder
	auto := 0
	for i := 0; i < len(s); i++ {
		switch {
		case (s[i] == '{' || s[i] == '}') && i+1 < len(s) && s[i+1] == s[i]:
			b.WriteByte(s[i])
			i++
		case s[i] == '}':
			return nil, failf("format(): a single }")
		case s[i] != '{':
			b.WriteByte(s[i])
		default:
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, failf("format(): a { is not closed")
			}
			text, err := c.field(s[i+1:i+end], &auto)
			if err != nil {
				return nil, err
			}
			b.WriteString(text)
			i += end
		}
		if b.Len() > maxText {
			break
		}
	}
	return c.text(b.String())
}

// field fills one replacement field: name[key]!conversion:spec.
func (c *call) field(field string, auto *int) (string, error) {
	field, spec, _ := strings.Cut(field, ":")
	field, conversion, converts := strings.Cut(field, "!")
	name, keys, _ := strings.Cut(field, "[")
	v, err := c.formatted(name, auto)
	if err != nil {
		return "", err
	}
	for keys != "" {
		key, rest, ok := strings.Cut(keys, "]")
		if !ok || rest != "" && rest[0] != '[' {
			return "", failf("format(): cannot read {%s}", field)
		}
		if v, err = formatElement(Open(v), key); err != nil {
			return "", err
		}
		keys = strings.TrimPrefix(rest, "[")
	}
	v = Open(v)
	if converts {
		switch conversion {
		case "r":
			v, err = c.repr(v)
		case "s":
			v, err = c.pythonStr(v)
		default:
			return "", failf("format(): unknown conversion %s", conversion)
		}
		if err != nil {
			return "", err
		}
	}
	if spec == "" {
		return c.pythonStr(v)
	}
	return formatSpec(v, spec)
}

func (c *call) formatted(name string, auto *int) (any, error) {
	i, err := strconv.Atoi(name)
	switch {
	case name == "" && *auto >= 0:
		i, err = *auto, nil
		*auto++
	case name == "":
		return nil, failf("format(): fields with and without numbers")
	case err == nil && *auto > 0:
		return nil, failf("format(): fields with and without numbers")
	case err == nil:
		*auto = -1
	}
	if err == nil {
		if i < 0 || i >= len(c.rest) {
			return nil, &Error{Offset: -1, Message: "format(): there is no argument " + strconv.Itoa(i), kind: noLength}
		}
		return c.rest[i], nil
	}
	if c.named != nil {
		if v, ok := c.named.Get(name); ok {
			return v, nil
		}
	}
	return nil, failf("format(): there is no argument %q", name)
}

func formatElement(v any, key string) (any, error) {
	i, err := strconv.ParseInt(key, 10, 64)
	if items, ok := sequence(v); ok && err == nil && i >= 0 {
		return element(items, i)
	}
	if m, ok := v.(*Map); ok {
		var k any = key
		if err == nil {
			k = i
		}
		if e, ok := m.Get(k); ok {
			return e, nil
		}
	}
	return nil, failf("format(): there is no element %s", key)
}

// formatSpec lays a value out: [[fill]align][sign][0][width][,][.precision][type].
func formatSpec(v any, spec string) (string, error) {
	bad := failf("format(): cannot lay out %s as %q", kindOf(v), spec)
	fill, align, rest := ' ', byte(0), spec
	if r, n := utf8.DecodeRuneInString(rest); n < len(rest) && strings.IndexByte("<>^=", rest[n]) >= 0 {
		fill, align, rest = r, rest[n], rest[n+1:]
	} else if strings.IndexByte("<>^=", rest[0]) >= 0 {
		align, rest = rest[0], rest[1:]
	}
	sign := byte('-')
	if rest != "" && strings.IndexByte("+- ", rest[0]) >= 0 {
		sign, rest = rest[0], rest[1:]
	}
	rest, alternate := strings.CutPrefix(rest, "#")
	if zero, ok := strings.CutPrefix(rest, "0"); ok {
		rest = zero
		if align == 0 {
			fill, align = '0', '='
		}
	}
	width, rest := leading(rest)
	rest, commas := strings.CutPrefix(rest, ",")
	precision := -1
	if after, ok := strings.CutPrefix(rest, "."); ok {
		if precision, rest = leading(after); precision < 0 {
			return "", bad
		}
	}
	if width > 10_000 || precision > 1000 || len(rest) > 1 {
		return "", bad
	}
	body, numeric, ok := formatBody(v, rest, precision, alternate)
	if !ok || !numeric && (align == '=' || sign != '-' || commas) {
		return "", bad
	}
	negative := numeric && strings.HasPrefix(body, "-")
	if negative {
		body = body[1:]
	}
	if commas {
		body = group(body)
	}
	prefix := ""
	if negative {
		prefix = "-"
	} else if numeric && sign != '-' {
		prefix = string(sign)
	}
	return pad(prefix, body, fill, align, width, numeric), nil
}

func pad(prefix, body string, fill rune, align byte, width int, numeric bool) string {
	n := max(width-utf8.RuneCountInString(prefix+body), 0)
	if align == 0 && numeric {
		align = '>'
	}
	room := func(n int) string { return strings.Repeat(string(fill), n) }
	switch align {
	case '>':
		return room(n) + prefix + body
	case '^':
		return room(n/2) + prefix + body + room(n-n/2)
	case '=':
		return prefix + room(n) + body
	}
	return prefix + body + room(n)
}

func leading(s string) (int, string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if n, err := strconv.Atoi(s[:i]); err == nil {
		return n, s[i:]
	}
	return -1, s
}

func formatBody(v any, typ string, precision int, alternate bool) (body string, numeric, ok bool) {
	if s, isText := v.(string); isText {
		if precision >= 0 {
			s = cut(s, 0, int64(precision))
		}
		return s, false, typ == "" || typ == "s"
	}
	if n, isInt := integer(v); isInt {
		base, prefix := 0, ""
		switch typ {
		case "d", "":
			base = 10
		case "x", "X":
			base, prefix = 16, "0"+typ
		case "o":
			base, prefix = 8, "0o"
		case "b":
			base, prefix = 2, "0b"
		}
		if base > 0 {
			s := strconv.FormatInt(n, base)
			if typ == "X" {
				s = strings.ToUpper(s)
			}
			if alternate {
				s = strings.Replace(prefix+s, prefix+"-", "-"+prefix, 1)
			}
			return s, true, precision < 0
		}
	}
	_, f, _, isNum := number(v)
	if !isNum {
		return "", false, false
	}
	switch typ {
	case "f", "F", "e", "E", "%":
		if precision < 0 {
			precision = 6
		}
		if typ == "%" {
			return strconv.FormatFloat(f*100, 'f', precision, 64) + "%", true, true
		}
		return strconv.FormatFloat(f, strings.Replace(typ, "F", "f", 1)[0], precision, 64), true, true
	case "":
		return floatRepr(f), true, precision < 0
	}
	return "", false, false
}

// group puts commas between thousands.
func group(s string) string {
	whole, rest, point := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + rest
	}
	return whole
}
