package planner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Encode writes the plan document: JSON, the same bytes for the same plan, with a line
// for each unit, task and note, so that a change shows as the lines it changed.
func (p *Plan) Encode() ([]byte, error) {
	e := &documentEncoder{}
	e.leaf = json.NewEncoder(&e.out)
	e.leaf.SetEscapeHTML(false)
	e.value(reflect.ValueOf(p).Elem(), 0)
	e.out.WriteByte('\n')
	if e.err != nil {
		return nil, fmt.Errorf("encode plan: %w", e.err)
	}
	return e.out.Bytes(), nil
}

// documentEncoder writes structs that hold lists of structs over several lines, and
// everything else on one. The library's own indenting costs a second pass over
// everything, task texts included.
type documentEncoder struct {
	out  bytes.Buffer
	leaf *json.Encoder
	err  error
}

func (e *documentEncoder) value(v reflect.Value, depth int) {
	if v.Kind() == reflect.Struct && holdsLists(v.Type()) {
		e.out.WriteByte('{')
		e.fields(v, depth, true)
		e.out.WriteByte('}')
		return
	}
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && v.Len() > 0 {
		e.out.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				e.out.WriteByte(',')
			}
			e.newLine(depth + 1)
			e.value(v.Index(i), depth+1)
		}
		e.newLine(depth)
		e.out.WriteByte(']')
		return
	}
	if err := e.leaf.Encode(v.Interface()); err != nil && e.err == nil {
		e.err = err
	}
	e.out.Truncate(e.out.Len() - 1) // the encoder ends each value with a newline
}

// fields writes the fields of a struct, those of embedded ones among them; a field that
// is a list of structs begins a line of its own.
func (e *documentEncoder) fields(v reflect.Value, depth int, first bool) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			first = e.fields(v.Field(i), depth, first)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || options == "omitempty" && empty(v.Field(i)) {
			continue
		}
		if !first {
			e.out.WriteByte(',')
		}
		if depth == 0 || f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
			e.newLine(depth + 1)
		} else if !first {
			e.out.WriteByte(' ')
		}
		first = false
		e.out.WriteString(`"` + name + `": `)
		e.value(v.Field(i), depth+1)
	}
	return first
}

func (e *documentEncoder) newLine(depth int) {
	e.out.WriteByte('\n')
	for range depth {
		e.out.WriteByte(' ')
	}
}

// empty is what omitempty means.
func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.Len() == 0
	}
	return v.IsZero()
}

// holdsLists tells whether a struct has a field that is a list of structs with lists or
// texts of their own; small ones such as a unit stay on their line.
func holdsLists(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Plan](), reflect.TypeFor[Stage](), reflect.TypeFor[Wave](), reflect.TypeFor[Step](),
		reflect.TypeFor[Track](), reflect.TypeFor[Service](), reflect.TypeFor[Deployment]():
		return true
	}
	return false
}
