package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// generate writes a project of n services in a shape of dependencies, and gives the
// bytes of its services.
func generate(dir, shape string, n int) (int, error) {
	const perService, roleCount = 20, 10
	if err := os.MkdirAll(filepath.Join(dir, "services"), 0o755); err != nil { //nolint:gosec // a temporary project
		return 0, err
	}
	var roles strings.Builder
	for r := range roleCount {
		fmt.Fprintf(&roles, "- name: R%d\n  stage: control-plane\n  services:\n", r)
		for i := range n {
			if roleOf(shape, i, n, roleCount) == r {
				fmt.Fprintf(&roles, "    - service_%05d\n", i)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "roles.yaml"), []byte(roles.String()), 0o644); err != nil { //nolint:gosec // a temporary project
		return 0, err
	}
	total := 0
	for i := range n {
		var b strings.Builder
		fmt.Fprintf(&b, "service_name: service_%05d\ndescription: Service number %d of the benchmark.\n", i, i)
		if deps := dependencies(shape, i, n); len(deps) > 0 {
			b.WriteString("depends_on:\n")
			for _, d := range deps {
				fmt.Fprintf(&b, "  - service_%05d\n", d)
			}
		}
		b.WriteString("upgrade_tasks:\n")
		for t := range perService {
			writeTask(&b, i, t)
		}
		total += b.Len()
		name := filepath.Join(dir, "services", fmt.Sprintf("service_%05d.yaml", i))
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil { //nolint:gosec // a temporary project
			return 0, err
		}
	}
	return total, nil
}

// roleOf places service i: a chain runs through one role after the other, a cluster
// stands on one role, layers and the zigzag chain are spread over all.
func roleOf(shape string, i, n, count int) int {
	switch shape {
	case "chain":
		return i * count / n
	case "clusters":
		return i / 100 % count
	}
	return i % count
}

// dependencies gives up to five earlier services that service i depends on.
func dependencies(shape string, i, n int) []int {
	var out []int
	switch shape {
	case "chain", "zigzag":
		if i > 0 {
			out = append(out, i-1)
		}
	case "clusters": // of a hundred services, layered within
		if base := i / 100 * 100; i-base >= 20 {
			for k := range 5 {
				out = append(out, base+(i-base)/20*20-20+(i*7+k*4)%20)
			}
		}
	default: // twenty layers; each service needs five of the layer before
		if width := max(5, n/20); i >= width {
			for k := range 5 {
				out = append(out, i/width*width-width+(i*7+k*(width/5))%width)
			}
		}
	}
	return out
}

// writeTask writes one of the kinds of tasks that real services have.
func writeTask(b *strings.Builder, i, t int) {
	step := t * 6 / 20
	switch t % 4 {
	case 0:
		fmt.Fprintf(b, "  - name: Set option %d of service %d\n    ansible.builtin.lineinfile:\n      path: /etc/service_%05d/service.conf\n      regexp: ^option_%d=\n      line: option_%d=value\n    tags: step%d\n", t, i, i, t, t, step)
	case 1:
		fmt.Fprintf(b, "  - name: Stop service %d, part %d\n    ansible.builtin.service:\n      name: service-%05d-%d\n      state: stopped\n    when: service_%05d_installed is defined\n    tags: step%d\n", i, t, i, t, i, step)
	case 2:
		fmt.Fprintf(b, "  # what the release notes ask for\n  - name: Migrate part %d of service %d\n    ansible.builtin.command: service-manage --config /etc/service_%05d/service.conf migrate --part %d\n    changed_when: true\n    tags: [step%d, validation]\n", t, i, i, t, step)
	default:
		fmt.Fprintf(b, "  - name: Check part %d of service %d\n    ansible.builtin.shell: |\n      set -o pipefail\n      service-manage status --part %d | grep -q ready\n    register: service_%05d_part_%d\n    changed_when: false\n    tags: step%d\n", t, i, t, i, t, step)
	}
}
