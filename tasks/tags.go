package tasks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

// MaxStep bounds step numbers: more is a slip of the fingers.
const MaxStep = 999

// place says in which steps a task stands, by its own tags and those of the blocks
// around it: a task has all of them, as in Ansible.
type place struct {
	steps  []int // ascending; shared between tasks that have the same
	common bool
	post   bool // a rollback task of what post_upgrade_tasks did
	wrong  bool // a tag could not be read, which was reported: it may have named a step
	// Where Ansible's own tags stand, which choose tasks by themselves.
	always, never source.Pos
}

func (p place) none() bool { return len(p.steps) == 0 && !p.common && !p.post && !p.wrong }

// within gives the place of a task with tags inside a block with a place.
func (r *Reader) within(tags source.Node, above place, rollback bool) place {
	p := above
	switch tags.Kind() {
	case source.Scalar:
		r.words(tags, &p, rollback)
	case source.List:
		for it := range tags.Elements() {
			if it.Kind() != source.Scalar {
				r.sink.Errorf(it.Pos(), "a tag must be a word, not %s", it.Kind()).WithHint("write tags: [step1, other]")
				p.wrong = true
				continue
			}
			r.words(it, &p, rollback)
		}
	case source.Map:
		r.sink.Errorf(tags.Pos(), "tags must be a word or a list of words, not %s", tags.Kind()).WithHint("write tags: step1")
		p.wrong = true
	}
	return p
}

// words reads one word, or several with commas.
func (r *Reader) words(v source.Node, p *place, rollback bool) {
	for text, more := v.Text(), true; more; {
		var word string
		word, text, more = strings.Cut(text, ",")
		switch word = strings.TrimSpace(word); {
		case word == "always":
			p.always = v.Pos()
		case word == "never":
			p.never = v.Pos()
		case word == "common":
			p.common = true
		case strings.EqualFold(word, "common"):
			r.sink.Errorf(v.Pos(), "tag %q is not common", word).WithHint("did you mean common?")
			p.wrong = true
		case r.several(word, v.Pos()):
			p.wrong = true
		case word == PostUpgradeTag && rollback:
			p.post = true
		case len(word) >= len("step1") && strings.EqualFold(word[:4], "step"):
			n, is := r.step(word, v.Pos())
			switch is {
			case aStep:
				p.steps = r.with(p.steps, n)
			case almost:
				p.wrong = true
			case noStep:
			}
		}
	}
}

// with gives steps with one more. Most tasks are in one step: those share their slice.
func (r *Reader) with(steps []int, n int) []int {
	if len(steps) == 0 {
		if r.alone[n] == nil {
			r.alone[n] = []int{n}
		}
		return r.alone[n]
	}
	if slices.Contains(steps, n) {
		return steps
	}
	out := append(slices.Clone(steps), n)
	slices.Sort(out)
	return out
}

// several reports a tag that is several, one of them a step or common, with anything
// but a comma between.
func (r *Reader) several(word string, at source.Pos) bool {
	if !strings.ContainsAny(word, " \t\n;|/+") || strings.Contains(word, "{{") {
		return false
	}
	words := strings.FieldsFunc(word, func(c rune) bool { return strings.ContainsRune(" \t\n;|/+", c) })
	step := false
	for _, w := range words {
		digits, is := strings.CutPrefix(strings.ToLower(w), "step")
		step = step || is && isNumber(digits) || w == "common"
	}
	if step && len(words) > 1 {
		r.sink.Errorf(at, "tag %q is no step", word).WithHint("put a comma between tags: " + strings.Join(words, ", "))
	}
	return step && len(words) > 1
}

// likeness is how near a tag comes to being a step.
type likeness int

const (
	noStep likeness = iota
	almost          // which is reported
	aStep
)

// step reads the number of a tag that begins as a step does.
func (r *Reader) step(word string, at source.Pos) (int, likeness) {
	if c := word[4] - '0'; len(word) == 5 && word[:4] == "step" && c <= 9 {
		return int(c), aStep
	}
	digits := strings.TrimLeft(word[4:], "sS _:=-#")
	if first, last, is := strings.Cut(digits, "-"); is && isNumber(first) && isNumber(strings.TrimLeft(last, "step")) {
		r.sink.Errorf(at, "tag %q is no step", word).WithHint("name each step: step" + number(first) + ", ...")
		return 0, almost
	}
	if !isNumber(digits) {
		return 0, noStep // a word of its own, such as stepwise
	}
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n > MaxStep:
		r.sink.Errorf(at, "step number %s is too large", digits).WithHint("steps go from 0 to " + strconv.Itoa(MaxStep))
	case word != "step"+strconv.Itoa(n):
		r.sink.Errorf(at, "tag %q is no step", word).WithHint("did you mean step" + strconv.Itoa(n) + "?")
	default:
		return n, aStep
	}
	return 0, almost
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// number takes leading zeros off.
func number(digits string) string {
	if s := strings.TrimLeft(digits, "0"); s != "" {
		return s
	}
	return "0"
}
