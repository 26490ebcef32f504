package heat

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nikolalohinski/gonja/v2"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
)

// filteredIn finds what a filter gives behind in, which the library (2.9.1) reads
// rightly only in parentheses: name in role.networks|default([]) and other.
var filteredIn = regexp.MustCompile(`\bin\s+([\w.]+(?:\s*\|\s*\w+(?:\([^()\n]*\))?)+)`)

// shown finds what is printed as it stands, which may be a list or a mapping. Python shows
// them so that YAML reads them; the library does not quote rightly.
var shown = regexp.MustCompile(`\{\{(-?)\s*([A-Za-z_][\w.]*(?:\s*\|\s*default\([^()\n]*\))?)\s*(-?)\}\}`)

// prepared gives a source in the words that the library understands.
func prepared(text string) string {
	var out strings.Builder
	put := func(s string) {
		s = filteredIn.ReplaceAllString(s, "in (${1})")
		out.WriteString(shown.ReplaceAllString(s, "{{${1} (${2})|upstep_shown ${3}}}"))
	}
	from := 0
	for _, at := range raw.FindAllStringIndex(text, -1) {
		put(text[from:at[0]])
		out.WriteString(text[at[0]:at[1]])
		from = at[1]
	}
	put(text[from:])
	return out.String()
}

// raw finds what stands as it is.
var raw = regexp.MustCompile(`(?s)\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}`)

// showFilter shows lists and mappings as JSON, which is YAML.
func showFilter(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if !in.IsList() && !in.IsDict() {
		return in
	}
	text, err := json.Marshal(in.Interface())
	if err != nil {
		return exec.AsValue(exec.ErrInvalidCall(err))
	}
	return exec.AsSafeValue(string(text))
}

// endless finds a macro that calls itself, which would end the process.
func endless(text string) string {
	for _, m := range macro.FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[2], m[1]+"(") {
			return m[1]
		}
	}
	return ""
}

var macro = regexp.MustCompile(`(?s)\{%-?\s*macro\s+(\w+)(.*?)\{%-?\s*endmacro`)

// render renders a Jinja source with roles and networks, as tripleo-common does when it
// makes a plan. Files that it includes stand below its own folder.
func render(text []byte, dir string, vars map[string]any) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // the library has been seen to panic on what compares lists
			err = fmt.Errorf("the Jinja library gave up: %v", r)
		}
	}()
	if name := endless(string(text)); name != "" {
		return nil, fmt.Errorf("the macro %s calls itself", name)
	}
	files, err := loaders.NewFileSystemLoader(dir)
	if err != nil {
		return nil, err
	}
	const root = "/template"
	within, err := loaders.NewShiftedLoader(root, strings.NewReader(prepared(string(text))), files)
	if err != nil {
		return nil, err
	}
	t, err := exec.NewTemplate(root, gonja.DefaultConfig, within, environment())
	if err != nil {
		return nil, err
	}
	s, err := t.ExecuteToString(exec.NewContext(vars))
	return []byte(s), err
}

// environment is the library's own, with what it lacks of Python's lists.
func environment() *exec.Environment {
	own := *gonja.DefaultEnvironment
	lists := map[string]exec.Method[[]any]{"pop": pop}
	for _, name := range []string{"append", "reverse", "copy"} {
		if m, ok := own.Methods.List.Get(name); ok {
			lists[name] = m
		}
	}
	own.Methods.List = exec.NewMethodSet(lists)
	own.Filters = exec.NewFilterSet(map[string]exec.FilterFunction{"upstep_shown": showFilter}).Update(own.Filters)
	return &own
}

// pop takes the last element out of a list.
func pop(self []any, value *exec.Value, _ *exec.VarArgs) (any, error) {
	if len(self) == 0 {
		return nil, exec.ErrInvalidCall(errors.New("pop of an empty list"))
	}
	last := self[len(self)-1]
	*value = *exec.ToValue(self[:len(self)-1])
	return last, nil
}
