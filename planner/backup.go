package planner

import (
	"slices"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/tasks"
)

// firstMigration gives the place, among a node's items, of the first that changes a schema;
// where none is known to, of the first task of all: a backup comes before it.
func (b *builder) firstMigration(f *frame, n int, items []item) int {
	ts := b.serviceOf(f.ph, n).Lists[f.list]
	return max(0, slices.IndexFunc(items, func(it item) bool { return ts[it.task].Migration }))
}

// backups gives the items of a node's backup tasks, in the step of its first migration.
// Nothing is backed up on the way back, nor for what comes after every stage.
func (b *builder) backups(f *frame, n int, items []item) []item {
	if f.list != tasks.Upgrade || len(items) == 0 {
		return nil
	}
	step := items[b.firstMigration(f, n, items)].step
	out := make([]item, len(b.serviceOf(f.ph, n).Lists[tasks.Backup]))
	for j := range out {
		out[j] = item{step: step, task: j, backup: true}
	}
	return out
}

// alone tells whether a task stands in a unit without others of its service: one that runs
// once, and the backup.
func (it item) alone(ts []tasks.Task) bool { return it.backup || ts[it.task].Once }

// in gives the list that an item is of, in a frame of another.
func (it item) in(list tasks.ListName) tasks.ListName {
	if it.backup {
		return tasks.Backup
	}
	return list
}

// checkBackup refuses backup tasks whose failure would be passed over, and warns of those
// that have nothing to come before.
func (b *builder) checkBackup(svc *services.Service) {
	list := svc.Lists[tasks.Backup]
	if len(list) == 0 {
		return
	}
	for _, t := range list {
		if t.Ignores != "" {
			b.sink.Errorf(t.Pos, "a backup task of %s may fail unseen: it says %s", svc.Name, t.Ignores).
				WithHint("a backup must pass before anything is migrated: take " + t.Ignores + " away, or say when it has failed by failed_when:")
		}
	}
	if len(svc.Lists[tasks.Upgrade]) == 0 && svc.Read <= services.Whole {
		b.sink.Warnf(list[0].Pos, "backup_tasks of %s never run: it has no upgrade_tasks", svc.Name).
			WithHint("they run before the first task that migrates: one with run_once, or tagged migration")
	}
}

// Migration is a task that changes a schema, where it stands in the plan.
type Migration struct {
	Unit    string `json:"unit"`
	Service string `json:"service"`
	Name    string `json:"name"`
	Once    bool   `json:"once,omitempty"`   // has run_once
	Backup  string `json:"backup,omitempty"` // the unit with its service's backup, where it comes before
	Place
}

// Migrations gives the tasks that change a schema, in the plan's order.
func (p *Plan) Migrations() []Migration {
	var out []Migration
	backup := map[[2]string]string{} // by role and service
	for _, s := range p.Stages {
		s.Units(func(_ Wave, u Unit) {
			for _, seg := range u.Segments {
				if u.Kind != KindStep {
					continue
				}
				if u.Backup {
					backup[[2]string{u.Role, seg.Service}] = u.ID
					continue
				}
				for _, id := range seg.Tasks {
					if t := p.look().tasks[seg.Service][id]; t.Migration {
						out = append(out, Migration{u.ID, seg.Service, t.Name, t.Once, backup[[2]string{u.Role, seg.Service}], Place{p.ServiceByName(seg.Service).File, t.Line}})
					}
				}
			}
		})
	}
	return out
}
