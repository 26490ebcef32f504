package playbooks_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/roles"
)

// preflight runs a tree's preflight on the hosts of an inventory, and gives what it
// printed and, by host, what the last play says is wrong.
func preflight(t *testing.T, dir, inventory string, args ...string) (code int, out string, wrong map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts.ini")
	require.NoError(t, os.WriteFile(file, []byte(inventory+"\n[all:vars]\nansible_python_interpreter='{{ ansible_playbook_python }}'\n"), 0o600))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ansible-playbook", append([]string{"-i", file, filepath.Join(dir, "preflight.yml")}, args...)...) //nolint:gosec // the test's own arguments
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=False", "ANSIBLE_FORKS=8", "ANSIBLE_TIMEOUT=3")
	printed, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	out = string(printed)
	_, last, ended := strings.Cut(out, "TASK [Every host is ready]")
	require.True(t, ended, out)
	wrong = map[string]string{}
	for line := range strings.Lines(last) {
		rest, failed := strings.CutPrefix(line, "fatal: [")
		if host, said, _ := strings.Cut(rest, "]"); failed {
			_, said, _ = strings.Cut(said, `"msg": "`)
			wrong[host], _, _ = strings.Cut(said, `"}`)
		}
	}
	return cmd.ProcessState.ExitCode(), out, wrong
}

// Hosts of this machine, and two where nobody listens.
const someSilent = `[webs]
w1 ansible_connection=local
w2 ansible_connection=local
[lbs]
lb1 ansible_connection=local
lb9 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1
[dbs]
db1 ansible_connection=local
`

func TestPreflightAsksHostsThatTasksAreDelegatedTo(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	dir := written(t, minimal+"vars: {balancers: \"{{ groups.lbs }}\"}\n", `- {name: my-web, hosts: webs, services: [web, other, quiet], rolling: {}}
- {name: Db, hosts: dbs, services: [db]}
`, `service_name: web
vars: {far: "{{ balancers | last }}"}
preflight_tasks:
  - {name: Fail, ansible.builtin.fail: {msg: failed here}, when: inventory_hostname == 'w2'}
drain_tasks:
  - {name: "Leave {{ far }} now", ansible.builtin.command: "true", delegate_to: "{{ far }}", when: inventory_hostname == 'w2'}
upgrade_tasks:
  - {name: Ask all, ansible.builtin.command: "true", delegate_to: "{{ lb }}", loop: "{{ balancers }}", loop_control: {loop_var: lb}, tags: step1}
  - {name: Ask a few, ansible.builtin.command: "true", delegate_to: "{{ item.name }}", loop: [{name: lb1, on: true}, {name: lb9, on: false}], when: item.on, tags: step1}
  - {name: Ask the data base, ansible.builtin.command: "true", delegate_to: db1, tags: step1}
`, `service_name: other
vars: {nobody: "{{ groups.nobody | first }}"}
upgrade_tasks:
  - {name: Nobody yet, ansible.builtin.command: "true", delegate_to: "{{ nobody }}", tags: step1}
  - {name: When nobody yet, ansible.builtin.command: "true", delegate_to: lb9, when: not_there_yet, tags: step1}
  - {name: Where it stands, ansible.builtin.command: "true", delegate_to: "{{ somewhere | default(omit) }}", tags: step1}
  - {name: On this machine, ansible.builtin.command: "true", delegate_to: "{{ 'local' ~ 'host' }}", tags: step1}
`, `service_name: quiet
health_tasks:
  - {name: A secret, ansible.builtin.command: "true", delegate_to: "{{ item.name }}", loop: [{name: lb1, word: swordfish}], no_log: true}
`, `service_name: db
post_upgrade_tasks:
  - {name: Not in the inventory, ansible.builtin.command: "true", delegate_to: 127.0.0.3, vars: {unused: "{{ nope }}"}, tags: step1}
`)
	const refused = "no answer from lb9: Failed to connect to the host via ssh: ssh: connect to host 127.0.0.1 port 1: Connection refused"
	code, out, wrong := preflight(t, dir, someSilent)
	require.Equal(t, 2, code, out)
	require.Equal(t, "web: Delegated: Ask all: "+refused, wrong["w1"], "told once, by the first host that delegates there")
	require.Equal(t, "web: Fail: failed here; web: Delegated: task 1 of drain_tasks: "+refused, wrong["w2"], "what else is wrong is not hidden")
	require.Contains(t, out, "[db1 -> 127.0.0.3]", "a host that is in no inventory")
	require.Equal(t, 1, strings.Count(out, "-> lb1]"), "asked once: %s", out)
	require.Equal(t, 1, strings.Count(out, "-> lb9(127.0.0.1)]"), "asked once: %s", out)
	require.NotContains(t, out, "-> db1]", "it has answered already")
	require.NotContains(t, out, "-> localhost]")
	require.NotContains(t, out, "swordfish")

	// A limit leaves out those who answer for themselves.
	code, out, wrong = preflight(t, dir, someSilent, "--limit", "w1", "--check")
	require.Equal(t, 2, code, out)
	require.Equal(t, map[string]string{"w1": "web: Delegated: Ask all: " + refused}, wrong)
	require.Contains(t, out, "-> db1]")

	_, out, wrong = preflight(t, dir, someSilent, "--skip-tags", "upstep_delegated")
	require.Equal(t, map[string]string{"w2": "web: Fail: failed here"}, wrong, out)
}

func TestPreflightAsksHostsThatCarryTraffic(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	dir := written(t, minimal, `- {name: Lb, hosts: lbs, services: [lb]}
- {name: Web, hosts: webs, services: [web], rolling: {}}
`, `service_name: lb
vars: {monitor: lb9}
unlink_tasks:
  - {name: Take out, ansible.builtin.command: "true"}
  - {name: Tell the monitor, ansible.builtin.command: "true", delegate_to: "{{ monitor }}"}
establish_tasks:
  - {name: Put back, ansible.builtin.command: "true"}
upgrade_tasks:
  - {name: Upgrade, ansible.builtin.command: "true", tags: step1}
`, `service_name: web
behind: lb
drain_tasks:
  - {name: Never, ansible.builtin.command: "true", delegate_to: 127.0.0.3}
upgrade_tasks:
  - {name: Upgrade, ansible.builtin.command: "true", tags: step1}
`)
	code, out, wrong := preflight(t, dir, someSilent, "--limit", "w1")
	require.Equal(t, 2, code, out)
	require.Contains(t, wrong["w1"], "lb: Delegated: unlink_tasks and establish_tasks: no answer from lb9: ")
	require.Contains(t, wrong["w1"], "lb: Delegated: Tell the monitor: no answer from lb9: ")
	require.NotContains(t, out, "127.0.0.3")
}

func TestHostsThatDoNotAnswerAreNotAskedWhereTheyDelegateTo(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook")
	dir := written(t, minimal, "- {name: Lb, hosts: lbs, services: [lb]}\n- {name: Gone, hosts: gone, services: [gone]}\n", `service_name: lb
upgrade_tasks:
  - {name: Look, ansible.builtin.command: "true", delegate_to: lb9, tags: step1}
`, `service_name: gone
upgrade_tasks:
  - {name: Look, ansible.builtin.command: "true", delegate_to: lb1, tags: step1}
`)
	code, out, wrong := preflight(t, dir, someSilent+"[gone]\ngone1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n")
	require.Equal(t, 2, code, out)
	require.Contains(t, wrong["lb1"], "lb: Delegated: Look: no answer from lb9: ")
	require.Regexp(t, "^no answer: (Task failed: )?Failed to connect", wrong["lb9"])
	require.Regexp(t, "^no answer: (Task failed: )?Failed to connect", wrong["gone1"])
	require.NotContains(t, out, "-> lb1]")
}

func TestPreflightAddsUpWhatServicesNeedOfADisk(t *testing.T) {
	t.Parallel()
	need(t, "ansible-playbook", "df")
	here := t.TempDir()
	printed, err := exec.CommandContext(t.Context(), "df", "-Pk", here).Output()
	require.NoError(t, err)
	fields := strings.Fields(strings.Split(string(printed), "\n")[1])
	var free int64
	_, err = fmt.Sscan(fields[3], &free)
	require.NoError(t, err)
	most := func(share int64) string { return fmt.Sprintf("%dK", free*share/100) }
	service := func(name, disk string) string {
		return "service_name: " + name + "\ndisk: {" + disk + "}\nupgrade_tasks:\n  - {name: A, ansible.builtin.command: \"true\", tags: step1}\n"
	}
	both := "- {name: One, hosts: 'w1,w2', services: [a, b]}\n- {name: Two, hosts: 'w1,w3', services: [b, c]}\n"
	const hosts = "w1 ansible_connection=local\nw2 ansible_connection=local\nw3 ansible_connection=local\n"
	at := fields[5] + " (" + fields[0] + ")"

	dir := written(t, minimal, both, service("a", here+": 1K, '"+here+"/not/there yet/$(touch no)': "+most(40)), service("b", here+": "+most(30)), service("c", here+"/c: "+most(45)))
	code, out, wrong := preflight(t, dir, hosts)
	require.Equal(t, 2, code, out)
	require.Len(t, wrong, 1, "a, b: 70%%, b, c: 75%%, and on both roles 115%%: %s", out)
	require.Regexp(t, "^Room on the disks: "+strings.NewReplacer("(", `\(`, ")", `\)`).Replace(at)+` needs [0-9.]+ .B and has [0-9.]+ .B: `, wrong["w1"])
	require.Contains(t, wrong["w1"], "1K for a in "+here+", "+most(40)+" for a in "+here+"/not/there yet/$(touch no), "+most(30)+" for b in "+here+", "+most(45)+" for c in "+here+"/c")
	require.NoFileExists(t, filepath.Join(here, "no"))

	dir = written(t, minimal, both, service("a", here+": 1K"), service("b", here+": 1K"), service("c", "/dev/shm: 8000T"))
	code, out, wrong = preflight(t, dir, hosts, "--check")
	require.Equal(t, 2, code, out)
	require.Len(t, wrong, 2)
	require.Contains(t, wrong["w3"], "/dev/shm (")
	code, out, _ = preflight(t, dir, hosts, "--skip-tags", "upstep_disk")
	require.Zero(t, code, out)
}

func TestPreflightComparesVersions(t *testing.T) {
	need(t, "ansible-playbook")
	const beyond, none = " is installed, which is beyond ", ", which is no version"
	cases := []struct{ installed, target, wrong string }{
		{"echo 1.9", "1.10", ""},
		{"echo 1.10", "1.9", beyond},
		{"echo 1.10.0", "1.10", ""},
		{"echo v1.9", "1.9", ""},
		{"echo V1.10", "v1.9", beyond},
		{"echo 2:1.10-3", "1.10", ""},
		{"echo 2:1.10-3", "1.9", beyond},
		{"echo 2:1.10-3", "2:1.10-3", ""},
		{"echo 2:1.10-3", "1:1.20-1", beyond},
		{"echo 1.10-10", "1.10-9", beyond},
		{"echo 1.10", "1.10-9", ""},
		{"echo 3:21.2.4-0ubuntu2.10", "21.2.4-0ubuntu2.8", beyond},
		{"echo 3:21.2.4-0ubuntu2.8", "21.2.4-0ubuntu2.10", ""},
		{"echo 1.10", "1.10-rc1", beyond},
		{"echo 1.10~rc1-1", "1.10", ""},
		{"echo 1.10-beta.2", "1.10b1", beyond},
		{"echo 9.2p1 | tail -n 1", "9.2", ""},
		{"echo 1.1.1k", "1.1.1a", ""},
		{"false", "1.0", ""},
		{"no-such-command --version", "1.0", ""},
		{"echo", "1.0", ""},
		{"echo OpenSSH_9.2p1, of today", "9.2", none},
		{"echo 1.9 of today", "1.10", none},
		{"echo anything", "train", ""},
		{"echo {{ installed_here }}", "1.0", "installed_here"},
	}
	var list []string
	var names []string
	for i, c := range cases {
		names = append(names, fmt.Sprintf("s%d", i))
		list = append(list, fmt.Sprintf("service_name: s%d\nversion: {target: %q, probe: %q}\nupgrade_tasks:\n  - {name: A, ansible.builtin.command: \"true\", tags: step1}\n", i, c.target, c.installed))
	}
	web := "- {name: Web, hosts: webs, services: [" + strings.Join(names, ", ") + "]}\n"
	for _, native := range []string{"0", "1"} {
		t.Run("native types "+native, func(t *testing.T) {
			t.Setenv("ANSIBLE_JINJA2_NATIVE", native)
			dir := written(t, minimal, web, list...)
			code, out, wrong := preflight(t, dir, "[webs]\nw1 ansible_connection=local\n", "--check")
			require.Equal(t, 2, code, out)
			said := map[string]string{}
			for text := range strings.SplitSeq(wrong["w1"], "; s") {
				name, rest, _ := strings.Cut(strings.TrimPrefix(text, "s"), ": ")
				said["s"+name] = rest
			}
			for i, c := range cases {
				name := fmt.Sprintf("s%d", i)
				if c.wrong == "" {
					require.Empty(t, said[name], "%s, and %s is wanted", c.installed, c.target)
				} else {
					require.Contains(t, said[name], c.wrong, "%s, and %s is wanted", c.installed, c.target)
				}
			}
			require.Contains(t, out, "s0: 1.9 is installed, 1.10 is wanted")
			require.Contains(t, out, "s18: nothing is installed, 1.0 is wanted")
			require.Contains(t, out, "s23: anything is installed")
		})
	}
}

func TestWhatPreflightAddsIsCleanUnderAnsibleLint(t *testing.T) {
	t.Parallel()
	need(t, "ansible-lint", "ansible-playbook")
	long := strings.Repeat("      inventory_hostname != 'the name of a host that is not there' and\n", 4) + "      true"
	dir := written(t, "vars: {balancers: \"{{ groups.lbs }}\"}\nplay: {ignore_errors: true, no_log: true, timeout: 60}\n", `- {name: my-web, hosts: webs, services: [web, rpm, piped], rolling: {}}
`, `service_name: web
disk: {/var/lib/web: 2G, "/srv/a b: c # d": 1.5GiB}
version: {target: 3:21.2.4-0ubuntu2.8, probe: "dpkg-query --show --showformat '${Version}' web"}
play: {become: true, no_log: true}
vars: {far: "{{ balancers | last }}"}
drain_tasks:
  - name: Leave
    ansible.builtin.debug:
      msg: "{{ item }}"
    delegate_to: "{{ item }}"
    loop: "{{ balancers }}"
    when: >-
`+long+`
restore_tasks:
  - name: Return
    vars: {near: "{{ balancers | first }}"}
    when:
      - upstep_bootstrap
    delegate_to: "{{ near }}"
    block:
      - name: Return to it
        ansible.builtin.debug:
          msg: it is back
        when: inventory_hostname != far
`, `service_name: rpm
disk: {/var/lib/web: 1G}
version: {target: 1.0, probe: "rpm --query --queryformat '%{VERSION}' web"}
upgrade_tasks:
  - name: Upgrade
    ansible.builtin.debug:
      msg: done
    delegate_to: lb1
    tags: step1
`, `service_name: piped
version: {target: train, probe: "~/bin/piped --version 2>&1 | head -n 1"}
upgrade_tasks:
  - name: Upgrade
    ansible.builtin.debug:
      msg: done
    tags: step1
`)
	cmd := exec.CommandContext(t.Context(), "ansible-lint", "--offline", "--nocolor", "-p", "--profile", "production")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "Passed with production profile: 0 failure(s), 0 warning(s)")
	for _, book := range []string{"preflight.yml", "upgrade.yml"} {
		out, err := exec.CommandContext(t.Context(), "ansible-playbook", "-i", "localhost,", "--syntax-check", filepath.Join(dir, book)).CombinedOutput() //nolint:gosec // the test's own arguments
		require.NoError(t, err, "%s: %s", book, out)
	}
}

func TestWhatIsDelegatedToASilentHostIsToldWhereItWasWritten(t *testing.T) {
	_, tree := emitted(t, "openstack")
	for path, want := range map[string]struct {
		task string
		line int
	}{
		"preflight/Compute.silent.yml":    {"Delegated: Ask whether the host takes servers", 92},
		"preflight/Compute.delegated.yml": {"Where it runs: Ask whether the host takes servers", 92},
	} {
		i := slices.IndexFunc(tree.Files, func(f playbooks.File) bool { return f.Path == path })
		require.GreaterOrEqual(t, i, 0, path)
		text := string(tree.Files[i].Data)
		at := strings.Index(text, want.task)
		require.Positive(t, at, text)
		file, line, ok := tree.Origin(path, strings.Count(text[:at], "\n")+1)
		require.True(t, ok)
		require.Equal(t, fmt.Sprintf("services/nova_compute.yaml:%d", want.line), fmt.Sprintf("%s:%d", file, line))
	}
}

func TestOnTheWayBackPreflightAsksWhatTheWayBackNeeds(t *testing.T) {
	inv, err := roles.ParseInventory([]byte(`{"webs": {"hosts": ["w1"]}, "dbs": {"hosts": ["d1"]}, "all": {"children": ["webs", "dbs"]}}`))
	require.NoError(t, err)
	p := planned(t, inv, minimal, "- {name: Web, hosts: webs, services: [web], rolling: {}}\n- {name: Db, hosts: dbs, services: [db]}\n", `service_name: web
version: {target: 1.0, probe: echo 1.1}
disk: {/: 8000T}
drain_tasks:
  - {name: Leave, ansible.builtin.command: "true", delegate_to: lb1}
upgrade_tasks:
  - {name: Forward, ansible.builtin.command: "true", delegate_to: db1, tags: [step1, step2]}
rollback_tasks:
  - {name: Back, ansible.builtin.command: "true", delegate_to: db2, tags: step1}
  - {name: Back from what never began, ansible.builtin.command: "true", delegate_to: db2, tags: step2}
`, "service_name: db\nupgrade_tasks:\n  - {name: Only forward, ansible.builtin.command: \"true\", delegate_to: db3, tags: step1}\n")
	asked := func(p *planner.Plan) (names []string, all string) {
		tree, err := playbooks.Render(p)
		require.NoError(t, err)
		for _, f := range tree.Files {
			if f.Path == playbooks.PreflightBook || strings.HasPrefix(f.Path, "preflight/") {
				all += string(f.Data)
			}
			for line := range strings.Lines(string(f.Data)) {
				if _, name, is := strings.Cut(line, "Where it runs: "); is {
					names = append(names, strings.Trim(name, "\"\n"))
				}
			}
		}
		return names, all
	}
	names, all := asked(p)
	require.ElementsMatch(t, []string{"Leave", "Forward", "Only forward"}, names)
	require.Contains(t, all, "8000T")
	require.Contains(t, all, "1.0 is wanted")
	require.Contains(t, all, "pep440")
	back, _ := p.Reverse("run", planner.Done{Started: func(unit, _ string) bool { return !strings.Contains(unit, "step2") }})
	names, all = asked(back)
	require.ElementsMatch(t, []string{"Leave", "Back"}, names)
	require.NotContains(t, all, "8000T")
	require.NotContains(t, all, "is wanted")
	require.NotContains(t, all, "pep440")
}
