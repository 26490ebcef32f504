package main

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/pack"
	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// packView is a pack as it is shown.
type packView struct {
	Name        string          `json:"name"`
	Version     string          `json:"version"`
	Description string          `json:"description,omitempty"`
	Folder      string          `json:"folder,omitempty"`
	State       string          `json:"state,omitempty"` // installed, edited, or own: written here
	Edited      []string        `json:"edited,omitempty"`
	Needs       []needView      `json:"needs"`
	Parameters  []parameterView `json:"parameters"`
	Kept        []pack.Kept     `json:"kept,omitempty"`
	Files       []archive.Entry `json:"files,omitempty"`
}

type needView struct {
	Pack    string `json:"pack"`
	Version string `json:"version,omitempty"`
	Met     *bool  `json:"met,omitempty"`
}

type parameterView struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
	Secret      bool   `json:"secret,omitempty"`
	Default     bool   `json:"default"`       // it has one
	Set         *bool  `json:"set,omitempty"` // parameters/ has a value
}

func viewOf(svc services.Service) packView {
	v := packView{Name: svc.Name, Version: svc.Pack.Version, Description: strings.TrimSpace(svc.Pack.Description), Needs: []needView{}, Parameters: []parameterView{}}
	for _, n := range svc.Pack.Needs {
		v.Needs = append(v.Needs, needView{Pack: n.Pack, Version: n.Version})
	}
	for _, p := range svc.Pack.Parameters {
		v.Parameters = append(v.Parameters, parameterView{Name: p.Name, Type: p.Type, Description: strings.TrimSpace(p.Description), Required: p.Required, Secret: p.Secret, Default: p.Default.Exists()})
	}
	return v
}

// showVerified shows what an archive holds.
func (a *app) showVerified(file string, svc services.Service, entries []archive.Entry) error {
	v := viewOf(svc)
	v.Files = entries
	return a.result(v, func() {
		size := int64(0)
		for _, e := range entries {
			size += e.Size
		}
		a.printf("%s: pack %s %s, %s, %d bytes\n", file, v.Name, v.Version, plural(len(entries), "file"), size)
		if v.Description != "" {
			a.printf("%s\n", v.Description)
		}
		if len(v.Needs) > 0 {
			a.printf("\nneeds\n")
			for _, n := range v.Needs {
				a.printf("  %s\n", strings.TrimSpace(n.Pack+" "+n.Version))
			}
		}
		if len(v.Parameters) > 0 {
			a.printf("\nparameters\n")
			t := newTable()
			for _, p := range v.Parameters {
				t.AppendRow(table.Row{p.Name, p.kind(), p.Description})
			}
			a.printTable(t)
		}
	})
}

// kind says what a parameter takes.
func (p parameterView) kind() string {
	words := []string{p.Type}
	if p.Secret {
		words = append(words, "secret")
	}
	if p.Required {
		words = append(words, "required")
	}
	return strings.Join(words, ", ")
}

func (a *app) packListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the installed packs",
		Long: `Show the packs in the folder of services: version, what they need, which of their
parameters have values, whether they were edited, and which versions are kept.`,
		Example: "  upstep pack list\n  upstep pack list --output json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.packList() },
	}
	a.outputFlag(cmd)
	return cmd
}

// packsView is everything that there is to say of packs.
type packsView struct {
	Packs       []packView `json:"packs"`
	Interrupted bool       `json:"interrupted,omitempty"` // a command was killed; the next one that changes packs goes on with it
}

func (a *app) packList() error {
	s, err := a.store()
	if err != nil {
		return err
	}
	installed, err := s.Installed()
	if err != nil {
		return err
	}
	values := a.values(&source.Sink{})
	have := map[string]string{}
	for _, p := range installed {
		have[p.Name] = p.Pack.Version
	}
	// Who holds the lock, or is just taking it, is at work there and not interrupted.
	holder, err := journal.Holder(a.dir)
	out := packsView{Packs: []packView{}, Interrupted: err == nil && holder == nil && s.Interrupted()}
	for _, p := range installed {
		v := viewOf(p.Service)
		v.Folder, v.State, v.Edited = path.Join(s.Shown, p.Folder), "installed", p.Edited
		switch {
		case p.Own:
			v.State = "own"
		case len(p.Edited) > 0:
			v.State = "edited"
		}
		for i, n := range p.Pack.Needs {
			version, there := have[n.Pack]
			v.Needs[i].Met = new(there && n.Allows(version))
		}
		for i := range v.Parameters {
			v.Parameters[i].Set = new(values.Has(p.Name, v.Parameters[i].Name))
		}
		if v.Kept, err = s.Kept(p.Name); err != nil {
			return err
		}
		for i := range v.Kept {
			v.Kept[i].Folder = path.Join(s.Shown, v.Kept[i].Folder)
		}
		out.Packs = append(out.Packs, v)
	}
	return a.result(out, func() { a.packTable(out, s.Shown) })
}

func (a *app) packTable(v packsView, shown string) {
	if v.Interrupted {
		a.errorf("upstep: a command that changes packs was interrupted; the next one finishes it\n")
	}
	if len(v.Packs) == 0 {
		a.printf("no pack in %s\n", shown)
		return
	}
	t := newTable()
	for _, p := range v.Packs {
		t.AppendRow(table.Row{p.Name, p.Version, p.State, p.needs(), p.set(), p.kept()})
	}
	a.printTable(t)
	for _, p := range v.Packs {
		for _, q := range p.Parameters {
			if q.Required && !*q.Set {
				a.printf("\n%s needs a value for %s (%s)\n", p.Name, q.Name, cmp.Or(q.Description, q.Type))
			}
		}
	}
}

func (p packView) needs() string {
	var out []string
	for _, n := range p.Needs {
		text := strings.TrimSpace(n.Pack + " " + n.Version)
		if !*n.Met {
			text += " (not met)"
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return ""
	}
	return "needs " + strings.Join(out, ", ")
}

func (p packView) set() string {
	if len(p.Parameters) == 0 {
		return ""
	}
	n := 0
	for _, q := range p.Parameters {
		if *q.Set {
			n++
		}
	}
	return fmt.Sprintf("%d of %s set", n, plural(len(p.Parameters), "parameter"))
}

func (p packView) kept() string {
	var out []string
	for _, k := range p.Kept {
		out = append(out, k.Version)
	}
	if len(out) == 0 {
		return ""
	}
	return "kept: " + strings.Join(out, ", ")
}

// packsDone says what became of packs, unless it was refused.
func (a *app) packsDone(done []pack.Done, err error, sink *source.Sink) error {
	if err != nil || sink.Failed() {
		return err
	}
	for _, d := range done {
		if len(d.Edited) > 0 && d.Kept != "" {
			a.errorf("edited files are kept with the old version: %s\n", strings.Join(d.Edited, ", "))
		}
		switch {
		case d.Unchanged:
			a.printf("%s %s is installed already\n", d.Pack, d.Version)
		case d.Removed:
			a.printf("removed %s %s, kept in %s\n", d.Pack, d.Was, d.Kept)
		case d.Was == "":
			a.printf("installed %s %s\n", d.Pack, d.Version)
		default:
			a.printf("installed %s %s in the place of %s, kept in %s\n", d.Pack, cmp.Or(d.Version, "unversioned"), d.Was, d.Kept)
		}
		if d.Values {
			a.printf("  its values are in %s\n", path.Join(valuesFolder, d.Pack+".yaml"))
		}
		for _, p := range d.Missing {
			a.printf("  give a value to %s (%s) in %s\n", p.Name, cmp.Or(strings.TrimSpace(p.Description), p.Type), path.Join(valuesFolder, d.Pack+".yaml"))
		}
	}
	return nil
}
