// Package load sends requests to one address at a steady rate, however long answers take,
// and counts every answer.
package load

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// patience is how long an answer may take.
const patience = 30 * time.Second

// Load is a stream of requests.
type Load struct {
	clients []*http.Client
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu     sync.Mutex
	counts Counts
	began  time.Time
}

// Counts is what became of the requests.
type Counts struct {
	Requests int
	Lost     int            // were not answered with 200
	Servers  map[string]int // answers with 200, by the Server header, which names the version
	Losses   []string       // the first of those that were lost: when and why
	Slowest  time.Duration
	Took     time.Duration
}

// Start begins to send rate requests a second; every second one over a connection of its
// own, the others over connections that are kept.
func Start(url string, rate int) *Load {
	ctx, stop := context.WithCancel(context.Background()) // it ends by Stop alone, with every answer counted
	l := &Load{
		stop: stop, began: time.Now(), counts: Counts{Servers: map[string]int{}},
		clients: []*http.Client{
			{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: 5 * time.Second}},
			{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}},
		},
	}
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.done.Go(func() { l.send(context.WithoutCancel(ctx), l.clients[n%len(l.clients)], url) })
			}
		}
	})
	return l
}

// send sends one request and counts its answer.
func (l *Load) send(ctx context.Context, c *http.Client, url string) {
	began := time.Now()
	server, loss := ask(ctx, c, url)
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Requests++
	l.counts.Slowest = max(l.counts.Slowest, took)
	if loss == "" {
		l.counts.Servers[server]++
		return
	}
	l.counts.Lost++
	if len(l.counts.Losses) < 20 {
		l.counts.Losses = append(l.counts.Losses, fmt.Sprintf("%s, after %s: %s", began.Format("15:04:05.000"), took.Round(time.Millisecond), loss))
	}
}

// ask gives who answered, or why there is no answer with 200.
func ask(ctx context.Context, c *http.Client, url string) (server, loss string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err.Error()
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", "status " + resp.Status + ", then " + err.Error()
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Sprintf("status %s, %s %s: %.200s", resp.Status, resp.Header.Get("Server"), resp.Header.Get("X-Host"), body)
	}
	return resp.Header.Get("Server"), ""
}

// Counts gives what became of the requests so far.
func (l *Load) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Servers, c.Losses, c.Took = maps.Clone(c.Servers), slices.Clone(c.Losses), time.Since(l.began)
	return c
}

// Stop sends nothing more, waits for the answers that are due and counts them too.
func (l *Load) Stop() Counts {
	l.stop()
	l.done.Wait()
	for _, c := range l.clients {
		c.CloseIdleConnections()
	}
	return l.Counts()
}

// String is one line, and one more for each loss that is known.
func (c Counts) String() string {
	var by []string
	for _, server := range slices.Sorted(maps.Keys(c.Servers)) {
		by = append(by, fmt.Sprintf("%d %s", c.Servers[server], server))
	}
	s := fmt.Sprintf("%d requests in %s, slowest %s: %d not 200; answered: %s",
		c.Requests, c.Took.Round(100*time.Millisecond), c.Slowest.Round(time.Millisecond), c.Lost, strings.Join(by, ", "))
	return strings.Join(append([]string{s}, c.Losses...), "\n  ")
}
