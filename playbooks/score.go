package playbooks

import (
	"strconv"
	"strings"

	"github.com/upstep/upstep/planner"
)

// Play is one play of a role's playbook that works on units. It carries its ID in the
// variable upstep_unit.
type Play struct {
	ID      string // a unit's; for a play in batches STAGE/WAVE/ROLE
	Role    string
	Stage   string
	Wave    int
	Units   []planner.Unit
	Hosts   []string // that any of them works on, in their role's order
	Batches bool     // it comes once for each batch
}

// RolePlays gives the plays of a role's playbook, in their order.
func RolePlays(p *planner.Plan, role string) []Play {
	var out []Play
	for _, s := range p.Stages {
		for _, w := range s.Waves {
			one := func(u planner.Unit) {
				if u.Role == role {
					out = append(out, Play{ID: u.ID, Role: role, Stage: s.Name, Wave: w.Number, Units: []planner.Unit{u}, Hosts: p.HostsOf(u)})
				}
			}
			for _, st := range w.Steps {
				for _, u := range st.Units {
					one(u)
				}
			}
			for _, u := range w.Health {
				one(u)
			}
			for _, t := range w.Tracks {
				switch {
				case p.Replaced(t):
					for _, u := range t.Parts {
						one(u)
					}
				case t.Role == role:
					for _, pl := range trackPlays(s.Name, w.Number, t, p.RoleByName(role).Rolling) {
						pl.Hosts = p.TrackHosts(t)
						out = append(out, pl)
					}
				}
			}
		}
	}
	return out
}

// trackPlays gives the plays of a track: one in batches or, where the whole role leaves
// traffic at once, one before and one after it.
func trackPlays(stage string, wave int, t planner.Track, ro *planner.Rolling) []Play {
	batches := Play{ID: trackID(t), Role: t.Role, Stage: stage, Wave: wave, Batches: true}
	out, back := batches, batches
	out.Batches, back.Batches = false, false
	for _, u := range t.Parts {
		switch {
		case ro.Drain == "role" && u.Kind == planner.KindDrain:
			out.ID, out.Units = u.ID, append(out.Units, u)
		case ro.Drain == "role" && u.Kind == planner.KindRestore:
			back.ID, back.Units = u.ID, append(back.Units, u)
		default:
			batches.Units = append(batches.Units, u)
		}
	}
	var plays []Play
	for _, p := range []Play{out, batches, back} {
		if len(p.Units) > 0 {
			plays = append(plays, p)
		}
	}
	return plays
}

// trackID is STAGE/WAVE/ROLE: what its parts' ids have without the part.
func trackID(t planner.Track) string {
	id := t.Parts[0].ID
	end := strings.LastIndexByte(id, '/')
	return id[:strings.LastIndexByte(id[:end], '/')] + "/" + t.Role
}

// The stages of the plays before and after the upgrade, which belong to no role.
const (
	Before = "before"
	After  = "after"
)

// DeploymentPlays gives the plays of before.yml and after.yml, each with one unit that
// stands for it.
func DeploymentPlays(p *planner.Plan) (before, after []Play) {
	plays := func(stage string, list []planner.Deployment) []Play {
		var out []Play
		for i := range list {
			id := deploymentID(stage, i)
			out = append(out, Play{ID: id, Stage: stage, Units: []planner.Unit{{ID: id}}})
		}
		return out
	}
	return plays(Before, p.Before), plays(After, p.After)
}

// deploymentID is STAGE/N, N counted from 1.
func deploymentID(stage string, i int) string { return stage + "/" + strconv.Itoa(i+1) }

// RoleBook names the playbook of a role.
func RoleBook(role string) string { return role + ".yml" }

// Answering is a play that asks the hosts of some roles whether they answer.
type Answering struct {
	ID    string // no role's
	Roles []string
}

// Answers gives the first plays of the preflight: one for all roles whose plays have the
// same keywords, as these say how hosts are reached. A role with a pattern that takes
// hosts away is asked by itself: among others it would take theirs away too.
func Answers(p *planner.Plan) []Answering {
	var out []Answering
	at := map[string]int{}
	for _, role := range p.Roles {
		if p.Undo != "" && len(p.WorkedOn(role.Name)) == 0 {
			continue
		}
		var key strings.Builder
		for _, k := range role.Play {
			key.WriteString(k.Text + "\n")
		}
		if strings.ContainsAny(role.Hosts, "!&") {
			key.WriteString("\n" + role.Name)
		}
		i, known := at[key.String()]
		if !known {
			i = len(out)
			at[key.String()] = i
			out = append(out, Answering{ID: Preflight + "/" + strconv.Itoa(i+1)})
		}
		out[i].Roles = append(out[i].Roles, role.Name)
	}
	return out
}
