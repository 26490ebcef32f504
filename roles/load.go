package roles

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Load reads the roles from a file, or from every *.yaml and *.yml of a folder by
// name. The roles keep their order, which breaks ties in the plan. prefix is put
// before the names shown to people. The second result is false when there may be roles
// that could not be read.
func Load(fsys fs.FS, name, prefix string, vals source.Values, sink *source.Sink) (all []Role, whole bool) {
	shown := path.Join(prefix, name)
	if _, err := fs.Lstat(fsys, name); errors.Is(err, fs.ErrNotExist) {
		sink.Errorf(source.Pos{File: shown}, "no roles found").
			WithHint("a project says in roles.yaml which services stand on which hosts; --roles points elsewhere")
		return nil, false
	}
	files, err := list(fsys, name)
	if err != nil {
		sink.Errorf(source.Pos{File: shown}, "read roles: %v", source.Cause(err))
		return nil, false
	}
	for _, f := range besides(fsys, name) {
		sink.Errorf(source.Pos{File: path.Join(prefix, f)}, "stands beside %s, and only one can be read", name).
			WithHint("move the roles of both into one, or into the folder roles/")
	}
	whole = true
	for _, f := range files {
		if r, odd := source.Control(f, ""); odd {
			sink.Errorf(source.Pos{File: path.Join(prefix, f)}, "the file's name has a control character (%U)", r).WithHint("rename it")
			whole = false
			continue
		}
		text, ok := source.Read(fsys, f, path.Join(prefix, f), "roles", sink)
		if ok {
			var found []Role
			found, ok = parse(text, vals, sink)
			all = append(all, found...)
		}
		whole = whole && ok
	}
	if len(all) == 0 && whole {
		sink.Errorf(source.Pos{File: shown}, "no role found").WithHint("write a list of roles: - name: Controller")
		whole = false
	}
	return unique(all, sink), whole
}

// list gives the files to read: the one that is named, or those of a folder.
func list(fsys fs.FS, name string) ([]string, error) {
	if info, err := fs.Stat(fsys, name); err != nil || !info.IsDir() {
		return []string{name}, nil // what is wrong with it shows when it is read
	}
	entries, err := fs.ReadDir(fsys, name)
	var files []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && source.IsYAML(e.Name()) {
			files = append(files, path.Join(name, e.Name()))
		}
	}
	return files, err
}

// besides gives what of the default names stands beside the one that is read.
func besides(fsys fs.FS, name string) []string {
	all := []string{"roles.yaml", "roles.yml", "roles"}
	at := slices.Index(all, name)
	var out []string
	for _, other := range all[at+1:] {
		// A folder roles/ may as well hold Ansible roles, which are folders.
		if files, err := list(fsys, other); err == nil && at >= 0 && len(files) > 0 {
			if _, err := fs.Lstat(fsys, files[0]); err == nil {
				out = append(out, files[0])
			}
		}
	}
	return out
}

func unique(all []Role, sink *source.Sink) []Role {
	first := map[string]source.Pos{}
	var out []Role
	for _, r := range all {
		// Files of the emitted tree are named by role, and some systems do not tell case apart.
		key := strings.ToLower(r.Name)
		if at, twice := first[key]; twice {
			sink.Errorf(r.Pos, "duplicate role %q", r.Name).WithHint("it is defined first at " + at.Short())
			continue
		}
		first[key] = r.Pos
		out = append(out, r)
	}
	return out
}

var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// reserved are file names of the emitted tree that no role's playbook may take.
func reserved(name string) bool {
	switch strings.ToLower(name) {
	case "upgrade", "preflight", "before", "after", "rollback", "post_upgrade", "retire", "vars", "handlers", "roles", "control-plane", "non-control-plane", "readme", "plan":
		return true
	}
	return false
}

// Parse reads one file of roles.
func Parse(f source.File, vals source.Values, sink *source.Sink) []Role {
	all, _ := parse(f, vals, sink)
	return all
}

// parse is Parse, and tells whether it could read all of the roles.
func parse(f source.File, vals source.Values, sink *source.Sink) (all []Role, whole bool) {
	root, ok := source.Parse(f, sink)
	if !ok {
		return nil, false
	}
	if root.Kind() != source.List {
		sink.Errorf(root.Pos(), "roles must be a list, not %s", root.Kind()).WithHint("begin each role with - name: NAME")
		return nil, false
	}
	whole = true
	for _, it := range root.Items() {
		if it.Kind() != source.Map {
			sink.Errorf(it.Pos(), "a role must be a mapping, not %s", it.Kind()).WithHint("begin each role with - name: NAME")
			whole = false
			continue
		}
		own := &source.Sink{}
		r := parseRole(it, vals, own)
		sink.Merge(own.Problems())
		whole = whole && !own.Failed()
		if r.Name != "" {
			all = append(all, r)
		}
	}
	return all, whole
}

func parseRole(v source.Node, vals source.Values, sink *source.Sink) Role {
	f := source.ReadFields(v, "the role", sink, "name", "description", "hosts", "stage", "services", "rolling", "replace", "health", "optional", "play")
	r := Role{
		Name:        f.Required("name"),
		Description: f.String("description"),
		Pos:         f.PosOf("name"),
		Stage:       f.String("stage"),
		StagePos:    f.PosOf("stage"),
		Optional:    f.Bool("optional") || unsure(f, "optional"),
		HostsPos:    f.PosOf("hosts"),
		Play:        tasks.ReadKeywords(f.Get("play"), tasks.PlayLevel, sink),
	}
	switch {
	case r.Name == "":
	case len(r.Name) > source.NameLimit:
		sink.Errorf(r.Pos, "a role name of %d bytes is too long for a file name", len(r.Name)).WithHint("use at most " + strconv.Itoa(source.NameLimit))
	case !validName.MatchString(r.Name):
		sink.Errorf(r.Pos, "role name %q is not usable as a file name", r.Name).WithHint("use letters, digits, _ and -, beginning with a letter")
	case reserved(r.Name):
		sink.Errorf(r.Pos, "role name %q is taken by a file of the emitted playbooks", r.Name).WithHint("choose another name")
	}
	r.Hosts = hosts(f, "hosts", r.Name, vals, sink)
	seen := map[string]source.Pos{}
	for _, s := range f.Strings("services") {
		if at, twice := seen[s.Text()]; twice {
			sink.Errorf(s.Pos(), "%q stands twice in the role", s.Text()).WithHint("it stands first at " + at.Short())
			continue
		}
		seen[s.Text()] = s.Pos()
		r.Services = append(r.Services, Placed{s.Text(), s.Pos()})
	}
	if f.IsNull("rolling") {
		sink.Errorf(f.PosOf("rolling"), "rolling of the role has nothing in it").
			WithHint("write rolling: {} for one host at a time; remove the line if all hosts go together")
	}
	r.Replace = parseReplace(f, vals, sink)
	health := f.Get("health")
	if rolling := f.Get("rolling").Substitute(vals, sink); rolling.Exists() {
		r.Rolling = parseRolling(rolling, sink)
		if h := rolling.Get("health"); h.Exists() {
			if health.Exists() {
				sink.Errorf(h.Pos(), "health stands twice in the role").WithHint("it stands also at " + health.Pos().Short())
			}
			health = h
		}
	}
	r.Health = parseHealth(health.Substitute(vals, sink), sink)
	return r
}

// unsure tells whether a truth value is meant to stand there and cannot be read, which is
// reported: what hangs on it is not held against the role.
func unsure(f source.Fields, key string) bool {
	_, ok := source.ParseBool(f.Get(key).Text())
	return f.Misspelt(key) || f.Has(key) && !ok
}

// hosts reads an inventory pattern; name is what a pattern that is not there is.
func hosts(f source.Fields, key, name string, vals source.Values, sink *source.Sink) string {
	if f.Misspelt(key) {
		return ""
	}
	if !f.Has(key) {
		return name
	}
	v := f.Get(key).Substitute(vals, sink)
	written, read := []source.Node{f.Get(key)}, []source.Node{v}
	if v.Kind() == source.List && v.Len() > 0 {
		written, read = written[0].Items(), v.Items()
	}
	how := "write " + key + ": PATTERN, or " + key + ": [PATTERN, ...]"
	if name != "" {
		how += "; without hosts the role's name is the pattern"
	}
	var parts []string
	for i, it := range read {
		part := strings.TrimSpace(it.Text())
		switch {
		case it.Kind() != source.Scalar:
			sink.Errorf(it.Pos(), "%s must be an inventory pattern, not %s", key, it.Kind()).WithHint(how)
			return ""
		case part == "" && vals.Known(written[i].Text()):
			sink.Errorf(it.Pos(), "%s of the role is empty", key).WithHint(how)
			return ""
		case part == "":
			return "" // an input has no value, or is none: that was reported
		}
		parts = append(parts, part)
	}
	if len(parts) > 1 {
		// Ansible takes each element of a list apart by itself. In one text with commas it
		// takes nothing else apart.
		var all []string
		for _, part := range parts {
			all = append(all, splitPattern(part)...)
		}
		parts = all
	}
	return strings.Join(parts, ",")
}

func parseRolling(v source.Node, sink *source.Sink) *Rolling {
	if v.Kind() == source.Scalar {
		sink.Errorf(v.Pos(), "rolling must be a mapping, not %q", v.Text()).
			WithHint("write rolling: {} for one host at a time; remove the line if all hosts go together")
		v = source.Node{}
	}
	f := source.ReadFields(v, "rolling", sink, "batch", "percentage", "pause", "drain", "max_failures", "tries", "retry_delay", "unit_timeout", "health")
	r := &Rolling{
		Batch:       batch(f, sink),
		Percentage:  percentage(f, sink),
		Pause:       f.Duration("pause", 0),
		DrainRole:   f.OneOf("drain", "batch", "batch", "role") == "role",
		Tries:       f.Int("tries", 1, 1),
		RetryDelay:  f.Duration("retry_delay", 10*time.Second),
		UnitTimeout: f.Duration("unit_timeout", 0),
	}
	if m := f.Get("max_failures"); m.Exists() {
		if s, ok := readSize(m, "max_failures", 0, sink); ok {
			r.MaxFailures, r.MaxPos = s, m.Pos()
		}
	}
	return r
}

func batch(f source.Fields, sink *source.Sink) []Size {
	one := []Size{{N: 1}}
	v := f.Get("batch")
	items := []source.Node{v}
	switch v.Kind() {
	case source.Missing, source.Null:
		return one
	case source.List:
		items = v.Items()
	}
	if len(items) == 0 {
		sink.Errorf(v.Pos(), "batch is empty").WithHint("write batch: 1, or a list such as [1, \"25%\"]")
		return one
	}
	var out []Size
	for _, it := range items {
		if s, ok := readSize(it, "a batch", 1, sink); ok {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return one
	}
	return out
}

func percentage(f source.Fields, sink *source.Sink) int {
	v := f.Get("percentage")
	if !v.Exists() {
		return 100
	}
	s, ok := ParseSize(strings.TrimSuffix(v.Text(), "%"))
	if !ok || s.N < 1 || s.N > 100 {
		sink.Errorf(v.Pos(), "percentage must be from 1 to 100, not %q", v.Text()).
			WithHint("it is the share of the hosts that one run takes; 100 takes all")
		return 100
	}
	return s.N
}

func parseHealth(v source.Node, sink *source.Sink) Health {
	f := source.ReadFields(v, "health", sink, "tries", "delay", "consecutive")
	h := Health{
		Tries:       f.Int("tries", 1, 10),
		Delay:       f.Duration("delay", 10*time.Second),
		Consecutive: f.Int("consecutive", 1, 1),
	}
	if h.Consecutive > h.Tries {
		sink.Errorf(f.PosOf("consecutive"), "%d good answers in a row cannot come from %d tries", h.Consecutive, h.Tries).
			WithHint("raise tries, or lower consecutive")
	}
	return h
}
