package heat

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upstep/upstep/source"
)

// installed is where the distribution's package puts the templates: environment files
// that name them there mean the ones at hand.
const installed = "/usr/share/openstack-tripleo-heat-templates"

// Files reads templates and environments, renders those that are Jinja sources, and
// names them as people do: from the folder of the templates, where they stand in it.
type Files struct {
	Root string         // the folder of the templates
	Here string         // where people stand: other files are named from there
	Vars map[string]any // what Jinja sources see: roles, networks
}

// Name gives a file's name for people.
func (f *Files) Name(path string) string {
	for _, from := range []string{f.Root, f.Here} {
		if rel, err := filepath.Rel(from, path); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return path
}

// locate gives the path of a file that another one names.
func (f *Files) locate(ref, from string) string {
	ref = strings.TrimPrefix(ref, "file://")
	if !filepath.IsAbs(ref) {
		return filepath.Join(filepath.Dir(from), filepath.FromSlash(ref))
	}
	if rel, ok := strings.CutPrefix(ref, installed+"/"); ok {
		if _, err := os.Stat(ref); err != nil {
			return filepath.Join(f.Root, filepath.FromSlash(rel))
		}
	}
	return filepath.Clean(ref)
}

// source gives the file that a YAML file stands in, or is rendered from: NAME.j2.yaml
// for NAME.yaml, and NAME.role.j2.yaml for ROLE-NAME.yaml, which sees that role.
func (f *Files) source(path string) (at string, vars map[string]any) {
	stem, isYAML := strings.CutSuffix(path, ".yaml")
	if !isYAML || strings.HasSuffix(stem, ".j2") {
		return path, f.Vars
	}
	if at = stem + ".j2.yaml"; exists(at) { // a rendered file beside it may be of other roles
		return at, f.Vars
	}
	if exists(path) {
		return path, f.Vars
	}
	roles, _ := f.Vars["roles"].([]any)
	for _, r := range roles {
		role, _ := r.(map[string]any)
		name, _ := role["name"].(string)
		base, ok := strings.CutPrefix(filepath.Base(stem), strings.ToLower(name)+"-")
		if at = filepath.Join(filepath.Dir(path), base+".role.j2.yaml"); ok && name != "" && exists(at) {
			return at, map[string]any{"roles": roles, "networks": f.Vars["networks"], "role": role}
		}
	}
	return path, f.Vars
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// read gives a file's text, rendered.
func (f *Files) read(path string) (source.File, error) {
	at, vars := f.source(path)
	data, err := readFile(at)
	if err != nil {
		return source.File{Name: f.Name(at)}, err
	}
	out := source.File{Name: f.Name(at), Text: data}
	if !strings.HasSuffix(at, ".j2.yaml") {
		return out, nil
	}
	if out.Text, err = render(data, filepath.Dir(at), vars); err == nil {
		// Lines are those of what was rendered, which TripleO's own tools write there too.
		out.Name = strings.TrimSuffix(f.Name(path), ".j2.yaml")
		out.Name = strings.TrimSuffix(out.Name, ".yaml") + ".yaml"
	}
	return out, err
}

func readFile(path string) ([]byte, error) {
	data, err := source.ReadFile(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return data, err
}
