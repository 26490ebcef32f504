package services

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/upstep/upstep/source"
)

// plain gives a value as Ansible reads it, in the types that schemas know.
func plain(v source.Node) any {
	switch v.Kind() {
	case source.List:
		out := []any{}
		for it := range v.Elements() {
			out = append(out, plain(it))
		}
		return out
	case source.Map:
		out := map[string]any{}
		for k, val := range v.Pairs() {
			out[k.Text()] = plain(val)
		}
		return out
	default:
		return v.Scalar()
	}
}

// open tells of a single value that only Ansible knows what it is: an expression, or what
// is encrypted or otherwise tagged.
func open(v source.Node) bool {
	if v.Kind() != source.Scalar {
		return false
	}
	tag := v.Tag()
	return strings.Contains(v.Text(), "{{") || strings.Contains(v.Text(), "{%") || strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!")
}

// finite refuses numbers that JSON does not have, and schemas can't compare.
func finite(v source.Node, sink *source.Sink) bool {
	ok := true
	v.Each(func(n source.Node) {
		if f, is := n.Scalar().(float64); n.Kind() == source.Scalar && is && (math.IsNaN(f) || math.IsInf(f, 0)) {
			sink.Errorf(n.Pos(), "%s is no number that a parameter can have", n.Text()).WithHint("write a finite number, or put it in quotes if it is a text")
			ok = false
		}
	})
	return ok
}

// fits checks a value against the parameter's schema, as far as it is known before Ansible
// evaluates it.
func (p *Parameter) fits(v source.Node, what string, sink *source.Sink) {
	if p.Secret {
		p.hidden(v, what, sink)
	}
	if !finite(v, sink) || p.schema == nil || open(v) {
		return
	}
	err, wrong := p.schema.Validate(plain(v)).(*jsonschema.ValidationError) //nolint:errorlint // it gives this one as it is
	if !wrong {
		return
	}
	for _, c := range causes(err) {
		at := find(v, c.InstanceLocation)
		evaluated := false
		at.Each(func(n source.Node) { evaluated = evaluated || open(n) })
		if evaluated && (at.Kind() == source.Scalar || decided(c)) {
			continue
		}
		where := what
		for _, key := range c.InstanceLocation {
			if i, err := strconv.Atoi(key); err == nil {
				key = "element " + strconv.Itoa(i+1)
			}
			where = key + " of " + where
		}
		told := sink.Errorf(at.Pos(), "%s %s", where, reason(c))
		if t, is := c.ErrorKind.(*kind.Type); is && slices.Contains(t.Want, "string") && t.Got != "null" && at.Kind() == source.Scalar {
			told.WithHint("put it in quotes: " + strconv.Quote(at.Text()))
		}
	}
}

// decided tells whether an error is about what stands below a value, so that an expression
// there may make it untrue.
func decided(e *jsonschema.ValidationError) bool {
	switch e.ErrorKind.(type) {
	case *kind.Type, *kind.Required, *kind.AdditionalProperties, *kind.MinItems, *kind.MaxItems, *kind.MinProperties, *kind.MaxProperties:
		return false
	}
	return true
}

// hidden refuses a secret in clear.
func (p *Parameter) hidden(v source.Node, what string, sink *source.Sink) {
	v.Each(func(n source.Node) {
		if n.Kind() == source.Scalar && (!open(n) || n.Tag() == "!vault" && !strings.HasPrefix(n.Text(), "$ANSIBLE_VAULT;")) {
			sink.Errorf(n.Pos(), "%s is secret and must not stand here in clear", what).
				WithHint("encrypt it: ansible-vault encrypt_string --stdin-name " + p.Name + "; or write where it is found: \"{{ lookup('env', 'NAME') }}\"")
		}
	})
}

// causes gives the errors that say what is wrong, not that something below is. Which of
// several schemas was meant nobody knows: that is one error.
func causes(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains, *kind.PropertyNames:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, c := range e.Causes {
		out = append(out, causes(c)...)
	}
	return out
}

// reason says what is wrong, to stand behind what it is wrong with.
func reason(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ") + ", not " + k.Got
	case *kind.Minimum:
		return "must be " + number(k.Want) + " or more, not " + number(k.Got)
	case *kind.Maximum:
		return "must be " + number(k.Want) + " or less, not " + number(k.Got)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want) + ", not " + number(k.Got)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want) + ", not " + number(k.Got)
	case *kind.AnyOf, *kind.OneOf:
		return "fits none of what its schema allows, or more than one where one must"
	case *kind.Required:
		return "lacks " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has the unknown " + strings.Join(k.Properties, ", ")
	}
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if rest, is := strings.CutPrefix(text, "value must "); is {
		return "must " + rest
	}
	return "does not fit: " + text
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// find follows a path of keys and indexes as far as it leads.
func find(v source.Node, path []string) source.Node {
	for _, p := range path {
		next := v.Get(p)
		if i, err := strconv.Atoi(p); err == nil && v.Kind() == source.List && i < v.Len() {
			next = v.Items()[i]
		}
		if !next.Exists() {
			break
		}
		v = next
	}
	return v
}
