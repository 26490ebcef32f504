package ansible

import (
	"cmp"
	"io/fs"
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
	unread    = regexp.MustCompile(`^[Aa]n error occurred while trying to read the file '(.+?)': (?:\[Errno \d+\] )?([^:]+)`)

	// Of a script, in the words of both forms.
	notRun    = regexp.MustCompile(`^(?:problem running|Failed to execute inventory script command) .*?\[Errno (\d+)\] ([^:]+)`)
	notJSON   = regexp.MustCompile(`^(?:failed to parse executable inventory script results from [^:]+|Unable to get JSON decoder for inventory script result): (?:Value could not be parsed as JSON: )?(.*)$`)
	failedRun = regexp.MustCompile(`^Inventory script (?:\(.*?\) had an execution error:? ?(.*)|returned non-zero exit code \d+)\.?$`)

	iniSection = regexp.MustCompile(`^Section (\[.*?\]) `)
	iniWord    = regexp.MustCompile(`, got: (\S+)$`)
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
	t.explainReason(e, cmp.Or(first.path, m[1]), first)
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
		s := parseBlock(errs[len(errs)-1])
		var files []string
		switch {
		case !s.yaml:
		case s.path != "":
			files = []string{s.path}
		default: // newer Ansible does not say in which file
			files = t.varsFiles(sources)
		}
		for _, path := range files {
			if e, bad := misread(path); bad {
				e.File = t.given(path, sources)
				return e
			}
		}
		if s.path != "" {
			return &SourceError{
				Pos:     source.Pos{File: t.given(s.path, sources), Line: s.line, Column: s.column},
				Message: t.scrub(t.local(s.message)),
			}
		}
	}
	return out.failed(message)
}

// varsFiles gives the variables' files beside the sources, and beside what Ansible
// takes for a playbook here.
func (t *Tool) varsFiles(sources []string) []string {
	beside := []string{t.path(".")}
	for _, s := range sources {
		path := t.path(s)
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			path = filepath.Dir(path)
		}
		beside = append(beside, path)
	}
	var out []string
	for _, dir := range beside {
		for _, name := range []string{"group_vars", "host_vars"} {
			_ = filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && slices.Contains([]string{"", ".yml", ".yaml", ".json"}, filepath.Ext(path)) {
					if abs, err := filepath.Abs(path); err == nil {
						out = append(out, abs)
					}
				}
				return nil
			})
		}
	}
	return out
}

// misread gives what is wrong with the YAML of a file, as upstep's own reader sees it: its
// places are nearer to the mistake, and newer Ansible does not always name one.
func misread(path string) (*SourceError, bool) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of the inventory
	if err != nil || strings.HasPrefix(string(text), "$ANSIBLE_VAULT;") {
		return nil, false
	}
	var sink source.Sink
	source.Parse(source.File{Name: path, Text: text}, &sink)
	for _, p := range sink.Problems() {
		if p.Severity == source.Error {
			return &SourceError{Pos: p.Pos, Message: "not valid YAML: " + p.Message, hint: p.Hint}, true
		}
	}
	return nil, false
}

// reasons takes the plugins' reasons out of the warnings, without those that only say
// that the source is of another kind.
func reasons(warnings []string) []reason {
	var out []reason
	for _, w := range warnings {
		r := reason{warning: w}
		if old := oldReason.FindStringSubmatch(joined(w)); old != nil {
			r.path, r.plugin, r.text = unwrapped(old[1]), old[2], old[3]
		} else if recent := newReason.FindStringSubmatch(firstParagraph(w)); recent != nil {
			r.plugin, r.text = recent[1], recent[2]
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
func (t *Tool) explainReason(e *SourceError, path string, r reason) {
	at := place(joined(r.warning))
	if at.path == "" {
		at = place(r.warning)
	}
	e.Line, e.Column = at.line, at.column
	text, _, _ := strings.Cut(r.text, "The error appears to ")
	switch r.plugin {
	case "ini":
		text = strings.TrimPrefix(text, "Failed to parse inventory: ")
		if m := lineFirst.FindStringSubmatch(text); m != nil {
			e.Line, _ = strconv.Atoi(m[2])
			text = m[3]
		} else if at.line == 0 {
			e.Line = iniLine(path, text)
		}
		if strings.Contains(text, "values to unpack") { // an error of the plugin itself
			text = "not valid INI: " + text
		}
	case "script":
		text, e.hint = scriptReason(text, r.warning)
	}
	var yaml bool
	e.Message, yaml = plain(t.scrub(t.local(text)))
	if yaml {
		if own, bad := misread(path); bad {
			e.Line, e.Column, e.Message, e.hint = own.Line, own.Column, own.Message, own.hint
		}
	}
}

// iniLine finds the line that newer Ansible complains of without naming it, or 0.
func iniLine(path, complaint string) int {
	text, _ := os.ReadFile(path) //nolint:gosec // the operator names it
	section, word := iniSection.FindStringSubmatch(complaint), iniWord.FindStringSubmatch(complaint)
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.ContainsAny(fields[0][:1], "#;"):
		case section != nil && strings.HasPrefix(fields[0], section[1]):
			return n
		case word != nil && slices.Contains(fields[1:], word[1]):
			return n
		}
	}
	return 0
}

// scriptReason says why a script gave no inventory.
func scriptReason(text, warning string) (message, hint string) {
	if no := notRun.FindStringSubmatch(text); no != nil {
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
	if m := notJSON.FindStringSubmatch(text); m != nil {
		first, _, _ := strings.Cut(m[1], ". ")
		return "the script's output is not JSON: " + first, "run it with --list to see its output"
	}
	m := failedRun.FindStringSubmatch(text)
	if m == nil {
		return text, ""
	}
	said := m[1]
	if _, stderr, found := strings.Cut(warning, "Standard error from inventory script:\n"); found {
		said = joined(stderr)
	}
	if said == "" {
		return "the script failed and said nothing", "run it with --list to see how it ends"
	}
	return "the script failed: " + said, ""
}

// unwrapped mends a path that Ansible wrapped at its hyphens.
func unwrapped(path string) string {
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return strings.ReplaceAll(path, "- ", "-")
}
