package services

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Parameter is what an installation gives a pack: a variable of its service.
type Parameter struct {
	Name        string
	Type        string // "string", or several as "string or null"
	Description string
	Required    bool
	Secret      bool // its value must not stand anywhere in clear
	Default     source.Node
	Pos         source.Pos
	schema      *jsonschema.Schema
}

// ownKeys are those of a parameter that JSON Schema does not have, or not so.
func ownKeys() []string { return []string{"default", "description", "required", "secret"} }

// keywords are those of JSON Schema that a parameter may use, with where a schema stands
// below them. What leads to other documents is left out: a pack is whole.
func keywords() map[string]below {
	return map[string]below{
		"type": value, "enum": value, "const": value, "title": value, "examples": value, "deprecated": value,
		"minimum": value, "maximum": value, "exclusiveMinimum": value, "exclusiveMaximum": value, "multipleOf": value,
		"minLength": value, "maxLength": value, "pattern": value, "format": value,
		"minItems": value, "maxItems": value, "uniqueItems": value, "minContains": value, "maxContains": value,
		"minProperties": value, "maxProperties": value, "dependentRequired": value,
		"items": schema, "contains": schema, "additionalProperties": schema, "propertyNames": schema, "not": schema,
		"if": schema, "then": schema, "else": schema, "unevaluatedItems": schema, "unevaluatedProperties": schema,
		"prefixItems": list, "allOf": list, "anyOf": list, "oneOf": list,
		"properties": mapping, "patternProperties": mapping, "dependentSchemas": mapping,
	}
}

// below is what stands behind a keyword.
type below int

const (
	value   below = iota
	schema        // a schema
	list          // a list of schemas
	mapping       // schemas by name
)

// parameters reads the parameters of a pack.
func parameters(v source.Node, svc *Service, sink *source.Sink) []Parameter {
	if !v.Exists() {
		return nil
	}
	if v.Kind() != source.Map {
		sink.Errorf(v.Pos(), "parameters must be a mapping, not %s", v.Kind()).WithHint("write parameters: {NAME: {type: string, description: ...}}")
		return nil
	}
	var out []Parameter
	for _, e := range v.Entries() {
		name := e.Key.Text()
		if e.Value.Kind() != source.Map {
			sink.Errorf(e.Value.Pos(), "parameter %q must be a mapping, not %s", name, e.Value.Kind()).WithHint("write " + name + ": {type: string}")
			continue
		}
		switch {
		case strings.HasPrefix(name, "upstep_"), name == "step":
			sink.Errorf(e.Key.Pos(), "parameter %q is set by upstep itself", name).WithHint("choose another name")
		case !tasks.IsVariable(e.Key):
			sink.Errorf(e.Key.Pos(), "parameter name %q cannot be used", name).WithHint("use letters, digits and _, beginning with a letter or _, and no word that is Python's or YAML's own")
		case slices.Contains(svc.Vars.Names, name):
			sink.Errorf(e.Key.Pos(), "parameter %q is a variable of the service too", name).WithHint("leave it out of vars in " + svc.Pos.File + ", or write its value there as the default here")
		}
		out = append(out, parameter(e, sink))
	}
	return out
}

func parameter(e source.Entry, sink *source.Sink) Parameter {
	p := Parameter{Name: e.Key.Text(), Pos: e.Key.Pos()}
	what := fmt.Sprintf("parameter %q", p.Name)
	clean := checkSchema(e.Value, what, true, sink)
	f := source.OpenFields(what, sink, e.Value)
	p.Description, p.Default, p.Secret = f.String("description"), f.Get("default"), f.Bool("secret")
	if f.Get("required").Kind() != source.List { // as JSON Schema has it, of a mapping's keys
		p.Required = f.Bool("required")
	}
	switch t := f.Get("type"); t.Kind() {
	case source.Scalar:
		p.Type = t.Text()
	case source.List:
		var names []string
		for _, n := range t.Items() {
			names = append(names, n.Text())
		}
		p.Type = strings.Join(names, " or ")
	default:
		if clean {
			sink.Errorf(p.Pos, "%s has no type", what).WithHint("write type: and one of " + typeNames)
		}
		clean = false
	}
	if !clean || !finite(e.Value, sink) {
		return p
	}
	p.schema = compile(e.Value, what, sink)
	if p.Default.Exists() {
		p.fits(p.Default, "the default of "+what, sink)
		p.Required = false
	}
	return p
}

const typeNames = "string, integer, number, boolean, array, object"

// checkSchema looks for keywords that nobody reads: JSON Schema itself lets them pass.
func checkSchema(v source.Node, what string, top bool, sink *source.Sink) bool {
	if v.Kind() != source.Map {
		return true // true and false are schemas, and of the rest the library tells
	}
	known := keywords()
	names := []string{"description", "default", "required"}
	if top {
		names = ownKeys()
	}
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	clean := true
	for _, e := range v.Entries() {
		key := e.Key.Text()
		if !slices.Contains(names, key) {
			hint := source.DidYouMean(key, names)
			if hint == "" {
				hint = "a parameter has " + strings.Join(ownKeys(), ", ") + " and the keywords of JSON Schema, but for those that lead to other documents"
			}
			sink.Errorf(e.Key.Pos(), "unknown key %q in %s", key, what).WithHint(hint)
			clean = false
			continue
		}
		var inner []source.Node
		switch known[key] {
		case schema:
			inner = []source.Node{e.Value}
		case list:
			inner = e.Value.Items()
		case mapping:
			for _, p := range e.Value.Entries() {
				inner = append(inner, p.Value)
			}
		case value:
			clean = checkType(key, e.Value, what, sink) && clean
		}
		for _, s := range inner {
			clean = checkSchema(s, what, false, sink) && clean
		}
	}
	return clean
}

// checkType finds names of types that other languages have.
func checkType(key string, v source.Node, what string, sink *source.Sink) bool {
	if key != "type" {
		return true
	}
	names := v.Items()
	if v.Kind() == source.Scalar {
		names = []source.Node{v}
	}
	types := append(strings.Split(typeNames, ", "), "null")
	for _, n := range names {
		if slices.Contains(types, n.Text()) {
			continue
		}
		hint := map[string]string{"list": "write array", "map": "write object", "dict": "write object", "int": "write integer", "bool": "write boolean", "float": "write number", "str": "write string"}[n.Text()]
		if hint == "" {
			hint = "use one of " + typeNames
		}
		sink.Errorf(n.Pos(), "unknown type %q of %s", n.Text(), what).WithHint(hint)
		return false
	}
	return true
}

// compile makes a schema of a parameter, and reports what it is not.
func compile(v source.Node, what string, sink *source.Sink) *jsonschema.Schema {
	doc, _ := plain(v).(map[string]any)
	for _, k := range ownKeys() {
		if _, isList := doc[k].([]any); k != "required" || !isList {
			delete(doc, k)
		}
	}
	const url = "parameter:schema"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is fetched
	err := c.AddResource(url, doc)
	if err == nil {
		var s *jsonschema.Schema
		if s, err = c.Compile(url); err == nil {
			return s
		}
	}
	if wrong, is := errors.AsType[*jsonschema.SchemaValidationError](err); is {
		if why, is := errors.AsType[*jsonschema.ValidationError](wrong.Err); is {
			for _, c := range causes(why) {
				at := find(v, c.InstanceLocation)
				sink.Errorf(at.Pos(), "%s is no JSON Schema: %s", what, reason(c))
			}
			return nil
		}
	}
	if bad, is := errors.AsType[*jsonschema.InvalidRegexError](err); is {
		sink.Errorf(v.Pos(), "%s has an invalid pattern %q", what, bad.Regex)
		return nil
	}
	sink.Errorf(v.Pos(), "%s is no JSON Schema: %v", what, err)
	return nil
}
