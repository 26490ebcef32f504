package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// Options are what receivers need of the machine.
type Options struct {
	Dir     string   // the project's folder, in which commands run and files of secrets stand
	Env     []string // as os.Environ gives it
	Version string   // of upstep, for whoever is told
	Now     func() time.Time
	Roots   *x509.CertPool // whom to trust; nil: whom the machine trusts
	Note    func(string)   // is told what could not be told; from any goroutine
}

// Answer is how a receiver took a message.
type Answer struct {
	Receiver string
	Tries    int
	Took     time.Duration
	Err      error // nil: it answered
}

// post brings messages to receivers.
type post struct {
	Options
	*secrets
	client *http.Client
}

func newPost(o Options) *post {
	p := &post{Options: o, secrets: newSecrets(o.Dir, o.Env)}
	p.client = &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: p.trust(""), ForceAttemptHTTP2: true,
			DisableKeepAlives: true, // messages are minutes apart
		},
		CheckRedirect: mayFollow,
	}
	return p
}

// trust says whom to trust as a host.
func (p *post) trust(host string) *tls.Config {
	return &tls.Config{RootCAs: p.Roots, ServerName: host, MinVersion: tls.VersionTLS12}
}

// letter is a message as a receiver gets it.
type letter struct {
	Message
	body string
	json bool // as far as upstep knows
}

// write words a message for a receiver.
func (p *post) write(n settings.Notification, r settings.Receiver, m Message) (letter, error) {
	m = p.hideIn(m).worded()
	l := letter{Message: m}
	var err error
	if n.Template.Text != "" {
		if l.Text, err = render(n.Template.Text, m); err != nil {
			return l, err
		}
	}
	switch {
	case r.Template.Text != "":
		l.body, err = render(r.Template.Text, l.Message)
	case r.Webhook != nil:
		l.body, err = asJSON(l.Message)
		l.json = true
	default:
		l.body = l.Text
	}
	if err == nil && r.Mail != nil && r.Mail.Subject.Text != "" {
		l.Subject, err = render(r.Mail.Subject.Text, l.Message)
	}
	return l, err
}

// permanent is an answer that another try would not change.
type permanent struct{ error }

// Unwrap gives the answer.
func (p permanent) Unwrap() error { return p.error }

// bring brings a message to a receiver, with all its tries.
func (p *post) bring(ctx context.Context, n settings.Notification, r settings.Receiver, m Message) Answer {
	began := p.Now()
	a := Answer{Receiver: p.name(r)}
	l, err := p.write(n, r, m)
	if err != nil {
		a.Err = errors.New(p.clean(err))
		return a
	}
	for a.Tries < r.Tries {
		a.Tries++
		if a.Err = p.try(ctx, r, l); a.Err == nil {
			break
		}
		if _, final := errors.AsType[permanent](a.Err); final || ctx.Err() != nil || a.Tries == r.Tries {
			break
		}
		select {
		case <-time.After(time.Duration(r.Delay)):
		case <-ctx.Done():
		}
	}
	a.Took = p.Now().Sub(began)
	if a.Err != nil {
		a.Err = errors.New(p.clean(a.Err))
	}
	return a
}

// try brings a letter once, within its time.
func (p *post) try(ctx context.Context, r settings.Receiver, l letter) error {
	timely, cancel := context.WithTimeout(ctx, time.Duration(r.Timeout))
	defer cancel()
	var err error
	switch {
	case r.Webhook != nil:
		err = p.webhook(timely, r.Webhook, l)
	case r.Mail != nil:
		err = p.mail(timely, r.Mail, l)
	default:
		err = p.command(timely, r.Command, l)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("it was not waited for any longer")
	case timely.Err() != nil:
		return fmt.Errorf("no answer within %s", time.Duration(r.Timeout))
	}
	return err
}

// clean gives an error as one line without secrets.
func (p *post) clean(err error) string {
	const most = 300
	text := []rune(source.Visible(p.hide(strings.TrimSpace(err.Error()))))
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}

// name names a receiver without what is secret of it.
func (p *post) name(r settings.Receiver) string {
	switch {
	case r.Webhook != nil:
		return "webhook " + p.host(r.Webhook.URL)
	case r.Mail != nil:
		return "mail to " + short(3, r.Mail.To)
	}
	return "command " + r.Command[0]
}
