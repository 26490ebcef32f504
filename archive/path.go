package archive

import (
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What every file system takes.
const (
	maxPath = 1024 // bytes
	maxName = 255  // bytes
)

// CheckPath tells why a path can't stand in an archive, as an *InvalidError.
func CheckPath(p string) error {
	reason := ""
	switch {
	case p == "":
		reason = "is an empty path"
	case strings.HasPrefix(p, "/"):
		reason = "is an absolute path"
	case !utf8.ValidString(p):
		reason = "is not UTF-8"
	case strings.ContainsRune(p, '\\'):
		reason = "has a backslash"
	case strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }):
		reason = "has a character that does not show"
	case len(p) > maxPath:
		reason = "is too long a path"
	case strings.HasPrefix(path.Clean(p), ".."):
		reason = "leads out of the folder"
	case !fs.ValidPath(p) || p == ".":
		reason = "is not in its shortest form"
	}
	for name := range strings.SplitSeq(p, "/") {
		if reason == "" && len(name) > maxName {
			reason = "has too long a name"
		}
	}
	if reason == "" {
		return nil
	}
	return &InvalidError{p, reason}
}

// paths are those that an archive has so far.
type paths struct {
	spelt map[string]string // files and folders, by what they are where case does not count
	file  map[string]bool   // which of these are files
}

func newPaths() paths { return paths{map[string]string{}, map[string]bool{}} }

// add refuses a path that can't stand beside those that are there.
func (ps paths) add(p string) error {
	if err := CheckPath(p); err != nil {
		return err
	}
	for i := range len(p) + 1 {
		if i < len(p) && p[i] != '/' {
			continue
		}
		part := p[:i]
		key := strings.ToLower(strings.ToUpper(part))
		whole := i == len(p)
		first, there := ps.spelt[key]
		switch {
		case !there:
		case first != part:
			return &InvalidError{p, "differs from " + first + " in case only"}
		case whole && ps.file[key]:
			return &InvalidError{p, "stands in it twice"}
		case whole:
			return &InvalidError{p, "is a file and a folder"}
		case ps.file[key]:
			return &InvalidError{p, "stands below " + part + ", which is a file"}
		}
		ps.spelt[key] = part
		ps.file[key] = whole
	}
	return nil
}
