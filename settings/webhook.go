package settings

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// webhook reads an address, or a mapping.
func (r reader) webhook(v source.Node, usual Receiver) (Receiver, bool) {
	if v.Kind() == source.Scalar {
		text, ok := r.address(v)
		usual.Webhook = &Webhook{URL: Secret{Text: text}, Method: "POST"}
		return usual, ok
	}
	if v.Kind() != source.Map {
		r.sink.Errorf(v.Pos(), "webhook must be an address or a mapping, not %s", shape(v)).WithHint("write webhook: https://..., or webhook: {url: {env: NAME}}")
		return usual, false
	}
	f := source.ReadFields(v, "the webhook", r.sink, "url", "method", "headers", "template", "timeout", "tries", "delay")
	out := r.patience(f, usual)
	out.Template = template(f, "template")
	w := &Webhook{Method: f.OneOf("method", "POST", "POST", "PUT", "PATCH")}
	ok := false
	if at := f.Get("url"); at.Kind() == source.Map {
		w.URL, ok = r.kept(at, "url of the webhook", false)
	} else if f.Required("url") != "" {
		w.URL.Text, ok = r.address(at)
	}
	if h := f.Get("headers"); h.Exists() && h.Kind() != source.Map {
		r.sink.Errorf(h.Pos(), "headers of the webhook must be a mapping, not %s", shape(h)).WithHint("write headers: {NAME: VALUE, Authorization: {env: NAME}}")
	} else {
		w.Headers = r.headers(h)
	}
	out.Webhook = w
	return out, ok
}

// address reads a webhook's address as it stands there.
func (r reader) address(v source.Node) (string, bool) {
	text, ok := r.word(v, "url of the webhook")
	if !ok {
		return "", false
	}
	const keep = "write url: {env: NAME}, or {file: PATH}, which is kept out of plan and journal"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		r.sink.Errorf(v.Pos(), "url of the webhook must be an address such as https://host/path").WithHint(keep + " where it is secret")
		return "", false
	case u.User != nil:
		r.sink.Errorf(v.Pos(), "url of the webhook holds a user or a password").WithHint(keep)
		return "", false
	}
	for name := range u.Query() {
		if isSecret(name) {
			r.sink.Errorf(v.Pos(), "url of the webhook holds a %s in clear", name).WithHint(keep)
			return "", false
		}
	}
	return text, true
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (r reader) headers(v source.Node) []Header {
	var out []Header
	for _, e := range v.Entries() {
		name := e.Key.Text()
		h := Header{Name: name}
		var ok bool
		switch {
		case !headerName.MatchString(name):
			r.sink.Errorf(e.Key.Pos(), "%q cannot name a header", name).WithHint("use letters, digits and -")
			continue
		case slices.ContainsFunc([]string{"Content-Length", "Transfer-Encoding", "Connection"}, func(s string) bool { return strings.EqualFold(s, name) }):
			r.sink.Errorf(e.Key.Pos(), "header %s is set by upstep itself", name).WithHint("leave it out")
			continue
		case slices.ContainsFunc(out, func(o Header) bool { return strings.EqualFold(o.Name, name) }):
			r.sink.Errorf(e.Key.Pos(), "duplicate header %s", name).WithHint("capitals make no difference; remove one of the two")
			continue
		case e.Value.Kind() == source.Map:
			h.Value, ok = r.kept(e.Value, "header "+name, true)
		case isSecret(name):
			ok = r.inClear(e.Value, "header "+name, name)
		default:
			h.Value.Text, ok = r.word(e.Value, "header "+name)
		}
		if ok {
			out = append(out, h)
		}
	}
	return out
}

// isSecret tells whether what has a name should stand nowhere in clear.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "cookie", "token", "secret", "key", "pass", "credential", "signature"}, func(s string) bool {
		return strings.Contains(name, s)
	})
}
