package planner

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// delegates gives where a service's tasks are delegated to: of those that lead to the same
// hosts, the one that does under the fewest conditions. Those that are known while running
// only are told apart: nobody can ask them before.
func (b *builder) delegates(svc *services.Service) []Delegate {
	var out []Delegate
	for _, list := range tasks.ListNames() {
		ts := svc.Lists[list]
		for j := range ts {
			if j > 0 && ts[j-1].Index == ts[j].Index {
				continue // another part of the same block
			}
			for i := range ts[j].Delegates {
				d := &ts[j].Delegates[i]
				if here(d.To) {
					continue
				}
				o := Delegate{Task: b.plainID(list, ts[j].Index), Name: d.Name, Line: d.Pos.Line, To: d.To, When: d.When, Loop: d.Loop, Vars: textOf(d.Vars), NoLog: d.NoLog, NotAsked: b.unasked(svc, d)}
				if slices.ContainsFunc(out, func(p Delegate) bool { return p.covers(&o) }) {
					continue
				}
				out = append(slices.DeleteFunc(out, func(p Delegate) bool { return o.covers(&p) }), o)
			}
		}
	}
	return out
}

// here tells whether a delegation leads to the machine that upstep runs on, or nowhere.
func here(to string) bool {
	switch to {
	case "localhost", "127.0.0.1", "::1", "{{ inventory_hostname }}":
		return true
	}
	return false
}

// covers tells whether a task is delegated to the hosts of another wherever that one is,
// as far as their text says it. Tasks of other lists run at other occasions; of those that
// take an upgrade back, each may be the only one that has something to undo.
func (d *Delegate) covers(o *Delegate) bool {
	list := d.list()
	switch {
	case list != o.list(), list == tasks.Rollback && d.Task != o.Task, d.To != o.To, d.NotAsked != o.NotAsked:
		return false
	case d.NotAsked != "":
		return true
	}
	return d.Vars == o.Vars && (d.Loop == "" || d.Loop == o.Loop) &&
		!slices.ContainsFunc(d.When, func(w string) bool { return !slices.Contains(o.When, w) })
}

// list is the part of an upgrade that the task belongs to.
func (d *Delegate) list() tasks.ListName {
	name, _, _ := strings.Cut(d.Task, ".")
	return tasks.ListName(name)
}

// Linked tells whether the task runs for hosts of services behind its own.
func (d *Delegate) Linked() bool { return d.list() == tasks.Unlink || d.list() == tasks.Establish }

func textOf(vars []tasks.Keyword) string {
	var b strings.Builder
	for _, v := range vars {
		b.WriteString(v.Text)
	}
	return b.String()
}

// unasked says why preflight cannot ask the host of a delegation, or must not; "" if it can.
func (b *builder) unasked(svc *services.Service, d *tasks.Delegation) string {
	if d.Apart != "" {
		return d.Apart
	}
	for _, k := range svc.Play {
		switch k.Name {
		case "connection", "port", "remote_user":
			return "the service says " + k.Name + " of its own"
		case "ignore_unreachable":
			return "the service says ignore_unreachable"
		}
	}
	set := b.setWhileRunning()
	seen := map[string]bool{}
	for todo := slices.Clone(d.Uses); len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		switch {
		case seen[name]:
			continue
		case set[name]:
			return source.Visible(name) + " is set while the upgrade runs"
		}
		seen[name] = true
		if slices.Contains(svc.Vars.Names, name) {
			todo = append(todo, svc.Vars.Uses[name]...)
		} else {
			todo = append(todo, b.Settings.Vars.Uses[name]...)
		}
	}
	return ""
}

// setWhileRunning gives the names of what is not known, or not yet the same, before the
// first task of the upgrade.
func (b *builder) setWhileRunning() map[string]bool {
	if b.setLater != nil {
		return b.setLater
	}
	b.setLater = map[string]bool{}
	for _, name := range []string{
		"ansible_check_mode", "ansible_failed_result", "ansible_failed_task", "ansible_loop", "ansible_play_batch", "ansible_play_hosts", "ansible_play_hosts_all",
		"play_hosts", "step", "upstep_carrier", "upstep_rollback", "upstep_stage",
	} {
		b.setLater[name] = true
	}
	for i := range b.Services {
		for _, name := range b.Services[i].Registered() {
			b.setLater[name] = true
		}
	}
	for _, d := range b.Settings.Before {
		for _, t := range d.Tasks {
			for _, name := range slices.Concat(t.Registers, t.SetsFacts) {
				b.setLater[name] = true
			}
		}
	}
	return b.setLater
}
