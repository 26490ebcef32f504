package planner

import (
	"slices"
	"strconv"
	"strings"
)

// Room gives the free space that the services of a role need, added up by path, in the
// order in which they name the paths. What lies on one file system only its hosts know.
func (p *Plan) Room(role string) []Disk {
	r := p.RoleByName(role)
	if r == nil || r.Replace != nil { // what is new goes onto the hosts that take over
		return nil
	}
	var out []Disk
	for _, name := range r.Services {
		for _, d := range p.ServiceByName(name).Disk {
			i := slices.IndexFunc(out, func(o Disk) bool { return o.Path == d.Path })
			if i < 0 {
				out = append(out, d)
				continue
			}
			out[i].Bytes += d.Bytes
			out[i].Size = sizeText(out[i].Bytes)
		}
	}
	return out
}

// sizeText writes a size in the largest unit that it fills, with a digit behind the
// point where it is no whole number of them.
func sizeText(n int64) string {
	unit, letters := int64(1<<10), "KMGT"
	for len(letters) > 1 && n >= unit<<10 {
		unit, letters = unit<<10, letters[1:]
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(unit), 'f', 1, 64), ".0") + letters[:1]
}
