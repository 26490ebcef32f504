package services

import (
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
)

// Need is free space that a service needs on its hosts.
type Need struct {
	Path  string // absolute
	Size  string // as written
	Bytes int64
	Pos   source.Pos
}

// mostBytes is what every reader of JSON takes as a whole number.
const mostBytes = 1 << 53

func (p *parser) disk(f source.Fields) []Need {
	v := f.Get("disk")
	if !v.Exists() {
		return nil
	}
	const how = "write disk: {/var/lib/mysql: 2G}"
	if v.Kind() != source.Map {
		p.sink.Errorf(v.Pos(), "disk must be a mapping of paths to sizes, not %s", v.Kind()).WithHint(how)
		return nil
	}
	var out []Need
	first := map[string]source.Pos{}
	for _, e := range v.Entries() {
		n := Need{Path: e.Key.Text(), Size: e.Value.Text(), Pos: e.Key.Pos()}
		if !p.path(n) {
			continue
		}
		if n.Path != "/" {
			n.Path = strings.TrimSuffix(n.Path, "/")
		}
		if at, twice := first[n.Path]; twice {
			p.sink.Errorf(n.Pos, "%q stands twice in disk", n.Path).WithHint("it stands first at " + at.Short())
			continue
		}
		first[n.Path] = n.Pos
		var ok bool
		if n.Bytes, ok = ParseSize(n.Size); !ok {
			what := strconv.Quote(n.Size)
			if e.Value.Kind() != source.Scalar {
				what = e.Value.Kind().String()
			}
			hint := "K, M, G and T count in steps of 1024"
			if near := strings.ToUpper(strings.ReplaceAll(n.Size, " ", "")); near != n.Size {
				if _, ok := ParseSize(near); ok {
					hint = "did you mean " + near + "?"
				}
			}
			p.sink.Errorf(e.Value.Pos(), "disk of %q must be a size such as 500M or 2G, not %s", n.Path, what).WithHint(hint)
			continue
		}
		out = append(out, n)
	}
	return out
}

// path tells whether a path can be asked for on every host, and reports what is wrong.
func (p *parser) path(n Need) bool {
	const plain = "a path of the host, beginning with /, without expressions"
	switch clean := path.Clean(n.Path); {
	case !p.literal(n.Pos, "path "+strconv.Quote(n.Path)+" of disk", n.Path, plain):
	case !strings.HasPrefix(n.Path, "/"):
		p.sink.Errorf(n.Pos, "path %q of disk is not absolute", n.Path).WithHint("write " + plain)
	case clean != n.Path && clean+"/" != n.Path:
		p.sink.Errorf(n.Pos, "path %q of disk is not in its shortest form", n.Path).WithHint("write " + clean)
	default:
		return true
	}
	return false
}

// literal reports a path that is an expression, or that nobody could type. wanted says what
// is to be written instead.
func (p *parser) literal(at source.Pos, what, path, wanted string) bool {
	if r, odd := source.Control(path, ""); odd {
		p.sink.Errorf(at, "%s has a control character (%U)", what, r).WithHint("take it out")
		return false
	}
	if strings.Contains(path, "{{") || strings.Contains(path, "{%") || strings.Contains(path, "{#") {
		p.sink.Errorf(at, "%s is an expression", what).WithHint("write " + wanted)
		return false
	}
	return true
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,9})?)([KMGT])(?:i?B)?$`)

// ParseSize reads 500M, 2G, 1.5GiB as bytes: units of 1024, whatever stands behind the
// letter.
func ParseSize(size string) (int64, bool) {
	m := sizeForm.FindStringSubmatch(size)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	n = math.Ceil(math.Ldexp(n, 10*(1+strings.Index("KMGT", m[2]))))
	return int64(n), err == nil && n > 0 && n <= mostBytes
}
