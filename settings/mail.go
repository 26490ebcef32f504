package settings

import (
	"net"
	"net/mail"
	"regexp"
	"strings"

	"github.com/upstep/upstep/source"
)

// mail reads a mapping.
func (r reader) mail(v source.Node, usual Receiver) (Receiver, bool) {
	f := source.ReadFields(v, "the mail", r.sink, "server", "tls", "from", "to", "subject", "user", "password", "template", "timeout", "tries", "delay")
	out := r.patience(f, usual)
	out.Template = template(f, "template")
	if v.Kind() != source.Map {
		return out, false
	}
	m := &Mail{TLS: f.OneOf("tls", TLSAuto, TLSAuto, TLSRequired, TLSImplicit, TLSOff), Subject: template(f, "subject")}
	out.Mail = m
	good := true
	text := func(key string) string {
		if f.Has(key) {
			word, ok := r.word(f.Get(key), key+" of the mail")
			good = good && ok
			return word
		}
		return ""
	}
	for _, key := range []string{"server", "from", "to"} {
		if f.Lacks(key) {
			r.sink.Errorf(v.Pos(), "the mail has no %s", key).WithHint("add " + key + ": VALUE")
		}
		good = good && f.Has(key)
	}
	m.From, m.User = text("from"), text("user")
	if f.Has("to") {
		var ok bool
		if m.To, ok = r.words(f.Get("to"), "to of the mail"); !ok && (f.Get("to").Kind() == source.Map || f.Get("to").Kind() == source.List && f.Get("to").Len() == 0) {
			r.sink.Errorf(f.PosOf("to"), "to of the mail must be a list of addresses, not %s", shape(f.Get("to")))
		}
		good = good && ok
	}
	if p := f.Get("password"); p.Kind() == source.Map {
		var ok bool
		m.Password, ok = r.kept(p, "password of the mail", false)
		good = good && ok
	} else if p.Exists() {
		good = r.inClear(p, "password of the mail", "password")
	}
	if server := text("server"); good {
		good = r.letter(f, m, server)
	}
	return out, good
}

// letter checks what stands in a mail's fields.
func (r reader) letter(f source.Fields, m *Mail, server string) bool {
	before := len(r.sink.Problems())
	for i, a := range append([]string{m.From}, m.To...) {
		if _, err := mail.ParseAddress(a); err != nil {
			key := "to"
			if i == 0 {
				key = "from"
			}
			r.sink.Errorf(f.PosOf(key), "%s of the mail: %q is no address", key, a).WithHint("write it as ops@example.org, or as Operators <ops@example.org>")
		}
	}
	host, port := server, map[bool]string{true: "587", false: "25"}[m.User != ""]
	if m.TLS == TLSImplicit {
		port = "465"
	}
	if h, p, err := net.SplitHostPort(server); err == nil {
		host, port = h, p
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if m.Server = net.JoinHostPort(host, port); host == "" || !portNumber.MatchString(port) || strings.ContainsAny(host, "/ @") {
		r.sink.Errorf(f.PosOf("server"), "server of the mail must be a host, not %q", server).WithHint("write mail.example.org or mail.example.org:587")
	}
	kept := m.Password != Secret{}
	switch {
	case kept && m.User == "":
		r.sink.Errorf(f.PosOf("password"), "the mail has a password and no user").WithHint("add user: NAME")
	case !kept && m.User != "":
		r.sink.Errorf(f.PosOf("user"), "the mail has a user and no password").WithHint("add password: {env: NAME} or {file: PATH}")
	case kept && m.TLS == TLSOff && !Loopback(host):
		r.sink.Errorf(f.PosOf("tls"), "the password of the mail would go over the network in clear").WithHint("leave tls out, or write tls: required or tls: implicit")
	}
	return len(r.sink.Problems()) == before
}

var portNumber = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)

// Loopback tells whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
