package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"upstep": func() { os.Exit(run()) },
	})
}

// tests is what all tests of this package share.
type tests struct{ *testing.M }

// Run runs them.
func (m tests) Run() int {
	dir, err := os.MkdirTemp("", "upstep-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "upstep")
	if python, err = filepath.Abs(filepath.Join("..", "..", "testdata", "python")); err != nil {
		panic(err)
	}
	if err := os.Setenv("PYTHONPATH", python); err != nil {
		panic(err)
	}
	return m.M.Run()
}

var (
	python string // the folder that makes Ansible's tasks cheaper
	binary string // for built
)

// TestScripts runs what a user types: testdata/script/*.txtar read like a session.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"craft": craft, "flip": flip},
		Condition: func(cond string) (bool, error) {
			_, err := exec.LookPath(cond)
			return err == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			root, err := filepath.Abs(filepath.Join("..", ".."))
			env.Setenv("ROOT", root)
			env.Setenv("PYTHONPATH", python)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("ANSIBLE_LOCAL_TEMP", filepath.Join(env.WorkDir, ".ansible"))
			return err
		},
	})
}

// needAnsible skips aloud where Ansible is missing; CI has it from scripts/deps.
func needAnsible(t *testing.T, tools ...string) {
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

// typed gives upstep as it is typed in a folder: the binary is this test's own, which
// testscript put on PATH.
func typed(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "upstep", args...) //nolint:gosec // the test's own arguments
	cmd.Dir = dir
	return cmd
}

// built gives a binary of this command, as users have it: one for all tests.
func built(t *testing.T) string {
	t.Helper()
	require.NoError(t, build())
	return binary
}

var build = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", binary, ".") //nolint:gosec // for more than one test
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")       // as make build does
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// writeFiles makes files below a folder; one that begins with #! can be run.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
}
