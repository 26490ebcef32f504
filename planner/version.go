package planner

import (
	"regexp"
	"strings"
)

// VersionForm is how a version is taken apart, in small letters: epoch, numbers, a
// pre-release and its number (a, b and c only with one), and the rest, such as the
// revision of a package. Go and Python read it alike.
const VersionForm = `^(?:([0-9]+):)?v?([0-9]+(?:[.][0-9]+)*)(?:[-._~]?(alpha|beta|preview|pre|rc|dev)[-._]?([0-9]*)|([abc])([0-9]+))?(\S*)$`

// VersionsDir is the folder of the emitted tree in which versions are asked for and what
// follows from them is decided. Its tasks touch nothing but what upstep itself keeps.
const VersionsDir = "versions"

// OnVersions tells whether a file of the emitted tree is one of that folder.
func OnVersions(file string) bool { return strings.HasPrefix(file, VersionsDir+"/") }

var versionForm = regexp.MustCompile(VersionForm)

// Version is a version taken apart, as the playbooks take those apart that are installed.
type Version struct {
	Epoch    string // "" for none
	Number   string // numbers and pre-release, as PEP 440 writes them
	Revision string // the numbers of the rest, joined with dots; "" for none
}

// ParseVersion takes a version apart: 21.2.4, v1.10-rc1, 3:21.2.4-0ubuntu2.8.
func ParseVersion(text string) (Version, bool) {
	m := versionForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return Version{}, false
	}
	return Version{Epoch: m[1], Number: strings.Join(m[2:7], ""), Revision: strings.Join(digits.FindAllString(m[7], -1), ".")}, true
}

var digits = regexp.MustCompile(`[0-9]+`)
