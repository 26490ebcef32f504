package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/archive"
)

// Report is what an intact bundle is.
type Report struct {
	Manifest
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"` // of all files together
	// SignedBy is the id of the key that the signature names; "": it has none.
	SignedBy string `json:"signed_by,omitempty"`
	// Trusted says that the signature was checked, and is by a key that is trusted here.
	Trusted bool `json:"trusted"`
}

// Difference is a file of a bundle that is not as it was bundled.
type Difference struct {
	Path string `json:"path"`
	What string `json:"what"` // changed, missing, does not belong, ...
}

// ChangedError says what of a bundle is not as it was bundled, sorted by path.
type ChangedError struct {
	Name        string // the file or folder, as it was named
	Differences []Difference
}

// Error names the bundle; the differences are listed apart.
func (e *ChangedError) Error() string { return e.Name + " is not as it was bundled" }

// Hint says what to do.
func (e *ChangedError) Hint() string { return "get the bundle anew; nothing of this one was run" }

// VerifyFolder checks the folder of a bundle: every file as it was bundled, none missing
// and none beside them but the record of runs. What differs is a *ChangedError. With keys
// it must be signed by one of them; what is not is an *UntrustedError.
func VerifyFolder(dir string, keys []Key) (*Report, error) {
	sums, err := own(dir, SumsFile)
	if err != nil {
		return nil, err
	}
	signature, err := own(dir, SignatureFile)
	if err != nil {
		return nil, err
	}
	if root, ok := Above(dir); sums == nil && (!ok || !sameFolder(root, dir)) {
		return nil, &FileError{dir, "is no bundle: it has no " + SumsFile, true}
	}
	r := &Report{SignedBy: signedBy(signature)}
	if len(keys) > 0 && sums != nil {
		if r.SignedBy, err = trusted(keys, sums, signature); err != nil {
			return nil, err
		}
		r.Trusted = true
	}
	entries, strange, err := read(dir)
	if err != nil {
		return nil, err
	}
	differences := compare(sums, entries, strange)
	text, err := own(dir, ManifestFile)
	if err != nil {
		return nil, err
	}
	if len(differences) == 0 {
		if !json.Valid(text) {
			return nil, &ChangedError{dir, []Difference{{ManifestFile, "is not as upstep writes it"}}}
		}
		m, err := decode(text)
		if err != nil {
			return nil, err
		}
		r.Manifest = *m
		differences = modes(entries, m)
	}
	if len(differences) > 0 {
		return nil, &ChangedError{dir, differences}
	}
	for _, e := range entries {
		r.Files++
		r.Bytes += e.Size
	}
	return r, nil
}

func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}

// own reads a file of the bundle's own; nil where it is not there.
func own(dir, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // below the bundle
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// compare holds what stands there against the list of sums.
func compare(sums []byte, entries []archive.Entry, strange []string) []Difference {
	var out []Difference
	for _, path := range strange {
		out = append(out, Difference{path, "is no regular file"})
	}
	if sums == nil {
		return append(out, Difference{SumsFile, "missing"})
	}
	listed := slices.DeleteFunc(slices.Clone(entries), func(e archive.Entry) bool { return e.Path == SignatureFile })
	err := archive.CheckSums(sums, SumsFile, listed)
	var differ *archive.SumsError
	switch {
	case errors.As(err, &differ):
	case err != nil:
		return append(out, Difference{SumsFile, err.Error()})
	default:
		differ = &archive.SumsError{}
	}
	for _, l := range []struct {
		what  string
		paths []string
	}{{"changed", differ.Changed}, {"missing", differ.Missing}, {"does not belong", differ.Extra}} {
		for _, p := range l.paths {
			if l.what != "missing" || !slices.Contains(strange, p) {
				out = append(out, Difference{p, l.what})
			}
		}
	}
	for _, name := range []string{ManifestFile, LauncherFile, BinaryFile, PlanFile} {
		there := slices.ContainsFunc(entries, func(e archive.Entry) bool { return e.Path == name })
		if !there && !slices.ContainsFunc(out, func(d Difference) bool { return d.Path == name }) {
			out = append(out, Difference{name, "missing"})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// modes compares which files run.
func modes(entries []archive.Entry, m *Manifest) []Difference {
	var out []Difference
	for _, e := range entries {
		if runs := slices.Contains(m.Executable, e.Path); runs != e.Executable {
			out = append(out, Difference{e.Path, fmt.Sprintf("its mode was changed: it must%s be executable", map[bool]string{false: " not"}[runs])})
		}
	}
	return out
}
