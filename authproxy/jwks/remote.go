package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// fresh is how long a fetched set is used without asking again; a key that was
	// removed is refused after it.
	fresh = 15 * time.Minute
	// maxAge is how long the last good set is used while its host is down; a key that was
	// removed meanwhile counts for as long. Then nothing verifies.
	maxAge = 12 * time.Hour
	// pause is the least time between two fetches that fail or find nothing.
	pause = 30 * time.Second
	// fetchTime bounds one fetch, from name resolution to last byte.
	fetchTime = 10 * time.Second
	// maxDocument bounds a document in bytes.
	maxDocument = 256 << 10
)

// ErrUnavailable says that no set was to be had that is new enough to judge by.
var ErrUnavailable = errors.New("the key set is not to be had now")

// errPaused says that a fetch is not made because one was made just now.
var errPaused = errors.New("the key set was asked for less than 30 s ago")

// Config is what [NewRemote] needs.
type Config struct {
	// URL of the set. It is configured, never taken from what is verified.
	URL string
	// HTTP carries the fetches. It decides about redirects, TLS and proxies.
	HTTP *http.Client
	// Rules for keys.
	Rules Rules
	// Now is the clock.
	Now func() time.Time
	// Log gets fetches that failed.
	Log *slog.Logger
}

// Remote is the key set that one URL publishes. It is safe for concurrent use.
//
// A fetch replaces the set, it never merges. A signature by an unknown key causes a
// fetch, since that is how rotation of keys shows, but at most one in 30 s. A set is at
// most 15 min old while its host answers. While the host is down the last good set serves
// for 12 h; then nothing verifies.
type Remote struct {
	config Config
	shared singleflight.Group

	mu        sync.Mutex
	set       Set
	fetchedAt time.Time // zero: never
	// The last attempt: when, whether for an unknown key, and how it ended.
	triedAt  time.Time
	forKey   bool
	triedErr error
}

// NewRemote makes a set that has not been fetched yet. It makes no request.
func NewRemote(c Config) *Remote { return &Remote{config: c} }

// Ready makes sure that there are keys to verify with. The error is [ErrUnavailable].
func (r *Remote) Ready(ctx context.Context) error {
	r.mu.Lock()
	// A set from the future was fetched before the clock was set back: its age is unknown.
	seen := r.fetchedAt
	have, age := !seen.IsZero(), r.config.Now().Sub(seen).Abs()
	r.mu.Unlock()
	if have && age < fresh {
		return nil
	}
	err := r.refresh(ctx, seen, false)
	if err == nil || have && age < maxAge {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// VerifySignature does what [Set.VerifySignature] does, with the set that the URL
// publishes, which is fetched if it is too old or lacks the key. Errors are those and
// [ErrUnavailable]; ErrUnknownKey means that a fresh set does not have the key.
func (r *Remote) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	if err := r.Ready(ctx); err != nil {
		return nil, err
	}
	set, seen := r.current()
	payload, err := set.VerifySignature(ctx, token)
	if !errors.Is(err, ErrUnknownKey) {
		return payload, err
	}
	if err := r.refresh(ctx, seen, true); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	set, _ = r.current()
	return set.VerifySignature(ctx, token)
}

// current is the set, and when it was fetched.
func (r *Remote) current() (Set, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set, r.fetchedAt
}

// refresh replaces the set that was fetched at seen, once for all who ask at the same time. A
// caller who comes when another one's fetch has just ended has what that one fetched. A caller
// who leaves does not end it.
func (r *Remote) refresh(ctx context.Context, seen time.Time, forKey bool) error {
	done := r.shared.DoChan("", func() (any, error) {
		if _, now := r.current(); !now.Equal(seen) {
			return nil, nil
		}
		if !r.mayFetch(forKey) {
			return nil, errPaused
		}
		set, err := r.Fetch(context.WithoutCancel(ctx))
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.triedErr = err; err != nil {
			r.config.Log.Warn("fetching a key set failed", "url", r.config.URL, "error", err)
			return nil, err
		}
		r.set, r.fetchedAt = set, r.config.Now()
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case res := <-done:
		return res.Err
	}
}

// mayFetch records an attempt unless it comes too soon. The first unknown key after a
// good periodic fetch need not wait: keys may rotate at any time.
func (r *Remote) mayFetch(forKey bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := r.config.Now().Sub(r.triedAt)
	rotated := forKey && !r.forKey && r.triedErr == nil
	// A clock that was set back must not keep us away.
	if !r.triedAt.IsZero() && since >= 0 && since < pause && !rotated {
		return false
	}
	r.triedAt, r.forKey = r.config.Now(), forKey
	return true
}

// Fetch asks for the set now, whatever was fetched before, and keeps nothing.
func (r *Remote) Fetch(ctx context.Context) (Set, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.config.URL, nil)
	if err != nil {
		return Set{}, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := r.config.HTTP.Do(req)
	if err != nil {
		return Set{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Set{}, fmt.Errorf("fetching the key set: status %d", res.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return Set{}, err
	}
	if len(document) > maxDocument {
		return Set{}, fmt.Errorf("key set is larger than %d bytes", maxDocument)
	}
	set, err := Parse(document, r.config.Rules)
	if err != nil {
		return Set{}, fmt.Errorf("key set %w", err)
	}
	return set, nil
}
