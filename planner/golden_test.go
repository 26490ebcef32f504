package planner_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

var update = flag.Bool("update", false, "rewrite the expected plans and problems")

// TestPlans plans every world of testdata/plans and compares the plan and the problems
// with what stands there.
func TestPlans(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "plans", "*.txtar"))
	require.NoError(t, err)
	require.Greater(t, len(files), 34)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			w, problems := readWorld(t, archive)
			var p *planner.Plan
			var found source.Problems
			failed := problems.Count(source.Error) > 0
			if p, found = planner.Build(w); failed {
				p = nil
			}
			problems = append(problems, found...).Sorted()
			results := map[string]string{}
			if len(problems) > 0 {
				results["problems.txt"] = problems.Error() + "\n"
			}
			if p != nil {
				results["plan.txt"] = planText(p)
				if w.Settings.Ordering == settings.Barrier {
					if slices.ContainsFunc(w.Roles, func(r roles.Role) bool { return r.Replace != nil }) {
						require.Empty(t, replacedFaults(w, p))
					} else {
						require.Empty(t, faultsOf(w, p))
					}
				}
			}
			if *update {
				require.NoError(t, os.WriteFile(file, txtar.Format(withResults(archive, results)), 0o644)) //nolint:gosec // a test's own data
				return
			}
			for _, name := range []string{"problems.txt", "plan.txt"} {
				require.Equal(t, member(archive, name), results[name], "%s: %s", file, archive.Comment)
			}
		})
	}
}

func member(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func withResults(a *txtar.Archive, results map[string]string) *txtar.Archive {
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if f.Name != "problems.txt" && f.Name != "plan.txt" {
			out.Files = append(out.Files, f)
		}
	}
	for _, name := range []string{"problems.txt", "plan.txt"} {
		if text, has := results[name]; has {
			out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	return out
}

// readWorld reads the files of an archive as a project; set holds name=value lines, and
// inventory.json what `ansible-inventory --list` prints.
func readWorld(t *testing.T, a *txtar.Archive) (planner.World, source.Problems) {
	t.Helper()
	fsys := fstest.MapFS{"services/.keep": {}}
	for _, f := range a.Files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	sink := &source.Sink{}
	var given []settings.Given
	for line := range strings.Lines(member(a, "set")) {
		g, ok := settings.ParseSet(strings.TrimSpace(line), sink)
		require.True(t, ok)
		given = append(given, g)
	}
	sub, err := fsys.Sub("services")
	require.NoError(t, err)
	w := planner.World{Settings: settings.Load(fsys, "upgrade.yaml", "", given, sink)}
	var whole bool
	w.Roles, whole = roles.Load(fsys, "roles.yaml", "", w.Settings.Values(), sink)
	w.PartialRoles = !whole
	w.Services = services.Load(sub, "services", sink)
	if text := member(a, "inventory.json"); text != "" {
		w.Inventory, err = roles.ParseInventory([]byte(text))
		require.NoError(t, err)
	}
	return w, sink.Problems()
}
