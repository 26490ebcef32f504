package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/archive"
)

// carried is a project of two hops whose tasks bring files to its hosts.
func carried(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"upgrade.yaml": "name: shop\nreleases:\n  - {from: 3.4.2, to: 4.0.1, services: releases/4.0.1}\n  - {from: 4.0.1, to: 4.1.1, services: releases/4.1.1}\n",
		"roles.yaml":   "- {name: App, hosts: app, stage: control-plane, services: [app]}\n",
	}
	for _, v := range []string{"4.0.1", "4.1.1"} {
		payload := strings.Repeat("app "+v+"\n", 1000)
		files["payload/app-"+v+".txt"] = payload
		files["releases/"+v+"/app.yaml"] = `service_name: app
artefacts:
  payload/app-` + v + `.txt: ` + archive.Sum([]byte(payload)) + `
upgrade_tasks:
  - name: Make the folder
    ansible.builtin.file: {path: /srv/app, state: directory, mode: "0755"}
    tags: step1
  - name: Install the app
    ansible.builtin.copy: {src: "{{ upstep_project }}/payload/app-` + v + `.txt", dest: /srv/app/app.txt, mode: "0644"}
    tags: step2
  - name: Note what was installed
    ansible.builtin.lineinfile: {path: /srv/app/history, line: "` + v + `", create: true, mode: "0644"}
    tags: step2
`
	}
	writeFiles(t, dir, files)
	out, err := typed(t, dir, "emit", "-i", "none", "--from", "3.4.2", "--to", "4.1.1").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// bundled makes a bundle of the project with the binary that travels.
func bundled(t *testing.T, project, file string, args ...string) string {
	t.Helper()
	out, err := bundling(t.Context(), t, project, file, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func bundling(ctx context.Context, t *testing.T, project, file string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"bundle", filepath.Join(project, "playbooks/plan.json"), "-C", project, "-o", file}, args...)
	return exec.CommandContext(ctx, built(t), args...) //nolint:gosec // the test's own binary
}

// host gives commands to a host of a lab.
type host struct {
	t         *testing.T
	lab, name string
}

// try runs a command and gives what it printed and its exit code.
func (h host) try(stdin io.Reader, command string) (string, int) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), filepath.Join("..", "..", "scripts", "lab"), "exec", h.name, "bash", "-c", command) //nolint:gosec // the test's own commands
	cmd.Env, cmd.Stdin = append(os.Environ(), "LAB_NAME="+filepath.Base(filepath.Dir(h.lab))), stdin
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited { //nolint:errorlint // of exec itself
		require.NoError(h.t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// run is try of a command that must not fail.
func (h host) run(command string) string {
	h.t.Helper()
	out, code := h.try(nil, command)
	require.Equal(h.t, 0, code, "%s: %s", command, out)
	return out
}

// bring copies a file to the host.
func (h host) bring(file, to string) {
	h.t.Helper()
	f, err := os.Open(file) //nolint:gosec // the test's own file
	require.NoError(h.t, err)
	defer func() { _ = f.Close() }()
	out, code := h.try(f, "cat > "+to)
	require.Equal(h.t, 0, code, out)
}

// withoutAnsible takes Ansible and its libraries from a host, and its way to anywhere but
// the lab, and proves both.
func (h host) withoutAnsible() {
	h.t.Helper()
	h.run("DEBIAN_FRONTEND=noninteractive apt-get -qq purge ansible-core python3-yaml python3-jinja2 python3-markupsafe python3-cryptography python3-cffi-backend libyaml-0-2 python3-resolvelib python3-packaging < /dev/null 2>&1")
	h.run(`for at in $(type -ap ansible-playbook ansible ansible-inventory); do rm -f "$at"; done; hash -r`)
	h.run("! command -v ansible-playbook && ! python3 -c 'import ansible' 2> /dev/null && ! python3 -c 'import yaml' 2> /dev/null && ! python3 -c 'import jinja2' 2> /dev/null")
	h.run("ip route del default")
	h.run("! ip route get 192.0.2.1 && cd /tmp && ! apt-get -qq -o Acquire::Retries=0 download hello 2> /dev/null")
}

// chained gives the chain of releases, planned for the machine itself as bundle says it.
func chained(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "chain")
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "testdata", "chain"))))
	emit := func(inventory string) {
		out, err := typed(t, dir, "emit", "-i", inventory, "--from", "3.4.2").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	emit("none")
	out, err := bundling(t.Context(), t, dir, filepath.Join(dir, "no.deb")).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "roles Database, App share the machine itself")
	_, itself, ok := strings.Cut(string(out), "\n\n")
	require.True(t, ok)
	writeFiles(t, dir, map[string]string{"itself.yml": itself})
	emit("itself.yml")
	return dir
}

// TestBundleOnAHostWithoutNetworkAndAnsible installs the chain of releases with apt and runs
// the one command that it says, killed in the second hop and given again, on the machine
// itself; from there another bundle upgrades another host.
func TestBundleOnAHostWithoutNetworkAndAnsible(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "pg_createcluster", "zstd")
	inv := lab(t, "bu", "one", "two")
	one := host{t, inv, "one"}
	chain := chained(t)
	all := t.TempDir()
	writeFiles(t, all, map[string]string{"hosts.yml": "{database: {hosts: {one: {}}}, app: {hosts: {one: {}}}}\n"})
	ansiblePlay(t, []string{inv, filepath.Join(all, "hosts.yml")}, filepath.Join(chain, "prepare.yml"), "--limit", "one")
	deb := filepath.Join(t.TempDir(), "ledger.deb")
	bundled(t, chain, deb, "--with-ansible")
	one.withoutAnsible()

	one.bring(deb, "/root/ledger.deb")
	installed := one.run("DEBIAN_FRONTEND=noninteractive apt-get install --yes /root/ledger.deb < /dev/null")
	commands := regexp.MustCompile(`(?m)^  (/\S+)\s*$`).FindAllStringSubmatch(installed, -1)
	require.Len(t, commands, 1, "it says one command: %s", installed)
	command := commands[0][1]
	const at = "/opt/upstep/ledger-upgrade/"
	require.Equal(t, at+"upgrade", command)
	one.run("test ! -e " + at + "project/.upstep && grep -q 3.4.2 /opt/ledger/VERSION")
	const schemas = "psql -XAtq -p 5485 -U ledger -c 'SELECT version FROM schema_version ORDER BY since' ledger | paste -sd,"

	t.Run("it upgrades the machine itself", func(t *testing.T) {
		one := host{t, inv, "one"}
		said, code := one.try(nil, "cd /; "+command+` > /root/out 2>&1 & pid=$!
			until [ "$(grep -c 'begins .*step2/Database' /root/out)" -ge 3 ] || ! kill -0 $pid; do sleep 0.05; done
			kill -KILL $pid || { cat /root/out; exit 1; }`)
		require.Equal(t, 0, code, said)
		require.Contains(t, one.run(command+" status"), "ledger 4.0.1 -> 4.1.1: interrupted")
		out := one.run("cd / && " + command)
		require.Regexp(t, `goes on, \d of 7 units have ended; 4\.0\.1 -> 4\.1\.1 \(hop 2 of 3\)`, out)
		require.NotContains(t, out, "(hop 1 of 3)")
		require.Contains(t, out, "done:")
		require.Equal(t, "1,2,3,4\n", one.run(schemas), "each migration ran once")
		require.Contains(t, one.run(`python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:8085/").read().decode())'`), `"version": "4.2.0"`)
		one.run("! command -v ansible-playbook && test -d " + at + "project/.upstep/ansible-*")
		own := one.run("cd " + at + `project/.upstep/ansible-* && python/bin/python3 -c 'import yaml, markupsafe._speedups, cryptography.hazmat.bindings._rust as c; print(yaml.__with_libyaml__, c.__file__)'`)
		require.True(t, strings.HasPrefix(own, "True "+at), own)
		again := one.run(command)
		require.Contains(t, again, "nothing to do")
		require.NotContains(t, again, "upstep run", "commands are typed through the launcher")
	})

	t.Run("another bundle upgrades another host over ssh", func(t *testing.T) {
		one, two := host{t, inv, "one"}, host{t, inv, "two"}
		state := filepath.Dir(inv)
		one.bring(filepath.Join(state, "id"), "/root/id")
		one.bring(filepath.Join(state, "known_hosts"), "/root/known_hosts")
		one.run("chmod 600 /root/id")
		site := t.TempDir()
		hosts, err := os.ReadFile(inv) //nolint:gosec // of the lab
		require.NoError(t, err)
		address := regexp.MustCompile(`two: \{ansible_host: (\S+)\}`).FindSubmatch(hosts)[1]
		writeFiles(t, site, map[string]string{
			"hosts.yml":          fmt.Sprintf("app: {hosts: {two: {ansible_host: %s}}}\n", address),
			"group_vars/app.yml": "ansible_user: root\nansible_python_interpreter: /usr/bin/python3\nansible_ssh_private_key_file: /root/id\nansible_ssh_common_args: -o UserKnownHostsFile=/root/known_hosts -o IdentitiesOnly=yes\n",
		})
		file := filepath.Join(t.TempDir(), "site.tar.zst")
		require.Contains(t, bundled(t, carried(t), file, "-i", filepath.Join(site, "hosts.yml")), "those of the inventory in it")
		one.bring(file, "/root/site.tar.zst")
		one.run("cd /root && tar --zstd -xf site.tar.zst")
		out, code := one.try(nil, "cd /root && shop-upgrade-4.1.1/upgrade")
		require.Equal(t, exitInvalid, code)
		require.Contains(t, out, "ansible-core 2.14 or later is not installed, and this bundle brings none along")
		// The Ansible that the other bundle has unpacked does for this one.
		const upgrade = "cd /root && PATH=$(echo " + at + "project/.upstep/ansible-*/bin):$PATH shop-upgrade-4.1.1/upgrade"
		require.Contains(t, one.run(upgrade), "done:")
		require.Equal(t, "4.0.1\n4.1.1\n", two.run("cat /srv/app/history"))
		// Hosts that are named when it is run, as seen from where it is typed.
		one.run("cp -r /root/shop-upgrade-4.1.1/project/inventory /root/hosts")
		require.Contains(t, one.run(upgrade+" -i hosts"), "nothing to do")
	})

	t.Run("one byte changed is refused, and nothing is done", func(t *testing.T) {
		one := host{t, inv, "one"}
		const state = "find /opt/ledger /var/backups/ledger -type f -exec sha256sum {} + && ls -laR --time-style=full-iso /opt/ledger && " + schemas + " && ls " + at + "project/.upstep/runs"
		before := one.run(state)
		for _, file := range []string{"project/playbooks/3.4.2-4.0.1/control-plane/1/step3/App.yml", "bin/upstep", "project/payload/ledger-4.2.0.py", "MANIFEST.json", "SHA256SUMS", "project/inventory/hosts.yml", "upgrade"} {
			named := file
			if file == "SHA256SUMS" {
				named = "upgrade" // whose sum stands last in it
			}
			one.run("cp -p " + at + file + " /root/kept && python3 -c \"import sys; f = open(sys.argv[1], 'r+b'); f.seek(-2, 2); b = f.read(1); f.seek(-2, 2); f.write(bytes([b[0] ^ 1]))\" " + at + file)
			const own = "/root/shop-upgrade-4.1.1/bin/upstep"
			for _, how := range []string{command + " --new", own + " run --new -C " + at + "project " + at + "project/playbooks/plan.json", own + " rollback -C " + at + "project"} {
				if file == "upgrade" && strings.HasPrefix(how, command) {
					continue // what a changed launcher does nobody knows
				}
				out, code := one.try(nil, how)
				require.Equal(t, exitStale, code, "%s changed, %s: %s", file, how, out)
				require.Contains(t, out, named)
			}
			one.run("mv /root/kept " + at + file)
		}
		one.run(command + " verify")
		one.run("touch " + at + "project/ansible.cfg")
		out, code := one.try(nil, command)
		require.Equal(t, exitStale, code)
		require.Contains(t, out, "project/ansible.cfg: does not belong")
		one.run("rm " + at + "project/ansible.cfg")
		require.Equal(t, before, one.run(state))
	})

	t.Run("a key of the machine's own is asked for", func(t *testing.T) {
		one := host{t, inv, "one"}
		public, _, err := minisign.GenerateKey(nil)
		require.NoError(t, err)
		out, code := one.try(strings.NewReader(public.String()), "mkdir -p /etc/upstep && cat > /etc/upstep/bundle.pub && "+command)
		require.Equal(t, exitStale, code)
		require.Contains(t, out, "the bundle is not signed")
		one.run("rm /etc/upstep/bundle.pub")
	})

	t.Run("removing the package keeps the record of runs", func(t *testing.T) {
		one := host{t, inv, "one"}
		const apt = "env DEBIAN_FRONTEND=noninteractive apt-get --yes "
		out, code := one.try(nil, "flock "+at+"project/.upstep/lock "+apt+"remove ledger-upgrade < /dev/null")
		require.NotEqual(t, 0, code)
		require.Contains(t, out, "an upgrade is on, and needs these files")
		one.run(apt + "remove ledger-upgrade < /dev/null")
		one.run("test ! -e " + at + "bin && test -e " + at + "project/.upstep/journal.db")
		one.run(apt + "install /root/ledger.deb < /dev/null")
		require.Contains(t, one.run(command+" history"), "  done  ")
		later := filepath.Join(t.TempDir(), "later.deb")
		bundled(t, chain, later, "--version", "4.2.1")
		one.bring(later, "/root/later.deb")
		one.run(apt + "install /root/later.deb < /dev/null")
		require.Contains(t, one.run(command+" verify"), "ledger-upgrade 4.2.1: as it was made")
		require.Contains(t, one.run(command+" history"), "  done  ")
	})
}

// TestRPMHoldsWhatTheArchiveHolds looks at an .rpm with rpm.
func TestRPMHoldsWhatTheArchiveHolds(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "rpm", "rpm2cpio", "cpio", "zstd")
	project, dir := carried(t), t.TempDir()
	bundled(t, project, filepath.Join(dir, "b.rpm"))
	bundled(t, project, filepath.Join(dir, "b.tar.zst"))
	run := func(command string) string {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		return string(out)
	}
	info := run("rpm -qip b.rpm")
	for _, want := range []string{"Name        : shop-upgrade\n", "Version     : 4.1.1\n", "Build Date  : Tue Jan  1 00:00:00 1980\n", "Build Host  : localhost\n", "Summary     : Upgrade: shop 3.4.2 -> 4.0.1 -> 4.1.1\n"} {
		require.Contains(t, info, want)
	}
	require.Contains(t, run("rpm -K b.rpm"), "digests OK")
	require.NotContains(t, strings.ReplaceAll(run("rpm -qp --requires b.rpm"), "rpmlib(", ""), "(", "it requires nothing")
	require.Contains(t, run("rpm -qp --scripts b.rpm"), "/opt/upstep/shop-upgrade/upgrade\n")
	run("mkdir rpm && (rpm2cpio b.rpm || true) > b.cpio") // it writes all, and then misses padding that the size counts
	run("cd rpm && cpio -idm --quiet --no-absolute-filenames < ../b.cpio && cd .. && tar --zstd -xf b.tar.zst")
	run("diff -r rpm/opt/upstep/shop-upgrade shop-upgrade-4.1.1")
	listed := strings.Fields(run("rpm -qlp b.rpm"))
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "shop-upgrade-4.1.1"), func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(filepath.Join(dir, "shop-upgrade-4.1.1"), path)
		require.Contains(t, listed, filepath.Join("/opt/upstep/shop-upgrade", rel))
		if info, err := d.Info(); err == nil && !d.IsDir() {
			other, err := os.Stat(filepath.Join(dir, "rpm/opt/upstep/shop-upgrade", rel))
			require.NoError(t, err)
			require.Equal(t, info.Mode(), other.Mode(), rel)
		}
		return err
	}))
}

// TestBundlingThatIsEndedLeavesNoHalfFile ends it at many moments, by force and kindly.
func TestBundlingThatIsEndedLeavesNoHalfFile(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook")
	project, dir := carried(t), t.TempDir()
	for _, form := range []string{"b.tar.zst", "b.deb", "b.rpm"} {
		file := filepath.Join(dir, form)
		ended := 0
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			for wait := 60 * time.Millisecond; wait < 3*time.Second; wait *= 2 {
				cmd := bundling(t.Context(), t, project, file)
				require.NoError(t, cmd.Start())
				time.Sleep(wait)
				_ = cmd.Process.Signal(sig)
				if cmd.Wait() == nil {
					break // it was faster
				}
				ended++
				require.NoFileExists(t, file)
				if sig == syscall.SIGTERM {
					require.Equal(t, exitStopped, cmd.ProcessState.ExitCode())
				}
			}
			_ = os.Remove(file)
		}
		require.Positive(t, ended)
		bundled(t, project, file)
		out, err := typed(t, dir, "bundle", "verify", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// TestTheSameBundleTwice makes each form twice, in different folders.
func TestTheSameBundleTwice(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook")
	one, two := carried(t), carried(t)
	for _, form := range []string{"b.tar.zst", "b.deb", "b.rpm"} {
		var made [2][]byte
		for i, project := range []string{one, two} {
			file := filepath.Join(t.TempDir(), fmt.Sprint(i)+form)
			bundled(t, project, file)
			data, err := os.ReadFile(file) //nolint:gosec // the test's own file
			require.NoError(t, err)
			made[i] = data
		}
		require.True(t, bytes.Equal(made[0], made[1]), form)
	}
}
