package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/klauspost/compress/zstd"
)

// window is what a reader must hold in memory to unpack.
const window = 8 << 20

// Write writes the files as an archive. The same files give the same bytes, in whatever
// order they come. A path that can't stand in an archive is an *InvalidError, before
// anything is written.
func Write(w io.Writer, files []File) error {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	seen := newPaths()
	for _, f := range files {
		if err := seen.add(f.Path); err != nil {
			return err
		}
	}
	// More than one goroutine would part the stream by chance.
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window),
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderCRC(true))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		if err := writeFile(t, f); err != nil {
			_ = z.Close() // it fails for the same reason
			return fmt.Errorf("pack %s: %w", f.Path, err)
		}
	}
	if err := t.Close(); err != nil {
		_ = z.Close()
		return err
	}
	return z.Close()
}

func writeFile(t *tar.Writer, f File) error {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: f.Path, Size: f.Size, Mode: 0o644,
		// Some tools take the year 1970 for a mistake.
		ModTime: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if f.Executable {
		h.Mode = 0o755
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	if _, err := io.Copy(t, r); err != nil {
		return errors.Join(err, r.Close())
	}
	return errors.Join(t.Flush(), r.Close()) // which tells of a file that grew shorter
}

// Create writes an archive to a file, which appears once it is whole and on disk; an
// older one is replaced.
func Create(path string, mode fs.FileMode, files []File) error {
	out, err := renameio.NewPendingFile(path, renameio.WithPermissions(mode), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer out.Cleanup() //nolint:errcheck // after the replacement nothing is left to clean
	if err := Write(out, files); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}
