package tripleo

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// verdict is what is known of a condition before anything runs.
type verdict int

const (
	maybe verdict = iota
	never
	always
)

// facts is what is known when a condition is looked at: the step, and the release in
// a fast-forward upgrade, "" where that is not known.
type facts struct {
	step    int
	release string
}

// condition is an expression of Ansible's, taken apart at and, or, not. What else it
// says stays as it was written.
type condition struct {
	op    string // "and", "or", "not", "" for an operand
	parts []*condition
	text  string // as written, without parentheses around all of it
	of    string // what an operand asks: "step", "release", "" for anything else
	cmp   string // ==, !=, <, <=, >, >=, in, not in
	want  []string
}

// parseCondition takes an expression apart.
func parseCondition(text string) *condition {
	text = trim(text)
	const longest = 4096
	if len(text) > longest { // nobody wrote it by hand
		return &condition{text: text}
	}
	if has(text, "if") || has(text, "else") { // A if B else C binds weaker than or
		return operand(text)
	}
	if parts := cut(text, "or"); len(parts) > 1 {
		return join("or", text, parts)
	}
	if parts := cut(text, "and"); len(parts) > 1 {
		return join("and", text, parts)
	}
	if rest, is := strings.CutPrefix(text, "not"); is && rest != "" && !isWord(rest[0]) {
		return join("not", text, []string{rest})
	}
	if inner := unwrap(text); inner != text {
		return parseCondition(inner)
	}
	return operand(text)
}

func join(op, text string, parts []string) *condition {
	c := &condition{op: op, text: text}
	for _, p := range parts {
		c.parts = append(c.parts, parseCondition(p))
	}
	return c
}

func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// unwrap takes away parentheses that stand around the whole text.
func unwrap(text string) string {
	if !strings.HasPrefix(text, "(") {
		return text
	}
	end := -1
	scan(text, func(i, depth int) bool {
		if depth == 0 && text[i] == ')' {
			end = i
			return false
		}
		return true
	})
	if end == len(text)-1 {
		return trim(text[1:end])
	}
	return text
}

// scan goes over the bytes of an expression that stand outside of quotes, with the
// depth of brackets behind each.
func scan(text string, see func(i, depth int) bool) {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			switch c {
			case '\\':
				i++
			case quote:
				quote = 0
			}
			continue
		case c == '\'' || c == '"':
			quote = c
			continue
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		if !see(i, depth) {
			return
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// cut parts an expression at a word that stands outside of brackets.
func cut(text, word string) []string {
	var parts []string
	from, next := 0, 0
	scan(text, func(i, depth int) bool {
		if i < next || depth != 0 || !strings.HasPrefix(text[i:], word) || i > 0 && (isWord(text[i-1]) || text[i-1] == '.') ||
			i+len(word) < len(text) && isWord(text[i+len(word)]) {
			return true
		}
		parts = append(parts, text[from:i])
		from = i + len(word)
		next = from
		return true
	})
	return append(parts, text[from:])
}

func has(text, word string) bool { return len(cut(text, word)) > 1 }

const (
	subject = `\(?\s*(step|release)\s*\)?(?:\s*\|\s*(?:int|string|lower|trim)\s*(?:\(\s*\))?)*\s*\)?`
	literal = `["']?([A-Za-z0-9_]+)["']?`
)

var (
	comparison = regexp.MustCompile(`^` + subject + `\s*(==|!=|<=|>=|<|>)\s*` + literal + `$`)
	reversed   = regexp.MustCompile(`^` + literal + `\s*(==|!=|<=|>=|<|>)\s*` + subject + `$`)
	membership = regexp.MustCompile(`^` + subject + `\s+(in|not\s+in)\s+[\[(]\s*((?:["']?[A-Za-z0-9_]+["']?\s*,?\s*)*)[\])]$`)
	aWord      = regexp.MustCompile(`[A-Za-z0-9_]+`)
	asInt      = regexp.MustCompile(`step\s*\|\s*int`)
)

// operand reads what stands between and, or, not. Parentheses that do not pair in
// what is taken for a comparison were found to pair by unwrap and cut.
func operand(text string) *condition {
	c := &condition{text: text}
	if m := comparison.FindStringSubmatch(text); m != nil {
		c.of, c.cmp, c.want = m[1], m[2], []string{m[3]}
	} else if m := reversed.FindStringSubmatch(text); m != nil {
		c.of, c.cmp, c.want = m[3], mirror(m[2]), []string{m[1]}
	} else if m := membership.FindStringSubmatch(text); m != nil {
		c.of, c.cmp, c.want = m[1], strings.Join(strings.Fields(m[2]), " "), aWord.FindAllString(m[3], -1)
	}
	if c.of == "step" && slices.ContainsFunc(c.want, func(w string) bool { _, err := strconv.Atoi(w); return err != nil }) {
		c.of = "" // step == other_variable
	}
	if c.of == "release" && !strings.ContainsAny(text, `'"`) {
		c.of = ""
	}
	return c
}

func mirror(op string) string {
	return strings.NewReplacer("<", ">", ">", "<").Replace(op)
}

// asText gives an expression in which the step is the text that it is in TripleO,
// wherever no filter makes something else of it.
func asText(text string) string {
	var out strings.Builder
	from := 0
	scan(text, func(i, _ int) bool {
		const word = "step"
		end := i + len(word)
		if !strings.HasPrefix(text[i:], word) || i > 0 && (isWord(text[i-1]) || text[i-1] == '.') || end < len(text) && (isWord(text[end]) || strings.IndexByte(".[(", text[end]) >= 0) ||
			strings.HasPrefix(strings.TrimLeft(text[end:], " "), "|") || strings.HasPrefix(strings.TrimLeft(text[end:], " "), "=") && !strings.HasPrefix(strings.TrimLeft(text[end:], " "), "==") {
			return true
		}
		out.WriteString(text[from:i] + "(step|string)")
		from = end
		return true
	})
	return out.String() + text[from:]
}

// odd tells whether a condition compares the step, a text in TripleO, with a number, or
// as a number with a text.
func (c *condition) odd() bool {
	if c.of == "step" {
		return asInt.MatchString(c.text) == strings.ContainsAny(c.text, `'"`)
	}
	return slices.ContainsFunc(c.parts, (*condition).odd)
}

// under decides a condition by what is known.
func (c *condition) under(f facts) verdict {
	switch c.op {
	case "and", "or":
		ends := never
		if c.op == "or" {
			ends = always
		}
		all := always
		if c.op == "or" {
			all = never
		}
		for _, p := range c.parts {
			switch v := p.under(f); v {
			case ends:
				return ends
			case maybe:
				all = maybe
			default:
			}
		}
		return all
	case "not":
		switch c.parts[0].under(f) {
		case always:
			return never
		case never:
			return always
		default:
			return maybe
		}
	}
	switch {
	case c.of == "step":
		return truth(c.holds(func(w string) int {
			n, _ := strconv.Atoi(w)
			return f.step - n
		}))
	case c.of == "release" && f.release != "":
		return truth(c.holds(func(w string) int { return strings.Compare(f.release, w) }))
	}
	return maybe // also true and false as they stand: they are the author's
}

func truth(b bool) verdict {
	if b {
		return always
	}
	return never
}

// holds tells whether a comparison holds, where minus compares what is with a literal.
func (c *condition) holds(minus func(string) int) bool {
	switch c.cmp {
	case "in":
		return slices.ContainsFunc(c.want, func(w string) bool { return minus(w) == 0 })
	case "not in":
		return !slices.ContainsFunc(c.want, func(w string) bool { return minus(w) == 0 })
	}
	d := minus(c.want[0])
	switch c.cmp {
	case "==":
		return d == 0
	case "!=":
		return d != 0
	case "<":
		return d < 0
	case "<=":
		return d <= 0
	case ">":
		return d > 0
	}
	return d >= 0
}

// rest gives what is left of a condition where it is only ever asked under some facts:
// "" where it then always holds. What needs no change stays as it was written.
func (c *condition) rest(all []facts) string {
	if c.surely(all, always) {
		return ""
	}
	if c.op == "" {
		return c.asNumber()
	}
	var left []string
	dropped := false
	for _, p := range c.parts {
		if c.op == "and" && p.surely(all, always) || c.op == "or" && p.surely(all, never) { // of not, neither: it would be sure itself
			dropped = true
			continue
		}
		text := p.rest(all)
		if text != p.text {
			dropped = true
		}
		if p.op == "or" && c.op == "and" && len(cut(text, "or")) > 1 {
			text = "(" + text + ")"
		}
		left = append(left, text)
	}
	if !dropped {
		return c.text
	}
	if c.op == "not" {
		return "not (" + left[0] + ")"
	}
	return strings.Join(left, " "+c.op+" ")
}

// asNumber gives a comparison of the step that holds for a number: the step is one
// here, and a text in TripleO.
func (c *condition) asNumber() string {
	switch {
	case c.of == "":
		return asText(c.text)
	case c.of != "step", asInt.MatchString(c.text) && !strings.ContainsAny(c.text, `'"`):
		return c.text
	}
	if strings.HasSuffix(c.cmp, "in") {
		return "step|int " + c.cmp + " [" + strings.Join(c.want, ", ") + "]"
	}
	return "step|int " + c.cmp + " " + c.want[0]
}

// surely tells whether a condition that hangs on the step or the release has one
// verdict under all facts.
func (c *condition) surely(all []facts, want verdict) bool {
	if !c.asks() {
		return false
	}
	return !slices.ContainsFunc(all, func(f facts) bool { return c.under(f) != want })
}

// asks tells whether a condition asks for the step or the release, in a way that is understood.
func (c *condition) asks() bool {
	return c.of != "" || slices.ContainsFunc(c.parts, (*condition).asks)
}

// asksFor tells whether a condition asks for the step or the release, and notes what
// it compares it with.
func (c *condition) asksFor(what string, with map[string]bool) bool {
	found := c.of == what
	if found && with != nil {
		for _, w := range c.want {
			with[w] = true
		}
	}
	for _, p := range c.parts {
		if p.asksFor(what, with) {
			found = true
		}
	}
	return found
}
