package planner

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// RouteFormat names the version of the document that holds the plans of a route.
const RouteFormat = "upstep.route/1"

// Hop is which jump of a route a plan is.
type Hop struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Number int    `json:"number"` // from 1
	Of     int    `json:"of"`
	Notes  string `json:"notes,omitempty"`
}

// Name names the hop, as its folder does.
func (h *Hop) Name() string { return h.From + "-" + h.To }

// String shows the hop.
func (h *Hop) String() string { return h.From + " -> " + h.To }

// Same tells whether two plans are of the same hop, or of none both.
func (h *Hop) Same(o *Hop) bool {
	if h == nil || o == nil {
		return h == o
	}
	return h.From == o.From && h.To == o.To
}

// Route is the plans of a chain of releases, in order.
type Route struct {
	Hops  []*Plan
	alone bool // read from the document of a single plan
}

// Title shows the versions that a route leads over.
func (r *Route) Title() string {
	text := ""
	for i, p := range r.Hops {
		if i == 0 {
			text = p.Hop.From
		}
		text += " -> " + p.Hop.To
	}
	return text
}

// Single tells whether a route is one plan by itself: no hop, or a hop that was read from
// a document of its own.
func (r *Route) Single() bool { return r.alone || len(r.Hops) == 1 && r.Hops[0].Hop == nil }

// Encode writes the document, the same bytes for the same plans: a plan's own where it
// is no hop.
func (r *Route) Encode() ([]byte, error) {
	if r.Single() {
		return r.Hops[0].Encode()
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\n \"format\": %q,\n \"hops\": [", RouteFormat)
	for i, p := range r.Hops {
		doc, err := p.Encode()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(bytes.TrimRight(doc, "\n"))
	}
	out.WriteString("\n ]\n}\n")
	return out.Bytes(), nil
}

// DecodeRoute reads the document of a route, or of a single plan, which is a route of one.
func DecodeRoute(data []byte) (*Route, error) {
	var doc struct {
		Format string            `json:"format"`
		Hops   []json.RawMessage `json:"hops"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	if doc.Format != RouteFormat {
		p, err := Decode(data)
		return &Route{Hops: []*Plan{p}, alone: true}, err
	}
	r := &Route{}
	for _, raw := range doc.Hops {
		p, err := Decode(raw)
		if err != nil {
			return nil, err
		}
		if p.Hop == nil {
			return nil, fmt.Errorf("decode plan: a plan of the route does not say which hop it is")
		}
		r.Hops = append(r.Hops, p)
	}
	if len(r.Hops) == 0 {
		return nil, fmt.Errorf("decode plan: a route without plans")
	}
	return r, nil
}
