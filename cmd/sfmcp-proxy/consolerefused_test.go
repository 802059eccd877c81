package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// Whoever asks the console for an act that their roles do not give is refused, and on record with what
// they asked for: an auditor, and somebody with a role for approvals alone.
func TestAD02ARefusedActIsOnRecord(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	users := companysim.DefaultUsers()
	d.connect("sobject-all", rep)
	for name, u := range map[string]companysim.User{"an auditor": users[2], "without a role for it": users[0]} {
		b, who := d.browser(), "person "+d.issuer+" "+u.Subject
		// A form of theirs, with its token, is sent to another address.
		page := d.open(b, "/account", u)
		if len(page.Forms) == 0 {
			t.Fatalf("%s: no form: %s", name, page.Body)
		}
		form := page.Forms[0]
		form.Action = d.PublicURL + "/console/people/acme/" + salesforcesim.RepID + "/block"
		after, err := b.Submit(t.Context(), page, form, url.Values{"reason": {"x"}})
		if err != nil || after.Status != http.StatusForbidden {
			t.Errorf("%s: %v, %+v", name, err, after)
		}
		if got := d.printed("audit", "list", "--action", "session.use", "--actor", who, "--json"); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"outcome":"denied"`) ||
			!strings.Contains(got, `"object":"/console/people/{org}/{`) || strings.Contains(got, salesforcesim.RepID) {
			t.Errorf("%s: the log has %s", name, got)
		}
	}
	if d.isBlocked(rep) {
		t.Error("they blocked somebody")
	}
}

// Unblocking whoever is not blocked says that, and does not say that there is nobody of that name.
func TestConsoleUnblocksNobodyWhoIsNotBlocked(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.connect("sobject-all", rep)
	b := d.member(companysim.DefaultUsers()[1])
	d.must("user", "block", rep)
	d.must("client", "block", d.ClientID)
	person, client := d.look(b, "/console/people/acme/"+salesforcesim.RepID), d.look(b, "/console/clients?id="+url.QueryEscape(d.ClientID))
	d.must("user", "unblock", rep)
	d.must("client", "unblock", d.ClientID)
	for path, page := range map[string]*salesforcesim.Page{"/unblock": person, "clients/unblock": client} {
		after := d.act(b, page, path, nil, url.Values{"reason": {"found it"}})
		if after.Status != http.StatusConflict || !strings.Contains(after.Body, "is not blocked, so nothing was done") {
			t.Errorf("%s: status %d, %s", path, after.Status, after.Body)
		}
	}
}
