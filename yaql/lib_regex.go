package yaql

import (
	"strconv"
	"strings"
)

func regexLibrary() []entry {
	return []entry{
		{"regex", "pattern:str ignoreCase:bool?= multiLine:bool?= dotAll:bool?=", func(c *call) (any, error) {
			var flags []byte
			for i, f := range []byte("ims") {
				if truth(c.args[i+1]) {
					flags = append(flags, f)
				}
			}
			return found(c.compile(c.str(0, ""), string(flags)))
		}},
		{".matches", "regexp:regex string:str", func(c *call) (any, error) { return c.matches(c.args[0].(*regex), c.str(1, "")) }},
		{".matches", "string:str regexp:str", func(c *call) (any, error) { return c.matchOperator("=~", c.args[0], c.args[1]) }},
		{".search", "regexp:regex string:str selector:lambda=", func(c *call) (any, error) {
			r, s := c.args[0].(*regex), c.str(1, "")
			if err := c.charge(r.costOf(s)); err != nil {
				return nil, err
			}
			m := r.re.FindStringSubmatchIndex(s)
			if m == nil {
				return nil, nil
			}
			return c.matched(r, s, m, c.lambda(2))
		}},
		{".searchAll", "regexp:regex string:str selector:lambda=", func(c *call) (any, error) {
			r, s := c.args[0].(*regex), c.str(1, "")
			if err := c.charge(r.costOf(s)); err != nil {
				return nil, err
			}
			all := r.re.FindAllStringSubmatchIndex(s, -1)
			i := 0
			return &iterator{next: func() (any, bool, error) {
				if i == len(all) {
					return nil, false, nil
				}
				i++
				v, err := c.matched(r, s, all[i-1], c.lambda(2))
				return v, true, err
			}}, nil
		}},
		{".split", "regexp:regex string:str maxSplit:int=", func(c *call) (any, error) {
			return c.splitBy(c.args[0].(*regex), c.str(1, ""), c.int(2, 0))
		}},
		{".split", "string:str regexp:regex maxSplit:int=", func(c *call) (any, error) {
			return c.splitBy(c.args[1].(*regex), c.str(0, ""), c.int(2, 0))
		}},
		{".replace", "regexp:regex string:str repl:str count:int=", func(c *call) (any, error) {
			return c.replaceRegex(c.args[0].(*regex), c.str(1, ""), c.int(3, 0), c.str(2, ""))
		}},
		{".replace", "string:str regexp:regex repl:str count:int=", func(c *call) (any, error) {
			return c.replaceRegex(c.args[1].(*regex), c.str(0, ""), c.int(3, 0), c.str(2, ""))
		}},
		{".replaceBy", "regexp:regex string:str repl:lambda count:int=", func(c *call) (any, error) {
			return c.replaceBy(c.args[0].(*regex), c.str(1, ""), c.int(3, 0), c.lambda(2))
		}},
		{".replaceBy", "string:str regexp:regex repl:lambda count:int=", func(c *call) (any, error) {
			return c.replaceBy(c.args[1].(*regex), c.str(0, ""), c.int(3, 0), c.lambda(2))
		}},
		{"escapeRegex", "string:str", func(c *call) (any, error) { return c.text(escapeRegex(c.str(0, ""))) }},
		{"isRegex", "value:any?", func(c *call) (any, error) {
			_, ok := c.args[0].(*regex)
			return ok, nil
		}},
	}
}

// found keeps a nil pointer out of an interface.
func found(r *regex, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

func escapeRegex(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\t\n\v\f\r !#$&()*+-.?[\\]^{|}~", r) && r != '!' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (st *state) matches(r *regex, s string) (bool, error) {
	if err := st.charge(r.costOf(s)); err != nil {
		return false, err
	}
	return r.re.MatchString(s), nil
}

func (st *state) matchOperator(op string, v, pattern any) (bool, error) {
	s, isText := v.(string)
	r, isRegex := pattern.(*regex)
	if p, ok := pattern.(string); ok {
		var err error
		if r, err = st.compile(p, ""); err != nil {
			return false, err
		}
		isRegex = true
	}
	if !isText || !isRegex {
		return false, noOperator(op, v, pattern)
	}
	ok, err := st.matches(r, s)
	return ok == (op == "=~"), err
}

// matched is a match's text, or what the selector makes of its groups: $ is the whole, $2 the first group.
func (c *call) matched(r *regex, s string, m []int, selector *lambda) (any, error) {
	if selector == nil {
		return s[m[0]:m[1]], nil
	}
	inner := &scope{parent: selector.scope}
	names := r.re.SubexpNames()
	for i := 0; 2*i < len(m); i++ {
		rec := NewMap()
		rec.Set("value", nil)
		rec.Set("start", int64(-1))
		rec.Set("end", int64(-1))
		if m[2*i] >= 0 {
			rec.Set("value", s[m[2*i]:m[2*i+1]])
			rec.Set("start", length(s[:m[2*i]]))
			rec.Set("end", length(s[:m[2*i+1]]))
		}
		inner.args = append(inner.args, rec)
		if names[i] != "" {
			inner.set(names[i], rec)
		}
	}
	if selector.node == nil {
		return selector.value, nil
	}
	return c.eval(selector.node, inner)
}

// most is the number of matches Go is asked for: for Python none given is all.
func most(count int64) int {
	if count == 0 {
		return -1
	}
	return int(max(min(count, maxText), 0))
}

func (c *call) find(r *regex, s string, count int64) ([][]int, error) {
	if err := c.charge(r.costOf(s)); err != nil || count < 0 {
		return nil, err
	}
	return r.re.FindAllStringSubmatchIndex(s, most(count)), nil
}

// splitBy gives the texts of the pattern's groups too, between the parts.
func (c *call) splitBy(r *regex, s string, count int64) (any, error) {
	all, err := c.find(r, s, count)
	if err != nil {
		return nil, err
	}
	out, from := []any{}, 0
	for _, m := range all {
		out = append(out, s[from:m[0]])
		for i := 2; i < len(m); i += 2 {
			if m[i] < 0 {
				out = append(out, nil)
				continue
			}
			out = append(out, s[m[i]:m[i+1]])
		}
		from = m[1]
	}
	return &pyList{append(out, s[from:])}, nil
}

func (c *call) replaceRegex(r *regex, s string, count int64, template string) (any, error) {
	return c.substitute(r, s, count, func(m []int) (string, error) { return r.expand(template, s, m) })
}

func (c *call) replaceBy(r *regex, s string, count int64, by *lambda) (any, error) {
	return c.substitute(r, s, count, func(m []int) (string, error) {
		v, err := c.matched(r, s, m, by)
		if err != nil {
			return "", err
		}
		text, ok := Open(v).(string)
		if !ok {
			return "", failf("%s(): a match becomes %s at %s", c.name, kindOf(v), strconv.Itoa(m[0]))
		}
		return text, nil
	})
}

func (c *call) substitute(r *regex, s string, count int64, by func(m []int) (string, error)) (any, error) {
	all, err := c.find(r, s, count)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	from := 0
	for _, m := range all {
		text, err := by(m)
		if err != nil {
			return nil, err
		}
		b.WriteString(s[from:m[0]])
		b.WriteString(text)
		from = m[1]
		if b.Len() > maxText {
			break
		}
	}
	b.WriteString(s[from:])
	return c.text(b.String())
}
