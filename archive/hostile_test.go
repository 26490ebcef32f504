package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// entry is a header with its bytes, as somebody else's tool may write it.
type entry struct {
	tar.Header
	data string
}

func plain(path string) entry {
	return entry{tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o644, Size: 1}, "x"}
}

func kind(path string, flag byte) entry {
	return entry{tar.Header{Name: path, Typeflag: flag, Linkname: "elsewhere", Mode: 0o644}, ""}
}

func tarOf(t testing.TB, close bool, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		require.NoError(t, w.WriteHeader(&e.Header))
		_, err := io.WriteString(w, e.data)
		require.NoError(t, err)
	}
	_ = w.Flush() // fails where an entry claims more than it has
	if close {
		require.NoError(t, w.Close())
	}
	return b.Bytes()
}

func zst(t testing.TB, data []byte, o ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, o...)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestHostileArchivesAreRefused(t *testing.T) {
	good := tarOf(t, true, plain("a"))
	whole := zst(t, good)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a path that leads up":                {zst(t, tarOf(t, true, plain("../a"))), `"../a" leads out of the folder`},
		"a path that leads up further on":     {zst(t, tarOf(t, true, plain("a/../../b"))), `"a/../../b" leads out of the folder`},
		"a path that leads nowhere":           {zst(t, tarOf(t, true, plain("a/../b"))), `"a/../b" is not in its shortest form`},
		"an absolute path":                    {zst(t, tarOf(t, true, plain("/etc/passwd"))), `"/etc/passwd" is an absolute path`},
		"a path that begins with a point":     {zst(t, tarOf(t, true, plain("./a"))), `"./a" is not in its shortest form`},
		"a backslash":                         {zst(t, tarOf(t, true, plain(`..\a`))), `has a backslash`},
		"a newline":                           {zst(t, tarOf(t, true, plain("a\nb"))), `"a\nb" has a character that does not show`},
		"an escape":                           {zst(t, tarOf(t, true, plain("a\x1b[2J"))), `"a\x1b[2J" has a character that does not show`},
		"a reversed reading order":            {zst(t, tarOf(t, true, plain("a\u202etxt"))), `has a character that does not show`},
		"a name that is no UTF-8":             {zst(t, tarOf(t, true, plain("a\xff"))), `is not UTF-8`},
		"a symbolic link":                     {zst(t, tarOf(t, true, kind("a", tar.TypeSymlink))), `"a" is a link`},
		"a hard link":                         {zst(t, tarOf(t, true, kind("a", tar.TypeLink))), `"a" is a link`},
		"a device":                            {zst(t, tarOf(t, true, kind("a", tar.TypeBlock))), `"a" is a device`},
		"a pipe":                              {zst(t, tarOf(t, true, kind("a", tar.TypeFifo))), `"a" is a device`},
		"a folder":                            {zst(t, tarOf(t, true, kind("a/", tar.TypeDir))), `"a/" is a folder`},
		"a path twice":                        {zst(t, tarOf(t, true, plain("a"), plain("a"))), `"a" stands in it twice`},
		"paths that differ in case only":      {zst(t, tarOf(t, true, plain("a"), plain("A"))), `"A" differs from a in case only`},
		"folders that differ in case only":    {zst(t, tarOf(t, true, plain("d/a"), plain("D/b"))), `"D/b" differs from d in case only`},
		"a file where a folder must stand":    {zst(t, tarOf(t, true, plain("a"), plain("a/b"))), `"a/b" stands below a, which is a file`},
		"a folder where a file must stand":    {zst(t, tarOf(t, true, plain("a/b"), plain("a"))), `"a" is a file and a folder`},
		"a file that runs as its owner":       {zst(t, tarOf(t, true, entry{tar.Header{Name: "a", Mode: 0o4755}, ""})), `is set to run as somebody else`},
		"an attribute":                        {zst(t, tarOf(t, true, entry{tar.Header{Name: "a", Mode: 0o644, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}, ""})), `has the attribute SCHILY.xattr.user.x`},
		"more files than allowed":             {zst(t, tarOf(t, true, plain("a"), plain("b"), plain("c"), plain("d"))), "holds more than 3 files"},
		"a file larger than allowed":          {zst(t, tarOf(t, true, entry{tar.Header{Name: "a", Size: 5000}, string(make([]byte, 5000))})), "unpacks to more than 4096 bytes"},
		"a claim to be larger than allowed":   {zst(t, tarOf(t, false, entry{tar.Header{Name: "a", Size: 1 << 40}, ""})), "unpacks to more than 4096 bytes"},
		"zeros without end":                   {zst(t, make([]byte, 64<<20)), "unpacks to more than 4096 bytes"},
		"a header without end":                {zst(t, tarOf(t, true, entry{tar.Header{Name: "a", PAXRecords: map[string]string{"comment": strings.Repeat("x", 900<<10)}}, ""})), "unpacks to more than 4096 bytes"},
		"a window that fills memory":          {zst(t, bytes.Repeat([]byte("0123456789"), 16<<20), zstd.WithWindowSize(64<<20)), "needs too much memory to unpack"},
		"something behind the end of the tar": {zst(t, append(bytes.Clone(good), append(make([]byte, 511), 'x')...)), "has more behind its end"},
		"a second tar behind the first":       {append(bytes.Clone(whole), whole...), "has more behind its end"},
		"something behind the end":            {append(bytes.Clone(whole), "more"...), "is no archive, or was damaged"},
		"a tar without its end":               {zst(t, tarOf(t, false, plain("a"))), "is cut off"},
		"nothing":                             {nil, "is cut off"},
		"a tar that is not compressed":        {good, "is no archive, or was damaged"},
		"text":                                {[]byte("service_name: web\n"), "is no archive, or was damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			l := Limits{Files: 3, Bytes: 4096}
			_, err := Read(bytes.NewReader(c.data), l, nil)
			require.ErrorContains(t, err, c.want)
			var invalid *InvalidError
			var limit *LimitError
			require.True(t, errors.As(err, &invalid) || errors.As(err, &limit), "%T", err)

			parent := t.TempDir()
			_, err = Unpack(bytes.NewReader(c.data), filepath.Join(parent, "web"), l, nil)
			require.ErrorContains(t, err, c.want)
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestAnArchiveCutAnywhereIsRefused(t *testing.T) {
	whole := packed(t, sample())
	for n := range len(whole) {
		_, err := Read(bytes.NewReader(whole[:n]), roomy, nil)
		var invalid *InvalidError
		require.ErrorAs(t, err, &invalid, "at %d", n)
	}
}

func TestAnArchiveWithAByteChangedIsRefused(t *testing.T) {
	whole := packed(t, sample())
	want, err := Read(bytes.NewReader(whole), roomy, nil)
	require.NoError(t, err)
	for i := range whole {
		for bit := range 8 {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << bit
			// A bit that says nothing, such as of the window's size, may change.
			if got, err := Read(bytes.NewReader(changed), roomy, nil); err == nil {
				require.Equal(t, want, got, "byte %d, bit %d", i, bit)
			}
		}
	}
}

func TestAnArchiveThatCannotBeReadIsNotCalledInvalid(t *testing.T) {
	broken := errors.New("input/output error")
	whole := packed(t, sample())
	_, err := Read(io.MultiReader(bytes.NewReader(whole[:40]), iotest.ErrReader(broken)), roomy, nil)
	require.ErrorIs(t, err, broken)
	_, err = Read(bytes.NewReader(whole), roomy, func(Entry, io.Reader) error { return broken })
	require.Equal(t, broken, err)
}

func FuzzRead(f *testing.F) {
	f.Add(packed(f, sample()), true)
	f.Add(tarOf(f, true, plain("a"), plain("b/c")), false)
	f.Add(tarOf(f, true, plain("../a")), false)
	f.Add(tarOf(f, true, kind("a", tar.TypeSymlink)), false)
	f.Add([]byte("text"), true)
	f.Fuzz(func(t *testing.T, data []byte, compressed bool) {
		if !compressed {
			data = zst(t, data) // so that what is inside is reached too
		}
		l := Limits{Files: 10, Bytes: 1 << 16}
		var seen int64
		entries, err := Read(bytes.NewReader(data), l, func(e Entry, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			seen += n
			if err == nil {
				require.Equal(t, e.Size, n)
			}
			return nil
		})
		require.LessOrEqual(t, seen, l.Bytes)
		if err != nil {
			var invalid *InvalidError
			var limit *LimitError
			require.True(t, errors.As(err, &invalid) || errors.As(err, &limit), "%T: %v", err, err)
			return
		}
		require.LessOrEqual(t, len(entries), l.Files)
		again := newPaths()
		for _, e := range entries {
			require.NoError(t, again.add(e.Path))
			require.True(t, filepath.IsLocal(e.Path))
		}
	})
}

// TestZerosBehindTheEndAreRead reads what tar itself writes: it fills up its last record.
func TestZerosBehindTheEndAreRead(t *testing.T) {
	padded := zst(t, append(tarOf(t, true, plain("a")), make([]byte, 2048)...))
	entries, err := Read(bytes.NewReader(padded), Limits{Files: 3, Bytes: 4096}, nil)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
