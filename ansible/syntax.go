package ansible

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/apenella/go-ansible/v2/pkg/playbook"

	"github.com/upstep/upstep/source"
)

// MaxFindings bounds how many problems one check reports: each costs a run.
const MaxFindings = 50

// Finding is one problem that Ansible sees in an emitted tree. File is relative to
// the tree, with slashes; it and the line are empty where Ansible names no place.
type Finding struct {
	source.Pos
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Module  string `json:"module,omitempty"` // of a task whose module is unknown, its name as written
}

// Check is what a syntax check found, sorted by place, and what it could not look
// at behind that, each with the reason.
type Check struct {
	Findings  []Finding `json:"findings"`
	Unchecked []Hidden  `json:"unchecked,omitempty"`
}

// Hidden is a place of the tree behind which problems may stand that were not seen.
type Hidden struct {
	source.Pos
	Reason string `json:"reason"`
}

// String gives the place, and the reason in brackets.
func (h Hidden) String() string { return h.Short() + " (" + h.Reason + ")" }

// Mask neutralises the task at a line of a file, in the check's private copy of the
// tree, so that Ansible gets to the next problem; the other lines keep their numbers.
// Line 0 is the file as a whole. It reports whether it changed anything.
type Mask func(path string, line int) bool

// SyntaxCheck runs `ansible-playbook --syntax-check` on playbooks of a tree (paths
// relative to it) until every problem is known: Ansible stops at the first, so what
// was found is masked and the rest checked again. A nil mask is MaskTask. The tree is
// not changed. What the playbooks include at run time (include_tasks) is not seen.
func (t *Tool) SyntaxCheck(ctx context.Context, dir string, playbooks []string, mask Mask) (Check, error) {
	if mask == nil {
		mask = MaskTask
	}
	m, err := newMirror(dir, t.dir)
	if err != nil {
		return Check{}, fmt.Errorf("copy %s for the syntax check: %w", dir, err)
	}
	c := &checker{tool: t, mirror: m, mask: mask, known: map[string]bool{}, handed: map[source.Pos]bool{}}
	err = errors.Join(c.check(ctx, playbooks), m.close())
	slices.SortStableFunc(c.Findings, func(a, b Finding) int {
		return cmp.Or(a.Compare(b.Pos), cmp.Compare(a.Message, b.Message))
	})
	c.Findings = slices.Compact(c.Findings)
	slices.SortStableFunc(c.Unchecked, func(a, b Hidden) int {
		return cmp.Or(a.Compare(b.Pos), cmp.Compare(a.Reason, b.Reason))
	})
	c.Unchecked = slices.Compact(c.Unchecked)
	return c.Check, err
}

type checker struct {
	Check
	tool   *Tool
	mirror *mirror
	mask   Mask
	runs   int
	known  map[string]bool     // modules asked for by name
	handed map[source.Pos]bool // lines that were masked: what is wrong there is the mask's
}

// check finds the problems of the playbooks. One that can't be masked hides those
// after it, so the playbooks are then checked in halves.
func (c *checker) check(ctx context.Context, playbooks []string) error {
	for len(playbooks) > 0 {
		if c.runs++; len(c.Findings) >= MaxFindings || c.runs > 4*MaxFindings {
			for _, p := range playbooks {
				c.hide(source.Pos{File: p}, fmt.Sprintf("the check ended after %d problems", len(c.Findings)))
			}
			return nil
		}
		s, clean, err := c.tool.syntax(ctx, c.mirror.root, playbooks)
		if err != nil || clean {
			return err
		}
		more, err := c.take(ctx, s)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		if half := len(playbooks) / 2; half > 0 {
			return errors.Join(c.check(ctx, playbooks[:half]), c.check(ctx, playbooks[half:]))
		}
		c.hide(source.Pos{File: playbooks[0]}, "what comes after its problem")
		return nil
	}
	return nil
}

// take keeps a problem and masks its place; more tells whether it is out of the way.
func (c *checker) take(ctx context.Context, s said) (more bool, err error) {
	if m := missing.FindStringSubmatch(s.message); m != nil && s.path == "" {
		s.message = m[1] + " does not exist"
		if at, found := c.mirror.importer(m[1]); found {
			s.path, s.line, s.column = at.path, at.line, at.column
		}
	}
	f := Finding{Message: c.mirror.unname(noRole.ReplaceAllString(s.message, "t$1"))}
	inside := false
	if s.path != "" {
		f.File, inside = c.mirror.name(s.path)
		f.Line, f.Column = s.line, s.column
	}
	at := source.Pos{File: f.File, Line: f.Line}
	if !inside || !c.handed[at] {
		if err := c.explain(ctx, &f, s); err != nil {
			return false, err
		}
		c.Findings = append(c.Findings, f)
	}
	if !inside {
		return false, nil
	}
	if s.yaml {
		c.hide(source.Pos{File: f.File}, "not valid YAML")
		c.handed[at] = true
		return c.mask(s.path, 0), nil // nothing of the file can be read
	}
	before, _ := os.ReadFile(s.path)
	more = c.mask(s.path, s.line)
	after, _ := os.ReadFile(s.path)
	if more && (c.handed[at] || hides(string(before), string(after))) {
		c.hide(at, "what stands in the same block, play or file")
	}
	c.handed[at] = true
	if f.Module != "" {
		c.same(f, at)
	}
	return more, nil
}

// same takes the other tasks with the same unknown module: one run would go for each.
func (c *checker) same(f Finding, at source.Pos) {
	for _, use := range c.mirror.uses(f.Module) {
		g := f
		g.File, _ = c.mirror.name(use.path)
		g.Line, g.Column = use.line, use.column
		place := source.Pos{File: g.File, Line: use.first}
		if len(c.Findings) >= MaxFindings || place == at || c.handed[place] {
			continue
		}
		c.handed[place] = true
		c.Findings = append(c.Findings, g)
		c.mask(use.path, use.first)
	}
}

func (c *checker) hide(at source.Pos, reason string) {
	c.Unchecked = append(c.Unchecked, Hidden{Pos: at, Reason: reason})
}

// hides tells whether a mask took other tasks away with the one it was for.
func hides(before, after string) bool {
	now := strings.Split(after, "\n")
	for i, line := range strings.Split(before, "\n") {
		if (i >= len(now) || line != now[i]) && taskList.MatchString(line) {
			return true
		}
	}
	return false
}

var taskList = regexp.MustCompile(`^[ -]*(block|rescue|always|tasks|pre_tasks|post_tasks|handlers|roles)\s*:`)

// explain says in words what Ansible's two messages for an unknown module mean: with
// free text as its value, it speaks of extra params and lists forty modules.
func (c *checker) explain(ctx context.Context, f *Finding, s said) error {
	name := ""
	if m := unknown.FindStringSubmatch(s.message); m != nil {
		name = m[1]
	} else if m := freeText.FindStringSubmatch(s.message); m != nil {
		known, err := c.isModule(ctx, m[1])
		if err != nil {
			return err
		}
		if known {
			f.Message = fmt.Sprintf("module %q takes no free text", m[1])
			f.Hint = "give its parameters by name"
			return nil
		}
		name = m[1]
	}
	if name == "" {
		return nil
	}
	f.Module, f.Message, f.Hint = name, fmt.Sprintf("unknown module %q", name), ModuleHint(name)
	f.Line, f.Column = keyPlace(s, name)
	return nil
}

// isModule asks Ansible itself: modules come from collections and from the project.
func (c *checker) isModule(ctx context.Context, name string) (bool, error) {
	if slices.Contains(builtins(), strings.TrimPrefix(name, builtin)) {
		return true, nil
	}
	if known, asked := c.known[name]; asked {
		return known, nil
	}
	const probe = ".upstep-probe.yml"
	key, err := json.Marshal(name)
	if err != nil {
		return false, err
	}
	text := fmt.Appendf(nil, "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - %s: {}\n", key)
	if err := os.WriteFile(filepath.Join(c.mirror.root, probe), text, 0o600); err != nil {
		return false, err
	}
	s, clean, err := c.tool.syntax(ctx, c.mirror.root, []string{probe})
	if err = errors.Join(err, os.Remove(filepath.Join(c.mirror.root, probe))); err != nil {
		return false, err
	}
	c.known[name] = clean || !unknown.MatchString(s.message)
	return c.known[name], nil
}

// keyPlace gives the line of the task's key, where Ansible gives the task's first.
func keyPlace(s said, name string) (line, column int) {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return s.line, s.column
	}
	lines := strings.Split(string(text), "\n")
	first, end, found := enclosing(lines, s.line)
	if !found {
		return s.line, s.column
	}
	key := moduleKey(name)
	for i, l := range lines[first:end] {
		if m := key.FindStringSubmatch(l); m != nil && len(m[1])+1 == s.column {
			return first + i + 1, s.column
		}
	}
	return s.line, s.column
}

// syntax checks the playbooks once; said holds the problem unless they are clean.
func (t *Tool) syntax(ctx context.Context, root string, playbooks []string) (_ said, clean bool, err error) {
	more, err := ownArgs(t.args, syntaxOptions())
	if err != nil {
		return said{}, false, err
	}
	paths := make([]string, len(playbooks))
	for i, p := range playbooks {
		paths[i] = filepath.Join(root, p)
	}
	cmd := playbook.NewAnsiblePlaybookCmd(
		playbook.WithPlaybooks(paths...),
		playbook.WithPlaybookOptions(&playbook.AnsiblePlaybookOptions{SyntaxCheck: true, Inventory: "localhost,"}),
	)
	out, err := t.run(ctx, command{make: cmd.Command, more: more})
	if err != nil || out.code == 0 {
		return said{}, err == nil, err
	}
	blocks := errorBlocks(string(out.stderr))
	if len(blocks) == 0 || out.code == 250 { // Ansible's own crash
		return said{}, false, out.failed(t.scrub(essential(string(out.stderr))))
	}
	s := parseBlock(blocks[len(blocks)-1])
	s.message = t.scrub(s.message)
	return s, false, nil
}
