package playbooks_test

import (
	"testing"

	"github.com/upstep/upstep/ansible/ansibletest"
)

// TestNewerAnsible tells whether what is emitted stops where it must with a newer Ansible.
func TestNewerAnsible(t *testing.T) {
	t.Parallel()
	ansibletest.Newer(t, "TestPlayKeywordsDoNotReachUpstepsOwnTasks", "TestALostHostOfACanaryStopsWhatComesAfterTheRole", "TestAHandlerThatFailsStopsARollingRole")
}
