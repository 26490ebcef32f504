package planner

import (
	"slices"

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
}

// Build plans the upgrade. With an error among the problems there is no plan.
func Build(w World) (*Plan, source.Problems) {
	w.Services = slices.SortedFunc(slices.Values(w.Services), func(x, y services.Service) int { return compareText(x.Name, y.Name) })
	b := &builder{World: w, sink: &source.Sink{}, index: map[string]int{}}
	for _, part := range []func(){
		b.place,        // which service stands where, in which stage
		b.check,        // names, steps, balancers
		b.members,      // the hosts of every role
		b.variables,    // what crosses services without a dependency
		b.relate,       // dependencies between placements
		b.stages,       // waves, tracks, steps, units
		b.rollback,     // the same, backwards
		b.surroundings, // preflight and deployment tasks
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
	sink   *source.Sink
	broken bool

	index      map[string]int // service name -> place in Services
	placements []placement
	stageNames []string // the project's stages, then post_upgrade
	graphs     []*phase // one per stage
	hosts      [][]string
	shared     [][]bool // whether two roles have a host in common
	ignored    []Note
	notes      []Note
	ignoredDep map[*services.Dependency]bool
	effect     map[*services.Dependency]effect // what each dependency orders in the project's stages

	planned  []Stage
	undoing  []Stage
	preCheck []Unit
	shares   map[string]bool // handler names and topics of more than one service
}

// placement is one service on one role.
type placement struct {
	svc   *services.Service
	role  int
	stage int
	pos   source.Pos
	wave  []int // by stage index: 0 when it has no tasks there
}

// phase is the planning of one stage: its placements as nodes 0..n-1 of a graph.
type phase struct {
	stage int
	list  tasks.ListName
	nodes []int       // placement of each node, in the roles' own order
	at    map[int]int // node of each placement
	graph *digraph
	wave  []int // of each node, from 1
	track []int // of each node on a rolling role, from 1 within role
	waves int
}

// reason is the dependency that drew an edge.
type reason struct {
	from, to string // to depends on from
	dep      *services.Dependency
}

func (r *reason) text() string {
	if r.dep.Upgraded {
		return r.to + " depends on " + r.from + ", upgraded"
	}
	return r.to + " depends on " + r.from
}

func (b *builder) roleOf(p int) *roles.Role { return &b.Roles[b.placements[p].role] }

func (b *builder) post() int { return len(b.stageNames) - 1 }

// effect says what a dependency orders: units within steps, whole waves because one
// of the two is rolling.
type effect struct{ step, rolling bool }
