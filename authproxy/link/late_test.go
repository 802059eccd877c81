package link

import (
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/salesforce"
)

// FT-16: a refresh that failed shortly before the access token expired gives that token. Whoever joins it after that is told that
// Salesforce is away, and does not get a token that has expired.
func TestFaultFT16JoinedAfterTheTokenExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	url := dbtest.URL(t)
	s := New(Config{DB: dbtest.OpenURL(t, url), Ring: dbtest.Ring(t, url), Now: func() time.Time { return now }})
	token := &salesforce.Token{AccessToken: "access", RefreshToken: "refresh", ExpiresAt: now.Add(time.Minute), OrgID: "00Dxx0000001gPFEAY", Subject: "005xx000001Sv6AAAS"}
	if err := s.Replace(t.Context(), "acme", token); err != nil {
		t.Fatal(err)
	}
	l, err := s.usable(t.Context(), "acme", token.Subject)
	if err != nil {
		t.Fatal(err)
	}
	failed := &sharedRefresh{done: make(chan struct{}), access: "access"}
	close(failed.done)
	s.inFlight[linkVersion{l.org, l.subject, l.version}] = failed
	if got, err := s.await(t.Context(), l, true); err != nil || got != "access" {
		t.Errorf("before it expired: %q, %v", got, err)
	}
	now = token.ExpiresAt
	if got, err := s.await(t.Context(), l, false); !errors.Is(err, ErrUnavailable) || got != "" {
		t.Errorf("after it expired: %q, %v", got, err)
	}
	failed.access = "another"
	if got, err := s.await(t.Context(), l, false); err != nil || got != "another" {
		t.Errorf("a refresh that did not fail: %q, %v", got, err)
	}
}
