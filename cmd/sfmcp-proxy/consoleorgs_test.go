package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// SR-AD-2, U12: an act of the console or the API is in one org. It names the other orgs where the same person is, by id or
// by username, and leads there; and what reached nobody does not look like success.
func TestConsoleSaysWhomItDidNotReach(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.lookAround()
	b, program := d.member(companysim.DefaultUsers()[1]), d.apiToken("security", "drill")
	const path, other = "/people/acme/" + salesforcesim.RepID, "005xx000001Sv6BAAS"
	why := url.Values{"reason": {"drill"}}
	act := func(from, path string, fixed, typed url.Values, wants ...string) {
		t.Helper()
		after := d.act(b, d.look(b, from), path, fixed, typed)
		for _, want := range wants {
			if after.Status != http.StatusOK || !strings.Contains(after.Body, want) {
				t.Errorf("%s: status %d lacks %q: %s", path, after.Status, want, after.Body)
			}
		}
	}
	if page := d.look(b, "/console"+path); strings.Contains(page.Body, "other orgs") {
		t.Errorf("of somebody of one org: %s", page.Body)
	}
	d.renamed("acme-sandbox", salesforcesim.RepID, rep+".sandbox")
	d.renamed("acme-training", other, rep)
	leads := []string{"The same person in other orgs", `/console/people/acme-sandbox/` + salesforcesim.RepID, `/console/people/acme-training/` + other}
	for _, from := range []string{"/console" + path, "/console/incident?org=acme&subject=" + salesforcesim.RepID} {
		for _, want := range leads {
			if page := d.look(b, from); !strings.Contains(page.Body, want) {
				t.Errorf("%s lacks %q: %s", from, want, page.Body)
			}
		}
	}
	if a := program.ask(http.MethodGet, "/console/api/v1"+path, nil); a.member("elsewhere.0.org") != "acme-sandbox" || a.member("elsewhere.1.subject") != other {
		t.Errorf("a program is told: %s", a.Body)
	}
	missed := append(leads, "where nothing was done: acme-sandbox, acme-training")
	act("/console"+path, "/console"+path+"/revoke", nil, why, append(missed, "in org acme: 1 connection", `class="note good"`)...)
	act("/console"+path, "/console"+path+"/revoke", nil, why, append(missed, "Nothing to end", "nothing ended", `class="note warn"`)...)
	act("/console/incident?org=acme&subject="+salesforcesim.RepID, "/console/incident/contain", nil, why, missed...)
	for _, verb := range []string{path + "/revoke", path + "/block"} {
		if a := program.ask(http.MethodPost, "/console/api/v1"+verb, reason); a.member("connections") != 0. || a.member("elsewhere.1.org") != "acme-training" {
			t.Errorf("%s answers: %d %s", verb, a.Status, a.Body)
		}
	}
	if a := program.ask(http.MethodPost, "/console/api/v1/incident/contain", map[string]any{"org": "acme", "subject": salesforcesim.RepID, "reason": "drill"}); a.member("elsewhere.0.org") != "acme-sandbox" {
		t.Errorf("contained: %d %s", a.Status, a.Body)
	}

	client := "/console/clients?id=" + url.QueryEscape(d.ClientID)
	act(client, "/console/clients/revoke", nil, why, "Nothing to end", `class="note warn"`)
	act(client, "/console/clients/block", nil, why, "It is refused until", `class="note good"`)

	act("/console", "/console/stop", url.Values{"to": {"all"}}, why, "Everything is stopped")
	if page := d.look(b, "/console"); !strings.Contains(page.Body, "Assistants can read again, which is stopped now") {
		t.Errorf("while everything is stopped: %s", page.Body)
	}
	act("/console", "/console/stop", url.Values{"to": {"writes"}}, why, "Reads pass again: before, every call was stopped.")
	act("/console", "/console/stop", url.Values{"to": {"off"}}, why, "Nothing is stopped")
}
