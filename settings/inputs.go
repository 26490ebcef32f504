package settings

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
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

func (s *Settings) inputs(v source.Node, sink *source.Sink) {
	if !v.Exists() {
		return
	}
	if v.Kind() != source.Map {
		sink.Errorf(v.Pos(), "inputs must be a mapping, not %s", v.Kind()).WithHint("write inputs: {NAME: {type: string, description: ...}}")
		s.Partial = true
		return
	}
	for _, e := range v.Entries() {
		in := Input{Name: e.Key.Text(), Type: "string", Pos: e.Key.Pos()}
		if !tasks.IsVariable(e.Key) || strings.HasPrefix(in.Name, "upstep_") || in.Name == "step" {
			sink.Errorf(in.Pos, "input name %q cannot be used", in.Name).WithHint("use letters, digits and _, beginning with a letter or _; names that begin with upstep_, and step, are upstep's own; some words are Python's or YAML's")
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
		s.Inputs = append(s.Inputs, in)
	}
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
		if !found && !s.Partial {
			hint := source.DidYouMean(g.Name, names)
			if hint == "" {
				hint = "declare it under inputs: in upgrade.yaml"
			}
			sink.Errorf(g.Pos, "unknown input %q", g.Name).WithHint(hint)
		}
	}
	for _, in := range s.Inputs {
		if in.Required && !in.Set && !in.wrong {
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
	text, js, value := g.Text, "", g.Value
	in.wrong = true
	if !value.Exists() && (in.Type == "list" || in.Type == "map") {
		var ok bool
		if value, ok = source.Parse(source.File{Name: g.Pos.File, Text: []byte(text)}, sink); !ok {
			return
		}
	}
	if value.Exists() {
		text, js = value.Text(), value.JSON()
	}
	var ok bool
	given := text
	switch in.Type {
	case "string":
		ok = !value.Exists() || value.Kind() == source.Scalar
		js = source.JSONString(text)
	case "integer":
		n, err := strconv.Atoi(text)
		ok, js = err == nil, strconv.Itoa(n) // 007 and +7 are no JSON
	case "number":
		ok, js = json.Valid([]byte(text)) && isNumber(text), text
	case "boolean":
		var on bool
		on, ok = source.ParseBool(text)
		text = strconv.FormatBool(on)
		js = text
	case "list":
		ok, text = value.Kind() == source.List, joined(value)
	case "map":
		ok, text = value.Kind() == source.Map, js
	}
	if !ok {
		if value.Exists() && value.Kind() != source.Scalar {
			given = js
		}
		sink.Errorf(g.Pos, "input %q must be of type %s, not %q", in.Name, in.Type, given)
		return
	}
	in.wrong, in.Set, in.Text, in.JSON = false, true, text, js
}

// joined writes a list as patterns of hosts are, with commas.
func joined(list source.Node) string {
	var out []string
	for it := range list.Elements() {
		if it.Kind() == source.Scalar {
			out = append(out, it.Text())
		} else {
			out = append(out, it.JSON())
		}
	}
	return strings.Join(out, ",")
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
