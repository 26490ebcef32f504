package pack

import (
	"os"
	"path"
	"path/filepath"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Build gives the files of the pack in a folder, with the list of their sums; shown is
// the folder's name for people. What keeps it from being a pack goes to the sink.
func Build(dir, shown string, sink *source.Sink) (services.Service, []archive.File, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return services.Service{}, nil, err
	}
	own := &source.Sink{}
	svc := services.LoadPack(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), shown, own)
	sink.Merge(own.Problems())
	if own.Failed() {
		return svc, nil, nil
	}
	files, err := filesOf(svc, dir)
	return svc, files, err
}

// filesOf gives the files of a pack that was read from a folder without problems.
func filesOf(svc services.Service, dir string) ([]archive.File, error) {
	var files []archive.File
	var entries []archive.Entry
	add := func(name string, data []byte, executable bool) {
		files = append(files, archive.Bytes(name, data, executable))
		entries = append(entries, archive.Entry{Path: name, SHA256: archive.Sum(data)})
	}
	for _, name := range []string{path.Base(svc.Pos.File), services.PackFile} {
		data, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // it was just read
		if err != nil {
			return nil, err
		}
		add(name, data, false)
	}
	for _, a := range svc.Assets {
		add(a.Path, a.Data, a.Mode&0o111 != 0)
	}
	return append(files, archive.Bytes(services.PackSums, archive.Sums(entries), false)), nil
}

// FileName is what an archive of the pack is called.
func FileName(svc services.Service) string { return svc.Name + "-" + svc.Pack.Version + ".tar.zst" }
