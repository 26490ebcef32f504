package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// checkArtefacts compares the files that services name with their checksums. Where plans
// are made and reviewed the files need not be: one that is missing is a warning.
func (a *app) checkArtefacts(worlds []planner.World, sink *source.Sink) {
	seen := map[string]bool{}
	for _, w := range worlds {
		for _, svc := range w.Services {
			for _, art := range svc.Artefacts {
				key := art.Pos.String() + art.File
				if seen[key] {
					continue
				}
				seen[key] = true
				switch sum, err := a.sumOf(art.File); {
				case errors.Is(err, fs.ErrNotExist):
					sink.Warnf(art.Pos, "artefact %s is not there", art.File).WithHint("bring it before the run: upstep run and upstep bundle need it")
				case err != nil:
					sink.Errorf(art.Pos, "read artefact %s: %v", art.File, source.Cause(err)).WithHint("an artefact is a plain file below the project's folder")
				case sum != art.SHA256:
					sink.Errorf(art.Pos, "artefact %s is not what its checksum says: its SHA-256 is %s", art.File, sum).WithHint("bring the right file, or write this checksum where the file is what you want")
				}
			}
		}
	}
}

// needArtefacts refuses a run whose artefacts are missing or others, all of them at once.
func (a *app) needArtefacts(r *planner.Route) error {
	wrong := a.wrongArtefacts(r)
	for _, text := range wrong {
		a.errorf("%s\n", text)
	}
	if len(wrong) == 0 {
		return nil
	}
	return codeError{fmt.Errorf("%s not as planned, and nothing was begun\n  hint: bring the files below %s; the services that name them say their checksums", plural(len(wrong), "artefact"), a.dir), exitStale}
}

// wrongArtefacts says of each artefact of a route's plans what is wrong with it.
func (a *app) wrongArtefacts(r *planner.Route) []string {
	var out []string
	seen := map[planner.Artefact]bool{}
	for _, p := range r.Hops {
		for i := range p.Services {
			for _, art := range p.Services[i].Artefacts {
				if seen[art] {
					continue
				}
				seen[art] = true
				switch sum, err := a.sumOf(art.File); {
				case errors.Is(err, fs.ErrNotExist):
					out = append(out, art.File+": is not there")
				case err != nil:
					out = append(out, fmt.Sprintf("%s: %v", art.File, source.Cause(err)))
				case sum != art.SHA256:
					out = append(out, fmt.Sprintf("%s: its SHA-256 is %s, and %s was planned", art.File, sum, art.SHA256))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// sumOf gives the SHA-256 of a plain file below the project, in hex; each file is read once.
func (a *app) sumOf(file string) (string, error) {
	if sum, known := a.sums[file]; known {
		return sum, nil
	}
	root, err := os.OpenRoot(a.dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(filepath.FromSlash(file))
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("is no regular file (%s)", source.FileType(info.Mode()))
	}
	f, err := root.Open(filepath.FromSlash(file))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum, err := archive.SumOf(f)
	if err != nil {
		return "", err
	}
	if a.sums == nil {
		a.sums = map[string]string{}
	}
	a.sums[file] = sum
	return sum, nil
}
