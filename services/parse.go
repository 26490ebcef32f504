package services

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/upstep/upstep/source"
	"github.com/upstep/upstep/tasks"
)

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// keys are the keys of a service in its native form.
func keys() []string {
	out := []string{"service_name", "description", "stage", "depends_on", "behind", "version", "requires", "disk", "artefacts", "handlers", "vars", "play"}
	for _, l := range tasks.ListNames() {
		out = append(out, string(l))
	}
	return out
}

// Parse reads one service, in its native form or as a TripleO template's outputs.role_data.
func Parse(f source.File, sink *source.Sink) (Service, bool) {
	root, ok := source.Parse(f, sink)
	if !ok {
		return Service{}, false
	}
	p := parser{sink: sink}
	var fields source.Fields
	if root.Get("outputs").Exists() {
		fields, ok = tripleoFields(root, sink)
	} else {
		if root.Kind() != source.Map {
			sink.Errorf(root.Pos(), "the service must be a mapping, not %s", root.Kind()).WithHint("begin with service_name: NAME")
			return Service{}, false
		}
		fields = source.ReadFields(root, "the service", sink, keys()...)
	}
	if !ok {
		return Service{}, false
	}
	p.tasks = tasks.NewReader(sink, root.Get("outputs").Exists())
	// A service with problems still takes part, so that others that name it are not
	// reported for it; only one without a name cannot.
	svc := p.service(fields)
	return svc, svc.Name != ""
}

// parser reads one service.
type parser struct {
	sink  *source.Sink
	tasks *tasks.Reader
}

func (p *parser) service(f source.Fields) Service {
	s := Service{
		Name:        f.Required("service_name"),
		Description: f.String("description"),
		Pos:         f.PosOf("service_name"),
		Stage:       f.String("stage"),
		StagePos:    f.PosOf("stage"),
		Behind:      f.String("behind"),
		BehindPos:   f.PosOf("behind"),
		Lists:       map[tasks.ListName][]tasks.Task{},
	}
	switch {
	case s.Name == "":
	case len(s.Name) > source.NameLimit:
		s.Read = NameGuessed // who names it may have what its author will make of it
		p.sink.Errorf(s.Pos, "a service name of %d bytes is too long for a file name", len(s.Name)).WithHint("use at most " + strconv.Itoa(source.NameLimit))
	case !validName.MatchString(s.Name):
		s.Read = NameGuessed
		p.sink.Errorf(s.Pos, "service name %q is not usable as a file name", s.Name).
			WithHint("use letters, digits, _ . and -, beginning with a letter or a digit")
	}
	s.DependsOn = p.dependencies(f)
	s.Version = p.version(f)
	s.Requires = p.requires(f)
	s.Disk = p.disk(f)
	s.Artefacts = p.artefacts(f)
	for _, l := range tasks.ListNames() {
		if tasks := p.tasks.List(f.Get(string(l)), l); len(tasks) > 0 {
			s.Lists[l] = tasks
		}
	}
	s.Handlers = p.tasks.Handlers(f.Get("handlers"))
	s.Vars = p.vars(f)
	s.Play = tasks.ReadKeywords(f.Get("play"), tasks.BlockLevel, p.sink)
	s.Uses = p.tasks.Uses()
	return s
}

func (p *parser) dependencies(f source.Fields) []Dependency {
	v := f.Get("depends_on")
	if !v.Exists() {
		return nil
	}
	if v.Kind() != source.List {
		p.sink.Errorf(v.Pos(), "depends_on must be a list, not %s", v.Kind()).WithHint("write depends_on: [NAME, ...]")
		return nil
	}
	var out []Dependency
	for _, it := range v.Items() {
		d := Dependency{Pos: it.Pos()}
		switch it.Kind() {
		case source.Scalar:
			d.Service = it.Text()
		case source.Map:
			m := source.ReadFields(it, "the dependency", p.sink, "service", "until", "scope")
			d.Service = m.Required("service")
			d.Upgraded = m.OneOf("until", "step", "step", "upgraded") == "upgraded"
			d.HostOnly = m.OneOf("scope", "all", "all", "host") == "host"
		default:
			p.sink.Errorf(it.Pos(), "a dependency must be a service's name or a mapping, not %s", it.Kind()).
				WithHint("write - NAME, or - {service: NAME, until: upgraded}")
		}
		if d.Service == "" {
			continue
		}
		if i := slices.IndexFunc(out, func(o Dependency) bool { return o.Service == d.Service }); i >= 0 {
			p.sink.Errorf(d.Pos, "%q stands twice in depends_on", d.Service).
				WithHint("it stands first at " + out[i].Pos.Short())
			continue
		}
		out = append(out, d)
	}
	return out
}

func (p *parser) version(f source.Fields) Version {
	v := f.Get("version")
	if !v.Exists() {
		return Version{}
	}
	m := source.ReadFields(v, "version", p.sink, "target", "probe")
	out := Version{Target: m.String("target"), Pos: m.PosOf("target"), Probe: strings.TrimSpace(m.String("probe"))}
	if out.Probe == "" { // one that is only asked for leads nowhere
		out.Target = m.Required("target")
	}
	return out
}

func (p *parser) vars(f source.Fields) tasks.Vars {
	v := f.Get("vars")
	if !v.Exists() {
		return tasks.Vars{}
	}
	return tasks.ReadVars(v, "vars of the service", p.sink)
}

func registered(s *Service) []string {
	var out []string
	for _, l := range tasks.ListNames() {
		for _, t := range s.Lists[l] {
			out = append(append(out, t.Registers...), t.SetsFacts...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
