package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/notify"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// load is loadRoute for commands that take a single plan.
func (a *app) load(ctx context.Context) (*planner.Plan, error) {
	r, err := a.loadRoute(ctx)
	if err != nil {
		return nil, err
	}
	return single(r)
}

// loadRoute reads the project and plans it: each hop of its route, or the whole upgrade
// where there is none. All problems are shown; with an error among them there is no
// plan, and the error is source.Problems.
func (a *app) loadRoute(ctx context.Context) (*planner.Route, error) {
	if err := a.needFolder(); err != nil {
		return nil, err
	}
	worlds, sink, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	found := sink.Problems()
	r := &planner.Route{}
	for _, w := range worlds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		plan, problems := planner.Build(w)
		found = append(found, problems...)
		r.Hops = append(r.Hops, plan)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found = found.Sorted()
	a.show(found)
	if found.Count(source.Error) > 0 {
		return nil, a.refused(found)
	}
	a.problems = found
	return r, nil
}

// needFolder refuses a folder that there is not.
func (a *app) needFolder() error {
	if info, err := os.Stat(a.dir); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("%s is no folder", cmp.Or(a.dir, `""`)), "-C names the project's folder"}
	}
	return nil
}

// read gathers what a plan is made of: of each hop of the route, or of the one plan.
func (a *app) read(ctx context.Context) ([]planner.World, *source.Sink, error) {
	sink := &source.Sink{}
	given, err := a.given(sink)
	if err != nil {
		return nil, nil, err
	}
	w := planner.World{}
	whole := false
	w.Settings = a.readSettings(given, sink)
	vals := w.Settings.Values()
	hops, err := a.hops(ctx, &w.Settings, sink)
	if err != nil {
		return nil, nil, err
	}
	file := a.rolesPath()
	parent, name := filepath.Split(filepath.Clean(file))
	w.Roles, whole = roles.Load(os.DirFS(a.path(parent)), name, filepath.ToSlash(filepath.Clean(parent)), vals, sink)

	w.PartialRoles, w.AllowDowngrade = !whole, a.allowDowngrade

	if w.Inventory, err = a.readInventory(ctx); err != nil {
		return nil, nil, err
	}
	if w.Settings.ReleasesBroken {
		return nil, sink, nil
	}
	if len(hops) > 0 {
		worlds := a.worldsOf(w, hops, sink)
		a.checkArtefacts(worlds, sink)
		return worlds, sink, nil
	}
	dir := a.services
	if dir == "" {
		dir = "services"
		if _, err := os.Stat(a.path(dir)); errors.Is(err, fs.ErrNotExist) && len(w.Settings.Releases) > 0 {
			if sink.Failed() {
				return nil, sink, nil // what is wrong tells more
			}
			return nil, nil, usageError{errors.New("upgrade.yaml declares releases: from which to which?"), "give --from VERSION and --to VERSION; upstep releases" + a.sameFolder() + " shows them"}
		}
	}
	w.Services = services.Load(os.DirFS(a.path(dir)), filepath.ToSlash(dir), sink)
	values := a.values(sink)
	values.Give(w.Services, sink)
	values.Unknown(sink)
	w.Sources = a.digests(w)
	worlds := []planner.World{w}
	a.checkArtefacts(worlds, sink)
	return worlds, sink, nil
}

// readSettings reads upgrade.yaml.
func (a *app) readSettings(given []settings.Given, sink *source.Sink) settings.Settings {
	s := settings.Load(os.DirFS(a.dir), "upgrade.yaml", "", given, sink)
	notify.Check(s.Notify, sink)
	return s
}

func (a *app) ansible() *ansible.Tool {
	return ansible.New(ansible.Options{Dir: a.dir, Grace: ansibleGrace})
}

// path takes a name given on the command line as relative to the project.
func (a *app) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(a.dir, name)
}

func (a *app) given(sink *source.Sink) ([]settings.Given, error) {
	var out []settings.Given
	for _, name := range a.inputs {
		text, err := readInputs(a.path(name))
		if err != nil {
			return nil, usageError{fmt.Errorf("read inputs: %w", err), "--inputs names a YAML file"}
		}
		out = append(out, settings.ParseInputs(source.File{Name: name, Text: text}, sink)...)
	}
	for _, s := range a.set {
		if g, ok := settings.ParseSet(s, sink); ok {
			out = append(out, g)
		}
	}
	return out, nil
}

// readInputs reads a file of inputs, which may be what a shell puts there for <(command).
func readInputs(file string) ([]byte, error) {
	if file == "/dev/stdin" || strings.HasPrefix(file, "/dev/fd/") {
		return os.ReadFile(file) //nolint:gosec // named by whoever calls upstep
	}
	text, err := source.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return text, nil
}

func (a *app) rolesPath() string {
	if a.roles != "" {
		return a.roles
	}
	for _, name := range []string{"roles.yaml", "roles.yml"} {
		if _, err := os.Lstat(a.path(name)); err == nil {
			return name
		}
	}
	// A folder roles/ may as well hold Ansible roles, which are folders.
	if files, err := filepath.Glob(a.path("roles/*.y*ml")); err == nil && len(files) > 0 {
		return "roles"
	}
	return "roles.yaml"
}

// inventories gives the inventory sources: those named, else what a project usually has.
func (a *app) inventories() []string {
	if len(a.inventory) > 0 {
		return a.inventory
	}
	for _, name := range []string{"inventory", "inventory.yaml", "inventory.yml", "inventory.ini", "hosts"} {
		if _, err := os.Lstat(a.path(name)); err == nil {
			return []string{name}
		}
	}
	return nil
}

func (a *app) readInventory(ctx context.Context) (*roles.Inventory, error) {
	sources := a.inventories()
	switch {
	case !slices.ContainsFunc(sources, func(s string) bool { return s != "none" }):
		return nil, nil //nolint:nilnil // no inventory is a fact, not a failure
	case slices.Contains(sources, ""):
		return nil, usageError{errors.New("-i is empty"), "-i names the inventory; -i none plans without hosts"}
	case slices.Contains(sources, "none"):
		return nil, usageError{errors.New("-i none and another inventory contradict each other"), "-i none plans without hosts; a file of that name is -i ./none"}
	}
	for _, s := range sources {
		// Ansible would open a pipe and wait.
		if info, err := os.Stat(a.path(s)); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return nil, usageError{fmt.Errorf("inventory %s: is no regular file (%s)", s, source.FileType(info.Mode())), "-i names the inventory; -i none plans without hosts"}
		}
	}
	data, err := a.ansible().Inventory(ctx, sources, nil)
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	if err != nil {
		return nil, usageError{err, inventoryHint(err, sources)}
	}
	inv, err := roles.ParseInventory(data)
	if err != nil {
		return nil, fmt.Errorf("inventory %s: %w", strings.Join(sources, ", "), err)
	}
	a.hosts = inv
	return inv, nil
}

// inventoryHint tells what to do when Ansible gives no inventory.
func inventoryHint(err error, sources []string) string {
	if hint := ansible.Hint(err); hint != "" {
		return hint
	}
	var unreadable *ansible.SourceError
	switch {
	case errors.As(err, &unreadable):
		return "-i names the inventory; -i none plans without hosts"
	case strings.Contains(err.Error(), "locale"):
		return "set LC_ALL=C.UTF-8"
	}
	var flags strings.Builder
	for _, s := range sources {
		flags.WriteString(" -i " + shellWord(s))
	}
	return "see whether it runs in the project's folder: ansible-inventory" + flags.String() + " --list"
}

// digests gives the SHA-256 of every file that the plan was made from.
func (a *app) digests(w planner.World) []planner.Source {
	var out []planner.Source
	seen := map[string]bool{}
	add := func(name string) {
		if seen[name] || name == "" {
			return
		}
		seen[name] = true
		data, err := os.ReadFile(a.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		out = append(out, planner.Source{File: filepath.ToSlash(name), SHA256: archive.Sum(data)})
	}
	if f := w.Settings.File; f != "" {
		seen[f] = true
		out = append(out, planner.Source{File: f, SHA256: w.Settings.Digest})
	}
	for _, r := range w.Roles {
		add(r.Pos.File)
	}
	for _, s := range w.Services {
		if s.Digest != "" && !seen[s.Pos.File] {
			seen[s.Pos.File] = true
			out = append(out, planner.Source{File: s.Pos.File, SHA256: s.Digest})
		}
		if s.Pack != nil {
			out = append(out, planner.Source{File: s.Pack.Pos.File, SHA256: s.Pack.Digest})
			if s.Pack.ValuesFile != "" {
				out = append(out, planner.Source{File: s.Pack.ValuesFile, SHA256: s.Pack.ValuesDigest})
			}
		}
	}
	return out
}

// values reads what the project gives the parameters of its packs.
func (a *app) values(sink *source.Sink) *services.Values {
	return services.ReadValues(os.DirFS(a.path(valuesFolder)), valuesFolder, sink)
}

// valuesFolder holds the values of packs' parameters, NAME.yaml for each.
const valuesFolder = "parameters"

// show prints problems: what is wrong, where, and how to mend it.
func (a *app) show(problems source.Problems) {
	for _, p := range problems {
		a.errorf("%s\n", p)
	}
	a.warnings += problems.Count(source.Warning)
	errs, warnings := problems.Count(source.Error), problems.Count(source.Warning)
	switch {
	case errs > 0 && warnings > 0:
		a.errorf("\n%s, %s\n", plural(errs, "error"), plural(warnings, "warning"))
	case errs > 0:
		a.errorf("\n%s\n", plural(errs, "error"))
	case warnings > 0:
		a.errorf("\n%s\n", plural(warnings, "warning"))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
