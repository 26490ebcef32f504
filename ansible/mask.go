package ansible

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// masked stands in every masked task; a task that has it and still fails is masked
// together with the block around it.
const masked = "ansible.builtin.meta: noop # masked by upstep"

var (
	itemStart = regexp.MustCompile(`^( *)-(?: +\S|\s*$)`)
	playKey   = regexp.MustCompile(`(?m)^(?:- |  )(?:hosts|(?:ansible\.builtin\.)?import_playbook)\s*:`)
)

// MaskTask puts a task that does nothing in the place of the one at the line, in as
// many lines, so that those after it keep their numbers. Called again for a masked
// task it masks the block around it, in the end the whole file, as it does for line
// 0. It reports false when nothing is left to mask.
func MaskTask(path string, line int) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	first, end, found := enclosing(lines, line)
	if !found {
		first, end = 0, len(lines)
		if whole := emptyFile(path, string(text)); strings.TrimSpace(string(text)) != whole {
			return write(path, replaced(lines, first, end, whole))
		}
		return false
	}
	item := strings.Join(lines[first:end], "\n")
	indent := itemStart.FindStringSubmatch(lines[first])[1]
	if len(indent) == 0 && playKey.MatchString(item) {
		return write(path, replaced(lines, first, end, emptyPlay))
	}
	return write(path, replaced(lines, first, end, indent+"- "+masked))
}

const emptyPlay = "- hosts: localhost # masked by upstep"

// emptyFile gives what a file of this kind holds when it holds nothing.
func emptyFile(path, text string) string {
	switch {
	case playKey.MatchString(text) || strings.HasPrefix(strings.TrimSpace(text), emptyPlay):
		return emptyPlay
	case regexp.MustCompile(`/(vars|defaults|meta|group_vars|host_vars)/`).MatchString(path):
		return "{}"
	}
	return "- " + masked
}

// enclosing gives the lines of the innermost list item around a line that is not
// masked yet. Found by indentation: the file need not be valid YAML.
func enclosing(lines []string, line int) (first, end int, found bool) {
	at := line - 1
	if at < 0 || at >= len(lines) {
		return 0, 0, false
	}
	limit := indentOf(lines[at]) + 1 // the item may begin on the line itself
	for i := at; i >= 0; i-- {
		m := itemStart.FindStringSubmatch(lines[i])
		if m == nil || len(m[1]) >= limit {
			continue
		}
		limit = len(m[1])
		if strings.Contains(lines[i], "# masked by upstep") {
			continue
		}
		return i, endOf(lines, i, limit), true
	}
	return 0, 0, false
}

func endOf(lines []string, first, indent int) int {
	for i := first + 1; i < len(lines); i++ {
		text := strings.TrimSpace(lines[i])
		if text == "" || text[0] == '#' && indentOf(lines[i]) > indent {
			continue
		}
		if indentOf(lines[i]) <= indent {
			return i
		}
	}
	return len(lines)
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func replaced(lines []string, first, end int, with string) []string {
	out := append([]string{}, lines[:first]...)
	out = append(out, with)
	for range end - first - 1 {
		out = append(out, "")
	}
	return append(out, lines[end:]...)
}

func write(path string, lines []string) bool {
	return os.WriteFile(path, fmt.Appendln(nil, strings.Join(lines, "\n")), 0o600) == nil
}
