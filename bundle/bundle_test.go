package bundle

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

const static = "../testdata/bundle/elf-amd64"

// sample gives what a small bundle is made of, its project in a folder of its own.
func sample(t *testing.T) Content {
	t.Helper()
	project := t.TempDir()
	write(t, project, map[string]string{"payload/app.tar": "the app\n", "ansible.cfg": "[defaults]\n"})
	plan := &planner.Plan{
		Format: planner.Format, Name: "shop", Ordering: "barrier",
		Roles:    []planner.Role{{Name: "Web", Hosts: "web"}},
		Before:   []planner.Deployment{{Hosts: "db-1"}, {Hosts: "all"}},
		Services: []planner.Service{{Name: "app", Artefacts: []planner.Artefact{{File: "payload/app.tar", SHA256: archive.Sum([]byte("the app\n"))}}}},
	}
	return Content{
		Name: "shop-upgrade", Version: "4.0.1", Upstep: "devel", OldestAnsible: "2.14", Project: project, Binary: static,
		Route: &planner.Route{Hops: []*planner.Plan{plan}}, More: []string{"ansible.cfg"},
		Tree: &playbooks.Tree{Files: []playbooks.File{
			{Path: "plan.json", Data: []byte("{}\n")},
			{Path: "roles/app/files/start.sh", Data: []byte("#!/bin/sh\n"), Executable: true},
			{Path: "upgrade.yml", Data: []byte("---\n")},
		}},
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// built makes the folder of a bundle.
func built(t *testing.T, c Content) (string, *Manifest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	m, err := Build(t.Context(), c, dir)
	require.NoError(t, err)
	return dir, m
}

// packed makes a bundle of a form.
func packed(t *testing.T, c Content, form Form) string {
	t.Helper()
	dir, m := built(t, c)
	path := filepath.Join(t.TempDir(), "b"+string(form))
	require.NoError(t, Create(t.Context(), dir, m, form, path))
	return path
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

var forms = []Form{Archive, Deb, RPM}

func TestTheSameInputGivesTheSameBytesElsewhereAndLater(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			c := sample(t)
			first := content(t, packed(t, c, form))
			t.Setenv("SOURCE_DATE_EPOCH", "1234567890")
			again := sample(t)
			later := time.Now().Add(time.Hour)
			require.NoError(t, os.Chtimes(filepath.Join(again.Project, "payload/app.tar"), later, later))
			require.NoError(t, os.Chmod(filepath.Join(again.Project, "payload/app.tar"), 0o600))
			time.Sleep(1100 * time.Millisecond) // times are written in seconds
			require.True(t, bytes.Equal(first, content(t, packed(t, again, form))))
		})
	}
}

func TestABundleSaysWhatItIs(t *testing.T) {
	for _, form := range forms {
		r, err := VerifyFile(t.Context(), packed(t, sample(t), form), "devel", nil)
		require.NoError(t, err, form)
		require.Equal(t, "shop-upgrade", r.Name)
		require.Equal(t, "amd64", r.Architecture)
		require.Equal(t, Itself, r.Inventory)
		require.Equal(t, []Artefact{{"payload/app.tar", archive.Sum([]byte("the app\n"))}}, r.Artefacts)
		require.Equal(t, []string{"bin/upstep", "project/playbooks/roles/app/files/start.sh", "upgrade"}, r.Executable)
		require.Equal(t, 10, r.Files)
		require.False(t, r.Trusted)
	}
}

func TestWhateverWasChangedInAFolderIsNamed(t *testing.T) {
	flip := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			data := content(t, filepath.Join(dir, name))
			data[len(data)/2] ^= 1
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
		}
	}
	for name, c := range map[string]struct {
		do   func(*testing.T, string)
		want []Difference
	}{
		"a playbook":   {flip("project/playbooks/upgrade.yml"), []Difference{{"project/playbooks/upgrade.yml", "changed"}}},
		"the binary":   {flip("bin/upstep"), []Difference{{"bin/upstep", "changed"}}},
		"an artefact":  {flip("project/payload/app.tar"), []Difference{{"project/payload/app.tar", "changed"}}},
		"the launcher": {flip("upgrade"), []Difference{{"upgrade", "changed"}}},
		"the manifest": {flip("MANIFEST.json"), []Difference{{"MANIFEST.json", "changed"}}},
		"a sum": {func(t *testing.T, dir string) {
			t.Helper()
			sums := string(content(t, filepath.Join(dir, SumsFile)))
			write(t, dir, map[string]string{SumsFile: strings.Replace(sums, archive.Sum([]byte("---\n")), archive.Sum([]byte("other")), 1)})
		}, []Difference{{"project/playbooks/upgrade.yml", "changed"}}},
		"a file is gone, and another is there": {func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, "project/ansible.cfg")))
			write(t, dir, map[string]string{"project/library/ping.py": "print()\n"})
		}, []Difference{{"project/ansible.cfg", "missing"}, {"project/library/ping.py", "does not belong"}}},
		"the list of sums is gone": {func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, SumsFile)))
		}, []Difference{{SumsFile, "missing"}}},
		"a file and its line in the list": {func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(dir, LauncherFile)))
			var kept []string
			for line := range strings.Lines(string(content(t, filepath.Join(dir, SumsFile)))) {
				if !strings.HasSuffix(line, "  upgrade\n") {
					kept = append(kept, line)
				}
			}
			write(t, dir, map[string]string{SumsFile: strings.Join(kept, "")})
		}, []Difference{{LauncherFile, "missing"}}},
		"a link in the place of a file": {func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, "project/payload/app.tar")
			require.NoError(t, os.Rename(path, filepath.Join(dir, "..", "app.tar")))
			require.NoError(t, os.Symlink(filepath.Join(dir, "..", "app.tar"), path))
		}, []Difference{{"project/payload/app.tar", "is no regular file"}}},
		"a file that runs": {func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.Chmod(filepath.Join(dir, "project/inventory/hosts.yml"), 0o755))
		}, []Difference{{"project/inventory/hosts.yml", "its mode was changed: it must not be executable"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := built(t, sample(t))
			_, err := VerifyFolder(dir, nil)
			require.NoError(t, err)
			c.do(t, dir)
			_, err = VerifyFolder(dir, nil)
			require.Equal(t, &ChangedError{dir, c.want}, err)
		})
	}
}

func TestTheRecordOfRunsIsNoChange(t *testing.T) {
	dir, _ := built(t, sample(t))
	write(t, dir, map[string]string{"project/.upstep/journal.db": "record"})
	_, err := VerifyFolder(dir, nil)
	require.NoError(t, err)
}

// TestOneByteChangedInAFileIsRefused goes through the whole file: headers, scripts,
// padding and what is packed.
func TestOneByteChangedInAFileIsRefused(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			path := packed(t, sample(t), form)
			good := content(t, path)
			step := max(1, len(good)/150)
			for at := 0; at < len(good); at += step {
				bad := bytes.Clone(good)
				bad[at] ^= 1
				require.NoError(t, os.WriteFile(path, bad, 0o644))
				_, err := VerifyFile(t.Context(), path, "devel", nil)
				require.Error(t, err, "byte %d of %d", at, len(good))
			}
			for what, bad := range map[string][]byte{"more behind its end": append(bytes.Clone(good), 0), "cut off": good[:len(good)-1], "empty": {}} {
				require.NoError(t, os.WriteFile(path, bad, 0o644))
				_, err := VerifyFile(t.Context(), path, "devel", nil)
				require.Error(t, err, what)
			}
		})
	}
}

func TestAPackageOfAnotherVersionIsNotVouchedFor(t *testing.T) {
	path := packed(t, sample(t), Deb)
	_, err := VerifyFile(t.Context(), path, "another", nil)
	require.NoError(t, err, "the same bytes come of it")
	data := content(t, path)
	data[len("!<arch>\ndebian-binary   3")]++ // the time of an entry
	require.NoError(t, os.WriteFile(path, data, 0o644))
	_, err = VerifyFile(t.Context(), path, "another", nil)
	require.ErrorContains(t, err, "upstep devel made it; verify with that one")
}

func TestWithAKeyOnlyWhatItSignedIsTaken(t *testing.T) {
	key := func() (Key, *SignKey) {
		public, private, err := minisign.GenerateKey(nil)
		require.NoError(t, err)
		return public, &private
	}
	ours, private := key()
	theirs, _ := key()
	c := sample(t)
	plain, _ := built(t, c)
	c.SignKey = private
	signed, _ := built(t, c)

	r, err := VerifyFolder(signed, []Key{theirs, ours})
	require.NoError(t, err)
	require.True(t, r.Trusted)
	r, err = VerifyFolder(signed, nil)
	require.NoError(t, err)
	require.False(t, r.Trusted)
	require.NotEmpty(t, r.SignedBy)

	var untrusted *UntrustedError
	_, err = VerifyFolder(plain, []Key{ours})
	require.ErrorAs(t, err, &untrusted)
	require.EqualError(t, err, "the bundle is not signed")
	_, err = VerifyFolder(signed, []Key{theirs})
	require.ErrorContains(t, err, "which is not trusted here")

	// Whoever changes a file and its sum cannot sign the list.
	write(t, signed, map[string]string{"project/playbooks/upgrade.yml": "- hosts: all\n"})
	sums := strings.Replace(string(content(t, filepath.Join(signed, SumsFile))), archive.Sum([]byte("---\n")), archive.Sum([]byte("- hosts: all\n")), 1)
	write(t, signed, map[string]string{SumsFile: sums})
	_, err = VerifyFolder(signed, []Key{ours})
	require.EqualError(t, err, "the bundle has a signature that does not belong to its list of sums")

	for _, form := range forms {
		path := packed(t, c, form)
		require.Equal(t, content(t, path), content(t, packed(t, c, form)), "signing names no time")
		_, err := VerifyFile(t.Context(), path, "devel", []Key{ours})
		require.NoError(t, err)
		_, err = VerifyFile(t.Context(), path, "devel", []Key{theirs})
		require.ErrorAs(t, err, &untrusted)
	}
}

func TestKeysAreReadAsMinisignWritesThem(t *testing.T) {
	public, private, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	text, err := public.MarshalText()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, form := range []string{string(text), lines[len(lines)-1], "\n" + string(text) + "\n"} {
		k, err := ParseKey(form)
		require.NoError(t, err)
		require.True(t, k.Equal(public))
	}
	_, err = ParseKey("minisign.pub")
	require.Error(t, err)

	open, err := private.MarshalText()
	require.NoError(t, err)
	k, err := ParseSignKey(open, "")
	require.NoError(t, err)
	require.True(t, k.Equal(private))
	_, err = ParseSignKey([]byte("no key"), "")
	require.EqualError(t, err, "is no private key of minisign")
}

func TestTheMachineItselfStandsInEveryGroupOfThePlan(t *testing.T) {
	dir, _ := built(t, sample(t))
	require.Equal(t, `# The machine that the bundle is run on, in every group of the plan.
all:
  hosts:
    localhost:
      ansible_connection: local
      ansible_python_interpreter: auto_silent
  children:
    "db-1": {hosts: {localhost: {}}}
    "web": {hosts: {localhost: {}}}
`, string(content(t, filepath.Join(dir, "project/inventory/hosts.yml"))))
	c := sample(t)
	c.Route.Hops[0].Roles[0].Hosts = "web:!db-1"
	c.Route.Hops[0].Before = []planner.Deployment{{Hosts: "web[0]"}}
	_, err := Build(t.Context(), c, filepath.Join(t.TempDir(), "b"))
	require.Equal(t, &PatternError{[]string{"web:!db-1", "web[0]"}}, err)
}

func TestAPlanForTheMachineItselfKnowsItWhereRolesShareIt(t *testing.T) {
	c := sample(t)
	plan := c.Route.Hops[0]
	plan.Roles = append(plan.Roles, planner.Role{Name: "Db", Hosts: "db-1"})
	_, err := Build(t.Context(), c, filepath.Join(t.TempDir(), "b"))
	var shared *SharedError
	require.ErrorAs(t, err, &shared)
	require.Equal(t, []string{"Web", "Db"}, shared.Roles)
	plan.HostsKnown = true
	plan.Roles[0].Members, plan.Roles[1].Members = []string{"localhost"}, []string{"localhost"}
	dir, m := built(t, c)
	require.Equal(t, Itself, m.Inventory)
	require.Equal(t, shared.Inventory, string(content(t, filepath.Join(dir, "project/inventory/hosts.yml"))))
}

func TestAnInventoryTravelsWithItsVariables(t *testing.T) {
	site := t.TempDir()
	write(t, site, map[string]string{"hosts.ini": "w1\n", "group_vars/all.yml": "a: 1\n", "unrelated": ""})
	c := sample(t)
	c.Inventory = filepath.Join(site, "hosts.ini")
	dir, m := built(t, c)
	require.Equal(t, Included, m.Inventory)
	require.FileExists(t, filepath.Join(dir, "project/inventory/hosts.ini"))
	require.FileExists(t, filepath.Join(dir, "project/inventory/group_vars/all.yml"))
	require.NoFileExists(t, filepath.Join(dir, "project/inventory/unrelated"))
	c.Inventory = site
	dir, _ = built(t, c)
	require.FileExists(t, filepath.Join(dir, "project/inventory/unrelated"))
	c = sample(t)
	c.Route.Hops[0].HostsKnown = true
	c.Route.Hops[0].Roles[0].Members = []string{"web1"}
	dir, m = built(t, c)
	require.Equal(t, Site, m.Inventory)
	require.NoDirExists(t, filepath.Join(dir, "project/inventory"))
}

func TestWhatCannotTravelIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*testing.T, *Content)
		want   string
	}{
		"an artefact that is missing": {func(t *testing.T, c *Content) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(c.Project, "payload/app.tar")))
		}, "no such file"},
		"an artefact that is another": {func(t *testing.T, c *Content) {
			t.Helper()
			write(t, c.Project, map[string]string{"payload/app.tar": "another\n"})
		}, "payload/app.tar is not what was planned"},
		"a binary that needs libraries": {func(_ *testing.T, c *Content) { c.Binary = "/bin/sh" }, "/bin/sh is linked dynamically"},
		"a binary that is none":         {func(_ *testing.T, c *Content) { c.Binary = "bundle_test.go" }, "is no binary for Linux"},
		"a file that is not of the project": {func(_ *testing.T, c *Content) {
			c.More = []string{"../elsewhere"}
		}, "../elsewhere is not below the project"},
		"a socket": {func(t *testing.T, c *Content) {
			t.Helper()
			require.NoError(t, os.Symlink("/dev/null", filepath.Join(c.Project, "null")))
			c.More = []string{"null"}
		}, "is no regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			content := sample(t)
			c.change(t, &content)
			_, err := Build(t.Context(), content, filepath.Join(t.TempDir(), "b"))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAnotherArchitectureIsTakenFromTheBinary(t *testing.T) {
	c := sample(t)
	c.Binary = "../testdata/bundle/elf-arm64"
	dir, m := built(t, c)
	require.Equal(t, "arm64", m.Architecture)
	require.Contains(t, string(content(t, filepath.Join(dir, LauncherFile))), `[ "$(uname -m)" = 'aarch64' ]`)
}

func TestABundleThatIsNotFinishedLeavesTheOldOne(t *testing.T) {
	for _, form := range forms {
		dir, m := built(t, sample(t))
		path := filepath.Join(t.TempDir(), "b"+string(form))
		require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, Create(ctx, dir, m, form, path), context.Canceled)
		require.Equal(t, "old", string(content(t, path)))
		left, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, left, 1)
	}
}

func TestABundleIsFoundThoughItLostFiles(t *testing.T) {
	dir, _ := built(t, sample(t))
	dir, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	for _, gone := range []string{"", ManifestFile, SumsFile} {
		if gone != "" {
			require.NoError(t, os.Remove(filepath.Join(dir, gone)))
		}
		root, ok := Above(filepath.Join(dir, "project"))
		require.True(t, ok)
		require.Equal(t, dir, root)
	}
	_, ok := Above(t.TempDir())
	require.False(t, ok)
}

func TestPackagesAreReadByTheirNames(t *testing.T) {
	dir := t.TempDir()
	_, err := Given(dir)
	require.ErrorContains(t, err, "holds no package of ansible-core")
	write(t, dir, map[string]string{"ansible-core_2.14.18-0+deb12u2_all.deb": "", "openssh-client_1%3a9.2p1-2_amd64.deb": "", "README": ""})
	a, err := Given(dir)
	require.NoError(t, err)
	require.Equal(t, []Package{
		{"ansible-core", "2.14.18-0+deb12u2", "ansible-core_2.14.18-0+deb12u2_all.deb"},
		{"openssh-client", "1:9.2p1-2", "openssh-client_1%3a9.2p1-2_amd64.deb"},
	}, a.Packages)
	write(t, dir, map[string]string{"other.deb": ""})
	_, err = Given(dir)
	require.ErrorContains(t, err, "other.deb is not named as a package is")
}
