package ansible

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

var (
	unparsed  = regexp.MustCompile(`Completely failed to parse inventory source (.+)$`)
	oldReason = regexp.MustCompile(`^\* Failed to parse (.+?) with (\S+) plugin: ?(.*)$`)
	newReason = regexp.MustCompile(`^Failed to parse inventory with '(\S+)' plugin: ?(.*)$`)
	lineFirst = regexp.MustCompile(`^(/.+?):(\d+): (.*)$`)
	unread    = regexp.MustCompile(`^an error occurred while trying to read the file '(.+?)': (?:\[Errno \d+\] )?([^:]+)`)
	ran       = regexp.MustCompile(`^(?:Inventory script \(.*?\) had an execution error|problem running .+? --list|failed to parse executable inventory script results from [^:]+):? ?(.*)$`)
	errno     = regexp.MustCompile(`^\(\[Errno (\d+)\] ([^:]+).*`)
)

// reason is why one of Ansible's inventory plugins can't use a source.
type reason struct {
	plugin  string // without its collection: ini, yaml, script
	path    string // of the file, where it is named
	warning string // the whole of it
	text    string
}

// inventoryError finds the source that failed and the reason that matters: each plugin
// that tried the source gives one, and most say only that it isn't theirs.
func (t *Tool) inventoryError(out outcome, sources []string) error {
	stderr := string(out.stderr)
	message := t.scrub(essential(stderr))
	m := unparsed.FindStringSubmatch(message)
	if m == nil {
		return t.otherFile(out, message, sources)
	}
	e := &SourceError{Pos: source.Pos{File: t.given(m[1], sources)}, Message: "Ansible can't read it as an inventory"}
	_, warnings := blocks(stderr)
	all := reasons(warnings)
	if len(all) == 0 { // of a file that is closed to this user Ansible gives none
		files, _ := filesOf(m[1])
		return cmp.Or(t.unusable(e.File, files...), error(e))
	}
	first := fitting(m[1], all)
	// A file of a folder fails the folder; the file is what must be mended.
	if first.path != "" && first.path != m[1] {
		e.File = t.given(first.path, sources)
	}
	t.explainReason(e, first)
	var others []string
	for _, r := range all {
		if r.text != first.text && r.path == first.path && (r.plugin != "ini" || !isData(cmp.Or(first.path, m[1]))) && !slices.Contains(others, r.plugin) {
			others = append(others, r.plugin)
		}
	}
	if len(others) > 0 && first.plugin != "script" {
		e.Message += " (tried as " + strings.Join(others, " and ") + " too)"
	}
	return e
}

// otherFile is the error of a file beside the sources, such as group_vars.
func (t *Tool) otherFile(out outcome, message string, sources []string) error {
	if m := unread.FindStringSubmatch(message); m != nil {
		return &SourceError{Pos: source.Pos{File: t.given(m[1], sources)}, Message: strings.ToLower(m[2])}
	}
	errs := errorBlocks(string(out.stderr))
	if len(errs) > 0 {
		if s := parseBlock(errs[len(errs)-1]); s.path != "" {
			return &SourceError{
				Pos:     source.Pos{File: t.given(s.path, sources), Line: s.line, Column: s.column},
				Message: t.scrub(t.local(s.message)),
			}
		}
	}
	return out.failed(message)
}

// reasons takes the plugins' reasons out of the warnings, without those that only say
// that the source is of another kind.
func reasons(warnings []string) []reason {
	var out []reason
	for _, w := range warnings {
		r := reason{warning: w}
		if old := oldReason.FindStringSubmatch(joined(w)); old != nil {
			r.path, r.plugin, r.text = unwrapped(old[1]), old[2], old[3]
		} else {
			// the chain of causes that follows repeats the first lines
			cut, _, _ := strings.Cut(w, "\n\n")
			cut, _, _ = strings.Cut(cut, "\nOrigin: ")
			if recent := newReason.FindStringSubmatch(joined(cut)); recent != nil {
				r.plugin, r.text = recent[1], recent[2]
			}
		}
		r.plugin = r.plugin[strings.LastIndexByte(r.plugin, '.')+1:]
		if r.plugin != "" && !notTheirs(r.text) {
			out = append(out, r)
		}
	}
	return out
}

// notTheirs tells whether a plugin only says that the source is of another kind.
func notTheirs(reason string) bool {
	return strings.Contains(reason, "no root 'plugin' key found") ||
		strings.Contains(reason, "Plugin configuration YAML file, not YAML inventory")
}

// fitting gives the reason of the plugin that the file is for.
func fitting(failed string, all []reason) reason {
	path := all[0].path
	if path == "" {
		path = failed
	}
	for _, plugin := range pluginsFor(path) {
		for _, r := range all {
			if (r.path == "" || r.path == path) && (r.plugin == plugin || plugin == "") {
				return r
			}
		}
	}
	return all[0]
}

// pluginsFor gives the plugins that a file is likely for, the likeliest first; "" is any.
func pluginsFor(path string) []string {
	text, _ := os.ReadFile(path) //nolint:gosec // the operator names it
	switch {
	case strings.HasPrefix(string(text), "#!"), isScript(path):
		return []string{"script", ""}
	case slices.Contains([]string{".yml", ".yaml", ".json"}, filepath.Ext(path)):
		return []string{"auto", "", "ini"} // auto reads it first, and hands it to the plugin that it names
	case filepath.Ext(path) == ".toml":
		return []string{"toml", ""}
	case filepath.Ext(path) == "" && yamlLike(string(text)):
		return []string{"auto", "yaml", ""}
	}
	return []string{"ini", ""}
}

// yamlLike tells whether a file without an extension begins as YAML or JSON does.
func yamlLike(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		return line == "---" || line[0] == '{' || strings.HasSuffix(line, ":")
	}
	return false
}

// explainReason puts a plugin's reason into the error, with its place and in words that
// need no knowledge of Ansible's inside.
func (t *Tool) explainReason(e *SourceError, r reason) {
	at := place(joined(r.warning))
	if at.path == "" {
		at = place(r.warning)
	}
	e.Line, e.Column = at.line, at.column
	text, _, _ := strings.Cut(r.text, "The error appears to ")
	switch r.plugin {
	case "ini":
		if m := lineFirst.FindStringSubmatch(text); m != nil {
			e.Line, _ = strconv.Atoi(m[2])
			text = m[3]
		}
		if strings.Contains(text, "values to unpack") { // an error of the plugin itself
			text = "not valid INI: " + text
		}
	case "script":
		text, e.hint = scriptReason(text)
	}
	e.Message, _ = plain(t.scrub(t.local(text)))
}

// scriptReason says why a script gave no inventory.
func scriptReason(text string) (message, hint string) {
	m := ran.FindStringSubmatch(text)
	if m == nil {
		return text, ""
	}
	if no := errno.FindStringSubmatch(m[1]); no != nil {
		switch no[1] {
		case "2":
			return "the script's interpreter does not exist", "its first line names the interpreter: #!/path/to/it"
		case "8":
			return "the script has no #! line that names its interpreter", "begin it with #!/path/to/interpreter; chmod -x a file of hosts"
		case "13":
			return "the script is not executable", "chmod +x it"
		}
		return "the script can't be run: " + no[2], ""
	}
	if strings.HasPrefix(text, "failed to parse") {
		first, _, _ := strings.Cut(m[1], ". ")
		return "the script's output is not JSON: " + first, "run it with --list to see its output"
	}
	if m[1] == "" {
		return "the script failed and said nothing", "run it with --list to see how it ends"
	}
	return "the script failed: " + m[1], ""
}

// unwrapped mends a path that Ansible wrapped at its hyphens.
func unwrapped(path string) string {
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return strings.ReplaceAll(path, "- ", "-")
}
