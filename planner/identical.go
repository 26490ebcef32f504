package planner

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// identical numbers the tasks of services so that those that do the same have the same
// number: the same data, under the same variables and play keywords. Each text is read
// once, however many services have it.
type identical struct {
	texts   map[string]int
	numbers map[string]int
	known   map[listOf][]int
}

type listOf struct {
	svc  int // place in Services
	list tasks.ListName
}

func (x *identical) number(of string) int {
	n, known := x.numbers[of]
	if !known {
		n = len(x.numbers) + 1
		x.numbers[of] = n
	}
	return n
}

// data numbers YAML by what it means; 0 where it can't be read by itself.
func (x *identical) data(text string) int {
	n, known := x.texts[text]
	if !known {
		sink := &source.Sink{}
		if v, ok := source.Parse(source.File{Text: []byte(text)}, sink); ok && sink.Problems().Count(source.Error) == 0 {
			n = x.number("data " + v.Data())
		}
		x.texts[text] = n
	}
	return n
}

// alike gives the numbers of a service's tasks in a list; 0 for those that are never
// compared.
func (b *builder) alike(svc int, list tasks.ListName) []int {
	x := &b.identical
	if x.known == nil {
		*x = identical{texts: map[string]int{}, numbers: map[string]int{}, known: map[listOf][]int{}}
	}
	at := listOf{svc, list}
	out, known := x.known[at]
	if known {
		return out
	}
	s := &b.Services[svc]
	out = make([]int, len(s.Lists[list]))
	x.known[at] = out
	// What may be left alone on a host must not stand for another's; in a pack the same words
	// may mean another file; and nothing comes before the service's own backup.
	if s.Version.Probe != "" && s.Version.Target != "" || len(s.Assets) > 0 || len(s.Lists[tasks.Backup]) > 0 {
		return out
	}
	var play []string
	for _, k := range s.Play {
		play = append(play, k.Text)
	}
	var under strings.Builder // variables and keywords
	for _, text := range []string{s.Vars.Text, strings.Join(play, "\n")} {
		data := 0
		if text != "" {
			if data = x.data(text); data == 0 {
				return out
			}
		}
		under.WriteString(" " + strconv.Itoa(data))
	}
	for j := range out {
		t := &s.Lists[list][j]
		data := x.data(t.Text)
		if data == 0 {
			continue
		}
		key := "task " + strconv.Itoa(data) + under.String()
		if notifiesOwn(s, t) {
			key += " of " + s.Name
		}
		if strings.Contains(t.Text+s.Vars.Text, "upstep_bootstrap") {
			// It is true on the first host of the service: another one, where it stands elsewhere.
			key += " on " + b.rolesOf(svc)
		}
		out[j] = x.number(key)
	}
	return out
}

// rolesOf gives the roles that a service stands on, by number.
func (b *builder) rolesOf(svc int) string {
	var out []string
	for _, p := range b.standing[svc] {
		out = append(out, strconv.Itoa(b.placements[p].role))
	}
	return strings.Join(out, ",")
}

// notifiesOwn tells whether a task may notify a handler of its own service.
func notifiesOwn(s *services.Service, t *tasks.Task) bool {
	return len(s.Handlers) > 0 && slices.ContainsFunc(t.Notifies, func(m source.Mark) bool {
		return strings.Contains(m.Value, "{") || slices.ContainsFunc(s.Handlers, func(h tasks.Handler) bool {
			return slices.ContainsFunc(slices.Concat(h.Names, h.Listens), func(own source.Mark) bool { return own.Value == m.Value })
		})
	})
}

// sharer goes through the tasks of roles in a step, in the order in which they run, and
// leaves out those that an identical one before stands for. Without the setting it is nil
// and leaves out nothing.
type sharer struct {
	*builder
	list   tasks.ListName
	first  map[[2]int]taskAt // by role and number
	left   []standIn
	stands map[[2]int]bool // by part and service: whether a task of the one stands for one of the other
}

// taskAt is a task of a service, in a part of a step.
type taskAt struct{ svc, task, part int }

// standIn is a task that is left out, and the one that stands for it.
type standIn struct {
	role     int
	left, by taskAt
}

func (b *builder) sharer(list tasks.ListName) *sharer {
	if b.Settings.IdenticalTasks != settings.Once {
		return nil
	}
	return &sharer{builder: b, list: list, first: map[[2]int]taskAt{}, stands: map[[2]int]bool{}}
}

// keep gives those of a service's next tasks on a role that stay.
func (s *sharer) keep(role, svc, part int, items []item) []item {
	if s == nil || len(items) == 0 {
		return items
	}
	var out []item
	alike := s.alike(svc, s.list)
	for _, it := range items {
		if it.backup {
			out = append(out, it)
			continue
		}
		this := taskAt{svc, it.task, part}
		if n := alike[it.task]; n > 0 {
			if before, has := s.first[[2]int{role, n}]; has {
				s.left = append(s.left, standIn{role, this, before})
				s.stands[[2]int{before.part, svc}] = true
				continue
			}
			s.first[[2]int{role, n}] = this
		}
		out = append(out, it)
	}
	return out
}

// share leaves out of a step, in the order that it was given, what an identical task
// before stands for. What the service of such a task has left stays behind that one, and
// so does what depends on it: that is an edge.
func (s *sharer) share(f *frame, w *work, p *parts, gr *grouping) bool {
	if s == nil {
		return false
	}
	for _, vx := range gr.vertices {
		for _, n := range vx.nodes {
			pl := &s.placements[f.ph.nodes[w.nodes[p.node[n]]]]
			had := len(p.items[n])
			if p.items[n] = s.keep(pl.role, pl.of, n, p.items[n]); len(p.items[n]) == 0 && had > 0 {
				p.colour[n] = through
			}
		}
	}
	var more []arc
	for _, x := range s.left {
		if a := (arc{from: x.by.part, to: x.left.part}); a.from != a.to && (len(more) == 0 || more[len(more)-1] != a) {
			more = append(more, a)
		}
	}
	if len(more) > 0 {
		p.digraph = p.with(more)
	}
	return len(s.left) > 0
}

// with gives the graph with more edges.
func (g *digraph) with(more []arc) *digraph {
	var arcs []arc
	for n, edges := range g.in {
		for _, e := range edges {
			arcs = append(arcs, arc{e.node, n, e.hard, e.why})
		}
	}
	return newDigraph(g.len(), append(arcs, more...))
}

// tell notes in the units what was left out because of one of their tasks.
func (s *sharer) tell(units []Unit) {
	if s == nil || len(s.left) == 0 {
		return
	}
	type held struct{ role, service, task string }
	in := map[held]int{}
	for i := range units {
		for _, seg := range units[i].Segments {
			for _, id := range seg.Tasks {
				in[held{units[i].Role, seg.Service, id}] = i
			}
		}
	}
	for _, x := range s.left {
		svc, other := &s.Services[x.left.svc], &s.Services[x.by.svc]
		ts := svc.Lists[s.list]
		out := LeftOut{
			Service: svc.Name, Task: s.taskID(s.list, ts, x.left.task), Name: ts[x.left.task].Name,
			SameAs: other.Name, SameTask: s.taskID(s.list, other.Lists[s.list], x.by.task), Place: placeOf(ts[x.left.task].Pos),
		}
		u := &units[in[held{s.Roles[x.role].Name, out.SameAs, out.SameTask}]]
		u.LeftOut = append(u.LeftOut, out)
	}
}

// why says why a unit comes after one that has tasks of the service far: maybe because one
// of them stands for a task of what it depends on.
func (s *sharer) why(r *reason, far string, part int, back bool) string {
	near := r.from
	if back {
		near = r.to
	}
	if s == nil || near == far || !s.stands[[2]int{part, s.index[near]}] {
		return r.over(far, back)
	}
	return r.text() + ", and a task of " + far + " stands for one of " + near
}

// Holds tells whether a unit does something for a service: has tasks of it, or one that
// stands for a task of it.
func (u *Unit) Holds(service string) bool {
	return slices.ContainsFunc(u.Segments, func(s Segment) bool { return s.Service == service }) ||
		slices.ContainsFunc(u.LeftOut, func(l LeftOut) bool { return l.Service == service })
}

// services gives the services that a unit does something for, each once.
func (u *Unit) services() []string {
	var out []string
	for _, s := range u.Segments {
		if !slices.Contains(out, s.Service) {
			out = append(out, s.Service)
		}
	}
	for _, l := range u.LeftOut {
		if !slices.Contains(out, l.Service) {
			out = append(out, l.Service)
		}
	}
	return out
}
