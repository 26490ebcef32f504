package main

import (
	"context"
	"fmt"
	"os"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/source"
)

// validate checks the project, with Ansible where that is asked for.
func (a *app) validate(ctx context.Context, withAnsible, strict bool) error {
	plan, err := a.load(ctx)
	if err != nil {
		return err
	}
	if withAnsible {
		found, err := a.checkWithAnsible(ctx, plan)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			a.show(found)
			if a.output != "table" {
				if err := a.document(struct {
					Valid    bool            `json:"valid"`
					Problems source.Problems `json:"problems"`
				}{false, found}); err != nil {
					return err
				}
			}
			return found
		}
	}
	if strict && a.warnings > 0 {
		return codeError{fmt.Errorf("%s, and --strict takes warnings for errors", plural(a.warnings, "warning")), exitInvalid}
	}
	if a.output != "table" {
		return a.document(struct {
			Valid    bool            `json:"valid"`
			Summary  string          `json:"summary"`
			Problems source.Problems `json:"problems"`
		}{true, plan.Summary(), append(source.Problems{}, a.problems...)})
	}
	a.printf("valid: %s\n", plan.Summary())
	return nil
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
		return nil, usageError{err, ansible.Hint(err)}
	}
	sink := &source.Sink{}
	for _, f := range check.Findings {
		at := source.Pos{File: f.File, Line: f.Line, Column: f.Column}
		if file, line, ok := tree.Origin(f.File, f.Line); ok {
			at = source.Pos{File: file, Line: line}
		}
		sink.Errorf(at, "%s", f.Message).WithHint(f.Hint)
	}
	for _, book := range check.Unchecked {
		sink.Errorf(source.Pos{}, "%s was not checked to its end: mend the problems above and check again", book)
	}
	return sink.Problems(), nil
}
