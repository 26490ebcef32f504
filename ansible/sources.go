package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apenella/go-ansible/v2/pkg/inventory"

	"github.com/upstep/upstep/source"
)

// checkSource finds what Ansible would not say: that a file is missing, closed to this
// user, or a script that can't be started.
func (t *Tool) checkSource(s string) error {
	if s == "" {
		return &SourceError{Message: "the source is empty"}
	}
	if strings.Contains(s, ",") {
		return nil // a list of hosts
	}
	return t.unusable(s, t.path(s))
}

// unusable gives the error of the first of some files that can't be used, for the
// source that they are or stand in.
func (t *Tool) unusable(s string, files ...string) error {
	for _, f := range files {
		err := checkFile(f)
		var pathErr *fs.PathError
		switch {
		case err == nil:
			continue
		case !errors.As(err, &pathErr):
			return &SourceError{Pos: source.Pos{File: s}, Message: err.Error()}
		case f != t.path(s):
			s = t.given(f, nil)
		}
		return &SourceError{Pos: source.Pos{File: s}, Message: pathErr.Err.Error(), hint: Hint(err)}
	}
	return nil
}

// filesOf gives a file, or the files of a folder that Ansible takes for sources.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	var out []string
	for _, e := range entries {
		name := e.Name()
		info, err := os.Stat(filepath.Join(path, name))
		if err == nil && info.Mode().IsRegular() && name[0] != '.' && name[len(name)-1] != '~' &&
			!slices.Contains([]string{".pyc", ".pyo", ".bak", ".rpm", ".md", ".txt", ".rst", ".orig", ".retry", ".swp", ".cfg"}, filepath.Ext(name)) {
			out = append(out, filepath.Join(path, name))
		}
	}
	return out, err
}

// notExecutableError is a script that nobody may run.
type notExecutableError struct{}

// Error says so.
func (notExecutableError) Error() string { return "begins as a script (#!) but is not executable" }

// Hint says how to mend it.
func (notExecutableError) Hint() string { return "chmod +x it; a file of hosts has no #! line" }

func checkFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		_, err := os.ReadDir(path)
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // a pipe is read once
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		// What may be run need not be readable.
		if errors.Is(err, fs.ErrPermission) && info.Mode()&0o111 != 0 {
			return nil
		}
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	head := make([]byte, 2)
	if _, err := io.ReadFull(f, head); err != nil || string(head) != "#!" {
		return nil //nolint:nilerr // a short file is no script
	}
	if info.Mode()&0o111 == 0 && !isData(path) {
		return &fs.PathError{Op: "run", Path: path, Err: notExecutableError{}}
	}
	return nil
}

// isData tells whether a file's name says that it holds hosts, whatever its mode says.
func isData(path string) bool {
	return slices.Contains([]string{".yml", ".yaml", ".json", ".ini", ".toml"}, filepath.Ext(path))
}

// isScript tells whether Ansible runs the file, and not only reads it.
func isScript(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || isData(path) {
		return false
	}
	return info.Mode()&0o111 != 0
}

// checkScripts makes sure that what came out of scripts is their output. Where a script
// fails, Ansible goes on to read its text as a list of hosts, and may succeed. A script
// of which the inventory has every line as a host is asked once more, as a script only.
func (t *Tool) checkScripts(ctx context.Context, sources []string, list []byte) error {
	var hosts map[string]bool
	for _, s := range sources {
		if strings.Contains(s, ",") {
			continue
		}
		files, err := filesOf(t.path(s))
		if err != nil {
			continue
		}
		for _, f := range files {
			if !isScript(f) {
				continue
			}
			if hosts == nil {
				hosts = hostsOf(list)
			}
			if !looksRead(f, hosts) {
				continue
			}
			if f, err = filepath.Abs(f); err != nil {
				return err
			}
			only := t.with("ANSIBLE_INVENTORY_ENABLED=script")
			out, err := only.run(ctx, command{make: inventory.NewAnsibleInventoryCmd(
				inventory.WithInventoryOptions(&inventory.AnsibleInventoryOptions{List: true, Inventory: f})).Command})
			if err != nil {
				return err
			}
			if out.code != 0 {
				return t.inventoryError(out, append(slices.Clone(sources), t.given(f, nil)))
			}
		}
	}
	return nil
}

// hostsOf gives the names of all hosts in the output of ansible-inventory.
func hostsOf(list []byte) map[string]bool {
	var groups map[string]json.RawMessage
	_ = json.Unmarshal(list, &groups)
	out := map[string]bool{}
	for _, g := range groups {
		var group struct{ Hosts []string }
		_ = json.Unmarshal(g, &group)
		for _, h := range group.Hosts {
			out[h] = true
		}
	}
	return out
}

// looksRead tells whether every line of a script is a host of the inventory.
func looksRead(path string, hosts map[string]bool) bool {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil || bytes.IndexByte(text, 0) >= 0 {
		return false
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.ContainsAny(line[:1], "#;") {
			continue
		}
		word := strings.Trim(strings.Fields(line)[0], `"'`)
		if !hosts[word] {
			return false
		}
	}
	return true
}
