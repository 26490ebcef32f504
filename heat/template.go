package heat

import (
	"errors"
	"io/fs"

	"github.com/upstep/upstep/source"
)

// template is one file, read once.
type template struct {
	path       string
	name       string // for people
	root       source.Node
	version    string // as a date, which orders them
	parameters map[string]source.Node
	resources  map[string]source.Node
	conditions map[string]source.Node
	outputs    map[string]source.Node
}

// template reads a template, or gives nil when it was reported why not.
func (e *Engine) template(path string, at source.Pos) *template {
	if t, read := e.templates[path]; read {
		if t == nil {
			e.broken++ // it was reported
		}
		return t
	}
	e.templates[path] = nil
	f, err := e.files.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.fail(at, "no file "+f.Name, "give the whole tree with --templates, or map the type in an environment (-e)")
		return nil
	case err != nil:
		e.fail(source.Pos{File: f.Name}, "cannot read the template: "+source.Cause(err).Error(), "")
		return nil
	}
	e.read = append(e.read, f)
	sink := &source.Sink{}
	root, ok := source.ParseForeign(f, sink)
	e.sink.Merge(sink.Problems())
	if !ok {
		e.broken++
		return nil
	}
	e.templates[path] = newTemplate(path, f.Name, root)
	return e.templates[path]
}

func newTemplate(path, name string, root source.Node) *template {
	return &template{
		path: path, name: name, root: root, parameters: fields(root.Get("parameters")), resources: fields(root.Get("resources")),
		conditions: fields(root.Get("conditions")), outputs: fields(root.Get("outputs")), version: version(root.Get("heat_template_version")),
	}
}

func fields(n source.Node) map[string]source.Node {
	out := make(map[string]source.Node)
	for k, v := range n.Pairs() {
		out[k.Text()] = v
	}
	return out
}
