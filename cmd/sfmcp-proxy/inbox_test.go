package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// What waits for a role is in the inbox of whoever holds it: how many, since when, who asks;
// found by a word, in either order; and in nobody else's.
func TestInboxOfARole(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	for _, name := range []string{"First Ltd", "Second Ltd", "Third Ltd"} {
		d.approvalURL(c.call("createSobjectRecord", account(name)))
	}
	users := companysim.DefaultUsers()
	b := d.member(users[0])
	order := func(page *salesforcesim.Page) (names []string) {
		return regexp.MustCompile(`(First|Second|Third) Ltd`).FindAllString(page.Body, -1)
	}
	all := d.look(b, "/approvals")
	if got := order(all); !slices.Equal(got, []string{"First Ltd", "Second Ltd", "Third Ltd"}) || !strings.Contains(all.Body, rep) || !strings.Contains(all.Body, "The oldest waits since") {
		t.Errorf("the inbox has %v:\n%s", got, all.Body)
	}
	if got := order(d.look(b, "/approvals?order=newest")); !slices.Equal(got, []string{"Third Ltd", "Second Ltd", "First Ltd"}) {
		t.Errorf("the newest first: %v", got)
	}
	if got := order(d.look(b, "/approvals?q=sEcOnd")); !slices.Equal(got, []string{"Second Ltd"}) {
		t.Errorf("searched: %v", got)
	}
	if page := d.look(b, "/approvals?q="+url.QueryEscape("<b>nobody")); len(order(page)) != 0 || !strings.Contains(page.Body, "&lt;b&gt;nobody") || !strings.Contains(page.Body, "Show all") {
		t.Errorf("nothing fits: %s", page.Body)
	}
	if got := order(d.look(d.member(users[1]), "/approvals")); len(got) != 0 {
		t.Errorf("somebody without the role sees %v", got)
	}
}

// An inbox in view shows what comes, and what was decided elsewhere, without being loaded again,
// and says so to a screen reader; the focus stays where it was. Signed out elsewhere, it leads to
// the sign-in. Its one script is a file of ours.
func TestBrowserInboxIsLive(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	c := d.connectIn(b, "sobject-all", rep)
	first := d.approvalURL(c.call("createSobjectRecord", account("First Ltd")))
	v := b.open(d.PublicURL + "/approvals")
	b.shows(v, http.StatusOK, "First Ltd")
	if got := ask[string](b, `[...document.scripts].map(s => new URL(s.src).pathname + s.text).join(" ")`); !regexp.MustCompile(`^/assets/inbox-[0-9a-f]{16}\.js$`).MatchString(got) {
		t.Errorf("scripts: %s", got)
	}
	loads := len(b.askedSince(0))
	link := `a[href="` + strings.TrimPrefix(first, d.PublicURL) + `"]`
	ask[bool](b, `document.querySelector('`+link+`').focus() === undefined`)
	shows := func(what, expression string) {
		t.Helper()
		eventually(t, browserLimit, what, func() bool { return ask[bool](b, expression) })
	}
	second := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Second Ltd"))))
	shows("what came", `document.getElementById("lists").innerText.includes("Second Ltd") && document.title.startsWith("(2) Approvals")`)
	if !ask[bool](b, `document.activeElement === document.querySelector('`+link+`') && document.getElementById("news").textContent === "2 calls wait for you."`) {
		t.Errorf("the focus is on %s", ask[string](b, "document.activeElement.outerHTML"))
	}
	d.must("approval", "deny", second, "--as", "Sam")
	shows("what was decided", `document.title.startsWith("(1) Approvals") && document.getElementById("count").textContent === "1"`)
	if after := b.askedSince(loads); len(after) != 0 {
		t.Errorf("the page was loaded again: %v", after)
	}
	d.must("user", "revoke", rep)
	shows("the sign-in, once signed out", `location.pathname === "/signin"`)
}

// An approver changes values and proposes that: the call that was asked for ends, the assistant
// is told the other values, and the approver, who proposed them, does not count.
func TestCounterProposalOnAPage(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	users := companysim.DefaultUsers()
	other := companysim.User{Subject: "00u-second", Username: "bo@acme.example", Password: "second-Bo-1", Name: "Bo Second", Groups: []string{"sales-approvers"}}
	d.provider.SetUser(other)
	asked := map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": "Too dear", "AnnualRevenue": 1000000, "Description": "two\nlines"}}
	id := path.Base(d.approvalURL(c.call("createSobjectRecord", asked)))
	b := d.member(users[0])

	page := d.look(b, "/approvals/"+id)
	if !strings.Contains(page.Body, `href="/approvals/`+id+`/counter"`) {
		t.Fatalf("the page does not offer it: %s", page.Body)
	}
	form := d.look(b, "/approvals/"+id+"/counter")
	field := func(label string) string {
		found := regexp.MustCompile(`<label>` + label + `\s*<(?:input|textarea) name="(v[0-9]+)"`).FindStringSubmatch(form.Body)
		if found == nil {
			t.Fatalf("no field %s: %s", label, form.Body)
		}
		return found[1]
	}
	for name, tt := range map[string]struct {
		with   url.Values
		status int
		want   string
	}{
		"nothing changed": {nil, http.StatusBadRequest, "Nothing is changed yet"},
		"not a number":    {url.Values{field("body › AnnualRevenue"): {"much"}}, http.StatusBadRequest, "must be a number"},
		"two values":      {url.Values{field("body › AnnualRevenue"): {"1, 2"}}, http.StatusBadRequest, "must be a number"},
	} {
		if after := d.act(b, form, "/counter", nil, tt.with); after.Status != tt.status || !strings.Contains(after.Body, tt.want) {
			t.Errorf("%s: status %d, no %q: %s", name, after.Status, tt.want, after.Body)
		}
	}
	shown := d.act(b, form, "/counter", nil, url.Values{field("body › AnnualRevenue"): {"9007199254740993"}, field("body › Name"): {"Fair"}})
	for _, want := range []string{"Too dear", "Fair", "1000000", "9007199254740993", "you do not count"} {
		if !strings.Contains(shown.Body, want) {
			t.Errorf("the difference lacks %q: %s", want, shown.Body)
		}
	}
	if strings.Contains(shown.Body, "body › Description</code>") {
		t.Error("a value that nobody changed differs")
	}
	proposal := d.act(b, shown, "/counter", nil, nil)
	if proposal.Status != http.StatusOK || !strings.Contains(proposal.Body, "Proposed in the place of what was asked for") || strings.Contains(proposal.Body, `value="approve"`) {
		t.Errorf("whoever proposed it: status %d\n%s", proposal.Status, proposal.Body)
	}
	if late := d.act(b, shown, "/counter", nil, nil); late.Status == http.StatusOK {
		t.Errorf("proposing twice: %s", late.Body)
	}
	told := c.call("createSobjectRecord", asked)
	if !told.Result.IsError || !strings.Contains(told.text(), "Fair") || !strings.Contains(told.text(), "9007199254740993") {
		t.Errorf("the assistant is told: %s", told.body)
	}
	second := d.member(other)
	waiting := d.look(second, "/approvals")
	next := regexp.MustCompile(`/approvals/apr_[a-z0-9]+`).FindString(waiting.Body)
	decided := d.look(second, next)
	if _, err := second.Choose(t.Context(), decided, "decision", "approve"); err != nil {
		t.Fatalf("%v: %s", err, decided.Body)
	}
	raw := json.RawMessage(`{"sobject-name":"Account","body":{"Name":"Fair","AnnualRevenue":9007199254740993,"Description":"two\nlines"}}`)
	if r := c.call("createSobjectRecord", raw); r.Result.IsError || d.named("Account", "Fair") != 1 || d.named("Account", "Too dear") != 0 {
		t.Errorf("the proposed call: %s", r.body)
	}
}

// Calls of one connection are decided together where the rule says so: those that are chosen, each
// by itself; one that was decided meanwhile is said to be, and the others are decided all the same.
func TestCallsDecidedTogetherOnAPage(t *testing.T) {
	t.Parallel()
	d := startCompanyWith(t, `approvers: "role:approver", group: true`)
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	ids := map[string]string{}
	parent := d.idOf("Account", "Northwind Logistics")
	account := func(name string) map[string]any {
		return map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": name, "ParentId": parent}}
	}
	for _, name := range []string{"One", "Two", "Three", "Four"} {
		ids[name] = path.Base(d.approvalURL(c.call("createSobjectRecord", account(name))))
	}
	b := d.member(companysim.DefaultUsers()[0])
	if page := d.look(b, "/approvals/"+ids["One"]); !strings.Contains(page.Body, "4 calls of this connection can be decided together") {
		t.Fatalf("the page does not offer it: %s", page.Body)
	}
	page := d.look(b, "/approvals/"+ids["One"]+"/together")
	if page.Status != http.StatusOK || strings.Count(page.Body, `name="call.apr_`) != 4 {
		t.Fatalf("status %d: %s", page.Status, page.Body)
	}
	if n := strings.Count(page.Body, "<bdi>Northwind Logistics</bdi>"); n != 4 {
		t.Errorf("the parent of four accounts is named %d times:\n%s", n, page.Body)
	}
	if n := strings.Count(d.must("audit", "list", "--action", "approval.preview", "--json"), "names of records"); n > 2 {
		t.Errorf("its name was read %d times for the page of one and that of all", n)
	}
	d.must("approval", "deny", ids["Two"], "--as", "Sam")
	at := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/together") })
	form := page.Forms[at]
	decide := func(names ...string) *salesforcesim.Page {
		t.Helper()
		with := salesforcesim.Form{Action: form.Action, Method: form.Method, Fields: url.Values{"csrf_token": form.Fields["csrf_token"], "shown": form.Fields["shown"], "listed": form.Fields["listed"], "decision": {"approve"}}}
		for _, name := range names {
			with.Fields.Set("call."+cmp.Or(ids[name], name), "yes")
		}
		after, err := b.Submit(t.Context(), page, with, nil)
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	if none := decide(); none.Status != http.StatusBadRequest {
		t.Errorf("none chosen: status %d", none.Status)
	}
	if foreign := decide("One", "apr_nothing"); foreign.Status != http.StatusNotFound {
		t.Errorf("with one that is not there: status %d", foreign.Status)
	}
	unmarked := salesforcesim.Form{Action: form.Action, Method: form.Method, Fields: url.Values{"csrf_token": form.Fields["csrf_token"], "listed": form.Fields["listed"], "decision": {"approve"}, "call." + ids["One"]: {"yes"}}}
	if again, err := b.Submit(t.Context(), page, unmarked, nil); err != nil || again.Status != http.StatusConflict || !strings.Contains(again.Body, "Nothing is decided yet") {
		t.Errorf("without the mark of the page: %v, status %d", err, again.Status)
	}
	if over := decide("One", "Two"); over.Status != http.StatusConflict {
		t.Errorf("with one that is denied: status %d", over.Status)
	}
	if after := decide("One", "Three"); strings.Count(after.Body, ">Approved<") != 2 {
		t.Fatalf("approving two: %s", after.Body)
	}
	for name, made := range map[string]int{"One": 1, "Two": 0, "Three": 1, "Four": 0} {
		c.call("createSobjectRecord", account(name))
		if n := d.named("Account", name); n != made {
			t.Errorf("%s was made %d times, %d is right", name, n, made)
		}
	}
	if alone := d.look(b, "/approvals/"+ids["Four"]+"/together"); alone.Status != http.StatusConflict {
		t.Errorf("one that is left: status %d", alone.Status)
	}
}
