package runner

import (
	"slices"
	"time"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// play is one play of the run and how far it is.
type play struct {
	playbooks.Play
	book      string // the playbook that holds it
	state     playState
	members   []string   // its hosts; nil: known when it is there
	due       []string   // those that have not ended it, in their order
	take      []string   // those of due that this invocation takes
	batches   [][]string // what is left of take, for plays in batches
	active    []string   // hosts at work now
	lost      []string   // hosts that failed it in this invocation
	blocked   []string   // those of lost that could not leave traffic, and are tried again
	retried   []string   // those that were tried again
	began     time.Time
	over      time.Time // when its last host ended it; zero: that has not been
	notBefore time.Time // holds the next batch back for a pause
	reached   int       // the furthest of units that began in this invocation
}

// playState is how far a play is.
type playState int

const (
	waiting playState = iota // for plays before it, or for its turn
	running
	ended
	failed
	tolerated // some hosts failed, no more than may
	partial   // hosts are left that this invocation does not take, by a percentage
	limited   // the same, by a limit
	left      // not selected
)

// over tells whether a play is out of the way of those behind it.
func (s playState) over() bool {
	return s == ended || s == tolerated || s == limited || s == left
}

// unit gives the place of a unit among the play's, or -1.
func (p *play) unit(id string) int {
	return slices.IndexFunc(p.Units, func(u planner.Unit) bool { return u.ID == id })
}

// score is the plays of a run with their order.
type score struct {
	plays []*play
	byID  map[string]*play
	nodes []node // plays and gates; what a node waits for stands before it
}

// node is a play, or a gate between plays.
type node struct {
	play  *play // nil for a gate
	after []int // nodes
}

// newScore orders the plays of a plan: what comes before the upgrade, the stages, and
// what comes after it.
func newScore(p *planner.Plan) *score {
	s := &score{byID: map[string]*play{}}
	of := map[string]*play{} // by unit
	for i := range p.Roles {
		for _, pl := range playbooks.RolePlays(p, p.Roles[i].Name) {
			n := &play{Play: pl, book: playbooks.RoleBook(pl.Role), members: append([]string{}, pl.Hosts...)}
			s.byID[pl.ID] = n
			for _, u := range pl.Units {
				of[u.ID] = n
			}
		}
	}
	before, after := playbooks.DeploymentPlays(p)
	s.deployments(before)
	opening := len(s.nodes) - 1
	index := map[string]int{} // node of each vertex
	nodeOf := map[*play]int{}
	closed := -1 // what comes after the upgrade, before what was replaced goes
	for _, v := range p.Sequence() {
		if v.Unit != nil && v.Unit.Kind == planner.KindRetire && closed < 0 {
			s.deployments(after)
			after, closed = nil, len(s.nodes)-1
		}
		pl := of[v.ID]
		n, known := nodeOf[pl]
		if pl == nil || !known {
			n = len(s.nodes)
			s.nodes = append(s.nodes, node{play: pl})
			switch {
			case closed >= 0:
				s.nodes[n].after = []int{closed}
			case opening >= 0 && len(v.After) == 0:
				s.nodes[n].after = []int{opening}
			}
			if pl != nil {
				nodeOf[pl] = n
				s.plays = append(s.plays, pl)
			}
		}
		index[v.ID] = n
		for _, a := range v.After {
			if on := index[a]; on != n && !slices.Contains(s.nodes[n].after, on) {
				s.nodes[n].after = append(s.nodes[n].after, on)
			}
		}
	}
	s.deployments(after)
	return s
}

// deployments adds the plays of before.yml or after.yml, each behind everything so far.
func (s *score) deployments(plays []playbooks.Play) {
	for _, pl := range plays {
		p := &play{Play: pl, book: pl.Stage + ".yml"}
		n := node{play: p}
		for on := range s.nodes {
			n.after = append(n.after, on)
		}
		s.nodes = append(s.nodes, n)
		s.plays = append(s.plays, p)
		s.byID[pl.ID] = p
	}
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

// leftBefore gives the plays, not selected, that a play waits for, directly or over others.
func (s *score) leftBefore(want *play) []string {
	var out []string
	seen := make([]bool, len(s.nodes))
	var visit func(int)
	visit = func(i int) {
		for _, on := range s.nodes[i].after {
			if seen[on] {
				continue
			}
			seen[on] = true
			if p := s.nodes[on].play; p != nil && p.state == left {
				out = append(out, p.ID)
			}
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
