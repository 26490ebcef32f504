package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// PackagesError says why the packages of Ansible cannot travel.
type PackagesError struct{ Reason, Advice string }

// Error gives the reason.
func (e *PackagesError) Error() string { return e.Reason }

// Hint says what to do.
func (e *PackagesError) Hint() string { return e.Advice }

// ansiblePackage is what Debian's Ansible is called.
const ansiblePackage = "ansible-core"

// Fetch gets the packages of the distribution's Ansible into a folder, as apt is
// configured, and says what they are: ansible-core and all that it depends on, but for
// what any system with Python has. What keeps it from that is a *PackagesError.
func Fetch(ctx context.Context, dir string) (*Ansible, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, &PackagesError{"there is no apt-get here to get the packages of Ansible with", "make the bundle on a Debian system, or give the packages with --packages DIR"}
	}
	out, err := output(ctx, "", "dpkg-query", "-W", "-f", "${Essential} ${Package}\n")
	if err != nil {
		return nil, err
	}
	common := []string{"python3"}
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "yes "); ok {
			common = append(common, strings.TrimSpace(name))
		}
	}
	everywhere, err := closure(ctx, common)
	if err != nil {
		return nil, err
	}
	whole, err := closure(ctx, append(common, ansiblePackage))
	if err != nil {
		return nil, err
	}
	args := []string{"download"}
	for _, p := range whole {
		if !slices.ContainsFunc(everywhere, func(q Package) bool { return q.Name == p.Name }) {
			args = append(args, p.Name+"="+p.Version)
		}
	}
	if _, err := output(ctx, dir, "apt-get", args...); err != nil {
		return nil, err
	}
	return Given(dir)
}

// closure gives a package and all that it depends on, as apt would install them where
// nothing is installed.
func closure(ctx context.Context, names []string) ([]Package, error) {
	args := append([]string{
		"-o", "Dir::State::status=/dev/null", "-o", "Dir::Cache::pkgcache=", "-o", "Debug::NoLocking=true",
		"--print-uris", "--yes", "--no-install-recommends", "install",
	}, names...)
	out, err := output(ctx, "", "apt-get", args...)
	if err != nil {
		return nil, err
	}
	var list []Package
	for line := range strings.Lines(string(out)) {
		// 'ADDRESS' FILE SIZE HASH
		if _, rest, ok := strings.Cut(line, "' "); ok && strings.HasPrefix(line, "'") {
			file, _, _ := strings.Cut(rest, " ")
			if p, ok := parsePackage(file); ok {
				list = append(list, p)
			}
		}
	}
	if len(list) == 0 {
		return nil, &PackagesError{"apt-get names no packages for " + ansiblePackage, "apt-get update, or give the packages with --packages DIR"}
	}
	return list, nil
}

// output runs a command of the distribution.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // apt's own commands
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &PackagesError{
			fmt.Sprintf("%s: %v: %s", name, err, strings.TrimSpace(stderr.String())),
			"see whether apt-get download " + ansiblePackage + " works here; or give the packages with --packages DIR",
		}
	}
	return out, nil
}

var packageFile = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]+)_([^_]+)_[a-z0-9-]+\.deb$`)

// parsePackage reads the name of a package's file, in which a version's colon is escaped.
func parsePackage(file string) (Package, bool) {
	m := packageFile.FindStringSubmatch(file)
	if m == nil {
		return Package{}, false
	}
	version, err := url.PathUnescape(m[2])
	return Package{Name: m[1], Version: version, File: file}, err == nil
}

// Given says what packages stand in a folder: those of Ansible, of this system.
func Given(dir string) (*Ansible, error) {
	system, err := systemName()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(escaped(dir), "*.deb"))
	if err != nil {
		return nil, err
	}
	a := &Ansible{System: system}
	for _, f := range files {
		p, ok := parsePackage(filepath.Base(f))
		if !ok {
			return nil, &PackagesError{f + " is not named as a package is: NAME_VERSION_ARCHITECTURE.deb", "apt-get download gives packages their names"}
		}
		a.Packages = append(a.Packages, p)
	}
	if !slices.ContainsFunc(a.Packages, func(p Package) bool { return p.Name == ansiblePackage }) {
		return nil, &PackagesError{dir + " holds no package of " + ansiblePackage, "put there what apt-get download gives: " + ansiblePackage + " and what it depends on"}
	}
	return a, nil
}

func escaped(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// systemName says which distribution this is, as the launcher finds it on the other side.
func systemName() (string, error) {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	if values["ID"] == "" {
		return "", errors.New("/etc/os-release does not say which system this is")
	}
	return values["ID"] + " " + values["VERSION_ID"], nil
}
