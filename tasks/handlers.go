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
	items, _ := r.items(v, "handlers")
	for i := range items {
		it := &items[i]
		var names []source.Node
		own := ""
		if name := it.node.Get("name"); name.Kind() == source.Scalar {
			names, own = []source.Node{name}, name.Text()
		}
		listen := scalars(it.node.Get("listen"))
		h := Handler{Name: own, Pos: it.report.Pos}
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
		c, marks := it.node.CutFor(v, names, listen, it.notify)
		h.Text, h.Names, h.Listens, h.Notifies = c.Text, marks[0], marks[1], marks[2]
		out = append(out, h)
	}
	return out
}
