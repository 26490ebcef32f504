package yaql

import (
	"errors"
	"fmt"
)

// Error is a mistake in an expression, or one met while it was evaluated.
type Error struct {
	Offset  int // byte offset in the expression
	Message string

	kind kind
}

func (e *Error) Error() string { return fmt.Sprintf("%s (at offset %d)", e.Message, e.Offset) }

// kind tells apart the failures that yaql itself decides on.
type kind int

const (
	other    kind = iota
	noMatch       // no overload of a known name fits; groupBy tries its older form then
	noLength      // an index out of range, likewise
	limits        // the evaluation grew too large; nothing is tried again
)

func failf(format string, args ...any) *Error {
	return &Error{Offset: -1, Message: fmt.Sprintf(format, args...)}
}

// at gives a failure the place of the innermost part that has one.
func at(err error, offset int) error {
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Offset < 0 {
			e.Offset = offset
		}
		return e
	}
	return &Error{Offset: offset, Message: err.Error()}
}
