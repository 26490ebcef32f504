package tripleo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/upstep/upstep/source"
)

// role is an entry of roles_data.yaml: the keys that say something about upgrades.
type role struct {
	name        string
	description string
	pos         source.Pos
	services    []service // the types of ServicesDefault, in order
	tags        []string
	disabled    bool // disable_upgrade_deployment: the operator takes its nodes one by one
	flagged     bool // the key is there at all
	batch       int  // upgrade_batch_size
	serial      int  // update_serial
	parameters  source.Node
}

// service is a type of the resource registry on a role.
type service struct {
	typeName string
	pos      source.Pos
}

var roleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// readRoles reads roles_data.yaml of any release. Keys that only deployments need are
// somebody else's.
func readRoles(path, shown string, sink *source.Sink) ([]role, any) {
	root, ok := readList(path, shown, "the roles", sink)
	if !ok {
		return nil, nil
	}
	var out []role
	for _, n := range root.Items() {
		if n.Kind() != source.Map {
			sink.Errorf(n.Pos(), "a role must be a mapping, not %s", n.Kind()).WithHint("begin it with name: NAME")
			continue
		}
		f := source.OpenFields("role", sink, n)
		r := role{
			name: f.Required("name"), description: f.String("description"), pos: n.Pos(), disabled: f.Bool("disable_upgrade_deployment"),
			flagged: f.Has("disable_upgrade_deployment"), batch: f.Int("upgrade_batch_size", 1, 1), serial: f.Int("update_serial", 1, 1),
			parameters: n.Get("RoleParametersDefault"),
		}
		for _, t := range f.Strings("tags") {
			r.tags = append(r.tags, t.Text())
		}
		for _, s := range f.Strings("ServicesDefault") {
			r.services = append(r.services, service{s.Text(), s.Pos()})
		}
		if slices.ContainsFunc(out, func(o role) bool { return o.name == r.name }) {
			sink.Errorf(n.Pos(), "role %s stands twice", r.name).WithHint("remove one of the two")
			continue
		}
		if r.name != "" && !roleName.MatchString(r.name) {
			sink.Errorf(f.PosOf("name"), "role name %q is not usable", r.name).WithHint("use letters, digits, _ and -, beginning with a letter")
			continue
		}
		if r.name != "" {
			out = append(out, r)
		}
	}
	return out, plainData(root)
}

// readNetworks reads network_data.yaml for the Jinja sources that ask for networks.
func readNetworks(path, shown string, wanted bool, sink *source.Sink) any {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !wanted {
		return []any{}
	}
	root, ok := readList(path, shown, "the networks", sink)
	if !ok {
		return []any{}
	}
	return plainData(root)
}

func readList(path, shown, what string, sink *source.Sink) (source.Node, bool) {
	f, ok := source.Read(os.DirFS(filepath.Dir(path)), filepath.Base(path), shown, what, sink)
	if !ok {
		return source.Node{}, false
	}
	root, ok := source.ParseForeign(f, sink)
	if ok && root.Kind() != source.List {
		sink.Errorf(root.Pos(), "%s must be a list, not %s", shown, root.Kind()).WithHint("begin each entry with - name: NAME")
		return source.Node{}, false
	}
	return root, ok
}

// plainData gives a value as Jinja sees it.
func plainData(n source.Node) any {
	switch n.Kind() {
	case source.List:
		out := []any{}
		for it := range n.Elements() {
			out = append(out, plainData(it))
		}
		return out
	case source.Map:
		out := map[string]any{}
		for k, v := range n.Pairs() {
			out[k.Text()] = plainData(v)
		}
		return out
	case source.Missing, source.Null, source.Scalar:
	}
	if i, ok := n.Scalar().(int64); ok {
		return int(i)
	}
	return n.Scalar()
}

// stageOf gives the stage of each role. TripleO upgrades together, step by step, what
// it does not leave to the operator: roles tagged as the primary or a controller, and,
// where a file says disable_upgrade_deployment of some, all of which it does not. A
// file that says neither names the primary role first.
func stageOf(roles []role) map[string]string {
	tagged := slices.ContainsFunc(roles, func(r role) bool { return r.leads() })
	flagged := slices.ContainsFunc(roles, func(r role) bool { return r.disabled })
	out := make(map[string]string, len(roles))
	for i, r := range roles {
		stage := nonControl
		if r.leads() && !r.disabled || flagged && !r.disabled || !tagged && !flagged && i == 0 {
			stage = control
		}
		out[r.name] = stage
	}
	return out
}

func (r role) leads() bool {
	return slices.Contains(r.tags, "primary") || slices.Contains(r.tags, "controller")
}
