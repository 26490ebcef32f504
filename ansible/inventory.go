package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apenella/go-ansible/v2/pkg/inventory"
)

// Inventory gives what `ansible-inventory --list` says of the sources: files,
// folders, scripts, plugin configurations, or lists of hosts with a comma; paths are
// relative to the project. Without a source Ansible uses its own setting. The
// variables have the precedence of extra vars, and Ansible repeats them as variables
// of every host. A source that can't be read is a *SourceError, never an inventory
// without hosts.
func (t *Tool) Inventory(ctx context.Context, sources []string, extraVars map[string]any) ([]byte, error) {
	for _, s := range sources {
		if err := t.checkSource(s); err != nil {
			return nil, err
		}
	}
	more, cleanUp, err := t.inventoryArgs(sources, extraVars)
	if err != nil {
		return nil, err
	}
	defer cleanUp()
	opts := &inventory.AnsibleInventoryOptions{List: true}
	if len(sources) > 0 {
		opts.Inventory = sources[0]
	}
	out, err := t.run(ctx, command{
		make: inventory.NewAnsibleInventoryCmd(inventory.WithInventoryOptions(opts)).Command,
		more: more,
	})
	switch {
	case err != nil:
		return nil, err
	case out.code != 0:
		return nil, t.inventoryError(out, sources)
	case out.over:
		return nil, out.failed(fmt.Sprintf("more than %d MiB of output", t.most>>20))
	case !json.Valid(out.stdout):
		return nil, out.failed("its output is not JSON: " + firstLine(out.stdout))
	}
	return out.stdout, t.checkScripts(ctx, sources, out.stdout)
}

// path gives where Ansible looks for a source: it expands variables and ~.
func (t *Tool) path(s string) string {
	s = os.Expand(s, func(name string) string { return lookup(t.env, name) })
	if rest, ok := strings.CutPrefix(s, "~/"); ok {
		return filepath.Join(lookup(t.env, "HOME"), rest)
	}
	if filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(t.dir, s)
}

// inventoryArgs gives what go-ansible's options can't hold: sources after the first,
// variables in a file (arguments can be seen by every user of the machine), and the
// user's own options.
func (t *Tool) inventoryArgs(sources []string, extraVars map[string]any) (args []string, cleanUp func(), err error) {
	cleanUp = func() {}
	if len(sources) > 1 {
		for _, s := range sources[1:] {
			args = append(args, inventory.InventoryFlag+"="+s)
		}
	}
	own, err := ownArgs(t.args, inventoryOptions())
	if err != nil {
		return nil, cleanUp, err
	}
	if len(extraVars) > 0 {
		file, err := varsFile(extraVars)
		if err != nil {
			return nil, cleanUp, fmt.Errorf("write extra variables: %w", err)
		}
		cleanUp = func() { _ = os.Remove(file) }
		args = append(args, "--extra-vars=@"+file)
	}
	return append(args, own...), cleanUp, nil
}

// varsFile writes variables to a file that only this user can read.
func varsFile(vars map[string]any) (name string, err error) {
	text, err := json.Marshal(vars)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "upstep-vars-*.json") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// given turns a path of Ansible's back into the source as the user wrote it.
func (t *Tool) given(path string, sources []string) string {
	for _, s := range sources {
		if abs, err := filepath.Abs(t.path(s)); err == nil && abs == path {
			return s
		}
	}
	if dir, err := filepath.Abs(t.dir); err == nil {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

// local gives a message with the paths of the project as the user knows them.
func (t *Tool) local(message string) string {
	dir, err := filepath.Abs(t.dir)
	if err != nil {
		return message
	}
	return strings.ReplaceAll(message, dir+string(filepath.Separator), "")
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return string(line[:min(len(line), 200)])
}
