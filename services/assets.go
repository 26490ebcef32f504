package services

import (
	"bytes"
	"io/fs"
	"path"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// maxAssetBytes bounds one file of a pack: all of them are held in memory.
const maxAssetBytes = 256 << 20

// assets reads the files of one pack.
type assets struct {
	fsys       fs.FS
	dir, shown string
	sink       *source.Sink
	first      map[string]string // paths by what they are where case does not count
	list       []Asset
}

// readAssets reads a pack's files in the order of their paths.
func readAssets(fsys fs.FS, dir, shown string, sink *source.Sink) []Asset {
	a := assets{fsys: fsys, dir: dir, shown: shown, sink: sink, first: map[string]string{}}
	_ = fs.WalkDir(fsys, dir, func(p string, e fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(strings.TrimPrefix(p, dir), "/")
		switch {
		case err != nil:
			a.fail(rel, "read it: %v", source.Cause(err))
			return fs.SkipDir // an error is handed over for folders only
		case rel == "":
		case strings.HasPrefix(path.Base(rel), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir():
			a.file(rel, e)
		}
		return nil
	})
	return a.list
}

func (a *assets) fail(rel, format string, args ...any) *source.Problem {
	return a.sink.Errorf(source.Pos{File: path.Join(a.shown, rel)}, format, args...)
}

func (a *assets) file(rel string, e fs.DirEntry) {
	switch rel {
	case "service.yaml", "service.yml", PackFile, PackSums:
		return
	}
	if !e.Type().IsRegular() {
		a.fail(rel, "is no regular file (%s)", source.FileType(e.Type())).
			WithHint("a pack holds plain files only: put a copy in place of a link")
		return
	}
	if !a.usable(rel) {
		return
	}
	info, err := e.Info()
	if err == nil && info.Size() > maxAssetBytes {
		a.fail(rel, "file of a pack is larger than %d MiB", maxAssetBytes>>20).WithHint("let a task fetch it from where the hosts can reach it")
		return
	}
	var data []byte
	if err == nil {
		data, err = source.ReadFile(a.fsys, path.Join(a.dir, rel))
	}
	if err != nil {
		a.fail(rel, "read it: %v", source.Cause(err))
		return
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	a.list = append(a.list, Asset{Path: rel, Mode: mode, Data: data})
}

// usable tells whether a file can stand in the emitted role under its own path.
func (a *assets) usable(rel string) bool {
	key := strings.ToLower(strings.ToUpper(rel))
	first, twice := a.first[key]
	switch r, odd := source.Control(rel, ""); {
	case odd:
		a.fail(rel, "the file's name has a control character (%U)", r).WithHint("rename it")
	case strings.HasPrefix(key, "tasks/upstep_"):
		a.fail(rel, "names that begin with upstep_ are upstep's own among the tasks of a pack").WithHint("rename it")
	case key == "tasks":
		a.fail(rel, "a file where the pack's folder of tasks stands").WithHint("rename it")
	case twice:
		a.fail(rel, "differs from %s in case only, which not every file system tells apart", path.Join(a.shown, first)).WithHint("rename one of the two")
	default:
		a.first[key] = rel
		return true
	}
	return false
}

// included looks into a pack's own files of tasks, which reach Ansible as they are, for
// what harms the upgrade, and gives the handlers that they notify.
func included(list []Asset, shown string, sink *source.Sink) (notifies []string) {
	for _, a := range list {
		folder, _, _ := strings.Cut(a.Path, "/")
		if folder != "tasks" && folder != "handlers" || !source.IsYAML(a.Path) ||
			!bytes.Contains(a.Data, []byte("notify")) && !bytes.Contains(a.Data, []byte("meta")) {
			continue
		}
		// What is wrong with its YAML is for Ansible's syntax check: it need not be read here.
		root, ok := source.Parse(source.File{Name: path.Join(shown, a.Path), Text: a.Data}, &source.Sink{})
		if !ok {
			notifies = append(notifies, "{{ any }}")
			continue
		}
		notifies = append(notifies, tasks.Included(root, sink)...)
	}
	return notifies
}
