package main

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/upstep/upstep/bundle"
)

// launcherEnv names the variable by which the launcher of a bundle says that it was
// typed, and not upstep.
const launcherEnv = "UPSTEP_LAUNCHER"

var typedCommand = regexp.MustCompile(`\bupstep (run|rollback|status|history|approve|cancel|skip|unlock|prune)\b`)

// asTyped gives a text with its commands as they are typed here: through the launcher of
// a bundle, which knows the project and its plan.
func (a *app) asTyped(text string) string {
	if a.launcher == "" {
		return text
	}
	text = strings.ReplaceAll(text, " -C "+shellWord(a.dir), "")
	text = strings.ReplaceAll(text, " "+shellWord(filepath.Join(filepath.Dir(a.launcher), bundle.PlanFile)), "")
	return typedCommand.ReplaceAllStringFunc(text, func(command string) string {
		word := strings.TrimPrefix(command, "upstep ")
		if word == "run" {
			return shellWord(a.launcher)
		}
		return shellWord(a.launcher) + " " + word
	})
}
