package tripleo

import (
	"slices"
	"strconv"

	"github.com/upstep/upstep/heat"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// compose writes a task as upstep reads it: its steps as tags, of its condition what is
// left, all else as the template has it. tagged tells whether the block around it
// leaves naming the steps to its tasks.
func (r *taskReader) compose(t *task, tagged bool) source.Node {
	var pairs []source.Pair
	tags := r.tagsOf(t, tagged && !t.split)
	put := func(e heat.Entry) { // in the place of a key, or, without one, of its own
		if tags.Exists() {
			p := source.Pair{Key: e.Key, Name: "tags", Value: tags}
			if e.Name != "tags" {
				p.Key = source.KeyLike("tags", e.Key)
			}
			pairs = append(pairs, p)
			tags = source.Node{}
		}
	}
	_, hasTags := t.get("tags")
	if _, asks := t.get("when"); !asks && t.only != "" {
		t.entries = append(slices.Clip(t.entries), heat.Entry{Name: "when"})
	}
	for _, e := range t.entries {
		switch {
		case e.Name == "tags":
			put(e)
			continue
		case e.Name == "when":
			left := r.left(t, e.Value)
			switch {
			case hasTags:
			case left.Exists(): // which keeps the comments above it
				put(heat.Entry{})
			default:
				put(e)
			}
			if left.Exists() {
				pairs = append(pairs, source.Pair{Key: e.Key, Name: e.Name, Value: left})
			}
			continue
		case e.Name == block && !hasTags:
			put(heat.Entry{})
		}
		pairs = append(pairs, source.Pair{Key: e.Key, Name: e.Name, Value: r.part(t, e)})
	}
	put(heat.Entry{})
	return source.MapOf(pairs, written(t.value))
}

// part writes a key's value: the tasks of a block one by one, all else as it is.
func (r *taskReader) part(t *task, e heat.Entry) source.Node {
	if n, ok := t.parts[e.Name]; ok {
		return n
	}
	switch e.Name {
	case block:
		if t.whole {
			list, _ := yaql.Open(e.Value).([]any)
			items := make([]source.Node, len(list))
			for i, it := range list {
				items[i] = r.aside(it, t.steps)
			}
			return source.ListOf(items, written(e.Value))
		}
		items := make([]source.Node, len(t.inner))
		for i, it := range t.inner {
			items[i] = r.compose(it, t.split)
		}
		return source.ListOf(items, written(e.Value))
	case rescue, ensure:
		if list, ok := yaql.Open(e.Value).([]any); ok {
			items := make([]source.Node, len(list))
			for i, it := range list {
				items[i] = r.aside(it, t.steps)
			}
			return source.ListOf(items, written(e.Value))
		}
	}
	return heat.Compose(e.Value)
}

// aside writes a task of rescue or always, which goes with every step of its block.
func (r *taskReader) aside(v any, steps []int) source.Node {
	entries, ok := heat.Entries(v)
	if !ok {
		return heat.Compose(v)
	}
	t := &task{value: v, entries: entries, steps: steps}
	for _, e := range entries {
		switch e.Name {
		case "when":
			t.when = conditions(e.Value)
		case "tags":
			t.tags = words(e.Value)
		case block:
			list, _ := yaql.Open(e.Value).([]any)
			items := make([]source.Node, len(list))
			for i, it := range list {
				items[i] = r.aside(it, steps)
			}
			t.parts = map[string]source.Node{block: source.ListOf(items, written(e.Value))}
		}
	}
	return r.compose(t, false)
}

// written gives the place of a value, so that comments around it are kept.
func written(v any) source.Node {
	if at, ok := v.(*heat.Value); ok {
		return at.Written()
	}
	return source.Node{}
}

// tagsOf gives a task's tags: its own, and the steps where it is the one to name them.
// TripleO runs what is common in every step.
func (r *taskReader) tagsOf(t *task, naming bool) source.Node {
	own := t.tags
	var steps []string
	if r.byTags {
		own = slices.DeleteFunc(slices.Clone(own), func(w string) bool { n, is := stepNumber(w); return is && n > r.list.last })
		if slices.ContainsFunc(own, everyStep) {
			own = slices.DeleteFunc(slices.Clone(own), func(w string) bool { return w == commonTag })
			steps = stepWords(r.list.steps())
		}
	} else {
		own = slices.DeleteFunc(slices.Clone(own), func(w string) bool { _, is := stepNumber(w); return is || w == commonTag })
		if naming {
			steps = stepWords(t.steps)
		}
	}
	for _, w := range steps {
		if !slices.Contains(own, w) {
			own = append(own, w)
		}
	}
	v, has := t.get("tags")
	switch {
	case has && slices.Equal(own, t.tags):
		return heat.Compose(v)
	case len(own) == 0:
		return source.Node{}
	case len(own) == 1:
		return source.Of(own[0])
	}
	return source.Words(own)
}

func stepWords(steps []int) []string {
	var out []string
	for _, s := range steps {
		out = append(out, "step"+strconv.Itoa(s))
	}
	return out
}

// left writes what is left of a task's conditions once its steps are named.
func (r *taskReader) left(t *task, when any) source.Node {
	var all []facts
	for _, s := range t.steps {
		all = append(all, facts{s, r.release})
	}
	var items []source.Node
	changed := false
	for _, w := range t.when {
		if w.cond == nil {
			items = append(items, heat.Compose(w.value))
			continue
		}
		rest := w.cond.rest(all)
		switch rest {
		case w.cond.text:
			items = append(items, heat.Compose(w.value))
			continue
		case "":
		default:
			items = append(items, source.Of(rest))
		}
		changed = true
	}
	if t.only != "" {
		items, changed = append(items, source.Of(t.only)), true
	}
	switch {
	case !changed:
		return heat.Compose(when)
	case len(items) == 0:
		return source.Node{}
	case len(items) == 1:
		return items[0]
	}
	return source.ListOf(items, written(when))
}
