package settings

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

// Given is a value for an input from outside the project.
type Given struct {
	Name  string
	Text  string      // from --set
	Value source.Node // from --inputs, instead of Text
	Pos   source.Pos
}

// ParseSet reads name=value.
func ParseSet(arg string, sink *source.Sink) (Given, bool) {
	name, text, ok := strings.Cut(arg, "=")
	at := source.Pos{File: "--set " + arg}
	if !ok || name == "" {
		sink.Errorf(at, "not a setting").WithHint("write --set name=value")
		return Given{}, false
	}
	return Given{Name: name, Text: text, Pos: at}, true
}

// ParseInputs reads a file of inputs: a mapping of names to values.
func ParseInputs(f source.File, sink *source.Sink) []Given {
	root, ok := source.Parse(f, sink)
	if !ok {
		return nil
	}
	if root.Kind() != source.Map {
		sink.Errorf(root.Pos(), "inputs must be a mapping of names to values, not %s", root.Kind())
		return nil
	}
	var out []Given
	for _, e := range root.Entries() {
		out = append(out, Given{Name: e.Key.Text(), Value: e.Value, Pos: e.Key.Pos()})
	}
	return out
}

var inputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func inputs(v source.Node, sink *source.Sink) []Input {
	if !v.Exists() {
		return nil
	}
	if v.Kind() != source.Map {
		sink.Errorf(v.Pos(), "inputs must be a mapping, not %s", v.Kind()).WithHint("write inputs: {NAME: {type: string, description: ...}}")
		return nil
	}
	var out []Input
	for _, e := range v.Entries() {
		in := Input{Name: e.Key.Text(), Type: "string", Pos: e.Key.Pos()}
		if !inputName.MatchString(in.Name) || strings.HasPrefix(in.Name, "upstep_") || in.Name == "step" {
			sink.Errorf(in.Pos, "input name %q cannot be used", in.Name).WithHint("use letters, digits and _; names that begin with upstep_, and step, are upstep's own")
		}
		if e.Value.Kind() != source.Null {
			f := source.ReadFields(e.Value, "the input", sink, "type", "description", "default", "required")
			in.Type = f.OneOf("type", "string", "string", "integer", "number", "boolean", "list", "map")
			in.Description = f.String("description")
			in.Required = f.Bool("required")
			if d := f.Get("default"); d.Exists() {
				in.assign(Given{Value: d, Pos: d.Pos()}, sink)
				in.Required = false
			}
		}
		out = append(out, in)
	}
	return out
}

// bind gives the inputs the values of this run; the last given wins.
func (s *Settings) bind(given []Given, sink *source.Sink) {
	names := s.Values().Declared
	for _, g := range given {
		found := false
		for i := range s.Inputs {
			if s.Inputs[i].Name == g.Name {
				s.Inputs[i].assign(g, sink)
				found = true
			}
		}
		if !found {
			hint := source.DidYouMean(g.Name, names)
			if hint == "" {
				hint = "declare it under inputs: in upgrade.yaml"
			}
			sink.Errorf(g.Pos, "unknown input %q", g.Name).WithHint(hint)
		}
	}
	for _, in := range s.Inputs {
		if in.Required && !in.Set {
			what := ""
			if in.Description != "" {
				what = " (" + in.Description + ")"
			}
			sink.Errorf(in.Pos, "input %q has no value%s", in.Name, what).WithHint("give it one with --set " + in.Name + "=VALUE, or in a file with --inputs")
		}
	}
}

// assign reads a value as the input's type wants it.
func (in *Input) assign(g Given, sink *source.Sink) {
	text, js := g.Text, ""
	if g.Value.Exists() {
		text, js = g.Value.Text(), g.Value.JSON()
	} else if in.Type == "list" || in.Type == "map" {
		v, ok := source.Parse(source.File{Name: g.Pos.File, Text: []byte(text)}, sink)
		if !ok {
			return
		}
		js = v.JSON()
	}
	var ok bool
	switch in.Type {
	case "string":
		ok = !g.Value.Exists() || g.Value.Kind() == source.Scalar
		js = source.JSONString(text)
	case "integer":
		_, err := strconv.Atoi(text)
		ok, js = err == nil, text
	case "number":
		ok, js = json.Valid([]byte(text)) && isNumber(text), text
	case "boolean":
		var on bool
		on, ok = source.ParseBool(text)
		text = strconv.FormatBool(on)
		js = text
	case "list":
		ok = strings.HasPrefix(js, "[")
	case "map":
		ok = strings.HasPrefix(js, "{")
	}
	if !ok {
		if text == "" {
			text = js
		}
		sink.Errorf(g.Pos, "input %q must be of type %s, not %q", in.Name, in.Type, text)
		return
	}
	in.Set, in.Text, in.JSON = true, text, js
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
