package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
)

// lookup is what a plan is asked for again and again.
type lookup struct {
	services map[string]*Service
	tasks    map[string]map[string]*Task // by service and id
	digests  map[string]string           // of units
}

func (p *Plan) look() *lookup {
	if p.lookup != nil {
		return p.lookup
	}
	l := &lookup{services: map[string]*Service{}, tasks: map[string]map[string]*Task{}, digests: map[string]string{}}
	for i := range p.Services {
		s := &p.Services[i]
		l.services[s.Name] = s
		l.tasks[s.Name] = make(map[string]*Task, len(s.Tasks))
		for j := range s.Tasks {
			l.tasks[s.Name][s.Tasks[j].ID] = &s.Tasks[j]
		}
	}
	p.lookup = l
	for _, u := range p.Preflight {
		l.digests[u.ID] = p.digest(u)
	}
	for _, stages := range [][]Stage{p.Stages, p.Rollback} {
		for _, s := range stages {
			s.Units(func(_ Wave, u Unit) { l.digests[u.ID] = p.digest(u) })
		}
	}
	return l
}

// Digest gives the SHA-256, in hex, of what a unit does: the text of its tasks and what
// they run with. Two plans whose units have the same digest do the same there, wherever
// the text stands in its file. It is empty for an unknown unit.
func (p *Plan) Digest(unit string) string { return p.look().digests[unit] }

func (p *Plan) digest(u Unit) string {
	h := sha256.New()
	if role := p.RoleByName(u.Role); role != nil {
		add(h, role.Play)
	}
	add(h, u.Kind, u.Step)
	for _, s := range u.Segments {
		svc := p.lookup.services[s.Service]
		add(h, s.Service, svc.Vars, svc.Play)
		if svc.Probe != "" && u.Kind == KindStep {
			add(h, svc.Probe, svc.Target, p.AllowDowngrade) // they decide which hosts are left alone
		}
		for _, id := range s.Tasks {
			add(h, p.lookup.tasks[s.Service][id].Text)
		}
		for _, a := range svc.Assets {
			add(h, a.Path, a.SHA256)
		}
		for _, a := range svc.Artefacts {
			add(h, a.File, a.SHA256)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// add hashes values with what separates them.
func add(h hash.Hash, values ...any) {
	e := json.NewEncoder(h)
	for _, v := range values {
		_ = e.Encode(v) // plain values, into a hash
	}
}
