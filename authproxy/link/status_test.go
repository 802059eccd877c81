package link_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// Why a login is lost, or waits, is kept as data, and is gone with the next success.
func TestFailureIsKept(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		state  link.State
		want   link.Failure
		hint   string
	}{
		"dead": {answer(400, `{"error":"invalid_grant","error_description":"ip restricted"}`), link.NeedsReauth,
			link.Failure{Kind: salesforce.Dead, Code: "invalid_grant", Text: "ip restricted"}, "IP Relaxation"},
		"misconfigured": {answer(400, `{"error":"invalid_client","error_description":"invalid client credentials"}`), link.Active,
			link.Failure{Kind: salesforce.Misconfigured, Code: "invalid_client", Text: "invalid client credentials"}, "client_secret_file"},
		"down": {answer(503, ""), link.Active, link.Failure{Kind: salesforce.Transient, Code: "unavailable", Text: "Service Unavailable"}, "status.salesforce.com"},
		"lost": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, link.NeedsReauth,
			link.Failure{Kind: salesforce.Transient, Code: "network", Text: "connection ended before the answer was complete", Lost: true}, "signs in again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			p, _ := signedIn(t, f)
			f.token = tc.answer
			f.clock.pass(time.Hour)
			if _, err := p.Token(t.Context(), "acme", alice); err == nil {
				t.Fatal("a token")
			}
			s, err := p.Status(t.Context(), "acme", alice)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Failure
			if !strings.Contains(got.Hint, tc.hint) {
				t.Errorf("hint %q", got.Hint)
			}
			if got.Hint = ""; got != tc.want || s.State != tc.state || s.Why != "" {
				t.Errorf("%s, %+v, %q; want %s, %+v", s.State, got, s.Why, tc.state, tc.want)
			}
			f.set(func() { f.token = nil })
			if err := p.Replace(t.Context(), "acme", f.signIn(alice)); err != nil {
				t.Fatal(err)
			}
			if s, err := p.Status(t.Context(), "acme", alice); err != nil || s.Failure != (link.Failure{}) || s.State != link.Active {
				t.Errorf("after a sign-in: %+v, %v", s, err)
			}
		})
	}
}

// What was written before failures were data is not taken apart, and not lost.
func TestSentenceOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	const sentence = "salesforce: dead: invalid_grant (ip restricted), HTTP 400"
	if _, err := p.db.Writes.Exec(`UPDATE links SET state = 'needs_reauth', why = $1`, sentence); err != nil {
		t.Fatal(err)
	}
	if s, err := p.Status(t.Context(), "acme", alice); err != nil || s.Why != sentence || s.Failure != (link.Failure{}) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := p.Token(t.Context(), "acme", alice); err == nil || !strings.Contains(err.Error(), sentence) {
		t.Errorf("%v", err)
	}
}
