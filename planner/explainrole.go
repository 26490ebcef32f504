package planner

// RoleExplanation tells what stands on a role, and what is done on its hosts in which order.
type RoleExplanation struct {
	Role      string        `json:"role"`
	Place                   // where it is defined
	Hosts     string        `json:"hosts"` // inventory pattern
	Members   []string      `json:"members,omitempty"`
	Rolling   *Rolling      `json:"rolling,omitempty"`
	Replace   *Replace      `json:"replace,omitempty"`
	Replaces  string        `json:"replaces,omitempty"`
	Room      []Disk        `json:"room,omitempty"` // free space that its services need, by path
	Services  []RoleService `json:"services"`       // in the role's order
	Preflight []RoleUnit    `json:"preflight,omitempty"`
	Units     []RoleUnit    `json:"units,omitempty"`
	Rollback  []RoleUnit    `json:"rollback,omitempty"`
}

// RoleService is a service as it stands on the role.
type RoleService struct {
	Service string `json:"service"`
	Placement
}

// RoleUnit is a unit of the role, and what it waits for.
type RoleUnit struct {
	Waiting
	Segments []Segment `json:"segments"`
}

// ExplainRole tells of a role, in a plan that has it.
func (p *Plan) ExplainRole(name string) (*RoleExplanation, error) {
	role := p.RoleByName(name)
	if role == nil {
		return nil, p.unknown(name)
	}
	x := &RoleExplanation{Role: name, Place: role.Place, Hosts: role.Hosts, Members: role.Members, Rolling: role.Rolling, Replace: role.Replace, Replaces: role.Replaces, Room: p.Room(name)}
	for _, s := range role.Services {
		for _, pl := range p.ServiceByName(s).Placements {
			if pl.Role == name {
				x.Services = append(x.Services, RoleService{s, pl})
			}
		}
	}
	w, err := p.waiter()
	if err != nil {
		return nil, err
	}
	x.Preflight, x.Units, x.Rollback, err = throughout(p, func(units []Unit) ([]RoleUnit, error) { return w.ofRole(name, units) })
	return x, err
}

// ofRole gives those of the units that are the role's.
func (w *waiter) ofRole(role string, units []Unit) ([]RoleUnit, error) {
	var own []Unit
	var out []RoleUnit
	for _, u := range units {
		if u.Role == role {
			own = append(own, u)
		}
	}
	waitings, err := w.of(own)
	for i := range waitings {
		waitings[i].LeftOut = own[i].LeftOut
		out = append(out, RoleUnit{waitings[i], own[i].Segments})
	}
	return out, err
}

// RoleNames gives the roles of the plan, for those who mistype one.
func (p *Plan) RoleNames() []string {
	return names(p.Roles, func(r *Role) string { return r.Name })
}
