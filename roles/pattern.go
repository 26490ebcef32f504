package roles

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Match gives the hosts of an Ansible inventory pattern, in the inventory's order:
// names and groups joined by , or :, & for intersection, ! for exclusion, shell
// wildcards, ~regular expressions and [subscripts], read as Ansible reads them
// (ansible/inventory/manager.py). Ansible itself leaves the order open below the
// children of a group.
func (inv *Inventory) Match(pattern string) ([]string, error) {
	var regular, both, without []string
	for _, p := range splitPattern(pattern) {
		switch {
		case p == "&" || p == "!":
			return nil, fmt.Errorf("host pattern %q: nothing behind %s", pattern, p)
		case p[0] == '&':
			both = append(both, p[1:])
		case p[0] == '!':
			without = append(without, p[1:])
		default:
			regular = append(regular, p)
		}
	}
	if len(regular)+len(both)+len(without) == 0 {
		return nil, fmt.Errorf("host pattern %q is empty", pattern)
	}
	if regular == nil {
		regular = []string{"all"}
	}
	var hosts ordered
	local := "" // this machine, where the inventory does not have it
	for _, p := range regular {
		if inv.hosts[p] { // a host hides a group of its name
			hosts.add(p)
			continue
		}
		found, err := inv.matchOne(p, &local)
		if err != nil {
			return nil, err
		}
		hosts.add(found...)
	}
	for i, p := range slices.Concat(both, without) {
		found, err := inv.matchOne(p, &local)
		if err != nil {
			return nil, err
		}
		var named ordered
		named.add(found...)
		drop := i >= len(both)
		hosts.list = slices.DeleteFunc(hosts.list, func(h string) bool { return named.seen[h] == drop })
	}
	return hosts.list, nil
}

// Unmatched gives the parts of a pattern, as written, that name no group and no host:
// those of which Ansible warns, and goes on without them.
func (inv *Inventory) Unmatched(pattern string) []string {
	var out []string
	for _, p := range splitPattern(pattern) {
		name := p
		if p[0] == '&' || p[0] == '!' {
			name = p[1:]
		}
		if m := subscripts.FindStringSubmatch(name); m != nil && name[0] != '~' && !inv.hosts[name] {
			name = m[1]
		}
		if match, err := matcher(name); name == "" || err != nil || thisMachine(name) || slices.ContainsFunc(inv.Names(), match) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// Names gives what a pattern can name: every group, then every host.
func (inv *Inventory) Names() []string { return slices.Concat(inv.groupNames(), inv.order) }

// thisMachine tells the names of this machine, which need not stand in the inventory.
func thisMachine(name string) bool {
	return name == "127.0.0.1" || name == "localhost" || name == "::1"
}

// ordered is a list of names, each once.
type ordered struct {
	list []string
	seen map[string]bool
}

func (o *ordered) add(names ...string) {
	if o.seen == nil {
		o.seen = make(map[string]bool, len(names))
	}
	for _, n := range names {
		if !o.seen[n] {
			o.seen[n] = true
			o.list = append(o.list, n)
		}
	}
}

// splitPattern cuts a pattern at its commas or, where it has none and is no address
// with a port, at its colons.
func splitPattern(pattern string) []string {
	parts := []string{pattern}
	switch {
	case strings.Contains(pattern, ","):
		parts = strings.Split(pattern, ",")
	case !isAddress(pattern):
		parts = colonPart.FindAllString(pattern, -1)
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

const (
	ipv6Part = `(?:[0-9a-f]{1,4}|\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\])`
	ipv4     = `(?:` + ipv6Part + `\.){3}` + ipv6Part
)

var (
	colonPart  = regexp.MustCompile(`(?:[^\s:\[\]]|\[[^\]]*\])+`)
	subscripts = regexp.MustCompile(`^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$`)

	// The forms of ansible/parsing/utils/addresses.py.
	hostPort = regexp.MustCompile(`^(?:\[(.+)\]|((?:[^:\[\]]|\[[^\]]*\])*)):[0-9]+$`)
	hostname = regexp.MustCompile(`^(?:[\p{L}\p{N}_.-]|\[(?:[A-Za-z]:[A-Za-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\])+$`)
	ipv6     = regexp.MustCompile(`(?i)^(?:(?:` + ipv6Part + `:){7}` + ipv6Part + `|(?:` + ipv6Part + `:){1,6}:|::|(?:0:){6}` + ipv4 + `|(?:0:){5}ffff:` + ipv4 + `$)`)
)

// isAddress tells whether a text is the address of one host, a range in it or a port behind it.
func isAddress(s string) bool {
	if m := hostPort.FindStringSubmatch(s); m != nil {
		s = m[1] + m[2]
	}
	if ipv6.MatchString(s) {
		return true
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || strings.HasSuffix(label, "-") || strings.HasSuffix(label, "_") {
			return false
		}
	}
	return hostname.MatchString(s)
}

// matchOne gives the hosts of a pattern without its & or !. local is the name of this
// machine that an earlier part asked for.
func (inv *Inventory) matchOne(p string, local *string) ([]string, error) {
	m := subscripts.FindStringSubmatch(p)
	if m == nil || p[0] == '~' {
		return inv.enumerate(p, local)
	}
	hosts, err := inv.enumerate(m[1], local)
	if err != nil || len(hosts) == 0 {
		return hosts, err
	}
	hosts, ok := subscript(hosts, m[2], m[3], m[4])
	if !ok {
		return nil, fmt.Errorf("host pattern %q: there are only %d hosts", p, len(hosts))
	}
	return hosts, nil
}

// subscript gives one element, where a negative index counts from the end, or a range
// with both its ends. A range that ends at 0 is the one element it begins with.
func subscript(hosts []string, index, first, last string) ([]string, bool) {
	from, err := strconv.Atoi(index + first)
	if err != nil {
		return hosts, false
	}
	to := -1
	if last != "" {
		if to, err = strconv.Atoi(last); err != nil {
			to = len(hosts)
		}
	}
	if index == "" && to != 0 {
		if to == -1 {
			to = len(hosts) - 1
		}
		from = min(from, len(hosts))
		return hosts[from:max(from, min(to+1, len(hosts)))], true
	}
	if from < 0 {
		from += len(hosts)
	}
	if from < 0 || from >= len(hosts) {
		return hosts, false
	}
	return hosts[from : from+1], true
}

// enumerate gives the hosts of the groups that match, and the hosts that match. As in
// Ansible a host stands there once for each of them, and a subscript counts it so.
func (inv *Inventory) enumerate(expr string, local *string) ([]string, error) {
	match, err := matcher(expr)
	if err != nil {
		return nil, err
	}
	var out []string
	anyGroup := false
	for _, g := range inv.groupNames() {
		if match(g) {
			anyGroup = true
			out = append(out, inv.groupHosts(g)...)
		}
	}
	if !anyGroup || expr[0] == '~' || strings.ContainsAny(expr, ".?*[") {
		for _, h := range inv.order {
			if match(h) {
				out = append(out, h)
			}
		}
	}
	if len(out) == 0 && thisMachine(expr) {
		for _, h := range inv.order { // one name of this machine stands for the others
			if thisMachine(h) {
				return []string{h}, nil
			}
		}
		if *local == "" {
			*local = expr // Ansible makes it up when it is asked for, once
		}
		return []string{*local}, nil
	}
	return out, nil
}

// groupNames gives the groups, all first, then as they are met going down.
func (inv *Inventory) groupNames() []string {
	var out ordered
	out.add("all", "ungrouped")
	for i := 0; i < len(out.list); i++ {
		out.add(inv.groups[out.list[i]].Children...)
	}
	return out.list
}

// matcher gives what a name, a wildcard or a ~regular expression matches.
func matcher(expr string) (func(string) bool, error) {
	if !strings.ContainsAny(expr, "~*?[") {
		return func(s string) bool { return s == expr }, nil
	}
	text := wildcard(expr)
	if expr[0] == '~' {
		text = "^(?:" + expr[1:] + ")"
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("host pattern %q is no regular expression: %w", expr, err)
	}
	return re.MatchString, nil
}

// wildcard writes a shell wildcard as a regular expression, as Python's fnmatch does:
// nothing is special but * ? and [], and an [ that is not closed is itself.
func wildcard(glob string) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			from := i + 1
			set := strings.TrimPrefix(glob[from:], "!")
			length := 0
			if len(set) > 1 {
				length = 1 + strings.IndexByte(set[1:], ']') // a first ] is one of the set
			}
			if length <= 0 {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(characters(set[:length], strings.HasPrefix(glob[from:], "!")))
			i = len(glob) - len(set) + length
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	b.WriteString("$")
	return b.String()
}

// characters writes a set of characters and ranges for a regular expression.
func characters(set string, not bool) string {
	var b strings.Builder
	runes := []rune(set)
	for i := 0; i < len(runes); i++ {
		from, to := runes[i], runes[i]
		if i+2 < len(runes) && runes[i+1] == '-' {
			to = runes[i+2]
			i += 2
		}
		if from <= to { // a range from z to a is empty
			fmt.Fprintf(&b, `\x{%x}-\x{%x}`, from, to)
		}
	}
	switch {
	case b.Len() == 0 && not:
		return "."
	case b.Len() == 0:
		return `[^\x00-\x{10FFFF}]`
	case not:
		return "[^" + b.String() + "]"
	}
	return "[" + b.String() + "]"
}
