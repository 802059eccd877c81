package main

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// An access review in the browser: begun, looked at line by line, decided with a reason; nobody
// decides about themselves.
func TestConsoleReviewsAccess(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	b, auditor := d.member(companysim.DefaultUsers()[1]), d.member(companysim.DefaultUsers()[2])
	d.connect("sobject-reads", manager) // who may connect to sobject-all, too
	d.must("review", "start", "--since", "1d", "--name", "spring")
	if begun := d.act(b, d.look(b, "/console/reviews"), "/reviews/start", nil, url.Values{"quarter": {"2026-Q9"}}); begun.Status != http.StatusBadRequest || !strings.Contains(begun.Body, "is no quarter") {
		t.Errorf("no quarter: status %d %s", begun.Status, begun.Body)
	}
	if begun := d.act(b, d.look(b, "/console/reviews"), "/reviews/start", nil, url.Values{"server": {"sobject-all"}}); !strings.Contains(begun.Body, ".sobject-all has begun") {
		t.Errorf("begun: status %d %s", begun.Status, begun.Body)
	}
	list := d.look(b, "/console/reviews/spring?state=open")
	path := regexp.MustCompile(`/console/reviews/spring/sobject-all/acme/` + salesforcesim.RepID).FindString(list.Body)
	if path == "" || !strings.Contains(list.Body, "What the configuration could do without") {
		t.Fatalf("the list: %s", list.Body)
	}
	item := d.look(b, path)
	if refused := d.act(b, item, path+"/decide", url.Values{"decision": {"keep"}}, url.Values{"reason": {" "}}); refused.Status != http.StatusBadRequest {
		t.Errorf("without a reason: status %d", refused.Status)
	}
	d.act(b, item, path+"/decide", url.Values{"decision": {"keep"}}, url.Values{"reason": {strings.Repeat("sells to them ", 30)}})
	if page := d.look(auditor, path); !strings.Contains(page.Body, "sells to them") || !strings.Contains(page.Body, "createSobjectRecord") || strings.Contains(page.Body, "<button class=\"danger\"") {
		t.Errorf("what an auditor sees: %s", page.Body)
	}
	if after := d.act(b, item, path+"/decide", url.Values{"decision": {"revoke"}}, url.Values{"reason": {"left"}}); !strings.Contains(after.Body, "1 connection of "+rep) {
		t.Errorf("revoked: %s", after.Body)
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call: status %d", r.Status)
	}
	if page := d.look(b, "/console/reviews/spring?state=revoked"); !strings.Contains(page.Body, "left") || !strings.Contains(page.Body, path) {
		t.Errorf("what was revoked: %s", page.Body)
	}
	list = d.look(b, "/console/reviews/spring?state=open+and+unused")
	if after := d.act(b, list, "/idle", nil, url.Values{"reason": {"unused"}}); !strings.Contains(after.Body, "Decided about 1 item: 0 connections ended. 1 item had 0 connections, nothing ended there") {
		t.Errorf("unused: %s", after.Body)
	}
	for _, none := range []string{"/console/reviews/autumn", "/console/reviews/%20", path + "x"} {
		if page := d.look(b, none); page.Status != http.StatusNotFound {
			t.Errorf("%s: status %d", none, page.Status)
		}
	}
}

// The page of somebody's own access offers no decision about it, as none is taken.
func TestConsoleOffersNoDecisionAboutOwnAccess(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	sasha, b := companysim.DefaultUsers()[1], d.browser()
	d.authorize(b, "sobject-all", manager)
	d.authorize(d.browser(), "sobject-all", rep)
	account := d.open(b, "/account", sasha)
	if _, err := b.Submit(t.Context(), account, d.linkForm(account), nil); err != nil {
		t.Fatal(err)
	}
	d.must("review", "start", "--since", "1d", "--name", "spring")
	item := func(subject string) string { return "/console/reviews/spring/sobject-all/acme/" + subject }
	decides := func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/decide") }
	own, other := d.look(b, item(salesforcesim.ManagerID)), d.look(b, item(salesforcesim.RepID))
	if slices.ContainsFunc(own.Forms, decides) || !strings.Contains(own.Body, "This is your own access") {
		t.Errorf("their own: %s", own.Body)
	}
	at := slices.IndexFunc(other.Forms, decides)
	if at < 0 {
		t.Fatalf("of somebody else: %s", other.Body)
	}
	form := other.Forms[at]
	form.Action = d.PublicURL + item(salesforcesim.ManagerID) + "/decide"
	if page, err := b.Submit(t.Context(), own, form, url.Values{"reason": {"mine"}}); err != nil || page.Status != http.StatusForbidden {
		t.Errorf("deciding all the same: %v, %+v", err, page)
	}
}

// Where it cannot be found out whose access it is, because the key of that row has not come yet, an item of a review can be read all the same;
// nobody is offered to decide, and only who could is told why.
func TestConsoleShowsItemsThatCannotBeDecidedNow(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	people, b := companysim.DefaultUsers(), d.browser()
	security, auditor := d.member(people[1]), d.member(people[2])
	d.authorize(b, "sobject-all", manager)
	account := d.open(b, "/account", people[0])
	if _, err := b.Submit(t.Context(), account, d.linkForm(account), nil); err != nil {
		t.Fatal(err)
	}
	d.must("review", "start", "--since", "1d", "--name", "spring")
	if n, err := db.Affected(t.Context(), d.database().Writes, `UPDATE human_links SET mac = 'kother' || substr(mac, instr(mac, ':'))`); err != nil || n == 0 {
		t.Fatalf("%d links, %v", n, err)
	}
	item := "/console/reviews/spring/sobject-all/acme/" + salesforcesim.ManagerID
	const undecided = "cannot be decided at the moment"
	for who, of := range map[string]struct {
		*salesforcesim.Browser
		told bool
	}{"security": {security, true}, "auditor": {auditor, false}} {
		page := d.look(of.Browser, item)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "Seen and not used") || strings.Contains(page.Body, undecided) != of.told ||
			slices.ContainsFunc(page.Forms, func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/decide") }) {
			t.Errorf("%s: %d %s", who, page.Status, page.Body)
		}
	}
}
