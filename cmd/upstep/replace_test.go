package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/bench/load"
)

// engines are the workflow engines of the sample, on hosts of a lab.
type engines struct {
	shop
	roles string // the file, which says how customers come to them
	front string // where they do
}

// TestReplacedUnderLoad replaces a workflow engine in every way that an operator meets,
// while customers come at a steady rate: none of them may notice.
func TestReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "haproxy", "socat")
	s := &engines{shop: shop{bin: built(t), addresses: map[string]string{}}}
	s.lab = lab(t, "rp", "lb1", "blue1", "green1")
	text, err := os.ReadFile(s.lab)
	require.NoError(t, err)
	for _, m := range addressed.FindAllStringSubmatch(string(text), -1) {
		s.addresses[m[1]] = m[2]
	}
	require.Len(t, s.addresses, 3)
	balanced := engines{s.shop, "roles.yaml", "http://" + s.addresses["lb1"] + "/"}
	address := regexp.MustCompile(`[0-9]+$`).ReplaceAllString(s.addresses["lb1"], "253")
	moved := engines{s.shop, "roles-address.yaml", "http://" + address + "/"}

	t.Run("behind a balancer", balanced.replaced)
	t.Run("by an address that moves", moved.moved)
	if os.Getenv("UPSTEP_SOAK") == "" {
		return // the others are of the same code, and take minutes
	}
	t.Run("by an address, and all the rest", moved.replaced)
	t.Run("behind a balancer, killed in every phase", balanced.killed)
	t.Run("by an address, killed in every phase", moved.killed)
	t.Run("by hand", balanced.byHand)
}

// replaced: what is not verified leaves the old instance as it is; mended, the new one
// takes over; it is cut back, cut over again, and the old one is archived and goes.
func (s *engines) replaced(t *testing.T) {
	s.again(t)
	service := filepath.Join(s.dir, "services", "engine", "service.yaml")
	text, err := os.ReadFile(service)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(service, bytes.Replace(text, []byte("== 'HELLO EVERYBODY'"), []byte("== 'GOODBYE'"), 1), 0o644)) //nolint:gosec // the test's own project

	counts := s.underLoad(t, func() {
		before := s.on(t, "blue1", "cat /run/engine.pid")
		out := s.upstep(t, exitFailed, "run")
		require.Contains(t, out, "the workflow greet gives HELLO EVERYBODY")
		require.Contains(t, out, "replaced:\n  Workflow: carried over; in traffic: the old hosts (blue1)\n")
		require.Equal(t, before, s.on(t, "blue1", "cat /run/engine.pid"), "it is untouched")
		require.Contains(t, s.upstep(t, exitInvalid, "rollback"), "did nothing that can be taken back")
	})
	require.Len(t, counts.Servers, 1)
	require.Positive(t, counts.Servers["engine/1.0"], "the old one is in traffic, and no other")

	require.NoError(t, os.WriteFile(service, text, 0o644)) //nolint:gosec // the test's own project
	counts = s.underLoad(t, func() {
		s.killedAt(t, "/verify/", "run")
		s.killedAt(t, "/restore/", "run")
		require.Contains(t, flat(s.upstep(t, exitStopped, "run")), "the old hosts of Workflow (blue1) are kept until")
	})
	require.Positive(t, counts.Servers["engine/2.0"])
	s.served(t, "engine/2.0")
	require.Contains(t, flat(s.upstep(t, exitDone, "status")), " replaced Workflow: live on the new hosts (green1); the old ones (blue1) are kept until")
	require.NotContains(t, s.upstep(t, exitDone, "status"), "out of traffic")
	ran := s.runs(t, "green1")
	require.Subset(t, ran, s.runs(t, "blue1"), "what the old one ran was carried over, to the last")

	s.underLoad(t, func() {
		out := s.upstep(t, exitDone, "rollback")
		require.Contains(t, out, "/cut_back/Workflow ")
		require.Contains(t, flat(out), "Workflow: live on the old hosts (blue1); the new ones (green1) are out of traffic and stay")
	})
	s.served(t, "engine/1.0")

	s.underLoad(t, func() {
		s.upstep(t, exitStopped, "run")
		out := s.upstep(t, exitStopped, "run")
		require.NotContains(t, out, "begins", "nothing is looked at, as nothing may begin")
		events := regexp.MustCompile(`(?m)^\{.*$`).FindAllString(s.upstep(t, exitStopped, "run", "--output", "json"), -1) // without the summary
		lines := validLines(t, []byte(strings.Join(events, "\n")))
		require.Contains(t, fmt.Sprint(lines[len(lines)-1]["replaced"]), "kept_until")
		out = s.upstep(t, exitDone, "run", "--retire")
		require.Contains(t, flat(out), "Workflow: live on the new hosts (green1); the old ones (blue1) are retired")
	})
	s.served(t, "engine/2.0")
	s.retired(t)
	all := s.runs(t, "green1")
	require.Subset(t, all, ran, "nothing is lost by going back and forth")
	out := s.upstep(t, exitInvalid, "rollback")
	require.Contains(t, out, "engine on blue1 is not taken back")
	require.Contains(t, out, "there is nothing to cut back to")
}

// moved: the address goes to the new host and, without being asked, the old one is retired.
func (s *engines) moved(t *testing.T) {
	s.again(t)
	counts := s.underLoad(t, func() { s.upstep(t, exitDone, "run", "--set", "keep=0s") })
	require.Positive(t, counts.Servers["engine/1.0"])
	require.Positive(t, counts.Servers["engine/2.0"])
	s.served(t, "engine/2.0")
	s.retired(t)
}

// killed: upstep is killed as each phase begins, there and back.
func (s *engines) killed(t *testing.T) {
	s.again(t)
	phases := []string{"/deploy/", "/carry/", "/verify/", "/health/Workflow-new", "/restore/", "/health/Workflow-new.2", "/drain/"}
	s.underLoad(t, func() {
		for _, phase := range phases {
			s.killedAt(t, phase, "run")
		}
		s.upstep(t, exitStopped, "run")
		s.served(t, "engine/2.0")
		for _, phase := range []string{"/health/Workflow", "/restore/", "/health/Workflow.2", "/drain/"} {
			s.killedAt(t, phase, "rollback")
		}
		s.upstep(t, exitDone, "rollback")
		s.served(t, "engine/1.0")
		s.upstep(t, exitStopped, "run")
		s.killedAt(t, "/retire/", "run", "--retire")
		s.upstep(t, exitDone, "run") // what was told before needs no second word
	})
	s.served(t, "engine/2.0")
	s.retired(t)
}

// byHand: the emitted playbooks do the same without upstep, and take nothing away unasked.
func (s *engines) byHand(t *testing.T) {
	s.again(t)
	s.upstep(t, exitDone, "emit")
	tree := filepath.Join(s.dir, "playbooks")
	inventories := []string{s.lab, filepath.Join(s.dir, "inventory")}
	s.underLoad(t, func() {
		ansiblePlay(t, inventories, filepath.Join(tree, "upgrade.yml"))
		s.served(t, "engine/2.0")
		s.on(t, "blue1", "test -e /opt/engine/engine.py")
		ansiblePlay(t, inventories, filepath.Join(tree, "rollback.yml"))
		s.served(t, "engine/1.0")
		ansiblePlay(t, inventories, filepath.Join(tree, "upgrade.yml"))
		ansiblePlay(t, inventories, filepath.Join(tree, "retire.yml"), "-e", "upstep_retire=true")
	})
	s.served(t, "engine/2.0")
	s.retired(t)
}

// again brings hosts to the day before, for a project that knows of no run.
func (s *engines) again(t *testing.T) {
	t.Helper()
	s.dir = filepath.Join(t.TempDir(), "workflow")
	require.NoError(t, os.CopyFS(s.dir, os.DirFS(filepath.Join("..", "..", "testdata", "workflow"))))
	ansiblePlay(t, []string{s.lab, filepath.Join(s.dir, "inventory")}, filepath.Join(s.dir, "prepare.yml"))
	for range 60 { // some, to be carried over
		s.served(t, "engine/1.0")
	}
}

// upstep runs it on these roles.
func (s *engines) upstep(t *testing.T, code int, args ...string) string {
	t.Helper()
	return s.run(t, code, append([]string{args[0], "--roles", s.roles}, args[1:]...)...)
}

// killedAt kills upstep with SIGKILL as soon as it says that a unit begins.
func (s *engines) killedAt(t *testing.T, unit string, args ...string) {
	t.Helper()
	cmd := s.command(t.Context(), append([]string{args[0], "--roles", s.roles}, args[1:]...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	begins := regexp.MustCompile(`begins +\S*` + regexp.QuoteMeta(unit) + `(\S* )`)
	said, killed := "", false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		if m := begins.FindStringSubmatch(lines.Text()); m != nil && (strings.HasSuffix(unit, "/") || m[1] == " ") {
			killed = true
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	require.True(t, killed, "%s did not begin: %s", unit, said)
}

// underLoad does something while customers come: every one of them is served.
func (s *engines) underLoad(t *testing.T, do func()) load.Counts {
	t.Helper()
	l := load.Start(s.front, 40)
	defer l.Stop() // where do ends the test
	do()
	time.Sleep(time.Second)
	counts := l.Stop()
	t.Log(counts)
	require.Zero(t, counts.Lost, counts)
	require.Greater(t, counts.Requests, 40)
	return counts
}

// flat is a text whose lines are not broken.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// served asks who serves customers.
func (s *engines) served(t *testing.T, by string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.front, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Equal(t, by, resp.Header.Get("Server"))
}

// runs gives what an instance ran or was given, by id, once it has answered all.
func (s *engines) runs(t *testing.T, host string) []string {
	t.Helper()
	text := s.on(t, host, `python3 -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1/export").read().decode())'`)
	var held struct {
		Packs map[string]any
		Runs  []struct{ ID string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &held))
	require.Len(t, held.Packs, 2)
	var out []string
	for _, r := range held.Runs {
		out = append(out, r.ID)
	}
	require.Greater(t, len(out), 60)
	return out
}

// retired looks at what is left of the old instance: its archive.
func (s *engines) retired(t *testing.T) {
	t.Helper()
	require.Equal(t, "gone", s.on(t, "blue1", "test -e /opt/engine -o -e /var/lib/engine -o -e /run/engine.pid || echo gone"))
	require.Contains(t, s.on(t, "blue1", "tar -tzf /var/backups/engine/data.tar.gz"), "./packs/greet.json")
	require.Equal(t, "60", s.on(t, "blue1", fmt.Sprintf("tar -xzOf /var/backups/engine/data.tar.gz ./runs.jsonl | head -n %d | wc -l", 60)))
}
