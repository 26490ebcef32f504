package planner

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/upstep/upstep/settings"
)

// rawJSON is a value that is JSON already.
type rawJSON string

// MarshalJSON gives the value itself.
func (r rawJSON) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("null"), nil
	}
	return []byte(r), nil
}

// UnmarshalJSON keeps the text.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = rawJSON(b)
	return nil
}

// String gives the JSON text.
func (r rawJSON) String() string { return string(r) }

// Duration is a time.Duration that documents show as 1m30s.
type Duration = settings.Duration

// Decode reads a plan document.
func Decode(data []byte) (*Plan, error) {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("decode plan: format %q is not %q: plan again with this version of upstep", head.Format, Format)
	}
	p := &Plan{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	return p, nil
}
