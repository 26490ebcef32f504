package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/upstep/upstep/event"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/planner"
	"github.com/upstep/upstep/runner"
)

// runView shows a run to people or to programs.
type runView interface {
	// report shows an event. It does not wait for whoever reads the output.
	report(l *ledger, e event.Event)
	// end shows how it ended, and waits until everything is out.
	end(o outcome)
}

// viewFlags say how a run is shown.
type viewFlags struct {
	view, output, junit string
	expectUnchanged     bool
}

func (f *viewFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.view, "view", "auto", "live or plain; auto: live on a terminal")
	fl.StringVarP(&f.output, "output", "o", "text", "text, or json: events as lines of JSON")
	fl.StringVar(&f.junit, "junit", "", "write a JUnit report to this file at the end, whatever the end is")
	fl.BoolVar(&f.expectUnchanged, "expect-unchanged", false, "fail when a task changes a host")
	for name, words := range map[string][]string{"view": {"auto", "live", "plain"}, "output": {"text", "json"}} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (f *viewFlags) check() error {
	switch {
	case !slices.Contains([]string{"auto", "live", "plain"}, f.view):
		return usageError{fmt.Errorf("unknown view %q", f.view), "use --view auto, live or plain"}
	case !slices.Contains([]string{"text", "json"}, f.output):
		return usageError{fmt.Errorf("unknown output %q", f.output), "use --output text or json"}
	case f.output == "json" && f.view == "live":
		return usageError{errors.New("--view live and --output json contradict each other"), "leave one of them out"}
	}
	return nil
}

// shown chooses the view of a run, and has its outcome reported in the end, after the
// journal and the lock are closed: a reader that pauses holds up nobody but this process.
func (a *app) shown(ctx context.Context, f runFlags, upgrade func(*outcome, runView) error) error {
	if err := f.viewFlags.check(); err != nil {
		return err
	}
	// A reader that goes early must not end a run in the middle.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)

	o := outcome{app: a, flags: f}
	v := a.newRunView(f)
	err := upgrade(&o, v)
	a.patient.Store(false)
	a.patience.Store(nil)
	o.code = codeOf(ctx, err)
	if f.junit != "" {
		if wrong := o.writeJUnit(a.path(f.junit), err); wrong != nil && err == nil {
			err, o.code = wrong, exitUnexpected
		} else if wrong != nil {
			a.errorf("upstep: %v\n", wrong)
		}
	}
	o.err = err
	v.end(o)
	return err
}

func (a *app) newRunView(f runFlags) runView {
	term := screenOf(a.stdout)
	switch {
	case f.output == "json":
		return newJSONView(results{a})
	case f.view == "live", f.view == "auto" && term != nil && os.Getenv("TERM") != "dumb":
		return newLiveView(results{a}, term, os.Getenv("NO_COLOR") == "")
	default:
		return newPlainView(results{a}, time.Local)
	}
}

// outcome is how an invocation ended: what every view shows in the end.
type outcome struct {
	*app
	flags    runFlags
	plan     *planner.Plan // nil: nothing was planned
	run      journal.RunID
	root     string // of the logs; empty with --check, which keeps none
	result   runner.Result
	over     bool             // the runner came to its end
	nothing  error            // there was nothing to do
	done     journal.Progress // in the end
	ledger   *ledger          // nil: nothing was run
	ended    time.Time
	code     int
	err      error // what kept it from running
	standing []away
	first    string // a command that comes before the one that goes on, with what joins them
}

// away is a host that does not serve.
type away struct {
	Host  string        `json:"host"`
	Role  string        `json:"role"`
	Stand journal.Stand `json:"stand"`
	Unit  string        `json:"unit,omitempty"`
	Why   string        `json:"why,omitempty"`
}

// finish takes in how the runner ended, and gives the error that goes with it.
func (o *outcome) finish(res runner.Result, done journal.Progress) error {
	o.result, o.done, o.over, o.ended = res, done, true, time.Now()
	o.ledger.settle(res.Failures)
	for _, h := range done.OutOfTraffic(o.plan) {
		o.standing = append(o.standing, away{h.Host, h.Role, h.Stand, h.Unit, h.Why})
	}
	switch res.State {
	case runner.Done:
		if o.flags.expectUnchanged && len(o.ledger.changes) > 0 {
			return codeError{code: exitFailed}
		}
		return nil
	case runner.PreflightFailed:
		return codeError{code: exitPreflight}
	case runner.Failing:
		return codeError{code: exitFailed}
	default:
		return codeError{code: exitStopped}
	}
}

// already is the outcome of a run that had ended before.
func (o *outcome) already(done doneError) error {
	if o.flags.expectUnchanged {
		return usageError{fmt.Errorf("%w; so nothing was run that could prove that nothing changes", done), "--new runs it again"}
	}
	o.run, o.nothing = done.run.ID, done
	return nil
}

// next is the command that goes on from here.
func (o *outcome) next() string {
	f := o.flags
	var b strings.Builder
	if o.plan != nil && o.plan.Undo != "" {
		b.WriteString("upstep rollback " + o.plan.Undo)
	} else {
		b.WriteString("upstep run")
	}
	if o.nothing != nil || o.over && o.result.State == runner.Done {
		b.WriteString(" --new")
	}
	b.WriteString(o.sameFlags())
	if f.plan != "" {
		b.WriteString(" " + shellWord(f.plan))
	}
	// What was selected has ended: the rest is next.
	selected := !o.over || o.result.State != runner.Stopped || !o.result.Narrowed
	if selected {
		for _, v := range f.Stages {
			b.WriteString(" --stage " + shellWord(v))
		}
		for _, v := range f.Roles {
			b.WriteString(" --role " + shellWord(v))
		}
		for _, v := range f.Services {
			b.WriteString(" --service " + shellWord(v))
		}
		for _, v := range f.Steps {
			fmt.Fprintf(&b, " --step %d", v)
		}
		if len(f.limit) > 0 {
			b.WriteString(" --limit " + shellWord(strings.Join(f.limit, ",")))
		}
		if len(f.exclude) > 0 {
			b.WriteString(" --exclude " + shellWord(strings.Join(f.exclude, ",")))
		}
	}
	for _, u := range f.Rerun {
		if !slices.Contains(o.result.Ended, u) {
			b.WriteString(" --rerun " + shellWord(u))
		}
	}
	if f.Percentage > 0 {
		fmt.Fprintf(&b, " --percentage %d", f.Percentage)
	}
	if len(f.skipTags) > 0 {
		b.WriteString(" --skip-tags " + shellWord(strings.Join(f.skipTags, ",")))
	}
	for _, s := range []struct {
		on   bool
		text string
	}{
		{f.acceptChanged && o.result.State != runner.Done, "--accept-changed"},
		{f.WithoutDependencies && selected, "--without-dependencies"},
		{f.check, "--check"},
		{f.diff, "--diff"},
		{f.KeepGoing, "--keep-going"},
		{f.Yes, "--yes"},
		{f.Retire || untilTold(o.result.Kept), "--retire"},
		{f.pauseAfter != "", "--pause-after " + f.pauseAfter},
		{f.WaitForWindow, "--wait-for-window"},
		{f.ignoreWindow, "--ignore-window"},
		{f.view == "live" || f.view == "plain", "--view " + f.view},
		{f.output == "json", "--output json"},
		{f.junit != "", "--junit " + shellWord(f.junit)},
		{f.expectUnchanged, "--expect-unchanged"},
	} {
		if s.on {
			b.WriteString(" " + s.text)
		}
	}
	if len(f.ansibleOptions) > 0 {
		b.WriteString(" --")
		for _, w := range withoutSecrets(f.ansibleOptions) {
			b.WriteString(" " + shellWord(w))
		}
	}
	return o.asTyped(b.String())
}

// hides tells whether next leaves out what may be secret, so that it cannot be typed as
// it stands.
func (o *outcome) hides() bool {
	return !slices.Equal(withoutSecrets(o.flags.ansibleOptions), o.flags.ansibleOptions)
}

// unchanged words what changed though nothing was to.
func (o *outcome) unchanged() []change {
	if !o.flags.expectUnchanged || o.ledger == nil {
		return nil
	}
	return o.ledger.changes
}

// resultLine is the last line of the events.
type resultLine struct {
	Kind         string           `json:"kind"`
	Time         time.Time        `json:"time"`
	Run          journal.RunID    `json:"run,omitempty"`
	State        string           `json:"state"`
	Message      string           `json:"message,omitempty"`
	Reason       string           `json:"reason,omitempty"`
	Failures     []runner.Failure `json:"failures"`
	Changed      []change         `json:"changed,omitempty"`
	Ended        []string         `json:"ended"`
	Open         []string         `json:"open"`
	OutOfTraffic []away           `json:"out_of_traffic"`
	Replaced     []replacedStatus `json:"replaced,omitempty"`
	LeftAlone    []leftAlone      `json:"left_alone,omitempty"`
	Seconds      float64          `json:"seconds"`
	Next         string           `json:"next,omitempty"`
	ExitCode     int              `json:"exit_code"`
}

// leftAlone are hosts on which nothing was done for a service, as its version was there.
type leftAlone struct {
	Why   string   `json:"why"`
	Hosts []string `json:"hosts"`
}

// alone gives the hosts that were left alone, by what is said of them.
func (o *outcome) alone() []leftAlone {
	if o.ledger == nil {
		return nil
	}
	var out []leftAlone
	for _, why := range slices.Sorted(maps.Keys(o.ledger.there)) {
		out = append(out, leftAlone{why, slices.Sorted(slices.Values(o.ledger.there[why]))})
	}
	return out
}

// line gives how it ended as the last line of the events.
func (o *outcome) line() resultLine {
	state, message := string(o.result.State), ""
	if o.nothing != nil {
		state = string(runner.Done)
	}
	if !o.over && o.nothing == nil {
		state = "refused" // nothing was run, or nobody can say what was
		if o.ledger != nil {
			state = "broken"
		}
	}
	if o.err != nil {
		message = strings.TrimSpace(o.err.Error())
	}
	r := resultLine{
		"result", time.Now(), o.run, state, message, o.result.Reason, o.result.Failures, o.unchanged(), o.result.Ended, o.result.Open,
		o.standing, o.replaced(), o.alone(), o.seconds(), "", o.code,
	}
	if o.over && (o.result.State != runner.Done || o.code != exitDone) {
		r.Next = o.next()
	}
	if r.Failures == nil {
		r.Failures = []runner.Failure{}
	}
	if r.Ended == nil {
		r.Ended = []string{}
	}
	if r.Open == nil {
		r.Open = []string{}
	}
	if r.OutOfTraffic == nil {
		r.OutOfTraffic = []away{}
	}
	return r
}

func (o *outcome) seconds() float64 {
	if o.ledger == nil || o.ended.IsZero() {
		return 0
	}
	return o.ended.Sub(o.ledger.began).Seconds()
}
