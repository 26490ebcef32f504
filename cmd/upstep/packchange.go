package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/pack"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// packFlags say what install and import may do.
type packFlags struct {
	packLimits
	pack.Options
}

func (f *packFlags) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.Downgrade, "downgrade", false, "put a lower version in the place of a higher one")
	cmd.Flags().BoolVar(&f.Force, "force", false, "replace what was edited, was written here, or has other files under the same version; it is kept")
	cmd.Flags().BoolVar(&f.Misfit, "keep-values", false, "install although the values in parameters/ do not fit, and leave them as they are")
	f.packLimits.flags(cmd)
}

func (a *app) packInstallCommand() *cobra.Command {
	var f packFlags
	cmd := &cobra.Command{
		Use:   "install FILE...",
		Short: "Install packs, or other versions of them",
		Long: `Put packs in place below the folder of services: all that are given, or none. Packs
that need each other come together. Whenever it is killed, each pack stands whole in its
old version or its new one, and the next command that changes packs goes on. The version
that is replaced is kept; values in parameters/ are never touched.`,
		Example: "  upstep pack install agent-1.0.0.tar.zst\n  upstep pack install runtime-1.2.0.tar.zst agent-1.1.0.tar.zst",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse(cmd, "upstep pack build makes such files", "name the file of a pack, or several")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			limits, err := f.limits()
			if err != nil {
				return err
			}
			var files []pack.Archive
			for _, name := range args {
				files = append(files, pack.Archive{Path: a.path(name), Shown: name})
			}
			return a.changePacks(func(s *pack.Store, sink *source.Sink) error {
				s.Limits = limits
				done, err := s.Install(files, a.packValues(s, sink), f.Options, sink)
				return a.packsDone(done, err, sink)
			})
		},
	}
	f.flags(cmd)
	return cmd
}

// packValues reads what the project gives parameters; other releases than the store's may
// take some of it.
func (a *app) packValues(s *pack.Store, sink *source.Sink) *services.Values {
	values := a.values(sink)
	for _, r := range a.readSettings(nil, &source.Sink{}).Releases {
		if dir := a.path(r.Services); filepath.Clean(dir) != filepath.Clean(s.Dir) {
			values.Know(services.Load(os.DirFS(dir), r.Services, &source.Sink{}))
		}
	}
	return values
}

func (a *app) packRollbackCommand() *cobra.Command {
	var to string
	var f packFlags
	cmd := &cobra.Command{
		Use:   "rollback PACK",
		Short: "Put back a version of a pack that was kept",
		Long: `Put back the version of a pack that was kept last, or the one that --to names. The
version that it replaces is kept too. It also brings back a pack that was removed.`,
		Example: "  upstep pack rollback agent\n  upstep pack rollback agent --to 1.0.0",
		Args:    oneArg("upstep pack list shows which versions are kept"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changePacks(func(s *pack.Store, sink *source.Sink) error {
				d, err := s.Rollback(args[0], to, a.packValues(s, sink), f.Options, sink)
				return a.packsDone([]pack.Done{d}, err, sink)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `VERSION` to put back")
	cmd.Flags().BoolVar(&f.Misfit, "keep-values", false, "put it back although the values in parameters/ do not fit, and leave them as they are")
	return cmd
}

func (a *app) packRemoveCommand() *cobra.Command {
	var f packFlags
	cmd := &cobra.Command{
		Use:   "remove PACK",
		Short: "Take a pack away, and keep it",
		Long: `Take a pack away. It is refused while another pack needs it, a service depends on it
or a role places it, and where it was edited. It is kept, and upstep pack rollback puts
it back; its values in parameters/ stay.`,
		Example: "  upstep pack remove agent",
		Args:    oneArg("upstep pack list shows what is installed"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changePacks(func(s *pack.Store, sink *source.Sink) error {
				own := &source.Sink{}
				a.placements(args[0], own)
				d, err := s.Remove(args[0], f.Options, own)
				if !f.Force || d.Pack == "" {
					sink.Merge(own.Problems())
				}
				return a.packsDone([]pack.Done{d}, err, sink)
			})
		},
	}
	cmd.Flags().BoolVar(&f.Force, "force", false, "take it away all the same")
	return cmd
}

// placements reports the roles that place a service.
func (a *app) placements(service string, sink *source.Sink) {
	parent, name := filepath.Split(filepath.Clean(a.rolesPath()))
	list, _ := roles.Load(os.DirFS(a.path(parent)), name, filepath.ToSlash(filepath.Clean(parent)), source.Values{Partial: true}, &source.Sink{})
	for _, r := range list {
		for _, p := range r.Services {
			if p.Service == service {
				sink.Errorf(p.Pos, "role %s places %s", r.Name, service).WithHint("take it out of the role first, or give --force")
			}
		}
	}
}

func (a *app) packExportCommand() *cobra.Command {
	var out, parameters string
	var all bool
	var f packFlags
	cmd := &cobra.Command{
		Use:   "export PACK...",
		Short: "Make one file of several packs, to clone them elsewhere",
		Long: `Make one file of all packs of an installation, or of those that are named. Values of
their parameters do not travel in it: --parameters writes them to a file beside it.`,
		Example: "  upstep pack export --all -o site.tar.zst\n  upstep pack export --all -o site.tar.zst --parameters site.yaml\n  upstep pack export agent runtime -o two.tar.zst",
		Args:    namesOrAll(&all),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return usageError{errors.New("to which file?"), "give -o FILE"}
			}
			return a.packExport(args, all, out, parameters, f.Options)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all packs that have a pack.yaml")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write them to `FILE`")
	cmd.Flags().StringVar(&parameters, "parameters", "", "write the values of their parameters to `FILE`, for you alone to read")
	cmd.Flags().BoolVar(&f.Force, "force", false, "take along what was edited since it was installed")
	return cmd
}

// namesOrAll asks for names of packs, or for all.
func namesOrAll(all *bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *all == (len(args) > 0) {
			return misuse(cmd, "upstep pack list shows what is installed", "name packs, or give --all")
		}
		return nil
	}
}

func (a *app) packExport(names []string, all bool, out, parameters string, o pack.Options) error {
	s, err := a.store()
	if err != nil {
		return err
	}
	sink := &source.Sink{}
	values := a.values(sink)
	packs, files, err := s.Export(names, all, o, sink)
	if err != nil {
		return err
	}
	if err := a.packProblems(sink); err != nil {
		return err
	}
	if len(packs) == 0 {
		return usageError{fmt.Errorf("there is no pack in %s", s.Shown), "a pack is a folder there with a pack.yaml"}
	}
	if err := a.writeArchive(out, 0o644, files); err != nil {
		return err
	}
	names = nil
	for _, p := range packs {
		names = append(names, p.Name)
	}
	a.printf("%s: %s\n", out, plural(len(packs), "pack"))
	for _, p := range packs {
		a.printf("  %s %s\n", p.Name, p.Pack.Version)
	}
	if parameters == "" {
		return nil
	}
	doc, with := values.Joined(names)
	if err := renameio.WriteFile(a.path(parameters), []byte(doc), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", parameters, source.Cause(err))
	}
	a.printf("%s: values of %s\n", parameters, plural(len(with), "pack"))
	return nil
}

func (a *app) packImportCommand() *cobra.Command {
	var parameters string
	var all bool
	var f packFlags
	cmd := &cobra.Command{
		Use:   "import FILE [PACK...]",
		Short: "Install packs that were exported elsewhere",
		Long: `Install the packs of a file that upstep pack export made, all or those that are named,
as upstep pack install does. --parameters brings the values that were exported with
them; where parameters/ has a file for a pack, that one stays.`,
		Example: "  upstep pack import site.tar.zst --all\n  upstep pack import site.tar.zst --all --parameters site.yaml\n  upstep pack import site.tar.zst agent",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse(cmd, "upstep pack export makes such files", "name the file of an export")
			}
			return namesOrAll(&all)(cmd, args[1:])
		},
		RunE: func(_ *cobra.Command, args []string) error {
			limits, err := f.limits()
			if err != nil {
				return err
			}
			return a.changePacks(func(s *pack.Store, sink *source.Sink) error {
				s.Limits = limits
				values := a.packValues(s, sink)
				var bring map[string]string
				if parameters != "" {
					text, err := readInputs(a.path(parameters))
					if err != nil {
						return usageError{fmt.Errorf("read parameters: %w", err), "--parameters names the file that upstep pack export wrote"}
					}
					bring = values.Add(source.File{Name: parameters, Text: text}, sink)
				}
				done, err := s.Import(pack.Archive{Path: a.path(args[0]), Shown: args[0]}, slices.Clone(args[1:]), values, bring, f.Options, sink)
				return a.packsDone(done, err, sink)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all packs of the file")
	cmd.Flags().StringVar(&parameters, "parameters", "", "`FILE` with values of their parameters")
	f.flags(cmd)
	return cmd
}
