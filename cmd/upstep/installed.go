package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/ansible"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// installed stands for the release that the hosts say they have.
const installed = "installed"

// installedRelease asks hosts which of the declared versions is installed. Where a run of
// a hop is unfinished, it is the one that the hop leads from: its hosts are between two.
func (a *app) installedRelease(ctx context.Context, s *settings.Settings, declared []string) (string, error) {
	const elsewise = "--from VERSION says it"
	if s.Installed == nil {
		return "", usageError{errors.New("upgrade.yaml does not say how hosts are asked for their release"), "write from: {probe: COMMAND, hosts: PATTERN}; " + elsewise}
	}
	if hop, err := a.unfinishedHop(ctx); hop != "" || err != nil {
		return hop, err
	}
	inv, err := a.readInventory(ctx)
	if err != nil {
		return "", err
	}
	if inv == nil {
		return "", usageError{errors.New("the hosts are asked for their release, and there is no inventory"), "-i names it; " + elsewise}
	}
	tool := ansible.New(ansible.Options{Dir: a.dir, Grace: ansibleGrace, Args: a.ansibleOptions})
	answers, err := tool.Ask(ctx, a.inventories(), askingBook(s), "upstep_release")
	if err != nil {
		return "", fmt.Errorf("ask for the installed release: %w", err)
	}
	return a.oneRelease(answers, s.Installed, declared)
}

// unfinishedHop gives the version that an unfinished run of a hop leads from; "" where
// there is none.
func (a *app) unfinishedHop(ctx context.Context) (from string, err error) {
	j, err := journal.OpenForReading(ctx, a.dir)
	if errors.Is(err, journal.ErrNone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	run, err := j.Current(ctx)
	if err != nil || run == nil {
		return "", err
	}
	plan, err := planOf(ctx, j, run.ID)
	if err != nil || plan.Hop == nil || plan.Undo != "" {
		return "", err
	}
	a.errorf("run %s is unfinished: the upgrade goes on from %s\n", run.ID, plan.Hop.From)
	return plan.Hop.From, nil
}

// askingBook is the playbook that asks, as the project's plays reach their hosts.
func askingBook(s *settings.Settings) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "- name: Installed release\n  hosts: %s\n  gather_facts: false\n", source.Quote(s.Installed.Hosts))
	for _, k := range s.Play {
		for line := range strings.Lines(strings.TrimRight(k.Text, "\n") + "\n") {
			b.WriteString("  " + line)
		}
	}
	b.WriteString("  tasks:\n    - name: Ask for the installed release\n      ansible.builtin.shell:\n        cmd: ")
	b.WriteString(source.Quote(s.Installed.Probe))
	b.WriteString("\n      register: upstep_release\n      changed_when: false\n")
	return []byte(b.String())
}

// oneRelease gives the declared version that all hosts say they have.
func (a *app) oneRelease(answers ansible.Answers, of *settings.Installed, declared []string) (string, error) {
	hosts := map[string][]string{} // by what they say
	for h, raw := range answers.Values {
		var said struct {
			Stdout string `json:"stdout"`
		}
		if _, lost := answers.Lost[h]; lost || json.Unmarshal(raw, &said) != nil {
			continue
		}
		text := strings.TrimSpace(said.Stdout)
		hosts[text] = append(hosts[text], h)
	}
	for _, h := range slices.Sorted(maps.Keys(answers.Lost)) {
		a.errorf("%s does not say what is installed: %s\n", h, answers.Lost[h])
	}
	said := slices.Sorted(maps.Keys(hosts))
	for _, text := range said {
		slices.Sort(hosts[text])
	}
	const elsewise = "mend it, or say it: --from VERSION"
	switch {
	case len(answers.Lost) > 0:
		return "", usageError{fmt.Errorf("%s not asked for the installed release", wereHosts(len(answers.Lost))), elsewise}
	case len(said) == 0:
		return "", usageError{fmt.Errorf("no host of %q was there to ask for the installed release (%s)", of.Hosts, of.Pos.Short()), "name hosts of the inventory; or --from VERSION says it"}
	case len(said) > 1:
		for _, text := range said {
			unknown := ""
			if !slices.Contains(declared, text) {
				unknown = " (no release is declared from it)"
			}
			a.errorf("%s: %s%s\n", shownRelease(text), shortened(hosts[text], 6), unknown)
		}
		return "", usageError{errors.New("the hosts do not stand at the same release"), "--from VERSION takes the way from the earliest; hosts that have a service's target are left alone there"}
	case !slices.Contains(declared, said[0]):
		return "", usageError{fmt.Errorf("%s is installed, which no release is declared from", shownRelease(said[0])), "declared are " + strings.Join(declared, ", ")}
	}
	a.errorf("%s is installed (%s)\n", said[0], plural(len(hosts[said[0]]), "host"))
	return said[0], nil
}

func wereHosts(n int) string {
	if n == 1 {
		return "1 host was"
	}
	return fmt.Sprintf("%d hosts were", n)
}

// shownRelease shows what a probe said.
func shownRelease(text string) string {
	if text == "" {
		return "nothing"
	}
	if _, odd := source.Control(text, ""); odd {
		return strconv.Quote(text)
	}
	return text
}
