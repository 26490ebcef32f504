package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Verify reads an archive as Install does, and puts nothing in place. What is wrong with
// it goes to the sink.
func Verify(file, shown string, l archive.Limits, sink *source.Sink) (services.Service, []archive.Entry, error) {
	tmp, err := os.MkdirTemp("", "upstep-pack-")
	if err != nil {
		return services.Service{}, nil, err
	}
	svc, entries, err := unpack(file, shown, filepath.Join(tmp, "pack"), l, sink)
	return svc, entries, errors.Join(err, os.RemoveAll(tmp))
}

// unpack unpacks a pack to the folder dir and reads it.
func unpack(file, shown, dir string, l archive.Limits, sink *source.Sink) (services.Service, []archive.Entry, error) {
	entries, err := open(file, shown, dir, l, sink, func(entries []archive.Entry) string {
		for _, e := range entries {
			switch e.Path {
			case index:
				return "is an export of several packs: upstep pack import reads it"
			case services.PackFile:
				return ""
			}
		}
		return "is no pack: it has no " + services.PackFile
	})
	if err != nil || entries == nil {
		return services.Service{}, nil, err
	}
	return services.LoadPack(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), shown, sink), entries, nil
}

// open unpacks an archive that has a list of sums at its top; no entries where it is
// refused. other says why it is none of those that the caller wants.
func open(file, shown, dir string, l archive.Limits, sink *source.Sink, other func([]archive.Entry) string) ([]archive.Entry, error) {
	at := source.Pos{File: shown}
	f, err := os.Open(file) //nolint:gosec // named by whoever calls upstep
	if err != nil {
		sink.Errorf(at, "read it: %v", source.Cause(err))
		return nil, nil
	}
	defer f.Close() //nolint:errcheck // it was read only
	if info, err := f.Stat(); err != nil || info.IsDir() {
		sink.Errorf(at, "is a folder, not a file").WithHint("upstep pack list tells of the packs that are installed")
		return nil, nil
	}
	entries, err := archive.Unpack(f, dir, l, func(folder string, entries []archive.Entry) error {
		if why := other(entries); why != "" {
			return &archive.InvalidError{Reason: why}
		}
		return checkFiles(folder, entries)
	})
	var invalid *archive.InvalidError
	var large *archive.LimitError
	var differ *archive.SumsError
	switch {
	case errors.As(err, &invalid):
		p := sink.Errorf(at, "%v", invalid)
		if !strings.HasPrefix(invalid.Reason, "is no pack") && !strings.Contains(invalid.Reason, "upstep pack") {
			p.WithHint("fetch it again, or have it built again: upstep pack build and upstep pack export make such files")
		}
	case errors.As(err, &differ):
		sink.Errorf(at, "is not as it was built: %v", differ).WithHint("fetch it again; what was changed on the way is not to be trusted")
	case errors.As(err, &large):
		sink.Errorf(at, "%v", large).WithHint("if it must be that large, raise the limit with --max-files or --max-bytes")
	case err != nil:
		return nil, err
	default:
		return entries, nil
	}
	return nil, nil
}

// checkFiles compares what was unpacked with the list of sums that came along.
func checkFiles(folder string, entries []archive.Entry) error {
	for _, e := range entries {
		if strings.HasPrefix(e.Path, ".") || strings.Contains(e.Path, "/.") {
			return &archive.InvalidError{Path: e.Path, Reason: "is a hidden file, which a pack has none of"}
		}
	}
	list, err := os.ReadFile(filepath.Join(folder, services.PackSums)) //nolint:gosec // what was just unpacked
	if errors.Is(err, fs.ErrNotExist) {
		return &archive.InvalidError{Reason: "has no " + services.PackSums + ": it was not made by upstep"}
	}
	if err != nil {
		return err
	}
	return archive.CheckSums(list, services.PackSums, entries)
}
