package main

import (
	"testing"

	"github.com/upstep/upstep/ansible/ansibletest"
)

// TestNewerAnsible runs an upgrade, once to a failure and then to its end, with a newer
// Ansible.
func TestNewerAnsible(t *testing.T) {
	t.Parallel()
	ansibletest.Newer(t, "TestScripts/run-again", "TestScripts/version-plain")
}
