package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// overhead bounds what an archive spends on a file beside the file's own bytes.
const overhead = 8 << 10

// Read reads an archive to its end and gives its entries in the order of the archive.
// each is called for every file as it comes, when that is not nil; what it leaves unread
// is read for it, and its error is given back as it is. Until Read has returned without
// an error nothing that each saw may be believed.
//
// What is no archive, or was cut off, or has anything behind its end, is an
// *InvalidError; what is larger than the limits is a *LimitError.
func Read(r io.Reader, l Limits, each func(Entry, io.Reader) error) ([]Entry, error) {
	src := &origin{r: r}
	z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	body := &stream{r: z, left: l.Bytes + int64(l.Files+1)*overhead, limits: l}
	entries, err := read(tar.NewReader(body), l, each)
	if err == nil {
		err = body.end()
	}
	var own *eachError
	var limit *LimitError
	var invalid *InvalidError
	switch {
	case err == nil:
		return entries, nil
	case errors.As(err, &own):
		return nil, own.error
	case errors.As(err, &limit):
		return nil, limit
	case errors.As(err, &invalid):
		return nil, invalid
	case src.err != nil:
		return nil, fmt.Errorf("read the archive: %w", src.err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, &InvalidError{Reason: "is cut off"}
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, &InvalidError{Reason: "needs too much memory to unpack"}
	}
	return nil, &InvalidError{Reason: "is no archive, or was damaged: " + err.Error()}
}

// eachError is what Read's caller returned.
type eachError struct{ error }

func read(t *tar.Reader, l Limits, each func(Entry, io.Reader) error) ([]Entry, error) {
	entries := []Entry{}
	seen := newPaths()
	left := l.Bytes
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		if err := regular(h); err != nil {
			return nil, err
		}
		if err := seen.add(h.Name); err != nil {
			return nil, err
		}
		if len(entries) == l.Files {
			return nil, &LimitError{l, true}
		}
		if left -= h.Size; left < 0 {
			return nil, &LimitError{l, false}
		}
		e := Entry{Path: h.Name, Executable: h.Mode&0o111 != 0, Size: h.Size}
		sum := sha256.New()
		content := io.TeeReader(t, sum)
		if each != nil {
			if err := each(e, content); err != nil {
				return nil, &eachError{err}
			}
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return nil, err
		}
		e.SHA256 = hex.EncodeToString(sum.Sum(nil))
		entries = append(entries, e)
	}
}

// regular refuses whatever is not a plain file, described as Write does it.
func regular(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeLink, tar.TypeSymlink:
		return &InvalidError{h.Name, "is a link"}
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return &InvalidError{h.Name, "is a device"}
	case tar.TypeDir:
		return &InvalidError{h.Name, "is a folder, where only files are expected"}
	default:
		return &InvalidError{h.Name, "is of an unknown kind"}
	}
	// Among these are files with holes, which need no bytes in the archive to be huge.
	for key := range h.PAXRecords {
		if key != "path" && key != "size" {
			return &InvalidError{h.Name, "has the attribute " + key}
		}
	}
	if h.Mode&^0o777 != 0 {
		return &InvalidError{h.Name, "is set to run as somebody else"}
	}
	return nil
}

// origin remembers why reading the archive's own bytes failed.
type origin struct {
	r   io.Reader
	err error
}

func (o *origin) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.err = err
	}
	return n, err
}

// stream counts the unpacked bytes.
type stream struct {
	r      io.Reader
	left   int64
	limits Limits
	ended  bool
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, &LimitError{s.limits, false}
	}
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil // it comes again, and end wants to know who saw it
	}
	s.ended = s.ended || errors.Is(err, io.EOF)
	return n, err
}

// end looks behind the mark that ends a tar, which the reader of tars does not insist on.
func (s *stream) end() error {
	if s.ended {
		return io.ErrUnexpectedEOF
	}
	// Tools fill up the last record with zeros.
	const most = 1 << 20
	rest, err := io.ReadAll(io.LimitReader(s, most))
	if err != nil {
		return err
	}
	if len(rest) == most || slices.ContainsFunc(rest, func(b byte) bool { return b != 0 }) {
		return &InvalidError{Reason: "has more behind its end"}
	}
	return nil
}

// Looks tells by its first bytes whether a file may be an archive.
func Looks(path string) bool {
	f, err := os.Open(path) //nolint:gosec // named by the caller
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // it was read only
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && magic == [4]byte{0x28, 0xb5, 0x2f, 0xfd} // of a frame, RFC 8878
}
