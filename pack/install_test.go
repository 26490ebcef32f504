package pack

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

func TestTheSameFolderGivesTheSameBytes(t *testing.T) {
	one, err := os.ReadFile(built(t, agent("1.0.0")).Path)
	require.NoError(t, err)
	two, err := os.ReadFile(built(t, agent("1.0.0")).Path)
	require.NoError(t, err)
	require.Equal(t, one, two)
}

func TestWhatIsRefusedChangesNothing(t *testing.T) {
	agent1, agent2, runtime1 := built(t, agent("1.0.0")), built(t, agent("2.0.0")), built(t, runtime("1.2.0"))
	upgraded := func(t *testing.T, p project) {
		t.Helper()
		write(t, p.dir, map[string]string{"parameters/agent.yaml": "port: 80\n"})
		p.mustInstall(t, Options{}, agent1, runtime1)
	}
	for name, c := range map[string]struct {
		before func(*testing.T, project)
		limits archive.Limits
		files  []Archive
		want   string
	}{
		"a needed pack is missing": {
			files: []Archive{agent1}, want: `agent-1.0.0.tar.zst/pack.yaml:4:5: pack agent needs pack runtime, which is not installed`,
		},
		"a needed pack comes in a version that does not fit": {
			files: []Archive{agent1, built(t, runtime("2.0.0"))}, want: `pack agent needs pack runtime >= 1.2, < 2, and 2.0.0 is installed`,
		},
		"an upgrade takes from another what it needs": {
			before: upgraded, files: []Archive{built(t, runtime("2.0.0"))},
			want: `services/agent/pack.yaml:4:5: pack agent needs pack runtime >= 1.2, < 2, and 2.0.0 is installed`,
		},
		"one of several is bad": {
			files: []Archive{runtime1, {runtime1.Path + ".none", "none.tar.zst"}}, want: `none.tar.zst: read it: no such file or directory`,
		},
		"the same pack comes twice": {
			files: []Archive{runtime1, built(t, runtime("1.3.0"))}, want: `pack runtime comes in runtime-1.2.0.tar.zst too`,
		},
		"a lower version": {
			before: upgraded, files: []Archive{built(t, agent("0.9.0"))}, want: `agent-0.9.0.tar.zst: pack agent 0.9.0 is lower than 1.0.0, which is installed`,
		},
		"1.10 against 1.9": {
			before: func(t *testing.T, p project) { p.mustInstall(t, Options{}, built(t, runtime("1.10.0"))) },
			files:  []Archive{built(t, runtime("1.9.0"))}, want: `pack runtime 1.9.0 is lower than 1.10.0`,
		},
		"other files under the same version": {
			before: upgraded, files: []Archive{built(t, with(runtime("1.2.0"), "files/more", "more"))}, want: `pack runtime 1.2.0 has other files than the 1.2.0 that is installed`,
		},
		"a file was edited": {
			before: func(t *testing.T, p project) {
				upgraded(t, p)
				write(t, p.Dir, map[string]string{"agent/files/start": "mine", "agent/new": "mine"})
			},
			files: []Archive{agent2}, want: `services/agent: was edited since it was installed: files/start, new`,
		},
		"a file was taken out": {
			before: func(t *testing.T, p project) {
				upgraded(t, p)
				require.NoError(t, os.Remove(filepath.Join(p.Dir, "agent/files/start")))
			},
			files: []Archive{agent2}, want: `services/agent: was edited since it was installed: files/start`,
		},
		"a pack was written there": {
			before: func(t *testing.T, p project) { write(t, filepath.Join(p.Dir, "runtime"), runtime("1.0.0")) },
			files:  []Archive{runtime1}, want: `services/runtime: was written here and not installed`,
		},
		"a folder without pack.yaml stands there": {
			before: func(t *testing.T, p project) {
				write(t, p.Dir, map[string]string{"runtime/service.yaml": "service_name: runtime\n"})
			},
			files: []Archive{runtime1}, want: `services/runtime: is no pack: it has no pack.yaml`,
		},
		"a file defines the service": {
			before: func(t *testing.T, p project) {
				write(t, p.Dir, map[string]string{"r.yaml": "service_name: Runtime\n"})
			},
			files: []Archive{runtime1}, want: `services/r.yaml:1:15: service Runtime is defined here, where pack runtime cannot replace it`,
		},
		"values do not fit the new version": {
			before: func(t *testing.T, p project) {
				upgraded(t, p)
				write(t, p.dir, map[string]string{"parameters/agent.yaml": "port: 80\nportt: 70000\n"})
			},
			files: []Archive{agent2}, want: `parameters/agent.yaml:2:1: unknown parameter "portt" of pack agent`,
		},
		"the new version wants a value": {
			before: upgraded,
			files:  []Archive{built(t, with(agent("2.0.0"), "pack.yaml", agent("2.0.0")["pack.yaml"]+"  zone: {type: string, required: true}\n"))},
			want:   `agent-2.0.0.tar.zst/pack.yaml:7:3: parameter "zone" of pack agent has no value`,
		},
		"larger than allowed":           {files: []Archive{runtime1}, limits: archive.Limits{Files: 10, Bytes: 100}, want: `runtime-1.2.0.tar.zst: unpacks to more than 100 bytes`},
		"more files than allowed":       {files: []Archive{runtime1}, limits: archive.Limits{Files: 3, Bytes: 1 << 20}, want: `runtime-1.2.0.tar.zst: holds more than 3 files`},
		"no archive":                    {files: []Archive{odd(t, nil, []byte("text"))}, want: `odd.tar.zst: is no archive, or was damaged`},
		"a file with other bytes":       {files: []Archive{odd(t, changed(t), nil)}, want: `odd.tar.zst: is not as it was built: changed: README.md`},
		"a file that is not listed":     {files: []Archive{odd(t, extra(t, "more"), nil)}, want: `odd.tar.zst: is not as it was built: not in the list of sums: more`},
		"a hidden file":                 {files: []Archive{odd(t, extra(t, "files/.git/hooks"), nil)}, want: `odd.tar.zst: "files/.git/hooks" is a hidden file, which a pack has none of`},
		"no list of sums":               {files: []Archive{odd(t, extra(t, "")[:3], nil)}, want: `odd.tar.zst: has no SHA256SUMS: it was not made by upstep`},
		"no pack":                       {files: []Archive{odd(t, []archive.File{archive.Bytes("a", nil, false)}, nil)}, want: `odd.tar.zst: is no pack: it has no pack.yaml`},
		"a service with another's name": {files: []Archive{odd(t, named(t), nil)}, want: `odd.tar.zst/pack.yaml:1:7: the pack's name "runtime" is not that of its service`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			if c.before != nil {
				c.before(t, p)
			}
			if c.limits.Files > 0 {
				p.Limits = c.limits
			}
			before := tree(t, p.dir)
			_, told := p.install(t, Options{}, c.files...)
			require.Contains(t, told, c.want)
			require.Equal(t, before, tree(t, p.dir))
			require.False(t, p.Interrupted())
			if c.before == nil {
				left, err := os.ReadDir(p.dir)
				require.NoError(t, err)
				require.Empty(t, left)
			}
		})
	}
}

// odd gives an archive of other files than a pack has, or other bytes than an archive.
func odd(t *testing.T, files []archive.File, data []byte) Archive {
	t.Helper()
	path := filepath.Join(t.TempDir(), "odd.tar.zst")
	if files != nil {
		var b bytes.Buffer
		require.NoError(t, archive.Write(&b, files))
		data = b.Bytes()
	}
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return Archive{path, "odd.tar.zst"}
}

func filesIn(t *testing.T, files map[string]string) []archive.File {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "folder")
	write(t, dir, files)
	_, list, err := Build(dir, "folder", &source.Sink{})
	require.NoError(t, err)
	return list
}

func changed(t *testing.T) []archive.File {
	t.Helper()
	list := filesIn(t, runtime("1.2.0"))
	for i := range list {
		if list[i].Path == "README.md" {
			list[i] = archive.Bytes("README.md", []byte("other"), false)
		}
	}
	return list
}

// extra gives a pack with a file that its sums do not name; the sums come last but one.
func extra(t *testing.T, name string) []archive.File {
	t.Helper()
	list := filesIn(t, runtime("1.2.0"))
	if name == "" {
		return list
	}
	return append(list, archive.Bytes(name, []byte("more"), false))
}

// named gives a pack whose service has another name, with sums that are right.
func named(t *testing.T) []archive.File {
	t.Helper()
	var list []archive.File
	var entries []archive.Entry
	for name, text := range with(runtime("1.2.0"), "service.yaml", "service_name: other\n") {
		list = append(list, archive.Bytes(name, []byte(text), false))
		entries = append(entries, archive.Entry{Path: name, SHA256: archive.Sum([]byte(text))})
	}
	return append(list, archive.Bytes(services.PackSums, archive.Sums(entries), false))
}

func TestWhatWasReplacedIsKeptAndComesBack(t *testing.T) {
	p := newProject(t)
	write(t, p.dir, map[string]string{"parameters/agent.yaml": "port: 80\n"})
	p.mustInstall(t, Options{}, built(t, agent("1.0.0")), built(t, runtime("1.2.0")))
	write(t, p.Dir, map[string]string{"agent/files/start": "mine"})
	edited := tree(t, p.dir)

	done := p.mustInstall(t, Options{Force: true}, built(t, agent("1.1.0")))
	require.Equal(t, []Done{{Pack: "agent", Version: "1.1.0", Was: "1.0.0", Kept: "services/.packs/kept/agent/0001-1.0.0", Edited: []string{"files/start"}}}, done)
	upgraded := tree(t, p.dir)
	require.Equal(t, []Done{{Pack: "agent", Version: "1.1.0", Was: "1.1.0", Unchanged: true}}, p.mustInstall(t, Options{}, built(t, agent("1.1.0"))))
	require.Equal(t, upgraded, tree(t, p.dir))

	sink := &source.Sink{}
	d, err := p.Rollback("agent", "", p.values(sink), Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	require.Equal(t, "1.0.0", d.Version)
	require.Equal(t, edited, tree(t, p.dir))

	_, err = p.Rollback("agent", "1.1.0", p.values(sink), Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	require.Equal(t, upgraded, tree(t, p.dir))

	_, err = p.Rollback("agent", "3.0.0", p.values(sink), Options{}, sink)
	require.NoError(t, err)
	require.ErrorContains(t, sink.Problems(), "version 3.0.0 of pack agent is not kept\n  hint: kept are 1.0.0")
	require.Equal(t, upgraded, tree(t, p.dir))
}

func TestARemovedPackIsKeptAndComesBack(t *testing.T) {
	p := newProject(t)
	write(t, p.dir, map[string]string{"parameters/agent.yaml": "port: 80\n"})
	p.mustInstall(t, Options{}, built(t, agent("1.0.0")), built(t, runtime("1.2.0")))
	before := tree(t, p.dir)
	sink := &source.Sink{}
	_, err := p.Remove("runtime", Options{}, sink)
	require.NoError(t, err)
	require.ErrorContains(t, sink.Problems(), "services/agent/pack.yaml:4:5: pack agent needs runtime")
	require.Equal(t, before, tree(t, p.dir))

	sink = &source.Sink{}
	d, err := p.Remove("agent", Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	require.Equal(t, Done{Pack: "agent", Was: "1.0.0", Kept: "services/.packs/kept/agent/0001-1.0.0", Removed: true}, d)
	require.NoDirExists(t, filepath.Join(p.Dir, "agent"))
	require.FileExists(t, filepath.Join(p.ValuesDir, "agent.yaml"))

	_, err = p.Rollback("agent", "", p.values(sink), Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	require.Equal(t, before, tree(t, p.dir))

	_, err = p.Remove("agnet", Options{Force: true}, sink)
	require.NoError(t, err)
	require.ErrorContains(t, sink.Problems(), "services: no pack \"agnet\" is installed\n  hint: did you mean \"agent\"?")
}

func TestAFolderWithoutPackIsReplacedAndComesBack(t *testing.T) {
	p := newProject(t)
	write(t, p.Dir, map[string]string{"old-runtime/service.yaml": "service_name: runtime\n"})
	before := tree(t, p.dir)
	done := p.mustInstall(t, Options{Force: true}, built(t, runtime("1.2.0")))
	require.Equal(t, noVersion, done[0].Was)
	require.FileExists(t, filepath.Join(p.Dir, "old-runtime", "pack.yaml"))
	sink := &source.Sink{}
	_, err := p.Rollback("runtime", "", p.values(sink), Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	require.Equal(t, before, tree(t, p.dir))
}

func TestAnInstallationIsClonedIntoAnother(t *testing.T) {
	p, q := newProject(t), newProject(t)
	const values = "port: 80 # as the firewall has it\n"
	write(t, p.dir, map[string]string{"parameters/agent.yaml": values, "services/plain.yaml": "service_name: plain\n"})
	p.mustInstall(t, Options{}, built(t, agent("1.0.0")), built(t, runtime("1.2.0")))
	sink := &source.Sink{}
	packs, files, err := p.Export(nil, true, Options{}, sink)
	require.NoError(t, err)
	require.Len(t, packs, 2)
	file := odd(t, files, nil)
	doc, of := p.values(sink).Joined([]string{"agent", "runtime"})
	require.Equal(t, []string{"agent"}, of)

	// Of the two only one is wanted, which needs the other.
	_, err = q.Import(file, []string{"agent"}, q.values(sink), nil, Options{}, sink)
	require.NoError(t, err)
	require.ErrorContains(t, sink.Problems(), "odd.tar.zst/agent/pack.yaml:4:5: pack agent needs pack runtime, which is not installed")
	left, err := os.ReadDir(q.dir)
	require.NoError(t, err)
	require.Empty(t, left)

	sink = &source.Sink{}
	v := q.values(sink)
	bring := v.Add(source.File{Name: "site.yaml", Text: []byte(doc)}, sink)
	_, err = q.Import(file, nil, v, bring, Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	got, err := os.ReadFile(filepath.Join(q.ValuesDir, "agent.yaml"))
	require.NoError(t, err)
	require.Equal(t, values, string(got))
	require.NoError(t, os.Remove(filepath.Join(p.Dir, "plain.yaml")))
	require.Equal(t, tree(t, p.dir), tree(t, q.dir))

	// An edited pack has a version that others know with other files.
	write(t, p.Dir, map[string]string{"agent/README.md": "mine"})
	_, _, err = p.Export([]string{"agent", "nix"}, false, Options{}, sink)
	require.NoError(t, err)
	require.ErrorContains(t, sink.Problems(), "services/agent: was edited since it was installed: README.md")
	require.ErrorContains(t, sink.Problems(), `services: no pack "nix" is installed`)
}

func TestABrokenExportIsRefused(t *testing.T) {
	p := newProject(t)
	p.mustInstall(t, Options{}, built(t, runtime("1.2.0")))
	_, files, err := p.Export(nil, true, Options{}, &source.Sink{})
	require.NoError(t, err)
	replaced := func(path, text string) []archive.File {
		var out []archive.File
		var entries []archive.Entry
		for _, f := range files {
			if f.Path == path {
				f = archive.Bytes(path, []byte(text), false)
			}
			sum, err := sumOf(f)
			require.NoError(t, err)
			if f.Path != services.PackSums {
				out = append(out, f)
				entries = append(entries, archive.Entry{Path: f.Path, SHA256: sum})
			}
		}
		return append(out, archive.Bytes(services.PackSums, archive.Sums(entries), false))
	}
	for name, c := range map[string]struct {
		files []archive.File
		want  string
	}{
		"a pack's own sums":           {replaced("runtime/README.md", "other"), "odd.tar.zst/runtime: is not as it was built: changed: README.md"},
		"an index of something else":  {replaced(index, "{}"), "odd.tar.zst: packs.json in it is not of this upstep"},
		"a pack that is not there":    {replaced(index, `{"format":"upstep.packs/1","packs":[{"name":"nix"}]}`), "odd.tar.zst/nix: is not as it was built: no such file or directory"},
		"a pack that leads elsewhere": {replaced(index, `{"format":"upstep.packs/1","packs":[{"name":"../x"}]}`), `odd.tar.zst: "../x" in it can be no pack`},
		"a single pack":               {filesIn(t, runtime("1.2.0")), "odd.tar.zst: is no export of packs: upstep pack install reads a single pack"},
	} {
		t.Run(name, func(t *testing.T) {
			q := newProject(t)
			sink := &source.Sink{}
			_, err := q.Import(odd(t, c.files, nil), nil, q.values(sink), nil, Options{}, sink)
			require.NoError(t, err)
			require.ErrorContains(t, sink.Problems(), c.want)
			left, err := os.ReadDir(q.dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestAFolderThatIsALinkStaysAsItIs(t *testing.T) {
	p := newProject(t)
	elsewhere := t.TempDir()
	write(t, elsewhere, runtime("1.0.0"))
	require.NoError(t, os.Mkdir(p.Dir, 0o755))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(p.Dir, "runtime")))
	const want = "services/runtime: is a link to a folder"
	_, told := p.install(t, Options{Force: true}, built(t, runtime("1.2.0")))
	require.Contains(t, told, want)
	sink := &source.Sink{}
	_, err := p.Remove("runtime", Options{Force: true}, sink)
	require.NoError(t, err)
	require.ErrorContains(t, sink.Problems(), want)
	require.FileExists(t, filepath.Join(elsewhere, "pack.yaml"))
}

func TestAChangeThatCannotBeginIsTakenBack(t *testing.T) {
	p := newProject(t)
	p.mustInstall(t, Options{}, built(t, runtime("1.2.0")))
	before := tree(t, p.dir)
	// A file stands where the old version is to be kept.
	write(t, p.Dir, map[string]string{kept + "/runtime/0001-1.2.0": "in the way"})
	err := p.carryOut("remove", []move{{Pack: "runtime", Folder: "runtime", Keep: kept + "/runtime/0001-1.2.0"}}, nil)
	require.ErrorContains(t, err, "nothing was changed: runtime: ")
	require.False(t, p.Interrupted())
	require.Equal(t, before, tree(t, p.dir))

	// What is in the way is no reason to take its number.
	sink := &source.Sink{}
	d, err := p.Remove("runtime", Options{}, sink)
	require.NoError(t, err)
	require.Empty(t, sink.Problems())
	require.Equal(t, "services/.packs/kept/runtime/0002-1.2.0", d.Kept)
}
