package pack

import (
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// index names the file that says what an export holds.
const index = "packs.json"

const exportFormat = "upstep.packs/1"

// contents are what the index says.
type contents struct {
	Format string     `json:"format"`
	Packs  []exported `json:"packs"`
}

type exported struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Export gives the files of an archive with the named packs, or with all, and which they
// are. A pack that was edited since it was installed is refused unless it is forced, as
// it would go under a version that others have too.
func (s *Store) Export(names []string, all bool, o Options, sink *source.Sink) ([]Installed, []archive.File, error) {
	have, packs, err := s.installed()
	if err != nil {
		return nil, nil, err
	}
	if all {
		names = nil
		for _, svc := range have {
			if p := packs[svc.Name]; p != nil && p.Pack != nil {
				names = append(names, svc.Name)
			}
		}
	}
	var out []Installed
	var files []archive.File
	var entries []archive.Entry
	list := contents{Format: exportFormat}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		p := packs[name]
		if p == nil {
			s.noPack(name, have, packs, sink)
			continue
		}
		shown := path.Join(s.Shown, p.Folder)
		if len(p.Edited) > 0 && !o.Force {
			sink.Errorf(source.Pos{File: shown}, "was edited since it was installed: %s", strings.Join(p.Edited, ", ")).
				WithHint("give it a version of its own in " + services.PackFile + " and build it, or take it along as it is with --force")
		}
		svc, own, err := Build(s.path(p.Folder), shown, sink)
		if err != nil {
			return nil, nil, err
		}
		if own == nil {
			continue
		}
		for _, f := range own {
			f.Path = path.Join(name, f.Path)
			files = append(files, f)
		}
		list.Packs = append(list.Packs, exported{svc.Name, svc.Pack.Version})
		out = append(out, *p)
	}
	doc, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return nil, nil, err
	}
	files = append(files, archive.Bytes(index, append(doc, '\n'), false))
	for _, f := range files {
		sum, err := sumOf(f)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, archive.Entry{Path: f.Path, SHA256: sum})
	}
	return out, append(files, archive.Bytes(services.PackSums, archive.Sums(entries), false)), nil
}

// Import puts the packs of an export in place as Install does: all, or those that are named.
// bring has the texts of files of values that come along, by pack.
func (s *Store) Import(file Archive, names []string, values *services.Values, bring map[string]string, o Options, sink *source.Sink) ([]Done, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	const from = staged + "/export"
	at := source.Pos{File: file.Shown}
	entries, err := open(file.Path, file.Shown, s.path(from), s.Limits, sink, func(entries []archive.Entry) string {
		if slices.ContainsFunc(entries, func(e archive.Entry) bool { return e.Path == index }) {
			return ""
		}
		return "is no export of packs: upstep pack install reads a single pack"
	})
	if err != nil || entries == nil {
		return nil, errors.Join(err, s.clear())
	}
	doc, err := os.ReadFile(s.path(path.Join(from, index)))
	if err != nil {
		return nil, errors.Join(err, s.clear())
	}
	var list contents
	if err := json.Unmarshal(doc, &list); err != nil || list.Format != exportFormat {
		sink.Errorf(at, "%s in it is not of this upstep", index)
		return nil, s.clear()
	}
	var holds []string
	var in []incoming
	for _, e := range list.Packs {
		if archive.CheckPath(e.Name) != nil || strings.Contains(e.Name, "/") {
			sink.Errorf(at, "%q in it can be no pack", e.Name)
			continue
		}
		holds = append(holds, e.Name)
		if len(names) > 0 && !slices.Contains(names, e.Name) {
			continue
		}
		if svc, ok := s.fromExport(path.Join(from, e.Name), path.Join(file.Shown, e.Name), sink); ok {
			in = append(in, svc)
		}
	}
	for _, n := range names {
		if !slices.Contains(holds, n) {
			hint := source.DidYouMean(n, holds)
			if hint == "" {
				hint = "it holds " + strings.Join(holds, ", ")
			}
			sink.Errorf(at, "holds no pack %q", n).WithHint(hint)
		}
	}
	return s.putInPlace("import", in, values, bring, o, sink)
}

// fromExport reads a pack of an export that was unpacked.
func (s *Store) fromExport(from, shown string, sink *source.Sink) (incoming, bool) {
	own := &source.Sink{}
	dir := s.path(from)
	entries, err := entriesOf(dir)
	if err == nil {
		err = checkFiles(dir, entries)
	}
	if err != nil {
		own.Errorf(source.Pos{File: shown}, "is not as it was built: %v", source.Cause(err))
	}
	svc := services.LoadPack(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), shown, own)
	sink.Merge(own.Problems())
	return incoming{Service: svc, from: from, shown: shown}, svc.Pack != nil && !own.Failed()
}

func sumOf(f archive.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close() //nolint:errcheck // it was read only
	return archive.SumOf(r)
}
