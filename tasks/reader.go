package tasks

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// Reader reads the task lists of one service or deployment and gathers which
// variables they name.
type Reader struct {
	sink   *source.Sink
	heat   bool // a TripleO template, in which Heat functions may stand
	uses   map[string]source.Pos
	locals map[string]bool
	alone  map[int][]int // the steps of a task in one step
}

// NewReader gives a Reader whose problems go to the sink; heat says that the text
// is a TripleO template, where calls of Heat functions are reported.
func NewReader(sink *source.Sink, heat bool) *Reader {
	return &Reader{sink: sink, heat: heat, uses: map[string]source.Pos{}, locals: map[string]bool{}, alone: map[int][]int{}}
}

// Uses gives the variables named so far that no task defines for itself, by name.
func (r *Reader) Uses() []Use {
	out := make([]Use, 0, len(r.uses))
	for name, pos := range r.uses {
		if !r.locals[name] {
			out = append(out, Use{name, pos})
		}
	}
	slices.SortFunc(out, func(a, b Use) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// IsVariable tells whether Ansible takes a key as the name of a variable: Python's own
// words are none, nor is what YAML reads as true or false.
func IsVariable(key source.Node) bool {
	name := key.Text()
	_, truth := source.ParseBool(name)
	return key.Kind() == source.Scalar && isName(name) && (!truth || key.Quoted()) && !slices.Contains(pythonWords(), name)
}

func pythonWords() []string {
	return []string{
		"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
		"except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
		"return", "try", "while", "with", "yield",
	}
}

// ReadVars reads a mapping of variables and keeps it as written.
func ReadVars(v source.Node, what string, sink *source.Sink) Vars {
	if v.Kind() != source.Map {
		sink.Errorf(v.Pos(), "%s must be a mapping, not %s", what, v.Kind())
		return Vars{}
	}
	var out Vars
	for _, e := range v.Entries() {
		if strings.HasPrefix(e.Key.Text(), "upstep_") || e.Key.Text() == "step" {
			sink.Errorf(e.Key.Pos(), "variable %q is set by upstep itself", e.Key.Text()).WithHint("choose another name")
		} else if !IsVariable(e.Key) {
			sink.Errorf(e.Key.Pos(), "variable name %q cannot be used", e.Key.Text()).WithHint("use letters, digits and _, beginning with a letter or _, and no word that is Python's or YAML's own")
		}
		out.Names = append(out.Names, e.Key.Text())
		if uses := names("", e.Value); len(uses) > 0 {
			if out.Uses == nil {
				out.Uses = map[string][]string{}
			}
			out.Uses[e.Key.Text()] = uses
		}
	}
	if len(out.Names) > 0 {
		out.Text = v.CutMap().Text
	}
	return out
}
