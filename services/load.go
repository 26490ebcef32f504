package services

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Load reads every service below a folder: *.yaml and *.yml files, one service each,
// and packs, which are folders with a service.yaml. prefix is put before the names
// shown to people. The result is sorted by name; what is wrong goes to the sink.
func Load(fsys fs.FS, prefix string, sink *source.Sink) []Service {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		sink.Errorf(source.Pos{File: prefix}, "read services: %v", rootCause(err)).
			WithHint("a project keeps its services in services/; --services points elsewhere")
		return nil
	}
	var found []definition
	for _, e := range entries {
		if d, ok := classify(fsys, prefix, e, sink); ok {
			found = append(found, d)
		}
	}
	if len(found) == 0 && !sink.Failed() {
		sink.Errorf(source.Pos{File: prefix}, "no service found").WithHint("write one service per file, NAME.yaml")
	}
	return unique(readAll(fsys, found, sink), sink)
}

// definition is a file that defines a service; pack is the folder of its assets, or "".
type definition struct {
	file, shown, pack string
}

func classify(fsys fs.FS, prefix string, e fs.DirEntry, sink *source.Sink) (definition, bool) {
	name := e.Name()
	if strings.HasPrefix(name, ".") {
		return definition{}, false
	}
	isDir := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := fs.Stat(fsys, name)
		isDir = err == nil && info.IsDir()
	}
	if !isDir {
		ok := source.IsYAML(name)
		return definition{file: name, shown: path.Join(prefix, name)}, ok
	}
	var found []string
	for _, f := range []string{"service.yaml", "service.yml"} {
		if _, err := fs.Lstat(fsys, path.Join(name, f)); !errors.Is(err, fs.ErrNotExist) {
			found = append(found, f)
		}
	}
	if len(found) == 2 {
		sink.Errorf(source.Pos{File: path.Join(prefix, name, found[1])}, "stands beside %s, and only one can be read", found[0]).
			WithHint("remove one of the two")
	}
	if len(found) > 0 {
		return definition{path.Join(name, found[0]), path.Join(prefix, name, found[0]), name}, true
	}
	sink.Errorf(source.Pos{File: path.Join(prefix, name)}, "folder without a service.yaml").
		WithHint("a folder below services/ is a pack: give it a service.yaml, or move it away")
	return definition{}, false
}

// readAll reads the files side by side; the result has the order of the input.
func readAll(fsys fs.FS, found []definition, sink *source.Sink) []Service {
	type result struct {
		service Service
		sink    source.Sink
	}
	results := make([]result, len(found))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				r := &results[i]
				r.service = readOne(fsys, found[i], &r.sink)
			}
		})
	}
	for i := range found {
		next <- i
	}
	close(next)
	wg.Wait()
	var out []Service
	for i := range results {
		sink.Merge(results[i].sink.Problems())
		out = append(out, results[i].service)
	}
	return out
}

func readOne(fsys fs.FS, d definition, sink *source.Sink) Service {
	f, ok := source.Read(fsys, d.file, d.shown, "service", sink)
	if !ok {
		return unreadable(d, nil)
	}
	svc, ok := Parse(f, sink)
	if !ok {
		return unreadable(d, f.Text)
	}
	sum := sha256.Sum256(f.Text)
	svc.Digest = hex.EncodeToString(sum[:])
	if d.pack != "" {
		svc.Pack = true
		svc.Assets = readAssets(fsys, d.pack, path.Dir(d.shown), sink)
	}
	return svc
}

var nameLine = regexp.MustCompile(`(?m)^\s*service_name:\s*["']?([A-Za-z0-9_.-]+)`)

// unreadable stands for a service whose file has errors: by the name that it seems to
// have, those who refer to it are not reported as well.
func unreadable(d definition, text []byte) Service {
	name := strings.TrimSuffix(path.Base(d.file), path.Ext(d.file))
	if d.pack != "" {
		name = d.pack
	}
	if m := nameLine.FindSubmatch(text); m != nil {
		name = string(m[1])
	}
	return Service{Name: name, Pos: source.Pos{File: d.shown}, Unreadable: true, Lists: map[tasks.ListName][]tasks.Task{}}
}

// readAssets reads a pack's files in the order of their paths.
func readAssets(fsys fs.FS, dir, shown string, sink *source.Sink) []Asset {
	var out []Asset
	err := fs.WalkDir(fsys, dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(p, dir+"/")
		switch {
		case rel == "service.yaml", rel == "service.yml", rel == "pack.yaml", strings.HasPrefix(path.Base(rel), "."):
			return nil
		case !e.Type().IsRegular():
			sink.Errorf(source.Pos{File: path.Join(shown, rel)}, "is no regular file (%s)", source.FileType(e.Type())).
				WithHint("a pack holds plain files only: put a copy in place of a link")
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		out = append(out, Asset{Path: rel, Mode: mode, Data: data})
		return nil
	})
	if err != nil {
		sink.Errorf(source.Pos{File: shown}, "read the pack's files: %v", rootCause(err))
	}
	return out
}

// unique sorts services by name and reports names that two files claim.
func unique(all []Service, sink *source.Sink) []Service {
	slices.SortStableFunc(all, func(a, b Service) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Pos.Compare(b.Pos)
	})
	var out []Service
	for _, s := range all {
		if n := len(out); n > 0 && out[n-1].Name == s.Name {
			if s.Unreadable || out[n-1].Unreadable {
				continue
			}
			sink.Errorf(s.Pos, "duplicate service %q", s.Name).
				WithHint("it is defined first at " + out[n-1].Pos.Short() + "; rename or remove one of the two")
			continue
		}
		out = append(out, s)
	}
	return out
}

// rootCause leaves the path out of a file error: the problem's place has it.
func rootCause(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}
