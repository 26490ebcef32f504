package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// measureImport measures import, and emit of what it gives, against bare parsing of the
// templates that it reads. Files that were rendered are left out of the parsing.
func measureImport(upstep, releases string, rounds int) error {
	upstep, err := filepath.Abs(upstep)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if releases, err = filepath.Abs(releases); err != nil {
		return err
	}
	fmt.Printf("\nimport tripleo + plan + emit against bare parsing of the templates read (seconds of CPU)\n\n")
	fmt.Printf("%-8s %6s %7s %9s %9s %9s %9s\n", "release", "files", "MB", "parse", "import", "emit", "ratio")
	for _, release := range []string{"ocata", "train"} {
		templates := filepath.Join(releases, release)
		if _, err := os.Stat(filepath.Join(templates, "roles_data.yaml")); err != nil {
			fmt.Printf("%-8s no templates in %s\n", release, templates)
			continue
		}
		if err := measureRelease(upstep, self, release, templates, rounds); err != nil {
			return err
		}
	}
	return nil
}

func measureRelease(upstep, self, release, templates string, rounds int) (err error) {
	top, err := os.MkdirTemp("", "upstep-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(top)) }()
	project := filepath.Join(top, "project")
	args := []string{"import", "tripleo", "--templates", templates, "--placeholders", "--out", project}
	if release == "train" {
		args = append(args, "-e", "environments/docker-ha.yaml", "-e", "environments/ceph-ansible/ceph-ansible.yaml", "-e", "environments/lifecycle/upgrade-prepare.yaml")
	}
	files, size, err := gather(upstep, templates, filepath.Join(top, "read"), append(args, "-o", "json"))
	if err != nil {
		return err
	}
	var parse, imported, emitted, both []sample
	for i := range rounds + 1 {
		if err := os.RemoveAll(project); err != nil {
			return err
		}
		p, err := run(top, self, "-parse", "read")
		if err != nil {
			return err
		}
		in, err := run(top, append([]string{upstep}, args...)...)
		if err != nil {
			return err
		}
		em, err := run(top, upstep, "emit", "-C", project)
		if err != nil {
			return err
		}
		if i > 0 { // the first is a warm-up
			parse, imported, emitted = append(parse, p), append(imported, in), append(emitted, em)
			both = append(both, sample{cpu: in.cpu + em.cpu})
		}
	}
	fmt.Printf("%-8s %6d %7.1f %9.3f %9.3f %9.3f %9.2f\n", release, files, float64(size)/1e6, median(parse, cpu), median(imported, cpu), median(emitted, cpu), ratio(both, parse, cpu))
	return nil
}

// gather copies the templates that an import reads into a folder.
func gather(upstep, templates, to string, args []string) (files, size int, err error) {
	out, err := exec.Command(upstep, args...).Output() //nolint:gosec,noctx // the benchmark's own command, run to its end
	if err != nil {
		return 0, 0, fmt.Errorf("import: %w", err)
	}
	var summary struct {
		Files []string `json:"files_read"`
	}
	if err := json.Unmarshal(out, &summary); err != nil {
		return 0, 0, fmt.Errorf("import: %w", err)
	}
	for _, name := range summary.Files {
		text, err := os.ReadFile(filepath.Join(templates, name)) //nolint:gosec // a template
		if err != nil {
			continue // it was rendered
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a temporary folder
			return 0, 0, err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // a temporary folder
			return 0, 0, err
		}
		files, size = files+1, size+len(text)
	}
	return files, size, nil
}
