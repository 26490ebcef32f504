package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/notify"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/runner"
)

// runFlags is what the flags of run say.
type runFlags struct {
	runner.Options
	plan           string   // the document, none: the project's
	limit, exclude []string // as they were typed
	viewFlags
	fresh          bool // --new
	acceptChanged  bool
	check, diff    bool
	skipTags       []string
	pauseAfter     string
	ignoreWindow   bool
	ansibleOptions []string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [PLAN] [-- ANSIBLE OPTIONS]",
		Short: "Run the plan, or go on with it",
		Long: `Run the plan with ansible-playbook, step by step, on real hosts. What was done is
written down in .upstep/ as it happens: the same command goes on after a failure, an
interruption or a crash, and touches no host again that has ended a unit.

Without PLAN the project is planned now. PLAN is a document that upstep emit or upstep
plan --save wrote: it runs as it was reviewed, and is refused when a file of its tree was
changed or the inventory has other hosts.

Ctrl-C once: nothing more begins, and what is at work ends. Twice: it is ended.`,
		Example: "  upstep run\n  upstep run --stage control-plane        # the rest another night\n  upstep run --check --diff\n  upstep run playbooks/plan.json          # what was reviewed\n  upstep run -- --vault-password-file ~/.vault",
		Args: func(cmd *cobra.Command, args []string) error {
			at := cmd.ArgsLenAtDash()
			if at < 0 {
				at = len(args)
			}
			f.ansibleOptions = args[at:]
			if at == 1 {
				f.plan = args[0]
				return nil
			}
			return noArgs(cmd, args[:at])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.ansibleOptions = f.ansibleOptions
			return a.runRoute(cmd.Context(), f)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.fresh, "new", false, "begin a new run, and leave an unfinished one as it is")
	fl.BoolVar(&f.acceptChanged, "accept-changed", false, "go on though units that ended have other tasks now; they stay ended")
	fl.StringArrayVar(&f.Rerun, "rerun", nil, "run this unit again though it ended; may be repeated")
	fl.StringArrayVar(&f.Stages, "stage", nil, "only this stage; may be repeated")
	fl.StringArrayVar(&f.Roles, "role", nil, "only this role; may be repeated")
	fl.StringArrayVar(&f.Services, "service", nil, "only units that hold tasks of this service; may be repeated")
	fl.IntSliceVar(&f.Steps, "step", nil, "only these steps")
	fl.StringSliceVar(&f.limit, "limit", nil, "only these hosts, by an Ansible `PATTERN`")
	fl.StringSliceVar(&f.exclude, "exclude", nil, "leave these hosts behind, by an Ansible `PATTERN`; the run stays open for them")
	fl.BoolVar(&f.WithoutDependencies, "without-dependencies", false, "run what is selected though what it depends on has not ended")
	fl.StringSliceVar(&f.skipTags, "skip-tags", nil, "leave out tasks with these tags")
	fl.BoolVar(&f.check, "check", false, "change nothing: Ansible says what it would do; a hint, no proof")
	fl.BoolVar(&f.diff, "diff", false, "show how files change")
	fl.BoolVar(&f.KeepGoing, "keep-going", false, "after a failure begin what does not depend on it")
	fl.IntVar(&f.Percentage, "percentage", 0, "share of a rolling role's hosts to take now, instead of the role's own")
	fl.BoolVar(&f.Retire, "retire", false, "take away now what was replaced and is kept; it cannot be cut back to then")
	a.routeFlags(cmd)
	a.downgradeFlag(cmd)
	fl.BoolVarP(&f.Yes, "yes", "y", false, "approve every stage that asks")
	fl.StringVar(&f.pauseAfter, "pause-after", "", "stop after each hop, stage, wave or batch")
	fl.BoolVar(&f.WaitForWindow, "wait-for-window", false, "outside the maintenance window wait for the next, instead of stopping")
	fl.BoolVar(&f.ignoreWindow, "ignore-window", false, "begin work outside the maintenance window as well")
	f.add(cmd)
	return cmd
}

// pauseHop stops between the hops of a route.
const pauseHop = "hop"

// plans is what is left of the plans of a run, hop by hop.
type plans struct {
	route *planner.Route
	trees []*playbooks.Tree
	next  int
}

// runRoute runs the plan of the project, or those of its route, each hop a run of its
// own, behind the hop before it.
func (a *app) runRoute(ctx context.Context, f runFlags) error {
	p := &plans{}
	for {
		if err := a.shown(ctx, f, func(o *outcome, v runView) error { return a.run(ctx, p, o, v) }); err != nil {
			return err
		}
		if p.next >= len(p.route.Hops) {
			return nil
		}
		ended, next := p.route.Hops[p.next-1].Hop, p.route.Hops[p.next].Hop
		if f.pauseAfter == pauseHop {
			return codeError{fmt.Errorf("stopped after hop %s, before %s\n  hint: the same command goes on", ended, next), exitStopped}
		}
	}
}

// run runs the next plan, and fills in how it ended.
func (a *app) run(ctx context.Context, p *plans, o *outcome, v runView) error {
	f := o.flags
	switch runner.Pause(f.pauseAfter) {
	case runner.NoPause, runner.PauseStage, runner.PauseWave, runner.PauseBatch:
		f.PauseAfter = runner.Pause(f.pauseAfter)
	case pauseHop:
	default:
		return usageError{fmt.Errorf("unknown boundary %q", f.pauseAfter), "--pause-after hop, stage, wave or batch"}
	}
	if f.WaitForWindow && f.ignoreWindow {
		return usageError{errors.New("--wait-for-window and --ignore-window contradict each other"), "give one of the two"}
	}
	if p.route == nil {
		var err error
		if p.route, p.trees, err = a.prepare(ctx, f); err != nil {
			return err
		}
		if p.next, err = a.startOf(ctx, p.route, f.fresh || f.check); err != nil {
			return err
		}
	} else {
		f.fresh = false // --new is said of the whole route
	}
	at := p.next
	p.next++
	o.flags = f
	return a.carryOut(ctx, p.route.Hops[at], p.trees[at], o, v)
}

// carryOut begins or goes on with a run of a plan, and fills in how it ended.
func (a *app) carryOut(ctx context.Context, plan *planner.Plan, tree *playbooks.Tree, o *outcome, v runView) (err error) {
	f := o.flags
	if f.Selection, err = a.choose(f, plan); err != nil {
		return err
	}
	since := time.Now()
	held, err := journal.Lock(a.dir, journal.Owner{Who: a.who(), Since: since})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	o.plan = plan
	s := &invocation{app: a, flags: f, plan: plan, since: since}
	if err = s.open(ctx); err != nil {
		if done, is := errors.AsType[doneError](err); is {
			err = o.already(done)
		}
		return errors.Join(err, s.shut())
	}
	err = s.execute(ctx, tree, o, v)
	s.notified(ctx, o, err)
	return errors.Join(err, s.close(ctx, err))
}

// who says who runs this.
func (a *app) who() journal.Who {
	w := journal.Who{PID: os.Getpid(), Version: version(), Command: withoutSecrets(a.args)}
	w.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		w.User = u.Username
	}
	return w
}

// hidden stands for a value that is kept nowhere.
const hidden = "******"

// withoutSecrets gives a command line as the journal keeps it: the values of inputs and
// of extra variables may be secret.
func withoutSecrets(args []string) []string {
	out := slices.Clone(args)
	for i, arg := range out {
		name, value, joined := strings.Cut(arg, "=")
		switch {
		case name == "--set" && joined:
			out[i] = name + "=" + hideValue(value)
		case name == "--extra-vars" && joined:
			out[i] = name + "=" + hidden
		case strings.HasPrefix(arg, "-e") && len(arg) > 2:
			out[i] = "-e" + hidden
		case i > 0 && args[i-1] == "--set":
			out[i] = hideValue(arg)
		case i > 0 && (args[i-1] == "-e" || args[i-1] == "--extra-vars") && !strings.HasPrefix(arg, "@"):
			out[i] = hidden
		}
	}
	return out
}

// hideValue hides what stands behind the =.
func hideValue(set string) string {
	name, _, _ := strings.Cut(set, "=")
	return name + "=" + hidden
}

// invocation is one invocation of a run: its journal and folder.
type invocation struct {
	*app
	flags   runFlags
	plan    *planner.Plan
	journal *journal.Journal // nil with --check
	run     journal.RunID
	number  int    // of the invocation
	root    string // the journal's folder, or a temporary one
	folder  string // of the run, below root
	done    journal.Progress

	since    time.Time   // it has had the lock
	outcome  string      // how it ended, for the journal
	lines    chan string // what is typed; nil until something is asked
	complete bool        // every unit has ended
	notices  *notices    // nil: nobody is notified
	sender   *notify.Sender
}

// open opens the journal and decides whether this goes on with a run. What it opened is
// open after an error too.
func (s *invocation) open(ctx context.Context) error {
	doc, err := s.plan.Encode()
	if err != nil {
		return err
	}
	if s.flags.check {
		s.run, s.folder = "check", "check"
		s.root, err = os.MkdirTemp("", "upstep-check-")
		return err
	}
	s.root = filepath.Join(s.dir, journal.Folder)
	if s.journal, err = journal.Open(ctx, s.dir, journal.Options{}); err != nil {
		return err
	}
	current, err := s.journal.Current(ctx)
	if err != nil {
		return err
	}
	if err := s.choose(ctx, current, doc); err != nil {
		return err
	}
	s.folder = filepath.Join("runs", string(s.run))
	return nil
}

// shut closes what open opened.
func (s *invocation) shut() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.Close()
}

// execute runs, and tells how it ended.
func (s *invocation) execute(ctx context.Context, tree *playbooks.Tree, o *outcome, v runView) error {
	dir, err := filepath.Abs(filepath.Join(s.root, s.folder, "playbooks"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if _, err := playbooks.Write(ctx, dir, tree, true); err != nil {
		return err
	}
	project, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	facts, err := factsFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(facts) }()
	stop := make(chan string, 2) // a signal and a request
	s.takePatience(stop)
	ctx, over := s.heed(ctx, stop)
	defer over()
	window, err := s.window()
	if err != nil {
		return err
	}
	o.run, o.ledger = s.run, newLedger(s.plan, s.done, time.Now())
	o.ledger.chosen = s.flags.Has
	if s.journal != nil {
		o.root = s.root
		// An estimate is a convenience: without it the run goes on.
		o.ledger.known, _ = s.journal.Durations(ctx, titleOf(s.plan))
	}
	t := &teller{journal: s.journal, run: s.run, ledger: o.ledger, view: v}
	s.notify(ctx, t)
	var requests []journal.Request
	if s.journal != nil {
		if requests, err = s.journal.Requests(ctx, s.run, 0); err != nil {
			return err
		}
	}
	res, err := runner.Run(ctx, stop, runner.Config{
		Plan: s.plan, Tree: tree, Journal: s.journal, Run: s.run, Folder: s.folder,
		Report: func(e event.Event) {
			t.tell(e)
			if e.Kind == event.RunStart {
				t.note(ctx, o.ledger.fitNow(window, time.Now()))
			}
		},
		Now: time.Now, Options: s.flags.Options, Approved: approvals(requests), Approve: s.approve, Open: window.asked(),
		Executor: executor{
			tool: ansible.New(ansible.Options{Dir: s.dir, Args: s.flags.ansibleOptions, Env: []string{playbooks.ProjectEnv + "=" + project}}), root: s.root,
			job: ansible.Job{
				Tree: dir, Inventory: s.inventories(), Facts: facts,
				SkipTags: s.flags.skipTags, Check: s.flags.check, Diff: s.flags.diff,
			},
		},
	})
	var unmet *runner.UnmetError
	var undecided *runner.UndecidedError
	switch {
	case errors.As(err, &unmet):
		return usageError{err, "select it too, or say --without-dependencies"}
	case errors.As(err, &undecided):
		return usageError{err, undecided.Hint()}
	case err != nil:
		return err
	}
	s.outcome = outcomeOf(res)
	if s.journal != nil {
		ctx := context.WithoutCancel(ctx) // what became of it is read in any case
		if s.done, err = s.journal.Progress(ctx, s.run); err != nil {
			return err
		}
		if o.first, err = s.approveFirst(ctx, res.Waits); err != nil {
			return err
		}
	}
	s.complete = res.State == runner.Done
	return o.finish(res, s.done)
}

// close writes down how the invocation ended.
func (s *invocation) close(ctx context.Context, result error) error {
	if s.journal == nil {
		return os.RemoveAll(s.root)
	}
	code, outcome := codeOf(ctx, result), s.outcome
	if result != nil {
		outcome = cmp.Or(strings.TrimSpace(result.Error()), outcome)
	}
	err := s.journal.Write(context.WithoutCancel(ctx), s.run, func(t *journal.Tx) error {
		t.InvocationEnded(s.number, code, outcome, time.Now())
		if s.complete {
			t.RunState(journal.Done, time.Now())
		}
		return nil
	})
	return errors.Join(err, s.journal.Close())
}
