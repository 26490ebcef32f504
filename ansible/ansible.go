// Package ansible is the only caller of Ansible's commands: it reads inventories,
// checks syntax and runs playbooks. A cancelled call leaves no process behind; a
// playbook that runs survives upstep and holds at its next gate.
package ansible

import (
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options says how Ansible's commands are called.
type Options struct {
	Dir   string        // the project; commands run there, so its ansible.cfg counts; default: here
	Env   []string      // NAME=value, on top of this process's environment
	Args  []string      // options the user gave for Ansible; each command takes those it knows
	Grace time.Duration // between TERM and KILL after a cancellation; default 5s
}

// Tool calls ansible-inventory and ansible-playbook as they are found on PATH. Its
// methods may be called side by side.
type Tool struct {
	dir   string
	env   []string
	args  []string
	grace time.Duration
	most  int // bytes of standard output

	plugin []byte // the callback of jobs
	asked  sync.Mutex
	known  *settings // the user's, once asked for
}

// New makes a Tool. It starts nothing: a missing Ansible is reported by the call
// that needs it, so that work that needs none goes on without.
func New(o Options) *Tool {
	if o.Dir == "" {
		o.Dir = "."
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	return &Tool{
		dir: o.Dir, env: environment(os.Environ(), o.Env), args: slices.Clone(o.Args),
		grace: o.Grace, most: maxStdout, plugin: callback,
	}
}

// with gives the tool with one more variable of its environment.
func (t *Tool) with(variable string) *Tool {
	return &Tool{dir: t.dir, env: append(slices.Clone(t.env), variable), args: t.args, grace: t.grace, most: t.most, plugin: t.plugin}
}

// environment gives the user's variables, then those that make Ansible's output
// the same everywhere; of a name given twice the last counts.
func environment(base, extra []string) []string {
	env := slices.Concat(base, extra)
	env = append(env,
		"ANSIBLE_NOCOLOR=1",
		"ANSIBLE_FORCE_COLOR=0",
		"ANSIBLE_VERBOSITY=0", // above 0, notes mix with the JSON on standard output
		"ANSIBLE_DEBUG=0",
		"ANSIBLE_INVENTORY_UNPARSED_FAILED=1",
		"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1", // the former lets one bad source of several pass
		"ANSIBLE_INVENTORY_UNPARSED_WARNING=False",
		"ANSIBLE_LOCALHOST_WARNING=False",
		"ANSIBLE_DEPRECATION_WARNINGS=False",
		"ANSIBLE_DEVEL_WARNING=False",
		"PYTHONWARNINGS=ignore",
	)
	// Ansible refuses to start in these; cron and CI set them.
	if l := lookup(env, "LC_ALL"); l == "C" || l == "POSIX" {
		env = append(env, "LC_ALL=C.UTF-8")
	}
	return env
}

func lookup(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
