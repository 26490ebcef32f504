package ansible

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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

	"github.com/upstep/upstep/event"
)

// hosts gives an inventory of local hosts h1 to hN.
func hosts(n int) string {
	var b strings.Builder
	b.WriteString("[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n[web]\n")
	for i := range n {
		fmt.Fprintf(&b, "h%d\n", i+1)
	}
	return b.String()
}

// stage is a project with an emitted tree, and the jobs that run there.
type stage struct {
	t    *testing.T
	dir  string
	tool *Tool
	n    int
}

// onStage writes an inventory of local hosts and the files of a tree.
func onStage(t *testing.T, n int, files map[string]string, o Options) *stage {
	t.Helper()
	needAnsible(t)
	all := map[string]string{"inventory": hosts(n)}
	for name, text := range files {
		if base, ok := strings.CutPrefix(name, "/"); ok {
			all[base] = text
			continue
		}
		all[filepath.Join("tree", name)] = text
	}
	s := &stage{t: t, dir: tree(t, all)}
	o.Dir = s.dir
	o.Env = append(o.Env, "HOME="+s.dir, "MARKS="+s.path("marks"))
	require.NoError(t, os.MkdirAll(s.path("marks"), 0o755))
	s.tool = New(o)
	return s
}

func (s *stage) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *stage) job(book string) Job {
	s.n++
	return Job{
		Folder: s.path("runs", fmt.Sprint(s.n)), Tree: s.path("tree"), Book: book, Inventory: []string{"inventory"},
		Facts: s.path("facts"), Forks: 4,
	}
}

func (s *stage) start(book string) *Process {
	s.t.Helper()
	return s.begin(s.job(book))
}

func (s *stage) begin(job Job) *Process {
	s.t.Helper()
	p, err := s.tool.Start(s.t.Context(), job)
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		_ = p.Terminate(time.Second)
		_ = p.Close()
	})
	return p
}

// marks gives the lines that tasks have left, sorted by file.
func (s *stage) marks(name string) string {
	text, err := os.ReadFile(s.path("marks", name))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	require.NoError(s.t, err)
	return strings.Join(strings.Fields(string(text)), " ")
}

func toGo(event.Event) event.Answer { return event.Answer{Do: event.Go} }

// follow answers every gate and gives all events.
func follow(t *testing.T, p *Process, answer func(event.Event) event.Answer) []event.Event {
	t.Helper()
	ctx := within(t, 60*time.Second)
	var out []event.Event
	for {
		e, _, err := p.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err, "output: %s", lastOf(filepath.Join(p.folder, outputFile), 4096))
		out = append(out, e)
		if e.Kind == event.Gate {
			require.NoError(t, p.Answer(answer(e)))
		}
	}
}

func only(all []event.Event, kinds ...event.Kind) (out []event.Event) {
	for _, e := range all {
		for _, k := range kinds {
			if e.Kind == k {
				out = append(out, e)
			}
		}
	}
	return out
}

// show gives an event as the tests compare it.
func show(e event.Event) string {
	words := []string{string(e.Kind)}
	if e.Host != "" {
		words = append(words, e.Host)
	}
	if e.Task != nil {
		words = append(words, e.Task.Name)
	}
	if e.Kind == event.Gate || e.Kind == event.Play || e.Kind == event.End {
		words = append(words, e.Play, "["+strings.Join(e.Hosts, " ")+"]")
	}
	if e.Item != "" {
		words = append(words, "item="+e.Item)
	}
	if e.Unit != "" {
		words = append(words, "unit="+e.Unit)
	}
	if e.Tries > 0 {
		words = append(words, fmt.Sprintf("%d/%d", e.Try, e.Tries))
	}
	for name, is := range map[string]bool{"last": e.Last, "ignored": e.Ignored, "rescued": e.Rescued} {
		if is {
			words = append(words, name)
		}
	}
	return strings.Join(words, " ")
}

func shown(all []event.Event) (out []string) {
	for _, e := range all {
		out = append(out, show(e))
	}
	return out
}

func play(name, unit, more, body string) string {
	return "- name: " + name + "\n  hosts: web\n  gather_facts: false\n" + more + "  vars:\n    upstep_unit: " + unit + "\n  tasks:\n" + body
}

// mark is a task that leaves its host's name in a file.
func mark(name string) string {
	return "    - name: Mark " + name + "\n      ansible.builtin.shell: echo {{ inventory_hostname }} >> $MARKS/" + name + "\n"
}

func TestAPlayWaitsAtItsGateAndRunsOnTheChosenHosts(t *testing.T) {
	t.Parallel()
	s := onStage(t, 4, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", mark("one")+
		"    - ansible.builtin.shell: echo {{ ansible_play_hosts_all | join(',') }} > $MARKS/all\n") +
		play("Two", "s/1/step1/Web", "", mark("two")) +
		play("Free", "s/1/step1/Web", "  strategy: free\n  any_errors_fatal: true\n", mark("two")) +
		play("Nobody", "s/1/step1/Web", "  serial: 1\n", mark("nobody")) +
		play("Three", "s/1/step2/Web", "  serial: 2\n", mark("three"))}, Options{})
	p := s.start("run.yml")
	ctx := within(t, 30*time.Second)
	e, behind, err := p.Next(ctx)
	require.NoError(t, err)
	require.Equal(t, "gate One [h1 h2 h3 h4] unit=s/1/step0/Web", show(e))
	require.Positive(t, behind)
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err = p.Next(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, s.marks("one"))
	require.True(t, p.Running())
	require.ErrorContains(t, p.Answer(event.Answer{Do: event.Go, Hosts: []string{}}), "names no host")
	require.NoError(t, p.Answer(event.Answer{Do: event.Go, Hosts: []string{"h3", "h1"}}))
	require.ErrorIs(t, p.Answer(event.Answer{Do: event.Go}), ErrNoGate)
	all := follow(t, p, func(e event.Event) event.Answer {
		if e.Play == "Nobody" {
			return event.Answer{Do: event.Skip}
		}
		if e.Play == "Two" || e.Play == "Free" || strings.Join(e.Hosts, " ") == "h1 h2" {
			return event.Answer{Do: event.Skip}
		}
		return event.Answer{Do: event.Go}
	})
	require.Equal(t, []string{
		"play One [h3 h1] unit=s/1/step0/Web",
		"gate Two [h1 h2 h3 h4] unit=s/1/step1/Web",
		"gate Free [h1 h2 h3 h4] unit=s/1/step1/Web",
		"gate Nobody [h1] unit=s/1/step1/Web", "gate Nobody [h2] unit=s/1/step1/Web",
		"gate Nobody [h3] unit=s/1/step1/Web", "gate Nobody [h4] unit=s/1/step1/Web",
		"gate Three [h1 h2] unit=s/1/step2/Web",
		"gate Three [h3 h4] unit=s/1/step2/Web",
		"play Three [h3 h4] unit=s/1/step2/Web",
		"end  []",
	}, shown(only(all, event.Gate, event.Play, event.End)))
	require.ElementsMatch(t, []string{"h1", "h3"}, strings.Fields(s.marks("one")))
	require.Contains(t, []string{"h1,h3", "h3,h1"}, s.marks("all"))
	require.Empty(t, s.marks("two"))
	require.ElementsMatch(t, []string{"h3", "h4"}, strings.Fields(s.marks("three")))
	require.False(t, p.Running())
	o := p.Outcome()
	require.Contains(t, o.Output, "PLAY RECAP")
	o.Output = ""
	require.Equal(t, Outcome{Known: true, Began: true}, o)
}

func TestStopEndsTheProcessAtOnceAndLeavesNothing(t *testing.T) {
	for name, end := range map[string]func(p *Process){
		"an answer": func(p *Process) { require.NoError(t, p.Answer(event.Answer{Do: event.Stop})) },
		"upstep is gone": func(p *Process) {
			require.NoError(t, p.conn.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := onStage(t, 2, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", mark("one"))}, Options{})
			p := s.start("run.yml")
			_, _, err := p.Next(within(t, 20*time.Second))
			require.NoError(t, err)
			found := p.sessions()
			require.Len(t, found, 1)
			end(p)
			ctx := within(t, 5*time.Second)
			for {
				if _, _, err = p.Next(ctx); err != nil {
					break
				}
			}
			require.ErrorIs(t, err, io.EOF)
			require.Empty(t, members(found))
			o := p.Outcome()
			require.True(t, o.Known)
			require.True(t, o.Stopped)
			require.False(t, o.Began)
			require.Equal(t, 99, o.Code)
			require.Empty(t, s.marks("one"))
		})
	}
}

func TestWhenUpstepIsGoneTheCurrentPlayEndsAndTheNextDoesNotBegin(t *testing.T) {
	t.Parallel()
	s := onStage(t, 1, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		"    - ansible.builtin.command: sleep 0.6\n"+mark("one")) + play("Two", "s/1/step1/Web", "", mark("two"))}, Options{})
	p := s.start("run.yml")
	ctx := within(t, 20*time.Second)
	_, _, err := p.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, p.Answer(event.Answer{Do: event.Go}))
	require.NoError(t, p.Close())
	a, err := Adopt(p.folder, 0)
	require.NoError(t, err)
	defer func() { _ = a.Close() }()
	require.True(t, a.Running())
	require.ErrorIs(t, a.Answer(event.Answer{Do: event.Go}), ErrNobody)
	var all []event.Event
	for {
		e, _, err := a.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, e)
	}
	require.Equal(t, "end  []", show(all[len(all)-1]))
	require.Equal(t, "h1", s.marks("one"))
	require.Empty(t, s.marks("two"))
	require.True(t, a.Outcome().Stopped)
}

// TestMain lets the tests' own binary be the upstep that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("UPSTEP_TEST_PARENT"); dir != "" {
		parent(dir)
		return
	}
	os.Exit(m.Run())
}

// parent answers every gate until it is killed, and says what it has seen.
func parent(dir string) {
	p, err := New(Options{Dir: dir}).Start(context.Background(), Job{
		Folder: filepath.Join(dir, "run"), Tree: filepath.Join(dir, "tree"), Book: "run.yml", Inventory: []string{"inventory"},
	})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for {
		e, behind, err := p.Next(context.Background())
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println(behind, show(e))
		if e.Kind == event.Gate {
			_ = p.Answer(event.Answer{Do: event.Go})
		}
	}
}

func TestAKilledUpstepLeavesAProcessToAdopt(t *testing.T) {
	t.Parallel()
	s := onStage(t, 2, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		mark("begin")+"    - name: Sleep\n      ansible.builtin.command: sleep 1\n"+mark("end"))}, Options{})
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "UPSTEP_TEST_PARENT="+s.dir, "HOME="+s.dir, "MARKS="+s.path("marks"))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var offset int64
	var seen []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		at, text, _ := strings.Cut(lines.Text(), " ")
		offset, err = strconv.ParseInt(at, 10, 64)
		require.NoError(t, err, lines.Text())
		seen = append(seen, text)
		if strings.HasPrefix(text, "start h1 Sleep") {
			break
		}
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	// another Start is refused: the folder has been used
	_, err = s.tool.Start(t.Context(), Job{Folder: s.path("run"), Tree: s.path("tree"), Book: "run.yml"})
	require.ErrorContains(t, err, "a job has used this folder")

	p, err := Adopt(s.path("run"), offset)
	require.NoError(t, err)
	defer func() { _ = p.Close() }()
	require.True(t, p.Running())
	require.True(t, p.id.alive())
	second, err := Adopt(s.path("run"), 0) // a second reader does not disturb
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	rest := drainAll(t, p)
	require.False(t, p.Running())
	require.Equal(t, Outcome{Known: true, Began: true, Code: -1}, func() Outcome { o := p.Outcome(); o.Output = ""; return o }())
	whole := append(slices.Clone(seen), shown(rest)...)
	require.Equal(t, shown(drainAll(t, second)), whole)
	counts := map[string]int{}
	for _, l := range whole {
		counts[l]++
		require.Equal(t, 1, counts[l], l)
	}
	require.Equal(t, "end  []", whole[len(whole)-1])
	require.Len(t, strings.Fields(s.marks("end")), 2)

	// the process is gone: a third finds what is left
	third, err := Adopt(s.path("run"), offset)
	require.NoError(t, err)
	defer func() { _ = third.Close() }()
	require.Equal(t, rest, drainAll(t, third))
}

func drainAll(t *testing.T, p *Process) (all []event.Event) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	for {
		e, _, err := p.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, e)
	}
}

func TestAKilledAnsibleHasNoKnownOutcome(t *testing.T) {
	t.Parallel()
	s := onStage(t, 2, map[string]string{"run.yml": play("One", "s/1/step0/Web", "",
		"    - name: Sleep\n      ansible.builtin.command: sleep 1\n")}, Options{})
	p := s.start("run.yml")
	ctx := within(t, 20*time.Second)
	var last event.Event
	for {
		e, _, err := p.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		last = e
		if e.Kind == event.Gate {
			require.NoError(t, p.Answer(event.Answer{Do: event.Go}))
		}
		if e.Kind == event.Start && e.Host == "h2" {
			require.NoError(t, syscall.Kill(p.id.Pid, syscall.SIGKILL))
			require.True(t, p.Running(), "workers hold the lock")
		}
	}
	require.Equal(t, event.Start, last.Kind)
	o := p.Outcome()
	require.False(t, o.Known)
	require.True(t, o.Began)
	require.Equal(t, -1, o.Code)
	require.Equal(t, syscall.SIGKILL, o.Signal)
}

func TestTerminateLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for name, task := range map[string]string{
		"that listens": "    - name: Sleep\n      ansible.builtin.command: sleep 300\n",
		"that is deaf": "    - name: Sleep\n      ansible.builtin.shell: trap '' TERM; while :; do sleep 0.1; done\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := onStage(t, 2, map[string]string{"run.yml": play("One", "s/1/step0/Web", "", task)}, Options{})
			p := s.start("run.yml")
			ctx, cancel := context.WithCancel(within(t, 20*time.Second))
			for {
				e, _, err := p.Next(ctx)
				require.NoError(t, err)
				if e.Kind == event.Gate {
					require.NoError(t, p.Answer(event.Answer{Do: event.Go}))
				}
				if e.Kind == event.Start && e.Host == "h2" {
					break
				}
			}
			cancel() // which ends nothing
			time.Sleep(700 * time.Millisecond)
			require.True(t, p.Running())
			found := p.sessions()
			require.NoError(t, p.Terminate(500*time.Millisecond))
			require.Eventually(t, func() bool { return len(members(found)) == 0 }, 2*time.Second, 10*time.Millisecond)
			_ = drainAll(t, p)
			o := p.Outcome()
			require.False(t, o.Known)
			require.NotZero(t, o.Code)
		})
	}
}
