package ansible

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const emptyJSON = `echo '{"_meta": {"hostvars": {}}}'`

func TestCancelLeavesNoProcessOfTheGroup(t *testing.T) {
	for name, script := range map[string]string{
		"children that end when told": `
sleep 300 & echo $! >>"$PIDS"
( sleep 300 & echo $! >>"$PIDS"; wait ) & echo $! >>"$PIDS"
echo $$ >>"$PIDS"; sleep 0.3; echo end >>"$PIDS"; wait`,
		"children that ignore TERM": `
trap '' TERM
sh -c 'trap "" TERM; echo $$ >>"$PIDS"; while :; do sleep 0.1; done' &
echo $$ >>"$PIDS"; sleep 0.2; echo end >>"$PIDS"; while :; do sleep 0.1; done`,
		"a leader that ends before its child": `
sh -c 'trap "" TERM; echo $$ >>"$PIDS"; while :; do sleep 0.1; done' &
echo $$ >>"$PIDS"; sleep 0.2; echo end >>"$PIDS"; sleep 300`,
	} {
		t.Run(name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			fake(t, "ansible-inventory", script)
			tool := New(Options{Env: []string{"PIDS=" + pids}, Grace: 300 * time.Millisecond})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for range 500 {
					if text, _ := os.ReadFile(pids); strings.Contains(string(text), "end") {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				cancel()
			}()
			done := make(chan error, 1)
			go func() {
				_, err := tool.Inventory(ctx, nil, nil)
				done <- err
			}()
			select {
			case err := <-done:
				require.ErrorIs(t, err, context.Canceled)
			case <-time.After(10 * time.Second):
				require.Fail(t, "the call hangs")
			}
			text, err := os.ReadFile(pids)
			require.NoError(t, err)
			require.Contains(t, string(text), "end")
			for word := range strings.FieldsSeq(strings.TrimSuffix(string(text), "end\n")) {
				pid, err := strconv.Atoi(word)
				require.NoError(t, err)
				require.Eventually(t, func() bool { return !runs(pid) }, 2*time.Second, 10*time.Millisecond, "pid %d is alive", pid)
			}
		})
	}
}

// runs tells whether a process is alive; a zombie is not.
func runs(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestADeadlineKeepsItsCause(t *testing.T) {
	fake(t, "ansible-inventory", "sleep 300")
	cause := errors.New("the preflight may take 100ms")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, cause)
	defer cancel()
	_, err := New(Options{}).Inventory(ctx, nil, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "ansible-inventory: the preflight may take 100ms")
}

func TestACancelledContextStartsNothing(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	fake(t, "ansible-inventory", `touch "$MARK"`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := New(Options{Env: []string{"MARK=" + mark}}).Inventory(ctx, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, mark)
}

func TestAGrandchildThatHoldsTheOutputDoesNotHangTheCall(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	fake(t, "ansible-inventory", emptyJSON+"\nsleep 300 & echo $! >\"$PIDS\"")
	out, err := New(Options{Env: []string{"PIDS=" + pids}}).Inventory(within(t, 10*time.Second), nil, nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"_meta": {"hostvars": {}}}`, string(out))
	text, err := os.ReadFile(pids)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !runs(pid) }, 2*time.Second, 10*time.Millisecond)
}

func TestTenMegabytesOfOutputAndOfWarnings(t *testing.T) {
	fake(t, "ansible-inventory", `
head -c 10000000 /dev/zero | tr '\0' w >&2
printf '{"x": "'; head -c 10000000 /dev/zero | tr '\0' a; printf '"}'`)
	out, err := New(Options{}).Inventory(t.Context(), nil, nil)
	require.NoError(t, err)
	require.Len(t, out, 10_000_000+len(`{"x": ""}`))
}

func TestOutputBeyondTheBoundIsAnErrorAndNotHalfAnInventory(t *testing.T) {
	fake(t, "ansible-inventory", `head -c 10000000 /dev/zero | tr '\0' 1`)
	tool := New(Options{})
	tool.most = 1 << 20
	_, err := tool.Inventory(t.Context(), nil, nil)
	require.EqualError(t, err, "ansible-inventory: more than 1 MiB of output")
}

func TestTheRealExitCodeIsKept(t *testing.T) {
	for _, code := range []int{1, 2, 4, 5, 99, 143, 250} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			fake(t, "ansible-inventory", "echo 'ERROR! it is broken' >&2; exit "+strconv.Itoa(code))
			_, err := New(Options{}).Inventory(t.Context(), nil, nil)
			var e *CommandError
			require.ErrorAs(t, err, &e)
			require.Equal(t, CommandError{Binary: "ansible-inventory", Code: code, Message: "it is broken"}, *e)
		})
	}
}

func TestAKilledCommandSaysSo(t *testing.T) {
	fake(t, "ansible-inventory", "kill -9 $$")
	_, err := New(Options{}).Inventory(t.Context(), nil, nil)
	require.EqualError(t, err, "ansible-inventory: killed by signal: killed")
}

func TestAMissingAnsibleIsATypedErrorWithAHint(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(Options{}).Inventory(t.Context(), []string{"h1,"}, nil)
	var e *NotInstalledError
	require.ErrorAs(t, err, &e)
	require.EqualError(t, err, "ansible-inventory is not installed, or not on PATH")
	require.Equal(t, "apt-get install ansible-core", Hint(err))
	_, err = New(Options{}).SyntaxCheck(t.Context(), t.TempDir(), []string{"a.yml"}, nil)
	require.ErrorAs(t, err, &e)
	require.Equal(t, "ansible-playbook", e.Binary)
}

func TestTheUsersEnvironmentPassesAndTheOutputIsMadeParseable(t *testing.T) {
	t.Setenv("UPSTEP_TEST_MARK", "mine")
	t.Setenv("ANSIBLE_FORCE_COLOR", "1")
	t.Setenv("ANSIBLE_VERBOSITY", "4")
	t.Setenv("LC_ALL", "C")
	fake(t, "ansible-inventory",
		`printf '{"v": "%s %s %s %s %s"}' "$UPSTEP_TEST_MARK" "$ANSIBLE_FORCE_COLOR" "$ANSIBLE_VERBOSITY" "$LC_ALL" "$ADDED"`)
	out, err := New(Options{Env: []string{"ADDED=too"}}).Inventory(t.Context(), nil, nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"v": "mine 0 0 C.UTF-8 too"}`, string(out))
}

func TestCallsMayGoSideBySide(t *testing.T) {
	fake(t, "ansible-inventory", emptyJSON)
	tool := New(Options{})
	errs := make(chan error)
	for range 8 {
		go func() {
			_, err := tool.Inventory(t.Context(), nil, map[string]any{"a": 1})
			errs <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
}

func TestTheBuffersKeepTheirBounds(t *testing.T) {
	h, tl := &head{max: 5}, &tail{max: 5}
	for _, part := range []string{"abc", "defg", "", "hijklmnop", "q"} {
		for _, w := range []interface{ Write([]byte) (int, error) }{h, tl} {
			n, err := w.Write([]byte(part))
			require.NoError(t, err)
			require.Equal(t, len(part), n)
		}
	}
	require.Equal(t, "abcde", string(h.data))
	require.True(t, h.over)
	require.Equal(t, "mnopq", string(tl.bytes()))
}
