package services_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListsOfATemplateThatAreNotCarriedAreNamed(t *testing.T) {
	const how = "\n  hint: move what the upgrade needs of it to a list that is, such as preflight_tasks, upgrade_tasks or post_upgrade_tasks"
	all, problems := load(t, map[string]string{"nova.yaml": `outputs:
  role_data:
    value:
      service_name: nova
      upgrade_tasks: []
      update_tasks:
        - {name: Update, command: x}
      post_update_tasks: []
      external_upgrade_tasks:
        get_attr: [Base, role_data, external_upgrade_tasks]
      fast_forward_upgrade_tasks:
      host_prep_tasks:
        - {name: Prepare, command: x}
    upgrade_batch_tasks:
      - {name: Batch, command: x}
`})
	require.Len(t, all, 1)
	require.Equal(t, "services/nova.yaml:7:9: warning: update_tasks is not carried: what it does is no part of the plan"+how+
		"\nservices/nova.yaml:10:9: warning: external_upgrade_tasks is not carried: what it does is no part of the plan"+how+
		"\nservices/nova.yaml:15:7: warning: upgrade_batch_tasks is not carried: what it does is no part of the plan"+how, problems)
}
