package tasks_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// random writes task lists and knows which task belongs where. It shares no code with
// what it checks.
type random struct {
	*rand.Rand
	n     int
	named []leafTask
}

type leafTask struct {
	name         string
	steps        []int
	common, post bool
}

// list writes some tasks, indented, that inherit tags.
func (r *random) list(indent, depth int, above leafTask, rollback bool) string {
	var b strings.Builder
	pad := strings.Repeat(" ", indent)
	for range 1 + r.IntN(3) {
		here := leafTask{steps: slices.Clone(above.steps), common: above.common, post: above.post}
		tags := []string{"other"}
		for range r.IntN(3) {
			switch k := r.IntN(12); {
			case k < 10:
				here.steps = append(here.steps, k%4)
				tags = append(tags, fmt.Sprint("step", k%4))
			case k == 10:
				here.common = true
				tags = append(tags, "common")
			case rollback:
				here.post = true
				tags = append(tags, "post_upgrade")
			}
		}
		r.n++
		here.name = fmt.Sprintf("t%d_", r.n)
		isBlock := depth > 0 && r.IntN(3) == 0
		if !isBlock && len(here.steps) == 0 && !here.common && !here.post {
			here.steps = []int{2}
			tags = append(tags, "step2")
		}
		form := []string{"[" + strings.Join(tags, ", ") + "]", "'" + strings.Join(tags, ",") + "'", "\n" + pad + "    - " + strings.Join(tags, "\n"+pad+"    - ")}[r.IntN(3)]
		if r.IntN(3) == 0 {
			b.WriteString(pad + "# about " + here.name + "\n")
		}
		b.WriteString(pad + "- name: " + here.name + "\n")
		if !isBlock {
			b.WriteString(pad + "  shell: |\n" + pad + "    echo " + here.name + "\n\n")
			r.named = append(r.named, here)
		} else {
			b.WriteString(pad + "  block:\n" + r.list(indent+4, depth-1, here, rollback))
			if r.IntN(2) == 0 {
				b.WriteString(pad + "  rescue:\n" + pad + "    - name: rescue of " + here.name + "\n" + pad + "      command: x\n")
			}
		}
		b.WriteString(pad + "  tags: " + form + "\n")
	}
	return b.String()
}

// TestEachTaskIsInExactlyTheStepsItNames, for a thousand random lists with blocks in
// blocks: in the text of every copy stand the tasks of its steps and no others.
func TestEachTaskIsInExactlyTheStepsItNames(t *testing.T) {
	for seed := range uint64(1000) {
		rollback := seed%3 == 0
		r := &random{Rand: rand.New(rand.NewPCG(seed, 1))}
		text := r.list(0, 3, leafTask{}, rollback)
		name := tasks.Upgrade
		if rollback {
			name = tasks.Rollback
		}
		list, problems := read(t, name, text)
		require.Zero(t, problems.Count(source.Error), "%v\n%s", problems, text)

		all := map[bool][]int{} // by post
		for _, l := range r.named {
			all[l.post] = append(all[l.post], l.steps...)
			if l.post && len(l.steps) == 0 && !l.common {
				all[true] = append(all[true], 0)
			}
		}
		for _, l := range r.named {
			want := slices.Clone(l.steps)
			switch {
			case l.common:
				want = slices.Clone(all[l.post])
			case l.post && len(l.steps) == 0:
				want = []int{0}
			}
			slices.Sort(want)
			want = slices.Compact(want)
			var got []int
			for _, task := range list {
				require.NotEmpty(t, task.Steps)
				require.True(t, slices.IsSorted(task.Steps))
				if strings.Contains(task.Text, "echo "+l.name+"\n") {
					require.Equal(t, l.post, task.PostOnly, "%s in\n%s", l.name, task.Text)
					require.Contains(t, task.Text, "name: "+l.name)
					got = append(got, task.Steps...)
				}
			}
			slices.Sort(got)
			require.Equal(t, append([]int{}, want...), append([]int{}, got...), "%s of seed %d:\n%s", l.name, seed, text)
		}
		for _, task := range list {
			require.Equal(t, strings.Count(text, "- name: rescue of "+task.Name) > 0, strings.Contains(task.Text, "- name: rescue of "+task.Name), task.Text)
			require.Equal(t, 1, strings.Count("\n"+task.Text, "\n- "), "one element:\n%s", task.Text)
		}
	}
}
