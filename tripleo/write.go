package tripleo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upstep/upstep/heat"
	"github.com/upstep/upstep/source"
)

// rolesFile writes roles.yaml.
func (b *builder) rolesFile() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# The roles of %s, with the services that have tasks.\n", b.shown(b.options.RolesData))
	for _, r := range b.roles {
		if len(r.services) == 0 {
			continue
		}
		fmt.Fprintf(&out, "- name: %s\n", r.name)
		if about := strings.Join(strings.Fields(r.about), " "); about != "" {
			fmt.Fprintf(&out, "  description: %s\n", source.Quote(about))
		}
		if r.hosts != "" {
			fmt.Fprintf(&out, "  hosts: %s\n", source.Quote(r.hosts))
		}
		fmt.Fprintf(&out, "  stage: %s\n", r.stage)
		if r.become != "" {
			fmt.Fprintf(&out, "  play:\n    become: %s\n", r.become)
		}
		if r.batch > 0 {
			fmt.Fprintf(&out, "  rolling:\n    batch: %d\n", r.batch)
		}
		out.WriteString("  services:\n")
		for _, s := range r.services {
			fmt.Fprintf(&out, "    - %s\n", source.Quote(s))
		}
	}
	return out.String()
}

// shown names a file in what is written, where no path of the machine belongs.
func (b *builder) shown(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Base(path)
	}
	if name := b.files.Name(abs); !filepath.IsAbs(name) {
		return name
	}
	return filepath.Base(path)
}

// upgradeFile writes upgrade.yaml.
func (b *builder) upgradeFile() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Imported from tripleo-heat-templates by upstep import tripleo --workflow %s.\n", b.options.Workflow)
	for i, e := range b.options.Environments {
		if i == 0 {
			out.WriteString("# Environments, later ones win:\n")
		}
		fmt.Fprintf(&out, "# - %s\n", b.shown(e))
	}
	fmt.Fprintf(&out, "name: TripleO %s\n", b.options.Workflow)
	order := []string{preRolling, batches, control, nonControl}
	for _, r := range b.roles {
		if !slices.Contains(order, r.stage) {
			order = append(order, r.stage)
		}
	}
	stages := slices.DeleteFunc(order, func(s string) bool {
		return !slices.ContainsFunc(b.roles, func(r *placed) bool { return r.stage == s && len(r.services) > 0 })
	})
	fmt.Fprintf(&out, "stages: [%s]\n", strings.Join(stages, ", "))
	out.WriteString("identical_tasks: once  # as TripleO, which lets a role's services share tasks\n")
	out.WriteString("play:\n  become: true\n")
	if vars := b.variables(); len(vars) > 0 {
		out.WriteString("# What TripleO's own playbooks set.\n")
		out.WriteString(source.Encode(source.MapOf([]source.Pair{{Name: "vars", Value: source.MapOf(vars, source.Node{})}}, source.Node{})))
	}
	if len(b.releases) > 0 {
		out.WriteString("releases:\n")
		from := before(b.releases[0])
		for _, h := range b.hops {
			fmt.Fprintf(&out, "  - {from: %s, to: %s, services: releases/%s}\n", from, h.release, h.release)
			from = h.release
		}
	}
	return out.String()
}

// releaseNames are OpenStack's releases, in their order.
func releaseNames() []string {
	return []string{"liberty", "mitaka", "newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena", "yoga", "zed"}
}

// before gives the release before another.
func before(release string) string {
	names := releaseNames()
	if i := slices.Index(names, release); i > 0 {
		return names[i-1]
	}
	return "before-" + release
}

// between gives those of the words that name releases, in their order, with all that lie
// between them: a fast-forward upgrade leaves none out.
func between(words []string) []string {
	names := releaseNames()
	first, last := len(names), -1
	for _, w := range words {
		if i := slices.Index(names, w); i >= 0 {
			first, last = min(first, i), max(last, i)
		}
	}
	if last < 0 {
		return nil
	}
	return names[first : last+1]
}

// variables gives those variables of TripleO's own playbooks that tasks use, with the
// values of their parameters. common/deploy-steps.j2 (Train).
func (b *builder) variables() []source.Pair {
	var out []source.Pair
	for _, v := range []struct {
		name, parameter string
		otherwise       any
	}{
		{"container_cli", "ContainerCli", "podman"},
		{"container_healthcheck_disabled", "ContainerHealthcheckDisabled", false},
		{"container_log_stdout_path", "ContainerLogStdoutPath", "/var/log/containers/stdouts"},
		{"deploy_identifier", "DeployIdentifier", ""},
		{"docker_puppet_debug", "DockerPuppetDebug", false},
		{"docker_puppet_mount_host_puppet", "DockerPuppetMountHostPuppet", true},
		{"docker_puppet_process_count", "DockerPuppetProcessCount", int64(6)},
		{"enable_debug", "ConfigDebug", false},
		{"enable_paunch", "EnablePaunch", true},
		{"enable_puppet", "EnablePuppet", true},
	} {
		used := slices.ContainsFunc(b.hops, func(h *hop) bool {
			return slices.ContainsFunc(h.defs, func(d *definition) bool { return mentions(d.text, v.name) })
		})
		if !used {
			continue
		}
		value, ok := b.engine.Setting(v.parameter)
		if !ok {
			value = v.otherwise
		}
		out = append(out, source.Pair{Name: v.name, Value: heat.Compose(value).Bare()})
	}
	return out
}
