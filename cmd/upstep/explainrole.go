package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/upstep/upstep/planner"
)

func (a *app) roleExplanation(x *planner.RoleExplanation) {
	a.printf("%s, a role (%s)%s\n", x.Role, at(x.Place), hostList(x.Members))
	a.printf("  hosts: %s\n", x.Hosts)
	if x.Rolling != nil {
		a.rolling(x.Rolling)
	}
	if x.Replace != nil {
		a.printf("  replaced: the hosts of %s take over; its own %s\n", x.Replace.By, keepText(x.Replace))
	}
	if x.Replaces != "" {
		a.printf("  its hosts take over from those of %s\n", x.Replaces)
	}
	if len(x.Room) > 0 {
		a.printf("  room needed: %s\n", roomText(x.Room))
	}
	a.printf("\nservices\n")
	t := newTable()
	for _, s := range x.Services {
		where := standing(s.Stage, s.StageFrom, s.Wave)
		if s.Wave == 0 {
			where += ": no tasks there"
		}
		t.AppendRow(table.Row{s.Service, where, at(s.Place)})
	}
	a.printTable(t)
	a.roleUnits("preflight", x.Preflight)
	a.roleUnits("units", x.Units)
	a.roleUnits("on the way back", x.Rollback)
}

// rolling says how a role goes through its hosts.
func (a *app) rolling(r *planner.Rolling) {
	a.printf("  rolling: batches of %s", strings.Join(r.Batch, ", "))
	if r.Percentage < 100 {
		a.printf("; %d%% of the hosts per run", r.Percentage)
	}
	if r.Pause > 0 {
		a.printf("; pause %s", time.Duration(r.Pause))
	}
	if r.Drain == "role" {
		a.printf("; all hosts drained first")
	}
	if r.Tries > 1 {
		a.printf("; %d tries", r.Tries)
	}
	a.printf("\n")
	for i, hosts := range r.Batches {
		a.printf("    batch %d%s\n", i+1, hostList(hosts))
	}
}

func (a *app) roleUnits(title string, units []planner.RoleUnit) {
	if len(units) == 0 {
		return
	}
	a.printf("\n%s\n", title)
	for _, u := range units {
		var held []string
		for _, s := range u.Segments {
			text := fmt.Sprintf("%s (%s)", s.Service, plural(len(s.Tasks), "task"))
			if s.Links != "" {
				text = s.Service + " (" + s.Links + ")"
			}
			held = append(held, text)
		}
		a.printf("  %s\n      %s\n", u.Unit, strings.Join(held, ", "))
		for _, l := range u.LeftOut {
			a.printf("      left out: %s of %s (%s): %s of %s is identical\n", cmp.Or(l.Name, l.Task), l.Service, at(l.Place), l.SameTask, l.SameAs)
		}
		a.waits(u.Waiting)
	}
}
