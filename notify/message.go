// Package notify tells people what becomes of a run, by webhook, command and mail. What it
// fails to tell neither fails nor holds up the run.
package notify

import (
	"fmt"
	"strings"
	"time"
)

// Message is what there is to tell of one thing that happened: what templates see, and
// what a webhook gets as JSON. Fields that do not apply are left out.
type Message struct {
	Event        string    `json:"event"` // run.failure; of settings.Happenings
	Test         bool      `json:"test,omitempty"`
	Time         time.Time `json:"time"`
	Project      string    `json:"project"` // the plan's name, or that of its folder
	Run          string    `json:"run,omitempty"`
	By           string    `json:"by,omitempty"` // who runs it, where
	Stage        string    `json:"stage,omitempty"`
	Role         string    `json:"role,omitempty"`
	Unit         string    `json:"unit,omitempty"`
	Batch        int       `json:"batch,omitempty"` // from 1, in this invocation
	Hosts        []string  `json:"hosts,omitempty"`
	Count        int       `json:"count,omitempty"` // of Hosts
	Versions     []Version `json:"versions,omitempty"`
	State        string    `json:"state,omitempty"`   // how it ended
	Seconds      float64   `json:"seconds,omitempty"` // how long it took
	Try          int       `json:"try,omitempty"`     // which command this is that works on the run
	Tries        int       `json:"tries,omitempty"`   // of a batch: how often its steps are tried at most
	FailedHosts  []string  `json:"failed_hosts,omitempty"`
	Failures     []Failure `json:"failures,omitempty"`
	Message      string    `json:"message,omitempty"` // what failed, or why it stopped or waits
	OutOfTraffic []string  `json:"out_of_traffic,omitempty"`
	Next         string    `json:"next,omitempty"`    // the command that goes on
	Subject      string    `json:"subject,omitempty"` // all of it in a line, in upstep's words
	Text         string    `json:"text,omitempty"`    // in more; or as the notification's template has it
}

// Version is what a service is brought to, and from, as far as that is known.
type Version struct {
	Service string `json:"service"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
}

// Failure is what failed on hosts that failed alike.
type Failure struct {
	Unit    string   `json:"unit,omitempty"`
	Hosts   []string `json:"hosts,omitempty"`
	State   string   `json:"state"`
	Task    string   `json:"task,omitempty"` // and where it was written
	Message string   `json:"message,omitempty"`
}

// Duration writes Seconds as 1m30s.
func (m Message) Duration() string {
	d := time.Duration(m.Seconds * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// worded fills in Subject and Text in upstep's words.
func (m Message) worded() Message {
	scope, what, _ := strings.Cut(m.Event, ".")
	subject := map[string]string{
		"run":   "run " + m.Run,
		"stage": "stage " + m.Stage,
		"batch": fmt.Sprintf("batch %d of %s", m.Batch, m.Role),
	}[scope]
	verb := map[string]string{"start": "begins", "wait": "waits", "success": "is done", "failure": "failed", "stop": "stopped"}[what]
	m.Subject = m.Project + ": " + subject + " " + verb
	if m.Test {
		m.Subject = "[test] " + m.Subject
	}
	if m.Seconds > 0 {
		m.Subject += " after " + m.Duration()
	}
	if why, _, _ := strings.Cut(strings.TrimSpace(m.Message), "\n"); why != "" {
		m.Subject += ": " + why
	} else if scope == "batch" {
		m.Subject += ": " + short(5, m.Hosts)
	}
	var b strings.Builder
	b.WriteString(m.Subject + "\n")
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "\n%-15s %s", name+":", value)
		}
	}
	if scope != "run" {
		line("run", m.Run)
	}
	if m.Try > 1 {
		line("try", fmt.Sprint(m.Try))
	}
	line("by", m.By)
	line("hosts", short(20, m.Hosts))
	var versions []string
	for _, v := range m.Versions {
		versions = append(versions, v.String())
	}
	line("versions", short(20, versions))
	for i, f := range m.Failures {
		if i == 20 {
			line("failed", fmt.Sprintf("and %d more", len(m.Failures)-i))
			break
		}
		line(f.State, f.String())
	}
	line("out of traffic", short(20, m.OutOfTraffic))
	line("next", m.Next)
	m.Text = strings.TrimSpace(b.String()) + "\n"
	return m
}

// String is how an operator reads it.
func (v Version) String() string {
	switch {
	case v.From == "":
		return v.Service + " " + v.To
	case v.To == "":
		return v.Service + " from " + v.From
	}
	return v.Service + " " + v.From + " -> " + v.To
}

// String is how an operator reads it.
func (f Failure) String() string {
	parts := []string{}
	for _, p := range []string{f.Unit, short(10, f.Hosts), f.Task, f.Message} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ": ")
}

// short names the first of a list, and counts the others.
func short(most int, list []string) string {
	if most < 0 || len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// Sample is a message in which every field has a value.
func Sample(event string, now time.Time) Message {
	return Message{
		Event: event, Test: true, Time: now, Project: "sample", Run: "20261121-131502", By: "alice on control1",
		Stage: "non-control-plane", Role: "Web", Unit: "non-control-plane/1/Web", Batch: 2, Hosts: []string{"web2", "web3"}, Count: 2,
		Versions: []Version{{Service: "webapp", From: "1.9", To: "1.10"}}, State: "failed", Seconds: 83, Try: 1, Tries: 2,
		FailedHosts: []string{"web2"}, Message: "this is a test: nothing has happened",
		Failures: []Failure{{
			Unit: "non-control-plane/1/step4/Web", Hosts: []string{"web2"}, State: "failed",
			Task: "Start the web server (services/web.yaml:17)", Message: "no failure: this is a test",
		}},
		OutOfTraffic: []string{"web2"}, Next: "upstep run",
	}.worded()
}
