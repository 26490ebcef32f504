package pack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

// victim is what a process that is to be killed does.
type victim struct {
	Dir    string
	What   string
	Files  []Archive
	Before int // the change before which it is killed, counted from 1
}

const victimVariable = "UPSTEP_TEST_PACK_VICTIM"

// TestMain does a victim's work where one is asked for.
func TestMain(m *testing.M) {
	text := os.Getenv(victimVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var v victim
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	if err := v.work(); err != nil {
		panic(err)
	}
}

func (v victim) work() error {
	p := projectIn(v.Dir)
	n := 0
	p.killed = func(before string) {
		if n++; n == v.Before {
			fmt.Println(before) // for whoever looks into a failure
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	sink := &source.Sink{}
	var err error
	switch v.What {
	case "install":
		_, err = p.Install(v.Files, p.values(sink), Options{}, sink)
	case "import":
		values := p.values(sink)
		bring := values.Add(source.File{Name: "values", Text: []byte("agent: {port: 80}\n")}, sink)
		_, err = p.Import(v.Files[0], nil, values, bring, Options{}, sink)
	case "rollback":
		_, err = p.Rollback("agent", "", p.values(sink), Options{}, sink)
	case "remove":
		_, err = p.Remove("agent", Options{}, sink)
	case "recover":
		_, err = p.Recover()
	}
	if err == nil && sink.Failed() {
		err = sink.Problems()
	}
	return err
}

// killed runs a victim, and tells whether it was killed.
func (v victim) killed(t *testing.T) bool {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test
	cmd.Env = append(os.Environ(), victimVariable+"="+string(text))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%s", out)
	return true
}

func TestKilledBeforeAnyChangeEachPackStandsWholeAndTheNextCommandGoesOn(t *testing.T) {
	upgrade := []Archive{built(t, agent("1.1.0")), built(t, with(runtime("1.3.0"), "files/new", "new"))}
	site := newProject(t)
	site.mustInstall(t, Options{}, upgrade...)
	_, files, err := site.Export(nil, true, Options{}, &source.Sink{})
	require.NoError(t, err)
	export := odd(t, files, nil)
	old := []Archive{built(t, agent("1.0.0")), built(t, runtime("1.2.0"))}
	for name, c := range map[string]struct {
		what   string
		files  []Archive
		before func(*testing.T, project)
	}{
		"an upgrade of two packs": {"install", upgrade, func(t *testing.T, p project) { p.mustInstall(t, Options{}, old...) }},
		"a first installation":    {"install", upgrade, func(t *testing.T, p project) { require.NoError(t, os.Mkdir(p.Dir, 0o755)) }},
		"an import with values": {"import", []Archive{export}, func(t *testing.T, p project) {
			p.mustInstall(t, Options{}, old...)
			require.NoError(t, os.RemoveAll(p.ValuesDir))
		}},
		"a rollback": {"rollback", nil, func(t *testing.T, p project) {
			p.mustInstall(t, Options{}, old...)
			p.mustInstall(t, Options{}, upgrade...)
		}},
		"a removal": {"remove", nil, func(t *testing.T, p project) { p.mustInstall(t, Options{}, old...) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prepared := func() (project, victim) {
				p := newProject(t)
				write(t, p.dir, map[string]string{"parameters/agent.yaml": "port: 80\n"})
				c.before(t, p)
				return p, victim{Dir: p.dir, What: c.what, Files: c.files}
			}
			p, v := prepared()
			before := packsOf(t, p)
			whole := tree(t, p.dir)
			require.False(t, v.killed(t))
			after, changed := packsOf(t, p), tree(t, p.dir)
			require.NotEqual(t, before, after)

			points := 0
			for {
				p, v = prepared()
				v.Before = points + 1
				if !v.killed(t) {
					break
				}
				points++
				for pack, files := range packsOf(t, p) {
					require.Contains(t, []string{before[pack], after[pack]}, files, "%s, killed before change %d", pack, v.Before)
				}
				// Who finishes it may be killed as well.
				again := v
				again.What, again.Before = "recover", 1
				again.killed(t)
				for pack, files := range packsOf(t, p) {
					require.Contains(t, []string{before[pack], after[pack]}, files, "%s, killed twice, first before change %d", pack, v.Before)
				}
				begun := exists(p.path(pending))
				_, err := p.Recover()
				require.NoError(t, err)
				require.False(t, p.Interrupted())
				switch got := tree(t, p.dir); {
				case begun:
					require.Equal(t, changed, got, "killed before change %d", v.Before)
				default: // it had not begun, or had ended
					require.Contains(t, []string{whole, changed}, got, "killed before change %d", v.Before)
				}
			}
			require.GreaterOrEqual(t, points, 4, "there are moments between the changes")
		})
	}
}

// packsOf gives what stands in each pack's folder.
func packsOf(t *testing.T, p project) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{"agent", "runtime"} {
		out[name] = ""
		if dir := filepath.Join(p.Dir, name); exists(dir) {
			out[name] = tree(t, dir)
		}
	}
	return out
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestWhatAnUnpackingThatWasKilledLeftIsCleared(t *testing.T) {
	p := newProject(t)
	write(t, p.Dir, map[string]string{staged + "/1/pack.yaml": "name: half\n"})
	require.True(t, p.Interrupted())
	said, err := p.Recover()
	require.NoError(t, err)
	require.Equal(t, []string{"cleared what an interrupted command had unpacked; it had changed nothing"}, said)
	require.False(t, p.Interrupted())
	said, err = p.Recover()
	require.NoError(t, err)
	require.Empty(t, said)
}

func TestARecordThatIsNotToBeTrustedIsLeftAlone(t *testing.T) {
	for _, text := range []string{
		"{}", "text",
		`{"format": "` + changeFormat + `", "moves": [{"pack": "a", "folder": "../a", "keep": "b"}]}`,
		`{"format": "` + changeFormat + `", "moves": [{"pack": "a", "folder": "a", "keep": "/b"}]}`,
		`{"format": "` + changeFormat + `", "moves": [{"pack": "a", "folder": "a", "from": "../c", "keep": "b"}]}`,
		`{"format": "` + changeFormat + `", "values": {"../a": "b"}}`,
	} {
		p := newProject(t)
		write(t, p.Dir, map[string]string{pending: text})
		_, err := p.Recover()
		require.ErrorContains(t, err, "is not of this upstep", text)
		require.True(t, p.Interrupted())
	}
}
