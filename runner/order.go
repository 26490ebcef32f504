package runner

import (
	"slices"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// play is one play of the run and how far it is.
type play struct {
	playbooks.Play
	book    string // the playbook that holds it
	state   playState
	due     []string   // hosts that have not ended it, in their order
	batches [][]string // of due, for plays in batches
	active  []string   // hosts at work now
	lost    []string   // hosts that failed it in this invocation
	held    bool       // hosts remain that this invocation does not take: a percentage, a limit
}

// playState is how far a play is.
type playState int

const (
	waiting playState = iota // for plays before it, or for its turn
	running
	ended
	failed
	left // not selected
)

// over tells whether a play is out of the way of those behind it.
func (s playState) over() bool { return s == ended || s == left }

// score is the plays of a run with their order.
type score struct {
	plays  []*play
	byID   map[string]*play
	nodes  []node // plays and gates; what a node waits for stands before it
	behind map[*play][]int
}

// node is a play, or a gate between plays.
type node struct {
	play  *play // nil for a gate
	after []int // nodes
}

// newScore orders the plays of a plan.
func newScore(p *planner.Plan) *score {
	s := &score{byID: map[string]*play{}, behind: map[*play][]int{}}
	of := map[string]*play{} // by unit
	for i := range p.Roles {
		for _, pl := range playbooks.RolePlays(p, p.Roles[i].Name) {
			n := &play{Play: pl, book: playbooks.RoleBook(pl.Role)}
			s.byID[pl.ID] = n
			for _, u := range pl.Units {
				of[u.ID] = n
			}
		}
	}
	index := map[string]int{} // node of each vertex
	nodeOf := map[*play]int{}
	for _, v := range p.Sequence() {
		pl := of[v.ID]
		n, known := nodeOf[pl]
		if pl == nil || !known {
			n = len(s.nodes)
			s.nodes = append(s.nodes, node{play: pl})
			if pl != nil {
				nodeOf[pl] = n
				s.plays = append(s.plays, pl)
			}
		}
		index[v.ID] = n
		for _, a := range v.After {
			if on, ok := index[a]; ok && on != n && !slices.Contains(s.nodes[n].after, on) {
				s.nodes[n].after = append(s.nodes[n].after, on)
			}
		}
	}
	return s
}

// ready gives the plays that wait for nothing but their turn, in the plan's order. A
// failed play holds what comes behind it, and nothing else.
func (s *score) ready() []*play {
	over := make([]bool, len(s.nodes))
	var out []*play
	for i, n := range s.nodes {
		free := !slices.ContainsFunc(n.after, func(on int) bool { return !over[on] })
		switch {
		case n.play == nil:
			over[i] = free
		case n.play.state.over():
			over[i] = true
		case n.play.state == waiting && free:
			out = append(out, n.play)
		}
	}
	return out
}

// needs gives the plays, not over, that a play waits for directly or through gates.
func (s *score) needs(want *play) []*play {
	var out []*play
	seen := make([]bool, len(s.nodes))
	var visit func(int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		if p := s.nodes[i].play; p != nil && p != want {
			if !p.state.over() {
				out = append(out, p)
			}
			return
		}
		for _, on := range s.nodes[i].after {
			visit(on)
		}
	}
	for i := range s.nodes {
		if s.nodes[i].play == want {
			visit(i)
		}
	}
	return out
}
