package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// members resolves the hosts of every role.
func (b *builder) members() {
	b.hosts = make([][]string, len(b.Roles))
	b.shared = make([][]bool, len(b.Roles))
	for r := range b.Roles {
		b.shared[r] = make([]bool, len(b.Roles))
	}
	if b.Inventory == nil {
		return
	}
	on := map[string][]int{} // roles of each host
	for r := range b.Roles {
		role := &b.Roles[r]
		if role.Hosts == "" {
			continue // its input has no value, which is reported where it is declared
		}
		hosts, err := b.Inventory.Match(role.Hosts)
		if err != nil {
			b.sink.Errorf(role.HostsPos, "%v", err).
				WithHint("write groups and hosts with commas between; & keeps what both have, ! leaves out, ~ begins a regular expression")
			continue
		}
		if !role.Optional {
			b.unmatched(role, len(hosts) == 0)
		}
		b.hosts[r] = hosts
		b.budget(role, len(hosts))
		var stays []string // hosts that would take over from themselves
		for _, h := range hosts {
			for _, q := range on[h] {
				if b.leader[r] == q {
					stays = append(stays, h)
				} else if !b.shared[r][q] {
					b.shared[r][q], b.shared[q][r] = true, true
					b.say(role.Name, fmt.Sprintf("shares hosts with %s (%s): %s", b.Roles[q].Name, h, b.turns(q, r)), role.Pos)
				}
			}
			on[h] = append(on[h], r)
		}
		b.refuseStaying(r, stays)
	}
}

// budget reports a number of failures that a role's hosts cannot have and go on.
func (b *builder) budget(role *roles.Role, hosts int) {
	if role.Rolling == nil || hosts == 0 {
		return
	}
	budget := role.Rolling.MaxFailures
	most := budget.AtMost(hosts)
	switch share := roles.Canary(hosts, role.Rolling.Percentage); {
	case most >= hosts:
		b.sink.Errorf(role.Rolling.MaxPos, "max_failures of %s never stops role %s: it has %d hosts", budget, role.Name, hosts).
			WithHint("write fewer than its hosts, or a percentage such as \"10%\"")
	case most >= share:
		b.sink.Warnf(role.Rolling.MaxPos, "max_failures of %s lets the whole canary of role %s fail, as it has only %d", budget, role.Name, share).
			WithHint("write fewer, or a larger percentage")
	case budget.Percent && budget.N > 0 && most == 0:
		b.sink.Warnf(role.Rolling.MaxPos, "max_failures of %s of %d hosts is none: the first failure stops role %s", budget, hosts, role.Name).
			WithHint("write a number of hosts, or a larger percentage")
	}
}

// unmatched reports a role without hosts, or else what of its pattern names nothing: a
// name spelt wrong leaves hosts out, or takes in hosts that were to be left out.
func (b *builder) unmatched(role *roles.Role, none bool) {
	const mend = "mend the pattern or the inventory, or say optional: true"
	parts := b.Inventory.Unmatched(role.Hosts)
	meant := func(part string) string {
		return source.DidYouMean(strings.TrimLeft(part, "&!"), b.Inventory.Names())
	}
	if none {
		hint := mend
		if len(parts) == 1 && meant(parts[0]) != "" {
			hint = meant(parts[0])
		}
		b.sink.Errorf(role.HostsPos, "role %q has no hosts: %q matches none of the inventory's %d", role.Name, role.Hosts, len(b.Inventory.Hosts())).WithHint(hint)
		return
	}
	for _, part := range parts {
		hint := mend
		if near := meant(part); near != "" {
			hint = near
		}
		b.sink.Warnf(role.HostsPos, "hosts of role %q: %q names no group and no host of the inventory", role.Name, part).WithHint(hint)
	}
}

// turns says how two roles that share hosts follow each other.
func (b *builder) turns(q, r int) string {
	tracked := func(x int) bool { return b.rolling(x) || b.replaced(b.leader[x]) }
	switch {
	case tracked(q) != tracked(r) && !b.rolling(q) && !b.rolling(r):
		if tracked(q) {
			q, r = r, q
		}
		return fmt.Sprintf("%s, which has a part in a replacement, comes after the steps of %s in each wave", b.Roles[r].Name, b.Roles[q].Name)
	case tracked(q) == tracked(r):
		return "their units follow each other in the order of the roles"
	case b.rolling(r):
		q, r = r, q
	}
	return fmt.Sprintf("the batches of %s, which is rolling, come after the steps of %s in each wave", b.Roles[q].Name, b.Roles[r].Name)
}

// behind looks at the services whose traffic others carry.
func (b *builder) behind() {
	names := b.serviceNames()
	for i := range b.Services {
		svc := &b.Services[i]
		if svc.Behind == "" {
			continue
		}
		c, known := b.index[svc.Behind]
		switch {
		case !known:
			b.unknown(svc.BehindPos, svc.Behind, names)
		case c == i:
			b.sink.Errorf(svc.BehindPos, "%s is behind itself", svc.Name).WithHint("behind: names the service that carries its traffic, such as a load balancer")
		default:
			b.checkCarrier(svc, i, c)
		}
	}
}

func (b *builder) checkCarrier(svc *services.Service, i, c int) {
	carrier := &b.Services[c]
	if carrier.Read > services.Whole {
		return
	}
	if len(carrier.Lists[tasks.Unlink]) == 0 || len(carrier.Lists[tasks.Establish]) == 0 {
		b.sink.Errorf(svc.BehindPos, "%s carries no traffic for others: it has no unlink_tasks and establish_tasks", carrier.Name).
			WithHint("give it both in " + carrier.Pos.File)
	}
	some := func(placements []int) bool {
		return slices.ContainsFunc(placements, func(p int) bool { return len(b.hosts[b.placements[p].role]) > 0 })
	}
	switch {
	case len(b.standing[c]) == 0 && b.PartialRoles:
	case len(b.standing[c]) == 0:
		b.sink.Errorf(svc.BehindPos, "%s is behind %s, which is placed on no role", svc.Name, carrier.Name).
			WithHint("place " + carrier.Name + " on the role of the hosts that carry the traffic")
	case some(b.standing[i]) && !some(b.standing[c]) && !slices.ContainsFunc(b.standing[c], func(p int) bool { return !b.Roles[b.placements[p].role].Optional }):
		// Without a host to delegate to, nobody would be taken out of traffic. A role that
		// is not optional is reported itself.
		b.sink.Errorf(svc.BehindPos, "%s is behind %s, whose roles have no hosts", svc.Name, carrier.Name).
			WithHint("mend the hosts of " + b.Roles[b.placements[b.standing[c][0]].role].Name + ", or the inventory")
	}
	for _, list := range []tasks.ListName{tasks.Drain, tasks.Restore} {
		if ts := svc.Lists[list]; len(ts) > 0 {
			b.sink.Warnf(ts[0].Pos, "%s of %s do not run: it is behind %s, which takes its hosts out of traffic and puts them back", list, svc.Name, carrier.Name).
				WithHint("move them to its upgrade_tasks, or take behind: away")
		}
	}
}
