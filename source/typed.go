package source

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// What plain scalars are in YAML 1.1, as PyYAML reads it: Ansible's and Heat's reader.
// https://github.com/yaml/pyyaml/blob/6.0/lib/yaml/resolver.py
var (
	int11 = regexp.MustCompile(`^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)

	float11 = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|` +
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
)

// Scalar gives a single value as Ansible and Heat read it, by the rules of YAML 1.1:
// a bool, an int64, a float64 or a string; nil for null and for what is no single
// value. A whole number beyond 64 bits is given as a float64, a date as its text.
func (v Node) Scalar() any {
	if v.Kind() != Scalar {
		return nil
	}
	text := v.Text()
	if v.Quoted() || v.target().Style != 0 && v.Tag() == "!!str" {
		return text
	}
	if text == "" {
		return text
	}
	switch c := text[0]; {
	case c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.':
		return number11(text)
	case strings.IndexByte("yYnNtTfFoO", c) >= 0:
		switch text {
		case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
			return true
		case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
			return false
		}
	}
	return text
}

// date11 is a plain scalar that YAML 1.1 takes for a date or a time.
var date11 = regexp.MustCompile(`^[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}.*)?$`)

// Dated tells whether a plain scalar is a date to other readers of YAML.
func (v Node) Dated() bool {
	if v.Kind() != Scalar || v.Quoted() {
		return false
	}
	text := v.Text()
	return len(text) > 7 && text[4] == '-' && date11.MatchString(text)
}

func number11(text string) any {
	switch {
	case int11.MatchString(text):
		return int11Value(text)
	case float11.MatchString(text):
		return float11Value(text)
	}
	return text
}

func int11Value(text string) any {
	digits := strings.ReplaceAll(text, "_", "")
	sign := int64(1)
	if digits[0] == '-' {
		sign = -1
	}
	digits = strings.TrimLeft(digits, "+-")
	base := 10
	switch {
	case strings.HasPrefix(digits, "0b"):
		digits, base = digits[2:], 2
	case strings.HasPrefix(digits, "0x"):
		digits, base = digits[2:], 16
	case strings.Contains(digits, ":"):
		sum := int64(0)
		for part := range strings.SplitSeq(digits, ":") {
			n, err := strconv.ParseInt(part, 10, 32)
			if err != nil || sum > math.MaxInt64/120 {
				return text
			}
			sum = sum*60 + n
		}
		return sign * sum
	case len(digits) > 1 && digits[0] == '0':
		digits, base = digits[1:], 8
	}
	if n, err := strconv.ParseInt(digits, base, 64); err == nil {
		return sign * n
	}
	big, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return text
	}
	f, _ := big.Float64()
	return float64(sign) * f
}

func float11Value(text string) any {
	digits := strings.ToLower(strings.ReplaceAll(text, "_", ""))
	sign := 1.0
	if digits[0] == '-' {
		sign = -1
	}
	digits = strings.TrimLeft(digits, "+-")
	switch {
	case digits == ".inf":
		return math.Inf(int(sign))
	case digits == ".nan":
		return math.NaN()
	case strings.Contains(digits, ":"):
		sum := 0.0
		for part := range strings.SplitSeq(digits, ":") {
			n, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return text
			}
			sum = sum*60 + n
		}
		return sign * sum
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return text
	}
	return sign * f
}
