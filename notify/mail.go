package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// mail hands a letter to a mail server. It has come through when the server has taken it.
func (p *post) mail(ctx context.Context, m *settings.Mail, l letter) error {
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return permanent{err}
	}
	password := ""
	if m.User != "" {
		if password, err = p.open(m.Password); err != nil {
			return permanent{fmt.Errorf("password: %w", err)}
		}
	}
	message, err := p.paper(m, l)
	if err != nil {
		return permanent{err}
	}
	line := p.line(ctx, m, host)
	defer line.hangUp()
	client, err := mail.NewClient(host, line.options...)
	if err != nil {
		return permanent{err}
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return said(err)
	}
	if err := logIn(conn, host, m.User, password); err != nil {
		return said(err)
	}
	if err := client.SendWithSMTPClient(conn, message); err != nil {
		return said(err)
	}
	_ = client.CloseWithSMTPClient(conn) // it has the letter
	return nil
}

// paper writes the letter down.
func (p *post) paper(m *settings.Mail, l letter) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.From(m.From); err != nil {
		return nil, err
	}
	if err := message.To(m.To...); err != nil {
		return nil, err
	}
	subject, _, _ := strings.Cut(strings.TrimSpace(l.Subject), "\n")
	message.Subject(source.Visible(subject))
	message.SetDateWithValue(l.Time)
	message.SetMessageID()
	message.SetUserAgent("upstep/" + p.Version)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // no holiday notes in return
	message.SetBodyString(mail.TypeTextPlain, l.body)
	return message, nil
}

// line is a connection to a mail server that is to be made.
type line struct {
	options []mail.Option
	conn    net.Conn
	stop    func() bool
}

// hangUp closes what was opened.
func (l *line) hangUp() {
	if l.conn != nil {
		l.stop()
		_ = l.conn.Close()
	}
}

// line says how a server is reached. The library looks at the context while it dials only;
// here its end closes the connection, whatever it is waited for.
func (p *post) line(ctx context.Context, m *settings.Mail, host string) *line {
	kept := m.Password != settings.Secret{}
	trust := p.trust(host)
	policy := mail.TLSMandatory
	switch {
	case m.TLS == settings.TLSOff, m.TLS == settings.TLSImplicit:
		policy = mail.NoTLS
	case m.TLS == settings.TLSAuto && (!kept || settings.Loopback(host)):
		// It would do without encryption as well, so it does with whoever answers.
		policy, trust.InsecureSkipVerify = mail.TLSOpportunistic, true
	}
	patience := time.Minute
	if until, has := ctx.Deadline(); has {
		patience = max(0, time.Until(until)) + time.Second // the context ends it before
	}
	_, port, _ := net.SplitHostPort(m.Server)
	number, _ := strconv.Atoi(port)
	l := &line{}
	dial := func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		l.conn, l.stop = conn, context.AfterFunc(ctx, func() { _ = conn.Close() })
		if m.TLS != settings.TLSImplicit {
			return conn, nil
		}
		safe := tls.Client(conn, trust)
		return safe, safe.HandshakeContext(dialing)
	}
	l.options = []mail.Option{
		mail.WithPort(number), mail.WithTimeout(patience), mail.WithTLSPolicy(policy), mail.WithTLSConfig(trust),
		mail.WithDialContextFunc(dial), mail.WithoutNoop(),
	}
	return l
}

// logIn proves who sends, where a password is known and the server wants to know. A
// password goes to the server over what is encrypted only, or stays on this machine.
func logIn(conn *smtp.Client, host, user, password string) error {
	offered, words := conn.Extension("AUTH")
	if user == "" || !offered {
		return nil
	}
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"SCRAM-SHA-1", smtp.ScramSHA1Auth(user, password)},
		{"PLAIN", smtp.PlainAuth("", user, password, host, false)},
		{"LOGIN", smtp.LoginAuth(user, password, host, false)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(user, password)},
	} {
		if slices.Contains(strings.Fields(words), way.name) {
			return conn.Auth(way.auth)
		}
	}
	return permanent{fmt.Errorf("it lets in by %s only, which upstep does not know", words)}
}

// answer is how the library quotes a server.
var answer = regexp.MustCompile(`(?s)^.*?: (\d{3}) "(.*?)", affected`)

// said gives the server's own words of an error of the library.
func said(err error) error {
	if strings.Contains(err.Error(), "does not support STARTTLS") {
		return permanent{errors.New("it offers no encryption (STARTTLS), which a password or tls: required asks for")}
	}
	code, words := 0, ""
	if of, is := errors.AsType[*textproto.Error](err); is {
		code, words = of.Code, of.Msg
	} else if m := answer.FindStringSubmatch(err.Error()); m != nil {
		code, _ = strconv.Atoi(m[1])
		words = m[2]
	} else {
		return err
	}
	err = fmt.Errorf("it answered %d %s", code, words)
	if code >= 500 {
		return permanent{err}
	}
	return err
}
