package services

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Load reads every service below a folder: *.yaml and *.yml files, one service each,
// and packs, which are folders with a service.yaml. prefix is put before the names
// shown to people. The result is sorted by name; what is wrong goes to the sink.
func Load(fsys fs.FS, prefix string, sink *source.Sink) []Service {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		sink.Errorf(source.Pos{File: prefix}, "read services: %v", source.Cause(err)).
			WithHint("a project keeps its services in services/; --services points elsewhere")
		return []Service{nameOnly("", prefix, NameGuessed)}
	}
	var found []definition
	var out []Service
	for _, e := range entries {
		d, kind := classify(fsys, prefix, e, sink)
		switch kind {
		case defines:
			found = append(found, d)
		case misses:
			out = append(out, nameOnly(e.Name(), d.shown, NameOnly))
		case other:
		}
	}
	if len(found)+len(out) == 0 {
		sink.Errorf(source.Pos{File: prefix}, "no service found").WithHint("write one service per file, NAME.yaml")
		return []Service{nameOnly("", prefix, NameGuessed)}
	}
	all := unique(append(out, readAll(fsys, found, sink)...), sink)
	CheckNeeds(all, sink)
	return all
}

// definition is a file that defines a service; pack is the folder of its assets, or "".
type definition struct {
	file, shown, pack string
}

// What an entry of the folder is.
type entry int

const (
	other   entry = iota // not ours to read
	defines              // it defines a service
	misses               // it should, and has no definition
)

func classify(fsys fs.FS, prefix string, e fs.DirEntry, sink *source.Sink) (definition, entry) {
	name := e.Name()
	if strings.HasPrefix(name, ".") {
		return definition{}, other
	}
	if r, odd := source.Control(name, ""); odd {
		sink.Errorf(source.Pos{File: path.Join(prefix, name)}, "the file's name has a control character (%U)", r).WithHint("rename it")
		return definition{shown: path.Join(prefix, name)}, misses
	}
	isDir := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := fs.Stat(fsys, name)
		if isDir = err == nil && info.IsDir(); err != nil && !source.IsYAML(name) {
			sink.Errorf(source.Pos{File: path.Join(prefix, name)}, "is a link that leads nowhere: %v", source.Cause(err)).
				WithHint("mend it or take it away: a pack may have stood behind it")
			return definition{shown: path.Join(prefix, name)}, misses
		}
	}
	if !isDir {
		if !source.IsYAML(name) {
			return definition{}, other
		}
		return definition{file: name, shown: path.Join(prefix, name)}, defines
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
		return definition{path.Join(name, found[0]), path.Join(prefix, name, found[0]), name}, defines
	}
	sink.Errorf(source.Pos{File: path.Join(prefix, name)}, "folder without a service.yaml").
		WithHint("a folder below services/ is a pack: give it a service.yaml, or move it away")
	return definition{shown: path.Join(prefix, name)}, misses
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
	if sink.Failed() {
		svc.Read = max(svc.Read, InPart)
	}
	svc.Digest = archive.Sum(f.Text)
	if d.pack != "" {
		svc.Pack = readPack(fsys, d.pack, path.Dir(d.shown), &svc, sink)
		svc.Assets = readAssets(fsys, d.pack, path.Dir(d.shown), sink)
		svc.Included = included(svc.Assets, path.Dir(d.shown), sink)
	}
	return svc
}

var nameLine = regexp.MustCompile(`(?m)^\s*service_name:\s*["']?([A-Za-z0-9_.-]+)`)

// unreadable stands for a service whose file has errors: by the name that it seems to
// have, those who refer to it are not reported as well.
func unreadable(d definition, text []byte) Service {
	name, read := strings.TrimSuffix(path.Base(d.file), path.Ext(d.file)), NameGuessed
	if d.pack != "" {
		name = d.pack
	}
	if m := nameLine.FindSubmatch(text); m != nil {
		name, read = string(m[1]), NameOnly
	}
	return nameOnly(name, d.shown, read)
}

func nameOnly(name, shown string, read Reading) Service {
	return Service{Name: name, Pos: source.Pos{File: shown}, Read: read, Lists: map[tasks.ListName][]tasks.Task{}}
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
	first := map[string]*Service{}
	for i, s := range all {
		if n := len(out); n > 0 && out[n-1].Name == s.Name {
			if max(s.Read, out[n-1].Read) >= NameOnly {
				continue
			}
			sink.Errorf(s.Pos, "duplicate service %q", s.Name).
				WithHint("it is defined first at " + out[n-1].Pos.Short() + "; rename or remove one of the two")
			continue
		}
		key := strings.ToLower(s.Name)
		if o := first[key]; o == nil {
			first[key] = &all[i]
		} else if max(s.Read, o.Read) < NameOnly {
			// Emitted files are named by service, and some systems do not tell case apart.
			sink.Errorf(s.Pos, "service %q differs from %q in case only", s.Name, o.Name).WithHint("the other stands at " + o.Pos.Short() + "; rename one of the two")
		}
		out = append(out, s)
	}
	return out
}
