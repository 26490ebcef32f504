package source

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Pos is a place in an input file. Lines and columns count from 1; a zero Line
// means the file as a whole, an empty File no file at all.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String gives file:line:column, as compilers do, leaving out what is not known.
func (p Pos) String() string {
	var b strings.Builder
	if _, odd := Control(p.File, ""); odd {
		b.WriteString(strconv.Quote(p.File))
	} else {
		b.WriteString(p.File)
	}
	if p.Line > 0 {
		b.WriteString(":" + strconv.Itoa(p.Line))
		if p.Column > 0 {
			b.WriteString(":" + strconv.Itoa(p.Column))
		}
	}
	return b.String()
}

// Short gives file:line, the form used inside sentences.
func (p Pos) Short() string { return Pos{File: p.File, Line: p.Line}.String() }

// Compare orders places by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Severity tells whether a problem stops the work.
type Severity string

// The two severities: an error stops the work, a warning is only shown.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one thing wrong with the input: where, what, and how to mend it.
type Problem struct {
	Severity Severity `json:"severity"`
	Pos
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// String gives the problem on one line, and its hint on a second.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.Pos.String() + ": ")
	}
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("\n  hint: " + p.Hint)
	}
	return b.String()
}

// Problems is what was found wrong; as an error it prints all of them.
type Problems []Problem //nolint:errname // it reads as what it holds

// Error prints every problem, one after the other.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted gives the problems by place, then text, each once.
func (ps Problems) Sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(a.Compare(b.Pos), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Hint, b.Hint))
	})
	return slices.Compact(out)
}

// Count gives how many problems have the severity.
func (ps Problems) Count(s Severity) int {
	n := 0
	for _, p := range ps {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// Sink gathers problems so that all are reported at once. The zero value is ready.
// It is not safe for concurrent use: give each goroutine its own.
type Sink struct{ list Problems }

// Errorf adds an error; WithHint on what it returns says how to mend it.
func (s *Sink) Errorf(at Pos, format string, args ...any) *Problem {
	return s.add(Error, at, fmt.Sprintf(format, args...))
}

// Warnf adds a warning.
func (s *Sink) Warnf(at Pos, format string, args ...any) *Problem {
	return s.add(Warning, at, fmt.Sprintf(format, args...))
}

func (s *Sink) add(sev Severity, at Pos, msg string) *Problem {
	s.list = append(s.list, Problem{Severity: sev, Pos: at, Message: msg})
	return &s.list[len(s.list)-1]
}

// WithHint says how to mend the problem.
func (p *Problem) WithHint(hint string) { p.Hint = hint }

// Merge adds what another sink gathered.
func (s *Sink) Merge(ps Problems) { s.list = append(s.list, ps...) }

// Problems gives all that was gathered, sorted.
func (s *Sink) Problems() Problems { return s.list.Sorted() }

// Failed tells whether any error was gathered.
func (s *Sink) Failed() bool { return s.list.Count(Error) > 0 }
