package yaql

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// regex is a compiled regular expression.
type regex struct {
	re   *regexp.Regexp
	cost int // of reading a byte, at the worst
}

func (st *state) compile(pattern, flags string) (*regex, error) {
	if len(pattern) > 1<<16 {
		return nil, failf("a regular expression is too long")
	}
	text, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, failf("regular expression %q: not supported: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	cost := 1 + size(text)/8
	return &regex{re, cost}, st.charge(cost)
}

// size is that of the program a pattern becomes: a{1000} is a thousand times as large as it looks.
func size(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// translate writes Python's syntax as Go's: what is the same stays as it is.
func translate(p string) (string, error) {
	var b strings.Builder
	class, begin := false, 0
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			if i+1 == len(p) {
				return "", failf("regular expression %q ends in a backslash", p)
			}
			s, n, err := translateEscape(p, p[i+1:], class)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
			i += n
		case class && c == '[':
			b.WriteString(`\[`)
		case class && c == ']' && i > begin:
			class = false
			b.WriteByte(c)
		case !class && c == '[':
			class, begin = true, i+1
			b.WriteByte(c)
			if strings.HasPrefix(p[i+1:], "^") {
				b.WriteByte('^')
				begin++
				i++
			}
		case !class && strings.HasPrefix(p[i:], "{,") && i > 0:
			b.WriteString("{0,")
			i++
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// translateEscape translates what follows a backslash and gives how long it is.
func translateEscape(p, s string, class bool) (string, int, error) {
	unicodes := map[byte]string{'d': `\p{Nd}`, 'w': `\p{L}\p{N}_`, 's': `\s\v\x1c-\x1f\x{85}\p{Z}`}
	c := s[0]
	if set, ok := unicodes[c]; ok {
		if class {
			return set, 1, nil
		}
		return "[" + set + "]", 1, nil
	}
	if set, ok := unicodes[c|0x20]; ok && !class && c < 'a' {
		return "[^" + set + "]", 1, nil
	}
	switch {
	case c == 'Z':
		return `\z`, 1, nil
	case c == 'b' && class:
		return `\x08`, 1, nil
	case c == 'u' || c == 'U' || c == 'x' || c == '0':
		if r, n := escape(s); n > 0 {
			return `\x{` + strconv.FormatInt(int64(r), 16) + `}`, n, nil
		}
	case c >= '1' && c <= '9':
		if r, n := escape(s); n == 3 {
			return `\x{` + strconv.FormatInt(int64(r), 16) + `}`, n, nil
		}
		return "", 0, failf("regular expression %q: not supported: \\%c refers back to a group", p, c)
	case c == '_':
		return "_", 1, nil
	case c == 'D' || c == 'S' || c == 'W' || c < utf8.RuneSelf && strings.IndexByte("AbBafnrtv", c) >= 0:
	case c >= utf8.RuneSelf:
		return "", 0, nil // the letter stands for itself
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return "", 0, failf("regular expression %q: unknown escape \\%c", p, c)
	}
	return `\` + s[:1], 1, nil
}

// expand fills the template of a replacement: \1, \g<1>, \g<name>.
func (r *regex) expand(template, s string, m []int) (string, error) {
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		c := template[i]
		if c != '\\' || i+1 == len(template) {
			b.WriteByte(c)
			continue
		}
		i++
		rest := template[i:]
		switch {
		case rest[0] >= '1' && rest[0] <= '9':
			n := 1
			if len(rest) > 1 && isDigit(rest[1]) {
				n = 2
			}
			g, err := r.group(rest[:n], s, m)
			if err != nil {
				return "", err
			}
			b.WriteString(g)
			i += n - 1
		case strings.HasPrefix(rest, "g<"):
			name, _, ok := strings.Cut(rest[2:], ">")
			g, err := r.group(name, s, m)
			if err != nil || !ok {
				return "", failf("replacement %q: there is no group %s", template, name)
			}
			b.WriteString(g)
			i += len(name) + 2
		default:
			v, n := escape(rest)
			if n == 0 && (rest[0]|0x20 >= 'a' && rest[0]|0x20 <= 'z') || n > 0 && rest[0] == 'x' {
				return "", failf("replacement %q: unknown escape \\%c", template, rest[0])
			}
			if n == 0 || rest[0] == '\'' || rest[0] == '"' {
				b.WriteByte('\\')
				i--
				if n == 0 || n == 1 {
					b.WriteByte(rest[0])
					i++
				}
				continue
			}
			b.WriteRune(v)
			i += n - 1
		}
	}
	return b.String(), nil
}

func (r *regex) group(name, s string, m []int) (string, error) {
	n, err := strconv.Atoi(name)
	if err != nil {
		n = r.re.SubexpIndex(name)
	}
	if n < 0 || 2*n+1 >= len(m) {
		return "", failf("there is no group %s", name)
	}
	if m[2*n] < 0 {
		return "", nil
	}
	return s[m[2*n]:m[2*n+1]], nil
}

// costOf is what reading a text may cost.
func (r *regex) costOf(s string) int { return (len(s) + 1) * r.cost / 4 }
