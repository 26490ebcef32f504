package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LeastFree is what a run needs for its record and its logs, in bytes: one that cannot
// write down what it does stops in the middle.
const LeastFree = 64 << 20

// Space is how much room a file system has.
type Space struct {
	System string // where it is mounted, and from what
	Free   uint64 // bytes, for users other than root
}

// NoRoomError says that there is too little room for a run's record.
type NoRoomError struct{ Space }

// Error names the file system, and both figures.
func (e *NoRoomError) Error() string {
	return fmt.Sprintf("file system %s has %.1f MiB free: a run needs %d MiB there for %s", e.System, float64(e.Free)/(1<<20), LeastFree>>20, Folder)
}

// Hint says how to mend it.
func (e *NoRoomError) Hint() string {
	return "free space there; upstep prune --keep N removes old runs"
}

// Room tells by a *NoRoomError that the project in dir has too little room for the
// record of a run. measure is mostly SpaceOf; what it cannot tell is no reason against a run.
func Room(dir string, measure func(folder string) (Space, error)) error {
	folder := filepath.Join(dir, Folder)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		folder = dir
	}
	space, err := measure(folder)
	if err == nil && space.Free < LeastFree {
		return &NoRoomError{space}
	}
	return nil
}

// SpaceOf measures the file system that a folder is on.
func SpaceOf(folder string) (Space, error) {
	path, err := filepath.Abs(folder)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return Space{}, err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Space{}, fmt.Errorf("ask for the room at %s: %w", path, err)
	}
	if s.Blocks == 0 {
		return Space{}, fmt.Errorf("the file system of %s tells no sizes", path)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Space{System: "of " + path, Free: s.Bavail * uint64(s.Bsize)}, nil //nolint:nilerr // a name is all that it is for
	}
	return Space{System: mountOf(path, string(mounts)), Free: s.Bavail * uint64(s.Bsize)}, nil
}

// mountOf finds in a list of mounts, as Linux has it, the one that a path is on: the
// longest above it, and of several at one place the last.
func mountOf(path, mounts string) string {
	at, from := "", ""
	for line := range strings.Lines(mounts) {
		left, right, ok := strings.Cut(line, " - ")
		place, source := strings.Fields(left), strings.Fields(right)
		if !ok || len(place) < 5 || len(source) < 2 {
			continue
		}
		point := unescaped(place[4])
		if above := strings.TrimSuffix(point, "/") + "/"; strings.HasPrefix(path+"/", above) && len(point) >= len(at) {
			at, from = point, unescaped(source[1])
		}
	}
	if at == "" {
		return "of " + path
	}
	return at + " (" + from + ")"
}

// unescaped gives a name as it is: spaces and the like stand in lists of mounts as \040.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
