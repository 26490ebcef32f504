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
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/heat"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tripleo"
)

func (a *app) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Make a project out of what another tool knows",
		Example: "  upstep import tripleo --templates tripleo-heat-templates --out site",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.importTripleoCommand())
	return cmd
}

// importFlags is what import tripleo is told.
type importFlags struct {
	tripleo.Options

	workflow             string
	out                  string
	keepGoing, overwrite bool
}

func (a *app) importTripleoCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "tripleo",
		Short: "Import the upgrade tasks of tripleo-heat-templates",
		Long: `Read tripleo-heat-templates of any release from Ocata on, with roles data and
environments as a deployment has them, and write a native project: a file for each
service, roles.yaml and upgrade.yaml. Every task is evaluated as TripleO's own tools
would. What can't be evaluated is reported with template, line and expression, and
nothing is written; with --keep-going the rest is.`,
		Example: "  upstep import tripleo --templates tripleo-heat-templates --out site\n  upstep import tripleo --templates tht -e environments/docker-ha.yaml -e site.yaml --placeholders --out site\n  upstep import tripleo --templates tht --workflow update --out update",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.importTripleo(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Templates, "templates", "", "folder of tripleo-heat-templates")
	flags.StringVar(&f.RolesData, "roles-data", "", "file of the roles (default roles_data.yaml of the templates)")
	flags.StringVar(&f.NetworkData, "networks-data", "", "file of the networks (default network_data.yaml of the templates)")
	flags.StringArrayVarP(&f.Environments, "environment", "e", nil, "environment file; may be repeated, later ones win")
	flags.StringVar(&f.workflow, "workflow", string(tripleo.Upgrade), "which task lists: "+strings.Join(tripleo.Workflows(), ", "))
	flags.BoolVar(&f.Placeholders, "placeholders", false, "give parameters without a value one that shows their name")
	flags.BoolVar(&f.keepGoing, "keep-going", false, "leave out what can't be evaluated and write the rest")
	flags.StringVar(&f.out, "out", "", "folder of the project to write")
	flags.BoolVar(&f.overwrite, "overwrite", false, "write into a folder that is not empty, over files of the same names")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) importTripleo(ctx context.Context, f importFlags) error {
	switch {
	case f.Templates == "":
		return usageError{errors.New("--templates is missing"), "name the folder of tripleo-heat-templates"}
	case f.out == "":
		return usageError{errors.New("--out is missing"), "name the folder of the project to write"}
	case !slices.Contains(tripleo.Workflows(), f.workflow):
		return usageError{fmt.Errorf("unknown workflow %q", f.workflow), cmp.Or(source.DidYouMean(f.workflow, tripleo.Workflows()), "use "+strings.Join(tripleo.Workflows(), ", "))}
	}
	f.Templates, f.Workflow = a.path(f.Templates), tripleo.Workflow(f.workflow)
	if info, err := os.Stat(f.Templates); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("%s is no folder", f.Templates), "--templates names the folder of tripleo-heat-templates"}
	}
	out := a.path(f.out)
	if err := f.refuse(out); err != nil {
		return err
	}
	if err := apart(f.Templates, out); err != nil {
		return err
	}
	for _, name := range []*string{&f.RolesData, &f.NetworkData} {
		if *name != "" {
			*name = a.path(*name)
		}
	}
	for i, e := range f.Environments {
		f.Environments[i] = a.environment(f.Templates, e)
	}
	sink := &source.Sink{}
	project := tripleo.Import(f.Options, sink)
	found := sink.Problems()
	if project == nil || found.Count(source.Error) > 0 && !f.keepGoing {
		a.show(found)
		if project != nil {
			a.errorf("  nothing is written; --keep-going leaves out what is broken and writes the rest\n")
		}
		return a.refused(found)
	}
	imported, err := a.writeProject(ctx, out, project, found)
	if err != nil {
		return err
	}
	return a.result(imported, func() { a.importTable(f, imported) })
}

// environment finds an environment file, which may be named as it stands in the templates.
func (a *app) environment(templates, name string) string {
	path := a.path(name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name) {
		if within := filepath.Join(templates, name); fileExists(within) || fileExists(strings.TrimSuffix(within, ".yaml")+".j2.yaml") {
			return within
		}
	}
	return path
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// refuse refuses a place that cannot take the project.
func (f importFlags) refuse(out string) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usageError{fmt.Errorf("%s: %w", out, source.Cause(err)), "--out names the folder of the project to write"}
	case len(entries) > 0 && !f.overwrite:
		return usageError{fmt.Errorf("%s is not empty", out), "name a new folder, or give --overwrite to write over an earlier import"}
	}
	return nil
}

// apart refuses a project in the templates, or around them.
func apart(templates, out string) error {
	from, err := followed(templates)
	if err != nil {
		return err
	}
	to, err := followed(out)
	if err != nil {
		return err
	}
	if within(from, to) || within(to, from) {
		return usageError{fmt.Errorf("--out %s and the templates in %s lie in one another", out, templates), "name a folder of its own"}
	}
	return nil
}

// imported is what there is to say of an import.
type imported struct {
	tripleo.Summary

	Plan     []string           `json:"plans"` // each hop's, in short
	Crossing []planner.Crossing `json:"variables_crossing_services"`
	Problems source.Problems    `json:"problems"`
}

// writeProject writes the project beside its place, plans it there, and moves it. So
// what upstep itself would refuse never stands there.
func (a *app) writeProject(ctx context.Context, out string, p *tripleo.Project, found source.Problems) (_ imported, err error) {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil { //nolint:gosec // as any folder of the user
		return imported{}, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), ".upstep-import-")
	if err != nil {
		return imported{}, usageError{fmt.Errorf("%s: %w", filepath.Dir(out), source.Cause(err)), "--out names a folder below one that can be written to"}
	}
	defer func() {
		if rerr := os.RemoveAll(dir); err == nil {
			err = rerr
		}
	}()
	for _, f := range p.Files {
		if err := atomically(filepath.Join(dir, filepath.FromSlash(f.Path)), []byte(f.Text)); err != nil {
			return imported{}, err
		}
	}
	in := imported{Summary: p.Summary, Problems: found}
	own := &app{dir: dir, stdout: a.stdout, stderr: a.stderr}
	if n := len(p.Summary.Releases); n > 0 {
		own.from, own.to = p.Summary.From, p.Summary.Releases[n-1]
	}
	worlds, sink, err := own.read(ctx)
	if err != nil {
		return imported{}, err
	}
	wrong := sink.Problems()
	for _, w := range worlds {
		plan, problems := planner.Build(w)
		wrong = append(wrong, problems...)
		if plan != nil {
			in.Plan = append(in.Plan, plan.Summary())
		}
		in.Crossing = append(in.Crossing, planner.Crossings(w)...)
	}
	wrong = slices.DeleteFunc(wrong, func(p source.Problem) bool { return p.Severity != source.Error })
	a.show(append(found, wrong...).Sorted())
	if len(wrong) > 0 {
		return imported{}, a.refused(wrong)
	}
	return in, a.place(dir, out, p)
}

// place moves a project to its place: as a whole where nothing stands there, else file
// by file.
func (a *app) place(dir, out string, p *tripleo.Project) error {
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as any folder of the user
		return err
	}
	if err := os.Rename(dir, out); err == nil { // onto an empty folder, too
		return nil
	}
	mine := map[string]bool{}
	for _, f := range p.Files {
		path := filepath.Join(out, filepath.FromSlash(f.Path))
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return usageError{fmt.Errorf("%s is in the way of a file of the import", path), "move it away; nothing is written"}
		}
	}
	for _, f := range p.Files {
		mine[f.Path] = true
		if err := atomically(filepath.Join(out, filepath.FromSlash(f.Path)), []byte(f.Text)); err != nil {
			return err
		}
	}
	others, err := filepath.Glob(filepath.Join(out, "services", "*.y*ml"))
	if err != nil {
		return err
	}
	for _, path := range others {
		if name := "services/" + filepath.Base(path); !mine[name] {
			a.errorf("%s: warning: this import did not write it\n  hint: remove it if it is of an earlier import\n", filepath.Join(out, name))
		}
	}
	return nil
}

// importTable prints what an import found.
func (a *app) importTable(f importFlags, in imported) {
	a.printf("%s: %s with tasks, %s (%s)\n", f.out, plural(in.Services, "service"), plural(in.Tasks, "task"), strings.Join(in.Plan, "; "))
	t := newTable()
	for _, l := range in.Lists {
		t.AppendRow(table.Row{l.Name, plural(l.Tasks, "task"), stepsText(l.Steps)})
	}
	a.printTable(t)
	a.printf("\nroles\n")
	t = newTable()
	for _, r := range in.Roles {
		t.AppendRow(table.Row{r.Name, r.Stage, plural(r.Services, "service")})
	}
	a.printTable(t)
	if len(in.Releases) > 0 {
		a.printf("\nhops: %s\n", strings.Join(in.Releases, ", "))
	}
	if len(in.Without) > 0 {
		a.printf("\nwithout tasks: %s\n", strings.Join(in.Without, ", "))
	}
	if in.Broken > 0 {
		a.printf("\nleft out, for it can't be evaluated: %s\n", plural(in.Broken, "task"))
	}
	if in.Dead > 0 {
		a.printf("\nleft out, for TripleO never ran it: %s\n", plural(in.Dead, "task"))
	}
	if len(in.Crossing) > 0 {
		a.printf("\nvariables that cross services without a dependency\n")
		t = newTable()
		for _, c := range in.Crossing {
			t.AppendRow(table.Row{c.Variable, "used by " + c.User, "set by " + shortened(c.Setters, 3)})
		}
		a.printTable(t)
	}
	a.parametersTable(in.Parameters)
	if len(in.Secrets) > 0 {
		a.printf("\nsecrets that stand in the project in clear text: %s\n", strings.Join(in.Secrets, ", "))
	}
	way := ""
	if in.From != "" {
		way = " --from " + in.From + " --to " + in.Releases[len(in.Releases)-1]
	}
	a.printf("\nnext: upstep plan -C %s%s\n", pathWord(a.path(f.out)), way)
}

// stepsText shows steps, those that follow each other as one: steps 0-3, 5.
func stepsText(steps []int) string {
	var parts []string
	for i := 0; i < len(steps); {
		j := i
		for j+1 < len(steps) && steps[j+1] == steps[j]+1 {
			j++
		}
		part := strconv.Itoa(steps[i])
		if j > i {
			part += "-" + strconv.Itoa(steps[j])
		}
		parts, i = append(parts, part), j+1
	}
	switch len(steps) {
	case 0:
		return ""
	case 1:
		return "step " + parts[0]
	}
	return "steps " + strings.Join(parts, ", ")
}

// parametersTable prints the parameters that shaped tasks: first what was given, then
// the defaults by name only.
func (a *app) parametersTable(used []heat.Used) {
	if len(used) == 0 {
		return
	}
	a.printf("\nparameters that shaped tasks\n")
	t := newTable()
	var defaults []string
	for _, u := range used {
		if u.Origin == "default" {
			defaults = append(defaults, u.Name)
			continue
		}
		t.AppendRow(table.Row{u.Name, u.Origin})
	}
	if t.Length() > 0 {
		a.printTable(t)
	}
	if len(defaults) > 0 {
		a.printf("  by their defaults: %s\n", strings.Join(defaults, ", "))
	}
}
