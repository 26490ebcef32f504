package archive

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var roomy = Limits{Files: 100, Bytes: 1 << 20}

func sample() []File {
	return []File{
		Bytes("service.yaml", []byte("service_name: web\n"), false),
		Bytes("files/start.sh", []byte("#!/bin/sh\n"), true),
		Bytes("files/"+strings.Repeat("long/", 60)+"name", nil, false),
		Bytes("README.md", bytes.Repeat([]byte("text\n"), 9000), false),
	}
}

func packed(t testing.TB, files []File) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, files))
	return b.Bytes()
}

func TestSameFilesGiveTheSameBytesInWhateverOrder(t *testing.T) {
	one := packed(t, sample())
	files := sample()
	slices.Reverse(files)
	require.Equal(t, one, packed(t, files))
	entries, err := Read(bytes.NewReader(one), roomy, nil)
	require.NoError(t, err)
	require.Equal(t, Entry{"README.md", false, 45000, Sum(bytes.Repeat([]byte("text\n"), 9000))}, entries[0])
	require.Equal(t, Entry{"files/start.sh", true, 10, Sum([]byte("#!/bin/sh\n"))}, entries[2])
}

func TestUnpackGivesBackWhatWasPacked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "web")
	entries, err := Unpack(bytes.NewReader(packed(t, sample())), dir, roomy, func(folder string, entries []Entry) error {
		require.NoDirExists(t, dir)
		require.FileExists(t, filepath.Join(folder, "service.yaml"))
		return nil
	})
	require.NoError(t, err)
	require.Len(t, entries, 4)
	for _, f := range sample() {
		r, err := f.Open()
		require.NoError(t, err)
		want, err := io.ReadAll(r)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, f.Path))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		info, err := os.Stat(filepath.Join(dir, f.Path))
		require.NoError(t, err)
		require.Equal(t, f.Executable, info.Mode()&0o100 != 0)
	}
	_, err = Unpack(bytes.NewReader(packed(t, sample())), dir, roomy, nil)
	require.ErrorIs(t, err, os.ErrExist)
}

func TestUnpackThatFailsLeavesNothing(t *testing.T) {
	whole := packed(t, sample())
	for name, c := range map[string]struct {
		data  []byte
		check func(string, []Entry) error
	}{
		"the archive is cut off":     {data: whole[:len(whole)-3]},
		"the check has an objection": {data: whole, check: func(string, []Entry) error { return errors.New("no") }},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := Unpack(bytes.NewReader(c.data), filepath.Join(parent, "web"), roomy, c.check)
			require.Error(t, err)
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestUnpackClearsWhatAKilledOneLeftAndNothingElse(t *testing.T) {
	parent := t.TempDir()
	abandoned := filepath.Join(parent, ".web.unpack-123", "files")
	foreign := filepath.Join(parent, ".web.unpack-mine")
	require.NoError(t, os.MkdirAll(abandoned, 0o755))
	require.NoError(t, os.MkdirAll(foreign, 0o755))
	busy, err := newStage(filepath.Join(parent, "web"))
	require.NoError(t, err)
	_, err = Unpack(bytes.NewReader(packed(t, sample())), filepath.Join(parent, "web"), roomy, nil)
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Dir(abandoned))
	require.DirExists(t, foreign)
	require.DirExists(t, busy.root)
	require.NoError(t, busy.lock.Close())
}

func TestCreateLeavesAnOlderFileWhereItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.tar.zst")
	require.NoError(t, Create(path, 0o644, sample()))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	grown := Bytes("grown", []byte("longer"), false)
	grown.Size = 3
	shrunk := Bytes("shrunk", []byte("short"), false)
	shrunk.Size = 30
	for _, f := range []File{grown, shrunk, Bytes("../up", nil, false)} {
		require.Error(t, Create(path, 0o644, []File{f}))
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestSumsAreReadAsTheyAreWrittenAndCompared(t *testing.T) {
	entries := []Entry{{Path: "b", SHA256: Sum([]byte("b"))}, {Path: "a c", SHA256: Sum([]byte("a"))}, {Path: "SHA256SUMS"}}
	list := Sums(entries[:2])
	require.Equal(t, Sum([]byte("a"))+"  a c\n"+Sum([]byte("b"))+"  b\n", string(list))
	require.NoError(t, CheckSums(list, "SHA256SUMS", entries))
	entries = []Entry{{Path: "b", SHA256: Sum([]byte("other"))}, {Path: "new", SHA256: Sum(nil)}}
	err := CheckSums(list, "SHA256SUMS", entries)
	require.Equal(t, &SumsError{Changed: []string{"b"}, Missing: []string{"a c"}, Extra: []string{"new"}}, err)
	for _, bad := range []string{"xyz  a\n", Sum(nil) + "  ../a\n", Sum(nil) + "  a\n" + Sum(nil) + "  a\n", strings.Repeat("x", 64) + "  a\n"} {
		_, err := ReadSums([]byte(bad))
		require.Error(t, err, bad)
	}
}
