package services

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/upstep/upstep/archive"
	"github.com/upstep/upstep/source"
)

// PackFile is what makes a service's folder a pack that can be carried elsewhere;
// PackSums lists its files' sums where it was carried.
const (
	PackFile = "pack.yaml"
	PackSums = "SHA256SUMS"
)

// Pack is what pack.yaml says of a service. A pack has the service's name.
type Pack struct {
	Version     string
	Description string
	Needs       []PackNeed
	Parameters  []Parameter // in their written order
	Pos         source.Pos
	Digest      string // SHA-256 of pack.yaml, in hex
	// ValuesFile is the file that gave the parameters their values, ValuesDigest its
	// SHA-256; empty where there is none.
	ValuesFile, ValuesDigest string
}

// PackNeed is another pack that a pack works with.
type PackNeed struct {
	Pack    string
	Version string // a range such as ">= 1.2, < 2"; "" for any
	Pos     source.Pos
	allowed version.Constraints
}

// Allows tells whether a version of the needed pack will do.
func (n PackNeed) Allows(v string) bool {
	if len(n.allowed) == 0 {
		return true
	}
	have, err := version.NewVersion(v)
	return err == nil && n.allowed.Check(have)
}

// ComparePackVersions orders two versions of a pack as versions: 1.10 comes after 1.9.
func ComparePackVersions(a, b string) int {
	x, xerr := version.NewVersion(a)
	y, yerr := version.NewVersion(b)
	if xerr != nil || yerr != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// LoadPack reads the pack in the folder dir of fsys; shown is the folder's name for
// people. A folder without pack.yaml or README.md is none.
func LoadPack(fsys fs.FS, dir, shown string, sink *source.Sink) Service {
	file := "service.yaml"
	if _, err := fs.Stat(fsys, path.Join(dir, "service.yml")); err == nil {
		file = "service.yml"
	}
	s := readOne(fsys, definition{path.Join(dir, file), path.Join(shown, file), dir}, sink)
	for _, name := range []string{PackFile, "README.md"} {
		if info, err := fs.Stat(fsys, path.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			sink.Errorf(source.Pos{File: shown}, "a pack has a %s, and this folder has none", name).WithHint(map[string]string{
				PackFile:    "write name: " + s.Name + " and version: 1.0.0 into " + path.Join(shown, PackFile),
				"README.md": "say in it what the pack is for and what whoever installs it must know",
			}[name])
		}
	}
	return s
}

// readPack reads the pack.yaml beside a service's definition; nil where there is none.
func readPack(fsys fs.FS, dir, shown string, svc *Service, sink *source.Sink) *Pack {
	if _, err := fs.Lstat(fsys, path.Join(dir, PackFile)); err != nil {
		return nil
	}
	f, ok := source.Read(fsys, path.Join(dir, PackFile), path.Join(shown, PackFile), "pack", sink)
	if !ok {
		return nil
	}
	root, ok := source.Parse(f, sink)
	if !ok {
		return nil
	}
	if root.Kind() != source.Map {
		sink.Errorf(root.Pos(), "the pack must be a mapping, not %s", root.Kind()).WithHint("begin with name: " + svc.Name)
		return nil
	}
	fields := source.ReadFields(root, "the pack", sink, "name", "version", "description", "needs", "parameters")
	p := &Pack{Description: fields.String("description"), Pos: fields.PosOf("name"), Digest: archive.Sum(f.Text)}
	if name := fields.Required("name"); name != "" && svc.Name != "" && name != svc.Name {
		sink.Errorf(p.Pos, "the pack's name %q is not that of its service", name).
			WithHint("service_name is " + svc.Name + " (" + svc.Pos.Short() + "): a pack has the name of its service")
	}
	p.Version = packVersion(fields, sink)
	p.Needs = needs(fields.Get("needs"), svc.Name, sink)
	p.Parameters = parameters(fields.Get("parameters"), svc, sink)
	return p
}

var versionForm = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*(-[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?(\+[0-9A-Za-z]+([.-][0-9A-Za-z]+)*)?$`)

func packVersion(f source.Fields, sink *source.Sink) string {
	v := f.Required("version")
	if v == "" {
		return ""
	}
	if _, err := version.NewVersion(v); err != nil || !versionForm.MatchString(v) || len(v) > 64 {
		sink.Errorf(f.PosOf("version"), "%q is no version of a pack", v).WithHint("write numbers with points, such as 1.2.0 or 1.2.0-rc1")
		return ""
	}
	return v
}

func needs(v source.Node, own string, sink *source.Sink) []PackNeed {
	if !v.Exists() {
		return nil
	}
	const how = `write needs: [{pack: NAME, version: ">= 1.2, < 2"}]`
	if v.Kind() != source.List {
		sink.Errorf(v.Pos(), "needs must be a list, not %s", v.Kind()).WithHint(how)
		return nil
	}
	var out []PackNeed
	first := map[string]source.Pos{}
	for _, it := range v.Items() {
		if it.Kind() != source.Map {
			sink.Errorf(it.Pos(), "a need must be a mapping, not %s", it.Kind()).WithHint(how)
			continue
		}
		f := source.ReadFields(it, "the need", sink, "pack", "version")
		n := PackNeed{Pack: f.Required("pack"), Version: f.Line("version"), Pos: it.Pos()}
		at, twice := first[n.Pack]
		switch {
		case n.Pack == "":
			continue
		case n.Pack == own:
			sink.Errorf(n.Pos, "the pack needs itself")
			continue
		case twice:
			sink.Errorf(n.Pos, "%q stands twice in needs", n.Pack).WithHint("it stands first at " + at.Short())
			continue
		}
		first[n.Pack] = n.Pos
		if n.Version != "" {
			var err error
			if n.allowed, err = version.NewConstraint(n.Version); err != nil {
				sink.Errorf(f.PosOf("version"), "%q is no range of versions", n.Version).WithHint(`write ">= 1.2, < 2", "~> 1.4" or "1.4.2"`)
			}
		}
		out = append(out, n)
	}
	return out
}

// CheckNeeds reports the needs of packs that the others do not meet.
func CheckNeeds(all []Service, sink *source.Sink) {
	by := map[string]*Service{}
	var names []string
	for i := range all {
		by[all[i].Name] = &all[i]
		names = append(names, all[i].Name)
	}
	for i := range all {
		if all[i].Pack == nil {
			continue
		}
		for _, n := range all[i].Pack.Needs {
			other := by[n.Pack]
			switch {
			case other == nil:
				hint := source.DidYouMean(n.Pack, names)
				if hint == "" {
					hint = "install it together with this one: upstep pack install FILE FILE"
				}
				sink.Errorf(n.Pos, "pack %s needs pack %s, which is not installed", all[i].Name, n.Pack).WithHint(hint)
			case other.Read > Whole: // its own problems are told
			case other.Pack == nil:
				sink.Errorf(n.Pos, "pack %s needs pack %s, and the service of that name is no pack", all[i].Name, n.Pack).
					WithHint("a pack has a " + PackFile + " beside its service.yaml (" + other.Pos.Short() + ")")
			case !n.Allows(other.Pack.Version):
				sink.Errorf(n.Pos, "pack %s needs pack %s %s, and %s is installed", all[i].Name, n.Pack, n.Version, other.Pack.Version).
					WithHint("install a version of " + n.Pack + " that fits")
			}
		}
	}
}
