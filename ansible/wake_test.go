package ansible

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/event"
)

// TestAnEventIsNotMissedWhenItsSignIsTakenEarly has a playbook tell of one gate after the
// other as fast as it can. The sign that wakes the reader may come while it looks: after it
// has looked into the file, and before it looks at the socket.
func TestAnEventIsNotMissedWhenItsSignIsTakenEarly(t *testing.T) {
	events, err := os.OpenFile(filepath.Join(t.TempDir(), "events"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	require.NoError(t, err)
	conn, peer, err := pair()
	require.NoError(t, err)
	p := &Process{events: events, conn: conn, heard: true, leader: &detached{done: make(chan struct{}), started: make(chan struct{})}}
	defer func() { _ = conn.Close() }()
	const rounds = 20_000
	next := make(chan struct{})
	go func() {
		defer func() { _ = peer.Close() }()
		for n := range rounds {
			_, _ = fmt.Fprintf(events, "{\"kind\":\"gate\",\"unit\":\"%d\"}\n", n)
			_, _ = peer.WriteString("\n")
			<-next
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for n := range rounds {
		e, _, err := p.Next(ctx)
		require.NoError(t, err, "round %d", n)
		require.Equal(t, event.Gate, e.Kind)
		require.Equal(t, fmt.Sprint(n), e.Unit)
		next <- struct{}{}
	}
}
