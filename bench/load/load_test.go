package load_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/bench/load"
)

// TestEveryAnswerIsCounted has a server fail in every way: by its status, by an answer
// that breaks off, by none.
func TestEveryAnswerIsCounted(t *testing.T) {
	var asked, kept atomic.Int32
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.Close {
			kept.Add(1)
		}
		switch asked.Add(1) {
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 5:
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half"))
		case 9:
			time.Sleep(200 * time.Millisecond) // Stop waits for it
		default: // on a kept connection this would be no loss: it is asked again on another
			if r.Close && !broken.Swap(true) {
				panic(http.ErrAbortHandler)
			}
		}
		w.Header().Set("Server", "shop/1.9")
	}))
	defer server.Close()
	l := load.Start(server.URL, 100)
	require.Eventually(t, func() bool { return asked.Load() > 30 }, 30*time.Second, time.Millisecond)
	c := l.Stop()
	require.Equal(t, 3, c.Lost, c)
	require.Len(t, c.Losses, 3)
	require.Contains(t, c.String(), "3 not 200")
	require.Equal(t, c.Requests-3, c.Servers["shop/1.9"])
	require.GreaterOrEqual(t, c.Slowest, 200*time.Millisecond)
	require.InDelta(t, c.Requests/2, int(kept.Load()), 2, "every second one keeps its connection")

	server.Close()
	l = load.Start(server.URL, 100)
	time.Sleep(50 * time.Millisecond)
	c = l.Stop()
	require.Equal(t, c.Requests, c.Lost, "nobody listens")
}
