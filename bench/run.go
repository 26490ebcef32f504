package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A run of upstep against one bare ansible-playbook that does the same tasks: a play for
// each step over all roles, strategy free, without journal, barriers of batches, gates or
// a failure policy.
const (
	runRoles = 5
	runSteps = 6
	runTasks = 2
)

// command is the text of a task's command: nothing, or a sleep between 0.2 and 2 seconds.
func taskCommand(sleep bool, role, step, task int) string {
	if !sleep {
		return "/bin/true"
	}
	tenths := 2 + (role*7+step*11+task*5)%19
	return fmt.Sprintf("sleep %d.%d", tenths/10, tenths%10)
}

// writeRun makes the project and the bare playbook of a benchmark of runs. Its hosts are
// those of a lab: h1 to h5.
func writeRun(dir string, sleep bool, ordering string) error {
	files := map[string]string{}
	var roles, inventory, bare strings.Builder
	for r := 1; r <= runRoles; r++ {
		fmt.Fprintf(&inventory, "[g%d]\nh%d\n", r, r)
		fmt.Fprintf(&roles, "- {name: Role%d, hosts: g%d, stage: control-plane, services: [service%d]}\n", r, r, r)
		var s strings.Builder
		fmt.Fprintf(&s, "service_name: service%d\nupgrade_tasks:\n", r)
		for step := range runSteps {
			for t := range runTasks {
				fmt.Fprintf(&s, "  - name: Task %d of step %d\n    ansible.builtin.command: %s\n    changed_when: false\n    tags: step%d\n", t, step, taskCommand(sleep, r, step, t), step)
			}
		}
		files[fmt.Sprintf("services/service%d.yaml", r)] = s.String()
	}
	bare.WriteString("- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.setup: {}}]\n")
	for step := range runSteps {
		fmt.Fprintf(&bare, "- hosts: all\n  gather_facts: false\n  strategy: free\n  tasks:\n")
		for r := 1; r <= runRoles; r++ {
			file := fmt.Sprintf("bare/%d-%d.yml", r, step)
			fmt.Fprintf(&bare, "    - ansible.builtin.include_tasks: %s\n      when: \"'g%d' in group_names\"\n", file, r)
			var s strings.Builder
			for t := range runTasks {
				fmt.Fprintf(&s, "- name: Task %d\n  ansible.builtin.command: %s\n  changed_when: false\n", t, taskCommand(sleep, r, step, t))
			}
			files[file] = s.String()
		}
	}
	files["roles.yaml"], files["groups"], files["bare.yml"] = roles.String(), inventory.String(), bare.String()
	files["upgrade.yaml"] = "ordering: " + ordering + "\n"
	return writeFiles(dir, files)
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a benchmark's own files
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // a benchmark's own files
			return err
		}
	}
	return nil
}

// measureRuns pairs upstep run with bare Ansible and prints the ratios of their times.
func measureRuns(upstep, lab string, rounds int) error {
	upstep, err := filepath.Abs(upstep)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name, ordering string
		sleep          bool
	}{{"short tasks", "barrier", false}, {"sleeping tasks", "barrier", true}, {"sleeping tasks, ordering: dependencies", "dependencies", true}} {
		dir, err := os.MkdirTemp("", "upstep-bench-run-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := writeRun(dir, c.sleep, c.ordering); err != nil {
			return err
		}
		var ratios, ours, bares []float64
		for range rounds {
			bare, err := timed(dir, "ansible-playbook", "-i", lab, "-i", "groups", "-f", "10", "bare.yml")
			if err != nil {
				return err
			}
			own, err := timed(dir, upstep, "run", "--new", "-i", lab, "-i", "groups")
			if err != nil {
				return err
			}
			ratios, ours, bares = append(ratios, own/bare), append(ours, own), append(bares, bare)
		}
		fmt.Printf("run of %d roles, %d steps, %d tasks, %s: %.2f (%.2f to %.2f) times bare ansible-playbook (%.1f s, %.1f s)\n",
			runRoles, runSteps, runTasks, c.name, middle(ratios), slices.Min(ratios), slices.Max(ratios), middle(ours), middle(bares))
	}
	return nil
}

func timed(dir, name string, args ...string) (float64, error) {
	began := time.Now()
	out, err := bench(dir, name, args...).CombinedOutput()
	if err != nil {
		return 0, errors.Join(fmt.Errorf("%s: %w", name, err), errors.New(string(out)))
	}
	return time.Since(began).Seconds(), nil
}

// bench is a command with what all of them have in common.
func bench(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // a benchmark's own commands
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=True", "ANSIBLE_LOCALHOST_WARNING=False", "ANSIBLE_FORKS=10")
	return cmd
}

func middle(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}
