package tripleo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/heat"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// The parts of a block.
const (
	block  = "block"
	rescue = "rescue"
	ensure = "always"
)

// task is a task of a template: its keys, its condition taken apart, and the steps in
// which it can run.
type task struct {
	value   any
	entries []heat.Entry
	when    []item
	tags    []string
	steps   []int
	inner   []*task // the tasks of its block; those of rescue and always go with them
	split   bool    // the tasks of its block are not all in the same steps
	whole   bool    // its block stands undivided in all its steps

	only string // a condition that holds for it besides

	parts map[string]source.Node // keys that are written already
}

// item is one condition of a task.
type item struct {
	value any
	cond  *condition // nil for what is no text
}

// taskReader reads the tasks of one list of one service.
type taskReader struct {
	list    list
	byTags  bool     // steps are selected by tags alone, as in Ocata
	release string   // of a fast-forward upgrade
	others  []string // all its releases
	sink    *source.Sink
	notes   *notes
}

// scope is what stands around a task.
type scope struct {
	steps []int // in which it can run
	top   bool  // nothing stands around it
	named bool  // tags around it name steps, which it inherits
}

// read takes a task apart. It is nil when the task is none, or can never run; that was
// reported.
func (r *taskReader) read(v any, in scope) *task {
	entries, ok := heat.Entries(v)
	if !ok {
		r.sink.Errorf(heat.Place(v), "a task must be a mapping, not %s", shape(v)).WithHint("begin it with - name: NAME")
		return nil
	}
	t := &task{value: v, entries: entries}
	for _, e := range entries {
		switch e.Name {
		case "when":
			t.when = conditions(e.Value)
			r.oddComparisons(t)
		case "tags":
			t.tags = words(e.Value)
		}
	}
	t.steps = r.possible(t, in)
	inner, isBlock := t.get(block)
	if !isBlock {
		return r.living(t, in)
	}
	list, ok := yaql.Open(inner).([]any)
	if !ok {
		r.sink.Errorf(heat.Place(inner), "a block must be a list of tasks, not %s", shape(inner)).WithHint("begin each task with a dash")
		return nil
	}
	if t = r.living(t, in); t == nil {
		return nil
	}
	below := scope{steps: t.steps, named: in.named || namesSteps(t.tags)}
	var used []int
	for _, it := range list {
		child := r.read(it, below)
		if child == nil {
			t.split = true
			continue
		}
		used = append(used, child.steps...)
		t.split = t.split || child.split || !r.byTags && !slices.Equal(child.steps, t.steps)
		t.inner = append(t.inner, child)
	}
	if r.byTags {
		used = t.steps
	}
	if last := r.inAlways(t); slices.ContainsFunc(last, func(s int) bool { return !slices.Contains(used, s) }) {
		// Its always section runs in steps in which no other task of it does: the block
		// stands in all of them as a whole, and its tasks keep their conditions.
		t.whole, t.split = true, false
		t.steps = slices.DeleteFunc(slices.Clone(t.steps), func(s int) bool { return !slices.Contains(used, s) && !slices.Contains(last, s) })
		return t
	}
	if len(t.inner) == 0 && len(list) > 0 {
		return nil
	}
	return t
}

// inAlways gives the steps in which tasks of a block's always section can run.
func (r *taskReader) inAlways(t *task) []int {
	v, ok := t.get(ensure)
	if !ok || r.byTags {
		return nil
	}
	return stepsOf(v, t.steps, r.release)
}

// stepsOf gives the steps in which some task of a list can run, by conditions alone.
func stepsOf(v any, steps []int, release string) []int {
	list, _ := yaql.Open(v).([]any)
	var out []int
	for _, it := range list {
		entries, _ := heat.Entries(it)
		t := &task{entries: entries}
		if w, ok := t.get("when"); ok {
			t.when = conditions(w)
		}
		own := slices.DeleteFunc(slices.Clone(steps), func(s int) bool { return t.under(facts{s, release}) == never })
		if inner, ok := t.get(block); ok {
			own = stepsOf(inner, own, release)
		}
		out = append(out, own...)
	}
	return out
}

// possible gives the steps in which a task can run. Where conditions name steps, only
// tags at the top of a list do as well, and only of a task whose condition does not:
// tripleo-common, config.py: _step_tags_to_when.
func (r *taskReader) possible(t *task, in scope) []int {
	named, common := stepTags(t.tags)
	byTag := !r.byTags && in.top && len(named) > 0 && !common && !t.asksStep()
	return slices.DeleteFunc(slices.Clone(in.steps), func(step int) bool {
		return t.under(facts{step, r.release}) == never || byTag && !slices.Contains(named, step)
	})
}

func (t *task) asksStep() bool {
	return slices.ContainsFunc(t.when, func(w item) bool { return w.cond != nil && w.cond.asksFor("step", nil) })
}

// oddComparisons warns of comparisons that never hold in TripleO, where the step is a text.
func (r *taskReader) oddComparisons(t *task) {
	for _, w := range t.when {
		if w.cond != nil && w.cond.odd() {
			r.sink.Warnf(heat.Place(w.value), "%s: %q compares a text with a number, which never holds in TripleO; it is taken as meant", t.name(), w.cond.text).
				WithHint("write step|int == N")
		}
	}
}

// under decides a task's conditions, all of which must hold.
func (t *task) under(f facts) verdict {
	all := always
	for _, w := range t.when {
		if w.cond == nil {
			all = maybe
			continue
		}
		switch w.cond.under(f) {
		case never:
			return never
		case maybe:
			all = maybe
		case always:
		}
	}
	return all
}

// living reports a task that no step ever runs, and gives nil for it.
func (r *taskReader) living(t *task, in scope) *task {
	named, _ := stepTags(t.tags)
	beyond := slices.DeleteFunc(slices.Clone(named), func(n int) bool { return n <= r.list.last })
	chosen := in.named || namesSteps(t.tags)
	switch {
	case r.byTags && !chosen && !taggedWithin(t.value):
		r.dead(t, t.name()+": no step in its tags, so that TripleO, which selects by tags, never ran it")
		return nil
	case r.byTags && len(beyond) > 0:
		r.dead(t, fmt.Sprintf("%s: tags name step%d, and the last step of %s is %d", t.name(), beyond[0], r.list.name, r.list.last))
		if len(beyond) == len(named) && !slices.ContainsFunc(t.tags, everyStep) && !in.named {
			return nil
		}
	}
	if len(t.steps) > 0 {
		return t
	}
	if slices.ContainsFunc(r.others, func(o string) bool {
		return slices.ContainsFunc(in.steps, func(step int) bool { return t.under(facts{step, o}) != never })
	}) {
		return nil // another hop has it
	}
	why := "it is in"
	if len(named) > 0 {
		why = fmt.Sprintf("tag step%d is", named[0])
	}
	for _, w := range t.when {
		if w.cond != nil && w.cond.asks() {
			why = strconv.Quote(w.cond.text) + " holds in"
		}
	}
	r.dead(t, fmt.Sprintf("%s: %s no step of %s, whose last is %d", t.name(), why, r.list.name, r.list.last))
	return nil
}

func (r *taskReader) dead(t *task, message string) {
	r.sink.Warnf(heat.Place(t.value), "%s", message).WithHint("TripleO never ran it either; it is left out")
	r.notes.dead[heat.Place(t.value)] = true
}

func (t *task) get(key string) (any, bool) {
	for _, e := range t.entries {
		if e.Name == key {
			return e.Value, true
		}
	}
	return nil, false
}

func (t *task) name() string {
	v, _ := t.get("name")
	if s, ok := yaql.Open(v).(string); ok {
		return strconv.Quote(strings.TrimSpace(s))
	}
	for _, e := range t.entries {
		if !slices.Contains([]string{"when", "tags", "register", "become", "vars"}, e.Name) {
			return "a task with " + e.Name
		}
	}
	return "a task"
}

// conditions reads when: a condition, or a list of them.
func conditions(v any) []item {
	list, is := yaql.Open(v).([]any)
	if !is {
		list = []any{v}
	}
	var out []item
	for _, it := range list {
		text, is := yaql.Open(it).(string)
		i := item{value: it}
		if is {
			i.cond = parseCondition(text)
		}
		out = append(out, i)
	}
	return out
}

// words reads tags: a list, or words with commas.
func words(v any) []string {
	var out []string
	switch t := yaql.Open(v).(type) {
	case string:
		for w := range strings.SplitSeq(t, ",") {
			if w = strings.TrimSpace(w); w != "" {
				out = append(out, w)
			}
		}
	case []any:
		for _, it := range t {
			out = append(out, words(it)...)
		}
	}
	return out
}

// stepTags gives the steps that tags name, and whether common stands among them.
func stepTags(tags []string) (steps []int, common bool) {
	for _, w := range tags {
		if w == commonTag {
			common = true
		}
		if n, ok := stepNumber(w); ok {
			steps = append(steps, n)
		}
	}
	return steps, common
}

const commonTag = "common"

// everyStep tells the tags of tasks that TripleO runs in every step, where it selects by
// tags: its own common, and Ansible's always.
func everyStep(tag string) bool { return tag == commonTag || tag == "always" }

// namesSteps tells whether tags say in which steps a task is.
func namesSteps(tags []string) bool {
	return slices.ContainsFunc(tags, func(w string) bool { _, is := stepNumber(w); return is || everyStep(w) })
}

func stepNumber(tag string) (int, bool) {
	digits, ok := strings.CutPrefix(tag, "step")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0
}

// taggedWithin tells whether a task within a block names a step.
func taggedWithin(v any) bool {
	entries, _ := heat.Entries(v)
	for _, e := range entries {
		if e.Name != block {
			continue
		}
		list, _ := yaql.Open(e.Value).([]any)
		for _, it := range list {
			inner, _ := heat.Entries(it)
			for _, k := range inner {
				if k.Name == "tags" && namesSteps(words(k.Value)) {
					return true
				}
			}
			if taggedWithin(it) {
				return true
			}
		}
	}
	return false
}

func shape(v any) string {
	switch t := yaql.Open(v).(type) {
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case *yaql.Map:
		return "a mapping"
	case string:
		return strconv.Quote(t)
	}
	return "a single value"
}
