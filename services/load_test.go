package services_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// load reads a folder that is made of texts by path.
func load(t *testing.T, texts map[string]string) ([]services.Service, string) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	sink := &source.Sink{}
	all := services.Load(fsys, "services", sink)
	return all, sink.Problems().Error()
}

func TestOneMistakeIsOneProblem(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a misspelt key that is required": {"servce_name: a\n", `services/a.yaml:1:1: unknown key "servce_name" in the service` + "\n  hint: did you mean \"service_name\"?"},
		"a version that is text":          {"service_name: a\nversion: 5\n", "services/a.yaml:2:10: version must be a mapping, not a single value\n  hint: its keys are target, probe"},
		"a misspelt target":               {"service_name: a\nversion: {targt: 5}\n", "services/a.yaml:2:11: unknown key \"targt\" in version\n  hint: did you mean \"target\"?"},
		"a name that is a list":           {"service_name: [a]\n", "services/a.yaml:1:15: service_name of the service must be a single value, not a list"},
		"a service that is a list":        {"- service_name: a\n", "services/a.yaml:1:1: the service must be a mapping, not a list\n  hint: begin with service_name: NAME"},
		"a dependency without a name":     {"service_name: a\ndepends_on: [{until: upgraded}]\n", "services/a.yaml:2:14: the dependency has no service\n  hint: add service: VALUE"},
		"no name at all":                  {"upgrade_tasks: []\n", "services/a.yaml:1:1: the service has no service_name\n  hint: add service_name: VALUE"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := load(t, map[string]string{"a.yaml": c.text})
			require.Equal(t, c.want, problems)
		})
	}
}

func TestAServiceThatCannotBeReadIsStillThere(t *testing.T) {
	all, _ := load(t, map[string]string{
		"broken.yaml":        "service_name: 'nova_api\nupgrade_tasks:\n",
		"nameless.yaml":      "",
		"wrong.yaml":         "service_name: wrong\nnope: 1\n",
		"fine.yaml":          "service_name: fine\n",
		"folder/other.yaml":  "service_name: hidden\n",
		"pack/service.yaml":  "- no\n",
		"README.md":          "",
		".hidden.yaml":       "service_name: fine\n",
		"second/service.yml": "service_name: second\n",
	})
	got := map[string]services.Reading{}
	for _, s := range all {
		got[s.Name] = s.Read
	}
	require.Equal(t, map[string]services.Reading{
		"nova_api": services.NameOnly, "nameless": services.NameGuessed, "wrong": services.InPart, "fine": services.Whole,
		"folder": services.NameOnly, "pack": services.NameGuessed, "second": services.Whole,
	}, got)
}

// forbidden refuses to open one file.
type forbidden struct {
	files fstest.MapFS
	name  string
}

func (f forbidden) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EACCES}
	}
	return f.files.Open(name)
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	for name, want := range map[string]string{
		"p/files/x":      "services/p/files/x: read it: permission denied",
		"p/files":        "services/p/files: read it: permission denied",
		"p/service.yaml": "services/p/service.yaml: read service: permission denied\n  hint: make it readable for who runs upstep",
		".":              "services: read services: permission denied\n  hint: a project keeps its services in services/; --services points elsewhere",
	} {
		fsys := fstest.MapFS{"p/service.yaml": {Data: []byte("service_name: p\n")}, "p/files/x": {}, "p/files/y": {}}
		sink := &source.Sink{}
		services.Load(forbidden{fsys, name}, "services", sink)
		require.Equal(t, want, sink.Problems().Error())
	}
}

func TestALinkToAPackThatIsGoneIsAProblem(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "keystone")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".real"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".real", "service.yaml"), []byte("service_name: linked\n"), 0o600))
	require.NoError(t, os.Symlink(".real", filepath.Join(dir, "linked")))
	sink := &source.Sink{}
	all := services.Load(os.DirFS(dir), "services", sink)
	require.Equal(t, "services/keystone: is a link that leads nowhere: no such file or directory\n  hint: mend it or take it away: a pack may have stood behind it", sink.Problems().Error())
	require.Len(t, all, 2, "both names are known")
}

func TestFilesOfPacksThatCannotBeEmittedAreProblems(t *testing.T) {
	const rename = "\n  hint: rename it"
	for name, want := range map[string]string{
		"files/a b":                "",
		"tasks/main.yml":           "",
		"files/upstep_x":           "",
		".git/HEAD":                "",
		"files/.hidden":            "",
		"files/é":                  "",
		"files/a\nb":               `"services/p/files/a\nb": the file's name has a control character (U+000A)` + rename,
		"files/\x1b[31m":           `"services/p/files/\x1b[31m": the file's name has a control character (U+001B)` + rename,
		"tasks/upstep_x.yml":       "services/p/tasks/upstep_x.yml: names that begin with upstep_ are upstep's own among the tasks of a pack" + rename,
		"Tasks/Upstep_drain.yml":   "services/p/Tasks/Upstep_drain.yml: names that begin with upstep_ are upstep's own among the tasks of a pack" + rename,
		"tasks":                    "services/p/tasks: a file where the pack's folder of tasks stands" + rename,
		"FILES/conf":               "services/p/files/conf: differs from services/p/FILES/conf in case only, which not every file system tells apart\n  hint: rename one of the two",
		"files/deep/er/and/deeper": "",
	} {
		t.Run(name, func(t *testing.T) {
			all, problems := load(t, map[string]string{"p/service.yaml": "service_name: p\n", "p/files/conf": "", "p/" + name: "x"})
			require.Equal(t, want, problems)
			require.Len(t, all, 1)
			var paths []string
			for _, a := range all[0].Assets {
				paths = append(paths, a.Path)
			}
			hidden := strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
			if want == "" {
				require.Equal(t, !hidden, slices.Contains(paths, name))
			}
		})
	}
}

func TestNamesThatCannotNameFilesAreProblems(t *testing.T) {
	long := strings.Repeat("a", 200)
	for text, want := range map[string]string{
		"service_name: " + long:                     "",
		"service_name: " + long + "b":               "services/a.yaml:1:15: a service name of 201 bytes is too long for a file name\n  hint: use at most 200",
		`service_name: "a\eb"`:                      "services/a.yaml:1:15: service_name of the service has a control character (U+001B)\n  hint: take it out",
		`{service_name: a, description: "a\eb"}`:    "services/a.yaml:1:32: description of the service has a control character (U+001B)\n  hint: take it out",
		"{service_name: a, description: \"a\\nb\"}": "",
		"service_name: a/b":                         "services/a.yaml:1:15: service name \"a/b\" is not usable as a file name\n  hint: use letters, digits, _ . and -, beginning with a letter or a digit",
	} {
		_, problems := load(t, map[string]string{"a.yaml": text})
		require.Equal(t, want, problems)
	}
	_, problems := load(t, map[string]string{"a.yaml": "service_name: api", "b.yaml": "service_name: Api"})
	require.Equal(t, "services/a.yaml:1:15: service \"api\" differs from \"Api\" in case only\n  hint: the other stands at services/b.yaml:1; rename one of the two", problems)
	all, problems := load(t, map[string]string{"a\nb.yaml": "service_name: api"})
	require.Equal(t, "\"services/a\\nb.yaml\": the file's name has a control character (U+000A)\n  hint: rename it", problems)
	require.Len(t, all, 1)
}

func TestFilesOfTasksInAPackAreLookedInto(t *testing.T) {
	all, problems := load(t, map[string]string{
		"p/service.yaml":      "service_name: p\n",
		"p/tasks/more.yml":    "- {name: a, notify: Restart}\n- block: [{meta: end_play}]\n",
		"p/tasks/broken.yaml": "- {notify: Restart\n",
		"p/tasks/x.j2":        "notify: meta: end_play",
		"p/handlers/main.yml": "- {name: b, notify: Report}\n",
		"p/files/end.yml":     "- meta: end_play\n",
	})
	require.Len(t, all, 1)
	require.Equal(t, []string{"Report", "{{ any }}", "Restart"}, all[0].Included)
	require.Equal(t, "services/p/tasks/more.yml:2:18: meta: end_play leaves out all that comes after it in the play: other services' tasks, health gates, the return to traffic\n"+
		"  hint: put what may be left out into a block with when:; to stop the upgrade, use ansible.builtin.fail", problems)
}
