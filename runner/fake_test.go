package runner_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/roles"
	"github.com/upstep/upstep/runner"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// project plans one of testdata's projects, or one written by a test, on hosts of groups.
func project(t testing.TB, dir, inventory string) *planner.Plan {
	t.Helper()
	sink := &source.Sink{}
	w := planner.World{Settings: settings.Load(os.DirFS(dir), "upgrade.yaml", "", nil, sink)}
	w.Services = services.Load(os.DirFS(filepath.Join(dir, "services")), "services", sink)
	w.Roles, _ = roles.Load(os.DirFS(dir), "roles.yaml", "", w.Settings.Values(), sink)
	var err error
	w.Inventory, err = roles.ParseInventory([]byte(inventory))
	require.NoError(t, err)
	plan, problems := planner.Build(w)
	for _, p := range slices.Concat(sink.Problems(), problems) {
		require.NotEqual(t, source.Error, p.Severity, p)
	}
	return plan
}

// site is the hosts of a plan and the processes that work on them: what Ansible does, as
// far as the runner sees it.
type site struct {
	plan *planner.Plan
	fail func(unit, host string) bool // nil: nothing does
	slow string                       // a unit that takes its time
	hung string                       // a unit whose tasks end with their process, or when
	free chan struct{}                // it is let go
	// broken playbooks end before their first gate.
	broken   string
	silent   []string // hosts that don't answer to what comes before the first play
	waitFail bool     // the task that waits before a second try fails
	managers []string // hosts of the plays before and after

	mu    sync.Mutex
	procs map[string]*proc
	log   []string       // "start UNIT HOST" and "end UNIT HOST", as it happened
	ran   map[string]int // how often a host came to the end of a unit
	dead  bool           // upstep was killed: nobody answers
	crash bool           // and what it had started too
	lost  bool           // the machine is: nothing of its processes is left
	alive int
	most  int // processes at a time
}

func newSite(plan *planner.Plan) *site {
	return &site{plan: plan, procs: map[string]*proc{}, ran: map[string]int{}, managers: []string{"manager"}, free: make(chan struct{})}
}

var _ runner.Executor = (*site)(nil)

func (s *site) Start(_ context.Context, job runner.Job) (runner.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &proc{site: s, book: job.Book, answers: make(chan event.Answer, 1), gone: make(chan struct{})}
	p.more = sync.NewCond(&p.mu)
	if s.procs[job.Folder] != nil {
		return nil, fmt.Errorf("folder %s has served a process", job.Folder)
	}
	s.procs[job.Folder] = p
	s.alive++
	s.most = max(s.most, s.alive)
	go p.run()
	return &follower{proc: p}, nil
}

func (s *site) Adopt(folder string, offset int64) (runner.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[folder]
	if p == nil || s.lost {
		return nil, fmt.Errorf("no process has used %s", folder)
	}
	return &follower{proc: p, at: int(offset)}, nil
}

// kill ends upstep, as far as its processes see it.
func (s *site) kill(children bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead, s.crash = true, children
	for _, p := range s.procs {
		p.hangUp()
	}
}

func (s *site) revive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead, s.crash = false, false
}

func (s *site) freed() bool {
	select {
	case <-s.free:
		return true
	default:
		return false
	}
}

func (s *site) note(what, unit, host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what+" "+unit+" "+host)
	if what == "end" {
		s.ran[unit+" "+host]++
	}
}

func (s *site) crashed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crash
}

// proc is a playbook that runs.
type proc struct {
	site    *site
	book    string
	answers chan event.Answer
	gone    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	more   *sync.Cond
	events []event.Event
	over   bool
	told   bool
	ended  bool // by force
	lost   map[string]bool
}

func (p *proc) hangUp() { p.once.Do(func() { close(p.gone) }) }

func (p *proc) emit(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Time = time.Unix(1, 0)
	p.events = append(p.events, e)
	p.told = p.told || e.Kind == event.End
	p.more.Broadcast()
}

// gate waits for leave.
func (p *proc) gate(id string, hosts []string) event.Answer {
	p.emit(event.Event{Kind: event.Gate, Unit: id, Hosts: hosts})
	select {
	case a := <-p.answers:
		return a
	case <-p.gone:
		return event.Answer{Do: event.Stop}
	}
}

// run goes through the playbook.
func (p *proc) run() {
	defer func() {
		p.mu.Lock()
		p.over = true
		p.more.Broadcast()
		p.mu.Unlock()
		p.site.mu.Lock()
		p.site.alive--
		p.site.mu.Unlock()
	}()
	name := strings.TrimSuffix(p.book, ".yml")
	if p.site.broken == p.book {
		return
	}
	switch name {
	case "preflight":
		for _, a := range playbooks.Answers(p.site.plan) {
			var hosts []string
			for _, role := range a.Roles {
				hosts = append(hosts, p.site.plan.RoleByName(role).Members...)
			}
			if !p.play(a.ID, nil, hosts, false) {
				return
			}
		}
	case "before", "after":
		list := p.site.plan.Before
		if name == "after" {
			list = p.site.plan.After
		}
		for i := range list {
			id := fmt.Sprintf("%s/%d", name, i+1)
			if !p.play(id, []planner.Unit{{ID: id}}, p.site.managers, false) {
				return
			}
		}
	default:
		role := p.site.plan.RoleByName(name)
		if !p.play("", nil, role.Members, false) {
			return
		}
		p.lost = map[string]bool{}
		for _, h := range role.Members {
			if slices.Contains(p.site.silent, h) {
				p.lost[h] = true
				p.emit(event.Event{Kind: event.Unreachable, Host: h, Task: &event.Task{Name: "Gather facts", File: p.book}, Message: "no route"})
			}
		}
		for _, pl := range playbooks.RolePlays(p.site.plan, name) {
			if !pl.Batches {
				if !p.play(pl.ID, pl.Units, role.Members, false) {
					return
				}
				continue
			}
			for _, batch := range role.Rolling.Batches {
				if !p.play(pl.ID, pl.Units, batch, true) {
					return
				}
			}
		}
	}
	p.emit(event.Event{Kind: event.End})
}

// play goes through a play, and tells whether the playbook goes on.
func (p *proc) play(id string, units []planner.Unit, hosts []string, batch bool) bool {
	a := p.gate(id, hosts)
	switch a.Do {
	case event.Skip:
		return true
	case event.Go:
	case event.Stop:
		if !p.site.crashed() {
			p.emit(event.Event{Kind: event.End, State: "stopped"})
		}
		return false
	}
	if len(a.Hosts) > 0 {
		hosts = slices.DeleteFunc(slices.Clone(a.Hosts), func(h string) bool { return p.lost[h] })
	}
	p.emit(event.Event{Kind: event.Play, Hosts: hosts})
	lost := map[string]bool{}
	for n, u := range units {
		task := &event.Task{ID: u.ID, Name: "do " + u.ID, File: u.ID + ".yml", Line: 2}
		for _, h := range hosts {
			if lost[h] {
				continue
			}
			if p.site.crashed() {
				return false
			}
			p.site.note("start", u.ID, h)
			p.emit(event.Event{Kind: event.Start, Unit: u.ID, Host: h, Task: task})
			if u.ID == p.site.slow {
				time.Sleep(20 * time.Millisecond)
			}
			for u.ID == p.site.hung && !p.forced() && !p.site.freed() {
				time.Sleep(time.Millisecond)
			}
			if p.site.crashed() || p.forced() {
				return false
			}
			if p.site.fail != nil && p.site.fail(u.ID, h) {
				lost[h] = true
				p.emit(event.Event{Kind: event.Failed, Unit: u.ID, Host: h, Task: task, Message: "no"})
				continue
			}
			p.site.note("end", u.ID, h)
			p.emit(event.Event{Kind: event.Changed, Unit: u.ID, Host: h, Task: task, Last: true})
		}
		if len(lost) > 0 && (!batch || len(lost) == len(hosts)) || n == len(units)-1 && len(lost) > 0 {
			break
		}
	}
	if len(lost) == 0 {
		return true
	}
	if batch {
		for _, h := range hosts {
			if !lost[h] && p.site.waitFail {
				p.emit(event.Event{Kind: event.Failed, Unit: id, Host: h, Task: &event.Task{Name: "Wait before the next try", File: p.book}})
			} else if !lost[h] {
				p.emit(event.Event{Kind: event.Failed, Unit: id, Host: h, Task: &event.Task{Name: "No host of the batch was lost", File: p.book}})
			}
		}
	}
	p.emit(event.Event{Kind: event.End, Hosts: hosts})
	return false
}

// follower reads a proc from an offset on: the number of events.
type follower struct {
	*proc
	at int
}

func (f *follower) Next(context.Context) (event.Event, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.at >= len(f.events) && !f.over {
		f.more.Wait()
	}
	if f.at >= len(f.events) {
		return event.Event{}, 0, io.EOF
	}
	f.at++
	return f.events[f.at-1], int64(f.at), nil
}

func (f *follower) Answer(a event.Answer) error {
	select {
	case f.answers <- a:
		return nil
	case <-f.gone:
		return io.ErrClosedPipe
	}
}

func (f *follower) Terminate() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	return nil
}

func (p *proc) forced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (f *follower) Outcome() runner.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	return runner.Outcome{Known: f.told, Text: "it is gone"}
}

func (f *follower) Close() error {
	f.hangUp()
	return nil
}
