package link

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// waitLimit is how long a caller waits for a refresh; the refresh itself goes on. MCP
// clients give up on a call after about 60 s.
const waitLimit = 20 * time.Second

// refreshLimit ends a refresh whatever happens: two requests, the pause between, and
// the wait for another process's lease, with room.
const refreshLimit = 5 * time.Minute

// Token returns an access token of the link that has not expired. Shortly before expiry
// it begins a refresh and returns the token it has; after expiry it waits for the
// refresh, at most 20 s or until ctx ends. Errors: [ErrNeedsReauth], [ErrUnavailable],
// ctx's, or a database's.
func (s *Store) Token(ctx context.Context, org, subject string) (string, error) {
	now := s.Now()
	var l *record
	h, err := s.held.Get(user{org, subject}, func(h held) bool { return now.Before(h.until) }, func() (h held, err error) {
		if l, err = s.usable(ctx, org, subject); err != nil {
			return held{}, err
		}
		if h.until = s.refreshAt(l); !now.Before(h.until) {
			return held{}, errDue
		}
		if h.access, err = s.access(l); err != nil {
			return held{}, errDue
		}
		return h, nil
	})
	if !errors.Is(err, errDue) {
		return h.access, err
	}
	if !now.Before(l.expiresAt) {
		return s.await(ctx, l, false)
	}
	access, err := s.access(l)
	if err != nil {
		s.Log.Error("asking for another access token", "org", org, "subject", subject, "error", err)
		return s.await(ctx, l, true)
	}
	if !now.Before(s.refreshAt(l)) && !l.held(now) && s.lacksKey(l) == nil {
		s.begin(l, false)
	}
	return access, nil
}

// user is the key of a link.
type user struct{ org, subject string }

// held is an access token that needs no refresh yet.
type held struct {
	access string
	until  time.Time
}

// errDue says that a refresh is needed, now or soon.
var errDue = errors.New("access token is due for a refresh")

// Refused is what to call when Salesforce answered 401 to an access token although it
// has not expired: it returns another one. If the link has a newer one, that is it;
// otherwise the link is refreshed, at most once in 10 s, so that a gateway that refuses
// every token does not become a stream of refreshes. Errors are those of [Store.Token].
func (s *Store) Refused(ctx context.Context, org, subject, accessToken string) (string, error) {
	s.held.Forget(user{org, subject})
	l, err := s.usable(ctx, org, subject)
	if err != nil {
		return "", err
	}
	if current, err := s.access(l); err == nil && current != accessToken {
		return s.Token(ctx, org, subject)
	}
	return s.await(ctx, l, true)
}

func (s *Store) usable(ctx context.Context, org, subject string) (*record, error) {
	l, err := s.load(ctx, s.DB.Reads, org, subject)
	if err != nil {
		return nil, err
	}
	if l == nil || l.state != Active {
		return nil, needsReauth(l)
	}
	return l, nil
}

func needsReauth(l *record) error {
	switch {
	case l == nil:
		return fmt.Errorf("%w: no login yet", ErrNeedsReauth)
	case l.failure.Kind != "":
		return fmt.Errorf("%w: %s", ErrNeedsReauth, l.failure.Reason())
	case l.why != "":
		return fmt.Errorf("%w: %s", ErrNeedsReauth, l.why)
	}
	return ErrNeedsReauth
}

// refreshAt is when to begin a refresh. A token that lives a minute is not renewed on
// every call because the usual margin is a minute, too.
func (s *Store) refreshAt(l *record) time.Time {
	lifetime := max(l.expiresAt.Sub(l.refreshedAt), 0)
	return l.expiresAt.Add(-min(s.RefreshAhead, lifetime/4))
}

// A sharedRefresh is a refresh of one version of a link in this process.
type sharedRefresh struct {
	done   chan struct{}
	access string
	err    error
}

type linkVersion struct {
	org, subject string
	version      int64
}

// begin starts a refresh of l's version or joins the one that is under way. Nobody's
// context ends it: a cancelled leader must not fail its followers, nor leave
// Salesforce's answer unread.
func (s *Store) begin(l *record, forced bool) *sharedRefresh {
	key := linkVersion{l.org, l.subject, l.version}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.inFlight[key]; f != nil {
		return f
	}
	f := &sharedRefresh{done: make(chan struct{}), err: unavailable(0, nil)} // stays so if the refresh does not return
	if s.closed {
		close(f.done)
		return f
	}
	s.inFlight[key] = f
	go func() {
		defer s.ended(key, f)
		ctx, cancel := context.WithTimeout(context.Background(), refreshLimit)
		defer cancel()
		f.access, f.err = s.refresh(ctx, key, forced)
	}()
	return f
}

// ended lets go of a refresh.
func (s *Store) ended(key linkVersion, f *sharedRefresh) {
	doubt, doubtful := errors.AsType[*doubtfulError](f.err)
	if doubtful {
		close(f.done) // whoever comes before the claim is taken back gets the same error
		s.disclaim(doubt.before)
	}
	s.mu.Lock()
	delete(s.inFlight, key)
	s.mu.Unlock()
	if !doubtful {
		close(f.done)
	}
}

// await waits for the refresh of l's version and returns what came of it.
func (s *Store) await(ctx context.Context, l *record, forced bool) (string, error) {
	if now := s.Now(); l.held(now) && l.leaseHolder == "" {
		return "", unavailable(l.leaseUntil.Sub(now), nil)
	}
	if err := s.lacksKey(l); err != nil { // no lease is taken then: others who have the key may refresh it
		return "", err
	}
	f := s.begin(l, forced)
	timer := time.NewTimer(waitLimit)
	defer timer.Stop()
	select {
	case <-f.done:
		if f.err == nil && s.expired(l, f.access) {
			return "", unavailable(0, nil)
		}
		return f.access, f.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-timer.C:
		return "", unavailable(refreshPause, nil)
	}
}

// expired says that an access token is l's own, and has expired: a refresh that failed before gives the token that was good
// then, and whoever joined it may have come after.
func (s *Store) expired(l *record, access string) bool {
	if s.Now().Before(l.expiresAt) {
		return false
	}
	own, err := s.access(l)
	return err == nil && own == access
}

// Close refuses new refreshes and waits for those under way, so that a process that
// ends does not lose an answer; ctx limits the wait.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	var running []*sharedRefresh
	for _, f := range s.inFlight {
		running = append(running, f)
	}
	s.mu.Unlock()
	for _, f := range running {
		select {
		case <-f.done:
		case <-ctx.Done():
			return fmt.Errorf("waiting for refreshes of Salesforce tokens: %w", context.Cause(ctx))
		}
	}
	return nil
}
