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
	parameters map[string]source.Node
	resources  map[string]source.Node
	conditions map[string]source.Node
	outputs    map[string]source.Node
}

// template reads a template, or gives nil when it was reported why not.
func (e *Engine) template(path string, at source.Pos) *template {
	if t, read := e.templates[path]; read {
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
	t := &template{
		path: path, name: f.Name, root: root, parameters: fields(root.Get("parameters")), resources: fields(root.Get("resources")),
		conditions: fields(root.Get("conditions")), outputs: fields(root.Get("outputs")),
	}
	e.templates[path] = t
	return t
}

func fields(n source.Node) map[string]source.Node {
	out := make(map[string]source.Node)
	for k, v := range n.Pairs() {
		out[k.Text()] = v
	}
	return out
}
