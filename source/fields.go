package source

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fields reads a mapping with a known set of keys and reports what is wrong with it.
type Fields struct {
	at   Node
	what string
	sink *Sink
	by   map[string]Node
	near map[string]bool // keys that an unknown one was probably meant to be
}

// ReadFields opens a mapping. Anything but a mapping, and every key that is not
// known, is a problem; reading goes on with what is there.
func ReadFields(v Node, what string, sink *Sink, known ...string) Fields {
	f := Fields{at: v, what: what, sink: sink, by: map[string]Node{}, near: map[string]bool{}}
	switch v.Kind() {
	case Missing:
		return f
	case Map:
	default:
		sink.Errorf(v.Pos(), "%s must be a mapping, not %s", what, v.Kind()).WithHint("its keys are " + strings.Join(known, ", "))
		return f
	}
	for _, e := range v.Entries() {
		key := e.Key.Text()
		if !slices.Contains(known, key) {
			hint := "known keys: " + strings.Join(known, ", ")
			if meant := Nearest(key, known); meant != "" {
				hint = didYouMean(meant)
				f.near[meant] = true
			}
			sink.Errorf(e.Key.Pos(), "unknown key %q in %s", key, what).WithHint(hint)
			continue
		}
		f.by[key] = e.Value
	}
	return f
}

// OpenFields reads a mapping whose other keys belong to somebody else: none is unknown.
func OpenFields(what string, sink *Sink, v Node) Fields {
	f := Fields{at: v, what: what, sink: sink, by: map[string]Node{}}
	for _, e := range v.Entries() {
		f.by[e.Key.Text()] = e.Value
	}
	return f
}

// Keys gives the keys that were read, sorted.
func (f Fields) Keys() []string { return slices.Sorted(maps.Keys(f.by)) }

// Pos gives the place of the mapping itself.
func (f Fields) Pos() Pos { return f.at.Pos() }

// Get gives a key's value, or the zero Node; null counts as not written.
func (f Fields) Get(key string) Node {
	if v := f.by[key]; v.Kind() != Null {
		return v
	}
	return Node{}
}

// Has tells whether the key stands there with a value.
func (f Fields) Has(key string) bool { return f.Get(key).Exists() }

// PosOf gives the place of a key's value, or of the mapping when it is not there.
func (f Fields) PosOf(key string) Pos {
	if v := f.by[key]; v.Exists() {
		return v.Pos()
	}
	return f.at.Pos()
}

func (f Fields) wrong(key, want string) *Problem {
	v := f.by[key]
	got := v.Kind().String()
	if v.Kind() == Scalar {
		got = strconv.Quote(v.Text())
	}
	return f.sink.Errorf(v.Pos(), "%s of %s must be %s, not %s", key, f.what, want, got)
}

// String reads a single value as text; "" when it is not there.
func (f Fields) String(key string) string {
	v := f.Get(key)
	if !v.Exists() {
		return ""
	}
	if v.Kind() != Scalar {
		f.wrong(key, "a single value")
		return ""
	}
	if r, is := Control(v.Text(), "\n\t"); is {
		f.sink.Errorf(v.Pos(), "%s of %s has a control character (%U)", key, f.what, r).WithHint("take it out")
		return ""
	}
	return v.Text()
}

// Line is String for what stands on one line; space around it is left out.
func (f Fields) Line(key string) string {
	s := strings.TrimSpace(f.String(key))
	if strings.ContainsAny(s, "\n") {
		f.sink.Errorf(f.PosOf(key), "%s of %s must be one line", key, f.what)
		return ""
	}
	return s
}

// Required is String, and a problem when it is missing or empty.
func (f Fields) Required(key string) string {
	s := f.String(key)
	if f.Lacks(key) || f.Get(key).Kind() == Scalar && f.Get(key).Text() == "" {
		f.sink.Errorf(f.PosOf(key), "%s has no %s", f.what, key).WithHint("add " + key + ": VALUE")
	}
	return s
}

// Lacks tells whether a key is not there, and nothing that was reported explains why.
func (f Fields) Lacks(key string) bool {
	return !f.Has(key) && !f.near[key] && (f.at.Kind() == Map || f.at.Kind() == Missing)
}

// Misspelt tells whether an unknown key was probably meant to be this one.
func (f Fields) Misspelt(key string) bool { return f.near[key] && !f.Has(key) }

// IsNull tells whether a key is written with nothing behind it.
func (f Fields) IsNull(key string) bool { return f.by[key].Kind() == Null }

// Bool reads true or false (and yes, no, on, off, as Ansible does).
func (f Fields) Bool(key string) bool {
	v := f.Get(key)
	if !v.Exists() {
		return false
	}
	b, ok := ParseBool(v.Text())
	if !ok || v.Kind() != Scalar {
		f.wrong(key, "true or false")
	}
	return b
}

// ParseBool reads a truth value in any of the spellings that Ansible takes.
func ParseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// Int reads a whole number of at least low; def when it is not there.
func (f Fields) Int(key string, low, def int) int {
	v := f.Get(key)
	if !v.Exists() {
		return def
	}
	n, err := strconv.Atoi(v.Text())
	if err != nil || v.Kind() != Scalar || n < low {
		f.wrong(key, "a whole number, "+strconv.Itoa(low)+" or more")
		return def
	}
	return n
}

// Duration reads a time such as 90s, 30m or 1h30m; a bare number counts seconds.
func (f Fields) Duration(key string, def time.Duration) time.Duration {
	v := f.Get(key)
	if !v.Exists() {
		return def
	}
	d, ok := ParseDuration(v.Text())
	if !ok || v.Kind() != Scalar {
		f.wrong(key, "a duration such as 30s or 5m").WithHint("write 90s, 5m or 1h30m; a bare number counts seconds")
		return def
	}
	return d
}

// ParseDuration reads a time such as 90s, 30m or 1h30m; a bare number counts seconds. None
// is negative.
func ParseDuration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, n >= 0
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

// Strings reads a list of single values, each with its place.
func (f Fields) Strings(key string) []Node {
	v := f.Get(key)
	if !v.Exists() {
		return nil
	}
	if v.Kind() != List {
		p := f.wrong(key, "a list")
		if v.Kind() == Scalar {
			p.WithHint("write " + key + ": [" + v.Text() + "]")
		}
		return nil
	}
	var out []Node
	for _, it := range v.Items() {
		if it.Kind() != Scalar {
			f.sink.Errorf(it.Pos(), "every element of %s must be a single value, not %s", key, it.Kind())
			continue
		}
		out = append(out, it)
	}
	return out
}

// OneOf reads a word out of a few; def when it is not there.
func (f Fields) OneOf(key, def string, words ...string) string {
	v := f.Get(key)
	if !v.Exists() {
		return def
	}
	if v.Kind() != Scalar || !slices.Contains(words, v.Text()) {
		hint := DidYouMean(v.Text(), words)
		if hint == "" {
			hint = "write " + key + ": " + strings.Join(words, " or "+key+": ")
		}
		f.wrong(key, "one of "+strings.Join(words, ", ")).WithHint(hint)
		return def
	}
	return v.Text()
}

// With gives the fields with one more; a key that is there already is a problem.
func (f Fields) With(key string, v Node) Fields {
	if first, twice := f.by[key]; twice {
		f.sink.Errorf(v.Pos(), "%q stands twice in %s", key, f.what).WithHint("it stands first at " + first.Pos().Short())
		return f
	}
	f.by = maps.Clone(f.by)
	f.by[key] = v
	return f
}
