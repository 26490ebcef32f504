package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/roles"
)

// HostChange is how the hosts of a role differ from those that were planned.
type HostChange struct {
	Role          string
	Added, Absent []string
}

// String is how an operator reads it.
func (c HostChange) String() string {
	var parts []string
	if len(c.Added) > 0 {
		parts = append(parts, "has "+strings.Join(c.Added, ", ")+" more")
	}
	if len(c.Absent) > 0 {
		parts = append(parts, "lacks "+strings.Join(c.Absent, ", "))
	}
	return "role " + c.Role + " " + strings.Join(parts, " and ")
}

// Bind gives the plan its hosts. A plan that has them keeps them: the result tells where
// the inventory says otherwise. The error is for what an inventory cannot give a plan
// that was made without one: then it must be planned again.
func (p *Plan) Bind(inv *roles.Inventory) ([]HostChange, error) {
	var out []HostChange
	on := map[string]string{} // role of each host
	for i := range p.Roles {
		role := &p.Roles[i]
		hosts, err := inv.Match(role.Hosts)
		if err != nil {
			return nil, fmt.Errorf("role %s: %w", role.Name, err)
		}
		if p.HostsKnown {
			if c := compareHosts(role, hosts); len(c.Added)+len(c.Absent) > 0 {
				out = append(out, c)
			}
			continue
		}
		if len(hosts) == 0 && !role.Optional {
			return nil, fmt.Errorf("role %s has no hosts: %q matches none of the inventory's %d", role.Name, role.Hosts, len(inv.Hosts()))
		}
		for _, h := range hosts {
			if other := on[h]; other != "" {
				return nil, fmt.Errorf("roles %s and %s share host %s, which the plan could not know: plan again with the inventory", other, role.Name, h)
			}
			on[h] = role.Name
		}
		role.Members = hosts
		if role.Rolling != nil {
			role.Rolling.Batches = batches(hosts, sizesOf(role.Rolling.Batch))
		}
	}
	p.HostsKnown = true
	return out, nil
}

func compareHosts(role *Role, hosts []string) HostChange {
	without := func(all, some []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(h string) bool { return slices.Contains(some, h) })
	}
	return HostChange{Role: role.Name, Added: without(hosts, role.Members), Absent: without(role.Members, hosts)}
}

func sizesOf(text []string) []roles.Size {
	var out []roles.Size
	for _, t := range text {
		if s, ok := roles.ParseSize(t); ok {
			out = append(out, s)
		}
	}
	return out
}
