package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/bundle"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/source"
)

// bundleFlags is what the flags of bundle say.
type bundleFlags struct {
	out, name, version string
	binary             string
	withAnsible        bool
	packages           string
	add                []string
	signKey, password  string // files
}

func (a *app) bundleCommand() *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use:   "bundle PLAN -o FILE",
		Short: "Pack an upgrade for machines without network, as one file",
		Long: `Pack an upgrade as one file that needs nothing where it is run: upstep itself, the
emitted tree that PLAN (its plan.json) stands in, the artefacts that services name, an
inventory, and with --with-ansible the packages of Ansible. The ending of FILE says the
form: .tar.zst, .deb or .rpm. Installing it only unpacks it, and says the one command
that upgrades. Whatever was changed on the way is found before anything runs.

A plan without hosts (upstep emit -i none) upgrades the machine that the bundle is run
on, unless -i names the inventory that travels. The same input gives the same bytes.`,
		Example: "  upstep emit -i none && upstep bundle playbooks/plan.json -o shop-4.2.0.deb\n  upstep bundle playbooks/plan.json -i inventory -o site.tar.zst --with-ansible\n  upstep bundle playbooks/plan.json -o shop.rpm --sign-key ~/.minisign/minisign.key\n  upstep bundle verify shop-4.2.0.deb",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return misuse(cmd, "upstep emit writes one into its folder", "name the plan.json to bundle")
			case len(args) > 1:
				return noCommand(cmd, args)
			case f.out == "":
				return misuse(cmd, "-o NAME.tar.zst, NAME.deb or NAME.rpm", "-o FILE is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.bundle(cmd.Context(), args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "the `FILE` to write; its ending says the form: .tar.zst, .deb or .rpm")
	fl.StringVar(&f.name, "name", "", "name of the bundle and of the package (default from the plan's name: NAME-upgrade)")
	fl.StringVar(&f.version, "version", "", "its version (default the one that the plan leads to)")
	fl.StringVar(&f.binary, "binary", "", "the upstep that travels, for machines of another kind (default this one)")
	fl.BoolVar(&f.withAnsible, "with-ansible", false, "bring along the packages of this distribution's ansible-core, for machines without it")
	fl.StringVar(&f.packages, "packages", "", "take the packages of ansible-core from this folder instead of asking apt")
	fl.StringArrayVar(&f.add, "add", nil, "another file or folder of the project that travels; may be repeated")
	fl.StringVar(&f.signKey, "sign-key", "", "sign with this private key of minisign")
	fl.StringVar(&f.password, "password-file", "", "file with the password of --sign-key (default $UPSTEP_SIGN_PASSWORD, or it is asked for)")
	cmd.AddCommand(a.bundleVerifyCommand())
	wordFlags(cmd)
	return cmd
}

// bundle makes a bundle.
func (a *app) bundle(ctx context.Context, file string, f bundleFlags) error {
	form, ok := bundle.FormOf(f.out)
	if !ok {
		return usageError{fmt.Errorf("-o %s says no form", f.out), "end the name with .tar.zst, .deb or .rpm"}
	}
	if err := a.needFolder(); err != nil {
		return err
	}
	if info, err := os.Stat(f.out); err == nil && !info.Mode().IsRegular() {
		return usageError{fmt.Errorf("%s is no regular file", f.out), "-o names the file to write"}
	}
	c, err := a.content(ctx, file, f)
	if err != nil {
		return err
	}
	if form == bundle.RPM && (f.withAnsible || f.packages != "") {
		return usageError{errors.New("an .rpm cannot bring Ansible along: its packages are for Debian"), "leave out --with-ansible: dnf installs ansible-core from what the site has"}
	}
	if c.SignKey, err = a.signKey(f.signKey, f.password); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "upstep-bundle-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := packagesOf(ctx, &c, f, work); err != nil {
		return unbundled(err)
	}
	dir := filepath.Join(work, "bundle")
	m, err := bundle.Build(ctx, c, dir)
	if err != nil {
		return unbundled(err)
	}
	if err := os.MkdirAll(filepath.Dir(f.out), 0o755); err != nil { //nolint:gosec // as the user's umask has it
		return usageError{err, "-o names the file to write"}
	}
	if err := bundle.Create(ctx, dir, m, form, f.out); err != nil {
		return fmt.Errorf("write %s: %w", f.out, source.Cause(err)) // whose path is that of a temporary file
	}
	a.bundled(f.out, form, m, c.SignKey != nil)
	return nil
}

// content gathers what a bundle is made of: the tree that the plan stands in must be as it
// was emitted, and the artefacts as they were planned.
func (a *app) content(ctx context.Context, file string, f bundleFlags) (bundle.Content, error) {
	var c bundle.Content
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return c, usageError{fmt.Errorf("read the plan: %w", err), "upstep emit writes plan.json into its folder"}
	}
	r, err := planner.DecodeRoute(text)
	if err != nil {
		return c, usageError{fmt.Errorf("%s: %w", file, err), "name the plan.json of an emitted tree"}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(file), playbooks.SumsFile)); err != nil || filepath.Base(file) != "plan.json" {
		return c, usageError{fmt.Errorf("%s stands in no emitted tree", file), "bundle what was reviewed: upstep emit writes the tree, with plan.json in it"}
	}
	_, tree, err := a.treesOf(r, file, text)
	if err != nil {
		return c, err
	}
	if err := a.needArtefacts(r); err != nil {
		return c, err
	}
	c = bundle.Content{
		Name: cmp.Or(f.name, bundleName(r)), Version: cmp.Or(f.version, bundleVersion(r)),
		Upstep: version(), OldestAnsible: ansible.Oldest, Route: r, Tree: tree, Project: a.dir, Binary: f.binary, More: f.add,
	}
	if !bundleNames.MatchString(c.Name) {
		return c, usageError{fmt.Errorf("%q is no name for a package", c.Name), "--name takes small letters, digits, dots, + and -, and begins with a letter or digit"}
	}
	if !bundleVersions.MatchString(c.Version) {
		return c, usageError{fmt.Errorf("%q is no version of a package", c.Version), "--version takes letters, digits, dots, +, ~ and _, and begins with a digit"}
	}
	if c.Binary == "" {
		if c.Binary, err = os.Executable(); err != nil {
			return c, err
		}
	}
	if c.Inventory, err = a.bundledInventory(); err != nil {
		return c, err
	}
	if c.Inventory != "" {
		if err := a.fitting(ctx, text); err != nil {
			return c, err
		}
	}
	if _, err := os.Stat(a.path("ansible.cfg")); err == nil { // it counts for every run of the project
		c.More = append([]string{"ansible.cfg"}, c.More...)
	}
	return c, nil
}

var (
	bundleNames    = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)
	bundleVersions = regexp.MustCompile(`^[0-9][A-Za-z0-9.+~_]*$`)
	notInNames     = regexp.MustCompile(`[^a-z0-9.+-]+`)
	notInVersions  = regexp.MustCompile(`[^A-Za-z0-9.+~_]+`)
)

// bundleName makes a name from the plan's. It never is the name of the product alone: a
// package of that name would replace the product's own.
func bundleName(r *planner.Route) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(r.Hops[0].Name), "-"), "-.+")
	switch {
	case name == "":
		return "upstep-upgrade"
	case strings.HasSuffix(name, "upgrade"):
		return name
	}
	return name + "-upgrade"
}

// bundleVersion gives the version that a route leads to, or all services of the plan; else 1.
func bundleVersion(r *planner.Route) string {
	last := r.Hops[len(r.Hops)-1]
	to := ""
	if last.Hop != nil {
		to = last.Hop.To
	} else {
		for i := range last.Services {
			switch target := last.Services[i].Target; {
			case target == "" || target == to:
			case to != "":
				return "1"
			default:
				to = target
			}
		}
	}
	to = notInVersions.ReplaceAllString(to, "_")
	if !bundleVersions.MatchString(to) {
		return "1"
	}
	return to
}

// bundledInventory gives the inventory that travels; "" where none was named.
func (a *app) bundledInventory() (string, error) {
	if len(a.inventory) == 0 || len(a.inventory) == 1 && a.inventory[0] == "none" {
		return "", nil
	}
	if len(a.inventory) > 1 {
		return "", usageError{errors.New("one inventory travels, not several"), "put them into one folder, which Ansible reads as one inventory"}
	}
	path := a.path(a.inventory[0])
	if _, err := os.Stat(path); err != nil {
		return "", usageError{fmt.Errorf("inventory %s: %w", a.inventory[0], err), "-i names the file or folder that travels"}
	}
	return path, nil
}

// fitting refuses an inventory whose hosts are not those of the plan. One that only the
// site can read is told of.
func (a *app) fitting(ctx context.Context, text []byte) error {
	if _, err := a.readInventory(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.errorf("upstep: warning: nobody knows whether the hosts of the inventory are those of the plan: %v\n  hint: the run compares them before anything begins\n", err)
		return nil
	}
	r, err := planner.DecodeRoute(text) // a copy of its own: the bundle carries the plan as it was reviewed
	if err != nil {
		return err
	}
	for _, p := range r.Hops {
		if err := a.bind(ctx, p, nil); err != nil {
			return err
		}
	}
	return nil
}

// packagesOf gets the packages of Ansible, where they are asked for.
func packagesOf(ctx context.Context, c *bundle.Content, f bundleFlags, work string) (err error) {
	switch {
	case f.packages != "":
		c.Packages = f.packages
		c.Ansible, err = bundle.Given(f.packages)
	case f.withAnsible:
		c.Packages = filepath.Join(work, "packages")
		if err := os.Mkdir(c.Packages, 0o755); err != nil { //nolint:gosec // apt's own user writes there
			return err
		}
		c.Ansible, err = bundle.Fetch(ctx, c.Packages)
	}
	return err
}

// unbundled takes what cannot travel for a mistake in the call.
func unbundled(err error) error {
	var binary *bundle.BinaryError
	var pattern *bundle.PatternError
	var shared *bundle.SharedError
	var place *bundle.PlaceError
	var packages *bundle.PackagesError
	var artefact *bundle.ArtefactError
	switch {
	case errors.As(err, &binary):
		return usageError{err, binary.Hint()}
	case errors.As(err, &pattern):
		return usageError{err, pattern.Hint()}
	case errors.As(err, &shared):
		return usageError{err, shared.Hint()}
	case errors.As(err, &place):
		return usageError{err, "only regular files below the project travel"}
	case errors.As(err, &packages):
		return usageError{err, packages.Hint()}
	case errors.As(err, &artefact):
		return codeError{fmt.Errorf("%w\n  hint: %s", err, artefact.Hint()), exitStale}
	}
	return err
}

// bundled says what was made, and what to do with it.
func (a *app) bundled(file string, form bundle.Form, m *bundle.Manifest, signed bool) {
	size := int64(0)
	if info, err := os.Stat(file); err == nil {
		size = info.Size()
	}
	a.printf("%s: %s %s, %s\n", file, m.Name, m.Version, mebibytes(size))
	a.manifest(m)
	if signed {
		a.printf("  signed     yes\n")
	}
	word := pathWord(filepath.Base(file))
	at := m.Installed()
	a.printf("\nnext: on the other machine\n")
	switch form {
	case bundle.Archive:
		at = m.Folder()
		a.printf("  tar --zstd -xf %s\n", word)
	case bundle.Deb:
		a.printf("  apt install ./%s\n", word)
	case bundle.RPM:
		a.printf("  dnf install ./%s\n", word)
	}
	hosts := ""
	if m.Inventory == bundle.Site {
		hosts = " -i INVENTORY"
	}
	a.printf("  %s/%s%s\n", at, bundle.LauncherFile, hosts)
}

// manifest prints what a bundle is.
func (a *app) manifest(m *bundle.Manifest) {
	hosts := map[bundle.Inventory]string{
		bundle.Itself:   "the machine that it is run on",
		bundle.Included: "those of the inventory in it",
		bundle.Site:     "those that -i INVENTORY names when it is run: the plan was made for hosts, and no inventory is in it",
	}[m.Inventory]
	a.printf("  upgrades   %s\n", cmp.Or(m.Title, "services"))
	a.printf("  hosts      %s\n", hosts)
	a.printf("  for        %s\n", m.Architecture)
	brings := "no: ansible-core " + ansible.Oldest + " or later must be there"
	if m.Ansible != nil {
		brings = fmt.Sprintf("%s, for %s", plural(len(m.Ansible.Packages), "package"), m.Ansible.System)
	}
	a.printf("  ansible    %s\n", brings)
	if len(m.Artefacts) > 0 {
		a.printf("  artefacts  %d\n", len(m.Artefacts))
	}
}

// mebibytes shows a size.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
