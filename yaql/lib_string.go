package yaql

import (
	"slices"
	"strconv"
	"strings"
)

func stringLibrary() []entry {
	return []entry{
		{"concat", "*args:str", func(c *call) (any, error) { return c.text(strings.Join(texts(c.rest), "")) }},
		{".toUpper", "string:str", func(c *call) (any, error) {
			return c.text(strings.ToUpper(strings.ReplaceAll(c.str(0, ""), "ß", "SS")))
		}},
		{".toLower", "string:str", func(c *call) (any, error) { return c.text(strings.ToLower(c.str(0, ""))) }},
		{"len.", "string:str", func(c *call) (any, error) { return length(c.str(0, "")), nil }},
		{".split", "string:str separator:str?= maxSplits:int=", func(c *call) (any, error) {
			return c.split(splitSpace, func(s, sep string, most int64) []string {
				return strings.SplitN(s, sep, int(min(most+1, maxText)))
			})
		}},
		{".rightSplit", "string:str separator:str?= maxSplits:int=", func(c *call) (any, error) {
			return c.split(reversed(splitSpaceRight), func(s, sep string, most int64) []string {
				return reversed(func(s string, most int64) []string { return splitRight(s, sep, most) })(s, most)
			})
		}},
		{".join", "sequence:iter separator:str", func(c *call) (any, error) { return c.joinTexts(c.args[0], c.str(1, "")) }},
		{".join", "separator:str sequence:iter", func(c *call) (any, error) { return c.joinTexts(c.args[1], c.str(0, "")) }},
		{"str", "value:any?", func(c *call) (any, error) {
			s, err := c.state.str(c.args[0])
			if err != nil {
				return nil, err
			}
			return c.text(s)
		}},
		{".trim", "string:str chars:str?=", func(c *call) (any, error) { return trim(c.str(0, ""), c.args[1], true, true), nil }},
		{".trimLeft", "string:str chars:str?=", func(c *call) (any, error) { return trim(c.str(0, ""), c.args[1], true, false), nil }},
		{".trimRight", "string:str chars:str?=", func(c *call) (any, error) { return trim(c.str(0, ""), c.args[1], false, true), nil }},
		{"norm.", "string:str? chars:str?=", func(c *call) (any, error) {
			if s := trim(c.str(0, ""), c.args[1], true, true); s != "" {
				return s, nil
			}
			return nil, nil
		}},
		{"isEmpty.", "string:str? trim:bool= chars:str?=", func(c *call) (any, error) {
			s := c.str(0, "")
			if !c.given[1] || truth(c.args[1]) {
				s = trim(s, c.args[2], true, true)
			}
			return s == "", nil
		}},
		{".replace", "string:str old:str new:str count:int=", func(c *call) (any, error) {
			return c.replaceText(c.str(0, ""), c.str(1, ""), c.str(2, ""), c.int(3, -1))
		}},
		{".replace", "string:str replacements:dict count:int=", replaceMany},
		{"format.", "formatString:str *args:any? **", func(c *call) (any, error) { return c.format(c.str(0, "")) }},
		{".substring", "string:str start:int length:int=", func(c *call) (any, error) {
			s, start, n := c.str(0, ""), c.int(1, 0), c.int(2, -1)
			if n < 0 {
				n = length(s)
			}
			if start < 0 {
				start += length(s)
			}
			return cut(s, start, start+min(n, maxText)), nil
		}},
		{".indexOf", "string:str sub:str start:int=", func(c *call) (any, error) {
			return find(c.str(0, ""), c.str(1, ""), c.int(2, 0), maxText, false), nil
		}},
		{".indexOf", "string:str sub:str start:int length:int", func(c *call) (any, error) { return c.findWithin(false), nil }},
		{".lastIndexOf", "string:str sub:str start:int=", func(c *call) (any, error) {
			return find(c.str(0, ""), c.str(1, ""), c.int(2, 0), maxText, true), nil
		}},
		{".lastIndexOf", "string:str sub:str start:int length:int", func(c *call) (any, error) { return c.findWithin(true), nil }},
		{".toCharArray", "string:str", func(c *call) (any, error) {
			out := []any{}
			for _, r := range c.str(0, "") {
				out = append(out, string(r))
			}
			return out, c.charge(len(out))
		}},
		{"characters", characterFlags(), characters},
		{"isString", "arg:any?", func(c *call) (any, error) {
			_, ok := Open(c.args[0]).(string)
			return ok, nil
		}},
		{".startsWith", "string:str *prefixes:str", func(c *call) (any, error) {
			return slices.ContainsFunc(texts(c.rest), func(p string) bool { return strings.HasPrefix(c.str(0, ""), p) }), nil
		}},
		{".endsWith", "string:str *suffixes:str", func(c *call) (any, error) {
			return slices.ContainsFunc(texts(c.rest), func(p string) bool { return strings.HasSuffix(c.str(0, ""), p) }), nil
		}},
		{"hex", "num:num?", func(c *call) (any, error) {
			n, ok := c.args[0].(int64)
			if !ok {
				return nil, failf("hex() takes a whole number")
			}
			if n < 0 {
				return "-0x" + strconv.FormatUint(magnitude(n), 16), nil
			}
			return "0x" + strconv.FormatInt(n, 16), nil
		}},
	}
}

func texts(items []any) []string {
	out := make([]string, len(items))
	for i, v := range items {
		out[i], _ = v.(string)
	}
	return out
}

func listOf(items []string) *pyList {
	out := make([]any, len(items))
	for i, s := range items {
		out[i] = s
	}
	return &pyList{out}
}

func (c *call) split(bySpace func(string, int64) []string, by func(s, sep string, most int64) []string) (any, error) {
	s, most := c.str(0, ""), c.int(2, -1)
	if err := c.charge(len(s) / 8); err != nil {
		return nil, err
	}
	sep, ok := c.args[1].(string)
	if !ok {
		return listOf(bySpace(s, most)), nil
	}
	if sep == "" {
		return nil, failf("%s(): the separator is empty", c.name)
	}
	if most < 0 {
		most = maxText
	}
	return listOf(by(s, sep, most)), nil
}

func (c *call) joinTexts(v any, separator string) (any, error) {
	var b strings.Builder
	first := true
	for e, err := range c.all(v) {
		if err != nil {
			return nil, err
		}
		s, err := c.state.str(e)
		if err != nil {
			return nil, err
		}
		if !first {
			b.WriteString(separator)
		}
		first = false
		b.WriteString(s)
		if b.Len() > maxText {
			break
		}
	}
	return c.text(b.String())
}

// reversed puts what was split from the right into the order of the text.
func reversed(split func(s string, most int64) []string) func(s string, most int64) []string {
	return func(s string, most int64) []string {
		out := split(s, most)
		slices.Reverse(out)
		return out
	}
}

func trim(s string, chars any, left, right bool) string {
	in := isSpace
	if set, ok := chars.(string); ok {
		in = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

func (st *state) replaceText(s, old, to string, count int64) (any, error) {
	if err := st.charge(len(s) / 16); err != nil {
		return nil, err
	}
	if int64(strings.Count(s, old))*int64(len(to)) > maxText {
		return nil, &Error{Offset: -1, Message: "a text grows too long", kind: limits}
	}
	return st.text(strings.Replace(s, old, to, int(max(min(count, maxText), -1))))
}

func replaceMany(c *call) (any, error) {
	s := c.str(0, "")
	for k, v := range c.args[1].(*Map).All() {
		from, err := c.state.str(k)
		if err != nil {
			return nil, err
		}
		to, err := c.state.str(v)
		if err != nil {
			return nil, err
		}
		r, err := c.replaceText(s, from, to, c.int(2, -1))
		if err != nil {
			return nil, err
		}
		s, _ = r.(string)
	}
	return s, nil
}

func (c *call) findWithin(last bool) int64 {
	s, start, n := c.str(0, ""), c.int(2, 0), c.int(3, 0)
	if start < 0 {
		start += length(s)
	}
	if n < 0 {
		n = length(s) - start
	}
	return find(s, c.str(1, ""), start, start+min(n, maxText), last)
}

// characterSets are in the order in which characters() has its arguments.
func characterSets() [][2]string {
	const lower, upper, number = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	const marks, spaces = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", " \t\n\r\v\f"
	return [][2]string{
		{"digits", number},
		{"hexdigits", number + "abcdefABCDEF"},
		{"asciiLowercase", lower},
		{"asciiUppercase", upper},
		{"asciiLetters", lower + upper},
		{"letters", lower + upper},
		{"octdigits", "01234567"},
		{"punctuation", marks},
		{"printable", number + lower + upper + marks + spaces},
		{"lowercase", lower},
		{"uppercase", upper},
		{"whitespace", spaces},
	}
}

func characterFlags() string {
	var b strings.Builder
	for _, s := range characterSets() {
		b.WriteString(s[0] + ":bool?= ")
	}
	return b.String()
}

func characters(c *call) (any, error) {
	seen := newSet()
	for i, s := range characterSets() {
		if truth(c.args[i]) {
			for _, r := range s[1] {
				seen.add(string(r))
			}
		}
	}
	return slices.Clone(seen.m.keys), nil
}
