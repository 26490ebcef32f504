package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measureMany runs a plan on many hosts that are all this machine, and prints what upstep
// itself computes beside what ansible-playbook does for the same emitted tree.
func measureMany(upstep string, hosts int) error {
	upstep, err := filepath.Abs(upstep)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "upstep-bench-many-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var s strings.Builder
	s.WriteString("service_name: service\nupgrade_tasks:\n")
	for step := range 3 {
		fmt.Fprintf(&s, "  - {name: Task of step %d, ansible.builtin.command: /bin/true, changed_when: false, tags: step%d}\n", step, step)
	}
	if err := writeFiles(dir, map[string]string{
		"services/service.yaml": s.String(),
		"roles.yaml":            "- {name: Many, hosts: many, services: [service]}\n",
		"groups":                fmt.Sprintf("[many]\nh[1:%d]\n[many:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n", hosts),
	}); err != nil {
		return err
	}
	if _, err := timed(dir, upstep, "emit", "-i", "groups"); err != nil {
		return err
	}
	bare := bench(dir, "ansible-playbook", "-i", "groups", "playbooks/upgrade.yml")
	if out, err := bare.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	theirs := bare.ProcessState.UserTime() + bare.ProcessState.SystemTime()
	run := bench(dir, upstep, "run", "-i", "groups")
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	var ours time.Duration // a process that has ended counts its children too: ask while it runs
	for {
		select {
		case err := <-ended:
			if err != nil {
				return errors.Join(err, errors.New(out.String()))
			}
			fmt.Printf("run on %d hosts of this machine: upstep itself computes %.2f s, ansible-playbook %.1f s for the same tree: %.1f%%\n",
				hosts, ours.Seconds(), theirs.Seconds(), 100*ours.Seconds()/theirs.Seconds())
			return nil
		case <-time.After(50 * time.Millisecond):
			ours = max(ours, ownTime(run.Process.Pid))
		}
	}
}

// ownTime is the processor time of a process without its children (proc(5), stat fields
// 14 and 15, in ticks of 10 ms).
func ownTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
