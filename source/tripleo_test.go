package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tripleoDir gives a checkout of real templates: the folder named by UPSTEP_THT_DIR,
// or one that lies beside the project.
func tripleoDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("UPSTEP_THT_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "tripleo")
		if _, err := os.Stat(dir); err != nil {
			t.Skip("no real templates: set UPSTEP_THT_DIR to a checkout of tripleo-heat-templates")
		}
	}
	return dir
}

// TestEveryTaskOfRealTemplates cuts every element of every list of tasks in real
// templates and compares meaning, by this package's parser and by PyYAML.
func TestEveryTaskOfRealTemplates(t *testing.T) {
	var in []pySample
	files, cuts, seen := 0, 0, 0
	err := filepath.WalkDir(tripleoDir(t), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var sink Sink
		top, ok := Parse(File{Name: path, Text: text}, &sink)
		if !ok {
			require.NotEmpty(t, sink.Problems())
			return nil
		}
		s := pySample{Name: path, Text: string(text)}
		for _, p := range parts(top) {
			task := p.kind == "item" && inTasks(top, p.path)
			if seen++; !task && seen%50 > 0 { // the rest is many thousands of much the same
				continue
			}
			cuts++
			requireSame(t, p, p.text)
			if task {
				s.Cuts = append(s.Cuts, pyCut{p.kind, p.path, p.index, p.text})
			}
		}
		if files++; len(s.Cuts) > 0 {
			in = append(in, s)
		}
		return nil
	})
	require.NoError(t, err)
	t.Logf("%d files, %d cuts", files, cuts)
	require.Positive(t, cuts)
	if !testing.Short() {
		differences, _ := pyYAML(t, in, "fast")
		require.Empty(t, strings.Join(differences, ""))
	}
}

// inTasks tells whether a path leads through a key that names a list of tasks.
func inTasks(top Node, path []int) bool {
	n := top.n
	for _, i := range path {
		if i%2 == 1 && i < len(n.Content) && strings.Contains(n.Content[i-1].Value, "tasks") {
			return true
		}
		n = n.Content[i]
	}
	return false
}
