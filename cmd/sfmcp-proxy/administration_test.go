package main

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// form is one of ours of somebody's account page, bent to another address and other fields.
func (d *companyDemo) form(b *salesforcesim.Browser, address string, fields url.Values) *salesforcesim.Page {
	d.t.Helper()
	account := d.look(b, "/account")
	at := slices.IndexFunc(account.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("csrf_token") })
	if at < 0 {
		d.t.Fatalf("no form on the account: %s", account.Body)
	}
	form := salesforcesim.Form{Method: http.MethodPost, Action: d.PublicURL + address, Fields: url.Values{"csrf_token": account.Forms[at].Fields["csrf_token"]}}
	for name, values := range fields {
		form.Fields[name] = values
	}
	after, err := b.Submit(d.t.Context(), account, form, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return after
}

// AP-09: the link of a stranger's request opens nothing by itself: signing in comes first, and before
// it nothing of the call is said. Whoever may decide is told who asks, through which program, for
// which org and tool; whoever may not learns nothing.
func TestAP09LinkOfAStrangersRequest(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	link := strings.TrimPrefix(d.approvalURL(c.call("createSobjectRecord", account("Strange Ltd"))), d.PublicURL)
	users := companysim.DefaultUsers()
	before := d.look(d.browser(), link)
	if !strings.Contains(before.Body, "<h1>Sign in</h1>") || strings.Contains(before.Body, "Strange Ltd") || strings.Contains(before.Body, "createSobjectRecord") || strings.Contains(before.Body, rep) {
		t.Errorf("without signing in: status %d\n%s", before.Status, before.Body)
	}
	page := d.look(d.member(users[0]), link)
	for _, want := range []string{rep, "Demo client", "Salesforce org", "acme", "createSobjectRecord", "Strange Ltd", `value="approve"`} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the approver's page lacks %q: %s", want, page.Body)
		}
	}
	if page := d.look(d.member(users[1]), link); page.Status != http.StatusNotFound || strings.Contains(page.Body, "Strange Ltd") {
		t.Errorf("without the role: status %d", page.Status)
	}
}

// AD-03: ids of others in addresses and forms are those of nothing: connections, calls and all
// that can be done with one, also for somebody of the company without a role for them.
func TestAD03IdsOfOthers(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	mine, others := d.browser(), d.browser()
	c := d.authorize(mine, "sobject-all", rep)
	c.initialize()
	d.authorize(others, "sobject-all", salesforcesim.ManagerUsername)
	id := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Mine"))))
	own := d.look(mine, "/account")
	at := slices.IndexFunc(own.Forms, func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/account/disconnect") })
	connection := own.Forms[at].Fields.Get("grant")
	for who, b := range map[string]*salesforcesim.Browser{"another user": others, "a person without the role": d.member(companysim.DefaultUsers()[1])} {
		for _, page := range []string{"", "/counter", "/together"} {
			if got := d.look(b, "/approvals/"+id+page); got.Status != http.StatusNotFound || strings.Contains(got.Body, "Mine") {
				t.Errorf("%s, %q: status %d", who, page, got.Status)
			}
		}
		for address, fields := range map[string]url.Values{
			"/account/disconnect": {"grant": {connection}}, "/approvals/" + id: {"decision": {"deny"}}, "/approvals/" + id + "/counter": {"arguments": {"{}"}},
			"/approvals/" + id + "/undo": {}, "/approvals/" + id + "/resolve": {"happened": {"yes"}, "reason": {"x"}},
			"/approvals/" + id + "/together": {"decision": {"deny"}, "listed": {id}, "call." + id: {"yes"}},
		} {
			if got := d.form(b, address, fields); got.Status < 400 || got.Status >= 500 {
				t.Errorf("%s, POST %s: status %d", who, address, got.Status)
			}
		}
	}
	if out := d.must("approval", "show", id, "--json"); !strings.Contains(out, `"state":"pending"`) {
		t.Errorf("the call is %s", out)
	}
	if r := c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 1"}); r.Result.IsError {
		t.Errorf("the connection: %s", r.body)
	}
}

// AD-04: fields that say more than a form has give no right: whoever agrees counts for the role that
// the company gives them.
func TestAD04FieldsGiveNoRole(t *testing.T) {
	t.Parallel()
	d := startCompanyWith(t, `factors: [{role: approver, quorum: 1}, {role: security, quorum: 1}]`)
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	id := path.Base(d.approvalURL(c.call("createSobjectRecord", account("Two roles"))))
	b := d.member(companysim.DefaultUsers()[0])
	page := d.look(b, "/approvals/"+id)
	at := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/approvals/"+id) })
	for _, more := range []url.Values{
		{"decision": {"approve"}, "role": {"security"}, "ROLE": {"security"}, "roles": {"approver security"}, "factor": {"security"}, "human": {"somebody else"}, "as": {"root"}},
		{"decision": {"approve"}, "role": {"security"}},
	} {
		if _, err := b.Submit(t.Context(), page, page.Forms[at], more); err != nil {
			t.Fatal(err)
		}
	}
	if r := c.call("createSobjectRecord", account("Two roles")); !r.Result.IsError || d.named("Account", "Two roles") != 0 {
		t.Errorf("one person met both roles: %s", r.body)
	}
	if page := d.look(b, "/approvals/"+id); !strings.Contains(page.Body, "nobody has agreed yet") {
		t.Errorf("the page: %s", page.Body)
	}
}

// AD-05: every act of the console needs a form that was shown to this very session; an address that
// acts does nothing for a GET.
func TestAD05ForgedFormsOfTheConsole(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.lookAround()
	users := companysim.DefaultUsers()
	security, elsewhere := d.member(users[1]), d.member(users[1])
	account := d.look(elsewhere, "/account")
	at := slices.IndexFunc(account.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("csrf_token") })
	for _, route := range team.Routes() {
		if route.Method == http.MethodGet {
			continue
		}
		address := strings.NewReplacer("{org}", "acme", "{subject}", salesforcesim.RepID, "{server}", "sobject-all", "{tool}", "soqlQuery", "{client}", d.ClientID).Replace(route.Path)
		for name, token := range map[string]string{"none": "", "of another session": account.Forms[at].Fields.Get("csrf_token"), "guessed": strings.Repeat("a", 43)} {
			if got := d.form(security, address, url.Values{"csrf_token": {token}, "reason": {"x"}, "to": {"all"}}); got.Status != http.StatusForbidden {
				t.Errorf("%s, token %s: status %d", address, name, got.Status)
			}
		}
		if got := d.look(security, address); got.Status == http.StatusOK && !slices.ContainsFunc(team.Routes(), func(r team.Route) bool { return r.Method == http.MethodGet && r.Path == route.Path }) {
			t.Errorf("GET %s: status %d", address, got.Status)
		}
	}
	if got := strings.TrimSpace(d.must("stop", "status")); got != "off" || d.isBlocked(rep) {
		t.Errorf("the switch stands at %s", got)
	}
}

// AD-15: what looks like SQL in a search, an order or an id is text that nothing has.
func TestAD15SQLInAddresses(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.lookAround()
	b := d.member(companysim.DefaultUsers()[1])
	for _, text := range []string{"' OR '1'='1", "x'; DROP TABLE approvals; --", "%", "_", `\`, "1 UNION SELECT sealed_refresh FROM links", "\x00"} {
		q := url.QueryEscape(text)
		for _, address := range []string{"/approvals?q=" + q + "&order=" + q, "/approvals/" + url.PathEscape(text), "/console/audit?text=" + q + "&since=" + q + "&after=" + q, "/console/people?q=" + q, "/console/connections?q=" + q} {
			if got := d.look(b, address); got.Status >= 500 || strings.Contains(got.Body, "SQL") && !strings.Contains(text, "SQL") {
				t.Errorf("%s: status %d", address, got.Status)
			}
		}
	}
	if out := d.must("approval", "list", "--json"); strings.Count(out, `"id":"apr_`) != 1 {
		t.Errorf("calls that wait: %s", out)
	}
}
