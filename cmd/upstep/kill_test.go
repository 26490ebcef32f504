package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
)

// counting makes a project on hosts of this machine, in which every task of every unit
// adds a line to a file of its host.
func counting(t *testing.T) (dir, counts string) {
	t.Helper()
	dir, counts = t.TempDir(), t.TempDir()
	task := func(name, tags string) string {
		return fmt.Sprintf("  - name: %s\n    ansible.builtin.shell: echo %s >> %s/{{ inventory_hostname }}; sleep 0.2\n%s", name, name, counts, tags)
	}
	service := func(name, more string, steps ...int) string {
		s := "service_name: " + name + "\n" + more + "upgrade_tasks:\n"
		for _, n := range steps {
			s += task(fmt.Sprintf("%s%d", name, n), fmt.Sprintf("    tags: step%d\n", n))
		}
		return s
	}
	writeFiles(t, dir, map[string]string{
		"services/db.yaml":  service("db", "", 0, 1, 3),
		"services/api.yaml": service("api", "depends_on: [db]\n", 1, 2),
		"services/web.yaml": service("web", "drain_tasks:\n"+task("drain", "")+"restore_tasks:\n"+task("restore", ""), 0, 2),
		"roles.yaml": `- {name: Db, hosts: db, stage: control-plane, services: [db]}
- {name: Api, hosts: api, stage: control-plane, services: [api]}
- {name: Web, hosts: web, services: [web], rolling: {batch: 1}}
`,
		"inventory.ini": "[db]\nd1\n[api]\na1\na2\n[web]\nw[1:2]\n[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n",
		"ansible.cfg":   "[defaults]\nremote_tmp = " + t.TempDir() + "\n",
	})
	return dir, counts
}

// tally gives how often each task ran on each host, as HOST TASK.
func tally(t *testing.T, counts string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(counts, "*"))
	require.NoError(t, err)
	out := map[string]int{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for line := range strings.FieldsSeq(string(text)) {
			out[filepath.Base(f)+" "+line]++
		}
	}
	return out
}

// endedUnits gives what the journal says has ended, as HOST UNIT.
func endedUnits(t *testing.T, dir string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	j, err := journal.OpenForReading(t.Context(), dir)
	if err != nil {
		return out // killed before there was one
	}
	defer func() { require.NoError(t, j.Close()) }()
	run, err := j.Current(t.Context())
	require.NoError(t, err)
	if run == nil {
		return out
	}
	done, err := j.Progress(t.Context(), run.ID)
	require.NoError(t, err)
	for id, u := range done.Units {
		for h, host := range u.Hosts {
			if host.State == journal.Ended {
				out[h+" "+id] = true
			}
		}
	}
	return out
}

// endChildren kills the processes that a run has left.
func endChildren(t *testing.T, dir string) {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, p := range procs {
		env, err := os.ReadFile(p) //nolint:gosec // of a process
		if err != nil || !strings.Contains(string(env), dir) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		require.NoError(t, err)
		if pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// TestKilledAtAnyMoment kills upstep at random moments, in every second round with
// everything that it had started. The next run comes to the same end, and nothing that
// had ended is done again.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "ansible-inventory")
	rounds := 2
	if os.Getenv("UPSTEP_SOAK") != "" {
		rounds = 50
	}
	bin := built(t)
	for round := range rounds {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			dir, counts := counting(t)
			r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(round))) //nolint:gosec // moments
			upstep := func(ctx context.Context) ([]byte, error) {
				cmd := exec.CommandContext(ctx, bin, "run", "-C", dir) //nolint:gosec // built by this test
				cmd.Cancel = func() error { return cmd.Process.Kill() }
				cmd.Env = append(os.Environ(), "UPSTEP_TEST="+dir)
				return cmd.CombinedOutput()
			}
			after := time.Duration(500+r.IntN(12000)) * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), after)
			_, err := upstep(ctx)
			cancel()
			children := round%2 == 1
			if children {
				endChildren(t, dir)
			}
			before, had := tally(t, counts), endedUnits(t, dir)
			out, again := upstep(t.Context())
			require.NoError(t, again, "killed after %s: %v\n%s", after, err, out)
			t.Logf("killed after %s, with its children: %v; %d hosts had ended units", after, children, len(had))

			have := tally(t, counts)
			for _, line := range []string{"d1 db0", "d1 db1", "d1 db3", "a1 api1", "a2 api2", "w1 drain", "w2 web0", "w2 web2", "w2 restore"} {
				require.Positive(t, have[line], "%s\n%s", line, out)
			}
			for line, n := range have {
				if !children {
					require.Equal(t, 1, n, "%s, killed after %s\n%s", line, after, out)
				}
				require.LessOrEqual(t, n, 2, line)
			}
			for _, unit := range []struct{ host, id, task string }{
				{"d1", "control-plane/1/step0/Db", "db0"},
				{"d1", "control-plane/1/step3/Db", "db3"},
				{"a2", "control-plane/1/step2/Api", "api2"},
				{"w2", "non-control-plane/1/restore/Web", "restore"},
			} {
				if had[unit.host+" "+unit.id] {
					line := unit.host + " " + unit.task
					require.Equal(t, before[line], have[line], "%s had ended\n%s", unit.id, out)
				}
			}
			require.False(t, slices.Contains(strings.Fields(string(out)), "failed"), string(out))
		})
	}
}
