package tasks

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

// maxStep bounds step numbers: more is a slip of the fingers.
const maxStep = 999

// List reads one task list; a value that is not there has no tasks.
func (r *Reader) List(v source.Node, name ListName) []Task {
	if !v.Exists() || !r.isTaskList(v, string(name)) {
		return nil
	}
	items := r.tasks(v)
	all := r.stepsOf(items, name)
	var out []Task
	for _, it := range items {
		out = append(out, r.expand(v, it, name, all)...)
	}
	return out
}

func (r *Reader) isTaskList(v source.Node, what string) bool {
	if name, is := HeatFunction(v); is && r.heat {
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

// item is an element of a task list, read but not yet given to its steps.
type item struct {
	node   source.Node
	index  int
	leaf   leaf   // what is true of the whole element
	inner  []leaf // the tasks of its block, with what each inherits; empty for a plain task
	report Task   // name, what it registers and so on
	notify []source.Node
}

// leaf is one task that carries step tags, its own and inherited.
type leaf struct {
	node   source.Node
	list   source.Node
	parent int // index of the enclosing inner block in inner, or -1
	block  bool
	steps  []int
	common bool
	post   bool
}

func (l leaf) placed() bool { return len(l.steps) > 0 || l.common || l.post }

func (r *Reader) tasks(list source.Node) []item {
	var out []item
	for i, n := range list.Items() {
		if name, is := HeatFunction(n); is && r.heat {
			NeedsImport(n, name, r.sink)
			continue
		}
		if n.Kind() != source.Map {
			r.sink.Errorf(n.Pos(), "a task must be a mapping, not %s", n.Kind()).
				WithHint("write - name: ..., then the module and its arguments")
			continue
		}
		it := item{node: n, index: i + 1}
		it.leaf = r.leafOf(n, list, leaf{parent: -1})
		it.report = Task{Name: n.Get("name").Text(), Pos: n.Pos(), Index: i + 1}
		if block := n.Get("block"); block.Exists() {
			it.inner = r.innerLeaves(nil, block, it.leaf, -1)
		}
		r.inspect(n, &it)
		out = append(out, it)
	}
	return out
}

// innerLeaves lists the tasks of a block, blocks in it included, parents first.
func (r *Reader) innerLeaves(out []leaf, block source.Node, above leaf, parent int) []leaf {
	if block.Kind() != source.List {
		r.sink.Errorf(block.Pos(), "block must be a list of tasks, not %s", block.Kind())
		return out
	}
	for _, n := range block.Items() {
		if n.Kind() != source.Map {
			r.sink.Errorf(n.Pos(), "a task must be a mapping, not %s", n.Kind())
			continue
		}
		l := r.leafOf(n, block, above)
		l.parent = parent
		out = append(out, l)
		if b := n.Get("block"); b.Exists() {
			out[len(out)-1].block = true
			out = r.innerLeaves(out, b, l, len(out)-1)
		}
	}
	return out
}

var (
	stepTag    = regexp.MustCompile(`^step(\d+)$`)
	almostStep = regexp.MustCompile(`(?i)^step[ _:=-]*(\d+)$`)
)

// leafOf reads the tags of a task and adds those of the block around it.
func (r *Reader) leafOf(n, list source.Node, above leaf) leaf {
	l := leaf{node: n, list: list, steps: slices.Clone(above.steps), common: above.common, post: above.post}
	for _, t := range r.tags(n.Get("tags")) {
		word := t.Text()
		switch m := stepTag.FindStringSubmatch(word); {
		case m != nil:
			num, err := strconv.Atoi(m[1])
			if err != nil || num > maxStep {
				r.sink.Errorf(t.Pos(), "step number %s is too large", m[1]).WithHint("steps go from 0 to " + strconv.Itoa(maxStep))
				continue
			}
			l.steps = append(l.steps, num)
		case word == "common":
			l.common = true
		case word == PostUpgradeTag:
			l.post = true
		case almostStep.MatchString(word):
			r.sink.Errorf(t.Pos(), "tag %q is no step", word).
				WithHint("did you mean step" + almostStep.FindStringSubmatch(word)[1] + "?")
		}
	}
	slices.Sort(l.steps)
	l.steps = slices.Compact(l.steps)
	return l
}

// tag is one word of a tags value, with the place of the value it stands in.
type tag struct {
	word string
	at   source.Pos
}

func (t tag) Text() string    { return t.word }
func (t tag) Pos() source.Pos { return t.at }

// tags reads a word, a comma list, or a YAML list of either.
func (r *Reader) tags(v source.Node) []tag {
	var out []tag
	add := func(n source.Node) {
		for word := range strings.SplitSeq(n.Text(), ",") {
			if word = strings.TrimSpace(word); word != "" {
				out = append(out, tag{word, n.Pos()})
			}
		}
	}
	switch v.Kind() {
	case source.Scalar:
		add(v)
	case source.List:
		for _, it := range v.Items() {
			if it.Kind() != source.Scalar {
				r.sink.Errorf(it.Pos(), "a tag must be a word, not %s", it.Kind())
				continue
			}
			add(it)
		}
	case source.Map:
		r.sink.Errorf(v.Pos(), "tags must be a word or a list of words, not %s", v.Kind())
	}
	return out
}

// stepsOf gives every step that a list's tasks name: where common tasks run. Tasks
// that name none are problems.
func (r *Reader) stepsOf(items []item, name ListName) []int {
	if !name.Stepped() {
		return nil
	}
	var all []int
	anyCommon := false
	see := func(l leaf) {
		all = append(all, l.steps...)
		anyCommon = anyCommon || l.common
		if l.post && name == Rollback && len(l.steps) == 0 {
			all = append(all, 0)
		}
		if !l.placed() || l.post && name != Rollback && len(l.steps) == 0 && !l.common {
			r.sink.Errorf(l.node.Pos(), "task %s is in no step", describe(l.node)).
				WithHint("add tags: stepN, or tags: common for every step of this service")
		}
	}
	for _, it := range items {
		if len(it.inner) == 0 {
			see(it.leaf)
			continue
		}
		for _, l := range it.inner {
			if !l.block {
				see(l)
			}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 0 && anyCommon {
		r.sink.Warnf(items[0].node.Pos(), "the %s of this service are all common and it has no step: they never run", name).
			WithHint("give one task a step: tags: stepN")
	}
	return all
}

func describe(n source.Node) string {
	if name := n.Get("name").Text(); name != "" {
		return strconv.Quote(name)
	}
	return "without a name"
}

// expand gives a list element to its steps: as one task where all its parts go to
// the same steps, as one per set of parts where a block must be split.
func (r *Reader) expand(list source.Node, it item, name ListName, all []int) []Task {
	t := it.report
	if !name.Stepped() {
		r.fill(&t, list, it, nil)
		return []Task{t}
	}
	if len(it.inner) == 0 {
		t.Steps, t.PostOnly = it.leaf.in(all), it.leaf.post
		if len(t.Steps) == 0 {
			return nil
		}
		r.fill(&t, list, it, nil)
		return []Task{t}
	}
	var out []Task
	for _, step := range all {
		drop, kept := dropped(it.inner, step, all)
		if kept == 0 {
			continue
		}
		if n := len(out); n > 0 && slices.EqualFunc(out[n-1].dropped, drop, source.Node.Same) {
			out[n-1].Steps = append(out[n-1].Steps, step)
			continue
		}
		v := t
		v.Steps, v.PostOnly, v.dropped = []int{step}, it.leaf.post, drop
		out = append(out, v)
	}
	for i := range out {
		out[i].Split = len(out) > 1
		r.fill(&out[i], list, it, out[i].dropped)
		out[i].dropped = nil
	}
	return out
}

// in gives the steps of a leaf, where its list's steps are all.
func (l leaf) in(all []int) []int {
	switch {
	case l.common:
		return all
	case len(l.steps) == 0 && l.post:
		return []int{0}
	}
	return l.steps
}

// dropped gives the parts of a block that are not in a step, and how many tasks are.
func dropped(inner []leaf, step int, all []int) (drop []source.Node, kept int) {
	keep := make([]bool, len(inner))
	for i, l := range inner {
		if l.block || !slices.Contains(l.in(all), step) {
			continue
		}
		kept++
		for j := i; j >= 0; j = inner[j].parent {
			keep[j] = true
		}
	}
	for i, l := range inner {
		if !keep[i] && (l.parent < 0 || keep[l.parent]) {
			drop = append(drop, l.node)
		}
	}
	return drop, kept
}

// fill cuts the task's text out of its file.
func (r *Reader) fill(t *Task, list source.Node, it item, drop []source.Node) {
	c := it.node.CutFrom(list, drop, it.notify)
	t.Text, t.Notifies = c.Text, c.Marks
}
