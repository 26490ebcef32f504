package tasks

import (
	"slices"

	"github.com/upstep/upstep/source"
)

// List reads one task list; a value that is not there has no tasks.
func (r *Reader) List(v source.Node, name ListName) []Task {
	if !v.Exists() || !r.isTaskList(v, string(name)) {
		return nil
	}
	items, reports := r.items(v, name)
	if !name.Stepped() {
		for i := range items {
			r.special(&items[i], false)
			items[i].cut(items[i].report, v, nil)
		}
		return reports
	}
	all := r.stepsOf(items, name)
	out := reports[:0] // in place, where no element becomes more than one task
	if slices.ContainsFunc(items, func(it item) bool { return len(it.inner) > 0 }) {
		out = make([]Task, 0, 2*len(items))
	}
	for i := range items {
		out = items[i].expand(out, v, all)
	}
	return out
}

// steps are all that the tasks of a list name: where its common tasks run. Rollback
// tasks of the upgrade and of post_upgrade have steps of their own.
type steps struct{ upgrade, post []int }

func (s *steps) add(p place) {
	to := &s.upgrade
	if p.post {
		to = &s.post
	}
	for _, n := range p.in(steps{}) {
		if !slices.Contains(*to, n) {
			*to = append(*to, n)
		}
	}
}

// in gives the steps of a place in a list with such steps.
func (p place) in(all steps) []int {
	switch {
	case p.common && p.post:
		return all.post
	case p.common:
		return all.upgrade
	case p.post && len(p.steps) == 0:
		return []int{0}
	}
	return p.steps
}

// stepsOf gives every step that a list's tasks name. Tasks that name none are problems.
func (r *Reader) stepsOf(items []item, name ListName) steps {
	var all steps
	common := false
	see := func(n source.Node, p place) {
		if p.none() {
			r.sink.Errorf(n.Pos(), "task %s is in no step", describe(n)).
				WithHint("add tags: stepN, or tags: common for every step of this service")
		}
		common = common || p.common
		if !p.common {
			all.add(p)
			return
		}
		for _, n := range p.steps { // common beside a step: the step counts as named
			all.add(place{steps: []int{n}, post: p.post})
		}
	}
	for i := range items {
		r.special(&items[i], true)
		if it := &items[i]; len(it.inner) == 0 {
			see(it.node, it.place)
		}
		for j := range items[i].inner {
			if l := &items[i].inner[j]; !l.block {
				see(l.node, l.place)
			}
		}
	}
	slices.Sort(all.upgrade)
	slices.Sort(all.post)
	if common && len(all.upgrade)+len(all.post) == 0 {
		r.sink.Warnf(items[0].node.Pos(), "the %s of this service are all common and it has no step: they never run", name).
			WithHint("give one task a step: tags: stepN")
	}
	return all
}

// special warns of Ansible's own two tags, once for each that is written, where a task
// of the element has it.
func (r *Reader) special(it *item, stepped bool) {
	see := func(p place) {
		switch {
		case stepped && p.none():
		case p.never.Line > 0:
			r.sink.Warnf(p.never, "a task tagged never does not run, except where --tags chooses its part of the plan").
				WithHint("take the tag away and say when: it runs, or take the task away")
		case stepped && p.always.Line > 0:
			r.sink.Warnf(p.always, "a task tagged always runs even where --tags chooses other steps").
				WithHint("take the tag away: without it the task runs in its steps as well")
		}
	}
	if len(it.inner) == 0 {
		see(it.place)
	}
	for i := range it.inner {
		if !it.inner[i].block {
			see(it.inner[i].place)
		}
	}
}

// variant is what of a block goes to some steps.
type variant struct {
	steps []int
	post  bool
	drop  []source.Node
}

// expand gives a list element to its steps: as one task where all its parts go to
// the same steps, as one per set of parts where a block must be split.
func (it *item) expand(out []Task, list source.Node, all steps) []Task {
	if len(it.inner) == 0 {
		if in := it.place.in(all); len(in) > 0 {
			t := *it.report
			t.Steps, t.PostOnly = in, it.place.post
			it.cut(&t, list, nil)
			out = append(out, t)
		}
		return out
	}
	var variants []variant
	for _, post := range []bool{false, true} {
		steps := all.upgrade
		if post {
			steps = all.post
		}
		first := len(variants)
		for _, step := range steps {
			drop, kept := it.without(step, post, all)
			if kept == 0 {
				continue
			}
			same := slices.IndexFunc(variants[first:], func(v variant) bool {
				return slices.EqualFunc(v.drop, drop, source.Node.Same)
			})
			if same < 0 {
				variants = append(variants, variant{post: post, drop: drop})
				same = len(variants) - 1 - first
			}
			v := &variants[first+same]
			v.steps = append(v.steps, step)
		}
	}
	for _, v := range variants {
		t := *it.report
		t.Steps, t.PostOnly = v.steps, v.post
		it.cut(&t, list, v.drop)
		out = append(out, t)
	}
	return out
}

// without gives the parts of a block that are not in a step, and how many tasks are.
func (it *item) without(step int, post bool, all steps) (drop []source.Node, kept int) {
	keep := make([]bool, len(it.inner))
	for i := range it.inner {
		l := &it.inner[i]
		if l.block || l.place.post != post || !slices.Contains(l.place.in(all), step) {
			continue
		}
		kept++
		for j := i; j >= 0; j = it.inner[j].parent {
			keep[j] = true
		}
	}
	for i := range it.inner {
		if l := &it.inner[i]; !keep[i] && (l.parent < 0 || keep[l.parent]) {
			drop = append(drop, l.node)
		}
	}
	return drop, kept
}

// cut takes the text of the element out of its file.
func (it *item) cut(t *Task, list source.Node, drop []source.Node) {
	c := it.node.CutFrom(list, drop, it.notify)
	t.Text, t.Notifies = c.Text, c.Marks
	slices.SortFunc(t.Notifies, func(a, b source.Mark) int { return a.Start - b.Start })
}
