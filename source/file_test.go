package source_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))
	require.NoError(t, os.Mkdir(at("folder"), 0o700))
	require.NoError(t, os.WriteFile(at("plain"), []byte("a: 1\n"), 0o600))
	for link, to := range map[string]string{"link": "plain", "to-pipe": "pipe", "dangling": "nowhere", "device": "/dev/zero", "round": "round"} {
		require.NoError(t, os.Symlink(to, at(link)))
	}
	require.NoError(t, os.WriteFile(at("huge"), nil, 0o600))
	require.NoError(t, os.Truncate(at("huge"), 1<<40))
	const hint = "\n  hint: put a plain file in its place, or take it away"
	for name, want := range map[string]string{
		"plain":    "",
		"link":     "",
		"pipe":     "p/pipe: is no regular file (a named pipe)" + hint,
		"to-pipe":  "p/to-pipe: is no regular file (a named pipe)" + hint,
		"folder":   "p/folder: is no regular file (a folder)" + hint,
		"device":   "p/device: is no regular file (a device)" + hint,
		"dangling": "p/dangling: is no regular file (a link to what is not there)" + hint,
		"round":    "p/round: read it: too many levels of symbolic links",
		"missing":  "p/missing: read it: no such file or directory",
		"huge":     "p/huge: file is larger than 64 MiB\n  hint: split it into several files",
	} {
		t.Run(name, func(t *testing.T) {
			sink := &source.Sink{}
			f, ok := source.Read(os.DirFS(dir), name, "p/"+name, "it", sink)
			require.Equal(t, want, sink.Problems().Error())
			require.Equal(t, want == "", ok)
			if ok {
				require.Equal(t, source.File{Name: "p/" + name, Text: []byte("a: 1\n")}, f)
			}
		})
	}
	_, err := source.ReadFile(os.DirFS(dir), "missing")
	require.ErrorIs(t, err, syscall.ENOENT, "whoever asks can still tell")
}

func TestFilesAreKnownByTheirNames(t *testing.T) {
	for name, want := range map[string]bool{"a.yaml": true, "a.yml": true, "A.YAML": true, "a.Yml": true, "a.json": false, "yaml": false, "a.yaml~": false, "a.yaml.bak": false} {
		require.Equal(t, want, source.IsYAML(name), name)
	}
}
