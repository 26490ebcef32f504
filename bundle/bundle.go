// Package bundle carries an upgrade to where there is no network: the emitted tree, what
// its tasks need and what runs them, as one file. The same input gives the same bytes, and
// whatever was changed on the way is found before anything runs.
package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/upstep/upstep/archive"
)

// Format names the version of what a bundle is.
const Format = "upstep.bundle/1"

// What stands in every bundle, below its folder.
const (
	ManifestFile  = "MANIFEST.json"
	SumsFile      = "SHA256SUMS"
	SignatureFile = SumsFile + ".minisig"
	LauncherFile  = "upgrade"
	BinaryFile    = "bin/upstep"
	ProjectFolder = "project"
	PlanFile      = treeFolder + "/plan.json"
)

const (
	treeFolder      = ProjectFolder + "/playbooks"
	inventoryFolder = ProjectFolder + "/inventory"
	packageFolder   = "packages"
	// stateFolder is where a run is written down; it is no part of what was bundled.
	stateFolder = ProjectFolder + "/.upstep"
)

// InstallRoot is the folder below which packages put bundles, each by its name.
const InstallRoot = "/opt/upstep"

// Manifest says what a bundle is.
type Manifest struct {
	Format       string `json:"format"`
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"` // as Go names it, such as amd64
	Upstep       string `json:"upstep"`       // the version that made the bundle
	Title        string `json:"title"`        // what is upgraded, for people
	Route        []Hop  `json:"route,omitempty"`
	// Plan is the SHA-256 of the plan document.
	Plan      string     `json:"plan"`
	Inventory Inventory  `json:"inventory"`
	Artefacts []Artefact `json:"artefacts"`
	Ansible   *Ansible   `json:"ansible,omitempty"`
	// Executable names the files that run; of a file's mode that is all that counts.
	Executable []string `json:"executable"`
}

// Hop is a jump of the route.
type Hop struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Artefact is a payload file, by its path below the project.
type Artefact struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// Inventory says whose hosts a bundle upgrades.
type Inventory string

// The kinds of inventories.
const (
	Itself   Inventory = "itself"   // the machine that the bundle is run on
	Included Inventory = "included" // one that was given when it was made
	Site     Inventory = "site"     // none: it is given when it is run
)

// Ansible is the Ansible that a bundle brings along.
type Ansible struct {
	System   string    `json:"system"` // for which distribution, such as "debian 12"
	Packages []Package `json:"packages"`
}

// Package is a package of a distribution.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	File    string `json:"file"` // its name in the folder packages
}

// Folder is the folder of a bundle in an archive.
func (m *Manifest) Folder() string { return m.Name + "-" + m.Version }

// Installed is the folder in which a package puts the bundle.
func (m *Manifest) Installed() string { return InstallRoot + "/" + m.Name }

func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return b.Bytes(), nil
}

func decode(text []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if m.Format != Format {
		return nil, fmt.Errorf("%s: format %q is not %q: another version of upstep made the bundle", ManifestFile, m.Format, Format)
	}
	return &m, nil
}

// Above finds the bundle that a folder stands in: the folder itself or one above it that
// has most of what every bundle has, so that a bundle which lost a file is still found.
func Above(dir string) (string, bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for ; ; dir = filepath.Dir(dir) {
		found := 0
		for _, name := range []string{ManifestFile, SumsFile, LauncherFile, BinaryFile} {
			if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
				found++
			}
		}
		if found > 1 {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
	}
}

// executables gives the paths of the entries that run.
func executables(entries []archive.Entry) []string {
	out := []string{}
	for _, e := range entries {
		if e.Executable {
			out = append(out, e.Path)
		}
	}
	slices.Sort(out)
	return out
}
