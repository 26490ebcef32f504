package settings

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// Release is a declared jump from one version to the next.
type Release struct {
	From, To string
	Services string // the folder of the services of this jump, from the project's
	Notes    string
	Blocked  string // why it must not be taken; "" where it may
	Pos      source.Pos
}

// Name names the jump, as its folder does.
func (r Release) Name() string { return r.From + "-" + r.To }

// releases reads the jumps that exist.
func (s *Settings) releases(v source.Node, sink *source.Sink) []Release {
	if !v.Exists() {
		return nil
	}
	const how = "write releases: [{from: VERSION, to: VERSION, services: FOLDER}]"
	if v.Kind() != source.List {
		s.Partial = true
		sink.Errorf(v.Pos(), "releases must be a list, not %s", shape(v)).WithHint(how)
		return nil
	}
	var out []Release
	for _, it := range v.Items() {
		if it.Kind() != source.Map {
			s.Partial = true
			sink.Errorf(it.Pos(), "a release must be a mapping, not %s", shape(it)).WithHint(how)
			continue
		}
		f := source.ReadFields(it, "the release", sink, "from", "to", "services", "notes", "blocked")
		r := Release{From: f.Required("from"), To: f.Required("to"), Services: f.String("services"), Notes: f.String("notes"), Blocked: f.Line("blocked"), Pos: it.Pos()}
		ok := r.From != "" && r.To != ""
		for _, key := range []string{"from", "to"} {
			ok = versionWord(f, key, sink) && ok
		}
		if b := f.Get("blocked"); b.Exists() && b.Scalar() == true {
			sink.Errorf(b.Pos(), "blocked takes the reason, not true").WithHint("write blocked: WHY")
		}
		switch i := slices.IndexFunc(out, func(o Release) bool { return o.From == r.From && o.To == r.To }); {
		case !ok:
			s.Partial = true
			continue
		case r.From == r.To:
			sink.Errorf(it.Pos(), "a release from %s to itself", r.From).WithHint("from and to are two versions")
			continue
		case i >= 0:
			sink.Errorf(it.Pos(), "the jump from %s to %s stands twice", r.From, r.To).WithHint("it stands first in " + out[i].Pos.Short() + "; remove one of the two")
			continue
		}
		if r.Services == "" {
			r.Services = "services"
		}
		if !filepath.IsLocal(r.Services) {
			sink.Errorf(f.PosOf("services"), "services: %s leads out of the project", r.Services).WithHint("name a folder of the project")
			continue
		}
		r.Services = path.Clean(filepath.ToSlash(r.Services))
		out = append(out, r)
	}
	return out
}

// versionWord refuses a version that cannot be part of a folder's name.
func versionWord(f source.Fields, key string, sink *source.Sink) bool {
	v := f.String(key)
	switch {
	case v == "":
		return false
	case len(v) > source.NameLimit/4 || strings.ContainsAny(v, "/\\ \t") || !fs.ValidPath(v):
		sink.Errorf(f.PosOf(key), "version %q is not usable in a folder's name", v).WithHint("write it without spaces and slashes")
		return false
	}
	return true
}
