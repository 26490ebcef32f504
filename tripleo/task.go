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
	byTags  bool   // steps are selected by tags alone, as in Ocata
	release string // of a fast-forward upgrade
	sink    *source.Sink
	notes   *notes
}

// read takes a task apart; outer are the steps in which what is around it can run. It
// is nil when the task is none, or can never run; that was reported.
func (r *taskReader) read(v any, outer []int, top bool) *task {
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
		case "tags":
			t.tags = words(e.Value)
		}
	}
	t.steps = r.possible(t, outer)
	inner, isBlock := t.get(block)
	if !isBlock {
		return r.living(t, outer, top)
	}
	list, ok := yaql.Open(inner).([]any)
	if !ok {
		r.sink.Errorf(heat.Place(inner), "a block must be a list of tasks, not %s", shape(inner)).WithHint("begin each task with a dash")
		return nil
	}
	if t = r.living(t, outer, top); t == nil {
		return nil
	}
	for _, it := range list {
		child := r.read(it, t.steps, false)
		if child == nil {
			t.split = true
			continue
		}
		t.split = t.split || child.split || !r.byTags && !slices.Equal(child.steps, t.steps)
		t.inner = append(t.inner, child)
	}
	if len(t.inner) == 0 && len(list) > 0 {
		return nil
	}
	return t
}

// possible gives the steps in which a task can run.
func (r *taskReader) possible(t *task, outer []int) []int {
	named, common := stepTags(t.tags)
	var out []int
	for _, step := range outer {
		if t.under(facts{step, r.release}) == never {
			continue
		}
		if !r.byTags && len(named) > 0 && !common && !slices.Contains(named, step) {
			continue
		}
		out = append(out, step)
	}
	return out
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
func (r *taskReader) living(t *task, outer []int, top bool) *task {
	named, common := stepTags(t.tags)
	beyond := slices.DeleteFunc(slices.Clone(named), func(n int) bool { return n <= r.list.last })
	switch {
	case len(beyond) > 0:
		r.dead(t, fmt.Sprintf("%s: tags name step%d, and the last step of %s is %d", t.name(), beyond[0], r.list.name, r.list.last))
		if r.byTags && (len(beyond) < len(named) || common) {
			return t
		}
		if r.byTags {
			return nil
		}
	case r.byTags && top && len(named) == 0 && !common && !taggedWithin(t.value):
		r.dead(t, t.name()+": no step in its tags, so that TripleO, which selects by tags, never ran it")
		return nil
	}
	if len(t.steps) > 0 {
		return t
	}
	if r.release != "" && r.otherRelease(t, outer) {
		return nil // another hop has it
	}
	if len(beyond) == 0 {
		text := ""
		for _, w := range t.when {
			if w.cond != nil && w.cond.asks() {
				text = w.cond.text
			}
		}
		r.dead(t, fmt.Sprintf("%s: %q holds in no step of %s, whose last is %d", t.name(), text, r.list.name, r.list.last))
	}
	return nil
}

// otherRelease tells whether a task would run in some step if the release did not matter.
func (r *taskReader) otherRelease(t *task, outer []int) bool {
	return slices.ContainsFunc(outer, func(step int) bool { return t.under(facts{step: step}) != never })
}

func (r *taskReader) dead(t *task, message string) {
	r.sink.Warnf(heat.Place(t.value), "%s", message).WithHint("TripleO never ran it either; it is left out")
	r.notes.Dead++
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
				if steps, common := stepTags(words(k.Value)); k.Name == "tags" && (len(steps) > 0 || common) {
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
