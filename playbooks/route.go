package playbooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upstep/upstep/planner"
)

// RenderRoute gives the tree of a route: the tree of each hop in a folder FROM-TO, and
// around them what runs them in order. A single plan's is its own tree.
func RenderRoute(r *planner.Route) (*Tree, error) {
	if r.Single() {
		return Render(r.Hops[0])
	}
	out := &Tree{origins: map[string][]origin{}}
	book, readme := &writer{}, &strings.Builder{}
	title := visible(strings.Join(strings.Fields(r.Hops[0].Name), " "))
	book.linef("---")
	book.comment("The route " + visible(r.Title()) + named(title) + ", hop by hop.")
	fmt.Fprintf(readme, "# Playbooks of %s: %s\n\n", orUpgrade(title), visible(r.Title()))
	readme.WriteString("Made by `upstep emit`. Each hop has a folder of its own, with a README.md of its own; `upgrade.yml` runs them in order.\n\n")
	for _, p := range r.Hops {
		t, err := Render(p)
		if err != nil {
			return nil, err
		}
		folder := p.Hop.Name()
		for _, f := range t.Files {
			f.Path = folder + "/" + f.Path
			out.Files = append(out.Files, f)
		}
		for path, list := range t.origins {
			out.origins[folder+"/"+path] = list
		}
		book.linef("")
		book.linef("- name: %q", "From "+p.Hop.From+" to "+p.Hop.To)
		book.linef("  ansible.builtin.import_playbook: %s/upgrade.yml", folder)
		fmt.Fprintf(readme, "- [%s](%s/README.md)", visible(p.Hop.String()), folder)
		if notes := strings.Join(strings.Fields(p.Hop.Notes), " "); notes != "" {
			readme.WriteString(": " + visible(notes))
		}
		readme.WriteByte('\n')
	}
	doc, err := r.Encode()
	if err != nil {
		return nil, err
	}
	readme.WriteString("\n```\nansible-playbook -i INVENTORY upgrade.yml # every hop, in order\nupstep run plan.json                      # the same, with a record: it goes on in the middle\n```\n")
	out.Files = append(out.Files, File{Path: "upgrade.yml", Data: []byte(book.String())}, File{Path: "plan.json", Data: doc}, File{Path: "README.md", Data: []byte(readme.String())})
	slices.SortFunc(out.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	out.Files = append(out.Files, File{Path: SumsFile, Data: sums(out.Files)})
	return out, nil
}

func orUpgrade(title string) string {
	if title == "" {
		return "upgrade"
	}
	return title
}
