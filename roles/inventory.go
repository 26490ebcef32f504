package roles

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Inventory is what `ansible-inventory --list` says of hosts and groups. nil stands
// for a plan that is made without one.
type Inventory struct {
	groups map[string]group
	order  []string // all hosts, in the inventory's order
	hosts  map[string]bool
	vars   map[string]json.RawMessage
}

type group struct {
	Hosts    []string `json:"hosts"`
	Children []string `json:"children"`
}

// ParseInventory reads the output of `ansible-inventory --list`.
func ParseInventory(data []byte) (*Inventory, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("read the output of ansible-inventory: %w", err)
	}
	inv := &Inventory{groups: map[string]group{}, hosts: map[string]bool{}}
	for name, text := range raw {
		if name == "_meta" {
			var meta struct {
				HostVars map[string]json.RawMessage `json:"hostvars"`
			}
			if err := json.Unmarshal(text, &meta); err != nil {
				return nil, fmt.Errorf("read the output of ansible-inventory: _meta: %w", err)
			}
			inv.vars = meta.HostVars
			continue
		}
		var g group
		if err := json.Unmarshal(text, &g); err != nil {
			return nil, fmt.Errorf("read the output of ansible-inventory: group %s: %w", name, err)
		}
		inv.groups[name] = g
		for _, h := range g.Hosts {
			inv.hosts[h] = true
		}
	}
	inv.order = inv.groupHosts("all")
	return inv, nil
}

// Hosts gives every host, in the inventory's order.
func (inv *Inventory) Hosts() []string { return slices.Clone(inv.order) }

// groupHosts gives the hosts of a group and of the groups below it, nearest first.
func (inv *Inventory) groupHosts(name string) []string {
	var hosts, groups ordered
	groups.add(name)
	for i := 0; i < len(groups.list); i++ {
		g := inv.groups[groups.list[i]]
		hosts.add(g.Hosts...)
		groups.add(g.Children...)
	}
	return hosts.list
}
