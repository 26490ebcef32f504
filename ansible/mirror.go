package ansible

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var importLine = regexp.MustCompile(
	`^([ -]*)(?:(?:ansible\.(?:builtin|legacy)\.)?import_(?:tasks|playbook)|file)\s*:\s*["']?([^\s"']+)`)

var itemKeys = regexp.MustCompile(`^ *- +`)

// maxCopied is the size of the largest file that is copied; what is larger is
// payload, which a syntax check does not read, and is linked.
const maxCopied = 1 << 20

// mirror is a private copy of an emitted tree in which tasks are masked. The
// project's other files are linked beside it, where the tree's ../ paths expect them.
type mirror struct {
	top  string // removed in the end
	root string // the tree's copy, in top
	dir  string // the tree itself
}

func newMirror(dir, project string) (_ *mirror, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	top, err := os.MkdirTemp("", "upstep-check-*")
	if err != nil {
		return nil, err
	}
	m := &mirror{dir: dir}
	// Ansible names files by their real path.
	if m.top, err = filepath.EvalSymlinks(top); err != nil {
		return nil, errors.Join(err, os.RemoveAll(top))
	}
	m.root = filepath.Join(m.top, filepath.Base(dir))
	if err = errors.Join(copyTree(dir, m.root), linkBeside(project, m.root)); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *mirror) close() error { return os.RemoveAll(m.top) }

// name gives a path of Ansible's as it is in the tree, and whether it is in the copy.
func (m *mirror) name(path string) (string, bool) {
	if rel, err := filepath.Rel(m.root, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel), true
	}
	if rel, err := filepath.Rel(m.top, path); err == nil && filepath.IsLocal(rel) {
		return "../" + filepath.ToSlash(rel), false
	}
	if rel, err := filepath.Rel(filepath.Dir(m.dir), path); err == nil && filepath.IsLocal(rel) {
		return "../" + filepath.ToSlash(rel), false
	}
	return path, false
}

// unname takes the copy's place out of a message.
func (m *mirror) unname(message string) string {
	const sep = string(filepath.Separator)
	return strings.NewReplacer(m.root+sep, "", m.top+sep, "../", m.root, ".", m.top, "..").Replace(message)
}

// importer finds the line that imports a file that does not exist: Ansible names
// only the file.
func (m *mirror) importer(missing string) (at said, found bool) {
	m.eachFile(func(path string, lines []string) {
		for i, line := range lines {
			match := importLine.FindStringSubmatch(line)
			if !found && match != nil && strings.HasSuffix(missing, string(filepath.Separator)+filepath.Clean(match[2])) {
				at, found = said{path: path, line: i + 1, column: len(match[1]) + 1}, true
			}
		}
	})
	return at, found
}

// use is a task with some module: its first line, and the place of the module's key.
type use struct {
	path                string
	first, line, column int
}

// uses finds the tasks with a module, by indentation: an item of a list of tasks
// that has the module's name among its keys.
func (m *mirror) uses(module string) []use {
	var out []use
	key := moduleKey(module)
	m.eachFile(func(path string, lines []string) {
		for i, line := range lines {
			match := key.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			first, _, found := enclosing(lines, i+1)
			if found && len(itemKeys.FindString(lines[first])) == len(match[1]) && ofTasks(lines, first) {
				out = append(out, use{path: path, first: first + 1, line: i + 1, column: len(match[1]) + 1})
			}
		}
	})
	return out
}

// ofTasks tells whether the list that an item stands in is one of tasks: under a key
// that says so, or a file of its own.
func ofTasks(lines []string, first int) bool {
	indent := indentOf(lines[first])
	for i := first - 1; i >= 0; i-- {
		text := strings.TrimSpace(lines[i])
		under := indentOf(lines[i]) < indent || indentOf(lines[i]) == indent && !strings.HasPrefix(text, "-")
		if text != "" && text[0] != '#' && under && text != "---" {
			return taskList.MatchString(lines[i])
		}
	}
	return indent == 0
}

func moduleKey(name string) *regexp.Regexp {
	return regexp.MustCompile(`^([ -]*)["']?` + regexp.QuoteMeta(name) + `["']?\s*:`)
}

// eachFile calls with the lines of every YAML file of the copy, by name.
func (m *mirror) eachFile(do func(path string, lines []string)) {
	_ = filepath.WalkDir(m.root, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || !d.Type().IsRegular() || ext != ".yml" && ext != ".yaml" {
			return nil
		}
		if text, err := os.ReadFile(path); err == nil {
			do(path, strings.Split(string(text), "\n"))
		}
		return nil
	})
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, rel), d)
	})
}

func copyEntry(path, target string, d fs.DirEntry) error {
	switch {
	case d.IsDir():
		return os.MkdirAll(target, 0o700)
	case d.Type() == fs.ModeSymlink:
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case !d.Type().IsRegular():
		return nil // a socket or the like is no part of a playbook
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	if info.Size() > maxCopied {
		return os.Symlink(path, target)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(target, text, 0o600|info.Mode().Perm()&0o100)
}

// linkBeside links what stands in the project beside the tree, except for the tree.
func linkBeside(project, root string) error {
	project, err := filepath.Abs(project)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(project)
	if err != nil {
		return fmt.Errorf("read the project's folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == filepath.Base(root) {
			continue
		}
		if err := os.Symlink(filepath.Join(project, e.Name()), filepath.Join(filepath.Dir(root), e.Name())); err != nil {
			return err
		}
	}
	return nil
}
