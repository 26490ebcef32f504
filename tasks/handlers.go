package tasks

import (
	"github.com/upstep/upstep/source"
)

// Handlers reads handlers; each needs a name or a topic to be notified by.
func (r *Reader) Handlers(v source.Node) []Handler {
	if !v.Exists() || !r.isTaskList(v, "handlers") {
		return nil
	}
	var out []Handler
	first := map[string]source.Pos{}
	for _, it := range r.tasks(v) {
		name, listen := it.node.Get("name"), scalars(it.node.Get("listen"))
		h := Handler{Name: name.Text(), Pos: it.node.Pos()}
		switch {
		case h.Name == "" && len(listen) == 0:
			r.sink.Errorf(h.Pos, "a handler without a name").WithHint("add name:, which notify: refers to")
			continue
		case it.node.Get("block").Exists():
			r.sink.Errorf(h.Pos, "handler %q is a block", h.Name).WithHint("Ansible takes only plain tasks as handlers: use listen: on each")
			continue
		case h.Name != "" && first[h.Name].Line > 0:
			r.sink.Errorf(h.Pos, "duplicate handler %q", h.Name).
				WithHint("it stands first at " + first[h.Name].Short() + "; Ansible would run only the last")
			continue
		}
		first[h.Name] = h.Pos
		marks := append([]source.Node{}, it.notify...)
		marks = append(marks, listen...)
		if name.Exists() {
			marks = append(marks, name)
		}
		c := it.node.CutFrom(v, nil, marks)
		h.Text = c.Text
		h.Notifies = c.Marks[:len(it.notify)]
		h.Listens = c.Marks[len(it.notify) : len(it.notify)+len(listen)]
		h.Names = c.Marks[len(it.notify)+len(listen):]
		out = append(out, h)
	}
	return out
}
