package notify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// heard gives what a server was told of, in order.
func (s *server) heard() []string {
	var out []string
	for _, r := range s.all() {
		_, rest, _ := strings.Cut(r.body, `"event":"`)
		event, _, _ := strings.Cut(rest, `"`)
		out = append(out, event)
	}
	return out
}

func TestReceiversAreTriedInTurn(t *testing.T) {
	last, n := newServer(t, nil), &notes{}
	broken := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	name := strings.TrimPrefix(broken.URL, "http://")
	s := New(t.Context(), read(t, `
notify:
  - name: operators
    on: run
    receivers:
      - webhook: `+broken.URL+`
      - command: [sh, -c, exit 7]
      - webhook: `+last.URL+`
      - command: [sh, -c, exit 8]
  - {name: night, on: failure, webhook: `+last.URL+`}
`), options(t, n))
	for _, event := range []string{"run.start", "stage.start", "run.success"} {
		s.Send(Message{Event: event})
	}
	s.Close(t.Context())
	require.Equal(t, []string{"run.start", "run.success"}, last.heard(), "of what is asked for only")
	require.Equal(t, []string{
		"notification operators: webhook " + name + ": it answered 500 Internal Server Error; command sh: exit status 7; webhook " + strings.TrimPrefix(last.URL, "http://") + " was told instead",
	}, n.all(), "the same is noted once")
}

func TestWhatNobodyWasTold(t *testing.T) {
	n := &notes{}
	var well atomic.Bool
	s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	sender := New(t.Context(), read(t, "notify: {name: ops, on: [run, batch], webhook: "+s.URL+"}"), options(t, n))
	heard := func(count int) {
		require.Eventually(t, func() bool { return len(s.all()) == count }, 20*time.Second, time.Millisecond)
		time.Sleep(20 * time.Millisecond) // what was heard is answered
	}
	for i := range 3 {
		sender.Send(Message{Event: "batch.start"})
		heard(i + 1)
	}
	well.Store(true)
	sender.Send(Message{Event: "batch.success"})
	heard(4)
	well.Store(false)
	sender.Send(Message{Event: "run.failure"})
	sender.Close(t.Context())
	said := "notification ops: webhook " + strings.TrimPrefix(s.URL, "http://") + ": it answered 503 Service Unavailable; nobody was told of "
	require.Equal(t, []string{said + "batch.start", said + "run.failure", "notification ops: in all 4 of 5 messages were told nobody"}, n.all())
}

// TestAReceiverThatHangsHoldsUpNobody has one that never answers, and very many messages.
func TestAReceiverThatHangsHoldsUpNobody(t *testing.T) {
	n := &notes{}
	hung := newServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	other := newServer(t, nil)
	s := New(t.Context(), read(t, `
notify:
  - {name: hung, on: [run, batch], webhook: `+hung.URL+`, timeout: 500ms}
  - {name: other, on: [run, batch], webhook: `+other.URL+`}
`), options(t, n))
	began := time.Now()
	for range 50 {
		s.Send(Message{Event: "batch.start"})
	}
	s.Send(Message{Event: "run.failure"})
	require.Less(t, time.Since(began), time.Second)
	require.Eventually(t, func() bool { return len(other.all()) == 51 }, 30*time.Second, 5*time.Millisecond)
	began = time.Now()
	s.Close(t.Context())
	require.Less(t, time.Since(began), 15*time.Second, "not for each of fifty")
	heard := hung.heard()
	require.Equal(t, "run.failure", heard[len(heard)-1], "how it ended is told before all else")
	require.Contains(t, n.all()[0], "no answer within 500ms; nobody was told of batch.start")
	require.Equal(t, "notification hung: in all 51 of 51 messages were told nobody", n.all()[len(n.all())-1])
}

func TestAQueueHasAnEnd(t *testing.T) {
	n := &notes{}
	free := make(chan struct{})
	s := newServer(t, func(http.ResponseWriter, *http.Request) { <-free })
	sender := New(t.Context(), read(t, "notify: {on: batch, webhook: "+s.URL+", template: '{{ .Batch }}', timeout: 60s}"), options(t, n))
	for i := range most + 51 {
		sender.Send(Message{Event: "batch.start", Batch: i + 1})
		if i == 0 {
			require.Eventually(t, func() bool { return len(s.all()) == 1 }, 20*time.Second, time.Millisecond)
		}
	}
	close(free)
	sender.Close(t.Context())
	require.Len(t, s.all(), most+1)
	require.Contains(t, s.all()[most].body, fmt.Sprintf("batch %d of", most+51))
	require.Equal(t, []string{fmt.Sprintf("notification webhook: in all 50 of %d messages were told nobody", most+51)}, n.all())
}

// TestASignalEndsTheWait cancels while something is waited for, and before.
func TestASignalEndsTheWait(t *testing.T) {
	for _, before := range []bool{true, false} {
		hung := newServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		n := &notes{}
		s := New(t.Context(), read(t, "notify: {webhook: "+hung.URL+", timeout: 10m}"), options(t, n))
		s.Send(Message{Event: "run.start"})
		s.Send(Message{Event: "run.failure"})
		ctx, cancel := context.WithCancel(t.Context())
		if before {
			cancel()
		} else {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		began := time.Now()
		s.Close(ctx)
		cancel()
		require.Less(t, time.Since(began), 10*time.Second)
		require.Contains(t, n.all()[0], "it was not waited for any longer")
	}
}

func TestWhatIsMissingIsNotedAtOnce(t *testing.T) {
	n := &notes{}
	s := New(t.Context(), read(t, `
notify:
  - {name: a, on: failure, webhook: {url: {env: NO_URL}}}
  - {name: b, webhook: {url: 'http://127.0.0.1:1', headers: {X-Token: {file: no-token}}}}
  - {name: c, mail: {server: localhost, from: a@b, to: c@d, user: u, password: {env: NO_WORD}}}
  - {name: d, command: [sh]}
`), options(t, n))
	defer s.Close(t.Context())
	require.Equal(t, []string{
		"notification a: webhook $NO_URL: environment variable NO_URL is not set",
		"notification b: webhook 127.0.0.1:1: read no-token: no such file or directory",
		"notification c: mail to c@d: environment variable NO_WORD is not set",
	}, n.all())
}
