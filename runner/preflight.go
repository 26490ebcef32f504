package runner

import (
	"context"
	"slices"
	"strings"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
)

// preflightBook is the playbook of what is looked at before anything changes.
const preflightBook = playbooks.PreflightBook

// checkup is the preflight while it is under way, and what it found.
type checkup struct {
	lane   *lane
	warmed bool
	ended  bool // it came to its end, and not to that of its callback or of our patience
	found  []Failure
	// answers are the plays in which hosts of several roles are asked, and the roles.
	answers map[string][]string
}

// preflight begins to ask every host that has something left to do whether it answers
// and is ready.
func (r *run) preflight(ctx context.Context) error {
	if r.stopping != "" || !slices.ContainsFunc(r.score.plays, func(p *play) bool { return p.state == waiting && !r.keeping(p) }) {
		return nil
	}
	c := &checkup{lane: r.laneOf(preflightBook), answers: map[string][]string{}}
	for _, a := range playbooks.Answers(r.Plan) {
		c.answers[a.ID] = a.Roles
	}
	if err := r.start(ctx, c.lane); err != nil {
		return err
	}
	r.checkup = c
	return nil
}

// warmUp starts the processes of what comes first: they take half a second to come to
// their first gate, and touch no host before they are answered. It waits until the
// preflight's process came to a gate: an Ansible that does not load the plugin that
// holds plays back would not hold these back either.
func (r *run) warmUp(ctx context.Context) {
	room := 8 // each takes some 60 MB while it waits
	if r.Parallelism > 0 {
		room = r.Parallelism - 1 // beside the preflight's
	}
	for _, p := range r.score.plays {
		l := r.laneOf(p.book)
		switch {
		case room <= 0:
			return
		case p.state != waiting || l.process != nil:
		case r.start(ctx, l) != nil:
			return // it is tried again when it is due, and told then
		default:
			room--
		}
	}
}

// look answers a play of the preflight.
func (r *run) look(ctx context.Context) {
	c := r.checkup
	if c.lane.gate == nil {
		return
	}
	a := event.Answer{Do: event.Go}
	if asked := c.of(c.lane.gate.Unit); len(asked) > 0 {
		if a.Hosts = r.pending(asked); len(a.Hosts) == 0 {
			a.Do = event.Skip
		}
	}
	switch {
	case r.stopping != "":
		a = event.Answer{Do: event.Stop}
	case !c.warmed:
		c.warmed = true
		r.warmUp(ctx)
	}
	c.lane.gate = nil
	r.answers = append(r.answers, answer{c.lane, a})
}

// of gives the roles whose hosts a play of the preflight is for; none where it goes by
// what the plays before it found.
func (c *checkup) of(unit string) []string {
	if roles := c.answers[unit]; roles != nil {
		return roles
	}
	if role, of := strings.CutPrefix(unit, "preflight/"); of {
		return []string{role}
	}
	return nil
}

// place says which role's preflight an event belongs to: of a play over several roles, the
// host's.
func (c *checkup) place(p *planner.Plan, e *event.Event) {
	roles := c.answers[e.Unit]
	if roles == nil {
		return
	}
	e.Unit = ""
	for _, name := range roles {
		if slices.Contains(p.RoleByName(name).Members, e.Host) {
			e.Unit = "preflight/" + name
			return
		}
	}
}

// pending gives the hosts of roles that have something to do in this invocation, or are
// asked for the sake of others that have.
func (r *run) pending(roles []string) []string {
	var out []string
	for _, p := range r.score.plays {
		if !slices.Contains(roles, p.Role) || p.state != waiting {
			continue
		}
		for _, h := range p.take {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	for _, name := range roles {
		for _, h := range r.required(name) {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// required gives the hosts of a role on which something stands whose version is asked for
// by a service that has something to do, in this plan or in a later one of its route.
func (r *run) required(role string) []string {
	begins := func(service string) bool {
		return slices.ContainsFunc(r.score.plays, func(p *play) bool {
			return p.state == waiting && slices.ContainsFunc(p.Units, func(u planner.Unit) bool { return u.Holds(service) })
		})
	}
	on := r.Plan.RoleByName(role)
	for _, service := range on.Services {
		if slices.ContainsFunc(r.Plan.RequiredOf(service), func(req planner.Required) bool { return req.Hop != "" || begins(req.By) }) {
			return slices.DeleteFunc(slices.Clone(on.Members), func(h string) bool { return slices.Contains(r.Exclude, h) })
		}
	}
	return nil
}

// checked takes what the preflight's process tells.
func (r *run) checked(m message) {
	c := r.checkup
	if m.err == nil {
		r.found(c, m.event, m.offset)
		return
	}
	if out := c.lane.process.Outcome(); !c.ended && len(c.found) == 0 && r.stopping == "" {
		c.found = append(c.found, Failure{State: journal.Unknown, Message: "preflight did not come to its end: " + out.Text, Folder: c.lane.folder})
	}
	r.gone(c.lane, m.err)
	r.checkup = nil
	if len(c.found) > 0 {
		r.refused, r.failures = true, c.found
	}
}

// found takes an event of the preflight.
func (r *run) found(c *checkup, e event.Event, offset int64) {
	l := c.lane
	r.place(l, &e)
	e.Stage = "preflight"
	if e.Kind != event.Gate {
		c.place(r.Plan, &e)
	}
	r.record.taken(l.number, offset, e)
	switch e.Kind { //nolint:exhaustive // the others are progress
	case event.Gate:
		l.gate = &e
		return
	case event.End:
		c.ended = e.State == ""
		return
	case event.Vars:
		r.values.add(l.number, e.Values)
		return
	case event.Failed, event.Unreachable:
		if e.Item != "" || e.Kind == event.Failed && e.Ignored {
			break
		}
		// The last play repeats for each host what its checks said.
		if slices.ContainsFunc(c.found, func(f Failure) bool { return f.Hosts[0] == e.Host }) && !e.Rescued {
			break
		}
		f := Failure{
			Unit: e.Unit, Role: strings.TrimPrefix(e.Unit, "preflight/"), Hosts: []string{e.Host}, State: journal.Failed, Task: e.Task,
			Message: e.Message, Stdout: e.Stdout, Stderr: e.Stderr, Folder: l.folder,
		}
		if e.Kind == event.Unreachable {
			f.State = journal.Unreachable
		}
		c.found = append(c.found, f)
	}
	r.Report(e)
}
