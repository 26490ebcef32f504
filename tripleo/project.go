package tripleo

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/heat"
	"github.com/upstep/upstep/source"
)

// definition is a service of the project: what stands in its file.
type definition struct {
	name  string
	text  string // the file, but for its name
	tasks int
	lists []ListSummary
}

// placed is a role of the project.
type placed struct {
	name     string
	about    string
	hosts    string // "" for the role's own name
	stage    string
	batch    int // hosts at a time; 0: not rolling
	become   string
	services []string
}

// hop is the services of one release of a fast-forward upgrade, or of the only one.
type hop struct {
	release string
	defs    []*definition
	byName  map[string]*definition
	alike   map[string][]*definition // by the name that several share
}

// builder makes the project out of what was read.
type builder struct {
	*importer
	counts map[string]int
	steps  map[int]bool
	hop    *hop
	roles  []*placed
}

func (im *importer) project() *Project {
	b := &builder{importer: im, counts: map[string]int{}, steps: map[int]bool{}}
	releases := im.releases
	if len(releases) == 0 {
		releases = []string{""}
	}
	var hops []*hop
	for _, release := range releases {
		b.hop = &hop{release: release, byName: map[string]*definition{}, alike: map[string][]*definition{}}
		b.services()
		hops = append(hops, b.hop)
	}
	im.reportMissing()
	p := &Project{Summary: b.summary(hops)}
	for _, h := range hops {
		folder := "services/"
		if h.release != "" {
			folder = "releases/" + h.release + "/"
		}
		for _, d := range h.defs {
			p.Files = append(p.Files, File{folder + d.name + ".yaml", d.file()})
		}
	}
	p.Files = append(p.Files, File{"roles.yaml", b.rolesFile()}, File{"upgrade.yaml", b.upgradeFile(hops)})
	return p
}

// services makes the services of a hop, and their roles: those that take batches
// first, then each role with its own, then the control node.
func (b *builder) services() {
	for _, l := range b.lists {
		if l.rolling() {
			b.apart(l)
		}
	}
	var own []list
	for _, l := range b.lists {
		if l.stage == "" {
			own = append(own, l)
		}
	}
	stages := stageOf(b.importer.roles)
	for i := range b.importer.roles {
		r := &b.importer.roles[i]
		to := b.role(placed{name: r.name, about: r.description, stage: stages[r.name], batch: b.batchOf(r)})
		for _, p := range b.found {
			if p.role == r {
				b.put(to, p, p.name, own)
			}
		}
	}
	for _, l := range b.lists {
		if l.external() {
			b.apart(l)
		}
	}
}

// batchOf gives how many hosts of a role its own steps take at a time. Updates are
// rolling; upgrades where TripleO leaves a role's nodes to the operator.
func (b *builder) batchOf(r *role) int {
	switch {
	case b.options.Workflow == Update:
		return r.serial
	case r.disabled:
		return r.batch
	}
	return 0
}

// apart puts a list on roles of its own: beside each role, or on the control node.
func (b *builder) apart(l list) {
	for i := range b.importer.roles {
		r := &b.importer.roles[i]
		to := placed{name: b.free(r.name + "-" + strings.ReplaceAll(l.suffix, "_", "-")), hosts: r.name, stage: l.stage, batch: r.batch}
		if l.external() {
			to = placed{name: b.free("External"), about: "Work that TripleO does from its control node", hosts: "undercloud", stage: l.stage, become: "false"}
		}
		for _, p := range b.found {
			if p.role == r && len(p.lists[l.name]) > 0 {
				b.put(b.role(to), p, p.name+"_"+l.suffix, []list{l})
			}
		}
	}
}

// free gives a name for a role that is made which none of TripleO's roles has.
func (b *builder) free(name string) string {
	for slices.ContainsFunc(b.importer.roles, func(r role) bool { return strings.EqualFold(r.name, name) }) {
		name += "-tasks"
	}
	return name
}

// role gives the role of a name, which the first to ask for it makes.
func (b *builder) role(as placed) *placed {
	if i := slices.IndexFunc(b.roles, func(r *placed) bool { return r.name == as.name }); i >= 0 {
		return b.roles[i]
	}
	b.roles = append(b.roles, &as)
	return &as
}

// put writes a service with some of its lists and places it on a role. One that says
// the same on several roles is one service.
func (b *builder) put(to *placed, p *placement, name string, lists []list) {
	d := b.define(p, lists)
	if d == nil {
		return
	}
	if i := slices.IndexFunc(b.hop.alike[name], func(o *definition) bool { return o.text == d.text }); i >= 0 {
		to.place(b.hop.alike[name][i].name)
		return
	}
	for n := 1; ; n++ {
		d.name = name
		switch n {
		case 1:
		case 2:
			d.name = name + "_" + strings.ToLower(p.role.name)
		default:
			d.name = name + "_" + strings.ToLower(p.role.name) + "_" + strconv.Itoa(n-1)
		}
		if _, taken := b.hop.byName[d.name]; !taken {
			break
		}
	}
	b.hop.byName[d.name] = d
	b.hop.alike[name] = append(b.hop.alike[name], d)
	b.hop.defs = append(b.hop.defs, d)
	for _, l := range d.lists {
		b.counts[l.Name] += l.Tasks
	}
	to.place(d.name)
}

// place puts a service on a role, once.
func (r *placed) place(service string) {
	if !slices.Contains(r.services, service) {
		r.services = append(r.services, service)
	}
}

// define writes the lists of a service; nil where none holds a task.
func (b *builder) define(p *placement, lists []list) *definition {
	d := &definition{}
	var pairs []source.Pair
	for _, l := range lists {
		items := b.tasks(p, l)
		d.tasks += len(items)
		if len(items) > 0 {
			d.lists = append(d.lists, ListSummary{l.name, len(items)})
			pairs = append(pairs, source.Pair{Name: l.to, Value: source.ListOf(items, source.Node{})})
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	body := source.Encode(source.MapOf(pairs, source.Node{}))
	var head strings.Builder
	if p.about != "" {
		head.WriteString("description: " + source.Quote(p.about) + "\n")
	}
	var vars []source.Pair
	if mentions(body, "is_bootstrap_node") && !setsBootstrap.MatchString(body) {
		vars = append(vars, source.Pair{Name: "is_bootstrap_node", Value: source.Of("{{ upstep_bootstrap }}")})
	}
	if b.hop.release != "" && mentions(body, "release") {
		vars = append(vars, source.Pair{Name: "release", Value: source.Of(b.hop.release)})
	}
	if len(vars) > 0 {
		head.WriteString(source.Encode(source.MapOf([]source.Pair{{Name: "vars", Value: source.MapOf(vars, source.Node{})}}, source.Node{})))
	}
	d.text = "# " + p.template + "\n\x00" + head.String() + body
	return d
}

// setsBootstrap finds tasks that find out themselves which host leads, as those of
// Ocata do.
var setsBootstrap = regexp.MustCompile(`\bis_bootstrap_node\s*(?::|=[^=])`)

// file gives the text of a service's file.
func (d *definition) file() string {
	above, below, _ := strings.Cut(d.text, "\x00")
	return above + "service_name: " + source.Quote(d.name) + "\n" + below
}

// mentions tells whether a text holds a word.
func mentions(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(word)
		if (i == 0 || !isWord(text[i-1]) && text[i-1] != '.') && (end == len(text) || !isWord(text[end])) {
			return true
		}
		from = end
	}
}

// tasks writes the tasks of one list.
func (b *builder) tasks(p *placement, l list) []source.Node {
	r := &taskReader{list: l, byTags: b.byTags, release: b.hop.release, sink: b.sink, notes: &b.notes}
	var out []source.Node
	for _, v := range p.lists[l.name] {
		var n source.Node
		whole := b.engine.Watch(func() {
			if t := r.read(v, scope{steps: l.steps(), top: true}); t != nil {
				n = r.compose(t, true)
				for _, s := range t.steps {
					b.steps[s] = true
				}
			}
		})
		switch {
		case !whole:
			b.notes.broken[heat.Place(v)] = true
		case n.Exists():
			out = append(out, n)
		}
	}
	return out
}

func (b *builder) summary(hops []*hop) Summary {
	s := Summary{
		Workflow: b.options.Workflow, Roles: []RoleSummary{}, Without: []string{}, Steps: []int{}, Parameters: b.engine.Used(), Dead: len(b.notes.dead), Broken: len(b.notes.broken), Releases: b.releases,
	}
	if len(b.releases) > 0 {
		s.From = before(b.releases[0])
	}
	for _, f := range b.engine.Read() {
		s.Files = append(s.Files, f.Name)
	}
	for _, u := range s.Parameters {
		if u.Hidden && u.Origin != "placeholder" {
			s.Secrets = append(s.Secrets, u.Name)
		}
	}
	names := map[string]bool{}
	for _, h := range hops {
		for _, d := range h.defs {
			names[d.name] = true
			s.Tasks += d.tasks
		}
	}
	s.Services = len(names)
	for _, r := range b.roles {
		if len(r.services) > 0 {
			s.Roles = append(s.Roles, RoleSummary{r.name, r.stage, len(r.services)})
		}
	}
	for _, l := range b.lists {
		s.Lists = append(s.Lists, ListSummary{l.name, b.counts[l.name]})
	}
	for step := range b.steps {
		s.Steps = append(s.Steps, step)
	}
	slices.Sort(s.Steps)
	for _, p := range b.found {
		if !names[p.name] && !slices.Contains(s.Without, p.name) && !slices.ContainsFunc(b.lists, func(l list) bool { return names[p.name+"_"+l.suffix] }) {
			s.Without = append(s.Without, p.name)
		}
	}
	slices.Sort(s.Without)
	return s
}

// rolesFile writes roles.yaml.
func (b *builder) rolesFile() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# The roles of %s, with the services that have tasks.\n", b.shown(b.options.RolesData))
	for _, r := range b.roles {
		if len(r.services) == 0 {
			continue
		}
		fmt.Fprintf(&out, "- name: %s\n", r.name)
		if about := strings.Join(strings.Fields(r.about), " "); about != "" {
			fmt.Fprintf(&out, "  description: %s\n", source.Quote(about))
		}
		if r.hosts != "" {
			fmt.Fprintf(&out, "  hosts: %s\n", source.Quote(r.hosts))
		}
		fmt.Fprintf(&out, "  stage: %s\n", r.stage)
		if r.become != "" {
			fmt.Fprintf(&out, "  play:\n    become: %s\n", r.become)
		}
		if r.batch > 0 {
			fmt.Fprintf(&out, "  rolling:\n    batch: %d\n", r.batch)
		}
		out.WriteString("  services:\n")
		for _, s := range r.services {
			fmt.Fprintf(&out, "    - %s\n", source.Quote(s))
		}
	}
	return out.String()
}

// shown names a file in what is written, where no path of the machine belongs.
func (b *builder) shown(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Base(path)
	}
	if name := b.files.Name(abs); !filepath.IsAbs(name) {
		return name
	}
	return filepath.Base(path)
}

// upgradeFile writes upgrade.yaml.
func (b *builder) upgradeFile(hops []*hop) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Imported from tripleo-heat-templates by upstep import tripleo --workflow %s.\n", b.options.Workflow)
	for i, e := range b.options.Environments {
		if i == 0 {
			out.WriteString("# Environments, later ones win:\n")
		}
		fmt.Fprintf(&out, "# - %s\n", b.shown(e))
	}
	fmt.Fprintf(&out, "name: TripleO %s\n", b.options.Workflow)
	order := []string{preRolling, batches, control, nonControl}
	for _, r := range b.roles {
		if !slices.Contains(order, r.stage) {
			order = append(order, r.stage)
		}
	}
	stages := slices.DeleteFunc(order, func(s string) bool {
		return !slices.ContainsFunc(b.roles, func(r *placed) bool { return r.stage == s && len(r.services) > 0 })
	})
	fmt.Fprintf(&out, "stages: [%s]\n", strings.Join(stages, ", "))
	out.WriteString("identical_tasks: once  # as TripleO, which lets a role's services share tasks\n")
	out.WriteString("play:\n  become: true\n")
	if vars := b.variables(hops); len(vars) > 0 {
		out.WriteString("# What TripleO's own playbooks set.\n")
		out.WriteString(source.Encode(source.MapOf([]source.Pair{{Name: "vars", Value: source.MapOf(vars, source.Node{})}}, source.Node{})))
	}
	if b.hop.release != "" {
		out.WriteString("releases:\n")
		from := before(hops[0].release)
		for _, h := range hops {
			fmt.Fprintf(&out, "  - {from: %s, to: %s, services: releases/%s}\n", from, h.release, h.release)
			from = h.release
		}
	}
	return out.String()
}

// before gives the release before another.
func before(release string) string {
	names := []string{"liberty", "mitaka", "newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena", "yoga", "zed"}
	if i := slices.Index(names, release); i > 0 {
		return names[i-1]
	}
	return "before-" + release
}

// variables gives those variables of TripleO's own playbooks that tasks use, with the
// values of their parameters. common/deploy-steps.j2 (Train).
func (b *builder) variables(hops []*hop) []source.Pair {
	var out []source.Pair
	for _, v := range []struct {
		name, parameter string
		otherwise       any
	}{
		{"container_cli", "ContainerCli", "podman"},
		{"container_healthcheck_disabled", "ContainerHealthcheckDisabled", false},
		{"container_log_stdout_path", "ContainerLogStdoutPath", "/var/log/containers/stdouts"},
		{"deploy_identifier", "DeployIdentifier", ""},
		{"docker_puppet_debug", "DockerPuppetDebug", false},
		{"docker_puppet_mount_host_puppet", "DockerPuppetMountHostPuppet", true},
		{"docker_puppet_process_count", "DockerPuppetProcessCount", int64(6)},
		{"enable_debug", "ConfigDebug", false},
		{"enable_paunch", "EnablePaunch", true},
		{"enable_puppet", "EnablePuppet", true},
	} {
		used := slices.ContainsFunc(hops, func(h *hop) bool {
			return slices.ContainsFunc(h.defs, func(d *definition) bool { return mentions(d.text, v.name) })
		})
		if !used {
			continue
		}
		value, ok := b.engine.Setting(v.parameter)
		if !ok {
			value = v.otherwise
		}
		out = append(out, source.Pair{Name: v.name, Value: heat.Compose(value).Bare()})
	}
	return out
}
