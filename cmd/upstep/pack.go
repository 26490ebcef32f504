package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/pack"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

func (a *app) packCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pack",
		Short: "Build, install and carry packs",
		Long: `A pack is a service with its files, a version, needs and parameters: a folder below
services/ with a pack.yaml. It is built into one file, carried, and installed elsewhere.`,
		Example: "  upstep pack build agent\n  upstep pack install agent-1.0.0.tar.zst\n  upstep pack list",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.packBuildCommand(), a.packVerifyCommand(), a.packInstallCommand(), a.packListCommand(), a.packRollbackCommand(),
		a.packRemoveCommand(), a.packExportCommand(), a.packImportCommand())
	return cmd
}

// packLimits are flags that let larger packs in.
type packLimits struct {
	files int
	bytes string
}

func (l *packLimits) flags(cmd *cobra.Command) {
	d := pack.DefaultLimits()
	cmd.Flags().IntVar(&l.files, "max-files", d.Files, "refuse what holds more than `N` files")
	cmd.Flags().StringVar(&l.bytes, "max-bytes", fmt.Sprintf("%dM", d.Bytes>>20), "refuse what unpacks to more than `SIZE`, such as 2G")
}

func (l *packLimits) limits() (archive.Limits, error) {
	n, ok := services.ParseSize(l.bytes)
	if !ok {
		return archive.Limits{}, usageError{fmt.Errorf("--max-bytes %s is no size", l.bytes), "write a number with K, M, G or T, such as 2G"}
	}
	if l.files < 1 {
		return archive.Limits{}, usageError{fmt.Errorf("--max-files %d lets nothing in", l.files), "give a number of 1 or more"}
	}
	return archive.Limits{Files: l.files, Bytes: n}, nil
}

// store gives the folder of services as a store of packs.
func (a *app) store() (*pack.Store, error) {
	if err := a.needFolder(); err != nil {
		return nil, err
	}
	dir := a.services
	if dir == "" {
		dir = "services"
	}
	return &pack.Store{Dir: a.path(dir), Shown: filepath.ToSlash(filepath.Clean(dir)), ValuesDir: a.path(valuesFolder), Limits: pack.DefaultLimits()}, nil
}

// changePacks lets f change packs, with the project's lock held and nothing half-done by a
// killed command. Problems are shown; with an error among them f has changed nothing.
func (a *app) changePacks(f func(*pack.Store, *source.Sink) error) (err error) {
	s, err := a.store()
	if err != nil {
		return err
	}
	held, err := journal.Lock(a.dir, journal.Owner{Who: a.who(), Since: time.Now()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if err := a.recoverPacks(s); err != nil {
		return err
	}
	sink := &source.Sink{}
	if err := f(s, sink); err != nil {
		return err
	}
	return a.packProblems(sink)
}

func (a *app) recoverPacks(s *pack.Store) error {
	said, err := s.Recover()
	for _, text := range said {
		a.errorf("upstep: %s\n", text)
	}
	return err
}

// packProblems shows what was found, and says that nothing was changed for it.
func (a *app) packProblems(sink *source.Sink) error {
	found := sink.Problems()
	a.show(found)
	if found.Count(source.Error) > 0 {
		a.errorf("nothing was changed\n")
		return a.refused(found)
	}
	return nil
}

func (a *app) packBuildCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "build PACK|DIR",
		Short: "Make one file of a pack",
		Long: `Make one file of a pack, given by its name below the folder of services or by its
folder: the same files give the same bytes. A folder with problems is refused.`,
		Example: "  upstep pack build agent\n  upstep pack build ../agent -o agent.tar.zst",
		Args:    oneArg("name a pack below services/, or its folder"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.packBuild(args[0], out) },
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "write it to `FILE` (default PACK-VERSION.tar.zst)")
	return cmd
}

// oneArg asks for one argument.
func oneArg(hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return misuse(cmd, hint, "upstep pack %s needs an argument", cmd.Name())
		case len(args) > 1:
			return misuse(cmd, hint, "unexpected argument %q", args[1])
		}
		return nil
	}
}

func (a *app) packBuild(name, out string) error {
	s, err := a.store()
	if err != nil {
		return err
	}
	dir, shown := a.path(name), filepath.ToSlash(name)
	if !strings.Contains(name, "/") {
		if _, err := os.Stat(filepath.Join(s.Dir, name)); err == nil {
			dir, shown = filepath.Join(s.Dir, name), path.Join(s.Shown, name)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("%s is no folder, nor is there one of that name in %s", name, s.Shown), "name a pack below the folder of services, or its folder"}
	}
	sink := &source.Sink{}
	svc, files, err := pack.Build(dir, shown, sink)
	if err != nil {
		return err
	}
	if err := a.packProblems(sink); err != nil {
		return err
	}
	if out == "" {
		out = pack.FileName(svc)
	}
	if err := a.writeArchive(out, 0o644, files); err != nil {
		return err
	}
	a.printf("%s: pack %s %s, %s\n", out, svc.Name, svc.Pack.Version, plural(len(files), "file"))
	return nil
}

// writeArchive writes an archive, over an older one only.
func (a *app) writeArchive(out string, mode fs.FileMode, files []archive.File) error {
	file := a.path(out)
	if old, err := os.Lstat(file); err == nil && (!old.Mode().IsRegular() || old.Size() > 0 && !archive.Looks(file)) {
		return usageError{fmt.Errorf("%s exists and is no archive", out), "-o overwrites only an earlier archive: name another file"}
	}
	err := archive.Create(file, mode, files)
	if bad, is := errors.AsType[*archive.InvalidError](err); is {
		return usageError{bad, "rename it: not every system could take it"}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", out, source.Cause(err))
	}
	return nil
}

func (a *app) packVerifyCommand() *cobra.Command {
	var l packLimits
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check the file of a pack, and show what it is",
		Long: `Check the file of a pack as install does, and put nothing in place: that it unpacks
safely, the sum of every file, pack.yaml, service.yaml and the README.`,
		Example: "  upstep pack verify agent-1.0.0.tar.zst\n  upstep pack verify agent-1.0.0.tar.zst --output json",
		Args:    oneArg("name the file of a pack"),
		RunE: func(_ *cobra.Command, args []string) error {
			limits, err := l.limits()
			if err != nil {
				return err
			}
			sink := &source.Sink{}
			svc, entries, err := pack.Verify(a.path(args[0]), args[0], limits, sink)
			if err != nil {
				return err
			}
			found := sink.Problems()
			a.show(found)
			if found.Count(source.Error) > 0 {
				return a.refused(found)
			}
			return a.showVerified(args[0], svc, entries)
		},
	}
	l.flags(cmd)
	a.outputFlag(cmd)
	return cmd
}
