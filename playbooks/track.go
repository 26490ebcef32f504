package playbooks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/source"
)

// expected is the Jinja expression of the hosts that a rolling play should still have:
// those beyond a canary's share have left it untouched.
func expected(ro *planner.Rolling) string {
	if ro.Percentage >= 100 {
		return "ansible_play_hosts_all"
	}
	return "(ansible_play_hosts_all if upstep_whole | default(false) | bool else ansible_play_hosts_all[:" + canaryCount(ro) + "])"
}

// track writes a rolling role's way through a wave: one play in batches, or with
// drain: role one before it and one after it for all hosts.
func (r *renderer) track(w *writer, stage string, wave planner.Wave, t planner.Track) {
	role := r.role[t.Role]
	ro := role.Rolling
	if strings.HasPrefix(stage, backwards) {
		all := *ro
		all.Percentage = 100 // what was upgraded goes back, whatever share it is
		ro = &all
	}
	plays := trackPlays(stage, wave.Number, t, ro)
	i := slices.IndexFunc(plays, func(p Play) bool { return p.Batches })
	var steps, before, after []planner.Unit
	for _, u := range plays[i].Units {
		switch u.Kind {
		case planner.KindStep:
			steps = append(steps, u)
		case planner.KindDrain:
			before = append(before, u)
		default:
			after = append(after, u)
		}
	}
	file := r.stepsFile(stage, wave.Number, t, steps)
	base := play{
		hosts: only(role.Hosts, r.trackHosts(t)), at: role.Place, own: role.Play, tags: tags(stage, wave.Number, steps[0])[:2], services: servicesOf(t.Parts...),
		vars: append([]string{"step: 0", "upstep_role: " + t.Role}, stageVars(stage)...),
	}
	stopping := r.stopping(t, ro)
	whole := func(part string, of Play) play {
		p := base
		p.id = of.ID
		p.name = title(stage, wave.Number, part) + ": " + t.Role
		return p
	}
	for _, of := range plays[:i] {
		p := whole("out of traffic", of)
		// A host that cannot leave traffic keeps the others from leaving it.
		p.failure = allFail()
		p.body = func(w *writer) {
			r.canary(w, ro)
			r.decisions(w, of.Units)
			r.parts(w, of.Units)
			stopping.gate(w, gateAll)
		}
		r.emit(w, p)
	}
	// No failure policy on this play and the last: the other hosts go on to their health
	// gate and back into traffic; only then does the gate stop the role.
	p := whole("in batches", plays[i])
	p.failure = []string{"serial: " + serial(ro.Batch, base.hosts)}
	p.body = func(w *writer) {
		r.canary(w, ro)
		r.decisions(w, before)
		upgrade := func(w *writer, last func(*writer)) { r.tries(w, file, t.Role, ro, 1, 4, last) }
		if ro.Tries == 1 {
			stopping.tell(w, "One batch of "+t.Role, func(w *writer) {
				r.parts(w, before)
				upgrade(w, nil)
				r.parts(w, after)
			})
		} else {
			// Ansible takes a handler that fails to the rescue of the outermost block: the tries
			// stand in none.
			stopping.tell(w, "Before the steps", func(w *writer) { r.parts(w, before) })
			upgrade(w, stopping.always)
			stopping.tell(w, "After the steps", func(w *writer) { r.parts(w, after) })
		}
		stopping.gate(w, gateBatch)
		if ro.Pause.Seconds() > 0 {
			w.linef("")
			r.wait(w, "Pause before the next batch", ro.Pause.Seconds(), "ansible_play_batch[-1] != ansible_play_hosts_all[-1]", 4)
		}
	}
	r.emit(w, p)
	for _, of := range plays[i+1:] {
		p := whole("back into traffic", of)
		back := stopping
		back.all = false
		p.body = func(w *writer) {
			r.canary(w, ro)
			back.tell(w, "All of "+t.Role, func(w *writer) { r.parts(w, of.Units) })
			back.gate(w, gateBack)
		}
		r.emit(w, p)
	}
	if ro.Percentage < 100 {
		r.canaryEnd(w, base, stage, wave.Number, t.Role, ro)
	}
}

// trackHosts gives the hosts of a track that not all of its role take part in.
func (r *renderer) trackHosts(t planner.Track) []string {
	if r.plan.Undo == "" {
		return nil
	}
	return r.plan.TrackHosts(t)
}

// parts takes in units, each with the handlers that it notifies: one that fails is seen
// by the gate, and does not run only when the play has ended.
func (r *renderer) parts(w *writer, units []planner.Unit) {
	for _, u := range units {
		w.gap()
		r.unitTasks(w, u)
		w.linef("")
		flush(w, 4)
	}
}

// flush runs the handlers that were notified so far.
func flush(w *writer, indent int) {
	pad := strings.Repeat(" ", indent)
	w.linef("%s- name: Run the handlers that were notified", pad)
	w.linef("%s  ansible.builtin.meta: flush_handlers", pad)
	w.linef("")
}

// stopping is what is said where a rolling role stops.
type stopping struct {
	role     string
	expected string // the hosts that the play should still have, in Jinja
	traffic  bool   // hosts leave traffic, or come back into it
	all      bool   // all of them do, before the first batch
}

func (r *renderer) stopping(t planner.Track, ro *planner.Rolling) stopping {
	s := stopping{role: t.Role, expected: expected(ro)}
	for _, u := range t.Parts {
		s.traffic = s.traffic || u.Kind == planner.KindDrain || u.Kind == planner.KindRestore
		s.all = s.all || u.Kind == planner.KindDrain && ro.Drain == "role"
	}
	return s
}

// The gates at the end of a rolling role's plays.
const (
	gateAll   = "No host was lost"
	gateBatch = "No host of the batch was lost"
	gateBack  = "Every host is back in traffic"
)

// IsGate tells by its name whether a task is the gate at the end of a play. A host that
// fails in it alone has gone through the play: another was lost.
func IsGate(task string) bool { return task == gateAll || task == gateBatch || task == gateBack }

// gate stops the role where a host was lost, and names the hosts that are out of traffic.
func (s stopping) gate(w *writer, name string) {
	lost := lostOf(s.expected)
	msg := "failed: {{ " + lost + " | join(', ') }}"
	switch {
	case s.all:
		msg += "; out of traffic: {{ " + s.expected + " | join(', ') }}"
	case s.traffic:
		msg = "failed and out of traffic: {{ " + lost + " | join(', ') }}"
	}
	w.gap()
	w.own(4, name)
	w.linef("      any_errors_fatal: true")
	lostAssert(w, 6, lost, msg)
}

// tell writes tasks in a block, at whose end each host that failed in them says so: where
// no host is left, Ansible ends without coming to the gate.
func (s stopping) tell(w *writer, name string, body func(*writer)) {
	if !s.traffic {
		body(w)
		return
	}
	in := &writer{guards: w.guards}
	body(in)
	text := strings.Trim(in.String(), "\n")
	if text == "" {
		return
	}
	w.gap()
	w.linef("    - name: %s", source.Quote(name))
	w.linef("      block:")
	w.text(text+"\n", 4)
	s.always(w)
}

// always is the end of such a block.
func (s stopping) always(w *writer) {
	if !s.traffic {
		return
	}
	w.linef("")
	w.linef("      always:")
	w.own(8, "Who failed is out of traffic")
	w.linef("          when: inventory_hostname not in ansible_play_hosts")
	w.linef("          ansible.builtin.debug:")
	if s.all {
		w.linef("            msg: \"{{ inventory_hostname }} failed; out of traffic: {{ %s | join(', ') }}\"", s.expected)
	} else {
		w.linef("            msg: \"{{ inventory_hostname }} failed and is out of traffic\"")
	}
	w.linef("")
}

// serial gives the sizes of batches. Ansible itself rounds percentages down, and so the
// hosts are counted.
func serial(batch []string, hosts string) string {
	out := make([]string, len(batch))
	for i, b := range batch {
		out[i] = b
		if share, is := strings.CutSuffix(b, "%"); is {
			out[i] = source.Quote("{{ " + shareOf("("+hostsOf(hosts)+")", share) + " }}")
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// shareOf is the Jinja expression of how many of some hosts a percentage is, rounded up.
func shareOf(hosts, percent string) string {
	return "((" + hosts + " | length * " + percent + " + 99) // 100)"
}

// stepsFile writes the task file that takes a batch through all steps of the wave.
func (r *renderer) stepsFile(stage string, wave int, t planner.Track, steps []planner.Unit) string {
	path := fmt.Sprintf("%s/%d/%s.yml", strings.TrimPrefix(stage, backwards), wave, t.Role)
	if strings.HasPrefix(stage, backwards) {
		path = "rollback/" + path
	}
	if r.packed[path] {
		return path
	}
	r.packed[path] = true
	w := &writer{}
	w.madeFor(r.role[t.Role].Place)
	w.linef("---")
	w.comment("All steps of one batch of " + t.Role + ".")
	for _, u := range steps {
		w.linef("- name: %s", source.Quote(capital(partName(u))+" of "+u.Role+suffix(u.ID)+r.stepName(u)))
		w.linef("  ansible.builtin.import_tasks: %s.yml", u.ID[strings.LastIndex(u.ID, "/step")+1:])
		onHosts(w, u, 2)
		w.linef("  vars:")
		w.linef("    step: %d", u.Step)
		w.linef("")
		flush(w, 0)
	}
	r.write(path, trimmed(w))
	return path
}

// trimmed takes off blank lines at the end.
func trimmed(w *writer) *writer {
	out := &writer{origins: w.origins}
	out.text(strings.TrimRight(w.String(), "\n")+"\n", 0)
	return out
}

// tries writes the batch's steps and, for hosts that failed, the steps again. The first
// try's block ends with what last writes.
func (r *renderer) tries(w *writer, file, role string, ro *planner.Rolling, try, indent int, last func(*writer)) {
	pad := strings.Repeat(" ", indent)
	take := func(indent int) {
		pad := strings.Repeat(" ", indent)
		w.linef("%s- name: %s", pad, source.Quote("Upgrade "+role))
		w.linef("%s  ansible.builtin.import_tasks: %s", pad, file)
	}
	if try == ro.Tries {
		take(indent)
		return
	}
	w.linef("%s- name: %s", pad, source.Quote(fmt.Sprintf("Try %d of %d", try, ro.Tries)))
	w.linef("%s  block:", pad)
	take(indent + 4)
	w.linef("%s  rescue:", pad)
	r.wait(w, "Wait before the next try", ro.RetryDelay.Seconds(), "", indent+4)
	r.tries(w, file, role, ro, try+1, indent+4, nil)
	if last != nil {
		last(w)
	}
}

// canary leaves out the hosts beyond the share that one run takes.
func (r *renderer) canary(w *writer, ro *planner.Rolling) {
	if ro.Percentage >= 100 {
		return
	}
	w.linef("    - name: %s", source.Quote(fmt.Sprintf("Leave hosts beyond the first %d%% as they are", ro.Percentage)))
	w.linef("      ansible.builtin.meta: end_host")
	w.linef("      when:")
	w.linef("        - not (upstep_whole | default(false) | bool)")
	w.linef("        - ansible_play_hosts_all.index(inventory_hostname) >= %s", canaryCount(ro))
	w.linef("")
}

// canaryCount is the Jinja expression of how many hosts the share is, rounded up.
func canaryCount(ro *planner.Rolling) string {
	return shareOf("ansible_play_hosts_all", strconv.Itoa(ro.Percentage))
}

// canaryEnd stops what comes after the role until all of its hosts are done.
func (r *renderer) canaryEnd(w *writer, base play, stage string, wave int, role string, ro *planner.Rolling) {
	p := base
	p.name = title(stage, wave, "all hosts") + ": " + role
	p.failure = allStop()
	p.services = nil
	p.body = func(w *writer) {
		w.own(4, "All hosts of "+role+" are done")
		w.linef("      ansible.builtin.assert:")
		w.linef("        that: upstep_whole | default(false) | bool or ansible_play_hosts_all | length <= %s", canaryCount(ro))
		w.linef("        fail_msg: %s", source.Quote(fmt.Sprintf("%d%% of %s are done: go on with all of them by -e upstep_whole=true", ro.Percentage, role)))
		w.linef("        quiet: true")
	}
	r.emit(w, p)
}
