package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

var (
	unknownModule = regexp.MustCompile(`unknown module "([^"]+)"`)
	roleNotFound  = regexp.MustCompile(`the role '([^']+)' was not found`)
)

// TestImportedTrainPassesAnsiblesSyntaxCheck has Ansible read everything that is emitted
// for Train. The modules and roles that TripleO brings along are stubs, which are found
// as a user's own are: through ANSIBLE_LIBRARY and ANSIBLE_ROLES_PATH.
func TestImportedTrainPassesAnsiblesSyntaxCheck(t *testing.T) {
	dir := templates(t)
	needAnsible(t, "ansible-playbook")
	tree := importedTree(t, "--templates", filepath.Join(dir, "train"), "-e", "environments/docker-ha.yaml", "-e", "environments/ceph-ansible/ceph-ansible.yaml",
		"-e", "environments/lifecycle/upgrade-prepare.yaml", "--placeholders")
	stubs := t.TempDir()
	t.Setenv("ANSIBLE_LIBRARY", filepath.Join(stubs, "library"))
	t.Setenv("ANSIBLE_ROLES_PATH", filepath.Join(stubs, "roles"))
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	stubRoles(t, tree, func(role, file string) {
		write(filepath.Join(stubs, "roles", role, "tasks", file), "- ansible.builtin.debug: {msg: stub}\n")
	})
	validate := func() (code int, found string) {
		var stdout, stderr bytes.Buffer
		a := &app{stdout: &stdout, stderr: &stderr}
		code = a.execute(t.Context(), []string{"validate", "--ansible", "-C", filepath.Dir(tree)})
		return code, stderr.String()
	}
	_, found := validate()
	require.NotRegexp(t, roleNotFound, found)
	missing := unknownModule.FindAllStringSubmatch(found, -1)
	require.NotEmpty(t, missing)
	for _, m := range missing {
		write(filepath.Join(stubs, "library", m[1]+".py"), "#!/usr/bin/python\n# Stands for a module of TripleO's.\n")
	}
	code, found := validate()
	require.Zero(t, code, found)
}

// stubRoles names every role that tasks of a tree include, with the file of its tasks.
func stubRoles(t *testing.T, tree string, stub func(role, file string)) {
	t.Helper()
	var look func(n source.Node)
	look = func(n source.Node) {
		for key, val := range n.Pairs() {
			if k := key.Text(); k == "import_role" || k == "include_role" {
				file := val.Get("tasks_from").Text()
				switch {
				case file == "":
					file = "main.yml"
				case filepath.Ext(file) == "":
					file += ".yml"
				}
				if name := val.Get("name").Text(); name != "" && !bytes.Contains([]byte(name), []byte("{{")) {
					stub(name, file)
				}
			}
			look(val)
		}
		for it := range n.Elements() {
			look(it)
		}
	}
	require.NoError(t, filepath.Walk(tree, func(path string, info os.FileInfo, err error) error {
		if err != nil || filepath.Ext(path) != ".yml" {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // of the test's own tree
		if err != nil {
			return err
		}
		if n, ok := source.ParseForeign(source.File{Name: path, Text: text}, &source.Sink{}); ok {
			look(n)
		}
		return nil
	}))
}
