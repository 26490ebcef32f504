package services

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

// Artefact is a file beside the definitions that a service's tasks bring to its hosts.
type Artefact struct {
	File   string // below the project's folder, with slashes
	SHA256 string // in hex, as its author wrote it
	Pos    source.Pos
}

var sumForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (p *parser) artefacts(f source.Fields) []Artefact {
	v := f.Get("artefacts")
	if !v.Exists() {
		return nil
	}
	const how = "write artefacts: {payload/app-4.0.1.tar.gz: SHA256}"
	if v.Kind() != source.Map {
		p.sink.Errorf(v.Pos(), "artefacts must be a mapping of files to their SHA-256, not %s", v.Kind()).WithHint(how)
		return nil
	}
	var out []Artefact
	first := map[string]source.Pos{}
	for _, e := range v.Entries() {
		a := Artefact{File: e.Key.Text(), SHA256: strings.ToLower(e.Value.Text()), Pos: e.Key.Pos()}
		if !p.below(a) {
			continue
		}
		if at, twice := first[a.File]; twice {
			p.sink.Errorf(a.Pos, "%q stands twice in artefacts", a.File).WithHint("it stands first at " + at.Short())
			continue
		}
		first[a.File] = a.Pos
		if !sumForm.MatchString(a.SHA256) {
			what := strconv.Quote(e.Value.Text())
			if e.Value.Kind() != source.Scalar || e.Value.Text() == "" {
				what = "nothing"
			}
			p.sink.Errorf(e.Value.Pos(), "the checksum of %s must be a SHA-256 of 64 hex digits, not %s", a.File, what).WithHint("sha256sum " + a.File + " prints it")
			continue
		}
		out = append(out, a)
	}
	return out
}

// below tells whether a file can be found in every copy of the project, and reports what
// is wrong.
func (p *parser) below(a Artefact) bool {
	const plain = "a path below the project's folder, without expressions"
	switch clean := path.Clean(a.File); {
	case !p.literal(a.Pos, "artefact "+strconv.Quote(a.File), a.File, plain):
	case a.File == "" || strings.HasPrefix(a.File, "/") || clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(a.File, `\`):
		p.sink.Errorf(a.Pos, "artefact %q leads out of the project", a.File).WithHint("write " + plain)
	case clean != a.File:
		p.sink.Errorf(a.Pos, "artefact %q is not in its shortest form", a.File).WithHint("write " + clean)
	case a.File == ".upstep" || strings.HasPrefix(a.File, ".upstep/") || strings.HasPrefix(a.File, "playbooks/"):
		p.sink.Errorf(a.Pos, "artefact %q stands where upstep writes", a.File).WithHint("keep it in a folder such as payload/")
	default:
		return true
	}
	return false
}
