package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/upstep/upstep/bundle"
)

func (a *app) bundleVerifyCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "verify FILE|FOLDER",
		Short: "Tell what a bundle is, and whether it is as it was made",
		Long: `Tell what a bundle is, and whether it is as it was made: as a file, or unpacked.
Whatever was changed, is missing or was put beside is named, and the exit code is 5.

Where a public key is configured the bundle must be signed by it: --key, the variable
UPSTEP_BUNDLE_KEY, /etc/upstep/bundle.pub and the files /etc/upstep/bundle.pub.d/*.pub;
the first of the three that is there counts, for every run from a bundle too.`,
		Example: "  upstep bundle verify shop-4.2.0.deb\n  upstep bundle verify /opt/upstep/shop-upgrade\n  upstep bundle verify shop-4.2.0.tar.zst --key minisign.pub --output json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse(cmd, "", "verify takes one bundle, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.bundleVerify(cmd.Context(), args[0], key) },
	}
	a.outputFlag(cmd)
	cmd.Flags().StringVar(&key, "key", "", "the public key of minisign that must have signed it: a file, or the key itself")
	return cmd
}

// verified is what bundle verify says to programs.
type verified struct {
	Intact bool   `json:"intact"`
	Reason string `json:"reason,omitempty"` // why it is not
	*bundle.Report
	Differences []bundle.Difference `json:"differences"`
}

func (a *app) bundleVerify(ctx context.Context, path, key string) error {
	keys, err := a.bundleKeys(key)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return usageError{err, "name a bundle: a file, or the folder that it was unpacked to"}
	}
	var r *bundle.Report
	if info.IsDir() {
		r, err = bundle.VerifyFolder(path, keys)
	} else {
		r, err = bundle.VerifyFile(ctx, path, version(), keys)
	}
	if err != nil {
		err = a.notIntact(err)
		if _, is := errors.AsType[codeError](err); is && a.output != "table" {
			v := verified{Reason: strings.SplitN(err.Error(), "\n", 2)[0], Differences: []bundle.Difference{}}
			if changed, is := errors.AsType[*bundle.ChangedError](err); is {
				v.Differences = changed.Differences
			}
			return errors.Join(err, a.document(v))
		}
		return err
	}
	return a.result(verified{Intact: true, Report: r, Differences: []bundle.Difference{}}, func() {
		a.printf("%s %s: as it was made\n", r.Name, r.Version)
		a.manifest(&r.Manifest)
		a.printf("  files      %d, %s\n", r.Files, mebibytes(r.Bytes))
		a.printf("  made by    upstep %s\n", r.Upstep)
		switch {
		case r.Trusted:
			a.printf("  signed     by key %s, which is trusted here\n", r.SignedBy)
		case r.SignedBy != "":
			a.printf("  signed     by key %s, not checked: no key is configured here\n", r.SignedBy)
		default:
			a.printf("  signed     no\n")
		}
	})
}

// notIntact lists what is wrong with a bundle, and gives the error its code.
func (a *app) notIntact(err error) error {
	var changed *bundle.ChangedError
	var untrusted *bundle.UntrustedError
	var damaged *bundle.FileError
	switch {
	case errors.As(err, &changed):
		for _, d := range changed.Differences {
			a.errorf("%s: %s\n", d.Path, d.What)
		}
		return codeError{fmt.Errorf("%w\n  hint: %s", err, changed.Hint()), exitStale}
	case errors.As(err, &untrusted):
		return codeError{fmt.Errorf("%w\n  hint: %s", err, untrusted.Hint()), exitStale}
	case errors.As(err, &damaged):
		return codeError{fmt.Errorf("%w\n  hint: %s", err, damaged.Hint()), exitStale}
	}
	return err
}

// intact refuses to run from a bundle that is not as it was made: the one that the
// project stands in, and the one that the plan stands in.
func (a *app) intact(plan string) error {
	dirs := []string{a.dir}
	if plan != "" {
		dirs = append(dirs, filepath.Dir(plan))
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		root, ok := bundle.Above(dir)
		if !ok || seen[root] {
			continue
		}
		seen[root] = true
		keys, err := a.bundleKeys("")
		if err != nil {
			return err
		}
		if _, err := bundle.VerifyFolder(root, keys); err != nil {
			return a.notIntact(err)
		}
	}
	return nil
}

// What says which key must have signed a bundle.
const (
	bundleKeyEnv    = "UPSTEP_BUNDLE_KEY"
	bundleKeyFolder = "/etc/upstep"
)

// bundleKeys gives the keys one of which must have signed a bundle; none: nothing is asked.
func (a *app) bundleKeys(flag string) ([]bundle.Key, error) {
	if flag != "" {
		k, err := keyOf(flag)
		return []bundle.Key{k}, wrongKey("--key", err)
	}
	if env := os.Getenv(bundleKeyEnv); env != "" {
		k, err := keyOf(env)
		return []bundle.Key{k}, wrongKey(bundleKeyEnv, err)
	}
	folder := a.keyFolder
	if folder == "" {
		folder = bundleKeyFolder
	}
	files := []string{filepath.Join(folder, "bundle.pub")}
	more, err := os.ReadDir(filepath.Join(folder, "bundle.pub.d"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, wrongKey(folder, err)
	}
	for _, f := range more {
		if strings.HasSuffix(f.Name(), ".pub") {
			files = append(files, filepath.Join(folder, "bundle.pub.d", f.Name()))
		}
	}
	var out []bundle.Key
	for i, f := range files {
		if _, err := os.Lstat(f); i == 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		k, err := keyOf(f)
		if err != nil {
			return nil, wrongKey(f, err)
		}
		out = append(out, k)
	}
	return out, nil
}

// keyOf reads a key, or the file that holds it.
func keyOf(text string) (bundle.Key, error) {
	if k, err := bundle.ParseKey(text); err == nil {
		return k, nil
	}
	data, err := os.ReadFile(text) //nolint:gosec // named by whoever says whom to trust
	if err != nil {
		return bundle.Key{}, err
	}
	return bundle.ParseKey(string(data))
}

// wrongKey says where a key that cannot be used is configured. Nothing goes on without it.
func wrongKey(where string, err error) error {
	if err == nil {
		return nil
	}
	return usageError{fmt.Errorf("the key of %s: %w", where, err), "it is the public key that minisign -G writes, minisign.pub: its file, or the line in it"}
}

// signKey reads the key to sign with; nil where none is named.
func (a *app) signKey(file, passwordFile string) (*bundle.SignKey, error) {
	if file == "" {
		if passwordFile != "" {
			return nil, usageError{errors.New("--password-file says nothing without --sign-key"), "name the key too"}
		}
		return nil, nil //nolint:nilnil // not signing is no failure
	}
	const hint = "--sign-key names the private key that minisign -G writes"
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, usageError{err, hint}
	}
	password := ""
	if bundle.Encrypted(text) {
		if password, err = a.signPassword(passwordFile); err != nil {
			return nil, err
		}
	}
	k, err := bundle.ParseSignKey(text, password)
	if errors.Is(err, bundle.ErrPassword) {
		return nil, usageError{fmt.Errorf("%s: %w", file, err), "--password-file names a file with it; without one it is asked for on a terminal"}
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("%s %w", file, err), hint}
	}
	return &k, nil
}

// signPassword gives the password of the key to sign with.
func (a *app) signPassword(file string) (string, error) {
	if file != "" {
		text, err := os.ReadFile(file) //nolint:gosec // the operator names it
		if err != nil {
			return "", usageError{err, "--password-file names a file with the password of the key"}
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	if text, ok := os.LookupEnv("UPSTEP_SIGN_PASSWORD"); ok {
		return text, nil
	}
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", usageError{errors.New("the key is encrypted, and there is no terminal to ask for its password"), "--password-file names a file with it, or UPSTEP_SIGN_PASSWORD holds it"}
	}
	a.errorf("password of the key: ")
	text, err := term.ReadPassword(int(f.Fd()))
	a.errorf("\n")
	return string(text), err
}
