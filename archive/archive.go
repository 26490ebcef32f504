// Package archive carries a folder as one file: the same files give the same bytes, and
// nothing of what is read is believed or appears anywhere before all of it was checked.
//
// The file is a tar inside zstd. It holds regular files only; folders follow from their
// paths. Owners, times and all of a mode but whether a file runs are left out.
package archive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
)

// File is a file to put into an archive.
type File struct {
	Path       string // below the folder, with slashes
	Executable bool
	Size       int64 // bytes that Open's reader gives
	Open       func() (io.ReadCloser, error)
}

// Bytes gives a file that is held in memory.
func Bytes(path string, data []byte, executable bool) File {
	return File{
		Path: path, Executable: executable, Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}

// Disk gives a regular file on disk, or one that a link leads to. It is opened when the
// archive is written.
func Disk(path, file string) (File, error) {
	info, err := os.Stat(file)
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, fmt.Errorf("%s is no regular file", file)
	}
	return File{
		Path: path, Executable: info.Mode()&0o111 != 0, Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(file) }, //nolint:gosec // named by the caller
	}, nil
}

// Entry is a file of an archive that was read.
type Entry struct {
	Path       string `json:"path"`
	Executable bool   `json:"executable,omitempty"`
	Size       int64  `json:"size"`
	// SHA256 is of the file's bytes, in hex; empty before they were read.
	SHA256 string `json:"sha256"`
}

// Limits bound what an archive may unpack to. Zero allows nothing.
type Limits struct {
	Files int
	Bytes int64 // of all files together
}

// InvalidError says that something is no archive that Write made, or no longer.
type InvalidError struct {
	Path   string // the entry at fault; "": the archive as a whole
	Reason string
}

// Error gives the entry, quoted, and the reason.
func (e *InvalidError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return strconv.Quote(e.Path) + " " + e.Reason
}

// LimitError says that an archive holds more than is allowed.
type LimitError struct {
	Limits Limits
	Files  bool // too many files; else too many bytes
}

// Error gives the limit.
func (e *LimitError) Error() string {
	if e.Files {
		return fmt.Sprintf("holds more than %d files", e.Limits.Files)
	}
	return fmt.Sprintf("unpacks to more than %d bytes", e.Limits.Bytes)
}
