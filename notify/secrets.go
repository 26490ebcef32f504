package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/upstep/upstep/settings"
)

// hidden stands where a secret stood.
const hidden = "******"

// secrets opens what is kept elsewhere, and takes it out of what is shown.
type secrets struct {
	dir   string // of the project
	env   []string
	mu    sync.Mutex
	known []string // the longest first
}

// newSecrets knows the values of variables that are named like secrets, as Ansible's
// processes do.
func newSecrets(dir string, env []string) *secrets {
	s := &secrets{dir: dir, env: env}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		name = strings.ToUpper(name)
		isPath := slices.ContainsFunc([]string{"/", "~", "./", "../"}, func(p string) bool { return strings.HasPrefix(value, p) })
		if !isPath && slices.ContainsFunc([]string{"PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL"}, func(w string) bool { return strings.Contains(name, w) }) {
			s.learn(value)
		}
	}
	return s
}

// learn notes texts that must not be seen, in the spellings that they are met in.
func (s *secrets) learn(texts ...string) {
	const least = 6 // a shorter one would hide what it is not
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range texts {
		quoted, _ := asJSON(t)
		for _, form := range []string{t, strings.TrimSpace(t), url.QueryEscape(t), url.PathEscape(t), strings.Trim(quoted, `"`)} {
			if len(form) >= least && !slices.Contains(s.known, form) {
				s.known = append(s.known, form)
			}
		}
	}
	slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) })
}

// hide takes out of a text what must not be seen.
func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.known {
		text = strings.ReplaceAll(text, k, hidden)
	}
	return text
}

// hideIn takes out of a message what must not be seen.
func (s *secrets) hideIn(m Message) Message {
	m.Message, m.Next = s.hide(m.Message), s.hide(m.Next)
	m.Failures = slices.Clone(m.Failures)
	for i := range m.Failures {
		f := &m.Failures[i]
		f.Message, f.Task = s.hide(f.Message), s.hide(f.Task)
	}
	return m
}

// open gives a text, from where it is kept.
func (s *secrets) open(k settings.Secret) (string, error) {
	text := k.Text
	switch {
	case k.Env != "":
		at := slices.IndexFunc(s.env, func(e string) bool { return strings.HasPrefix(e, k.Env+"=") })
		if at < 0 {
			return "", fmt.Errorf("environment variable %s is not set", k.Env)
		}
		if text = strings.TrimPrefix(s.env[at], k.Env+"="); text == "" {
			return "", fmt.Errorf("environment variable %s is empty", k.Env)
		}
	case k.File != "":
		var err error
		if text, err = s.read(k.File); err != nil {
			return "", err
		}
	default:
		return text, nil
	}
	if strings.ContainsAny(text, "\r\n\x00") {
		return "", fmt.Errorf("%s holds more than a line of text", whereOf(k))
	}
	s.learn(text, k.Prefix+text)
	return k.Prefix + text, nil
}

// read gives what stands in a file, without the end of its last line.
func (s *secrets) read(name string) (string, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	const most = 64 << 10
	info, err := os.Stat(path) // opening a pipe would wait
	switch {
	case err != nil:
		if at, is := errors.AsType[*fs.PathError](err); is {
			err = at.Err
		}
		return "", fmt.Errorf("read %s: %w", name, err)
	case !info.Mode().IsRegular() || info.Size() > most:
		return "", fmt.Errorf("read %s: no regular file of at most 64 KiB", name)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	out := strings.TrimRight(string(text), "\r\n")
	if out == "" {
		return "", fmt.Errorf("read %s: it is empty", name)
	}
	return out, nil
}

// whereOf says where a secret is kept.
func whereOf(k settings.Secret) string {
	if k.Env != "" {
		return "environment variable " + k.Env
	}
	return k.File
}
