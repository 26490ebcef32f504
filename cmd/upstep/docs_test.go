package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// block is a fenced block of a page.
type block struct {
	lang string
	text string
	line int
}

func blocks(page string) []block {
	var out []block
	var open *block
	for i, line := range strings.Split(page, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{lang: fence, line: i + 1}
		case isFence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}

// TestDocsAreTrue runs every sh block of README.md and docs/ in a copy of the
// repository, and compares a text block right behind one with what it printed; a line
// "..." stands for any lines, and within a line for any text.
func TestDocsAreTrue(t *testing.T) {
	t.Parallel()
	needAnsible(t, "ansible-playbook", "ansible-inventory")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	bin := filepath.Dir(built(t))
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*", "*.md"))
	require.NoError(t, err)
	own, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	pages = append(pages, own...)
	pages = append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "ARCHITECTURE.md"))
	var ran atomic.Int32
	t.Cleanup(func() { require.GreaterOrEqual(t, ran.Load(), int32(10), "the pages show commands") })
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		name, err := filepath.Rel(root, page)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := filepath.Join(t.TempDir(), "upstep")
			require.NoError(t, os.MkdirAll(work, 0o755))
			for _, part := range []string{"testdata", "scripts", "Makefile"} {
				require.NoError(t, exec.CommandContext(t.Context(), "cp", "-r", filepath.Join(root, part), work).Run()) //nolint:gosec // the repository's own folders
			}
			all := blocks(string(text))
			for i, b := range all {
				if b.lang != "sh" {
					continue
				}
				cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.text) //nolint:gosec // the documented commands
				cmd.Dir = work
				cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "NO_COLOR=1", "ANSIBLE_NOCOLOR=1", "UPSTEP_DEMO_ROOT="+filepath.Join(work, "hosts"))
				printed, err := cmd.CombinedOutput()
				expected := i+1 < len(all) && all[i+1].lang == "text"
				if !expected {
					require.NoError(t, err, "%s:%d: %s\n%s", name, b.line, b.text, printed)
				} else {
					require.True(t, matches(strings.Split(strings.TrimRight(all[i+1].text, "\n"), "\n"), strings.Split(strings.TrimRight(string(printed), "\n"), "\n")),
						"%s:%d: %s\nprints\n%s\nnot\n%s", name, b.line, b.text, printed, all[i+1].text)
				}
				ran.Add(1)
			}
		})
	}
}

// matches compares lines; "..." stands for any number of them.
func matches(want, have []string) bool {
	if len(want) == 0 {
		return len(have) == 0
	}
	if strings.TrimSpace(want[0]) == "..." {
		for skip := 0; skip <= len(have); skip++ {
			if matches(want[1:], have[skip:]) {
				return true
			}
		}
		return false
	}
	return len(have) > 0 && alikeLine(want[0], have[0]) && matches(want[1:], have[1:])
}

// alikeLine compares two lines; "..." in a line stands for any text.
func alikeLine(want, have string) bool {
	var parts []string
	for p := range strings.SplitSeq(strings.TrimRight(want, " "), "...") {
		parts = append(parts, regexp.QuoteMeta(p))
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(strings.TrimRight(have, " "))
}
