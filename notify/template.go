package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// funcs are what templates can use beside the functions of text/template.
func funcs() template.FuncMap {
	return template.FuncMap{
		"json":  asJSON,
		"join":  func(sep string, list []string) string { return strings.Join(list, sep) },
		"short": short,
	}
}

// asJSON writes a value as JSON on one line.
func asJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// render fills a template in.
func render(text string, m Message) (string, error) {
	t, err := template.New("template").Funcs(funcs()).Parse(text)
	if err != nil {
		return "", err
	}
	b := limited{left: 1 << 20}
	err = t.Execute(&b, m)
	return b.String(), err
}

// limited is a buffer that takes no more than so many bytes.
type limited struct {
	bytes.Buffer
	left int
}

func (b *limited) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("it gives more than 1 MiB")
	}
	return b.Buffer.Write(p)
}

// Check reports templates that cannot be filled in, each where it stands.
func Check(list []settings.Notification, sink *source.Sink) {
	check := func(t settings.Template, what, event string) {
		if _, err := render(t.Text, Sample(event, time.Time{})); err != nil {
			line, said, hint := mistake(err)
			if line > 1 {
				said = fmt.Sprintf("%s (line %d of it)", said, line)
			}
			sink.Errorf(t.Pos, "%s: %s", what, said).WithHint(hint)
		}
	}
	for _, n := range list {
		event := "run.failure"
		if len(n.On) > 0 {
			event = n.On[0]
		}
		check(n.Template, "template of the notification", event)
		for _, r := range n.Receivers {
			check(r.Template, "template of the "+r.Kind(), event)
			if r.Mail != nil {
				check(r.Mail.Subject, "subject of the mail", event)
			}
		}
	}
}

var (
	templatePlace = regexp.MustCompile(`^template: template:(\d+)(?::\d+)?: (?:executing "template" at <(.*?)>: )?`)
	templateField = regexp.MustCompile(`can't evaluate field (\w+) in type (?:\w+\.)?(\w+)`)
	templateFunc  = regexp.MustCompile(`function "(\w+)" not defined`)
)

// mistake takes an error of text/template apart: its line, what it says, how to mend it.
func mistake(err error) (line int, said, hint string) {
	said = err.Error()
	if m := templatePlace.FindStringSubmatch(said); m != nil {
		_, _ = fmt.Sscan(m[1], &line)
		said = strings.TrimPrefix(said, m[0])
	}
	hint = "a field is written {{ .Project }}, a function {{ json .Text }}"
	if m := templateField.FindStringSubmatch(said); m != nil {
		said = "there is no field ." + m[1]
		if near := source.Nearest(m[1], fields(m[2])); near != "" {
			hint = "did you mean ." + near + "?"
		} else {
			hint = "fields are ." + strings.Join(fields(m[2]), ", .")
		}
	}
	if m := templateFunc.FindStringSubmatch(said); m != nil {
		said = "there is no function " + m[1]
		hint = "a field of the message begins with a dot and a capital: {{ .Project }}"
	}
	return line, said, hint
}

// fields names what templates see in a type.
func fields(of string) []string {
	var t reflect.Type
	switch of {
	case "Message":
		t = reflect.TypeFor[Message]()
	case "Version":
		t = reflect.TypeFor[Version]()
	case "Failure":
		t = reflect.TypeFor[Failure]()
	default:
		return nil
	}
	var out []string
	for f := range t.Fields() {
		out = append(out, f.Name)
	}
	for m := range t.Methods() {
		if m.Name != "String" {
			out = append(out, m.Name)
		}
	}
	return out
}
