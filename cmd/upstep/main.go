// Command upstep plans upgrades from services and roles, and emits them as Ansible
// playbooks.
package main

import (
	"os"
	"runtime/debug"
)

func main() { os.Exit(run()) }

// run is main with an exit code, so that deferred work is done before the process ends.
func run() int {
	// Planning allocates much and lives briefly: collect garbage less often, but stay
	// within what a small machine has.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(900 << 20)
	}
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, launcher: os.Getenv(launcherEnv)}
	return a.untilSignal(os.Args[1:])
}
