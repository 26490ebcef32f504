package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/source"
)

// The exit codes of upstep; docs/reference/exit-codes.md explains each.
const (
	exitDone       = 0
	exitUnexpected = 1
	exitInvalid    = 2
	exitFailed     = 3
	exitPreflight  = 4
	exitStale      = 5
	exitStopped    = 6
)

// app is one invocation: its streams and what its flags say.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	args           []string
	patience       atomic.Pointer[patience] // of a command that ends by itself after a signal
	patient        atomic.Bool
	dir            string
	services       string
	roles          string
	inventory      []string
	set            []string
	inputs         []string
	output         string
	allowDowngrade bool
	from, to       string                              // the releases that the upgrade leads from and to
	otherRoutes    []string                            // as short as the one that was chosen
	space          func(string) (journal.Space, error) // measures file systems; nil: as the kernel says
	warnings       int                                 // shown so far
	problems       source.Problems                     // warnings of the plan
	hosts          *roles.Inventory                    // as it was read last
	ansibleOptions []string                            // of run, for whatever asks the hosts before
	sums           map[string]string                   // SHA-256 of artefacts that were read
	launcher       string                              // of the bundle, through which commands are typed; "": they are not
	keyFolder      string                              // of the keys that bundles must be signed by; "": the system's
	failed         error                               // the first failure to write to stdout
}

// execute runs a command line and gives its exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // cobra hands each command the context of ExecuteContext
	a.args = args
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(results{a})
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = a.failed
	}
	if err != nil && ctx.Err() != nil { // whatever the error says, the signal is its cause
		return a.interrupted()
	}
	return a.exitCode(ctx, err)
}

// exitCode shows an error and gives the code that goes with it.
func (a *app) exitCode(ctx context.Context, err error) int {
	var problems source.Problems
	var edited *playbooks.EditedError
	switch {
	case err == nil, errors.As(err, &problems): // shown already
	case errors.As(err, &edited):
		a.errorf("%v\n", edited)
		a.errorf("upstep: nothing was written\n  hint: %s\n", refusedHint(edited))
	default:
		// Of a silent error, what was joined to it is left.
		if text := strings.TrimSpace(err.Error()); text != "" {
			a.errorf("upstep: %s\n", a.asTyped(text))
		}
		if hint := hintOf(err); hint != "" {
			a.errorf("  hint: %s\n", a.asTyped(hint))
		}
	}
	return codeOf(ctx, err)
}

// hintOf gives what an error says of how to mend it.
func hintOf(err error) string {
	var code codeError
	var usage usageError
	var hint interface{ Hint() string }
	switch {
	case errors.As(err, &code): // its text says all
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &hint):
		return hint.Hint()
	}
	return ""
}

// codeOf gives the exit code of an error; whatever it says, a signal that cancelled ctx
// is its cause.
func codeOf(ctx context.Context, err error) int {
	var problems source.Problems
	var code codeError
	var usage usageError
	var edited *playbooks.EditedError
	var locked *journal.LockedError
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil:
		return exitStopped
	case errors.As(err, &code):
		return code.code
	case errors.As(err, &problems), errors.As(err, &usage):
		return exitInvalid
	case errors.As(err, &edited), errors.As(err, &locked):
		return exitStale
	}
	return exitUnexpected
}

// codeError ends a command with a code of its own.
type codeError struct {
	error
	code int
}

// Error is empty where everything was said already.
func (e codeError) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

// Unwrap gives the error that has the code.
func (e codeError) Unwrap() error { return e.error }

// errorf writes to standard error; there is nobody left to tell when that fails.
func (a *app) errorf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format, args...)
}

// printf writes results to standard output.
func (a *app) printf(format string, args ...any) { _, _ = fmt.Fprintf(results{a}, format, args...) }

// results is standard output. It remembers the first failure: a full disk behind a pipe
// must not look like success, whoever writes.
type results struct{ *app }

func (r results) Write(text []byte) (int, error) {
	n, err := r.stdout.Write(text)
	if err != nil && r.failed == nil {
		r.failed = fmt.Errorf("write output: %w", err)
	}
	return n, err
}

func (a *app) root() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "upstep",
		Short: "Plan upgrades from services and roles, and emit them as Ansible playbooks",
		Long: `upstep merges what each service says about its upgrade with the roles that say
where services stand, into one ordered plan, and emits it as Ansible playbooks.`,
		Example:       "  upstep plan                     # what would be done, in which order\n  upstep emit                     # write it as playbooks\n  upstep explain nova_compute     # why a service stands where it stands",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				a.version()
				return nil
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(helpCommand())
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "directory", "C", ".", "the project's folder")
	f.StringVar(&a.services, "services", "", "folder of the services (default services)")
	f.StringVar(&a.roles, "roles", "", "file or folder of the roles (default roles.yaml, or roles/)")
	f.StringArrayVarP(&a.inventory, "inventory", "i", nil, "Ansible inventory, may be repeated (default inventory, inventory.yaml, inventory.yml, inventory.ini or hosts if one is there; none: plan without hosts)")
	f.StringArrayVar(&a.set, "set", nil, "value of an input, as name=value; may be repeated")
	f.StringArrayVar(&a.inputs, "inputs", nil, "YAML file of inputs; may be repeated")
	root.AddCommand(a.validateCommand(), a.planCommand(), a.emitCommand(), a.runCommand(), a.rollbackCommand(), a.explainCommand(), a.graphCommand(), a.releasesCommand(), a.versionCommand(), a.completionCommand())
	root.AddCommand(a.importCommand(), a.packCommand(), a.bundleCommand(), a.statusCommand(), a.historyCommand(), a.cancelCommand(), a.approveCommand(), a.notifyCommand(), a.skipCommand(), a.unlockCommand(), a.pruneCommand())
	wordFlags(root)
	return root
}

func (a *app) outputFlag(cmd *cobra.Command) {
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch a.output {
		case "table", "json", "yaml":
			return nil
		}
		return usageError{fmt.Errorf("unknown output %q", a.output), "use --output table, json or yaml"}
	}
	cmd.Flags().StringVarP(&a.output, "output", "o", "table", "table, json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}
