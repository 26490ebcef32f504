package bundle

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"

	"github.com/upstep/upstep/archive"
)

// Form is what a bundle travels as, by the ending of the file's name.
type Form string

// The forms.
const (
	Archive Form = ".tar.zst"
	Deb     Form = ".deb"
	RPM     Form = ".rpm"
)

// FormOf tells a file's form by its name.
func FormOf(name string) (Form, bool) {
	for _, f := range []Form{Archive, Deb, RPM} {
		if strings.HasSuffix(name, string(f)) {
			return f, true
		}
	}
	return "", false
}

// made is the time of every file of a bundle, so that the same input gives the same bytes:
// that of archives. Some tools take the year 1970 for a mistake.
func made() time.Time { return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) }

// Create writes the bundle that stands in a folder to a file, which appears once it is
// whole and on disk; an older one is replaced.
func Create(ctx context.Context, dir string, m *Manifest, form Form, path string) error {
	out, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer out.Cleanup() //nolint:errcheck // after the replacement nothing is left to clean
	if err := pack(ctx, dir, m, form, out); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

// pack writes a bundle in a form: the same bytes for the same folder.
func pack(ctx context.Context, dir string, m *Manifest, form Form, w io.Writer) error {
	w = &lasting{ctx, w}
	list, err := walk(dir)
	if err != nil {
		return err
	}
	if form == Archive {
		var all []archive.File
		for _, path := range list {
			f, err := archive.Disk(m.Folder()+"/"+path, filepath.Join(dir, filepath.FromSlash(path)))
			if err != nil {
				return err
			}
			all = append(all, f)
		}
		return archive.Write(w, all)
	}
	scripts, err := os.MkdirTemp("", "upstep-bundle-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scripts) }()
	info, err := packageOf(dir, list, m, scripts)
	if err != nil {
		return err
	}
	if form == Deb {
		return deb.Default.Package(info, w)
	}
	return rpm.DefaultRPM.Package(info, w)
}

// lasting writes until its context ends.
type lasting struct {
	ctx context.Context //nolint:containedctx // of one file
	w   io.Writer
}

func (l *lasting) Write(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	return l.w.Write(p)
}

// packageOf describes the package of a bundle. It depends on nothing: what it needs it
// says when it is run, on a machine that can fetch nothing.
func packageOf(dir string, list []string, m *Manifest, scripts string) (*nfpm.Info, error) {
	info := &nfpm.Info{
		Name: m.Name, Arch: m.Architecture, Platform: "linux",
		Version: m.Version, VersionSchema: "none", Section: "admin", Priority: "optional",
		Maintainer:      "upstep bundle <root@localhost>",
		Description:     "Upgrade: " + m.Title + "\nInstalling it unpacks it below " + m.Installed() + " and changes nothing else.",
		MTime:           made(),
		DisableGlobbing: true,
	}
	info.Deb.Compression, info.RPM.Compression = "gzip:6", "gzip:6"
	info.RPM.BuildHost = "localhost"
	folders := map[string]bool{}
	for _, path := range list {
		for up := filepath.Dir(path); !folders[up]; up = filepath.Dir(up) {
			folders[up] = true
			info.Contents = append(info.Contents, &files.Content{
				Destination: filepath.Join(m.Installed(), up), Type: files.TypeDir,
				FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: 0o755, MTime: made()},
			})
		}
		source := filepath.Join(dir, filepath.FromSlash(path))
		stat, err := os.Stat(source)
		if err != nil {
			return nil, err
		}
		info.Contents = append(info.Contents, &files.Content{
			Source: source, Destination: m.Installed() + "/" + path,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: modeOf(stat), MTime: made(), Size: stat.Size()},
		})
	}
	for _, s := range []struct {
		file *string
		text string
	}{{&info.Scripts.PreInstall, guard(m)}, {&info.Scripts.PreRemove, guard(m)}, {&info.Scripts.PostInstall, announce(m)}} {
		f, err := os.CreateTemp(scripts, "")
		if err != nil {
			return nil, err
		}
		*s.file = f.Name()
		if _, err := f.WriteString(s.text); err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return info, nil
}

func modeOf(info fs.FileInfo) fs.FileMode {
	if info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// guard is the script that keeps a package from being changed or removed under a run.
func guard(m *Manifest) string {
	return fmt.Sprintf(`#!/bin/sh
lock=%[1]s/%[2]s/lock
if [ -e "$lock" ] && command -v flock > /dev/null && ! flock --nonblock "$lock" true; then
  echo "%[3]s: an upgrade is on, and needs these files: wait for it, or end it with %[1]s/%[4]s cancel" >&2
  exit 1
fi
`, m.Installed(), stateFolder, m.Name, LauncherFile)
}

// announce is the script that says how to go on.
func announce(m *Manifest) string {
	return fmt.Sprintf(`#!/bin/sh
case "${1:-}" in abort-*) exit 0 ;; esac # what was to be done was refused, and nothing is new
if [ -e %[4]s/%[6]s/journal.db ]; then
  cat << 'TEXT'
%[1]s %[2]s is unpacked. An upgrade was begun here before: %[4]s/%[5]s status
tells how far it is, and the same command goes on with it (%[3]s):
  %[4]s/%[5]s
TEXT
else
  cat << 'TEXT'
%[1]s %[2]s is unpacked, and nothing has run yet. The upgrade (%[3]s) is one command:
  %[4]s/%[5]s
TEXT
fi
`, m.Name, m.Version, m.Title, m.Installed(), LauncherFile, stateFolder)
}
