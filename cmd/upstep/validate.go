package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/source"
)

// validate checks the project, with Ansible where that is asked for.
func (a *app) validate(ctx context.Context, withAnsible, strict bool) error {
	r, err := a.loadRoute(ctx)
	if err != nil {
		return err
	}
	var summary []string
	for _, plan := range r.Hops {
		if withAnsible {
			found, err := a.checkWithAnsible(ctx, plan)
			if err != nil {
				return err
			}
			a.show(found)
			if found.Count(source.Error) > 0 {
				return a.refused(found)
			}
		}
		summary = append(summary, plan.Summary())
	}
	if strict && a.warnings > 0 {
		return codeError{fmt.Errorf("%s, and --strict takes warnings for errors", plural(a.warnings, "warning")), exitInvalid}
	}
	v := validity{true, strings.Join(summary, "\n"), append(source.Problems{}, a.problems...)}
	return a.result(v, func() { a.printf("valid: %s\n", v.Summary) })
}

// validity is what there is to say of a project.
type validity struct {
	Valid    bool            `json:"valid"`
	Summary  string          `json:"summary,omitempty"`
	Problems source.Problems `json:"problems"`
}

// refused gives problems as the error that they are, shown as a document too where one
// was asked for.
func (a *app) refused(found source.Problems) error {
	if a.output == "json" || a.output == "yaml" {
		if err := a.document(validity{Problems: found}); err != nil {
			return err
		}
	}
	return found
}

// checkWithAnsible emits into a folder of its own and lets Ansible read everything.
// What it finds is reported where the author wrote it.
func (a *app) checkWithAnsible(ctx context.Context, plan *planner.Plan) (_ source.Problems, err error) {
	tree, err := playbooks.Render(plan)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "upstep-validate-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if rerr := os.RemoveAll(dir); err == nil {
			err = rerr
		}
	}()
	all := playbooks.WithCheckBook(tree)
	if _, err := playbooks.Write(ctx, dir, all, true); err != nil {
		return nil, err
	}
	check, err := a.ansible().SyntaxCheck(ctx, dir, all.Playbooks(), ansible.MaskTask)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		return nil, usageError{err, ansible.Hint(err)}
	}
	sink := &source.Sink{}
	for _, f := range check.Findings {
		sink.Errorf(origin(tree, f.Pos), "%s", f.Message).WithHint(f.Hint)
	}
	for _, h := range check.Unchecked {
		sink.Warnf(origin(tree, h.Pos), "not checked with Ansible: %s", h.Reason).WithHint("mend the problems and check again")
	}
	return sink.Problems(), nil
}

// origin gives the place in the project for one in the emitted tree; one that belongs to
// no file of the project is named as the tree's.
func origin(tree *playbooks.Tree, at source.Pos) source.Pos {
	if file, line, ok := tree.Origin(at.File, at.Line); ok {
		return source.Pos{File: file, Line: line}
	}
	if at.File != "" && !strings.HasPrefix(at.File, "../") && !filepath.IsAbs(at.File) {
		at.File = "emitted " + at.File
	}
	return at
}
