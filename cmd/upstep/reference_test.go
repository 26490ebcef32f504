package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

// data gives a value as Ansible reads it.
func data(n source.Node) any {
	switch n.Kind() {
	case source.List:
		out := []any{}
		for it := range n.Elements() {
			out = append(out, data(it))
		}
		return out
	case source.Map:
		out := map[string]any{}
		for k, v := range n.Pairs() {
			out[k.Text()] = data(v)
		}
		return out
	case source.Missing, source.Null, source.Scalar:
	}
	if f, ok := n.Scalar().(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return n.Scalar()
}

func readData(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	if strings.TrimSpace(string(text)) == "[]" {
		return []any{}
	}
	sink := &source.Sink{}
	n, ok := source.ParseForeign(source.File{Name: path, Text: text}, sink)
	require.True(t, ok, "%s: %v", path, sink.Problems())
	return data(n)
}

var (
	stepAsked = regexp.MustCompile(`(?:\(\s*step\s*\|\s*int\s*\)|\bstep\b(?:\s*\|\s*int)?)\s*==\s*'?([0-9]+)'?`)
	rewrites  = []struct {
		from *regexp.Regexp
		to   string
	}{
		{regexp.MustCompile(`\(\s*(TRUE|FALSE)\s*\)`), "$1"},
		{regexp.MustCompile(`TRUE or (TRUE|FALSE)|FALSE or TRUE`), "TRUE"},
		{regexp.MustCompile(`FALSE or FALSE`), "FALSE"},
		{regexp.MustCompile(`^TRUE and |\bTRUE and | and TRUE$`), ""},
		{regexp.MustCompile(`^FALSE and .*`), "FALSE"},
	}
	stepTag = regexp.MustCompile(`^step([0-9]+)$`)
)

// atStep is the reader of the reference: what a task is in one step. It is written apart
// from the importer's own, for == only, and by rewriting text.
func atStep(task map[string]any, step int, byTags bool, outer []string) (map[string]any, bool) {
	out := maps.Clone(task)
	tags := tagWords(task["tags"])
	own := slices.Concat(outer, tags)
	tags = slices.DeleteFunc(tags, func(w string) bool { return w == "common" || stepTag.MatchString(w) })
	delete(out, "tags")
	if len(tags) > 0 {
		out["tags"] = strings.Join(tags, ",")
	}
	var whens []string
	list, isList := task["when"].([]any)
	if !isList && task["when"] != nil {
		list = []any{task["when"]}
	}
	for _, w := range list {
		text := strings.TrimSpace(fmt.Sprint(w))
		if stepAsked.MatchString(text) {
			text = stepAsked.ReplaceAllStringFunc(text, func(s string) string {
				if stepAsked.FindStringSubmatch(s)[1] == strconv.Itoa(step) {
					return "TRUE"
				}
				return "FALSE"
			})
			for range 4 {
				for _, r := range rewrites {
					text = r.from.ReplaceAllString(text, r.to)
				}
			}
		}
		switch text {
		case "FALSE":
			return nil, false
		case "TRUE":
		default:
			whens = append(whens, text)
		}
	}
	delete(out, "when")
	if len(whens) > 0 {
		out["when"] = strings.Join(whens, "\n")
	}
	inner, isBlock := task["block"].([]any)
	if !isBlock {
		return out, !byTags || slices.Contains(own, "common") || slices.Contains(own, "step"+strconv.Itoa(step))
	}
	var kept []any
	for _, it := range inner {
		if t, in := atStep(it.(map[string]any), step, byTags, own); in {
			kept = append(kept, t)
		}
	}
	out["block"] = kept
	return out, len(kept) > 0
}

func tagWords(v any) []string {
	var out []string
	switch t := v.(type) {
	case string:
		for w := range strings.SplitSeq(t, ",") {
			out = append(out, strings.TrimSpace(w))
		}
	case []any:
		for _, w := range t {
			out = append(out, tagWords(w)...)
		}
	}
	return out
}

// inStep gives the tasks of a list in a step, each as text.
func inStep(t *testing.T, list any, step int, byTags bool) []string {
	t.Helper()
	var out []string
	tasks, _ := list.([]any)
	for _, it := range tasks {
		task, ok := it.(map[string]any)
		if !ok {
			continue
		}
		if at, in := atStep(task, step, byTags, nil); in {
			text, err := json.MarshalIndent(at, "", " ")
			require.NoError(t, err)
			out = append(out, string(text))
		}
	}
	return out
}

// score counts the tasks that are equal, in order, of those that the reference has, and
// those that we have and it has not.
type score struct{ equal, all, extra int }

// compare compares the tasks of one role and step. Those whose only difference is known
// and shown by known are counted as equal apart.
func (s *score) compare(t *testing.T, where string, want, got []string, known func(want, got string) bool) {
	t.Helper()
	s.all += len(want)
	i := 0
	for _, w := range want {
		at := slices.IndexFunc(got[i:], func(g string) bool { return g == w || known(w, g) })
		if at < 0 {
			t.Logf("%s: not equal:\n%s", where, w)
			if i < len(got) {
				t.Logf("ours there:\n%s", got[i])
			}
			continue
		}
		s.equal++
		s.extra += at
		for _, g := range got[i : i+at] {
			t.Logf("%s: ours only:\n%s", where, g)
		}
		i += at + 1
	}
	for _, g := range got[i:] {
		t.Logf("%s: ours only:\n%s", where, g)
	}
	s.extra += len(got) - i
}

// importedTree imports templates and emits the project; it gives the tree's folder.
func importedTree(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "project")
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr}
	require.Zero(t, a.execute(t.Context(), append([]string{"import", "tripleo", "--out", out}, args...)), stderr.String())
	a = &app{stdout: &stdout, stderr: &stderr}
	require.Zero(t, a.execute(t.Context(), []string{"emit", "-C", out}), stderr.String())
	return filepath.Join(out, "playbooks")
}

// unitTasks gives the tasks that the tree has for a role in a step of a stage.
func unitTasks(t *testing.T, tree, stage string, step int, role string) any {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(tree, stage, "*", fmt.Sprintf("step%d", step), role+".yml"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(paths), 1, "a role's step in several waves")
	if len(paths) == 0 {
		return nil
	}
	return readData(t, paths[0])
}

// sameButFile knows tasks that hold a file which the published trees lack: the
// reference was made with it, ours has a placeholder for it.
func sameButFile(want, got string) bool {
	const mark = "__container_config_scripts/mysql_upgrade_db.sh__"
	const other = "__scripts/check-run-nova-compute__"
	for _, m := range []string{mark, other} {
		before, after, found := strings.Cut(got, m+`\n`)
		if found && strings.HasPrefix(want, before) && strings.HasSuffix(want, after) {
			return true
		}
	}
	return false
}

func TestTrainAgainstTripleosOwnTools(t *testing.T) {
	dir := templates(t)
	reference := filepath.Join(dir, "reference", "train")
	if _, err := os.Stat(reference); err != nil {
		t.Skip("no reference beside the templates of UPSTEP_THT_DIR")
	}
	var total score
	files := 0
	known := func(want, got string) bool {
		same := sameButFile(want, got)
		if same {
			files++
		}
		return same
	}
	for _, workflow := range []struct {
		name  string
		lists []referenceList
	}{
		{"upgrade", []referenceList{{"upgrade_tasks", "", 5}, {"post_upgrade_tasks", "post_upgrade", 3}, {"upgrade_batch_tasks", "upgrade-batch", 2}, {"pre_upgrade_rolling_tasks", "pre-upgrade-rolling", 0}}},
		{"update", []referenceList{{"update_tasks", "", 5}, {"post_update_tasks", "post_upgrade", 3}}},
	} {
		tree := importedTree(t, "--templates", filepath.Join(dir, "train"), "-e", "environments/docker-ha.yaml", "-e", "environments/ceph-ansible/ceph-ansible.yaml",
			"-e", "environments/lifecycle/upgrade-prepare.yaml", "--placeholders", "--workflow", workflow.name)
		for _, role := range []string{"Controller", "Compute", "BlockStorage", "ObjectStorage", "CephStorage"} {
			stage := "non-control-plane"
			if role == "Controller" {
				stage = "control-plane"
			}
			for _, l := range workflow.lists {
				for step := range l.last + 1 {
					at := l.stage
					if at == "" {
						at = stage
					}
					want := readData(t, filepath.Join(reference, role, l.name+".yaml"))
					where := fmt.Sprintf("%s %s step %d", role, l.name, step)
					total.compare(t, where, inStep(t, want, step, false), inStep(t, unitTasks(t, tree, at, step, role), step, false), known)
				}
			}
		}
		// The control node's tasks: those of all roles, each once.
		name, last := "external_"+workflow.name+"_tasks", 2
		for step := range last + 1 {
			var want []string
			for _, role := range []string{"Controller", "Compute", "BlockStorage", "ObjectStorage", "CephStorage"} {
				for _, task := range inStep(t, readData(t, filepath.Join(reference, role, name+".yaml")), step, false) {
					if !slices.Contains(want, task) {
						want = append(want, task)
					}
				}
			}
			total.compare(t, fmt.Sprintf("%s step %d", name, step), want, inStep(t, unitTasks(t, tree, "external-"+workflow.name, step, "External"), step, false), known)
		}
	}
	t.Logf("Train: %d of %d tasks equal, in order (%d of them but for a file that the published tree lacks); %d beside them", total.equal, total.all, files, total.extra)
	require.Equal(t, total.all, total.equal)
	require.Zero(t, total.extra)
	require.Greater(t, total.all, 300)
}

// referenceList is one of TripleO's lists: the stage where it stands, "" for the role's
// own, and its last step.
type referenceList struct {
	name, stage string
	last        int
}

func TestOcataAgainstTripleosOwnTools(t *testing.T) {
	dir := templates(t)
	reference := filepath.Join(dir, "reference", "ocata")
	if _, err := os.Stat(reference); err != nil {
		t.Skip("no reference beside the templates of UPSTEP_THT_DIR")
	}
	tree := importedTree(t, "--templates", filepath.Join(dir, "ocata"), "-e", "environments/puppet-pacemaker.yaml", "-e", "environments/puppet-ceph.yaml",
		"-e", "environments/major-upgrade-composable-steps.yaml", "--placeholders")
	var total score
	text, err := os.ReadFile(filepath.Join(reference, "selected-per-step.json"))
	require.NoError(t, err)
	var selected map[string]map[string]map[string][]string
	require.NoError(t, json.Unmarshal(text, &selected))
	for role, lists := range selected {
		for name, steps := range lists {
			last := len(steps) - 1
			stage, at := "control-plane", role
			switch {
			case name == "upgrade_batch_tasks":
				stage, at = "upgrade-batch", role+"-batch"
			case role == "Compute" || role == "ObjectStorage":
				stage = "non-control-plane"
			}
			if name == "upgrade_tasks" {
				last = 5 // step6 was never run
			}
			plays, _ := readData(t, filepath.Join(reference, role+"_"+name+"_playbook.yaml")).([]any)
			want := plays[0].(map[string]any)["tasks"]
			for step := range last + 1 {
				where := fmt.Sprintf("%s %s step %d", role, name, step)
				tasks := inStep(t, want, step, true)
				require.Len(t, names(t, tasks), len(steps[strconv.Itoa(step)]), "%s: the test reads the reference as --list-tasks does", where)
				total.compare(t, where, tasks, inStep(t, unitTasks(t, tree, stage, step, at), step, true), func(string, string) bool { return false })
			}
		}
	}
	t.Logf("Ocata: %d of %d tasks equal, in order; %d beside them", total.equal, total.all, total.extra)
	require.Equal(t, total.all, total.equal)
	require.Zero(t, total.extra)
	require.Greater(t, total.all, 200)
}

// names gives the tasks within blocks, too.
func names(t *testing.T, tasks []string) []string {
	t.Helper()
	var out []string
	var walk func(task map[string]any)
	walk = func(task map[string]any) {
		for _, part := range []string{"block", "rescue", "always"} {
			inner, _ := task[part].([]any)
			for _, it := range inner {
				walk(it.(map[string]any))
			}
		}
		if task["block"] == nil {
			out = append(out, fmt.Sprint(task["name"]))
		}
	}
	for _, text := range tasks {
		var task map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &task))
		walk(task)
	}
	return out
}
