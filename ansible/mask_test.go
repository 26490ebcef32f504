package ansible

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = `---
# a comment
- name: One
  ansible.builtin.command: a
  loop:
    - x
    - y
  exec: foo

- name: Two
  block:
    - name: Inner
      exec: |
        - not: an item
      # a comment
    # between
    - name: Other
      ansible.builtin.debug:
  rescue: []
- exec: three
`

func TestAMaskedTaskKeepsTheLinesOfTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		lines      []int // masked one after the other
		gone, kept []string
	}{
		"a task by its first line":       {[]int{3}, []string{"One", "exec: foo", "- x"}, []string{"Two", "Inner", "three"}},
		"a task by its module's line":    {[]int{8}, []string{"One", "- x"}, []string{"Two"}},
		"a task within a block":          {[]int{12}, []string{"Inner", "not: an item"}, []string{"One", "Two", "Other", "rescue"}},
		"again: the block around it":     {[]int{12, 12}, []string{"Two", "Inner", "Other", "rescue"}, []string{"One", "three"}},
		"a third time: the file":         {[]int{12, 12, 12}, []string{"One", "Two", "three"}, nil},
		"an item of a list, then a task": {[]int{6, 6}, []string{"One", "- x", "exec: foo"}, []string{"Two"}},
		"the last task":                  {[]int{20}, []string{"three"}, []string{"One", "Two", "rescue"}},
		"the file as a whole":            {[]int{0}, []string{"One", "Two", "three"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(tree(t, map[string]string{"t.yml": sample}), "t.yml")
			for _, line := range c.lines {
				require.True(t, MaskTask(path, line))
			}
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			got := strings.Split(string(text), "\n")
			before := strings.Split(sample, "\n")
			require.Len(t, got, len(before))
			for _, word := range c.gone {
				require.NotContains(t, string(text), word)
			}
			for _, word := range c.kept {
				at := func(lines []string) int {
					for i, l := range lines {
						if strings.Contains(l, word) {
							return i
						}
					}
					return -1
				}
				require.GreaterOrEqual(t, at(got), 0, word)
				require.Equal(t, at(before), at(got), word)
			}
		})
	}
}

func TestMaskingEndsWhenNothingIsLeft(t *testing.T) {
	for name, text := range map[string]string{
		"tasks/main.yml": sample, "play.yml": "- hosts: all\n  tasks:\n    - a:\n", "vars/main.yml": "a: 1\nb: [\n", "empty.yml": "",
	} {
		path := filepath.Join(tree(t, map[string]string{name: text}), name)
		for _, line := range []int{1, 0, 99} {
			n := 0
			for MaskTask(path, line) {
				n++
				require.Less(t, n, 10, "%s line %d", name, line)
			}
		}
	}
	require.False(t, MaskTask(filepath.Join(t.TempDir(), "none.yml"), 1))
}

func TestAPlayIsMaskedByAPlay(t *testing.T) {
	path := filepath.Join(tree(t, map[string]string{
		"p.yml": "- name: A\n  hostss: x\n  hosts: all\n\n- import_playbook: b.yml\n",
	}), "p.yml")
	require.True(t, MaskTask(path, 1))
	require.True(t, MaskTask(path, 5))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, emptyPlay+"\n\n\n\n"+emptyPlay+"\n", string(text))
}

func FuzzMaskTask(f *testing.F) {
	f.Add(sample, 12)
	f.Add("- hosts: x\r\n  tasks:\n\t- a", 2)
	f.Fuzz(func(t *testing.T, text string, line int) {
		path := filepath.Join(t.TempDir(), "t.yml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		n := strings.Count(strings.TrimSuffix(text, "\n"), "\n")
		for range 1000 {
			if !MaskTask(path, line) {
				return
			}
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, n, strings.Count(strings.TrimSuffix(string(got), "\n"), "\n"))
		}
		require.Less(t, strings.Count(text, "-"), 900, "masking does not end")
	})
}
