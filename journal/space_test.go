package journal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARunNeedsRoomForItsRecord(t *testing.T) {
	dir := t.TempDir()
	var asked string
	has := func(free uint64, err error) func(string) (Space, error) {
		return func(folder string) (Space, error) { asked = folder; return Space{"/srv (/dev/sdb1)", free}, err }
	}
	require.NoError(t, Room(dir, has(LeastFree, nil)))
	require.Equal(t, dir, asked, "the folder will be made there")
	require.NoError(t, Room(dir, has(0, errors.New("unknown"))))
	err := Room(dir, has(LeastFree-1<<19, nil))
	require.EqualError(t, err, "file system /srv (/dev/sdb1) has 63.5 MiB free: a run needs 64 MiB there for .upstep")
	var full *NoRoomError
	require.ErrorAs(t, err, &full)
	require.NoError(t, os.Mkdir(filepath.Join(dir, Folder), 0o700))
	require.NoError(t, Room(dir, has(LeastFree, nil)))
	require.Equal(t, filepath.Join(dir, Folder), asked)
}

func TestSpaceOfAFolder(t *testing.T) {
	s, err := SpaceOf(t.TempDir())
	require.NoError(t, err)
	require.Positive(t, s.Free)
	require.Regexp(t, `^/.* \(.+\)$`, s.System)
	_, err = SpaceOf(filepath.Join(t.TempDir(), "nowhere"))
	require.Error(t, err)
}

func TestWhereAPathIsMounted(t *testing.T) {
	const mounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 8:2 / /srv rw shared:2 master:1 - xfs /dev/sdb1 rw
24 23 8:3 / /srv/with\040space rw - ext4 /dev/sdc1 rw
25 22 0:30 / /srv rw - tmpfs over rw
nonsense
`
	for path, want := range map[string]string{
		"/": "/ (/dev/sda1)", "/home/x": "/ (/dev/sda1)", "/srvx": "/ (/dev/sda1)", "/srv": "/srv (over)", "/srv/a": "/srv (over)",
		"/srv/with space/a": "/srv/with space (/dev/sdc1)",
	} {
		require.Equal(t, want, mountOf(path, mounts), path)
	}
	require.Equal(t, "of /a", mountOf("/a", ""))
}
