package planner

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

// handlers finds the handler names and topics that several services use: in one
// play the last would win, or all would run, so they are qualified by their service.
func (b *builder) handlers() {
	owner := map[string]string{}
	b.shares = map[string]bool{}
	for _, i := range b.placedServices() {
		svc := &b.Services[i]
		if len(svc.Handlers) == 0 {
			b.unknownHandlers(svc, nil)
			continue
		}
		own := map[string]bool{}
		for _, h := range svc.Handlers {
			for _, m := range slices.Concat(h.Names, h.Listens) {
				own[m.Value] = true
			}
		}
		for name := range own {
			if o, taken := owner[name]; taken && o != svc.Name {
				b.shares[name] = true
			}
			owner[name] = svc.Name
		}
		b.unknownHandlers(svc, own)
	}
	if len(b.shares) > 0 {
		b.reachable()
	}
}

// unknownHandlers warns of a notify that nothing in its service answers.
func (b *builder) unknownHandlers(svc *services.Service, own map[string]bool) {
	if svc.Read > services.Whole || slices.ContainsFunc(svc.Assets, func(a services.Asset) bool { return strings.HasPrefix(a.Path, "handlers/") }) {
		return
	}
	for _, list := range tasks.ListNames() {
		for _, t := range svc.Lists[list] {
			for _, m := range t.Notifies {
				if own[m.Value] || strings.Contains(m.Value, "{{") {
					continue
				}
				b.sink.Warnf(t.Pos, "%s notifies %q, which is no handler of it", svc.Name, m.Value).
					WithHint(source.DidYouMean(m.Value, slices.Sorted(maps.Keys(own))))
			}
		}
	}
}

// unseen gives the patterns of the handlers that a service may notify where upstep can't
// put another name: in files of its pack, and by an expression.
func unseen(svc *services.Service) []*regexp.Regexp {
	names := slices.Clone(svc.Included)
	templated := func(marks []source.Mark) {
		for _, m := range marks {
			if strings.Contains(m.Value, "{") {
				names = append(names, m.Value)
			}
		}
	}
	for _, list := range tasks.ListNames() {
		for i := range svc.Lists[list] {
			templated(svc.Lists[list][i].Notifies)
		}
	}
	for _, h := range svc.Handlers {
		templated(h.Notifies)
	}
	var out []*regexp.Regexp
	for _, name := range names {
		parts := expressions.Split(name, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern, err := regexp.Compile("(?s)^" + strings.Join(parts, ".*") + "$")
		if err != nil { // too large: it may be any
			pattern = anything
		}
		out = append(out, pattern)
	}
	return out
}

var anything = regexp.MustCompile("")

var expressions = regexp.MustCompile(`(?s)\{\{.*?\}\}|\{%.*%\}`)

// reachable finds the names that stay a topic beside the qualified ones, because their
// service may notify them unseen. Where two services keep one name, a play that holds
// both runs the handlers of both.
func (b *builder) reachable() {
	b.kept = map[string]map[string]bool{}
	first := map[string]*services.Service{}
	for _, i := range b.placedServices() {
		svc := &b.Services[i]
		var shared []string
		for _, h := range svc.Handlers {
			for _, m := range slices.Concat(h.Names, h.Listens) {
				if b.shares[m.Value] {
					shared = append(shared, m.Value)
				}
			}
		}
		if len(shared) == 0 {
			continue
		}
		patterns := unseen(svc)
		slices.Sort(shared)
		for _, name := range slices.Compact(shared) {
			if !slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(name) }) {
				continue
			}
			if b.kept[svc.Name] == nil {
				b.kept[svc.Name] = map[string]bool{}
			}
			b.kept[svc.Name][name] = true
			if first[name] == nil {
				first[name] = svc
				continue
			}
			b.sink.Warnf(handlerAt(svc, name), "%s and %s both have %q, and both may notify it in a pack's file or by an expression: where one play holds both, it runs the handlers of both",
				first[name].Name, svc.Name, name).WithHint("give one of the two another name; the other stands at " + handlerAt(first[name], name).Short())
		}
	}
}

// handlerAt gives the place of the first handler that has a name or listens to it.
func handlerAt(svc *services.Service, name string) source.Pos {
	for _, h := range svc.Handlers {
		if slices.ContainsFunc(slices.Concat(h.Names, h.Listens), func(m source.Mark) bool { return m.Value == name }) {
			return h.Pos
		}
	}
	return svc.Pos
}

// qualify puts the service's name behind the marked handler names that it shares
// with others.
func (b *builder) qualify(svc string, text string, marks []source.Mark) string {
	return b.renamed(svc, text, marks, func(source.Mark, string) string { return "" })
}

// handlerText is the text of a handler under its qualified names, and under those that
// must stay reachable.
func (b *builder) handlerText(svc *services.Service, h tasks.Handler) string {
	kept := b.kept[svc.Name]
	add := func(m source.Mark, as string) string { return "" }
	if len(kept) > 0 {
		add = func(m source.Mark, as string) string {
			var topics []string
			switch is := func(o source.Mark) bool { return o.Start == m.Start }; {
			case slices.ContainsFunc(h.Listens, is):
				if kept[m.Value] {
					topics = []string{m.Value}
				}
				if m.Start == h.Listens[0].Start && kept[h.Name] {
					topics = append(topics, h.Name)
				}
				return moreTopics(h.Text, m, as, topics)
			case slices.ContainsFunc(h.Names, is) && kept[m.Value] && len(h.Listens) == 0:
				return firstTopic(h.Text, m, as)
			}
			return ""
		}
	}
	return b.renamed(svc.Name, h.Text, slices.Concat(h.Names, h.Listens, h.Notifies), add)
}

// renamed writes a text with marked names qualified where they are shared. more gives
// what is to stand in the place of a name that is written as it says, or nothing.
func (b *builder) renamed(svc string, text string, marks []source.Mark, more func(m source.Mark, as string) string) string {
	marks = slices.Clone(marks)
	slices.SortFunc(marks, func(x, y source.Mark) int { return x.Start - y.Start })
	var out strings.Builder
	at := 0
	for _, m := range marks {
		as := text[m.Start:m.End]
		if b.shares[m.Value] {
			as = quoted(m.Value+" ("+svc+")", as)
		}
		if other := more(m, as); other != "" {
			as = other
		}
		out.WriteString(text[at:m.Start])
		out.WriteString(as)
		at = m.End
	}
	if at == 0 {
		return text
	}
	out.WriteString(text[at:])
	return out.String()
}

// quoted writes a name so that it can stand where another stands.
func quoted(name, where string) string {
	if strings.ContainsAny(where[:1], `"'`) || strings.Contains(name, ",") {
		return source.JSONString(name)
	}
	return source.Quote(name)
}

// firstTopic writes a name with a topic of the old one beside it: behind it in braces,
// else under it. Where the key of the name can't be told it gives nothing.
func firstTopic(text string, m source.Mark, as string) string {
	topic := "listen: " + quoted(m.Value, text[m.Start:m.End])
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(line, " -"), "{") {
			return as + ", " + topic
		}
		break
	}
	key := strings.LastIndex(text[:m.Start], "name")
	if key < 0 || strings.Contains(text, "listen") { // listen: [] would stand there twice
		return ""
	}
	before := strings.TrimRight(text[strings.LastIndexByte(text[:key], '\n')+1:key], `"'`)
	if strings.Trim(before, " -") != "" {
		return ""
	}
	return as + "\n" + strings.Repeat(" ", len(before)) + topic
}

// moreTopics writes a topic with others beside it.
func moreTopics(text string, m source.Mark, as string, topics []string) string {
	for i, t := range topics {
		topics[i] = quoted(t, text[m.Start:m.End])
	}
	before := strings.TrimRight(text[:m.Start], " \n")
	switch {
	case len(topics) == 0 || before == "":
		return ""
	case before[len(before)-1] == '-':
		dash := len(before) - 1 - (strings.LastIndexByte(before, '\n') + 1)
		return as + "\n" + strings.Repeat(" ", dash) + "- " + strings.Join(topics, "\n"+strings.Repeat(" ", dash)+"- ")
	case before[len(before)-1] == ':':
		return "[" + as + ", " + strings.Join(topics, ", ") + "]"
	case before[len(before)-1] == '[', before[len(before)-1] == ',':
		return as + ", " + strings.Join(topics, ", ")
	}
	return ""
}
