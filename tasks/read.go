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
	report *Task  // name, what it registers and so on
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
	it   *item
	list ListName
}

// items reads the elements of a list; their reports stand in one slice, in the same order.
func (r *Reader) items(list source.Node, name ListName) ([]item, []Task) {
	out := make([]item, 0, list.Len())
	reports := make([]Task, list.Len())
	index := 0
	for n := range list.Elements() {
		index++
		if !r.isTask(n) {
			continue
		}
		out = append(out, item{node: n, report: &reports[len(out)]})
		it := &out[len(out)-1]
		it.report.Pos, it.report.Index = n.Pos(), index
		rd := reading{r, it, name}
		p := rd.task(n)
		it.report.Name = source.Visible(p.name.Text())
		it.place = r.within(p.tags, place{}, name == Rollback)
		rd.delegation(n, p, nil)
		rd.lists(p, p.within(n, nil), it.place, -1)
	}
	return out, reports[:len(out)]
}

// isTask tells whether an element of a list can be a task, and reports what is wrong.
func (r *Reader) isTask(n source.Node) bool {
	if r.heat && r.isHeat(n) {
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
	if r.heat && r.isHeat(v) {
		return false
	}
	if v.Kind() != source.List {
		r.sink.Errorf(v.Pos(), "%s must be a list of tasks, not %s", what, v.Kind()).
			WithHint(`every task begins with "- "`)
		return false
	}
	return true
}

// lists reads the lists of tasks that a block has.
func (rd reading) lists(p parts, in *around, above place, parent int) {
	if p.block.Exists() {
		rd.block(p.block, in, above, parent)
	}
	rd.aside(p.rescue, "rescue", nil)
	rd.aside(p.always, "always", in)
}

// block lists the tasks of a block, blocks in it included, parents first.
func (rd reading) block(v source.Node, in *around, above place, parent int) {
	if !rd.isTaskList(v, "block") {
		return
	}
	for n := range v.Elements() {
		if !rd.isTask(n) {
			continue
		}
		p := rd.task(n)
		here := rd.within(p.tags, above, rd.list == Rollback)
		rd.it.inner = append(rd.it.inner, leaf{node: n, place: here, parent: parent, block: p.block.Exists()})
		rd.delegation(n, p, in)
		rd.lists(p, p.within(n, in), here, len(rd.it.inner)-1)
	}
}

// aside reads the tasks of rescue and always, which go wherever their block goes:
// their tags name no steps. Without a block around them they are those of a rescue.
func (rd reading) aside(v source.Node, what string, in *around) {
	if k := v.Kind(); k == source.Missing || k == source.Null || !rd.isTaskList(v, what) {
		return
	}
	for n := range v.Elements() {
		if rd.isTask(n) {
			p := rd.task(n)
			inner := in
			if in != nil {
				rd.delegation(n, p, in)
				inner = p.within(n, in)
			}
			rd.aside(p.block, "block", inner)
			rd.aside(p.rescue, "rescue", nil)
			rd.aside(p.always, "always", inner)
		}
	}
}

func describe(n source.Node) string {
	if name := n.Get("name").Text(); name != "" {
		return strconv.Quote(name)
	}
	return "without a name"
}
