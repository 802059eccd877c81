package authproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// lifecycleEvery is how often a process looks for clients that nobody uses: the shortest time after
// which one ends is a day.
const lifecycleEvery = time.Hour

// endedAtOnce is how many clients one look ends at most, so that it takes no longer than a sweep may.
const endedAtOnce = 20

// Lifecycle ends what clients have that nobody uses any more, by [client.Lifecycle].
type Lifecycle struct {
	Cutoff *Cutoff

	mu   sync.Mutex
	next time.Time
}

// Sweep ends the connections of clients that nobody has used for as long as the configuration says.
// Each is an entry, and each client. Its registration stays for as long as the client store keeps
// one that has no connection, so that people who still have the program can connect it again. Call
// it once a minute, after the sweep of the grants, which writes down what was used.
func (l *Lifecycle) Sweep(ctx context.Context, now time.Time) error {
	after := l.Cutoff.Clients.Lifecycle().EndAfter
	l.mu.Lock()
	defer l.mu.Unlock()
	if after <= 0 || now.Before(l.next) {
		return nil
	}
	of, err := l.Cutoff.Grants.ByClient(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, id := range slices.Sorted(maps.Keys(of)) {
		if of[id].UsedAt().After(now.Add(-after)) {
			continue
		}
		if n++; n > endedAtOnce {
			return err // the others with the next sweep
		}
		err = errors.Join(err, l.Cutoff.endUnusedClient(ctx, id, now.Add(-after), Act{By: actor.Proxy, Why: "unused for " + days(after)}))
	}
	if err == nil {
		l.next = now.Add(lifecycleEvery)
	}
	return err
}

// days is a duration in words for people.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// endUnusedClient ends all that a client has, unless it was used or connected after then: whoever
// counted may be late.
func (c *Cutoff) endUnusedClient(ctx context.Context, clientID string, after time.Time, act Act) error {
	return take(ctx, func(ctx context.Context) error {
		ended, err := c.Grants.EndUnusedClient(ctx, clientID, after, act.Why)
		if err != nil || len(ended) == 0 {
			return err
		}
		_, err = c.connectionsEnded(ctx, ended, clientID, audit.ClientRevoke, act, nil)
		return err
	})
}
