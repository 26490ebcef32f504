package services

import (
	"slices"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// tripleoFields finds the service in a TripleO template: outputs.role_data.value,
// the task lists standing in value or beside it.
func tripleoFields(root source.Node, sink *source.Sink) (source.Fields, bool) {
	data := root.Get("outputs").Get("role_data")
	value := data.Get("value")
	if value.Kind() != source.Map {
		at := root.Get("outputs").Pos()
		if value.Exists() {
			at = value.Pos()
		}
		sink.Errorf(at, "a TripleO template without a mapping under outputs.role_data.value").
			WithHint("a service's own form begins with service_name: NAME")
		return source.Fields{}, false
	}
	if name, is := tasks.HeatFunction(value); is {
		tasks.NeedsImport(value, name, sink)
		return source.Fields{}, false
	}
	beside := source.OpenFields("role_data", sink, data)
	known := keys()
	f := source.OpenFields("role_data", sink, value)
	for _, k := range beside.Keys() {
		if slices.Contains(known, k) && k != "description" {
			f = f.With(k, beside.Get(k))
		}
	}
	for _, at := range []source.Fields{beside, f} {
		for _, l := range upgradeLists() {
			if v := at.Get(l); v.Len() > 0 || v.Exists() && v.Kind() != source.List {
				sink.Warnf(at.PosOf(l), "%s is not carried: what it does is no part of the plan", l).
					WithHint("move what the upgrade needs of it to a list that is, such as preflight_tasks, upgrade_tasks or post_upgrade_tasks")
			}
		}
	}
	for _, k := range f.Keys() {
		// TripleO's other keys (config_settings, step_config, ...) are not ours to judge,
		// but a misspelt task list would vanish in silence.
		if near := source.Nearest(k, taskKeys()); near != "" && !slices.Contains(tripleoLists(), k) && !slices.Contains(known, k) {
			sink.Warnf(f.PosOf(k), "key %q is not read", k).WithHint(`did you mean "` + near + `"?`)
		}
	}
	return f, true
}

// taskKeys are the lists that a template may have: its roles are never replaced.
func taskKeys() []string {
	var out []string
	for _, l := range tasks.ListNames() {
		if !slices.Contains(tasks.PhaseNames(), l) {
			out = append(out, string(l))
		}
	}
	return out
}

// upgradeLists are TripleO's lists that take part in an upgrade or update and are not read.
func upgradeLists() []string {
	return []string{
		"upgrade_batch_tasks", "pre_upgrade_rolling_tasks", "external_upgrade_tasks", "update_tasks", "post_update_tasks",
		"external_update_tasks", "fast_forward_upgrade_tasks", "fast_forward_post_upgrade_tasks",
	}
}

// tripleoLists are TripleO's own lists that only an import knows how to place.
func tripleoLists() []string {
	return append(upgradeLists(), "host_prep_tasks", "deploy_steps_tasks", "external_deploy_tasks", "external_post_deploy_tasks",
		"docker_puppet_tasks", "scale_tasks")
}
