package planner

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// place gives every service on every role its stage.
func (b *builder) place() {
	for _, s := range b.Settings.Stages {
		b.stageNames = append(b.stageNames, s.Name)
	}
	names := b.serviceNames()
	b.standing = make([][]int, len(b.Services))
	b.stands = make([][]int, len(b.Roles))
	b.roleNumber = make(map[string]int, len(b.Roles))
	for r := range b.Roles {
		role := &b.Roles[r]
		b.roleNumber[role.Name] = r
		own := b.stageIndex(role.Stage, role.StagePos, "role "+strconv.Quote(role.Name))
		for _, st := range b.Settings.Stages {
			if strings.EqualFold(st.Name, role.Name) {
				b.sink.Errorf(role.Pos, "role %q has the name of a stage: their playbooks would be one file", role.Name).WithHint("rename one of the two")
			}
		}
		if len(role.Services) == 0 {
			b.say(role.Name, "the role has no services: nothing is done on it", role.Pos)
		}
		for _, s := range role.Services {
			i, ok := b.index[s.Service]
			if !ok {
				b.unknown(s.Pos, s.Service, names)
				continue
			}
			svc := &b.Services[i]
			b.standing[i] = append(b.standing[i], len(b.placements))
			b.stands[r] = append(b.stands[r], len(b.placements))
			stage := own
			if svc.Stage != "" {
				stage = slices.Index(b.stageNames, svc.Stage)
			}
			unsure := stage < 0 || svc.Read >= services.NameOnly
			if stage < 0 {
				stage = len(b.stageNames) - 1
			}
			b.placements = append(b.placements, placement{svc: svc, of: i, role: r, stage: stage, unsure: unsure, pos: s.Pos, wave: make([]int, len(b.stageNames)+1)})
		}
	}
	for i := range b.Services {
		svc := &b.Services[i]
		b.stageIndex(svc.Stage, svc.StagePos, "service "+strconv.Quote(svc.Name))
		if len(b.standing[i]) == 0 {
			b.ignored = append(b.ignored, note(svc.Name, "placed on no role", svc.Pos))
		}
	}
	b.stageNames = append(b.stageNames, PostUpgrade)
}

// unknown reports a service that nobody defines. Looking for what was meant costs as
// much as there are services, so that after many nobody is served by it.
func (b *builder) unknown(at source.Pos, name string, names []string) {
	const most = 200
	near := ""
	if b.unknowns++; b.unknowns <= most {
		near = source.Nearest(name, names)
	}
	if i, is := b.index[near]; b.guessed && (!is || b.Services[i].Read == services.NameGuessed) {
		return // it may well be the one that could not be read, which is reported
	}
	hint := "no service has this name: define it, or take the name out"
	if near != "" {
		hint = `did you mean "` + near + `"?`
	}
	b.sink.Errorf(at, "unknown service %q", name).WithHint(hint)
}

// stageIndex finds a stage by name; none named means the last of the project's. -1 is one
// that is not known, which is reported.
func (b *builder) stageIndex(name string, at source.Pos, what string) int {
	known := b.stageNames[:len(b.Settings.Stages)]
	if name == "" {
		return len(known) - 1
	}
	i := slices.Index(known, name)
	if i < 0 {
		if b.Settings.Partial {
			return -1
		}
		hint := source.DidYouMean(name, known)
		if hint == "" {
			hint = "the stages are " + strings.Join(known, ", ")
		}
		b.sink.Errorf(at, "%s names unknown stage %q", what, name).WithHint(hint)
		return -1
	}
	return i
}

func (b *builder) serviceNames() []string {
	out := make([]string, len(b.Services))
	for i := range b.Services {
		out[i] = b.Services[i].Name
	}
	return out
}

// say notes something that the plan's reader should know, once.
func (b *builder) say(subject, text string, at source.Pos) {
	if b.said == nil {
		b.said = map[Note]bool{}
	}
	if n := note(subject, text, at); !b.said[n] {
		b.said[n] = true
		b.notes = append(b.notes, n)
	}
}

func note(subject, text string, at source.Pos) Note {
	return Note{Subject: subject, Text: text, Place: placeOf(at)}
}

func placeOf(at source.Pos) Place { return Place{File: at.File, Line: at.Line} }

// check looks at what single services and roles say.
func (b *builder) check() {
	names := b.serviceNames()
	inputs := b.Settings.Values()
	for i := range b.Services {
		svc := &b.Services[i]
		svc.Version.Target = inputs.Expand(svc.Version.Target, svc.Version.Pos, b.sink)
		if _, ok := ParseVersion(svc.Version.Target); !ok && svc.Version.Target != "" {
			b.sink.Warnf(svc.Version.Pos, "target %q of %s is no version: nothing is compared with it", svc.Version.Target, svc.Name).
				WithHint("write the version that is installed in the end, such as 21.2.4")
		}
		for d := range svc.DependsOn {
			dep := &svc.DependsOn[d]
			if _, ok := b.index[dep.Service]; !ok {
				b.unknown(dep.Pos, dep.Service, names)
			}
		}
		b.checkSteps(svc)
		b.checkRollback(svc)
		b.checkBackup(svc)
	}
	b.checkReplaced()
	for p := range b.placements {
		if !b.checkPhases(&b.placements[p]) {
			b.checkPlacement(&b.placements[p])
		}
	}
}

func (b *builder) checkSteps(svc *services.Service) {
	if b.Settings.Steps == nil {
		return
	}
	var declared []string
	for _, s := range b.Settings.Steps {
		declared = append(declared, strconv.Itoa(s.Number))
	}
	for _, list := range tasks.ListNames() {
		if !list.Stepped() {
			continue
		}
		for _, t := range svc.Lists[list] {
			for _, n := range t.Steps {
				if !slices.Contains(declared, strconv.Itoa(n)) && (!t.PostOnly || n != 0) {
					b.sink.Errorf(t.Pos, "step%d is not declared", n).
						WithHint("upgrade.yaml declares the steps " + strings.Join(declared, ", ") + "; a task in any other would never run")
				}
			}
		}
	}
}

// checkPlacement warns of what does not do what its author may think where it stands.
func (b *builder) checkPlacement(p *placement) {
	role := &b.Roles[p.role]
	if role.Rolling == nil {
		for _, list := range []tasks.ListName{tasks.Drain, tasks.Restore} {
			if ts := p.svc.Lists[list]; len(ts) > 0 {
				b.sink.Warnf(ts[0].Pos, "%s of %s do not run on role %s, which is not rolling", list, p.svc.Name, role.Name).
					WithHint("give the role rolling:, or move the tasks")
			}
		}
		if p.svc.Behind != "" {
			b.sink.Warnf(p.svc.BehindPos, "%s is not taken out of traffic on role %s, which is not rolling", p.svc.Name, role.Name).
				WithHint("give the role rolling:")
		}
	}
	if role.Rolling == nil && len(b.standing[p.of]) < 2 {
		return
	}
	for _, list := range tasks.ListNames() {
		for _, t := range p.svc.Lists[list] {
			if t.Once && list.Stepped() {
				per := "once per role"
				if role.Rolling != nil {
					per = "once per batch"
				}
				b.sink.Warnf(t.Pos, "run_once in %s runs %s, not once per upgrade", p.svc.Name, per).
					WithHint("use `when: upstep_bootstrap` to do it on one host of the upgrade")
			}
		}
	}
}

// checkRollback warns of rollback tasks that undo nothing: a rollback runs those of a
// step where the service's own tasks of that step have started.
func (b *builder) checkRollback(svc *services.Service) {
	if svc.Read > services.Whole {
		return
	}
	done := map[int]bool{}
	for _, t := range svc.Lists[tasks.Upgrade] {
		for _, n := range t.Steps {
			done[n] = true
		}
	}
	for _, t := range svc.Lists[tasks.Rollback] {
		switch {
		case t.PostOnly:
			if len(svc.Lists[tasks.PostUpgrade]) == 0 {
				b.sink.Warnf(t.Pos, "a rollback task of %s never runs: it is tagged %s, and the service has no %s", svc.Name, tasks.PostUpgradeTag, tasks.PostUpgrade).
					WithHint("a rollback undoes what has been done: take the tag away, or the task")
			}
		case !slices.ContainsFunc(t.Steps, func(n int) bool { return done[n] }):
			b.sink.Warnf(t.Pos, "a rollback task of %s never runs: the service has no upgrade task in %s", svc.Name, stepWords(t.Steps)).
				WithHint("a rollback undoes the steps that have been done: tag it with one of them")
		}
	}
}

func stepWords(steps []int) string {
	var out []string
	for _, n := range steps {
		out = append(out, "step"+strconv.Itoa(n))
	}
	return strings.Join(out, ", ")
}
