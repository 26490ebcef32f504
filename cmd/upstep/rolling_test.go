package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/bench/load"
)

// shop is the sample of that name on hosts of a lab.
type shop struct {
	bin       string
	lab       string            // its inventory
	addresses map[string]string // of the lab's hosts
	dir       string            // the project
}

const webs = 6

var addressed = regexp.MustCompile(`(?m)^ +(\S+): \{ansible_host: (\S+)\}$`)

// TestRollingUnderLoad upgrades the shop in every way that an operator meets, while
// customers come at a steady rate: none of them may notice.
func TestRollingUnderLoad(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "haproxy", "socat", "pg_createcluster")
	s := &shop{bin: built(t), addresses: map[string]string{}}
	hosts := []string{"lb1", "db1", "notify1"}
	for i := range webs {
		hosts = append(hosts, fmt.Sprintf("web%d", i+1))
	}
	s.lab = lab(t, "rl", hosts...)
	text, err := os.ReadFile(s.lab)
	require.NoError(t, err)
	for _, m := range addressed.FindAllStringSubmatch(string(text), -1) {
		s.addresses[m[1]] = m[2]
	}
	require.Len(t, s.addresses, len(hosts))
	s.prepare(t)

	t.Run("a server that is not healthy", s.unhealthy)
	if os.Getenv("UPSTEP_SOAK") == "" {
		return // the others are of the same code, and take a quarter of an hour
	}
	var took time.Duration // of an upgrade
	t.Run("from 1.9 to 1.10", func(t *testing.T) { took = s.upgrade(t) })
	t.Run("half an upgrade, and back", s.rollback)
	t.Run("a canary, then the rest", s.canary)
	t.Run("a session that does not end", s.busy)
	moment := func() time.Duration { return time.Duration(rand.Int64N(int64(took))) } //nolint:gosec // any will do
	for round := range 25 {
		t.Run(fmt.Sprintf("killed, %d", round+1), func(t *testing.T) { s.killed(t, moment()) })
	}
}

// upgrade: every answer is 200, and a second run finds nothing to change.
func (s *shop) upgrade(t *testing.T) time.Duration {
	s.again(t)
	began := time.Now()
	counts := s.underLoad(t, func() { s.run(t, exitDone, "run") })
	took := time.Since(began)
	require.Positive(t, counts.Servers["shop/1.9"])
	require.Positive(t, counts.Servers["shop/1.10"])
	s.isUpgraded(t)
	require.Equal(t, "upgrade of the shop to 1.10 begins, upgrade of the shop to 1.10 has ended", s.on(t, "notify1", "paste -sd, /var/lib/notify/received | sed 's/,/, /g'"))

	before := s.processes(t)
	counts = s.underLoad(t, func() { s.run(t, exitDone, "run", "--new", "--expect-unchanged") })
	require.Len(t, counts.Servers, 1)
	require.Equal(t, before, s.processes(t), "no server was restarted")
	s.isUpgraded(t)
	return took
}

// unhealthy: what is not healthy stays out of traffic and is named; the others serve.
func (s *shop) unhealthy(t *testing.T) {
	s.again(t)
	s.on(t, "web3", "rm -f /var/log/shop/visits; mkdir -p /var/log/shop/visits") // 1.10 wants to write to a file of this name
	s.underLoad(t, func() {
		out := s.run(t, exitFailed, "run")
		require.Regexp(t, `out of traffic: 1 host\n  web3 \(Web\): upgraded, Give up after 5 tries: Web is not healthy: .*IsADirectoryError`, out)
		require.Contains(t, out, "(2 of 6 hosts done)")
		out = s.run(t, exitDone, "status")
		require.Regexp(t, `(?s)\nout of traffic\n  web3 \(Web\): upgraded, failed in.*Web is not healthy: .*IsADirectoryError`, out)
		serving := map[string]string{"web1": "1.10", "web2": "1.10", "web3": "1.10", "web4": "1.9", "web5": "1.9", "web6": "1.9"}
		require.Equal(t, serving, s.versions(t))
		for host, state := range s.traffic(t) {
			require.Equal(t, host != "web3", state == inTraffic, "%s: %s", host, state)
		}
		s.on(t, "web3", "rmdir /var/log/shop/visits")
		out = s.run(t, exitDone, "run")
		require.Contains(t, out, "non-control-plane/1/Web         batch of 1 host: web3\n", "it comes first")
		require.NotContains(t, out, "web1")
	})
	s.isUpgraded(t)
}

// rollback: only what was upgraded is touched.
func (s *shop) rollback(t *testing.T) {
	s.again(t)
	counts := s.underLoad(t, func() {
		out := s.run(t, exitStopped, "run", "--percentage", "50")
		require.Contains(t, out, "3 hosts of Web are left")
		upgraded := s.processes(t)
		out = s.run(t, exitDone, "rollback")
		require.NotRegexp(t, `web[456]`, out)
		for host, process := range s.processes(t) {
			require.Equal(t, host > "web3", process == upgraded[host], host)
		}
	})
	require.Positive(t, counts.Servers["shop/1.10"])
	for host, version := range s.versions(t) {
		require.Equal(t, "1.9", version, host)
	}
	require.Equal(t, "1.9", s.on(t, "web1", "dpkg-query -W -f '${Version}' shop"))
	require.Equal(t, "1", s.sql(t, "SELECT max(version) FROM schema_version"))
	s.allInTraffic(t)
}

// canary: a fifth of the hosts first, and by a second run the rest.
func (s *shop) canary(t *testing.T) {
	s.again(t)
	s.underLoad(t, func() {
		s.run(t, exitStopped, "run", "--percentage", "20")
		versions := slices.Sorted(maps.Values(s.versions(t)))
		require.Equal(t, []string{"1.10", "1.10", "1.9", "1.9", "1.9", "1.9"}, versions, "a fifth of six, rounded up")
		s.allInTraffic(t)
		require.NotContains(t, s.on(t, "notify1", "cat /var/lib/notify/received"), "ended")
		s.run(t, exitDone, "run")
	})
	s.isUpgraded(t)
}

// busy: a server that a customer does not leave is taken last.
func (s *shop) busy(t *testing.T) {
	s.again(t)
	s.underLoad(t, func() {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/news", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		held := resp.Header.Get("X-Host")
		require.Contains(t, s.addresses, held)
		ended := make(chan error, 1) // of the news
		go func() {
			_, err := io.Copy(io.Discard, resp.Body)
			ended <- errors.Join(err, resp.Body.Close())
		}()

		cmd := s.command(t.Context(), "run", "--set", "max_failures=1", "--set", "drain_limit=5")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = cmd.Stdout
		require.NoError(t, cmd.Start())
		var said bytes.Buffer
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "tried again at the end of Web, for they could not leave traffic: "+held) {
				require.Empty(t, ended, "nobody cuts off the news")
				others := s.versions(t)
				require.Equal(t, "1.9", others[held])
				delete(others, held)
				require.Equal(t, []string{"1.10"}, slices.Compact(slices.Sorted(maps.Values(others))), "it comes last")
				leave()
			}
		}
		require.NoError(t, cmd.Wait(), said.String())
		require.Error(t, ctx.Err(), "it was never tried again: %s", said.String())
		require.Contains(t, said.String(), held+": Go on if they have (services/haproxy.yaml:")
		require.Contains(t, said.String(), "its sessions at lb1 have not ended in 5 seconds")
	})
	s.isUpgraded(t)
}

// killed: upstep is killed after a time, each command anew, and the same command comes to
// the same end.
func (s *shop) killed(t *testing.T, after ...time.Duration) {
	s.again(t)
	s.underLoad(t, func() {
		for _, moment := range after {
			ctx, cancel := context.WithTimeout(t.Context(), moment)
			out, err := s.command(ctx, "run").CombinedOutput()
			cancel()
			t.Logf("killed after %s: %v: %s", moment.Round(time.Millisecond), err, lastLine(out))
			if err == nil {
				return // it was done before
			}
		}
		s.run(t, exitDone, "run")
	})
	s.isUpgraded(t)
	require.Contains(t, s.run(t, exitDone, "run"), "nothing to do")
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// isUpgraded looks at everything that an upgrade brings about.
func (s *shop) isUpgraded(t *testing.T) {
	t.Helper()
	for host, version := range s.versions(t) {
		require.Equal(t, "1.10", version, host)
		require.Equal(t, "1.10 1.9", s.on(t, host, "echo $(dpkg-query -W -f '${Version}' shop) $(python3 -c 'import json; print(json.load(open(\"/var/lib/upstep/'"+host+"'/shop.json\"))[\"previous\"])')"), "installed, and kept")
	}
	require.Equal(t, "1", s.sql(t, "SELECT count(*) FROM schema_version WHERE version = 2"), "the migration ran once")
	s.on(t, "db1", "pg_restore --list /var/backups/shop/before-1.10.dump | grep -q product")
	s.allInTraffic(t)
}

// prepare brings hosts that were just made to the day before.
func (s *shop) prepare(t *testing.T) {
	t.Helper()
	s.dir = filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.CopyFS(s.dir, os.DirFS(filepath.Join("..", "..", "testdata", "shop"))))
	ansiblePlay(t, []string{s.lab, filepath.Join(s.dir, "inventory")}, filepath.Join(s.dir, "prepare.yml"))
}

// again brings hosts back to the day before, for a project that knows of no run.
func (s *shop) again(t *testing.T) {
	t.Helper()
	s.dir = filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.CopyFS(s.dir, os.DirFS(filepath.Join("..", "..", "testdata", "shop"))))
	ansiblePlay(t, []string{s.lab, filepath.Join(s.dir, "inventory")}, filepath.Join(s.dir, "prepare.yml"), "--tags", "again")
	for host, version := range s.versions(t) {
		require.Equal(t, "1.9", version, host)
	}
}

// command is upstep on the shop.
func (s *shop) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bin, append(args, "-C", s.dir, "-i", s.lab, "-i", "inventory")...) //nolint:gosec // the test's own binary
	cmd.Env = append(os.Environ(), "ANSIBLE_PIPELINING=True", "ANSIBLE_FORKS=10", "ANSIBLE_TIMEOUT=60", "ANSIBLE_SSH_RETRIES=3")
	return cmd
}

// run runs upstep to its end and gives what it said.
func (s *shop) run(t *testing.T, code int, args ...string) string {
	t.Helper()
	cmd := s.command(t.Context(), args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	require.Equal(t, code, cmd.ProcessState.ExitCode(), "upstep %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// url is where customers come in.
func (s *shop) url() string { return "http://" + s.addresses["lb1"] }

// underLoad does something while customers come: every one of them is served.
func (s *shop) underLoad(t *testing.T, do func()) load.Counts {
	t.Helper()
	l := load.Start(s.url()+"/", 40)
	defer l.Stop() // where do ends the test
	do()
	time.Sleep(time.Second) // the last to return has its share
	counts := l.Stop()
	t.Log(counts)
	require.Zero(t, counts.Lost, counts)
	require.Greater(t, counts.Requests, 40)
	return counts
}

// on runs a command on a host of the lab.
func (s *shop) on(t *testing.T, host, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "..", "scripts", "lab"), "exec", host, "sh", "-c", command) //nolint:gosec // the test's own commands
	cmd.Env = append(os.Environ(), "LAB_NAME="+filepath.Base(filepath.Dir(s.lab)))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s: %s", host, command, out)
	return strings.TrimSpace(string(out))
}

func (s *shop) sql(t *testing.T, question string) string {
	t.Helper()
	return s.on(t, "db1", fmt.Sprintf("psql -qAt -p 5433 shop shop -c '%s'", question))
}

// each asks every web server's host the same.
func (s *shop) each(ask func(host, address string) string) map[string]string {
	out := map[string]string{}
	for host, address := range s.addresses {
		if strings.HasPrefix(host, "web") {
			out[host] = ask(host, address)
		}
	}
	return out
}

// versions asks every web server itself, past the balancer, for the version that runs.
func (s *shop) versions(t *testing.T) map[string]string {
	t.Helper()
	return s.each(func(_, address string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+":8080/version", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		return strings.TrimSpace(string(text))
	})
}

// processes gives the id of every web server's process: another after a restart.
func (s *shop) processes(t *testing.T) map[string]string {
	t.Helper()
	return s.each(func(host, _ string) string { return s.on(t, host, "cat /run/shop.pid") })
}

// inTraffic is what HAProxy says of a server that runs and is ready.
const inTraffic = "2 0"

// traffic asks HAProxy for the operational and the administrative state of its servers.
func (s *shop) traffic(t *testing.T) map[string]string {
	t.Helper()
	states := s.on(t, "lb1", "echo 'show servers state shop' | socat stdio /run/haproxy-admin.sock")
	return s.each(func(host, _ string) string {
		for line := range strings.Lines(states) {
			if f := strings.Fields(line); len(f) > 6 && f[3] == host {
				return f[5] + " " + f[6]
			}
		}
		return "not carried"
	})
}

func (s *shop) allInTraffic(t *testing.T) {
	t.Helper()
	for host, state := range s.traffic(t) {
		require.Equal(t, inTraffic, state, host)
	}
}
