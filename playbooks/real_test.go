package playbooks_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// need skips aloud where a tool is missing; CI has it from scripts/deps.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				require.NoError(t, err, "CI skips nothing")
			}
			t.Skipf("%s is not installed: run scripts/deps", tool)
		}
	}
}

// planOf plans one of the projects in testdata, without an inventory.
func planOf(t *testing.T, project string, set ...string) *planner.Plan {
	t.Helper()
	dir := os.DirFS(filepath.Join("..", "testdata", project))
	sink := &source.Sink{}
	var given []settings.Given
	for _, s := range set {
		g, ok := settings.ParseSet(s, sink)
		require.True(t, ok, s)
		given = append(given, g)
	}
	w := planner.World{Settings: settings.Load(dir, "upgrade.yaml", "", given, sink)}
	w.Services = services.Load(os.DirFS(filepath.Join("..", "testdata", project, "services")), "services", sink)
	services.ReadValues(os.DirFS(filepath.Join("..", "testdata", project, "parameters")), "parameters", sink).Give(w.Services, sink)
	w.Roles, _ = roles.Load(dir, "roles.yaml", "", w.Settings.Values(), sink)
	require.Zero(t, sink.Problems().Count(source.Error), sink.Problems().Error())
	p, problems := planner.Build(w)
	require.NotNil(t, p, problems.Error())
	return p
}

// emitted writes the tree of a project and gives its folder.
func emitted(t *testing.T, project string, set ...string) (string, *playbooks.Tree) {
	t.Helper()
	tree, err := playbooks.Render(planOf(t, project, set...))
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "playbooks")
	_, err = playbooks.Write(t.Context(), dir, tree, false)
	require.NoError(t, err)
	return dir, tree
}

// edge is a run of the edge project: what Ansible printed, and what its tasks wrote down.
type edge struct {
	code  int
	out   string
	state string
}

func runEdge(t *testing.T, dir, book string, args ...string) edge {
	t.Helper()
	e := edge{state: t.TempDir()}
	args = append([]string{"-i", filepath.Join("..", "testdata", "edge", "inventory.ini"), filepath.Join(dir, book)}, args...)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ansible-playbook", args...) //nolint:gosec // the test's own arguments
	cmd.Env = append(os.Environ(), "EDGE_STATE="+e.state, "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=False", "ANSIBLE_FORKS=8")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	e.code, e.out = cmd.ProcessState.ExitCode(), string(out)
	return e
}

// lines gives what the tasks of a host wrote into a file, or what all wrote into one.
func (e edge) lines(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(e.state, name))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func TestPlainAnsibleRunsTheWholeTree(t *testing.T) {
	need(t, "ansible-playbook")
	dir, _ := emitted(t, "edge")
	e := runEdge(t, dir, "upgrade.yml", "-e", "need_tries=2")
	require.Zero(t, e.code, e.out)

	// The service's variables and environment, the role's beside them, in tasks and handlers.
	require.Equal(t, []string{"env one fromA", "handler one red one 1", "inc pack fromA", "pack handler packvar pack"}, e.lines(t, "a1/log"))
	require.Equal(t, []string{"red 1 A control-plane"}, e.lines(t, "a1/one"))
	require.Equal(t, []string{"T packvar 2 A"}, e.lines(t, "a2/t"), "a pack's template is found by its own name")
	require.Equal(t, []string{"file"}, e.lines(t, "a2/f"))
	// Of two handlers of the same name each answers its own service only.
	require.Equal(t, []string{"handler two", "step2 two"}, e.lines(t, "b1/log"))
	// Once per upgrade over three roles, on the first host that carries the service.
	require.Equal(t, []string{"bootstrap a1"}, e.lines(t, "bootstrap"))
	// Only the host that failed was tried again.
	require.Len(t, e.lines(t, "c2/tries"), 2)
	require.Len(t, e.lines(t, "c1/tries"), 1)
	require.Equal(t, []string{"drain", "work step 1", "work step 1", "restore"}, e.lines(t, "c2/log"))
	// Two good answers in a row, and a batch is back before the next leaves.
	require.Len(t, e.lines(t, "c1/h"), 2)
	order := e.lines(t, "order")
	require.ElementsMatch(t, []string{"c1 drain", "c2 drain"}, order[:2])
	require.ElementsMatch(t, []string{"c1 restore", "c2 restore"}, order[2:4])
	require.Len(t, e.lines(t, "post"), 2, "post_upgrade comes last")
}

func TestAFailedHostStopsWhatComesAfterIt(t *testing.T) {
	need(t, "ansible-playbook")
	dir, _ := emitted(t, "edge")
	t.Run("in a step in which roles go side by side", func(t *testing.T) {
		e := runEdge(t, dir, "upgrade.yml", "-e", "fail_on=a1")
		require.Equal(t, 2, e.code, e.out)
		require.Contains(t, e.out, "failed: a1")
		require.FileExists(t, filepath.Join(e.state, "b1", "two"), "the other role ends its step")
		require.Empty(t, e.lines(t, "bootstrap"), "the next step does not begin")
		require.Empty(t, e.lines(t, "order"))
	})
	t.Run("in a batch that is not healthy", func(t *testing.T) {
		e := runEdge(t, dir, "upgrade.yml", "-e", "unhealthy=c3")
		require.Equal(t, 2, e.code, e.out)
		require.Contains(t, e.out, "is not healthy: non-zero return code")
		order := strings.Join(e.lines(t, "order"), ", ")
		require.NotContains(t, order, "c3 restore", "what is not healthy stays out of traffic")
		require.Contains(t, order, "c4 restore", "what is healthy goes back")
		require.Len(t, e.lines(t, "c3/h"), 3, "three tries, and no more")
		require.Empty(t, e.lines(t, "post"))
	})
	t.Run("when the host that does what is done once is left out", func(t *testing.T) {
		e := runEdge(t, dir, "control-plane.yml", "--limit", "a2,b1,b2")
		require.Equal(t, 2, e.code, e.out)
		require.Contains(t, e.out, "a1 does once what shared needs")
	})
	t.Run("in its role's own playbook", func(t *testing.T) {
		e := runEdge(t, dir, "A.yml", "-e", "fail_on=a2")
		require.Equal(t, 2, e.code, e.out)
		require.Empty(t, e.lines(t, "a1/t"))
	})
}

func TestOneStepByItsTag(t *testing.T) {
	need(t, "ansible-playbook")
	dir, _ := emitted(t, "edge")
	e := runEdge(t, dir, "B.yml", "--tags", "upstep_step0")
	require.Zero(t, e.code, e.out)
	require.DirExists(t, filepath.Join(e.state, "b1"))
	require.NoFileExists(t, filepath.Join(e.state, "b1", "two"))
}

// samples are the projects that everything is tried on, with the inputs they need.
func samples() map[string][]string {
	return map[string][]string{
		"openstack": nil, "webapp": {"backend=app", "cluster=alfa", "revision=2.0.0"}, "shop": nil, "local": nil, "edge": nil, "workflow": nil, "packs": nil,
	}
}

func TestSyntaxCheckPassesForEveryPlaybook(t *testing.T) {
	need(t, "ansible-playbook")
	for name, set := range samples() {
		t.Run(name, func(t *testing.T) {
			dir, tree := emitted(t, name, set...)
			books := tree.Playbooks()
			require.Contains(t, books, "upgrade.yml")
			for _, b := range books {
				out, err := exec.CommandContext(t.Context(), "ansible-playbook", "-i", "localhost,", "--syntax-check", filepath.Join(dir, b)).CombinedOutput() //nolint:gosec // the test's own arguments
				require.NoError(t, err, "%s: %s", b, out)
			}
		})
	}
}

func TestCleanInputStaysCleanUnderAnsibleLint(t *testing.T) {
	need(t, "ansible-lint")
	for _, name := range []string{"openstack", "webapp", "shop", "local", "workflow", "packs"} {
		t.Run(name, func(t *testing.T) {
			dir, _ := emitted(t, name, samples()[name]...)
			cmd := exec.CommandContext(t.Context(), "ansible-lint", "--offline", "--nocolor", "-p", "--profile", "production")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "Passed with production profile")
		})
	}
}

var taken = regexp.MustCompile(`(?:import_tasks|include_tasks|file|tasks_from): (\S+\.yml)`)

func TestEveryTaskFileIsReached(t *testing.T) {
	for name, set := range samples() {
		t.Run(name, func(t *testing.T) {
			_, tree := emitted(t, name, set...)
			reached := map[string]bool{}
			for _, f := range tree.Files {
				for _, m := range taken.FindAllStringSubmatch(string(f.Data), -1) {
					reached[filepath.Base(m[1])] = true
					for _, from := range []string{"", filepath.Dir(f.Path)} {
						reached[filepath.Join(from, m[1])] = true
					}
				}
			}
			for _, f := range tree.Files {
				if !strings.HasSuffix(f.Path, ".yml") || !strings.Contains(f.Path, "/") || strings.HasPrefix(f.Path, "vars/") {
					continue
				}
				inRole := strings.HasPrefix(f.Path, "roles/")
				if inRole && !strings.Contains(f.Path, "/tasks/upstep_") {
					continue // the pack's own files
				}
				require.True(t, reached[f.Path] || inRole && reached[filepath.Base(f.Path)], "%s is taken in nowhere", f.Path)
			}
		})
	}
}

func TestTheSavedPlanRendersTheSameTree(t *testing.T) {
	p := planOf(t, "openstack")
	doc, err := p.Encode()
	require.NoError(t, err)
	require.True(t, json.Valid(doc))
	again, err := planner.Decode(doc)
	require.NoError(t, err)
	for i := range again.Services { // bytes of assets stand in the tree, not in the document
		for j := range again.Services[i].Assets {
			again.Services[i].Assets[j].Data = p.Services[i].Assets[j].Data
		}
	}
	one, err := playbooks.Render(p)
	require.NoError(t, err)
	two, err := playbooks.Render(again)
	require.NoError(t, err)
	require.Equal(t, one.Files, two.Files)
}
