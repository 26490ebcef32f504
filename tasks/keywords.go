package tasks

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// Level is where play keywords are going to stand.
type Level int

// A role's and the deployment's keywords stand on plays, a service's on its blocks.
const (
	PlayLevel Level = iota
	BlockLevel
)

// blockKeywords may stand on a block as well as on a play.
func blockKeywords() []string {
	return []string{
		"become", "become_exe", "become_flags", "become_method", "become_user", "check_mode", "collections", "connection",
		"debugger", "diff", "environment", "ignore_errors", "ignore_unreachable", "module_defaults", "no_log", "port",
		"remote_user", "throttle", "timeout",
	}
}

// playKeywords may stand on a play only.
func playKeywords() []string {
	return []string{"fact_path", "gather_subset", "gather_timeout", "vars_files"}
}

// ownKeywords are set by upstep on every play it writes.
func ownKeywords() []string {
	return []string{
		"any_errors_fatal", "force_handlers", "gather_facts", "handlers", "hosts", "max_fail_percentage", "name", "post_tasks",
		"pre_tasks", "roles", "run_once", "serial", "strategy", "tags", "tasks", "vars", "vars_prompt", "when",
	}
}

// OnBlock tells whether a play keyword may stand on a block too.
func OnBlock(keyword string) bool { return slices.Contains(blockKeywords(), keyword) }

// ReadKeywords reads the mapping under play: and keeps each value as written, in the written order.
func ReadKeywords(v source.Node, level Level, sink *source.Sink) []Keyword {
	if !v.Exists() {
		return nil
	}
	if v.Kind() != source.Map {
		sink.Errorf(v.Pos(), "play must be a mapping of play keywords, not %s", v.Kind())
		return nil
	}
	var out []Keyword
	for _, e := range v.Entries() {
		name := e.Key.Text()
		switch {
		case name == "order":
			// Batches, a canary's share and the first host of a service are planned in the inventory's.
			sink.Errorf(e.Key.Pos(), "play keyword %q would take hosts in another order than the plan", name).
				WithHint("leave it out: hosts go in the order of the inventory")
		case slices.Contains(ownKeywords(), name):
			hint := "leave it out"
			if name == "vars" {
				hint = "variables go into vars: beside play:"
			}
			sink.Errorf(e.Key.Pos(), "play keyword %q is set by upstep itself", name).WithHint(hint)
		case name == "vars_files" && level == PlayLevel:
			out = append(out, Keyword{Name: name, Pos: e.Key.Pos(), Text: varsFiles(e.Value)})
		case slices.Contains(blockKeywords(), name), level == PlayLevel && slices.Contains(playKeywords(), name):
			out = append(out, Keyword{Name: name, Pos: e.Key.Pos(), Text: e.Cut()})
		case slices.Contains(playKeywords(), name):
			sink.Errorf(e.Key.Pos(), "play keyword %q cannot stand on a service", name).
				WithHint("it holds for a whole play: put it under play: of the role or of upgrade.yaml")
		default:
			sink.Errorf(e.Key.Pos(), "unknown play keyword %q", name).
				WithHint(source.DidYouMean(name, slices.Concat(blockKeywords(), playKeywords())))
		}
	}
	return out
}

// varsFiles writes a list of files one to a line, so that others can be put before it.
func varsFiles(v source.Node) string {
	var text strings.Builder
	text.WriteString("vars_files:\n")
	for _, it := range scalars(v) {
		text.WriteString("- " + source.Quote(it.Text()) + "\n")
	}
	return text.String()
}
