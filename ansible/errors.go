package ansible

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

// NotInstalledError says that one of Ansible's commands is not on PATH.
type NotInstalledError struct{ Binary string }

// Error names the command.
func (e *NotInstalledError) Error() string { return e.Binary + " is not installed, or not on PATH" }

// Hint says how to mend it.
func (e *NotInstalledError) Hint() string { return "apt-get install ansible-core" }

// SourceError says which inventory source can't be used and why. Pos.File is the
// source as it was given, or the file inside it; the line is 0 where Ansible gives none.
type SourceError struct {
	source.Pos
	Message string
	hint    string
}

// Error gives the source, its line where known, and the reason.
func (e *SourceError) Error() string { return "inventory " + e.String() + ": " + e.Message }

// Hint says how to mend it, or is empty.
func (e *SourceError) Hint() string { return e.hint }

// NotLoadedError says that ansible-playbook runs, or ran, without upstep's plugin, so that
// nothing held its plays. It has been ended; what it did on hosts is unknown.
type NotLoadedError struct{ Why string } // Ansible's own reason; "" when it gave none

// Error says so, and why.
func (e *NotLoadedError) Error() string {
	if e.Why == "" {
		return "Ansible did not load upstep's plugin and did not say why; whatever starts it as ansible-playbook must " +
			"leave ANSIBLE_CALLBACK_PLUGINS, the UPSTEP_ variables and the open files 3 and 4 as they are"
	}
	return "Ansible did not load upstep's plugin: " + e.Why
}

// InterruptedError says that a command was ended because its context was. It is the
// context's error, and its cause where there is one.
type InterruptedError struct {
	Binary string
	errs   []error
}

// Error says during which command, and why where there is a reason to tell.
func (e *InterruptedError) Error() string {
	if len(e.errs) > 1 {
		return e.Binary + ": " + e.errs[1].Error()
	}
	if errors.Is(e, context.DeadlineExceeded) {
		return e.Binary + ": " + e.errs[0].Error()
	}
	return "interrupted while " + e.Binary + " ran"
}

// Unwrap gives the context's error and its cause.
func (e *InterruptedError) Unwrap() []error { return e.errs }

// CommandError says that a command ended with an error of its own. It never holds
// the arguments or the environment.
type CommandError struct {
	Binary  string
	Code    int // exit code; -1 when a signal ended it
	Message string
}

// Error gives the command and the essential line of what it said.
func (e *CommandError) Error() string {
	if e.Message != "" {
		return e.Binary + ": " + e.Message
	}
	return e.Binary + ": exit code " + strconv.Itoa(e.Code)
}

// Hint gives how to mend an error of this package, or "".
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// essential gives the one line of standard error that tells what went wrong: the
// last error, else the last line.
func essential(stderr string) string {
	if blocks := errorBlocks(stderr); len(blocks) > 0 {
		return parseBlock(blocks[len(blocks)-1]).message
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	// argparse repeats the command's name
	if _, rest, ok := strings.Cut(last, ": error: "); ok {
		return rest
	}
	return last
}
