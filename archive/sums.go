package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Sum gives the SHA-256 of data, in hex.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// SumLine writes a line as GNU sha256sum does: a backslash before it says that the name
// is escaped.
func SumLine(sum, name string) string {
	if escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name); escaped != name {
		return `\` + sum + "  " + escaped + "\n"
	}
	return sum + "  " + name + "\n"
}

// ReadSumLine reads such a line, without its end; a * before the name marks what was
// read as binary.
func ReadSumLine(line string) (sum, name string, ok bool) {
	line, escaped := strings.CutPrefix(line, `\`)
	sum, name, ok = strings.Cut(line, " ")
	if !ok || len(sum) != 2*sha256.Size || name == "" || name[0] != ' ' && name[0] != '*' {
		return "", "", false
	}
	name = name[1:]
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return sum, name, true
}

// Sums writes the list of the entries' sums, as sha256sum -c reads it, sorted by path.
func Sums(entries []Entry) []byte {
	var b strings.Builder
	for _, e := range slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return strings.Compare(a.Path, b.Path) }) {
		b.WriteString(SumLine(e.SHA256, e.Path))
	}
	return []byte(b.String())
}

// ReadSums reads a list of sums by path. Any line that is not one of them, a path that
// stands twice or could not stand in an archive, is an *InvalidError.
func ReadSums(list []byte) (map[string]string, error) {
	out := map[string]string{}
	n := 0
	for line := range strings.Lines(string(list)) {
		n++
		sum, name, ok := ReadSumLine(strings.TrimRight(line, "\r\n"))
		if _, err := hex.DecodeString(sum); !ok || err != nil {
			return nil, &InvalidError{Reason: fmt.Sprintf("line %d of the list of sums is none of sha256sum", n)}
		}
		if err := CheckPath(name); err != nil {
			return nil, err
		}
		if out[name] != "" {
			return nil, &InvalidError{name, "stands twice in the list of sums"}
		}
		out[name] = strings.ToLower(sum)
	}
	return out, nil
}

// SumsError lists files that are not as a list of sums has them, each sorted.
type SumsError struct {
	Changed []string // with other bytes
	Missing []string // in the list only
	Extra   []string // not in the list
}

// Error lists the files.
func (e *SumsError) Error() string {
	var out []string
	for _, l := range []struct {
		what  string
		paths []string
	}{{"changed", e.Changed}, {"missing", e.Missing}, {"not in the list of sums", e.Extra}} {
		if len(l.paths) > 0 {
			out = append(out, l.what+": "+strings.Join(l.paths, ", "))
		}
	}
	return strings.Join(out, "; ")
}

// CheckSums compares entries with a list of sums, which must name all of them and no
// others; the list's own file is left out. What differs is a *SumsError.
func CheckSums(list []byte, own string, entries []Entry) error {
	want, err := ReadSums(list)
	if err != nil {
		return err
	}
	if want[own] != "" {
		return errors.New("the list of sums names itself")
	}
	var d SumsError
	for _, e := range entries {
		switch sum, listed := want[e.Path]; {
		case e.Path == own:
		case !listed:
			d.Extra = append(d.Extra, e.Path)
		case sum != e.SHA256:
			d.Changed = append(d.Changed, e.Path)
		}
		delete(want, e.Path)
	}
	for path := range want {
		d.Missing = append(d.Missing, path)
	}
	slices.Sort(d.Changed)
	slices.Sort(d.Missing)
	slices.Sort(d.Extra)
	if len(d.Changed)+len(d.Missing)+len(d.Extra) == 0 {
		return nil
	}
	return &d
}

// SumOf gives the SHA-256 of all that a reader gives, in hex.
func SumOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}
