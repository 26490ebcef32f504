package pack

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// agent gives the files of a pack that needs another and has a parameter that must be set.
func agent(version string) map[string]string {
	return map[string]string{
		"pack.yaml":    "name: agent\nversion: " + version + "\nneeds:\n  - {pack: runtime, version: \">= 1.2, < 2\"}\nparameters:\n  port: {type: integer, maximum: 65535, required: true}\n",
		"service.yaml": "service_name: agent\nupgrade_tasks: []\n",
		"README.md":    "# agent " + version + "\n",
		"files/start":  "#!/bin/sh\n",
	}
}

func runtime(version string) map[string]string {
	return map[string]string{
		"pack.yaml":    "name: runtime\nversion: " + version + "\n",
		"service.yaml": "service_name: runtime\nupgrade_tasks: []\n",
		"README.md":    "# runtime " + version + "\n",
	}
}

// with gives files with some others.
func with(files map[string]string, name, text string) map[string]string {
	out := maps.Clone(files)
	out[name] = text
	return out
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// built gives an archive of a pack.
func built(t testing.TB, files map[string]string) Archive {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "folder")
	write(t, dir, files)
	sink := &source.Sink{}
	svc, list, err := Build(dir, "folder", sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	path := filepath.Join(t.TempDir(), FileName(svc))
	require.NoError(t, archive.Create(path, 0o644, list))
	return Archive{path, FileName(svc)}
}

// project is a folder with services and parameters.
type project struct {
	*Store
	dir string
}

func newProject(t testing.TB) project {
	t.Helper()
	return projectIn(t.TempDir())
}

func projectIn(dir string) project {
	return project{&Store{Dir: filepath.Join(dir, "services"), Shown: "services", ValuesDir: filepath.Join(dir, "parameters"), Limits: DefaultLimits()}, dir}
}

func (p project) values(sink *source.Sink) *services.Values {
	return services.ReadValues(os.DirFS(p.ValuesDir), "parameters", sink)
}

// install installs archives and gives what was told.
func (p project) install(t testing.TB, o Options, files ...Archive) ([]Done, string) {
	t.Helper()
	sink := &source.Sink{}
	done, err := p.Install(files, p.values(sink), o, sink)
	require.NoError(t, err)
	return done, sink.Problems().Error()
}

// installed is install that must not be refused.
func (p project) mustInstall(t testing.TB, o Options, files ...Archive) []Done {
	t.Helper()
	done, told := p.install(t, o, files...)
	require.Empty(t, told)
	return done
}

// tree gives all that stands below the project, hidden folders of the store left out.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var out []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.Name() == hidden {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		if e.IsDir() {
			out = append(out, rel+"/")
			return nil
		}
		data, err := os.ReadFile(path)
		out = append(out, rel+" "+archive.Sum(data))
		return err
	}))
	slices.Sort(out)
	return strings.Join(out, "\n")
}
