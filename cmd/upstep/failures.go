package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// mostFailures are told in full; who has more has one failure many times.
const mostFailures = 20

// detail is how much is told of failures.
type detail struct {
	failures int
	more     string // how to see those beyond
	hosts    int
	lines    int    // of a message or an output
	root     string // of the logs; empty: there are none
}

// tellFailures tells what failed, where and why. Hosts that failed alike stand together.
func tellFailures(say func(string, ...any), failures []runner.Failure, d detail) {
	all := alike(failures)
	for i, f := range all {
		if i == d.failures {
			say("\nfailed as well: %d more%s\n", len(all)-i, d.more)
			break
		}
		say("\n%s: %s\n", f.State, unitName(f.Unit))
		switch hosts := slices.Sorted(slices.Values(f.Hosts)); {
		case len(hosts) == 1:
			say("  host:    %s\n", hosts[0])
		case len(hosts) > d.hosts:
			say("%s", paragraph("  hosts:   ", fmt.Sprintf("%d: %s", len(hosts), shortened(hosts, d.hosts))))
		case len(hosts) > 0:
			say("%s", paragraph("  hosts:   ", strings.Join(hosts, ", ")))
		}
		for _, line := range linesOf(f, d.lines) {
			say("%s\n", line)
		}
		if log := logOf(f, d.root); log != "" {
			say("  log:     %s\n", log)
		}
	}
}

// linesOf gives the lines that tell of a failure below its head: the task, where it was
// written, and what it said, at most so many lines of each.
func linesOf(f runner.Failure, most int) []string {
	var out []string
	if f.Task != nil {
		out = append(out, "  task:    "+taskText(f.Task))
	}
	for _, part := range []struct{ name, text string }{{"message:", f.Message}, {"stderr:", f.Stderr}, {"stdout:", f.Stdout}} {
		if text := strings.TrimSpace(clean(part.text)); text != "" {
			out = append(out, strings.Split(fmt.Sprintf("  %-9s%s", part.name, indented(text, most, 11)), "\n")...)
		}
	}
	return out
}

// failureOf makes a failure of the event that tells of it.
func failureOf(e event.Event) runner.Failure {
	f := runner.Failure{
		Unit: e.Unit, Role: e.Role, Hosts: []string{e.Host}, State: journal.Failed, Task: e.Task,
		Message: e.Message, Stdout: e.Stdout, Stderr: e.Stderr,
	}
	if e.Kind == event.Unreachable {
		f.State = journal.Unreachable
	}
	return f
}

// alike joins failures that differ in nothing but the host.
func alike(failures []runner.Failure) []runner.Failure {
	type key struct{ unit, state, task, message, stdout, stderr string }
	var out []runner.Failure
	at := map[key]int{}
	for _, f := range failures {
		k := key{f.Unit, string(f.State), "", f.Message, f.Stdout, f.Stderr}
		if f.Task != nil {
			k.task = taskText(f.Task)
		}
		if n, ok := at[k]; ok {
			out[n].Hosts = append(slices.Clip(out[n].Hosts), f.Hosts...)
			continue
		}
		at[k] = len(out)
		out = append(out, f)
	}
	return out
}

// logOf names the file in which everything stands that Ansible said; none stays of a
// check.
func logOf(f runner.Failure, root string) string {
	if f.Folder == "" || root == "" {
		return ""
	}
	return filepath.Join(root, f.Folder, "output")
}

// place is where a task was written.
func place(t *event.Task) string {
	switch {
	case t == nil:
		return ""
	case t.Source != "":
		return t.Source
	case t.File != "":
		return fmt.Sprintf("%s:%d", t.File, t.Line)
	}
	return ""
}

// unitName names the unit of a failure; the preflight has failures of no unit.
func unitName(unit string) string { return cmp.Or(unit, playbooks.Preflight) }

// taskName names a task.
func taskName(t *event.Task) string {
	if t == nil {
		return string(journal.Unknown)
	}
	return clean(t.Name)
}

// taskText names a task and where it was written.
func taskText(t *event.Task) string {
	if at := place(t); at != "" {
		return taskName(t) + " (" + at + ")"
	}
	return taskName(t)
}
