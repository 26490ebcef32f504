package settings

import (
	"encoding/json"
	"time"
)

// Duration is a time.Duration that documents show as 1m30s.
type Duration time.Duration

// MarshalJSON writes 1m30s.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads 1m30s.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.ParseDuration(s)
	*d = Duration(v)
	return err
}

// Seconds gives the whole seconds, rounded up.
func (d Duration) Seconds() int {
	return int((time.Duration(d) + time.Second - 1) / time.Second)
}
