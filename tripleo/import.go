// Package tripleo turns tripleo-heat-templates into a native upgrade project: every
// task as TripleO's own tools would have evaluated it, and nothing dropped in silence.
package tripleo

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/upstep/upstep/heat"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/yaql"
)

// Options is what to import.
type Options struct {
	Templates    string   // the folder of tripleo-heat-templates
	RolesData    string   // "" for roles_data.yaml there
	NetworkData  string   // "" for network_data.yaml there, if it is there
	Environments []string // files, in order
	Workflow     Workflow
	Placeholders bool // parameters without a value get one that shows their name
}

// File is a file of the project that an import gives.
type File struct {
	Path string // with slashes, below the project's folder
	Text string
}

// Project is what an import gives: the files of a native upgrade project.
type Project struct {
	Files   []File
	Summary Summary
}

// Summary is what an import found.
type Summary struct {
	Workflow   Workflow      `json:"workflow"`
	Roles      []RoleSummary `json:"roles"`
	Services   int           `json:"services"`
	Without    []string      `json:"services_without_tasks"`
	Lists      []ListSummary `json:"lists"`
	Tasks      int           `json:"tasks"`
	Parameters []heat.Used   `json:"parameters"`
	Dead       int           `json:"dead_tasks"`
	Broken     int           `json:"broken_tasks"`                // left out, for they can't be evaluated
	Secrets    []string      `json:"hidden_parameters,omitempty"` // parameters that templates hide, whose values stand in the project
	Files      []string      `json:"files_read"`                  // as named to people, in the order in which they were read
	From       string        `json:"from,omitempty"`              // the release from which a fast-forward upgrade leads
	Releases   []string      `json:"releases,omitempty"`
}

// RoleSummary is one role of the project.
type RoleSummary struct {
	Name     string `json:"name"`
	Stage    string `json:"stage"`
	Services int    `json:"services"`
}

// ListSummary counts the tasks of one of TripleO's lists, each service's once.
type ListSummary struct {
	Name  string `json:"name"`
	Tasks int    `json:"tasks"`
	Steps []int  `json:"steps"` // in which it has tasks
}

// notes is what reading adds up: where tasks stand that are left out.
type notes struct {
	dead   map[source.Pos]bool // TripleO never ran them
	broken map[source.Pos]bool // they can't be evaluated
}

// importer does one import.
type importer struct {
	options  Options
	sink     *source.Sink
	engine   *heat.Engine
	files    *heat.Files
	roles    []role
	lists    []list
	byTags   bool
	releases []string
	notes    notes
	found    []*placement
}

// placement is one service on one role with what its template says.
type placement struct {
	role     *role
	service  service
	template string
	name     string
	about    string
	lists    map[string][]any // by TripleO's name, flattened
}

// Import reads the templates and gives the project. Problems go to the sink: what
// TripleO never ran is a warning, what can't be evaluated is an error, and left out.
func Import(o Options, sink *source.Sink) *Project {
	if o.RolesData == "" {
		o.RolesData = filepath.Join(o.Templates, "roles_data.yaml")
	}
	wanted := o.NetworkData != ""
	if !wanted {
		o.NetworkData = filepath.Join(o.Templates, "network_data.yaml")
	}
	root, err := filepath.Abs(o.Templates)
	if err != nil {
		sink.Errorf(source.Pos{File: o.Templates}, "cannot find the templates: %v", err)
		return nil
	}
	im := &importer{options: o, sink: sink, lists: o.Workflow.bounded(root), notes: notes{map[source.Pos]bool{}, map[source.Pos]bool{}}}
	var data any
	im.roles, data = readRoles(o.RolesData, o.RolesData, sink)
	networks := readNetworks(o.NetworkData, o.NetworkData, wanted, sink)
	if len(im.roles) == 0 {
		return nil
	}
	here, err := os.Getwd()
	if err != nil {
		here = "/"
	}
	im.files = &heat.Files{Root: root, Here: here, Vars: map[string]any{"roles": data, "networks": networks}}
	im.engine = heat.NewEngine(im.files, o.Placeholders, sink)
	if !im.engine.AddEnvironment(filepath.Join(root, "overcloud-resource-registry-puppet.yaml")) {
		return nil
	}
	for _, r := range im.roles { // it repeats the roles' own services; what is wrong with one is told of the roles' file
		im.engine.Forget(r.name + "Services")
	}
	for _, e := range o.Environments {
		im.engine.AddEnvironment(e)
	}
	for i := range im.roles {
		im.place(&im.roles[i])
	}
	im.survey()
	p := im.project()
	if p.Summary.Tasks == 0 {
		if sink.Failed() {
			return nil
		}
		var names []string
		for _, l := range im.lists {
			names = append(names, l.name)
		}
		sink.Errorf(source.Pos{File: o.Templates}, "no service of these roles has tasks for the workflow %s", o.Workflow).
			WithHint("it reads " + strings.Join(names, ", ") + "; --workflow chooses other lists")
		return nil
	}
	return p
}

// place evaluates every service of a role, in the role's order.
func (im *importer) place(r *role) {
	chain := r.services
	if v, ok := im.engine.TopLevel(r.name + "Services"); ok { // an environment may name others
		chain = nil
		list, is := yaql.Open(v).([]any)
		if !is && yaql.Open(v) != nil {
			im.sink.Errorf(heat.Place(v), "%sServices must be a list of services, not %s", r.name, shape(v)).WithHint("write - OS::TripleO::Services::NAME for each")
		}
		for _, it := range list {
			name, _ := yaql.Open(it).(string)
			chain = append(chain, service{name, heat.Place(it)})
		}
	}
	given := im.given(r)
	for _, s := range chain {
		var p *placement
		im.engine.Watch(func() { p = im.evaluate(r, s, given) })
		if p != nil {
			im.found = append(im.found, p)
		}
	}
}

// given is what TripleO's overcloud template passes to every service. What only a
// running cloud knows is empty, unless an environment says it.
func (im *importer) given(r *role) map[string]any {
	given := map[string]any{"RoleName": r.name}
	for _, name := range []string{"ServiceNetMap", "EndpointMap", "DefaultPasswords", "ServiceData"} {
		if _, ok := im.engine.Parameter(name); !ok {
			given[name] = yaql.NewMap()
		}
	}
	own := yaql.NewMap()
	for k, v := range r.parameters.Pairs() {
		own.Set(k.Text(), im.engine.Outside(v))
	}
	if v, ok := im.engine.TopLevel(r.name + "Parameters"); ok {
		entries, _ := heat.Entries(v)
		for _, e := range entries {
			own.Set(e.Name, e.Value)
		}
	}
	given["RoleParameters"] = own
	return given
}

// evaluate reads what a service's template says of upgrades; nil where it says
// nothing, or could not be read, which was reported.
func (im *importer) evaluate(r *role, s service, given map[string]any) *placement {
	stack := im.engine.Stack(s.typeName, s.pos, given)
	if stack == nil {
		return nil
	}
	data, declared, ok := stack.Output("role_data")
	if !ok {
		im.sink.Errorf(source.Pos{File: stack.Template()}, "the template has no output role_data").WithHint("a service's template says under outputs.role_data what it does")
		return nil
	}
	entries, ok := heat.Entries(data)
	if !ok {
		if yaql.Open(data) != nil {
			im.sink.Errorf(declared.Pos(), "role_data must be a mapping, not %s", shape(data)).WithHint("write its keys under value:")
		}
		return nil
	}
	p := &placement{role: r, service: s, template: stack.Template(), about: stack.Description(), lists: map[string][]any{}}
	for _, e := range entries {
		if e.Name == "service_name" {
			p.name = heat.Text(e.Value)
			if !usableName.MatchString(p.name) {
				im.sink.Errorf(heat.Place(e.Value), "service_name %q is not usable as a file name", p.name).WithHint("use letters, digits, _, - and ., beginning with a letter or digit")
				return nil
			}
		}
		if slices.ContainsFunc(im.lists, func(l list) bool { return l.name == e.Name }) {
			if !im.engine.Watch(func() { p.lists[e.Name] = im.flatten(e.Name, e.Value, nil) }) {
				im.notes.broken[heat.Place(e.Value)] = true
			}
		}
	}
	for _, l := range im.lists {
		if n := declared.Get(l.name); n.Exists() {
			im.sink.Warnf(n.Pos(), "%s stands beside value, where TripleO does not read it", l.name).WithHint("move it below value: to have it run; it is left out")
		}
	}
	if p.name == "" {
		p.name = strings.ToLower(s.typeName[strings.LastIndex(s.typeName, ":")+1:])
		if len(p.lists) > 0 {
			im.sink.Warnf(declared.Pos(), "the template says no service_name; it is called %s", p.name).WithHint("write service_name: NAME under outputs.role_data.value")
		}
	}
	return p
}

// usableName is what a service may be called: it names a file.
var usableName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$`)

// flatten gives the tasks of a list, lists in it taken apart, as TripleO's flatten()
// does. null and an empty mapping are no tasks.
func (im *importer) flatten(name string, v any, out []any) []any {
	switch t := yaql.Open(v).(type) {
	case nil:
		return out
	case []any:
		for _, it := range t {
			out = im.flattenItem(name, it, out)
		}
		return out
	case *yaql.Map:
		if t.Len() == 0 {
			return out
		}
	case string:
		if t == "" {
			return out
		}
	}
	im.sink.Errorf(heat.Place(v), "%s must be a list of tasks, not %s", name, shape(v)).WithHint("begin each task with a dash")
	return out
}

func (im *importer) flattenItem(name string, v any, out []any) []any {
	if _, is := yaql.Open(v).([]any); is {
		return im.flatten(name, v, out)
	}
	if yaql.Open(v) == nil {
		im.sink.Warnf(heat.Place(v), "%s holds nothing where a task belongs", name).WithHint("take the dash away; it is left out")
		return out
	}
	return append(out, v)
}

// reportMissing names each parameter without a value, with the templates that want it.
func (im *importer) reportMissing() {
	if im.options.Placeholders {
		return
	}
	for _, m := range im.engine.Missing() {
		var others []string
		for _, at := range m.At[1:] {
			others = append(others, at.Short())
		}
		const most = 4
		more := ""
		switch {
		case len(others) > most:
			more = "; " + strings.Join(others[:most], ", ") + " and others want it, too"
		case len(others) > 1:
			more = "; " + strings.Join(others, ", ") + " want it, too"
		case len(others) == 1:
			more = "; " + others[0] + " wants it, too"
		}
		im.sink.Errorf(m.At[0], "parameter %s (%s) has neither a default nor a value%s", m.Name, m.Type, more).
			WithHint("set it in an environment (-e FILE: parameter_defaults: {" + m.Name + ": ...}), or give --placeholders")
	}
}

// survey looks over all lists: whether steps are selected by tags alone, and which
// releases conditions name.
func (im *importer) survey() {
	tagged, asked := 0, 0
	releases := map[string]bool{}
	var look func(v any)
	look = func(v any) {
		entries, _ := heat.Entries(v)
		for _, e := range entries {
			switch e.Name {
			case "tags":
				if steps, _ := stepTags(words(e.Value)); len(steps) > 0 {
					tagged++
				}
			case "when":
				for _, w := range conditions(e.Value) {
					if w.cond == nil {
						continue
					}
					if w.cond.asksFor("step", nil) {
						asked++
					}
					w.cond.asksFor("release", releases)
				}
			case block, rescue, ensure:
				inner, _ := yaql.Open(e.Value).([]any)
				for _, it := range inner {
					look(it)
				}
			}
		}
	}
	for _, p := range im.found {
		for _, l := range im.lists {
			for _, v := range p.lists[l.name] {
				look(v)
			}
		}
	}
	im.byTags = tagged > asked
	if im.options.Workflow == FastForward {
		for r := range releases {
			im.releases = append(im.releases, r)
		}
		im.releases = between(im.releases)
	}
}
