// Package services reads service definitions: what each service wants done when it
// is upgraded, and what it depends on.
package services

import (
	"io/fs"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// Service is one deployable unit as its author defined it.
type Service struct {
	Name        string
	Description string
	Pos         source.Pos
	Stage       string // "" when the role decides
	StagePos    source.Pos
	DependsOn   []Dependency
	Behind      string // the service that carries this one's traffic, or ""
	BehindPos   source.Pos
	Version     Version
	Disk        []Need // in their written order
	Artefacts   []Artefact
	Requires    []Requirement
	Lists       map[tasks.ListName][]tasks.Task
	Handlers    []tasks.Handler
	Vars        tasks.Vars
	Play        []tasks.Keyword
	Read        Reading
	Digest      string // SHA-256 of the file that defines it, in hex
	Pack        *Pack  // nil where no pack.yaml stands beside it
	Assets      []Asset
	Included    []string    // handlers that the pack's own files of tasks notify, as written
	Uses        []tasks.Use // variables that its expressions name, each once
}

// Reading tells how much of a service's file could be read. What a file with errors
// does not say is not held against it or others.
type Reading int

// A file that was read whole, one with errors in it, and one of which only the name is
// known, be it from its text or only from the file's own name.
const (
	Whole Reading = iota
	InPart
	NameOnly
	NameGuessed
)

// Dependency says that a service comes after another.
type Dependency struct {
	Service  string
	Upgraded bool // until: upgraded; else in every step
	HostOnly bool // scope: host; only on the dependent's own role
	Pos      source.Pos
}

// Version is where an upgrade of a service leads, and how the installed one is found.
type Version struct {
	Target string // may hold {{ input }}
	Pos    source.Pos
	Probe  string
}

// Asset is a file of a pack that goes with it.
type Asset struct {
	Path string // below the pack's folder, with slashes
	Mode fs.FileMode
	Data []byte
}

// Registered gives every variable that the service's tasks register or set, sorted.
func (s *Service) Registered() []string { return registered(s) }
