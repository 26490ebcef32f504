package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/blakesmith/ar"
	"github.com/cavaliergopher/cpio"

	"github.com/upstep/upstep/archive"
)

// FileError says that a file is no bundle, or was damaged.
type FileError struct {
	File, Reason string
	NoBundle     bool // it never was one
}

// Error gives the file and the reason.
func (e *FileError) Error() string { return e.File + " " + e.Reason }

// Hint says what to do.
func (e *FileError) Hint() string {
	if e.NoBundle {
		return "name a bundle: its file, or the folder that it was unpacked to"
	}
	return "get the bundle anew"
}

// limits bound what a bundle may unpack to.
func limits() archive.Limits { return archive.Limits{Files: 200_000, Bytes: 64 << 30} }

// VerifyFile checks a bundle as it travels: it is unpacked into a temporary folder, which
// is checked, and packed again, which must give the same bytes. Beside the errors of
// VerifyFolder it gives a *FileError. upstep is the version that checks.
func VerifyFile(ctx context.Context, path, upstep string, keys []Key) (*Report, error) {
	form, ok := FormOf(path)
	if !ok {
		return nil, &FileError{path, "is no bundle: it ends in none of " + string(Archive) + ", " + string(Deb) + " and " + string(RPM), true}
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	tmp, err := os.MkdirTemp("", "upstep-bundle-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	u := &unpacking{ctx: ctx, root: tmp, limits: limits()}
	in := bufio.NewReaderSize(&steady{ctx, f}, 1<<20)
	switch form {
	case Archive:
		err = u.archive(in)
	case Deb:
		err = u.deb(in)
	case RPM:
		err = u.rpm(in)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, damaged(path, err)
	}
	dir, err := u.top(form)
	if err != nil {
		return nil, damaged(path, err)
	}
	r, err := VerifyFolder(dir, keys)
	if changed, is := errors.AsType[*ChangedError](err); is {
		changed.Name = path
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	same := &comparing{with: bufio.NewReaderSize(f, 1<<20)}
	if err := pack(ctx, dir, &r.Manifest, form, same); err != nil && !errors.Is(err, errOther) {
		return nil, err
	}
	switch {
	case same.end():
		return r, nil
	case r.Upstep == upstep:
		return nil, &FileError{File: path, Reason: "was changed: what is packed in it is as it was bundled, what is around it is not"}
	case form == Archive: // around the files there is nothing that counts
		return r, nil
	}
	return nil, &FileError{File: path, Reason: fmt.Sprintf("has scripts that this upstep (%s) cannot vouch for: upstep %s made it; verify with that one, or unpack it without running them and verify the folder", upstep, r.Upstep)}
}

// damaged tells what is wrong with a file from what is wrong with the system.
func damaged(path string, err error) error {
	if _, is := errors.AsType[*fs.PathError](err); is {
		return err
	}
	return &FileError{File: path, Reason: "is no bundle, or was damaged: " + err.Error()}
}

// errOther says that bytes differ.
var errOther = errors.New("other bytes")

// comparing compares what is written with what is read.
type comparing struct {
	with  io.Reader
	other bool
}

func (c *comparing) Write(p []byte) (int, error) {
	have := make([]byte, len(p))
	if _, err := io.ReadFull(c.with, have); err != nil || !bytes.Equal(p, have) {
		c.other = true
		return 0, errOther
	}
	return len(p), nil
}

// end tells whether all was the same, to the end.
func (c *comparing) end() bool {
	_, err := io.ReadFull(c.with, make([]byte, 1))
	return !c.other && errors.Is(err, io.EOF)
}

// unpacking writes the files of a bundle below a folder.
type unpacking struct {
	ctx    context.Context //nolint:containedctx // of one VerifyFile
	root   string
	limits archive.Limits
	files  int
	bytes  int64
}

// file writes one; its path is as it stands in the bundle's form.
func (u *unpacking) file(path string, executable bool, size int64, r io.Reader) error {
	if err := archive.CheckPath(path); err != nil {
		return err
	}
	u.files++
	if u.bytes += size; u.files > u.limits.Files || u.bytes > u.limits.Bytes {
		return &archive.LimitError{Limits: u.limits, Files: u.files > u.limits.Files}
	}
	name := filepath.Join(u.root, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // as it is unpacked
		return err
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // below the temporary folder
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(&steady{u.ctx, r}, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, out.Close())
}

func (u *unpacking) archive(r io.Reader) error {
	_, err := archive.Read(r, u.limits, func(e archive.Entry, r io.Reader) error {
		return u.file(e.Path, e.Executable, e.Size, r)
	})
	return err
}

func (u *unpacking) deb(r io.Reader) error {
	a := ar.NewReader(r)
	for {
		h, err := a.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("has no data.tar.gz")
		}
		if err != nil {
			return err
		}
		if strings.TrimRight(h.Name, "/") == "data.tar.gz" {
			z, err := gzip.NewReader(a)
			if err != nil {
				return err
			}
			return u.tar(tar.NewReader(z))
		}
	}
}

func (u *unpacking) tar(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
		case tar.TypeReg:
			if err := u.file(strings.TrimPrefix(h.Name, "./"), h.Mode&0o100 != 0, h.Size, t); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is neither a file nor a folder", h.Name)
		}
	}
}

// rpm reads the payload, a cpio inside gzip, behind the lead and two headers, of which
// only the length counts here: packing again tells whether they were changed.
func (u *unpacking) rpm(r io.Reader) error {
	const lead = 96
	if _, err := io.CopyN(io.Discard, r, lead); err != nil {
		return io.ErrUnexpectedEOF
	}
	for _, align := range []int64{8, 1} {
		var head struct {
			Magic, Reserved, Entries, Bytes uint32
		}
		if err := binary.Read(r, binary.BigEndian, &head); err != nil {
			return io.ErrUnexpectedEOF
		}
		if head.Magic != 0x8eade801 {
			return errors.New("has no header of an rpm")
		}
		const entry = 16
		length := int64(head.Entries)*entry + int64(head.Bytes)
		if _, err := io.CopyN(io.Discard, r, (length+align-1)/align*align); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	for files := cpio.NewReader(z); ; {
		f, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case f.Mode.IsDir():
		case f.Mode.IsRegular():
			if err := u.file(strings.TrimPrefix(f.Name, "/"), f.Mode&0o100 != 0, f.Size, files); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is neither a file nor a folder", f.Name)
		}
	}
}

// top gives the one folder that the bundle stands in.
func (u *unpacking) top(form Form) (string, error) {
	at := u.root
	if form != Archive {
		at = filepath.Join(at, InstallRoot)
	}
	list, err := os.ReadDir(at)
	if err != nil || len(list) != 1 || !list[0].IsDir() {
		return "", errors.New("does not hold one folder of a bundle")
	}
	return filepath.Join(at, list[0].Name()), nil
}
