package yaql

import (
	"math"
	"strconv"
	"strings"
)

func mathLibrary() []entry {
	return []entry{
		{"abs", "op:num", func(c *call) (any, error) {
			if f, ok := c.args[0].(float64); ok {
				return math.Abs(f), nil
			}
			if c.int(0, 0) < 0 {
				return arithmetic("-", int64(0), c.args[0])
			}
			return c.args[0], nil
		}},
		{"int", "value:any?", func(c *call) (any, error) { return toInt(Open(c.args[0])) }},
		{"float", "value:any?", func(c *call) (any, error) { return toFloat(Open(c.args[0])) }},
		{"bitwiseAnd", "left:int right:int", func(c *call) (any, error) { return c.int(0, 0) & c.int(1, 0), nil }},
		{"bitwiseOr", "left:int right:int", func(c *call) (any, error) { return c.int(0, 0) | c.int(1, 0), nil }},
		{"bitwiseXor", "left:int right:int", func(c *call) (any, error) { return c.int(0, 0) ^ c.int(1, 0), nil }},
		{"bitwiseNot", "arg:int", func(c *call) (any, error) { return ^c.int(0, 0), nil }},
		{"shiftBitsRight", "value:int bitsNumber:int", func(c *call) (any, error) { return shift(c.int(0, 0), -c.int(1, 0), c.int(1, 0)) }},
		{"shiftBitsLeft", "value:int bitsNumber:int", func(c *call) (any, error) { return shift(c.int(0, 0), c.int(1, 0), c.int(1, 0)) }},
		{"max", "a:any? b:any?", func(c *call) (any, error) { return c.larger(c.args[0], c.args[1]) }},
		{"min", "a:any? b:any?", func(c *call) (any, error) { return c.smaller(c.args[0], c.args[1]) }},
		{"pow", "a:num b:num c:num?=", power},
		{"sign", "num:num", func(c *call) (any, error) {
			_, f, _, _ := number(c.args[0])
			switch {
			case f > 0:
				return int64(1), nil
			case f < 0:
				return int64(-1), nil
			}
			return int64(0), nil
		}},
		{"round", "number:num ndigits:int=", func(c *call) (any, error) { return round(c.args[0], c.int(1, 0)) }},
		{"isInteger", "value:any?", func(c *call) (any, error) {
			_, ok := Open(c.args[0]).(int64)
			return ok, nil
		}},
		{"isNumber", "value:any?", func(c *call) (any, error) { return isNumber(Open(c.args[0])), nil }},
	}
}

func (st *state) larger(a, b any) (any, error) {
	if ok, err := st.compare(">", b, a); ok || err != nil {
		return b, err
	}
	return a, nil
}

func (st *state) smaller(a, b any) (any, error) {
	if ok, err := st.compare(">", b, a); ok || err != nil {
		return a, err
	}
	return b, nil
}

func toInt(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return int64(0), nil
	case bool, int64:
		n, _ := integer(v)
		return n, nil
	case float64:
		if !(math.Abs(v) < 1<<63) {
			return nil, tooLarge()
		}
		return int64(v), nil
	case string:
		n, err := strconv.ParseInt(digits(v), 10, 64)
		if err != nil {
			return nil, failf("int(): %s is not a number", repr(v))
		}
		return n, nil
	}
	return nil, failf("int() does not take %s", kindOf(v))
}

// digits takes out what Python allows within a number.
func digits(s string) string {
	s = strings.TrimFunc(s, isSpace)
	for i := 1; i+1 < len(s); i++ {
		if s[i] == '_' && isDigit(s[i-1]) && isDigit(s[i+1]) {
			s = s[:i] + s[i+1:]
		}
	}
	return s
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func toFloat(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return 0.0, nil
	case bool, int64, float64:
		_, f, _, _ := number(v)
		return f, nil
	case string:
		s := digits(v)
		f, err := strconv.ParseFloat(s, 64)
		if (err != nil && !math.IsInf(f, 0)) || strings.ContainsAny(s, "xXpP_") {
			return nil, failf("float(): %s is not a number", repr(v))
		}
		return f, nil
	}
	return nil, failf("float() does not take %s", kindOf(v))
}

// shift moves to the left by places, which are negative for the right; given is what the expression said.
func shift(v, places, given int64) (any, error) {
	switch {
	case given < 0:
		return nil, failf("negative shift count")
	case places <= 0:
		return v >> min(uint64(-places), 63), nil
	case v == 0:
		return v, nil
	case places > 62 || v<<uint(places)>>uint(places) != v:
		return nil, tooLarge()
	}
	return v << uint(places), nil
}

func power(c *call) (any, error) {
	x, isX := c.args[0].(int64)
	y, isY := c.args[1].(int64)
	if c.args[2] != nil {
		m, isM := c.args[2].(int64)
		if !isX || !isY || !isM || m == 0 || y < 0 {
			return nil, failf("pow() with a modulus takes whole numbers")
		}
		return powerModulo(x, y, m)
	}
	if !isX || !isY || y < 0 {
		_, f, _, _ := number(c.args[0])
		_, g, _, _ := number(c.args[1])
		r := math.Pow(f, g)
		if f == 0 && g < 0 || math.IsInf(r, 0) || math.IsNaN(r) {
			return nil, failf("pow() has no such result")
		}
		return r, nil
	}
	if x == 0 || x == 1 || x == -1 { // the others soon grow too large
		y = min(y, 2+y%2)
	}
	var r any = int64(1)
	var err error
	for range y {
		if r, err = arithmetic("*", r, x); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func powerModulo(x, y, m int64) (any, error) {
	if magnitude(m) > 1<<31 {
		return nil, tooLarge()
	}
	r := int64(1) % m
	for x %= m; y > 0; y >>= 1 {
		if y&1 == 1 {
			r = r * x % m
		}
		x = x * x % m
	}
	return integers("mod", r, m)
}

// round is Python's: halves go to the even neighbour, and a whole number stays one.
func round(v any, places int64) (any, error) {
	if n, ok := v.(int64); ok {
		if places >= 0 {
			return n, nil
		}
		if places < -18 {
			return int64(0), nil
		}
		p := int64(math.Pow10(int(-places)))
		down, _ := integers("mod", n, p)
		rest := down.(int64)
		n -= rest
		if rest > p/2 || rest == p/2 && (n/p)%2 != 0 {
			n += p
		}
		return n, nil
	}
	f := v.(float64)
	if places > 300 || math.IsInf(f, 0) || math.IsNaN(f) {
		return f, nil
	}
	if places < 0 {
		p := math.Pow10(int(min(-places, 400)))
		return math.RoundToEven(f/p) * p, nil
	}
	// Through the decimal text, which is correctly rounded, as Python does.
	return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(places), 64), 64)
}
