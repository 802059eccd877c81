package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// An incident on a page: whom it is about, what would end, and each step with whether it is so; a
// program the same way, from a part of its name; what the log has about them can be taken along.
func TestConsoleContainsAnIncident(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	b := d.member(companysim.DefaultUsers()[1])
	if page := d.look(b, "/console/incident"); !strings.Contains(page.Body, "the stop switch") {
		t.Errorf("nothing asked: %s", page.Body)
	}
	for path, want := range map[string]string{"?person=zzz": "Nobody fits", "?client=zzz": "No program fits", "?person=" + rep: "1 connection, 1 waiting call", "?client=" + d.ClientID[:4]: "What ends: 1 connection of 1 user, and calls under way"} {
		if page := d.look(b, "/console/incident"+path); page.Status != http.StatusOK || !strings.Contains(page.Body, want) {
			t.Errorf("%s lacks %q: status %d %s", path, want, page.Status, page.Body)
		}
	}
	if page := d.look(b, "/console/incident?org=acme&subject=nobody"); page.Status != http.StatusNotFound {
		t.Errorf("nobody: status %d", page.Status)
	}

	page := d.look(b, "/console/incident?person="+rep)
	after := d.act(b, page, "/console/incident/contain", nil, url.Values{"reason": {"laptop stolen"}})
	if strings.Count(after.Body, ">confirmed<") != 8 || strings.Contains(after.Body, "not confirmed") || !strings.Contains(after.Body, "1 connection ended") {
		t.Errorf("after: status %d %s", after.Status, after.Body)
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized || !d.isBlocked(rep) {
		t.Errorf("the next call: status %d", r.Status)
	}
	log := d.act(b, after, "/console/incident/evidence", nil, nil)
	if log.Status != http.StatusOK || !strings.Contains(log.Body, `"action":"user.block"`) || !strings.Contains(log.Body, "laptop stolen") || strings.Count(log.Body, "\n") < 4 {
		t.Errorf("evidence: status %d %s", log.Status, log.Body)
	}
	if read := d.must("audit", "list", "--action", "log.read", "--json"); !strings.Contains(read, "all entries") || !strings.Contains(read, "00u-security") {
		t.Errorf("who took it: %s", read)
	}

	page = d.look(b, "/console/incident?id="+url.QueryEscape(d.ClientID))
	after = d.act(b, page, "/console/incident/contain", nil, url.Values{"reason": {"supply chain"}})
	if strings.Count(after.Body, ">confirmed<") != 7 || !strings.Contains(after.Body, "The client is refused from now on") {
		t.Errorf("the client: status %d %s", after.Status, after.Body)
	}
	list := d.look(b, "/console/clients?id="+url.QueryEscape(d.ClientID))
	if !strings.Contains(list.Body, ">blocked<") {
		t.Errorf("the list of clients: %s", list.Body)
	}
	d.act(b, list, "/console/clients/unblock", nil, url.Values{"reason": {"a false alarm"}})
	list = d.look(b, "/console/clients?id="+url.QueryEscape(d.ClientID))
	if after := d.act(b, list, "/console/clients/block", nil, url.Values{"reason": {"again"}}); !strings.Contains(after.Body, "It is refused until somebody unblocks it") {
		t.Errorf("blocking it: %s", after.Body)
	}
}
