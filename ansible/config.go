package ansible

import (
	"context"
	_ "embed" // the callback
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// callback is licensed apart: it imports Ansible's code.
//
//go:embed callback/upstep.py
var callback []byte

// settings is what the user's ansible.cfg and environment say of what a job would
// set itself.
type settings struct {
	callbacks []string // folders, when the user has named them
	facts     bool     // a fact cache
	pipeline  bool     // pipelining, on or off
	ssh       bool     // more arguments of ssh
	home      string
}

var (
	pipelining = regexp.MustCompile(`(?m)^[ \t]*pipelining[ \t]*[=:]`)
	extraArgs  = regexp.MustCompile(`(?m)^[ \t]*ssh_extra_args[ \t]*[=:]`)
)

// keepAlive has ssh ask a host that says nothing whether it is still there: one that is gone
// is unreachable after three minutes, where the connection alone would be waited for.
const keepAlive = "-o ServerAliveInterval=30 -o ServerAliveCountMax=6"

// settings asks ansible-config once, and only where there is a file to read.
func (t *Tool) settings(ctx context.Context) (settings, error) {
	t.asked.Lock()
	defer t.asked.Unlock()
	if t.known != nil {
		return *t.known, nil
	}
	s := settings{
		facts:    lookup(t.env, "ANSIBLE_CACHE_PLUGIN") != "",
		pipeline: lookup(t.env, "ANSIBLE_PIPELINING") != "" || lookup(t.env, "ANSIBLE_SSH_PIPELINING") != "",
		ssh:      lookup(t.env, "ANSIBLE_SSH_EXTRA_ARGS") != "",
		home:     lookup(t.env, "ANSIBLE_HOME"),
	}
	if v := lookup(t.env, "ANSIBLE_CALLBACK_PLUGINS"); v != "" {
		s.callbacks = filepath.SplitList(v)
	}
	if t.configured() {
		if err := t.askConfig(ctx, &s); err != nil {
			return settings{}, err
		}
	}
	if s.home == "" {
		s.home = "~/.ansible"
	}
	if s.callbacks == nil { // Ansible's own default, which naming a folder takes away
		s.callbacks = []string{s.home + "/plugins/callback", "/usr/share/ansible/plugins/callback"}
	}
	t.known = &s
	return s, nil
}

// configured tells whether there is a file that Ansible may read its settings from.
func (t *Tool) configured() bool {
	if lookup(t.env, "ANSIBLE_CONFIG") != "" {
		return true
	}
	return slices.ContainsFunc([]string{"ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg"}, func(name string) bool {
		_, err := os.Stat(t.path(name))
		return err == nil
	})
}

// askConfig takes what ansible.cfg says, as Ansible finds and reads it.
func (t *Tool) askConfig(ctx context.Context, s *settings) error {
	out, err := t.run(ctx, command{make: func() ([]string, error) {
		return []string{"ansible-config", "dump", "--only-changed", "--format", "json"}, nil
	}})
	if err != nil {
		return err
	}
	if out.code != 0 {
		return out.failed(essential(string(out.stderr)))
	}
	var found []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(out.stdout, &found); err != nil {
		return out.failed(fmt.Sprintf("its output is not as expected: %v", err))
	}
	for _, f := range found {
		switch f.Name {
		case "DEFAULT_CALLBACK_PLUGIN_PATH":
			_ = json.Unmarshal(f.Value, &s.callbacks)
		case "CACHE_PLUGIN":
			s.facts = true
		case "ANSIBLE_PIPELINING":
			s.pipeline = true
		case "ANSIBLE_HOME":
			_ = json.Unmarshal(f.Value, &s.home)
		case "CONFIG_FILE":
			var name string
			_ = json.Unmarshal(f.Value, &name)
			// the connection's own setting is not among the dumped ones
			if text, err := os.ReadFile(name); err == nil {
				s.pipeline = s.pipeline || pipelining.Match(text)
				s.ssh = s.ssh || extraArgs.Match(text)
			}
		}
	}
	return nil
}

// jobEnv gives the environment of a job's process. What the user has set stays; sudo
// on hosts with requiretty needs pipelining switched off there. ControlPersist is on
// by Ansible's own default.
func (t *Tool) jobEnv(folder string, job Job, s settings, removed []string) []string {
	env := append(slices.Clone(t.env),
		"UPSTEP_EVENTS="+filepath.Join(folder, eventsFile),
		"UPSTEP_TREE="+job.Tree,
		"UPSTEP_REMOVE="+strings.Join(removed, "\n"),
		"ANSIBLE_CALLBACK_PLUGINS="+strings.Join(append([]string{filepath.Join(folder, pluginDir)}, s.callbacks...), string(filepath.ListSeparator)),
	)
	if v := lookup(t.env, "ANSIBLE_CALLBACK_PLUGINS"); v != "" {
		env = append(env, "UPSTEP_CALLBACKS="+v) // given back to what tasks start
	}
	if !s.pipeline {
		env = append(env, "ANSIBLE_PIPELINING=True")
	}
	if !s.ssh {
		env = append(env, "ANSIBLE_SSH_EXTRA_ARGS="+keepAlive)
	}
	if job.Facts != "" && !s.facts {
		env = append(env, "ANSIBLE_CACHE_PLUGIN=jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION="+job.Facts)
		if lookup(t.env, "ANSIBLE_CACHE_PLUGIN_TIMEOUT") == "" {
			// facts are gathered once in a run, which may stand for days
			env = append(env, "ANSIBLE_CACHE_PLUGIN_TIMEOUT=0")
		}
	}
	return env
}
