package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/notify"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// lastWord is what notifications have after a signal that ended the run.
const lastWord = 10 * time.Second

// notify begins to notify those whom the plan names of what the teller tells. A check is
// nobody's business.
func (s *invocation) notify(ctx context.Context, t *teller) {
	if s.flags.check || len(s.plan.Notify) == 0 {
		return
	}
	o := s.receivers()
	o.Note = func(text string) { t.note(ctx, text) }
	s.sender = notify.New(ctx, s.plan.Notify, o)
	s.notices = &notices{
		plan: s.plan, send: s.sender.Send, typed: func(command string) string { return s.asTyped(command + s.sameFolder()) }, stages: map[string]*stageNotice{},
		common: notify.Message{Project: s.project(s.plan.Name), Run: string(s.run), By: by(s.who()), Try: s.number},
	}
	t.mu.Lock() // what could not be opened was told from here
	t.notices = s.notices
	t.mu.Unlock()
}

// notified tells how the run ended, and waits until everybody was told, or could not be.
// From here on the first signal ends the wait.
func (s *invocation) notified(ctx context.Context, o *outcome, err error) {
	if s.sender == nil {
		return
	}
	s.patience.Store(nil)
	s.notices.end(o, err, codeOf(ctx, err))
	if ctx.Err() != nil {
		var over context.CancelFunc
		ctx, over = context.WithTimeout(context.WithoutCancel(ctx), lastWord)
		defer over()
	}
	s.sender.Close(ctx)
}

// receivers is what receivers need of this machine.
func (a *app) receivers() notify.Options {
	return notify.Options{Dir: a.dir, Env: os.Environ(), Version: version(), Now: time.Now}
}

// project names a project that has no name after its folder.
func (a *app) project(name string) string {
	if name == "" {
		if dir, err := filepath.Abs(a.dir); err == nil {
			name = filepath.Base(dir)
		}
	}
	return name
}

func (a *app) notifyCommand() *cobra.Command {
	var test bool
	cmd := &cobra.Command{
		Use:   "notify [NAME]",
		Short: "List who is notified of a run, or send each a sample",
		Long: `List the notifications of upgrade.yaml: of what they tell, and whom they try in turn. With
--test each receiver is sent a sample, also those behind one that answers, and upstep
says who answered.`,
		Example: "  upstep notify\n  upstep notify --test\n  upstep notify --test operators",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return misuse(cmd, "", "notify takes one notification, not %d words", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			list, project, err := a.notifications(name(args, 0))
			if err != nil {
				return err
			}
			if test {
				return a.testNotifications(cmd.Context(), list, project)
			}
			return a.result(list, func() { a.notificationsTable(list) })
		},
	}
	cmd.Flags().BoolVar(&test, "test", false, "send a sample to each receiver")
	a.outputFlag(cmd)
	return cmd
}

// notifications reads those of upgrade.yaml, or the one that is named, and the project's name.
func (a *app) notifications(name string) ([]settings.Notification, string, error) {
	if err := a.needFolder(); err != nil {
		return nil, "", err
	}
	sink := &source.Sink{}
	given, err := a.given(sink)
	if err != nil {
		return nil, "", err
	}
	s := a.readSettings(given, sink)
	found := sink.Problems()
	a.show(found)
	if found.Count(source.Error) > 0 {
		return nil, "", a.refused(found)
	}
	project := a.project(s.Name)
	if len(s.Notify) == 0 {
		return nil, "", usageError{errors.New("nobody is notified"), "add notify: to upgrade.yaml"}
	}
	if name == "" {
		return s.Notify, project, nil
	}
	var names []string
	for _, n := range s.Notify {
		if n.Name == name {
			return []settings.Notification{n}, project, nil
		}
		names = append(names, n.Name)
	}
	return nil, "", usageError{fmt.Errorf("unknown notification %q", name), cmp.Or(source.DidYouMean(name, names), "there are "+strings.Join(names, ", "))}
}

// notificationsTable lists notifications.
func (a *app) notificationsTable(list []settings.Notification) {
	t := newTable()
	for _, n := range list {
		label, on := n.Name, strings.Join(n.On, ", ")
		for _, r := range notify.Receivers(n, a.receivers()) {
			t.AppendRow(table.Row{label, r, on})
			label, on = "", ""
		}
	}
	a.printTable(t)
}

// tested is how a receiver took a sample.
type tested struct {
	Notification string  `json:"notification"`
	Receiver     string  `json:"receiver"`
	Answered     bool    `json:"answered"`
	Tries        int     `json:"tries"`
	Seconds      float64 `json:"seconds"`
	Error        string  `json:"error,omitempty"`
}

// testNotifications sends a sample to every receiver.
func (a *app) testNotifications(ctx context.Context, list []settings.Notification, project string) error {
	out := []tested{}
	silent := 0
	for _, n := range list {
		event := n.On[0]
		if slices.Contains(n.On, "run.failure") { // the one that must come through
			event = "run.failure"
		}
		m := notify.Sample(event, time.Now())
		m.Project, m.By = project, by(a.who())
		for _, answer := range notify.Try(ctx, n, m, a.receivers()) {
			r := tested{n.Name, answer.Receiver, answer.Err == nil, answer.Tries, answer.Took.Seconds(), ""}
			if answer.Err != nil {
				r.Error = answer.Err.Error()
				silent++
			}
			out = append(out, r)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	err := a.result(out, func() {
		t := newTable()
		for _, r := range out {
			how := "answered in " + duration(r.Seconds)
			if !r.Answered {
				how = "did not answer: " + r.Error
			}
			t.AppendRow(table.Row{r.Notification, r.Receiver, how})
		}
		a.printTable(t)
	})
	if silent > 0 && err == nil {
		return codeError{fmt.Errorf("%d of %s did not answer", silent, plural(len(out), "receiver")), exitFailed}
	}
	return err
}
