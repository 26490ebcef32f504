package notify

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/settings"
	"github.com/upstep/upstep/source"
)

// read reads notifications as upgrade.yaml has them.
func read(t testing.TB, text string) []settings.Notification {
	t.Helper()
	sink := &source.Sink{}
	s := settings.Load(fstest.MapFS{"upgrade.yaml": {Data: []byte(text)}}, "upgrade.yaml", "", nil, sink)
	Check(s.Notify, sink)
	require.Empty(t, sink.Problems())
	return s.Notify
}

// notes gathers what is noted.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, text)
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.list...)
}

// options are those of a folder of its own and of an environment of nothing but the path.
func options(t testing.TB, n *notes, env ...string) Options {
	t.Helper()
	return Options{Dir: t.TempDir(), Env: append([]string{"PATH=" + os.Getenv("PATH")}, env...), Version: "1.2", Now: time.Now, Note: n.add}
}

// noon is when everything happens.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// failed is the message of a run that failed.
func failed() Message {
	return Message{
		Event: "run.failure", Time: noon(), Project: "web application", Run: "20261121-120000", By: "alice on control1",
		State: "failed", Seconds: 31.4, Try: 2, FailedHosts: []string{"web2"}, OutOfTraffic: []string{"web2"},
		Versions: []Version{{Service: "webapp", To: "2.0.0"}}, Next: "upstep run",
		Message:  "non-control-plane/1/step4/Web failed on web2: no space left",
		Failures: []Failure{{Unit: "non-control-plane/1/step4/Web", Hosts: []string{"web2"}, State: "failed", Task: "Start (services/web.yaml:17)", Message: "no space left"}},
	}
}

// received is a request that a server has had.
type received struct {
	method, path, body string
	header             http.Header
}

// server answers requests as f does, and keeps them.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	list []received
}

func newServer(t testing.TB, f http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.list = append(s.list, received{r.Method, r.URL.RequestURI(), string(body), r.Header})
		s.mu.Unlock()
		if f != nil {
			f(w, r)
		}
	}))
	t.Cleanup(s.CloseClientConnections)
	return s
}

func (s *server) all() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received{}, s.list...)
}

// script writes a shell script below a folder.
func script(t testing.TB, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o700)) //nolint:gosec // it is to be run
}

// once sends a message to the receivers of a notification, all of them.
func once(t testing.TB, text string, m Message, o Options) []Answer {
	t.Helper()
	list := read(t, text)
	require.Len(t, list, 1)
	return Try(context.Background(), list[0], m, o)
}
