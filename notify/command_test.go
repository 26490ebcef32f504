package notify

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACommandGetsTheMessage(t *testing.T) {
	o := options(t, &notes{}, "OWN=kept", "UPSTEP_EVENT=of somebody else")
	script(t, o.Dir, "tell", `cat > told; env > env; pwd > where; echo "$1" > word`)
	m := failed()
	m.Hosts, m.Count = []string{"web1", "web2"}, 2
	a := once(t, "notify: {command: [./tell, to all]}", m, o)
	require.NoError(t, a[0].Err)
	require.Equal(t, "command ./tell", a[0].Receiver)
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(o.Dir, name))
		require.NoError(t, err)
		return string(b)
	}
	require.True(t, strings.HasPrefix(text("told"), "web application: run 20261121-120000 failed after 31s: "), text("told"))
	require.Contains(t, text("told"), "\nnext:           upstep run\n")
	require.Equal(t, o.Dir+"\n", text("where"))
	require.Equal(t, "to all\n", text("word"))
	env := "\n" + text("env")
	for _, want := range []string{
		"OWN=kept", "UPSTEP_EVENT=run.failure", "UPSTEP_PROJECT=web application", "UPSTEP_RUN=20261121-120000", "UPSTEP_HOSTS=web1,web2",
		"UPSTEP_COUNT=2", "UPSTEP_STATE=failed", "UPSTEP_DURATION=31s", "UPSTEP_SECONDS=31.4", "UPSTEP_TRY=2", "UPSTEP_FAILED_HOSTS=web2",
		"UPSTEP_OUT_OF_TRAFFIC=web2", "UPSTEP_NEXT=upstep run", "UPSTEP_VERSIONS=webapp 2.0.0", "UPSTEP_TIME=2026-11-21T12:00:00Z",
		"UPSTEP_MESSAGE=non-control-plane/1/step4/Web failed on web2: no space left", "UPSTEP_STAGE=", "UPSTEP_TEST=",
	} {
		require.Contains(t, env, "\n"+want+"\n")
	}

	a = once(t, "notify: {command: {argv: [sh, -c, 'cat > json'], template: '{{ json . }}'}}", m, o)
	require.NoError(t, a[0].Err)
	require.True(t, strings.HasPrefix(text("json"), `{"event":"run.failure"`))
}

func TestCommandsThatFail(t *testing.T) {
	for argv, want := range map[string]string{
		"[sh, -c, 'echo one >&2; echo two >&2; exit 3']":   "exit status 3: two",
		"[sh, -c, 'exit 4']":                               "exit status 4",
		"[sh, -c, 'echo $DB_TOKEN >&2; exit 1']":           "exit status 1: ******",
		"[./no-such]":                                      "fork/exec ./no-such: no such file or directory",
		"[no-such-command-anywhere]":                       `exec: "no-such-command-anywhere": executable file not found in $PATH`,
		"[sh, -c, 'head -c 100000 /dev/zero >&2; exit 1']": "",
		"[sh, -c, 'kill -9 $$']":                           "signal: killed",
	} {
		a := once(t, "notify: {command: "+argv+"}", failed(), options(t, &notes{}, "DB_TOKEN=geheim-geheim"))
		require.Error(t, a[0].Err)
		if want != "" {
			require.EqualError(t, a[0].Err, want)
		}
		require.Less(t, len(a[0].Err.Error()), 2000)
	}
}

// TestACommandThatHangsEndsWithWhatItStarted has a child hold on to everything.
func TestACommandThatHangsEndsWithWhatItStarted(t *testing.T) {
	o := options(t, &notes{})
	began := time.Now()
	a := once(t, "notify: {command: [sh, -c, 'sleep 600 & echo $! > child; wait'], timeout: 1s}", failed(), o)
	require.EqualError(t, a[0].Err, "no answer within 1s")
	require.Less(t, time.Since(began), 20*time.Second)
	text, err := os.ReadFile(filepath.Join(o.Dir, "child"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(state), ") Z ") || syscall.Kill(pid, 0) != nil
	}, 20*time.Second, 20*time.Millisecond, "its child is gone")

	began = time.Now()
	a = once(t, "notify: {command: [sh, -c, 'sleep 60 & exit 0'], timeout: 60s}", failed(), o)
	require.NoError(t, a[0].Err, "it answered, whatever it left behind")
	require.Less(t, time.Since(began), 30*time.Second)
}

func TestMuchFitsIntoAnEnvironment(t *testing.T) {
	m := failed()
	m.Message = strings.Repeat("a\x00b", 100_000)
	for range 10_000 {
		m.Hosts = append(m.Hosts, "compute-000000.example.org")
	}
	m.FailedHosts, m.OutOfTraffic = m.Hosts, m.Hosts
	o := options(t, &notes{})
	a := once(t, "notify: {command: {argv: [sh, -c, 'cat > told; echo \"$UPSTEP_HOSTS\" > hosts'], template: '{{ .Hosts | join \",\" }}'}}", m, o)
	require.NoError(t, a[0].Err)
	told, err := os.ReadFile(filepath.Join(o.Dir, "told"))
	require.NoError(t, err)
	require.Equal(t, strings.Join(m.Hosts, ","), string(told), "the letter has all of it")
	hosts, err := os.ReadFile(filepath.Join(o.Dir, "hosts"))
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(hosts), "compute-000000.example.org,...\n"), "it is cut between two")
}
