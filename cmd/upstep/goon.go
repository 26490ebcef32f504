package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// goOn gives the command that goes on with a run, as its last invocation was typed: what it
// was given holds for the rest, what it chose only where that has not ended.
func (a *app) goOn(acc *account) string {
	last := acc.last()
	typed := last.Who.Command
	switch {
	case len(typed) > 0 && (typed[0] == "run" || typed[0] == "rollback"):
	case acc.plan.Undo != "":
		return a.asTyped("upstep rollback " + acc.plan.Undo + a.sameFlags())
	default:
		return a.asTyped("upstep run" + a.sameFlags())
	}
	drop := []string{"--new", "--accept-changed"} // flags without a value
	with := []string{"-C", "--directory", "--rerun"}
	stopped := last.ExitCode == exitStopped && !last.Ended.IsZero()
	if stopped && strings.Contains(last.Outcome, "selected") {
		drop = append(drop, "--without-dependencies")
		with = append(with, "--stage", "--role", "--service", "--step", "--limit", "--exclude")
	}
	if stopped && strings.Contains(last.Outcome, " are left") {
		with = append(with, "--percentage")
	}
	words := []string{"upstep", typed[0]}
	if a.dir != "." {
		words = append(words, "-C", shellWord(a.dir))
	}
	for i := 1; i < len(typed); i++ {
		name, _, whole := strings.Cut(typed[i], "=")
		switch {
		case name == "--":
			for _, w := range typed[i:] {
				words = append(words, shellWord(w))
			}
			return a.asTyped(strings.Join(words, " "))
		case slices.Contains(drop, name):
		case slices.Contains(with, name):
			if !whole {
				i++ // its value
			}
		case strings.HasPrefix(name, "-C") && !strings.HasPrefix(name, "--"):
		default:
			words = append(words, shellWord(spoken(acc.plan, typed[i])))
		}
	}
	return a.asTyped(strings.Join(words, " "))
}

// spoken gives a word with the value of an input that the journal leaves out of commands: it
// stands in the plan.
func spoken(p *planner.Plan, word string) string {
	name, value, ok := strings.Cut(strings.TrimPrefix(word, "--set="), "=")
	if !ok || value != hidden {
		return word
	}
	for _, in := range p.Inputs {
		if in.Name != name || in.Value == "" {
			continue
		}
		text := string(in.Value)
		_ = json.Unmarshal([]byte(in.Value), &text) // other than a text it is typed as it stands
		return strings.TrimSuffix(word, hidden) + text
	}
	return word
}
