package playbooks_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Few facts, so that the tests are quick.
const (
	facts   = "module_defaults: {ansible.builtin.setup: {gather_subset: min}}"
	minimal = "play: {" + facts + "}\n"
)

// fails makes tasks that fail on the host that a variable names.
func fails(text string) string {
	return strings.NewReplacer("FAIL(", "ansible.builtin.fail: {msg: failed here}, when: \"inventory_hostname == ").Replace(strings.ReplaceAll(text, ")F", " | default('')\""))
}

// web goes in batches; what uses it comes after.
func web(t *testing.T, upgrade, rolling string) string {
	t.Helper()
	return webOn(t, upgrade, "webs", "w1", rolling)
}

func webOn(t *testing.T, upgrade, hosts, use, rolling string) string {
	t.Helper()
	return written(t, upgrade, `- {name: Web, hosts: "`+hosts+`", services: [u], `+rolling+`}
- {name: Use, hosts: `+use+`, services: [v]}
`, fails(`service_name: u
drain_tasks:
  - {name: Leave, ansible.builtin.debug: {msg: "{{ inventory_hostname }} leaves"}}
preflight_tasks:
  - {name: Ask, FAIL(notready)F}
upgrade_tasks:
  - {name: Upgrade, FAIL(bad)F, tags: step1}
health_tasks:
  - {name: Health, ansible.builtin.debug: {}, changed_when: true, notify: Healthy}
  - {name: Healthier, FAIL(unhealthy)F}
restore_tasks:
  - {name: Return, ansible.builtin.debug: {}, changed_when: true, notify: Back}
  - {name: Return whole, FAIL(noreturn)F}
handlers:
  - {name: Healthy, FAIL(handler_health)F}
  - {name: Back, ansible.builtin.debug: {msg: "{{ inventory_hostname }} is back"}, failed_when: "inventory_hostname == handler_back | default('')"}
`), `service_name: v
depends_on: [u]
upgrade_tasks:
  - {name: Use it, ansible.builtin.debug: {msg: it went on}, tags: step1}
`)
}

func TestAHandlerThatFailsStopsARollingRole(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	dir := web(t, minimal, "rolling: {batch: 4}")
	code, out := play(t, filepath.Join(dir, "non-control-plane.yml"), 4, "-e", "handler_health=w3", "-e", "handler_back=w4")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "failed and out of traffic: w3, w4")
	require.NotContains(t, out, "w3 is back")
	require.NotContains(t, out, "it went on")
}

func TestABatchThatFailsAsAWholeIsNamed(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	for name, rolling := range map[string]string{"one try": "rolling: {batch: 1}", "two tries": "rolling: {batch: 1, tries: 2, retry_delay: 0}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := web(t, minimal, rolling)
			code, out := play(t, filepath.Join(dir, "Web.yml"), 3, "-e", "bad=w2")
			require.Equal(t, 2, code, out)
			require.Contains(t, out, "w2 failed and is out of traffic")
			require.Contains(t, out, "w1 is back")
			require.NotContains(t, out, "w3 leaves")
		})
	}
}

func TestALostHostOfACanaryStopsWhatComesAfterTheRole(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	// w3 is the last of the share, and stands in a batch beside one that is left as it is.
	dir := webOn(t, minimal, "webs:!w6", "w6", "rolling: {batch: 2, percentage: 50}")
	code, out := play(t, filepath.Join(dir, "non-control-plane.yml"), 6, "-e", "bad=w3")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "w3 failed and is out of traffic")
	require.NotContains(t, out, "it went on")
}

func TestWhereTheWholeRoleLeavesTrafficEveryHostThatIsOutIsNamed(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	dir := web(t, minimal, "rolling: {batch: 2, drain: role}")
	t.Run("a batch loses one", func(t *testing.T) {
		code, out := play(t, filepath.Join(dir, "Web.yml"), 4, "-e", "bad=w3")
		require.Equal(t, 2, code, out)
		require.Contains(t, out, "w3 failed; out of traffic: w1, w2, w3, w4")
		require.Contains(t, out, "failed: w3; out of traffic: w1, w2, w3, w4")
		require.NotContains(t, out, "is back")
	})
	t.Run("one does not come back", func(t *testing.T) {
		code, out := play(t, filepath.Join(dir, "non-control-plane.yml"), 4, "-e", "noreturn=w2")
		require.Equal(t, 2, code, out)
		require.Contains(t, out, "failed and out of traffic: w2")
		for _, host := range []string{"w1", "w3", "w4"} {
			require.Equal(t, 1, strings.Count(out, host+" is back"), out)
		}
		require.NotContains(t, out, "w2 is back")
		require.NotContains(t, out, "it went on")
	})
}

func TestPlayKeywordsDoNotReachUpstepsOwnTasks(t *testing.T) {
	need(t, "ansible-playbook")
	for name, c := range map[string]struct{ upgrade, role, wait string }{
		// What waits does so for longer than tasks may take.
		"of the deployment": {"play: {ignore_errors: true, ignore_unreachable: true, timeout: 5, no_log: true, " + facts + "}\n", "", "6s"},
		"of the role":       {minimal, ", play: {ignore_errors: true, no_log: true, " + facts + "}", "0s"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := web(t, c.upgrade, "rolling: {batch: 1, percentage: 50, pause: "+c.wait+"}, health: {tries: 2, delay: "+c.wait+", consecutive: 1}"+c.role)
			code, out := play(t, filepath.Join(dir, "Web.yml"), 4, "-e", "bad=w1")
			require.Equal(t, 2, code, out)
			require.Contains(t, out, "50% of Web are done")
			require.NotContains(t, out, "imed out")
			code, out = play(t, filepath.Join(dir, "Web.yml"), 2, "-e", "unhealthy=w1")
			require.Equal(t, 2, code, out)
			require.Contains(t, out, "Web is not healthy: its answer is hidden by no_log")
			require.Contains(t, out, "w1 failed and is out of traffic")
			require.NotContains(t, out, "imed out")
			if c.wait != "0s" {
				return // a host that does not answer in time is not ready
			}
			code, out = play(t, filepath.Join(dir, "preflight.yml"), 2, "-e", "notready=w1")
			require.Equal(t, 2, code, out)
			require.Contains(t, out, "u: Ask: hidden by no_log")
			if !strings.Contains(out, "[ERROR]: ") { // newer Ansible says itself why a task failed
				require.NotContains(t, out, "failed here")
			}
		})
	}
}

func TestRolesSideBySide(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	service := func(name string) string {
		return `service_name: ` + name + `
upgrade_tasks:
  - {name: First, ansible.builtin.command: "true", notify: Told, tags: step1}
  - {name: Second, ansible.builtin.debug: {msg: it went on}, tags: step2}
handlers:
  - name: Told
    ansible.builtin.debug: {msg: "{{ inventory_hostname }} is of {{ upstep_role }}"}
    failed_when: "inventory_hostname == bad | default('')"
    ignore_errors: false
`
	}
	dir := written(t, "play: {ignore_errors: true, "+facts+"}\n", `- {name: my-role, hosts: "webs[0:1]", services: [u]}
- {name: Other, hosts: "webs[2:3]", services: [v]}
`, service("u"), service("v"))
	code, out := play(t, filepath.Join(dir, "non-control-plane.yml"), 4)
	require.Zero(t, code, out)
	for _, line := range []string{"w1 is of my-role", "w2 is of my-role", "w3 is of Other", "w4 is of Other"} {
		require.Contains(t, out, line)
	}
	for _, book := range []string{"non-control-plane.yml", "my-role.yml"} {
		code, out = play(t, filepath.Join(dir, book), 4, "-e", "bad=w1")
		require.Equal(t, 2, code, out)
		require.NotContains(t, out, "it went on", "a handler that fails is a host that is lost")
	}
}
