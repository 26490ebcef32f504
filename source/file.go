package source

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// errNotRegular is what stands where a file is expected, in words.
type errNotRegular struct{ what string } //nolint:errname // it reads as what it says

func (e errNotRegular) Error() string { return "is no regular file (" + e.what + ")" }

// ReadFile reads a regular file, or what a link leads to. Anything else is refused
// before it is opened: a pipe would wait for a writer, and a device never ends.
func ReadFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if link, lerr := fs.Lstat(fsys, name); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return nil, errNotRegular{"a link to what is not there"}
		}
		return nil, Cause(err)
	case err != nil:
		return nil, Cause(err)
	case !info.Mode().IsRegular():
		return nil, errNotRegular{FileType(info.Mode())}
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, Cause(err)
	}
	return text, nil
}

// Read reads a file of YAML that the project keeps. shown is its name for people, and
// what it holds stands in the message when it cannot be read.
func Read(fsys fs.FS, name, shown, what string, sink *Sink) (File, bool) {
	f := File{Name: shown}
	info, err := fs.Stat(fsys, name)
	if err == nil && info.Mode().IsRegular() && info.Size() > maxFileBytes {
		tooLarge(f, sink)
		return f, false
	}
	f.Text, err = ReadFile(fsys, name)
	var odd errNotRegular
	switch {
	case errors.As(err, &odd):
		sink.Errorf(Pos{File: shown}, "%v", err).WithHint("put a plain file in its place, or take it away")
	case errors.Is(err, fs.ErrPermission):
		sink.Errorf(Pos{File: shown}, "read %s: %v", what, err).WithHint("make it readable for who runs upstep")
	case err != nil:
		sink.Errorf(Pos{File: shown}, "read %s: %v", what, err)
	}
	return f, err == nil
}

// IsYAML tells by its name whether a file is read.
func IsYAML(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return true
	}
	return false
}

func tooLarge(f File, sink *Sink) {
	sink.Errorf(Pos{File: f.Name}, "file is larger than %d MiB", maxFileBytes>>20).WithHint("split it into several files")
}

// FileType names what is no regular file.
func FileType(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeDir != 0:
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return fmt.Sprintf("of type %s", mode.Type())
}

// Cause leaves the path out of a file error: the problem's place has it.
func Cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
