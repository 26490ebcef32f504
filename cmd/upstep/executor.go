package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/runner"
)

// terminateGrace is what Ansible has for cleaning up after its second signal.
const terminateGrace = 5 * time.Second

// executor runs the playbooks of a run with Ansible.
type executor struct {
	tool *ansible.Tool
	root string      // what folders of processes are below
	job  ansible.Job // of all of them
}

var _ runner.Executor = executor{}

// Start starts a playbook.
func (e executor) Start(ctx context.Context, job runner.Job) (runner.Process, error) {
	j := e.job
	j.Folder, j.Book, j.Forks = filepath.Join(e.root, job.Folder), job.Book, job.Forks
	p, err := e.tool.Start(ctx, j)
	if err != nil {
		return nil, err
	}
	return process{p}, nil
}

// Adopt finds a process of an upstep that was killed.
func (e executor) Adopt(folder string, offset int64) (runner.Process, error) {
	p, err := ansible.Adopt(filepath.Join(e.root, folder), offset)
	if err != nil {
		return nil, err
	}
	return process{p}, nil
}

// process is what the runner knows of a playbook that runs.
type process struct{ *ansible.Process }

// Terminate ends it.
func (p process) Terminate() error { return p.Process.Terminate(terminateGrace) }

// Outcome says how it ended.
func (p process) Outcome() runner.Outcome {
	o := p.Process.Outcome()
	text := o.Output
	switch {
	case o.Fault != nil:
		text = fmt.Sprintf("%v\n%s", o.Fault, text)
	case o.Signal != 0:
		text = fmt.Sprintf("killed by signal: %v\n%s", o.Signal, text)
	case o.Code > 0:
		text = fmt.Sprintf("exit code %d\n%s", o.Code, text)
	}
	return runner.Outcome{Known: o.Known || o.Stopped, Text: strings.TrimSpace(text)}
}
