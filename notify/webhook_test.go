package notify

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWebhookGetsJSON(t *testing.T) {
	s := newServer(t, nil)
	a := once(t, "notify: {webhook: "+s.URL+"/hook}", failed(), options(t, &notes{}))
	require.NoError(t, a[0].Err)
	require.Equal(t, "webhook "+strings.TrimPrefix(s.URL, "http://"), a[0].Receiver)
	require.Equal(t, 1, a[0].Tries)
	have := s.all()[0]
	require.Equal(t, "POST", have.method)
	require.Equal(t, "/hook", have.path)
	require.Equal(t, "application/json", have.header.Get("Content-Type"))
	require.Equal(t, "upstep/1.2", have.header.Get("User-Agent"))
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(have.body), &fields))
	require.Equal(t, map[string]any{
		"event": "run.failure", "time": "2026-11-21T12:00:00Z", "project": "web application", "run": "20261121-120000", "by": "alice on control1",
		"state": "failed", "seconds": 31.4, "try": 2.0, "failed_hosts": []any{"web2"}, "out_of_traffic": []any{"web2"},
		"versions": []any{map[string]any{"service": "webapp", "to": "2.0.0"}}, "next": "upstep run",
		"message": "non-control-plane/1/step4/Web failed on web2: no space left",
		"failures": []any{map[string]any{
			"unit": "non-control-plane/1/step4/Web", "hosts": []any{"web2"}, "state": "failed", "task": "Start (services/web.yaml:17)", "message": "no space left",
		}},
		"subject": "web application: run 20261121-120000 failed after 31s: non-control-plane/1/step4/Web failed on web2: no space left",
		"text": `web application: run 20261121-120000 failed after 31s: non-control-plane/1/step4/Web failed on web2: no space left

try:            2
by:             alice on control1
versions:       webapp 2.0.0
failed:         non-control-plane/1/step4/Web: web2: Start (services/web.yaml:17): no space left
out of traffic: web2
next:           upstep run
`,
	}, fields)
}

func TestAWebhookOfOnesOwn(t *testing.T) {
	s := newServer(t, nil)
	o := options(t, &notes{}, "CHAT_URL="+s.URL+"/secret-path?x=1")
	require.NoError(t, os.WriteFile(filepath.Join(o.Dir, "token"), []byte("t0ken-of-the-test\n"), 0o600))
	a := once(t, `
notify:
  webhook:
    url: {env: CHAT_URL}
    method: PUT
    headers: {Authorization: {file: token, prefix: "Bearer "}, X-Team: ops, Host: chat.example.org}
    template: '{"text": {{ json .Message }}, "hosts": {{ json .FailedHosts }}, "list": "{{ .FailedHosts | join "+" }}"}'
`, failed(), o)
	require.NoError(t, a[0].Err)
	have := s.all()[0]
	require.Equal(t, "PUT", have.method)
	require.Equal(t, "/secret-path?x=1", have.path)
	require.Equal(t, "Bearer t0ken-of-the-test", have.header.Get("Authorization"))
	require.Equal(t, "ops", have.header.Get("X-Team"))
	require.Equal(t, "application/json", have.header.Get("Content-Type"))
	require.JSONEq(t, `{"text": "non-control-plane/1/step4/Web failed on web2: no space left", "hosts": ["web2"], "list": "web2"}`, have.body)

	a = once(t, "notify: {template: 'in short: {{ .State }}', webhook: "+s.URL+"}", failed(), o)
	require.NoError(t, a[0].Err)
	require.Contains(t, s.all()[1].body, `"text":"in short: failed"`)
	a = once(t, "notify: {webhook: {url: '"+s.URL+"', template: '{{ .State }}', headers: {Content-Type: text/x-test}}}", failed(), o)
	require.NoError(t, a[0].Err)
	require.Equal(t, "failed", s.all()[2].body)
	require.Equal(t, "text/x-test", s.all()[2].header.Get("Content-Type"))
}

func TestAnswersOfWebhooks(t *testing.T) {
	for name, c := range map[string]struct {
		code  int
		said  string
		want  string
		tries int
	}{
		"taken":                     {http.StatusAccepted, "", "", 1},
		"a mistake of ours":         {http.StatusForbidden, "invalid_token", "it answered 403 Forbidden: invalid_token", 1},
		"a mistake of its own":      {http.StatusBadGateway, "<html>" + strings.Repeat("x", 300), "it answered 502 Bad Gateway", 2},
		"too much":                  {http.StatusTooManyRequests, "", "it answered 429 Too Many Requests", 2},
		"with what a terminal does": {http.StatusInternalServerError, "\x1b[31mred", "it answered 500 Internal Server Error: \ufffd[31mred", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.code)
				_, _ = w.Write([]byte(c.said))
			})
			a := once(t, "notify: {webhook: "+s.URL+", tries: 2, delay: 0}", failed(), options(t, &notes{}))
			require.Equal(t, c.tries, a[0].Tries)
			require.Len(t, s.all(), c.tries)
			if c.want == "" {
				require.NoError(t, a[0].Err)
			} else {
				require.EqualError(t, a[0].Err, c.want)
			}
		})
	}
}

// TestNobodyElseGetsTheHeaders redirects to another host, with every code that there is.
func TestNobodyElseGetsTheHeaders(t *testing.T) {
	other := newServer(t, nil)
	var to string
	code := 0
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, to, code)
		}
	})
	o := options(t, &notes{}, "AUTH=geheim-geheim")
	hook := "notify: {webhook: {url: '" + s.URL + "/here', headers: {Authorization: {env: AUTH}}}}"
	for _, code = range []int{301, 302, 303, 307, 308} {
		to = other.URL + "/there?token=abc"
		a := once(t, hook, failed(), o)
		require.ErrorContains(t, a[0].Err, "and names another address, at "+strings.TrimPrefix(other.URL, "http://")+": write that one", code)
		require.NotContains(t, a[0].Err.Error(), "abc")
		require.Empty(t, other.all(), code)

		to = "/there"
		before := len(s.all())
		a = once(t, hook, failed(), o)
		if code < 307 { // it would become a GET, without the message
			require.ErrorContains(t, a[0].Err, "write that one", code)
			require.Len(t, s.all(), before+1)
			continue
		}
		require.NoError(t, a[0].Err, code)
		last := s.all()[len(s.all())-1]
		require.Equal(t, "POST", last.method)
		require.Contains(t, last.body, "no space left")
		require.Equal(t, "geheim-geheim", last.header.Get("Authorization"))
	}
	to = "/here"
	a := once(t, hook, failed(), o)
	require.ErrorContains(t, a[0].Err, "write that one", "it leads round and round")
}

func TestAWebhookThatHangs(t *testing.T) {
	free := make(chan struct{})
	s := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-free:
		case <-r.Context().Done():
		}
	})
	defer close(free)
	began := time.Now()
	a := once(t, "notify: {webhook: "+s.URL+", timeout: 300ms, tries: 2, delay: 100ms}", failed(), options(t, &notes{}))
	require.EqualError(t, a[0].Err, "no answer within 300ms")
	require.Equal(t, 2, a[0].Tries)
	require.Less(t, time.Since(began), 10*time.Second)
}

// TestErrorsOfWebhooksKeepSecrets has every way to fail, and looks for what is secret.
func TestErrorsOfWebhooksKeepSecrets(t *testing.T) {
	echo := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte("no " + r.URL.RequestURI() + " for " + r.Header.Get("Authorization")))
	})
	at := strings.TrimPrefix(echo.URL, "http://")
	const token = "T0KEN/with+signs"
	for url, want := range map[string]string{
		echo.URL + "/services/" + token + "?sig=" + token:          "it answered 401 Unauthorized: no ****** for ******",
		"http://user:" + "T0KEN-in-user" + "@" + at + "/hook-path": "it answered 401 Unauthorized: no ****** for ******",
		"http://127.0.0.1:1/services/" + token:                     "dial tcp 127.0.0.1:1: connect: connection refused",
		"http://nowhere.invalid/services/" + token:                 "",
		"https://" + at + "/services/" + token:                     "http: server gave HTTP response to HTTPS client",
		"no address but T0KEN":                                     "environment variable CHAT holds no address such as https://host/path",
		"http://%zz/T0KEN":                                         "environment variable CHAT holds no address such as https://host/path",
		"http://a/T0KEN\nb":                                        "environment variable CHAT holds more than a line of text",
	} {
		n := &notes{}
		o := options(t, n, "CHAT="+url, "AUTH_VALUE="+token)
		text := "notify: {on: run, webhook: {url: {env: CHAT}, headers: {Authorization: {env: AUTH_VALUE, prefix: 'Bearer '}}}}"
		a := once(t, text, failed(), o)
		require.Error(t, a[0].Err)
		if want != "" {
			require.EqualError(t, a[0].Err, want)
		}
		s := New(t.Context(), read(t, text), o)
		s.Send(failed())
		s.Close(t.Context())
		require.NotEmpty(t, n.all())
		for _, said := range append(n.all(), a[0].Err.Error(), a[0].Receiver) {
			require.NotContains(t, said, "T0KEN", url)
		}
	}
	a := once(t, "notify: {webhook: {url: {env: NO_SUCH}}}", failed(), options(t, &notes{}))
	require.EqualError(t, a[0].Err, "environment variable NO_SUCH is not set")
	require.Equal(t, "webhook $NO_SUCH", a[0].Receiver)
	a = once(t, "notify: {webhook: {url: {file: no/such}}}", failed(), options(t, &notes{}))
	require.EqualError(t, a[0].Err, "read no/such: no such file or directory")
	a = once(t, "notify: {webhook: {url: {file: /dev}}}", failed(), options(t, &notes{}))
	require.EqualError(t, a[0].Err, "read /dev: no regular file of at most 64 KiB")
}

// TestMessagesKeepSecrets has what failed print a secret of the environment.
func TestMessagesKeepSecrets(t *testing.T) {
	s := newServer(t, nil)
	m := failed()
	m.Message = "login with hunter2hunter2 failed"
	m.Failures[0].Message, m.Next = "hunter2hunter2", "upstep run --set x=hunter2hunter2"
	a := once(t, "notify: {webhook: "+s.URL+"}", m, options(t, &notes{}, "DB_PASSWORD=hunter2hunter2", "KEY_FILE=/etc/key"))
	require.NoError(t, a[0].Err)
	require.NotContains(t, s.all()[0].body, "hunter2")
	require.Contains(t, s.all()[0].body, "login with ****** failed")
	require.Equal(t, "hunter2hunter2", m.Failures[0].Message, "the sender's own is not changed")
}
