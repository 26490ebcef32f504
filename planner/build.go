package planner

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// World is what a plan is made of.
type World struct {
	Services  []services.Service
	Roles     []roles.Role
	Settings  settings.Settings
	Inventory *roles.Inventory // nil: hosts are not known yet
	Sources   []Source
	// Not all roles could be read: that a service stands on none says nothing.
	PartialRoles   bool
	AllowDowngrade bool // of hosts that have a later version than the target
	Hop            *Hop // of a route; nil: the whole upgrade
}

// Build plans the upgrade. With an error among the problems there is no plan.
func Build(w World) (*Plan, source.Problems) {
	b := &builder{World: w, sink: &source.Sink{}}
	for _, part := range []func(){
		b.sort,         // the same order, however the world was listed
		b.successors,   // the roles that take over from those that are replaced
		b.place,        // which service stands where, in which stage
		b.check,        // names, steps
		b.requirements, // versions of others
		b.members,      // the hosts of every role
		b.behind,       // balancers
		b.variables,    // what crosses services without a dependency
		b.handlers,     // names that several services use
		b.relate,       // dependencies between placements
		b.stages,       // waves, tracks, steps, units
		b.retirement,   // what was replaced, at the very end
		b.rollback,     // the same, backwards
		b.surroundings, // preflight
	} {
		part()
		if b.broken {
			break // an order cannot be made of a cycle
		}
	}
	problems := b.sink.Problems()
	if problems.Count(source.Error) > 0 {
		return nil, problems
	}
	return b.plan(), problems
}

// builder joins the world step by step; every part fills fields that the later read.
type builder struct {
	World
	sink     *source.Sink
	broken   bool
	guessed  bool // the name of some service could only be guessed: it may be any
	unknowns int  // names of services that nobody defines, so far

	index      map[string]int // service name -> place in Services
	roleNumber map[string]int
	leader     []int // of each role, the one that it takes over from, or itself
	placements []placement
	standing   [][]int    // placements of each service
	stands     [][]int    // placements of each role
	reasons    [][]reason // of each service's dependencies
	stageNames []string   // the project's stages, then post_upgrade
	graphs     []*phase   // one per stage
	hosts      [][]string
	shared     [][]bool // whether two roles have a host in common
	ignored    []Note
	notes      []Note
	said       map[Note]bool

	planned  []Stage
	undoing  []Stage
	preCheck []Unit
	shares   map[string]bool            // handler names and topics of more than one service
	kept     map[string]map[string]bool // by service: those of them that it may notify where upstep does not see it
	ordered  [][]int                    // placements of each role, dependencies first, once asked for
	ids      map[tasks.ListName][]string
	setLater map[string]bool // names that are set while running, once asked for

	identical identical
}

// placement is one service on one role.
type placement struct {
	svc   *services.Service
	of    int // the service's place in Services
	role  int
	stage int
	pos   source.Pos
	// Its stage is a stand-in: what is wrong with it is reported elsewhere.
	unsure bool
	wave   []int // by stage index: 0 when it has no tasks there
}

// reason is a dependency that draws edges, and what became of it: whether it orders
// within steps, or whole waves because one of the two is rolling, or is ignored.
type reason struct {
	from, to                   string // to depends on from
	dep                        *services.Dependency
	stepwise, rolling, ignored bool
}

func (r *reason) text() string {
	if r.dep.Upgraded {
		return r.to + " depends on " + r.from + ", upgraded"
	}
	return r.to + " depends on " + r.from
}

// over says why a unit comes after one that has tasks of the service far: by the
// dependency itself, or over services that have nothing to do there. Backwards, far is
// what depends.
func (r *reason) over(far string, back bool) string {
	switch {
	case far == r.from || far == r.to:
		return r.text()
	case back:
		return far + " depends on " + r.from + " through " + r.to
	}
	return r.to + " depends on " + far + " through " + r.from
}

// sort puts services by name and their dependencies by place: the same world gives the
// same plan, in whatever order it was read.
func (b *builder) sort() {
	b.Services = slices.Clone(b.Services)
	slices.SortStableFunc(b.Services, func(x, y services.Service) int { return strings.Compare(x.Name, y.Name) })
	b.index = make(map[string]int, len(b.Services))
	b.reasons = make([][]reason, len(b.Services))
	for i := range b.Services {
		svc := &b.Services[i]
		b.index[svc.Name] = i
		b.guessed = b.guessed || svc.Read == services.NameGuessed
		byPlace := func(x, y services.Dependency) int { return x.Pos.Compare(y.Pos) }
		if !slices.IsSortedFunc(svc.DependsOn, byPlace) {
			svc.DependsOn = slices.Clone(svc.DependsOn)
			slices.SortStableFunc(svc.DependsOn, byPlace)
		}
		b.reasons[i] = make([]reason, len(svc.DependsOn))
		for d := range svc.DependsOn {
			b.reasons[i][d] = reason{from: svc.DependsOn[d].Service, to: svc.Name, dep: &svc.DependsOn[d]}
		}
	}
}

func (b *builder) rolling(r int) bool { return b.Roles[r].Rolling != nil }

func (b *builder) post() int { return len(b.stageNames) - 1 }

// taskID names a task within its service by its place in the list; parts of a block that
// was split add their first step. Thousands of services share these names.
func (b *builder) taskID(list tasks.ListName, ts []tasks.Task, j int) string {
	t := &ts[j]
	id := b.plainID(list, t.Index)
	if j > 0 && ts[j-1].Index == t.Index || j+1 < len(ts) && ts[j+1].Index == t.Index {
		if t.PostOnly {
			id += "/" + tasks.PostUpgradeTag
		}
		id += "/step" + itoa(t.Steps[0])
	}
	return id
}

func (b *builder) plainID(list tasks.ListName, index int) string {
	const most = 10_000
	if index >= most {
		return string(list) + "." + itoa(index)
	}
	if b.ids == nil {
		b.ids = map[tasks.ListName][]string{}
	}
	known := b.ids[list]
	for i := len(known); i <= index; i++ {
		known = append(known, string(list)+"."+itoa(i))
	}
	b.ids[list] = known
	return known[index]
}
