package planner

import (
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/tasks"
)

// phase is the planning of one stage: its placements as nodes 0..n-1 of a graph.
type phase struct {
	stage  int
	list   tasks.ListName
	nodes  []int // placement of each node, in the roles' own order
	at     []int // node of each placement, or -1
	graph  *digraph
	active []bool  // whether each node has tasks in the stage
	wave   []int   // of each node, from 1
	waves  [][]int // nodes of each wave: waves[0] of wave 1
	slot   []int   // for subgraph: all zero between two uses
	// nodes with health tasks, by role
	healthy map[int][]int
}

func (b *builder) newPhase(s int) *phase {
	ph := &phase{stage: s, list: tasks.Upgrade, at: make([]int, len(b.placements)), healthy: map[int][]int{}}
	if s == b.post() {
		ph.list = tasks.PostUpgrade
	}
	for p := range b.placements {
		ph.at[p] = -1
		if s == b.post() || b.placements[p].stage == s {
			pl := &b.placements[p]
			ph.at[p] = len(ph.nodes)
			ph.nodes = append(ph.nodes, p)
			ph.active = append(ph.active, b.works(ph, pl))
			if len(pl.svc.Lists[tasks.Health]) > 0 && !b.replaced(pl.role) {
				ph.healthy[pl.role] = append(ph.healthy[pl.role], ph.at[p])
			}
		}
	}
	var arcs []arc
	for to, p := range ph.nodes {
		arcs = b.draw(arcs, ph, to, p)
	}
	ph.graph = newDigraph(len(ph.nodes), arcs)
	return ph
}

// draw adds the edges of one placement's dependencies within a stage.
func (b *builder) draw(arcs []arc, ph *phase, to, p int) []arc {
	here := &b.placements[p]
	for d := range here.svc.DependsOn {
		dep := &here.svc.DependsOn[d]
		i, known := b.index[dep.Service]
		if !known {
			continue
		}
		why := &b.reasons[here.of][d]
		for _, q := range b.standing[i] {
			there := &b.placements[q]
			if ph.at[q] < 0 || dep.HostOnly && there.role != here.role {
				continue
			}
			// Between a role that is a track and another, step by step means nothing: batches go
			// through all steps at a time, and a replacement through all of its phases.
			same := b.leader[there.role] == b.leader[here.role]
			apart := !same && (b.tracked(ph, here.role) || b.tracked(ph, there.role))
			whole := same && b.replacedIn(ph, here.role)
			arcs = append(arcs, arc{ph.at[q], to, dep.Upgraded && !whole || apart, why})
			if ph.stage != b.post() {
				why.stepwise = why.stepwise || !apart
				why.rolling = why.rolling || apart
			}
		}
	}
	return arcs
}

// subgraph gives the graph among some nodes, renumbered to their places in the list.
// All its edges are soft: a hard one leads out of a wave.
func (ph *phase) subgraph(nodes []int) *digraph {
	if ph.slot == nil {
		ph.slot = make([]int, ph.graph.len())
	}
	count := 0
	for i, n := range nodes {
		ph.slot[n] = i + 1
		count += len(ph.graph.in[n])
	}
	arcs := make([]arc, 0, count)
	for i, n := range nodes {
		for _, e := range ph.graph.in[n] {
			if from := ph.slot[e.node]; from > 0 {
				arcs = append(arcs, arc{from - 1, i, false, e.why})
			}
		}
	}
	for _, n := range nodes {
		ph.slot[n] = 0
	}
	return newDigraph(len(nodes), arcs)
}

func (b *builder) serviceOf(ph *phase, n int) *services.Service { return b.placements[ph.nodes[n]].svc }

func (b *builder) roleAt(ph *phase, n int) int { return b.placements[ph.nodes[n]].role }
