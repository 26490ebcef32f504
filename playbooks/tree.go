// Package playbooks turns a plan into Ansible playbooks that people review and that
// are run as they stand, with upstep or without it.
package playbooks

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/upstep/upstep/planner"
)

// SumsFile lists every file of a tree with its SHA-256, as sha256sum -c reads it. It
// is also how a later emit knows which files are its own.
const SumsFile = "SHA256SUMS"

// File is one file of the emitted tree.
type File struct {
	Path       string // below the tree, with slashes
	Data       []byte
	Executable bool
}

// Tree is everything that emit writes, sorted by path.
type Tree struct {
	Files   []File
	origins map[string][]origin
}

// origin says which source lines a run of lines of an emitted file came from.
type origin struct {
	from, to int // emitted lines, from 1, to exclusive
	file     string
	line     int  // source line of the first
	around   bool // all of them were made for what stands at that line
}

// Origin gives the source file and line of a line of an emitted file: of the text that
// stands there, or of what the line was made for. Line 0 is the file as a whole.
func (t *Tree) Origin(path string, line int) (file string, sourceLine int, ok bool) {
	var best *origin
	for i, o := range t.origins[path] {
		switch {
		case line == 0 && o.around && o.from == 1 && o.to == wholeFile:
			return o.file, o.line, true
		case line < o.from || line >= o.to:
		case !o.around:
			return o.file, o.line + line - o.from, true
		case best == nil || o.to-o.from < best.to-best.from:
			best = &t.origins[path][i]
		}
	}
	if best == nil {
		return "", 0, false
	}
	return best.file, best.line, true
}

// wholeFile is behind the last line of any file.
const wholeFile = math.MaxInt

// Playbooks gives the paths of the files that are playbooks, not task files.
func (t *Tree) Playbooks() []string {
	var out []string
	for _, f := range t.Files {
		if !strings.Contains(f.Path, "/") && strings.HasSuffix(f.Path, ".yml") {
			out = append(out, f.Path)
		}
	}
	return out
}

// Render gives the tree of a plan: the same bytes for the same plan.
func Render(p *planner.Plan) (*Tree, error) {
	// The document is a quarter of the work, and needs nothing of the rest.
	var doc []byte
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { doc, err = p.Encode() })
	r := newRenderer(p)
	r.units()
	r.handlerFiles()
	r.assets()
	r.probes()
	r.playbooks()
	wg.Wait()
	if err != nil {
		return nil, err
	}
	r.add("plan.json", doc)
	r.add("README.md", []byte(r.readme()))
	t := &Tree{Files: r.files, origins: r.origins}
	slices.SortFunc(t.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for i := 1; i < len(t.Files); i++ {
		if strings.EqualFold(t.Files[i].Path, t.Files[i-1].Path) {
			return nil, fmt.Errorf("render: two files of the tree would be %s", t.Files[i].Path)
		}
	}
	t.Files = append(t.Files, File{Path: SumsFile, Data: sums(t.Files)})
	return t, nil
}

// CheckBook is the playbook of WithCheckBook.
const CheckBook = "upstep_check.yml"

// WithCheckBook gives the tree with a playbook that takes in every task file
// statically, so that a syntax check reads those too that are included while running.
func WithCheckBook(t *Tree) *Tree {
	w := &writer{}
	w.linef("---")
	w.linef("- name: Check every task file")
	w.linef("  hosts: localhost")
	w.linef("  gather_facts: false")
	w.linef("  tasks:")
	for _, f := range t.Files {
		if isTaskFile(f.Path) {
			w.linef("    - name: Check")
			w.linef("      ansible.builtin.import_tasks: %s", f.Path)
		}
	}
	out := &Tree{Files: append(slices.Clone(t.Files), File{Path: CheckBook, Data: []byte(w.String())}), origins: t.origins}
	return out
}

// isTaskFile tells task files from playbooks, handlers and the other files of packs.
func isTaskFile(path string) bool {
	if !strings.HasSuffix(path, ".yml") || !strings.Contains(path, "/") || strings.HasPrefix(path, "handlers/") {
		return false
	}
	parts := strings.Split(path, "/")
	if parts[0] == "vars" {
		return false
	}
	return parts[0] != "roles" || len(parts) == 4 && parts[2] == "tasks"
}
