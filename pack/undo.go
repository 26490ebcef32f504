package pack

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

// Remove takes a pack away and keeps it. With an error in the sink, such as that another
// needs it, nothing is changed unless it is forced; the sink may hold some already.
func (s *Store) Remove(name string, o Options, sink *source.Sink) (Done, error) {
	before, packs, err := s.installed()
	if err != nil {
		return Done{}, err
	}
	p := packs[name]
	if p == nil {
		s.noPack(name, before, packs, sink)
		return Done{}, nil
	}
	at := source.Pos{File: path.Join(s.Shown, p.Folder)}
	if p.Link {
		linked(at, sink)
		return Done{}, nil
	}
	wanted := &source.Sink{}
	for _, svc := range before {
		if q := packs[svc.Name]; q != nil && q.Pack != nil {
			for _, n := range q.Pack.Needs {
				if n.Pack == name {
					wanted.Errorf(n.Pos, "pack %s needs %s", svc.Name, name).WithHint("remove that one first, or give --force")
				}
			}
		}
		for _, d := range svc.DependsOn {
			if d.Service == name && svc.Name != name {
				wanted.Errorf(d.Pos, "service %s depends on %s", svc.Name, name)
			}
		}
		if svc.Behind == name {
			wanted.Errorf(svc.BehindPos, "service %s is behind %s", svc.Name, name)
		}
	}
	if len(p.Edited) > 0 {
		wanted.Errorf(at, "was edited since it was installed: %s", strings.Join(p.Edited, ", "))
	}
	sink.Merge(wanted.Problems())
	if sink.Failed() && !o.Force {
		return Done{}, nil
	}
	keep, err := s.keepAs(name, p)
	if err != nil {
		return Done{}, err
	}
	d := Done{Pack: name, Was: noVersion, Kept: path.Join(s.Shown, keep), Removed: true, Edited: p.Edited}
	if p.Pack != nil {
		d.Was = p.Pack.Version
	}
	return d, s.carryOut("remove", []move{{Pack: name, Folder: p.Folder, Keep: keep}}, nil)
}

// noPack says that there is no such pack.
func (s *Store) noPack(name string, all []services.Service, packs map[string]*Installed, sink *source.Sink) {
	var names []string
	for _, svc := range all {
		if packs[svc.Name] != nil {
			names = append(names, svc.Name)
		} else if svc.Name == name {
			sink.Errorf(svc.Pos, "service %s is a file and no pack", name)
			return
		}
	}
	hint := source.DidYouMean(name, names)
	if hint == "" {
		hint = "upstep pack list shows what is installed"
	}
	sink.Errorf(source.Pos{File: s.Shown}, "no pack %q is installed", name).WithHint(hint)
}

// Rollback puts a kept version back, and keeps the one that it replaces: the version that
// was kept last, unless another is named.
func (s *Store) Rollback(name, version string, values *services.Values, o Options, sink *source.Sink) (Done, error) {
	all, err := s.Kept(name)
	if err != nil {
		return Done{}, err
	}
	var versions []string
	for _, k := range all {
		versions = append(versions, k.Version)
	}
	all = slices.DeleteFunc(all, func(k Kept) bool { return version != "" && k.Version != version })
	if len(all) == 0 {
		p := sink.Errorf(source.Pos{File: s.Shown}, "no version of pack %q is kept", name)
		if len(versions) > 0 {
			p.Message = "version " + version + " of pack " + name + " is not kept"
			p.WithHint("kept are " + strings.Join(versions, ", "))
		}
		return Done{}, nil
	}
	k := all[len(all)-1]
	shown := path.Join(s.Shown, k.Folder)
	own := &source.Sink{}
	svc := services.LoadPack(os.DirFS(s.path(path.Dir(k.Folder))), path.Base(k.Folder), shown, own)
	if svc.Name != name {
		sink.Merge(own.Problems())
		sink.Errorf(source.Pos{File: shown}, "can't be read as service %s", name)
		return Done{}, nil
	}
	if svc.Pack == nil {
		svc.Pack = &services.Pack{Version: ""}
	}
	if err := s.ready(); err != nil {
		return Done{}, err
	}
	// The older version is what was asked for, and what it replaces is kept.
	o.Downgrade, o.Force = true, true
	done, err := s.putInPlace("rollback", []incoming{{Service: svc, from: k.Folder, shown: shown}}, values, nil, o, sink)
	if err != nil || len(done) == 0 {
		return Done{}, err
	}
	return done[0], nil
}
