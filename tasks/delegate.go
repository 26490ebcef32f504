package tasks

import (
	"maps"
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// Delegation is a task that runs on another host than its own, with what says which and
// when. Tasks of a rescue are none: whether they run is known when something failed.
type Delegation struct {
	Name string // of the task, on one line
	Pos  source.Pos
	To   string   // as delegate_to says, mostly an expression
	When []string // all that must hold, the outermost block's first
	Loop string   // the task's loop and what of loop_control names its variables, as written; "" where nothing else needs it
	Vars []Keyword
	// NoLog: what these evaluate to may be secret.
	NoLog bool
	// Apart says why it tells nothing that its host does not answer a plain question; "" if it does.
	Apart string
	// Uses are the variables that the above name, by name. Those of the loop are not among them.
	Uses []string
}

// around is a block as what it gives to the tasks in it.
type around struct {
	node source.Node
	up   *around
	to   bool // it, or one around it, says delegate_to
}

// within gives the block that a task list stands in.
func (p parts) within(n source.Node, up *around) *around {
	if !p.block.Exists() {
		return up
	}
	return &around{node: n, up: up, to: p.delegates || up.delegates()}
}

func (a *around) delegates() bool { return a != nil && a.to }

// delegation notes on which host a task runs, where it or a block around it says so.
func (rd reading) delegation(n source.Node, p parts, up *around) {
	if p.block.Exists() || !p.delegates && !up.delegates() {
		return
	}
	chain := []source.Node{n} // the nearest first
	for a := up; a != nil; a = a.up {
		chain = append(chain, a.node)
	}
	d := Delegation{Name: source.Visible(p.name.Text()), Pos: n.Pos()}
	to := nearest(chain, "delegate_to")
	if d.To = strings.TrimSpace(to.Text()); d.To == "" || to.Tag() != "!!str" {
		return
	}
	uses := map[string]bool{}
	need(uses, "delegate_to", to)
	for _, around := range slices.Backward(chain) {
		when := around.Get("when")
		for _, w := range scalars(when) {
			d.When = append(d.When, w.Text())
		}
		need(uses, "when", when)
		d.NoLog = d.NoLog || around.Get("no_log").Exists()
	}
	d.Apart = apart(chain)
	d.close(chain, uses)
	rd.it.report.Delegates = append(rd.it.report.Delegates, d)
}

// nearest gives the value of a key where it stands nearest to the task.
func nearest(chain []source.Node, key string) source.Node {
	for _, n := range chain {
		if v := n.Get(key); v.Kind() != source.Missing && v.Kind() != source.Null {
			return v
		}
	}
	return source.Node{}
}

// close takes along what the names used so far lead to: the task's loop, and variables of
// it and of the blocks around it, of which the nearest counts.
func (d *Delegation) close(chain []source.Node, uses map[string]bool) {
	loop, loops := loopOf(chain[0])
	locals := map[string]source.Entry{}
	for _, around := range slices.Backward(chain) {
		for _, e := range around.Get("vars").Entries() {
			locals[e.Key.Text()] = e
		}
	}
	taken := map[string]bool{}
	for todo := slices.Sorted(maps.Keys(uses)); len(todo) > 0; todo = todo[1:] {
		found := map[string]bool{}
		switch e, local := locals[todo[0]]; {
		case slices.Contains(loops, todo[0]):
			if delete(uses, todo[0]); d.Loop == "" && len(loop) > 0 {
				d.Loop = text(loop)
				need(found, "loop", loop[0].Value)
			}
		case local && !taken[todo[0]]:
			taken[todo[0]] = true
			d.Vars = append(d.Vars, Keyword{Name: todo[0], Text: e.Cut(), Pos: e.Key.Pos()})
			need(found, todo[0], e.Value)
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if !uses[name] {
				uses[name] = true
				todo = append(todo, name)
			}
		}
	}
	slices.SortFunc(d.Vars, func(a, b Keyword) int { return strings.Compare(a.Name, b.Name) })
	d.Uses = slices.Sorted(maps.Keys(uses))
}

// loopOf gives the entries of a task that make its loop, and the variables that the loop sets.
func loopOf(n source.Node) (loop []source.Entry, sets []string) {
	sets = []string{"item"}
	var control source.Node
	for _, e := range n.Entries() {
		switch key := e.Key.Text(); {
		case key == "loop" || strings.HasPrefix(key, "with_"):
			loop = append(loop, e)
		case key == "loop_control":
			control = e.Value
		}
	}
	if len(loop) == 0 {
		return nil, nil
	}
	for _, e := range control.Entries() {
		switch e.Key.Text() {
		case "loop_var":
			sets[0] = e.Value.Text()
			loop = append(loop, e)
		case "index_var":
			sets = append(sets, e.Value.Text())
			loop = append(loop, e)
		}
	}
	return loop, sets
}

// text writes a loop as the author did, with the names of its variables.
func text(loop []source.Entry) string {
	var b strings.Builder
	b.WriteString(loop[0].Cut())
	for i, e := range loop[1:] {
		if i == 0 {
			b.WriteString("loop_control:\n")
		}
		b.WriteString("  " + e.Key.Text() + ": " + source.Quote(e.Value.Text()) + "\n")
	}
	return b.String()
}

// apart says why a host that does not answer is no reason against a task.
func apart(chain []source.Node) string {
	for _, n := range chain {
		for k, v := range n.Pairs() {
			switch key := k.Text(); key {
			case "connection", "port", "remote_user":
				return "it says " + key + " of its own"
			case "ignore_unreachable":
				if on, known := source.ParseBool(v.Text()); on || !known {
					return "it says ignore_unreachable"
				}
			case "vars":
				for name := range v.Pairs() {
					if strings.HasPrefix(name.Text(), "ansible_") {
						return "it sets " + name.Text()
					}
				}
			}
		}
	}
	return ""
}

// need notes the names in the expressions of a value.
func need(into map[string]bool, key string, v source.Node) {
	for _, name := range names(key, v) {
		into[name] = true
	}
}

// names gives the variables that the expressions of a value name, by name.
func names(key string, v source.Node) []string {
	r := Reader{uses: map[string]source.Pos{}}
	r.use(key, v, &Task{})
	return slices.Sorted(maps.Keys(r.uses))
}
