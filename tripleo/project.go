package tripleo

import (
	"maps"
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
	lists map[string]int // tasks of each list
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
}

// variant is a service as it is on some roles, over all hops.
type variant struct{ name, text string }

// builder makes the project out of what was read.
type builder struct {
	*importer
	counts   map[string]int
	steps    map[string]map[int]bool // by list
	hops     []*hop
	roles    []*placed
	variants map[string][]variant // by the name that they share
	taken    map[string]bool      // names of services
}

func (im *importer) project() *Project {
	b := &builder{importer: im, counts: map[string]int{}, steps: map[string]map[int]bool{}, variants: map[string][]variant{}, taken: map[string]bool{}}
	for _, release := range im.releases {
		b.hops = append(b.hops, &hop{release: release})
	}
	if len(b.hops) == 0 {
		b.hops = []*hop{{}}
	}
	b.services()
	im.reportMissing()
	p := &Project{Summary: b.summary()}
	for _, h := range b.hops {
		folder := "services/"
		if h.release != "" {
			folder = "releases/" + h.release + "/"
		}
		for _, d := range h.defs {
			p.Files = append(p.Files, File{folder + d.name + ".yaml", d.file()})
		}
	}
	p.Files = append(p.Files, File{"roles.yaml", b.rolesFile()}, File{"upgrade.yaml", b.upgradeFile()})
	return p
}

// services makes the services of every hop, and their roles: those that take batches
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
// the same on several roles, in every hop, is one service.
func (b *builder) put(to *placed, p *placement, name string, lists []list) {
	defs := make([]*definition, len(b.hops))
	var text strings.Builder
	some := false
	for i, h := range b.hops {
		if defs[i] = b.define(h, p, lists); defs[i] != nil {
			text.WriteString(defs[i].text)
			some = true
		}
		text.WriteByte(0)
	}
	if !some {
		return
	}
	known := b.variants[name]
	if i := slices.IndexFunc(known, func(v variant) bool { return v.text == text.String() }); i >= 0 {
		to.place(known[i].name)
		return
	}
	v := variant{b.unused(name, p.role.name), text.String()}
	b.variants[name], b.taken[v.name] = append(known, v), true
	for i, d := range defs {
		if d == nil {
			continue
		}
		d.name = v.name
		b.hops[i].defs = append(b.hops[i].defs, d)
		for list, n := range d.lists {
			b.counts[list] += n
		}
	}
	to.place(v.name)
}

// unused gives a service a name: its own, or, where that is taken, one with its role.
func (b *builder) unused(name, role string) string {
	if !b.taken[name] {
		return name
	}
	name += "_" + strings.ToLower(role)
	out := name
	for n := 2; b.taken[out]; n++ {
		out = name + "_" + strconv.Itoa(n)
	}
	return out
}

// place puts a service on a role, once.
func (r *placed) place(service string) {
	if !slices.Contains(r.services, service) {
		r.services = append(r.services, service)
	}
}

// define writes the lists of a service; nil where none holds a task.
func (b *builder) define(h *hop, p *placement, lists []list) *definition {
	d := &definition{lists: map[string]int{}}
	var pairs []source.Pair
	for _, l := range lists {
		items := b.tasks(h, p, l)
		d.tasks += len(items)
		if len(items) > 0 {
			d.lists[l.name] = len(items)
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
	if h.release != "" && mentions(body, "release") {
		vars = append(vars, source.Pair{Name: "release", Value: source.Of(h.release)})
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
func (b *builder) tasks(h *hop, p *placement, l list) []source.Node {
	r := &taskReader{list: l, byTags: b.byTags, release: h.release, others: b.releases, sink: b.sink, notes: &b.notes}
	var out []source.Node
	for _, v := range p.lists[l.name] {
		var n source.Node
		whole := b.engine.Watch(func() {
			if t := r.read(v, scope{steps: l.steps(), top: true}); t != nil {
				t.only = l.onlyFirst(t.steps)
				n = r.compose(t, true)
				for _, s := range t.steps {
					if b.steps[l.name] == nil {
						b.steps[l.name] = map[int]bool{}
					}
					b.steps[l.name][s] = true
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

func (b *builder) summary() Summary {
	s := Summary{
		Workflow: b.options.Workflow, Roles: []RoleSummary{}, Without: []string{}, Parameters: b.engine.Used(), Dead: len(b.notes.dead), Broken: len(b.notes.broken), Releases: b.releases,
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
	for _, h := range b.hops {
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
		s.Lists = append(s.Lists, ListSummary{l.name, b.counts[l.name], append([]int{}, slices.Sorted(maps.Keys(b.steps[l.name]))...)})
	}
	for _, p := range b.found {
		if !names[p.name] && !slices.Contains(s.Without, p.name) && !slices.ContainsFunc(b.lists, func(l list) bool { return names[p.name+"_"+l.suffix] }) {
			s.Without = append(s.Without, p.name)
		}
	}
	slices.Sort(s.Without)
	return s
}
