package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/upstep/upstep/source"
)

// usageError is a mistake in how a command was called.
type usageError struct {
	error
	hint string
}

// Unwrap gives what the mistake led to.
func (e usageError) Unwrap() error { return e.error }

// misuse gives a mistake in calling cmd; its help is the hint where there is no better one.
func misuse(cmd *cobra.Command, hint, format string, args ...any) error {
	if hint == "" {
		hint = "see " + cmd.CommandPath() + " --help"
	}
	return usageError{fmt.Errorf(format, args...), hint}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse(cmd, "", "unexpected argument %q", args[0])
	}
	return nil
}

// noCommand says that the words name no command below cmd.
func noCommand(cmd *cobra.Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return misuse(cmd, source.DidYouMean(words[0], names), "unknown command %q", words[0])
}

// wrongFlag says in our words what the flag library says in those of its own.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case !cmd.HasParent() && cmd.Flags().NArg() > 0: // of a mistyped command every flag is unknown
		return noCommand(cmd, cmd.Flags().Args())
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return misuse(cmd, "", "unknown flag -%.1s", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return misuse(cmd, nearestFlag(cmd, unknown.GetSpecifiedName()), "unknown flag --%s", unknown.GetSpecifiedName())
	case errors.As(err, &valueless):
		return misuse(cmd, "", "--%s needs a value", valueless.GetFlag().Name)
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool":
		return misuse(cmd, "give it without a value, or as true or false", "--%s=%s is neither true nor false", invalid.GetFlag().Name, invalid.GetValue())
	}
	return misuse(cmd, "", "%w", err)
}

// worded is a flag's value that help names by a word of ours, not by its Go type.
type worded struct {
	pflag.Value
	word string
}

// Type gives the word.
func (w worded) Type() string { return w.word }

// wordFlags names the values of all flags below cmd as docs/reference/commands.md does.
func wordFlags(cmd *cobra.Command) {
	words := map[string]string{
		"directory": "DIR", "services": "DIR", "roles": "PATH", "inventory": "SOURCE", "set": "NAME=VALUE",
		"inputs": "FILE", "output": "FORMAT", "format": "FORMAT", "save": "FILE", "out": "DIR",
		"host": "HOST", "exclude": "HOSTS", "reason": "TEXT", "keep": "N",
		"view": "VIEW", "junit": "FILE", "name": "NAME", "version": "VERSION", "binary": "FILE", "packages": "DIR",
		"add": "PATH", "sign-key": "FILE", "password-file": "FILE", "key": "KEY",
	}
	name := func(f *pflag.Flag) {
		if word := words[f.Name]; word != "" {
			f.Value = worded{f.Value, word}
			f.DefValue = strings.TrimPrefix(f.DefValue, "[]")
		}
	}
	cmd.PersistentFlags().VisitAll(name)
	for _, c := range cmd.Commands() {
		c.Flags().VisitAll(name)
		for _, below := range c.Commands() {
			below.Flags().VisitAll(name)
		}
	}
}

// nearestFlag looks among the command's own flags, then among those of the others.
func nearestFlag(cmd *cobra.Command, name string) string {
	var names, elsewhere []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := source.Nearest(name, names); near != "" {
		return "did you mean --" + near + "?"
	}
	for _, c := range cmd.Root().Commands() {
		if c.Flags().Lookup(name) != nil {
			elsewhere = append(elsewhere, "upstep "+c.Name())
		}
	}
	slices.Sort(elsewhere)
	if len(elsewhere) > 0 {
		return "--" + name + " is a flag of " + strings.Join(elsewhere, ", ")
	}
	return ""
}

// helpCommand is cobra's, but for an unknown command, which is a mistake here too.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		Example: "  upstep help plan",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range cmd.Root().Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(of, rest)
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}
