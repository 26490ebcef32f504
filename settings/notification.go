package settings

import (
	"encoding/json"
	"strings"

	"github.com/upstep/upstep/source"
)

// Notification is who is told of what in a run. It stands in the plan as it is.
type Notification struct {
	Name      string     `json:"name"`
	On        []string   `json:"on"`                // of Happenings
	Template  Template   `json:"template,omitzero"` // of the text; none: upstep's own
	Receivers []Receiver `json:"receivers"`         // tried in turn until one answers
	Pos       source.Pos `json:"-"`
}

// Receiver is one way to tell: a Webhook, a Command or Mail.
type Receiver struct {
	Webhook  *Webhook `json:"webhook,omitempty"`
	Command  []string `json:"command,omitempty"` // its words; run in the project's folder
	Mail     *Mail    `json:"mail,omitempty"`
	Template Template `json:"template,omitzero"` // of all that it is sent
	Timeout  Duration `json:"timeout"`           // of each try
	Tries    int      `json:"tries"`
	Delay    Duration `json:"delay,omitempty"` // between tries
}

// Webhook is an HTTP request.
type Webhook struct {
	URL     Secret   `json:"url"`
	Method  string   `json:"method"`
	Headers []Header `json:"headers,omitempty"`
}

// Header is one of a request.
type Header struct {
	Name  string `json:"name"`
	Value Secret `json:"value"`
}

// Mail is a letter over SMTP.
type Mail struct {
	Server   string   `json:"server"` // HOST:PORT
	TLS      string   `json:"tls"`    // of TLSWords
	From     string   `json:"from"`
	To       []string `json:"to"`
	Subject  Template `json:"subject,omitzero"`
	User     string   `json:"user,omitempty"`
	Password Secret   `json:"password,omitzero"`
}

// The ways in which a connection for mail is encrypted.
const (
	TLSAuto     = "auto"     // by STARTTLS where the server offers it; a must where there is a password
	TLSRequired = "required" // by STARTTLS, or not at all
	TLSImplicit = "implicit" // from the first byte on
	TLSOff      = "off"
)

// Secret is a text, or where it is kept; the plan holds nothing else of it.
type Secret struct {
	Text   string `json:"text,omitempty"`
	Env    string `json:"env,omitempty"`    // the environment variable
	File   string `json:"file,omitempty"`   // relative to the project
	Prefix string `json:"prefix,omitempty"` // what stands before it
}

// Template is text of Go's text/template.
type Template struct {
	Text string
	Pos  source.Pos
}

// MarshalJSON writes the text.
func (t Template) MarshalJSON() ([]byte, error) { return json.Marshal(t.Text) }

// UnmarshalJSON reads the text.
func (t *Template) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &t.Text) }

// Happenings gives all that can be told of, in order.
func Happenings() []string {
	return []string{
		"run.start", "run.wait", "run.success", "run.failure", "run.stop",
		"stage.start", "stage.success", "stage.failure",
		"batch.start", "batch.success", "batch.failure",
	}
}

// happening tells whether a word names something that can be told of: itself, or the half
// before or behind its dot.
func happening(word, of string) bool {
	scope, what, _ := strings.Cut(of, ".")
	return word == of || word == scope || word == what
}
