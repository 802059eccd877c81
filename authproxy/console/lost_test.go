package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// loseLogin gives the person a Salesforce login that ended a while ago, for a reason
// as package link records it.
func (p *person) loseLogin(why link.Failure) {
	p.t.Helper()
	token := &salesforce.Token{AccessToken: "a", RefreshToken: "r", ExpiresAt: p.now, OrgID: "00D", Subject: p.subject}
	if err := p.links.Replace(p.t.Context(), "acme", token); err != nil {
		p.t.Fatal(err)
	}
	over := p.now.Add(-90 * time.Minute).UnixMilli()
	if _, err := p.db.Writes.Exec(`UPDATE links SET state = 'needs_reauth', failure_kind = $1, failure_code = $2, failure_text = $3, refreshed_at = $4`,
		why.Kind, why.Code, why.Text, over); err != nil {
		p.t.Fatal(err)
	}
}

const backToAccount = `href="/signin?org=acme&amp;return_to=%2Faccount"`

func TestAccountShowsALostLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, bob := s.signIn("acme", "005A"), s.signIn("acme", "005B")
	alice.loseLogin(link.Failure{Kind: salesforce.Dead, Code: "invalid_grant", Text: "ip restricted"})
	if page := alice.get("/account"); strings.Contains(page.body, "Sign in to Salesforce again") {
		t.Error("somebody without connections needs no login")
	}
	alice.connect()
	bob.connect()
	page := alice.get("/account")
	page.want(t, 200, "Your Salesforce login for org acme ended on 1 May 2026, 08:30 UTC (90 minutes ago)",
		"Salesforce ended it: ip restricted.", "Your connections are kept", "Sign in to Salesforce again", "Disconnect")
	if !strings.Contains(page.body, backToAccount) {
		t.Errorf("no way back in %s", page.body)
	}
	if page := bob.get("/account"); strings.Contains(page.body, "Sign in to Salesforce again") {
		t.Error("somebody else is told")
	}
}

// A call that waits, or was approved, needs the login; one that is over does not.
func TestApprovalShowsALostLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	waiting, denied := alice.ask(`{"a":1}`, "requester"), alice.ask(`{"a":2}`, "requester")
	alice.post("/approvals/"+denied.ID, url.Values{"decision": {"deny"}})
	alice.loseLogin(link.Failure{})
	page := alice.get("/approvals/" + waiting.ID)
	page.want(t, 200, "cannot be made until you sign in", "Approve")
	if !strings.Contains(page.body, "return_to=%2Fapprovals%2F"+waiting.ID+`"`) {
		t.Errorf("the sign-in does not lead back in %s", page.body)
	}
	alice.post("/approvals/"+waiting.ID, url.Values{"decision": {"approve"}})
	alice.get("/approvals/"+waiting.ID).want(t, 200, "Approved", "Sign in to Salesforce again")
	if page := alice.get("/approvals/" + denied.ID); strings.Contains(page.body, "Sign in to Salesforce again") {
		t.Error("a call that is over asks for a login")
	}
}

func TestLossInWords(t *testing.T) {
	t.Parallel()
	for why, want := range map[link.Failure]string{
		{Kind: salesforce.Dead, Code: "invalid_grant", Text: "expired access/refresh token"}:           "Salesforce ended it: expired access/refresh token.",
		{Kind: salesforce.Dead, Code: "OAUTH_APP_BLOCKED"}:                                             "Salesforce ended it: OAUTH_APP_BLOCKED.",
		{Kind: salesforce.Transient, Code: "network", Lost: true}:                                      "lost on the way",
		{Kind: salesforce.Refused, Code: "wrong_org", Text: "the token is of another org"}:             "not accepted here (wrong_org)",
		{Kind: salesforce.Dead, Code: salesforce.NotReadable, Text: "the refresh token does not open"}: "What was stored here to renew it cannot be read.",
	} {
		if got := lossInWords(why); !strings.Contains(got, want) {
			t.Errorf("%+v: %q", why, got)
		}
	}
	if got := lossInWords(link.Failure{}); got != "" {
		t.Errorf("a reason that is not known is shown: %q", got)
	}
}
