package ansible

import (
	"errors"
	"slices"
	"strings"
)

// errAsks says that an option needs a terminal, which commands here don't have.
var errAsks = errors.New("an option that asks for a password can't be answered here; use --vault-password-file or a variable")

// taken names the options that a command takes over from the user. All have a value.
type taken struct{ short, long []string }

func inventoryOptions() taken {
	return taken{
		short: []string{"-e"},
		long:  []string{"--extra-vars", "--vault-id", "--vault-password-file", "--vault-pass-file", "--playbook-dir"},
	}
}

func syntaxOptions() taken {
	return taken{
		short: []string{"-e", "-M"},
		long:  []string{"--extra-vars", "--vault-id", "--vault-password-file", "--vault-pass-file", "--module-path"},
	}
}

// ownArgs picks from the user's options those that the command knows; the others
// (such as --forks) are for a run.
func ownArgs(args []string, known taken) ([]string, error) {
	var out []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "-J" || a == "--ask-vault-pass" || a == "--ask-vault-password":
			return nil, errAsks
		case slices.Contains(known.short, a) || slices.Contains(known.long, a):
			out = append(out, a)
			if i+1 < len(args) {
				i++
				out = append(out, args[i])
			}
		case slices.ContainsFunc(known.long, func(l string) bool { return strings.HasPrefix(a, l+"=") }),
			slices.ContainsFunc(known.short, func(s string) bool { return strings.HasPrefix(a, s) }):
			out = append(out, a)
		}
	}
	return out, nil
}

// scrub takes the user's extra variables out of a message of Ansible's, which
// repeats what it can't read.
func (t *Tool) scrub(message string) string {
	for i, a := range t.args {
		value := ""
		switch rest, ok := strings.CutPrefix(a, "--extra-vars="); {
		case ok:
			value = rest
		case (a == "-e" || a == "--extra-vars") && i+1 < len(t.args):
			value = t.args[i+1]
		case strings.HasPrefix(a, "-e"):
			value = a[2:]
		}
		if value != "" && !strings.HasPrefix(value, "@") {
			message = strings.ReplaceAll(message, value, "(extra vars)")
		}
	}
	return message
}
