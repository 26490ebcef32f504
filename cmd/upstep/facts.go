package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// factsFolder makes the folder in which the processes of a run share the facts of hosts.
// They hold the environment of every host, so they stay in memory where that is possible.
// One that a killed run has left is removed: each invocation gathers anew.
func factsFolder(tree string) (string, error) {
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = os.TempDir()
	}
	sum := sha256.Sum256([]byte(tree))
	dir := filepath.Join(parent, "upstep-facts-"+hex.EncodeToString(sum[:8]))
	if os.RemoveAll(dir) == nil && os.Mkdir(dir, 0o700) == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "upstep-facts-") // somebody else's stands there
}
