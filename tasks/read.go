package tasks

import (
	"strconv"

	"github.com/upstep/upstep/source"
)

// item is an element of a task list, read but not yet given to its steps.
type item struct {
	node   source.Node
	place  place  // of the whole element
	inner  []leaf // the tasks of its block, with what each inherits; empty for a plain task
	report Task   // name, what it registers and so on
	notify []source.Node
}

// leaf is a task of a block, or a block within it.
type leaf struct {
	node   source.Node
	place  place
	parent int // index of the block around it, or -1
	block  bool
}

// reading is what stays the same while an element of a list is read.
type reading struct {
	*Reader
	it       *item
	rollback bool
}

// items reads the elements of a list.
func (r *Reader) items(list source.Node, rollback bool) []item {
	out := make([]item, 0, list.Len())
	index := 0
	for n := range list.Elements() {
		index++
		if !r.isTask(n) {
			continue
		}
		out = append(out, item{node: n})
		it := &out[len(out)-1]
		it.report.Pos, it.report.Index = n.Pos(), index
		rd := reading{r, it, rollback}
		name, tags, block := rd.task(n)
		it.report.Name = name.Text()
		it.place = r.within(tags, place{}, rollback)
		if block.Exists() {
			rd.block(block, it.place, -1)
		}
	}
	return out
}

// isTask tells whether an element of a list can be a task, and reports what is wrong.
func (r *Reader) isTask(n source.Node) bool {
	if name, is := HeatFunction(n); r.heat && is {
		NeedsImport(n, name, r.sink)
		return false
	}
	if n.Kind() != source.Map {
		r.sink.Errorf(n.Pos(), "a task must be a mapping, not %s", n.Kind()).
			WithHint("write - name: ..., then the module and its arguments")
		return false
	}
	return true
}

// isTaskList tells whether a value can be a list of tasks, and reports what is wrong.
func (r *Reader) isTaskList(v source.Node, what string) bool {
	if name, is := HeatFunction(v); r.heat && is {
		NeedsImport(v, name, r.sink)
		return false
	}
	if v.Kind() != source.List {
		r.sink.Errorf(v.Pos(), "%s must be a list of tasks, not %s", what, v.Kind()).
			WithHint(`every task begins with "- "`)
		return false
	}
	return true
}

// block lists the tasks of a block, blocks in it included, parents first.
func (rd reading) block(v source.Node, above place, parent int) {
	if !rd.isTaskList(v, "block") {
		return
	}
	for n := range v.Elements() {
		if !rd.isTask(n) {
			continue
		}
		_, tags, inner := rd.task(n)
		p := rd.within(tags, above, rd.rollback)
		rd.it.inner = append(rd.it.inner, leaf{node: n, place: p, parent: parent, block: inner.Exists()})
		if inner.Exists() {
			rd.block(inner, p, len(rd.it.inner)-1)
		}
	}
}

// aside reads the tasks of rescue and always, which go wherever their block goes:
// their tags name no steps.
func (rd reading) aside(v source.Node, what string) {
	if v.Kind() == source.Null || !rd.isTaskList(v, what) {
		return
	}
	for n := range v.Elements() {
		if rd.isTask(n) {
			if _, _, inner := rd.task(n); inner.Exists() {
				rd.aside(inner, "block")
			}
		}
	}
}

func describe(n source.Node) string {
	if name := n.Get("name").Text(); name != "" {
		return strconv.Quote(name)
	}
	return "without a name"
}
