// Package planner joins services and roles into one ordered plan. It is pure: the
// same values give the same plan, whatever order they come in, and it knows no
// clock, no path and no network.
package planner

import (
	"slices"
	"strings"

	"github.com/upstep/upstep/calendar"
	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/tasks"
)

// Format names the version of the plan document.
const Format = "upstep.plan/1"

// PostUpgrade is the name of the stage that comes after every other.
const PostUpgrade = "post_upgrade"

// Retire is the name of the stage in which what was replaced is taken away, the last of all.
const Retire = "retire"

// Plan is everything that a run needs. It is a document: it can be saved, compared
// and run later, and it never refers to the files it came from but to name them.
type Plan struct {
	Format      string                  `json:"format"`
	Name        string                  `json:"name,omitempty"`
	Hop         *Hop                    `json:"hop,omitempty"`  // which jump of a route this is; none: the whole upgrade
	Undo        string                  `json:"undo,omitempty"` // the run that this plan takes back; none: it is an upgrade
	Ordering    string                  `json:"ordering"`       // barrier or dependencies: whether steps and waves are barriers
	Parallelism int                     `json:"parallelism,omitempty"`
	Forks       int                     `json:"forks,omitempty"`
	Windows     []calendar.Window       `json:"windows,omitempty"` // when work may begin; none: at any time
	Notify      []settings.Notification `json:"notify,omitempty"`
	// AllowDowngrade: hosts with a later version than the target are not refused.
	AllowDowngrade bool         `json:"allow_downgrade,omitempty"`
	HostsKnown     bool         `json:"hosts_known"` // an inventory was given
	Inputs         []Input      `json:"inputs,omitempty"`
	Vars           string       `json:"vars,omitempty"` // YAML of upgrade.yaml's vars, keys at the left margin
	Play           []Keyword    `json:"play,omitempty"`
	Steps          []StepName   `json:"steps,omitempty"`
	Roles          []Role       `json:"roles"`
	Preflight      []Unit       `json:"preflight,omitempty"`
	Before         []Deployment `json:"before,omitempty"`
	Stages         []Stage      `json:"stages"`
	After          []Deployment `json:"after,omitempty"`
	Rollback       []Stage      `json:"rollback,omitempty"`
	Services       []Service    `json:"services"`
	Ignored        []Note       `json:"ignored,omitempty"`
	Notes          []Note       `json:"notes,omitempty"`
	Sources        []Source     `json:"sources,omitempty"`
	graph          *Graph
	lookup         *lookup
}

// Input is a parameter of the run and its value, as JSON.
type Input struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Value rawJSON `json:"value"`
}

// Keyword is a play keyword as written.
type Keyword struct {
	Name string `json:"name"`
	Text string `json:"text"` // "key: value", YAML
}

// StepName is a step's number and what it is for.
type StepName struct {
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"`
}

// Place is a file and a line in it.
type Place struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Note is something the reader of a plan should know.
type Note struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	Place
}

// Source is an input file and the SHA-256 of its bytes, in hex.
type Source struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// Role is a group of hosts and what stands on it.
type Role struct {
	Name     string    `json:"name"`
	Hosts    string    `json:"hosts"` // inventory pattern
	Members  []string  `json:"members,omitempty"`
	Optional bool      `json:"optional,omitempty"`
	Services []string  `json:"services"`
	Rolling  *Rolling  `json:"rolling,omitempty"`
	Replace  *Replace  `json:"replace,omitempty"`  // other hosts take over from its own
	Replaces string    `json:"replaces,omitempty"` // the role that its hosts take over from; it was made for that
	Health   Health    `json:"health"`
	Play     []Keyword `json:"play,omitempty"`
	Place
}

// Rolling is how a role goes through its hosts in batches. Durations are written as 1m30s.
type Rolling struct {
	Batch       []string   `json:"batch"`
	Batches     [][]string `json:"batches,omitempty"` // with hosts known
	Percentage  int        `json:"percentage"`
	Pause       Duration   `json:"pause,omitempty"`
	Drain       string     `json:"drain"`
	MaxFailures string     `json:"max_failures"`
	Tries       int        `json:"tries"`
	RetryDelay  Duration   `json:"retry_delay"`
	UnitTimeout Duration   `json:"unit_timeout,omitempty"`
}

// Replace is who takes over from a role's hosts, and how long these stay afterwards.
type Replace struct {
	By   string   `json:"by"`   // the role of the hosts that take over
	Keep Duration `json:"keep"` // after the cut over, before the old hosts are retired
	// UntilTold: they stay until the operator says that they may go.
	UntilTold bool `json:"until_told,omitempty"`
}

// Health is how often a gate of health tasks is tried.
type Health struct {
	Tries       int      `json:"tries"`
	Delay       Duration `json:"delay"`
	Consecutive int      `json:"consecutive"`
}

// Stage is a span of the upgrade that an operator may stop after. Stages never overlap.
type Stage struct {
	Name    string `json:"name"`
	Approve bool   `json:"approve,omitempty"`
	Waves   []Wave `json:"waves"`
}

// Wave holds the services that step together; a wave ends before the next begins.
type Wave struct {
	Number int     `json:"number"`
	Steps  []Step  `json:"steps,omitempty"`
	Health []Unit  `json:"health,omitempty"` // gates of roles that are not rolling, after the last step
	Tracks []Track `json:"tracks,omitempty"`
}

// Step is one step of a wave, over all its roles: every unit of it ends before the next step begins.
type Step struct {
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"`
	Units  []Unit `json:"units"`
}

// Track takes a rolling role through a wave, batch by batch; each batch goes through the parts in order.
// Of a role that is replaced it is the phases, on the hosts that take over or on the old ones.
type Track struct {
	Role  string  `json:"role"`
	Parts []Unit  `json:"parts"`
	After []After `json:"after,omitempty"`
}

// Kind is what a unit does.
type Kind string

// The kinds of units.
const (
	KindPreflight Kind = "preflight"
	KindDrain     Kind = "drain"
	KindStep      Kind = "step"
	KindHealth    Kind = "health"
	KindRestore   Kind = "restore"
)

// The kinds that are phases of a replacement only.
const (
	KindDeploy  Kind = "deploy"
	KindCarry   Kind = "carry"
	KindVerify  Kind = "verify"
	KindCutOver Kind = "cut_over"
	KindCutBack Kind = "cut_back"
	KindRetire  Kind = "retire"
)

// Words is the kind as people read it.
func (k Kind) Words() string { return strings.ReplaceAll(string(k), "_", " ") }

// Unit is one role's tasks in one step of one wave: the smallest thing emitted, run and resumed.
type Unit struct {
	ID       string    `json:"id"`
	Kind     Kind      `json:"kind"`
	Role     string    `json:"role"`
	Step     int       `json:"step"`
	Once     bool      `json:"once,omitempty"`     // holds one run_once task, which must not run again once it ended
	Backup   bool      `json:"backup,omitempty"`   // holds the backup of a service, before its first migration
	Throttle bool      `json:"throttle,omitempty"` // holds a task that limits how many hosts it runs on at a time
	Hosts    []string  `json:"hosts,omitempty"`    // the only ones; none: all of the role's
	Segments []Segment `json:"segments"`
	LeftOut  []LeftOut `json:"left_out,omitempty"` // what an identical task of the unit stands for
	After    []After   `json:"after,omitempty"`
}

// apart tells whether nothing else stands in a unit.
func (u *Unit) apart() bool { return u.Once || u.Backup }

// Segment is one service's part of a unit, its tasks by their ids.
type Segment struct {
	Service string   `json:"service"`
	Tasks   []string `json:"tasks"`
	// Links says that these are not the service's own tasks but those of the services
	// that carry its traffic: "unlink" or "establish".
	Links string `json:"links,omitempty"`
}

// LeftOut is a task that the unit's role has no second time in the step (identical_tasks:
// once): an identical one, which comes first, stands for it.
type LeftOut struct {
	Service  string `json:"service"`
	Task     string `json:"task"` // its id
	Name     string `json:"name,omitempty"`
	SameAs   string `json:"same_as"`   // the service whose task stands for it
	SameTask string `json:"same_task"` // the id of that task
	Place
}

// After says which unit ends before this one begins, and why.
type After struct {
	Unit   string `json:"unit"`
	Reason string `json:"reason"`
	Place
}

// Service is a service as far as a run needs it.
type Service struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	PackVersion string        `json:"pack_version,omitempty"` // of the pack that it came as; none: it is no pack with a pack.yaml
	Target      string        `json:"target,omitempty"`
	Probe       string        `json:"probe,omitempty"`
	Disk        []Disk        `json:"disk,omitempty"`
	Requires    []Requirement `json:"requires,omitempty"`
	Artefacts   []Artefact    `json:"artefacts,omitempty"`
	Behind      string        `json:"behind,omitempty"`
	Bootstrap   bool          `json:"bootstrap,omitempty"` // tasks hang on upstep_bootstrap
	DependsOn   []Dependency  `json:"depends_on,omitempty"`
	Placements  []Placement   `json:"placements"`
	Vars        string        `json:"vars,omitempty"`
	Play        []Keyword     `json:"play,omitempty"`
	Tasks       []Task        `json:"tasks,omitempty"`
	Delegates   []Delegate    `json:"delegates,omitempty"`
	Handlers    []Task        `json:"handlers,omitempty"`
	Assets      []Asset       `json:"assets,omitempty"`
	Place
}

// Dependency is one line of depends_on and what became of it.
type Dependency struct {
	Service string `json:"service"`
	// Kind is what it orders: step, within steps only; upgraded, in a later wave; rolling,
	// the same because one of the two is on a rolling role; stage, nothing beyond the
	// order of stages; ignored, as it is placed on no role.
	Kind  string `json:"kind"`
	Scope string `json:"scope,omitempty"`
	Place
}

// Placement is where a service stands.
type Placement struct {
	Role      string `json:"role"`
	Stage     string `json:"stage"`
	StageFrom Place  `json:"stage_from,omitzero"` // the line that says the stage; none: the last by default
	Wave      int    `json:"wave,omitempty"`      // 0: no tasks in the stage
	// WaveAfter says which dependencies keep it out of an earlier wave.
	WaveAfter []After `json:"wave_after,omitempty"`
	Place
}

// Task is one task with its text as it is emitted, dash at the left margin.
type Task struct {
	ID   string         `json:"id"` // within its service: upgrade_tasks.3, for a part of a split block upgrade_tasks.3/step1
	List tasks.ListName `json:"list,omitempty"`
	Name string         `json:"name,omitempty"`
	Line int            `json:"line"`
	Once bool           `json:"once,omitempty"`
	// Migration says that it changes a schema.
	Migration bool   `json:"migration,omitempty"`
	Text      string `json:"text"`
}

// Disk is free space that a service needs on each of its hosts.
type Disk struct {
	Path  string `json:"path"`
	Size  string `json:"size"` // as written: 2G
	Bytes int64  `json:"bytes"`
}

// Artefact is a file of the project that tasks of a service bring to its hosts; it stands
// outside of the emitted tree.
type Artefact struct {
	File   string `json:"file"`   // below the project's folder, with slashes
	SHA256 string `json:"sha256"` // in hex
}

// Delegate is a task that runs on another host than its own: preflight asks that host too.
type Delegate struct {
	Task  string   `json:"task"` // the element of a task list that it is, or is part of
	Name  string   `json:"name,omitempty"`
	Line  int      `json:"line"`
	To    string   `json:"to"` // as delegate_to says
	When  []string `json:"when,omitempty"`
	Loop  string   `json:"loop,omitempty"` // YAML, where to or when need it
	Vars  string   `json:"vars,omitempty"` // YAML, of the task and its blocks, as far as they are needed
	NoLog bool     `json:"no_log,omitempty"`
	// NotAsked says why preflight does not ask it.
	NotAsked string `json:"not_asked,omitempty"`
}

// Asset is a file of a pack; its bytes stand in the emitted tree.
type Asset struct {
	Path       string `json:"path"`
	Executable bool   `json:"executable,omitempty"`
	SHA256     string `json:"sha256"`
	Data       []byte `json:"-"`
}

// Deployment is a play's worth of tasks that belongs to no service.
type Deployment struct {
	Name  string    `json:"name"`
	Hosts string    `json:"hosts"`
	Vars  string    `json:"vars,omitempty"`
	Play  []Keyword `json:"play,omitempty"`
	Tasks []Task    `json:"tasks"`
	Place
}

// ServiceByName finds a service of the plan.
func (p *Plan) ServiceByName(name string) *Service {
	for i := range p.Services {
		if p.Services[i].Name == name {
			return &p.Services[i]
		}
	}
	return nil
}

// RoleByName finds a role of the plan.
func (p *Plan) RoleByName(name string) *Role {
	for i := range p.Roles {
		if p.Roles[i].Name == name {
			return &p.Roles[i]
		}
	}
	return nil
}

// Units calls f for every unit of a stage, in the order of the plan.
func (s Stage) Units(f func(Wave, Unit)) {
	for _, w := range s.Waves {
		for _, st := range w.Steps {
			for _, u := range st.Units {
				f(w, u)
			}
		}
		for _, u := range w.Health {
			f(w, u)
		}
		for _, t := range w.Tracks {
			for _, u := range t.Parts {
				f(w, u)
			}
		}
	}
}

// HostsOf gives the hosts that a unit works on, in their role's order; none where they
// are not known.
func (p *Plan) HostsOf(u Unit) []string {
	if len(u.Hosts) > 0 {
		return u.Hosts
	}
	if r := p.RoleByName(u.Role); r != nil {
		return r.Members
	}
	return nil
}

// TrackHosts gives the hosts that any part of a track works on, in their role's order.
func (p *Plan) TrackHosts(t Track) []string {
	role := p.RoleByName(t.Role)
	if role == nil || !slices.ContainsFunc(t.Parts, func(u Unit) bool { return len(u.Hosts) > 0 }) {
		return p.HostsOf(t.Parts[0])
	}
	return slices.DeleteFunc(slices.Clone(role.Members), func(h string) bool {
		return !slices.ContainsFunc(t.Parts, func(u Unit) bool { return slices.Contains(p.HostsOf(u), h) })
	})
}

// Replaced tells whether a track is the replacement of a role, or takes away what was
// replaced: each of its parts is a play of its own, on hosts of its own role.
func (p *Plan) Replaced(t Track) bool { return p.RoleByName(t.Role).Replace != nil }

// Instances gives the role whose hosts are replaced and the role of those that take over,
// of either of the two; ok is false for any other role.
func (p *Plan) Instances(role string) (old, taking *Role, ok bool) {
	r := p.RoleByName(role)
	switch {
	case r == nil:
		return nil, nil, false
	case r.Replace != nil:
		return r, p.RoleByName(r.Replace.By), true
	case r.Replaces != "":
		return p.RoleByName(r.Replaces), r, true
	}
	return nil, nil, false
}

// WorkedOn gives the hosts of a role that the plan has something to do on: all, but where
// it takes a run back.
func (p *Plan) WorkedOn(role string) []string {
	r := p.RoleByName(role)
	if p.Undo == "" {
		return r.Members
	}
	on := map[string]bool{}
	for _, s := range p.Stages {
		s.Units(func(_ Wave, u Unit) {
			if u.Role == role {
				for _, h := range p.HostsOf(u) {
					on[h] = true
				}
			}
		})
	}
	return slices.DeleteFunc(slices.Clone(r.Members), func(h string) bool { return !on[h] })
}
