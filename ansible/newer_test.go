package ansible

import (
	"testing"

	"github.com/upstep/upstep/ansible/ansibletest"
)

// TestNewerAnsible tells whether what this package asks of Ansible holds for a newer one.
func TestNewerAnsible(t *testing.T) {
	t.Parallel()
	ansibletest.Newer(t,
		// gates and answers
		"TestAPlayWaitsAtItsGateAndRunsOnTheChosenHosts",
		"TestStopEndsTheProcessAtOnceAndLeavesNothing",
		"TestTerminateLeavesNoProcess",
		"TestHostsThatWereLostStandAtNoFurtherGate",
		"TestAnAnsibleThatCantLoadTheCallbackIsEnded",
		// events: every kind, items, retries, no_log, unreachable, handlers, huge and binary
		"TestEveryKindOfResultIsTold",
		"TestTheUnitOfATask",
		"TestHugeAndBinaryResultsAreCut",
		// values and secrets
		"TestVariablesCrossToAnotherProcess",
		"TestSecretsStandInNoFile",
		"TestTheUsersSettingsStayInCharge",
		"TestTheUsersOutputStrategyVaultAndBecomeStayInCharge",
		// what it prints
		"TestVersion",
		"TestInventoryTellsWhichSourceFailsAndWhy/a_script_that_fails",
		"TestInventoryTellsWhichSourceFailsAndWhy/yaml_syntax_with_its_line",
		"TestInventoryTellsWhichSourceFailsAndWhy/an_ini_file's_line",
		"TestInventoryTellsWhichSourceFailsAndWhy/group_vars",
		"TestAModuleOfTheProjectIsNotCalledUnknown",
	)
}
