package ansible

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/apenella/go-ansible/v2/pkg/inventory"
)

// Oldest is the first ansible-core that runs what upstep emits, and with what its
// callback goes by.
const Oldest = "2.14"

// TooOldError says that a run needs a later Ansible.
type TooOldError struct{ Version string }

// Error gives both versions.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("ansible-core %s is too old: a run needs %s or later", e.Version, Oldest)
}

// Hint says how to mend it.
func (e *TooOldError) Hint() string {
	return "install a later one, or put it first on PATH: python3 -m pip install 'ansible-core>=" + Oldest + "'"
}

// Versions up to 2.10 have no brackets.
var coreVersion = regexp.MustCompile(`^\S+ (?:\[(?:core )?)?([0-9][^\]\s]*)`)

// Version gives the version of ansible-core, such as 2.14.18.
func (t *Tool) Version(ctx context.Context) (string, error) {
	cmd := command{
		make: inventory.NewAnsibleInventoryCmd(
			inventory.WithInventoryOptions(&inventory.AnsibleInventoryOptions{Version: true})).Command,
	}
	out, err := t.run(ctx, cmd)
	if err != nil {
		return "", err
	}
	if out.code != 0 {
		return "", out.failed(essential(string(out.stderr)))
	}
	first, _, _ := strings.Cut(string(out.stdout), "\n")
	if m := coreVersion.FindStringSubmatch(first); m != nil {
		return m[1], nil
	}
	return "", out.failed("no version in its answer")
}

// Suffices asks whether Ansible can run what upstep emits; a *TooOldError says that it
// cannot.
func (t *Tool) Suffices(ctx context.Context) error {
	v, err := t.Version(ctx)
	if err != nil {
		return err
	}
	if major, minor, ok := release(v); ok {
		if oldMajor, oldMinor, _ := release(Oldest); major < oldMajor || major == oldMajor && minor < oldMinor {
			return &TooOldError{Version: v}
		}
	}
	return nil
}

// release gives the first two numbers of a version: 2.9 comes before 2.14.
func release(version string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	digits := strings.TrimRightFunc(second, func(r rune) bool { return r < '0' || r > '9' })
	major, err := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(digits)
	return major, minor, err == nil && err2 == nil
}
