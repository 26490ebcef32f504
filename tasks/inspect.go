package tasks

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// parts are the values of a task that are read after all its keys were seen.
type parts struct {
	name, tags, block, rescue, always source.Node
	delegates                         bool // it says delegate_to itself
}

// task notes what planning must know about a task: what it registers, notifies and
// uses, and whether it runs once. Its keys are gone through once.
func (rd reading) task(n source.Node) (p parts) {
	t := rd.it.report
	for k, v := range n.Pairs() {
		key := k.Text()
		switch key {
		case "block":
			p.block = v
			continue
		case "rescue":
			p.rescue = v
			continue
		case "always":
			p.always = v
			continue
		case "tags":
			p.tags = v
			t.Migration = t.Migration || tagged(v, MigrationTag)
			continue
		case "name":
			p.name = v
		case "delegate_to":
			p.delegates = true
		case "run_once":
			on, known := source.ParseBool(v.Text())
			t.Once = t.Once || on || !known // an expression may be true
			t.Migration = t.Migration || t.Once
		case "ignore_errors", "ignore_unreachable":
			if on, known := source.ParseBool(v.Text()); on || !known {
				t.Ignores = key
			}
		case "throttle":
			t.Throttle = t.Throttle || v.Text() != "0"
		case "register":
			if v.Text() != "" {
				t.Registers = append(t.Registers, v.Text())
			}
		case "set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact":
			t.SetsFacts = append(t.SetsFacts, facts(v)...)
		case "vars":
			for own := range v.Pairs() {
				rd.locals[own.Text()] = true
			}
		case "loop_control":
			rd.locals[v.Get("loop_var").Text()] = true
			rd.locals[v.Get("index_var").Text()] = true
		case "notify":
			rd.it.notify = append(rd.it.notify, scalars(v)...)
		default:
			meta(key, v, rd.list == Deployment, rd.sink)
		}
		if rd.heat {
			rd.noHeat(v)
		}
		rd.use(key, v, t)
	}
	rd.needsBlock(p)
	return p
}

// tagged tells whether tags, a word, words with commas or a list of them, have one.
func tagged(tags source.Node, tag string) bool {
	return slices.ContainsFunc(scalars(tags), func(v source.Node) bool {
		return slices.ContainsFunc(strings.Split(v.Text(), ","), func(w string) bool { return strings.TrimSpace(w) == tag })
	})
}

// needsBlock reports rescue and always that stand beside no task, which Ansible refuses.
func (rd reading) needsBlock(p parts) {
	if p.block.Len() > 0 || p.block.Exists() && p.block.Kind() != source.List { // what is no list is reported as such
		return
	}
	for what, v := range map[string]source.Node{"rescue": p.rescue, "always": p.always} {
		if v.Len() > 0 {
			rd.sink.Errorf(v.Pos(), "%s without a task under block", what).WithHint("give block: the tasks that it stands by, or take " + what + " away")
		}
	}
}

// facts gives the names that set_fact sets, from a mapping or from name=value words.
func facts(v source.Node) []string {
	var out []string
	for k := range v.Pairs() {
		if k.Text() != "cacheable" {
			out = append(out, k.Text())
		}
	}
	for word := range strings.FieldsSeq(v.Text()) {
		name, _, ok := strings.Cut(word, "=")
		if ok && isName(name) && name != "cacheable" {
			out = append(out, name)
		}
	}
	return out
}

func isName(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9')
}

func scalars(v source.Node) []source.Node {
	if v.Kind() == source.Scalar {
		return []source.Node{v}
	}
	var out []source.Node
	for it := range v.Elements() {
		if it.Kind() == source.Scalar {
			out = append(out, it)
		}
	}
	return out
}

// noHeat reports the Heat functions in a value.
func (r *Reader) noHeat(v source.Node) {
	if r.isHeat(v) {
		return
	}
	for it := range v.Elements() {
		r.noHeat(it)
	}
	for _, inner := range v.Pairs() {
		r.noHeat(inner)
	}
}

// isHeat tells whether a value is a call of a Heat function, and reports it.
func (r *Reader) isHeat(v source.Node) bool {
	name, is := HeatFunction(v)
	if is {
		NeedsImport(v, name, r.sink)
	}
	return is
}
