package roles

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Match gives the hosts of an Ansible inventory pattern, in the inventory's order:
// names and groups joined by , or :, & for intersection, ! for exclusion, shell
// wildcards, ~regular expressions and [subscripts], read as Ansible reads them
// (ansible/inventory/manager.py).
func (inv *Inventory) Match(pattern string) ([]string, error) {
	var regular, both, without []string
	for _, p := range splitPattern(pattern) {
		switch p[0] {
		case '&':
			both = append(both, p[1:])
		case '!':
			without = append(without, p[1:])
		default:
			regular = append(regular, p)
		}
	}
	if regular == nil {
		regular = []string{"all"}
	}
	var hosts []string
	for _, p := range regular {
		found, err := inv.matchOne(p)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
	}
	for _, p := range both {
		found, err := inv.matchOne(p)
		if err != nil {
			return nil, err
		}
		hosts = slices.DeleteFunc(hosts, func(h string) bool { return !slices.Contains(found, h) })
	}
	for _, p := range without {
		found, err := inv.matchOne(p)
		if err != nil {
			return nil, err
		}
		hosts = slices.DeleteFunc(hosts, func(h string) bool { return slices.Contains(found, h) })
	}
	return hosts, nil
}

var (
	colonPart  = regexp.MustCompile(`(?:[^\s:\[\]]|\[[^\]]*\])+`)
	ipv6       = regexp.MustCompile(`^[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$`)
	subscripts = regexp.MustCompile(`^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$`)
)

func splitPattern(pattern string) []string {
	var parts []string
	switch {
	case strings.Contains(pattern, ","):
		parts = strings.Split(pattern, ",")
	case ipv6.MatchString(pattern) && !strings.ContainsAny(pattern, "&!"):
		parts = []string{pattern}
	default:
		parts = colonPart.FindAllString(pattern, -1)
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" && p != "&" && p != "!" {
			out = append(out, p)
		}
	}
	return out
}

func (inv *Inventory) matchOne(p string) ([]string, error) {
	if inv.hosts[p] {
		return []string{p}, nil
	}
	expr, from, to := p, 0, -1
	if m := subscripts.FindStringSubmatch(p); m != nil && p[0] != '~' {
		expr = m[1]
		if m[2] != "" {
			from, _ = strconv.Atoi(m[2])
			to = from
		} else {
			from, _ = strconv.Atoi(m[3])
			if m[4] != "" {
				to, _ = strconv.Atoi(m[4])
			}
		}
		hosts, err := inv.enumerate(expr)
		if err != nil {
			return nil, err
		}
		return subscript(hosts, from, to, m[2] != ""), nil
	}
	return inv.enumerate(expr)
}

// subscript gives one element (negative counts from the end), or a range with both ends.
func subscript(hosts []string, from, to int, single bool) []string {
	if single {
		if from < 0 {
			from += len(hosts)
		}
		if from < 0 || from >= len(hosts) {
			return nil
		}
		return hosts[from : from+1]
	}
	if to < 0 || to >= len(hosts) {
		to = len(hosts) - 1
	}
	if from > to {
		return nil
	}
	return hosts[from : to+1]
}

func (inv *Inventory) enumerate(expr string) ([]string, error) {
	match, err := matcher(expr)
	if err != nil {
		return nil, err
	}
	var out []string
	add := func(hosts []string) {
		for _, h := range hosts {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	anyGroup := false
	for _, g := range inv.groupNames() {
		if match(g) {
			anyGroup = true
			add(inv.groupHosts(g))
		}
	}
	if !anyGroup || expr[0] == '~' || strings.ContainsAny(expr, ".?*[") {
		for _, h := range inv.order {
			if match(h) {
				add([]string{h})
			}
		}
	}
	if len(out) == 0 && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, expr) {
		return []string{expr}, nil // Ansible makes it up when it is asked for
	}
	return out, nil
}

// groupNames gives the groups, all first, then as they are met going down.
func (inv *Inventory) groupNames() []string {
	out := []string{"all"}
	for i := 0; i < len(out); i++ {
		for _, c := range inv.groups[out[i]].Children {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

func matcher(expr string) (func(string) bool, error) {
	if expr[0] == '~' {
		re, err := regexp.Compile("^(?:" + expr[1:] + ")")
		if err != nil {
			return nil, fmt.Errorf("host pattern %q is no regular expression: %w", expr, err)
		}
		return re.MatchString, nil
	}
	if !strings.ContainsAny(expr, "*?[") {
		return func(s string) bool { return s == expr }, nil
	}
	glob := strings.ReplaceAll(expr, "[!", "[^")
	if _, err := path.Match(glob, ""); err != nil {
		return nil, fmt.Errorf("host pattern %q: %w", expr, err)
	}
	return func(s string) bool {
		ok, _ := path.Match(glob, s)
		return ok
	}, nil
}
