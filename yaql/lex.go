package yaql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenText    // a quoted string
	tokenWord    // a bare keyword: a string constant, a name after a dot, the name of an argument
	tokenLiteral // true, false, null
	tokenCall    // a name with its opening parenthesis: a space between them is not allowed
	tokenVariable
	tokenSymbol // operators, brackets, comma
)

type token struct {
	kind   tokenKind
	text   string
	value  any
	offset int
}

// tokens cuts an expression up as yaql's lexer does.
func tokens(text string) ([]token, error) {
	var out []token
	for i := 0; i < len(text); {
		if strings.IndexByte(" \t\r\n", text[i]) >= 0 {
			i++
			continue
		}
		t, end, err := next(text, i)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		i = end
	}
	return append(out, token{kind: tokenEnd, offset: len(text)}), nil
}

func next(text string, i int) (token, int, error) {
	c := text[i]
	switch {
	case c == '$':
		end := word(text, i+1)
		return token{tokenVariable, text[i+1 : end], nil, i}, end, nil
	case c == '\'' || c == '"' || c == '`':
		return quoted(text, i)
	case c >= '0' && c <= '9':
		return numeral(text, i)
	}
	if end := word(text, i); end > i {
		name := text[i:end]
		r, _ := utf8.DecodeRuneInString(name)
		switch {
		case unicode.IsDigit(r) || unicode.IsNumber(r):
		case end < len(text) && text[end] == '(':
			return token{tokenCall, name, nil, i}, end + 1, nil
		case strings.HasPrefix(name, "__"):
		default:
			return keyword(name, i), end, nil
		}
		return token{}, 0, &Error{Offset: i, Message: "cannot read " + strconv.Quote(name)}
	}
	for _, s := range []string{"=>", "->", "=~", "!~", "!=", ">=", "<=", "?."} {
		if strings.HasPrefix(text[i:], s) {
			return token{tokenSymbol, s, nil, i}, i + 2, nil
		}
	}
	if strings.IndexByte(".+-*/><=[]{}(),", c) >= 0 {
		return token{tokenSymbol, text[i : i+1], nil, i}, i + 1, nil
	}
	r, _ := utf8.DecodeRuneInString(text[i:])
	return token{}, 0, &Error{Offset: i, Message: "cannot read " + strconv.QuoteRune(r)}
}

func keyword(name string, i int) token {
	switch name {
	case "true", "false":
		return token{tokenLiteral, name, name == "true", i}
	case "null":
		return token{tokenLiteral, name, nil, i}
	case "and", "or", "not", "in", "mod":
		return token{tokenSymbol, name, nil, i}
	}
	return token{tokenWord, name, name, i}
}

// word gives the end of the letters, digits and underscores that begin at i.
func word(text string, i int) int {
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			break
		}
		i += n
	}
	return i
}

func numeral(text string, i int) (token, int, error) {
	digits := func(i int) int {
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i
	}
	end := digits(i)
	if end < len(text) && text[end] == '.' {
		if frac := digits(end + 1); frac > end+1 && word(text, frac) == frac {
			f, _ := strconv.ParseFloat(text[i:frac], 64)
			return token{tokenNumber, text[i:frac], f, i}, frac, nil
		}
	}
	if word(text, end) != end {
		return token{}, 0, &Error{Offset: i, Message: "cannot read " + strconv.Quote(text[i:word(text, end)])}
	}
	n, err := strconv.ParseInt(text[i:end], 10, 64)
	if err != nil {
		return token{}, 0, &Error{Offset: i, Message: "number " + text[i:end] + " is too large"}
	}
	return token{tokenNumber, text[i:end], n, i}, end, nil
}

func quoted(text string, i int) (token, int, error) {
	q := text[i]
	for end := i + 1; end < len(text); end++ {
		switch {
		case text[end] == '\\' && end+1 < len(text) && text[end+1] != '\n':
			end++
		case text[end] == '\\':
			return token{}, 0, &Error{Offset: i, Message: "a quote is not closed"}
		case text[end] == q:
			body := text[i+1 : end]
			if q == '`' {
				body = strings.ReplaceAll(body, "\\`", "`")
			} else {
				body = unescape(body)
			}
			return token{tokenText, text[i : end+1], body, i}, end + 1, nil
		}
	}
	return token{}, 0, &Error{Offset: i, Message: "a quote is not closed"}
}

// unescape decodes the escapes Python knows and leaves the others as they are, backslash and all.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		r, n := escape(s[i+1:])
		if n == 0 {
			b.WriteByte('\\')
			i++
			continue
		}
		b.WriteRune(r)
		i += 1 + n
	}
	return b.String()
}

// escape decodes what follows a backslash and gives its length, 0 when it is no escape.
func escape(s string) (rune, int) {
	if i := strings.IndexByte(`\'"abfnrtv`, s[0]); i >= 0 {
		return rune("\\'\"\a\b\f\n\r\t\v"[i]), 1
	}
	if s[0] >= '0' && s[0] <= '7' {
		n := 1
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(s[:n], 8, 32)
		return rune(v), n
	}
	size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if size == 0 || len(s) < size+1 {
		return 0, 0
	}
	v, err := strconv.ParseUint(s[1:size+1], 16, 32)
	if err != nil || v > unicode.MaxRune {
		return 0, 0
	}
	return rune(v), size + 1
}
