package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/upstep/upstep/settings"
)

// address opens a webhook's address. All of it may be secret but its host.
func (p *post) address(kept settings.Secret) (*url.URL, error) {
	text, err := p.open(kept)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("%s holds no address such as https://host/path", whereOf(kept))
	}
	p.learn(u.String(), u.RequestURI())
	if u.User != nil {
		password, _ := u.User.Password()
		p.learn(u.User.String(), password)
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) >= 8 { // as the tokens of chat systems are
			p.learn(part)
		}
	}
	return u, nil
}

// host names the host of an address, or where the address is to be found.
func (p *post) host(kept settings.Secret) string {
	if u, err := p.address(kept); err == nil {
		return u.Host
	}
	if kept.Env != "" {
		return "$" + kept.Env
	}
	return kept.File
}

// webhook sends a request. Any answer of success will do.
func (p *post) webhook(ctx context.Context, w *settings.Webhook, l letter) error {
	u, err := p.address(w.URL)
	if err != nil {
		return permanent{err}
	}
	req, err := http.NewRequestWithContext(ctx, w.Method, u.String(), strings.NewReader(l.body))
	if err != nil {
		return permanent{err}
	}
	req.Header.Set("User-Agent", "upstep/"+p.Version)
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if l.json || json.Valid([]byte(l.body)) {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range w.Headers {
		value, err := p.open(h.Value)
		if err != nil {
			return permanent{fmt.Errorf("header %s: %w", h.Name, err)}
		}
		if strings.EqualFold(h.Name, "Host") {
			req.Host = value
		}
		req.Header.Set(h.Name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if of, is := errors.AsType[*url.Error](err); is { // it names the address
			err = of.Err
		}
		return err
	}
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // an excerpt, for people
	_ = resp.Body.Close()
	return judge(resp, string(said))
}

// judge says what is wrong with an answer.
func judge(resp *http.Response, said string) error {
	code := resp.StatusCode
	text := "it answered " + resp.Status
	switch {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		if to, err := resp.Location(); err == nil {
			text += ", and names another address, at " + to.Host
		}
		return permanent{errors.New(text + ": write that one")}
	}
	if said = strings.TrimSpace(said); said != "" && len(said) < 200 {
		text += ": " + said
	}
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return errors.New(text)
	}
	if code < 500 {
		return permanent{errors.New(text)}
	}
	return errors.New(text)
}

// mayFollow goes where an answer sends a request only where it is sent whole: to the same
// host, with its method and its body. Elsewhere its headers are none of their business, and
// a request that became a GET would look as if it had been understood.
func mayFollow(next *http.Request, before []*http.Request) error {
	first, code := before[0].URL, next.Response.StatusCode
	whole := code == http.StatusTemporaryRedirect || code == http.StatusPermanentRedirect
	same := next.URL.Host == first.Host && next.URL.Scheme == first.Scheme
	safer := next.URL.Hostname() == first.Hostname() && first.Scheme == "http" && next.URL.Scheme == "https"
	if !whole || !same && !safer || len(before) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}
