package heat

import (
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

// render renders a Jinja source with roles and networks, as tripleo-common does when it
// makes a plan. Files that it includes stand below its own folder.
func render(text []byte, dir string, vars map[string]any) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // the library has been seen to panic on what compares lists
			err = fmt.Errorf("the Jinja library gave up: %v", r)
		}
	}()
	files, err := loaders.NewFileSystemLoader(dir)
	if err != nil {
		return nil, err
	}
	const root = "/template"
	within, err := loaders.NewShiftedLoader(root, strings.NewReader(filteredIn.ReplaceAllString(string(text), "in (${1})")), files)
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
