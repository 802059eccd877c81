package link_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// skewed gives a process a clock that is ahead of Salesforce's by what *ahead says.
func (f *login) skewed(t *testing.T, ahead *time.Duration) func(*link.Config) {
	t.Helper()
	now := func() time.Time { return f.clock.Now().Add(*ahead) }
	sf, err := salesforce.New(salesforce.Config{Now: now, Log: slog.New(slog.DiscardHandler), Orgs: []salesforce.Org{
		{Name: "acme", LoginURL: f.URL, OrgID: orgID, ClientID: client, InsecureHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return func(cfg *link.Config) { cfg.Now, cfg.Salesforce = now, sf }
}

// FT-32: a clock that is wrong makes tokens unusable, never logins lost: once it is right
// again, everything goes on, and no spent refresh token was sent meanwhile.
func TestFaultFT32WrongClockLosesNoLogin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ahead time.Duration
		works bool
	}{{5 * time.Minute, true}, {-44 * time.Second, true}, {-5 * time.Minute, false}, {time.Hour, false}, {-time.Hour, false}, {-24 * time.Hour, false}} {
		t.Run(fmt.Sprint(tc.ahead), func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			var ahead time.Duration
			p := newFiles(t).start(t, f, f.skewed(t, &ahead))
			p.signIn(t, f)
			f.clock.pass(30*time.Minute - tc.ahead + time.Second) // expired by either clock
			f.clock.pass(time.Second)
			ahead = tc.ahead
			for range 5 {
				_, err := p.Token(t.Context(), "acme", alice)
				if tc.works != (err == nil) || err != nil && !errors.Is(err, link.ErrUnavailable) {
					t.Errorf("with the wrong clock: %v", err)
				}
				f.clock.pass(time.Minute + 2*time.Second)
			}
			if got := p.state(t); got != link.Active {
				t.Errorf("the login is %s", got)
			}
			ahead = 0
			f.clock.pass(time.Hour)
			if _, err := p.Token(t.Context(), "acme", alice); err != nil {
				t.Errorf("with the right clock: %v", err)
			}
			if _, reused := f.counts(); reused != 0 {
				t.Errorf("a spent token was sent %d times", reused)
			}
		})
	}
}

// FT-32: the clock jumps a day back: a lease or pause from the future holds nobody, and a
// token that Salesforce refuses is replaced although it looks good for a day.
func TestFaultFT32JumpBack(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	var ahead time.Duration
	p := newFiles(t).start(t, f, f.skewed(t, &ahead))
	old := p.signIn(t, f)
	f.token = answer(503, "")
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); !errors.Is(err, link.ErrUnavailable) { // leaves a pause
		t.Fatal(err)
	}
	f.set(func() { f.token = nil })
	f.clock.pass(-24 * time.Hour) // on both sides: their clocks agree
	if got, err := p.Token(t.Context(), "acme", alice); got != old.AccessToken || err != nil {
		t.Errorf("a token that looks good: %v", err)
	}
	if got, err := p.Refused(t.Context(), "acme", alice, old.AccessToken); got == old.AccessToken || err != nil {
		t.Errorf("after Salesforce refused it: %v", err)
	}
}
