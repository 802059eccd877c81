package main

import (
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sfmcp-proxy/authproxy/console/team"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// member is a browser in which somebody is signed in with the company.
func (d *companyDemo) member(u companysim.User) *salesforcesim.Browser {
	d.t.Helper()
	b := d.browser()
	if page := d.open(b, "/account", u); page.Status != http.StatusOK {
		d.t.Fatalf("%s cannot sign in: status %d", u.Name, page.Status)
	}
	return b
}

// look opens a page of the console.
func (d *companyDemo) look(b *salesforcesim.Browser, path string) *salesforcesim.Page {
	d.t.Helper()
	page, err := b.Get(d.t.Context(), d.PublicURL+path)
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

// act submits the form of a page that leads to path and has these fields, with others.
func (d *companyDemo) act(b *salesforcesim.Browser, page *salesforcesim.Page, path string, with url.Values, others url.Values) *salesforcesim.Page {
	d.t.Helper()
	at := slices.IndexFunc(page.Forms, func(f salesforcesim.Form) bool {
		for name := range with {
			if f.Fields.Get(name) != with.Get(name) {
				return false
			}
		}
		return strings.HasSuffix(f.Action, path)
	})
	if at < 0 {
		d.t.Fatalf("no form leads to %s with %v:\n%s", path, with, page.Body)
	}
	after, err := b.Submit(d.t.Context(), page, page.Forms[at], others)
	if err != nil {
		d.t.Fatal(err)
	}
	return after
}

// lookAround has one connection, one denial and one call that waits, of the sales representative.
func (d *companyDemo) lookAround() (c *mcpClient) {
	c = d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 1"})
	c.call("deleteSobjectRecord", map[string]any{"sobject-name": "Account", "id": "001xx000003DGb1AAG"})
	d.approvalURL(c.call("createSobjectRecord", account("Waits")))
	return c
}

// AD-02: every route of the table, with every role, as the Salesforce user alone, with the token
// of an assistant, and as nobody: what the table does not say is refused, and changes nothing.
func TestAD02ConsoleRoutesByRole(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	d.must("review", "start", "--since", "1d", "--name", "spring")
	users := companysim.DefaultUsers()
	salesforceUser := d.browser()
	d.authorize(salesforceUser, "sobject-all", rep)
	browsers := []struct {
		who     string
		role    string
		browser *salesforcesim.Browser
	}{
		{"nobody", "", d.browser()}, {"a Salesforce user", "", salesforceUser}, {"an approver", "approver", d.member(users[0])},
		{"security", people.Security, d.member(users[1])}, {"an auditor", people.Auditor, d.member(users[2])},
	}
	for _, route := range team.Routes() {
		path := strings.NewReplacer("{org}", "acme", "{subject}", salesforcesim.RepID, "{server}", "sobject-all", "{tool}", "soqlQuery", "{entry}", "1", "{review}", "spring").Replace(route.Path)
		for _, b := range browsers {
			may := slices.Contains(route.Roles, b.role)
			if route.Path == "/console/events" {
				if got := d.firstEvent(b.browser); (got == "event: part") != may {
					t.Errorf("%s, %s: %q", b.who, path, got)
				}
				continue
			}
			if route.Method == http.MethodGet {
				page := d.look(b.browser, path)
				if shown := page.Status == http.StatusOK && strings.Contains(page.Body, `aria-label="Console"`); shown != may {
					t.Errorf("%s, %s: status %d, shown %v", b.who, path, page.Status, shown)
				}
				for _, form := range page.Forms {
					if at, ok := strings.CutPrefix(form.Action, d.PublicURL); ok && form.Method == http.MethodPost && strings.HasPrefix(at, "/console") && !mayPost(at, b.role) {
						t.Errorf("%s, %s: a button leads to %s, which is refused", b.who, path, at)
					}
				}
				continue
			}
			if may { // acts are tried below; here, without a field that it needs
				continue
			}
			// By a form that is theirs: only the role is missing.
			account := d.look(b.browser, "/account")
			form := salesforcesim.Form{Method: http.MethodPost, Action: d.PublicURL + path, Fields: url.Values{"reason": {"x"}, "to": {"all"}}}
			if at := slices.IndexFunc(account.Forms, func(f salesforcesim.Form) bool { return f.Fields.Has("csrf_token") }); at >= 0 {
				form.Fields.Set("csrf_token", account.Forms[at].Fields.Get("csrf_token"))
			}
			if page, err := b.browser.Submit(t.Context(), account, form, nil); err != nil || page.Status < 400 || page.Status >= 500 {
				t.Errorf("%s, POST %s: %v, status %d", b.who, path, err, page.Status)
			}
		}
		if status, body := d.bearer(route.Method, path, c.access); status < 300 || status >= 500 {
			t.Errorf("an assistant, %s: status %d %s", path, status, body)
		}
	}
	if got := strings.TrimSpace(d.must("stop", "status")); got != "off" {
		t.Errorf("the switch stands at %s", got)
	}
	if d.isBlocked(rep) {
		t.Error("somebody was blocked")
	}
}

// mayPost reports whether the table of routes lets people with that role act at an address.
func mayPost(address, role string) bool {
	part := regexp.MustCompile(`\{[a-z]+\}`)
	return slices.ContainsFunc(team.Routes(), func(r team.Route) bool {
		matches, err := path.Match(part.ReplaceAllString(r.Path, "*"), address)
		return err == nil && matches && r.Method == http.MethodPost && slices.Contains(r.Roles, role)
	})
}

// isBlocked reports whether 'user show' says so.
func (d *companyDemo) isBlocked(username string) bool {
	d.t.Helper()
	return strings.Contains(d.must("user", "show", username, "--json"), `"blocked":true`)
}

// bearer asks for a page with an access token, as an assistant could.
func (d *companyDemo) bearer(method, path, token string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.PublicURL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	if strings.HasPrefix(answer.Header.Get("Location"), "/signin") {
		return http.StatusSeeOther, ""
	}
	return answer.StatusCode, ""
}

// An incident in the browser: who it is, what they have, cut off with a reason; all of it holds
// for the next call, and stands in the log with the name of who did it.
func TestConsoleCutsSomebodyOff(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	security := companysim.DefaultUsers()[1]
	b := d.member(security)

	list := d.look(b, "/console/people?name="+url.QueryEscape(rep))
	path := regexp.MustCompile(`/console/people/[^"/]+/005[A-Za-z0-9]+`).FindString(list.Body)
	if path == "" {
		t.Fatalf("the list lacks them: %s", list.Body)
	}
	person := d.look(b, path)
	for _, want := range []string{"1 connection, 1 waiting call", "createSobjectRecord", "deleteSobjectRecord", "denied", "connected"} {
		if !strings.Contains(person.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if refused := d.act(b, person, path+"/block", nil, url.Values{"reason": {" "}}); refused.Status != http.StatusBadRequest || d.isBlocked(rep) {
		t.Errorf("without a reason: status %d", refused.Status)
	}
	after := d.act(b, person, path+"/block", nil, url.Values{"reason": {"laptop stolen"}})
	if !strings.Contains(after.Body, "1 connection, 1 waiting call and") || after.Status != http.StatusOK {
		t.Errorf("after: status %d %s", after.Status, after.Body)
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call: status %d", r.Status)
	}
	entry := d.must("audit", "list", "--action", "user.block", "--json")
	for _, want := range []string{"person " + d.provider.Issuer() + " " + security.Subject, "laptop stolen"} {
		if !strings.Contains(entry, want) {
			t.Errorf("the log lacks %q: %s", want, entry)
		}
	}
	again := d.look(b, path)
	d.act(b, again, path+"/unblock", nil, url.Values{"reason": {"found it"}})
	if d.isBlocked(rep) {
		t.Error("still blocked")
	}
}

// What an engineer asks in the first minute: who used a tool, why a call was refused, everything of a
// client, whether everything can be stopped.
func TestConsoleAnswersAndStops(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	b := d.member(companysim.DefaultUsers()[1])
	for _, tt := range []struct {
		path  string
		wants []string
	}{
		{"/console", []string{"calls today", "denied today", "waiting for a person", "Nothing is stopped", "<svg"}},
		{"/console/audit?tool=deleteSobjectRecord", []string{rep, "denied", "/console/audit/"}},
		{"/console/audit?person=" + rep + "&since=1d&text=ACCOUNT", []string{"soqlQuery"}},
		{"/console/audit?person=nobody@example.com", []string{"nobody@example.com"}},
		{"/console/audit?person=sasha+lindqvist", []string{"Sasha Lindqvist", "/console/audit/"}},
		{"/console/audit?person=" + companysim.DefaultUsers()[1].Email, []string{"Sasha Lindqvist", "/console/audit/"}},
		{"/console/audit?since=yesterweek", []string{"is no time"}},
		{"/console/audit?tool=soqlquery", []string{"tool: there is no tool", "soqlQuery"}},
		{"/console/audit?action=tool.cal", []string{"action: no entry has the action"}},
		{"/console/audit?since=2026-03-02&until=2026-03-01", []string{"since: it is not before until"}},
		{"/console/connections?client=none", []string{"client: there is no client"}},
		{"/console/audit?before=x", []string{"number of an entry"}},
		{"/console/audit?before=3", []string{"entry 2"}},
		{"/console/insights", []string{"All calls", "By rule", "sobject-all: rule", "Waiting"}},
		{"/console/denials", []string{"deleteSobjectRecord at sobject-all", rep, "1 of 1"}},
		{"/console/connections?client=" + d.ClientID, []string{"End all of these", "1 connection of 1 user"}},
		{"/console/clients", []string{d.ClientID, "configured"}},
		{"/console/tools?server=sobject-all", []string{"soqlQuery", "accepted", "read or side_effect", "create or admin", "delete or admin"}},
		{"/console/tools/sobject-all/soqlQuery", []string{"inputSchema", "Reject", "Last call", "Who may call it at sobject-all"}},
		{"/console/policy?server=sobject-all", []string{"Rules at sobject-all", "approver", "Who can do what at sobject-all", "Where it is changed", "Last replay"}},
		{"/console/settings", []string{"public_url", "(set)", "/console/sessions/end", "Sasha Lindqvist"}},
	} {
		page := d.look(b, tt.path)
		for _, want := range tt.wants {
			if page.Status != http.StatusOK || !strings.Contains(page.Body, want) {
				t.Errorf("%s lacks %q: status %d\n%s", tt.path, want, page.Status, page.Body)
			}
		}
	}
	if page := d.look(b, "/console/audit?before=3"); strings.Contains(page.Body, "entry 3") {
		t.Error("an entry that is not before")
	}
	if page := d.look(b, "/console/audit/999999"); page.Status != http.StatusNotFound {
		t.Errorf("no such entry: status %d", page.Status)
	}

	// Reading an entry whole is an entry itself.
	if page := d.look(b, "/console/audit/1"); page.Status != http.StatusOK {
		t.Errorf("entry 1: status %d", page.Status)
	}
	if log := d.must("audit", "list", "--action", "log.read", "--json"); !strings.Contains(log, `"entry 1"`) || !strings.Contains(log, "00u-security") {
		t.Errorf("who read it: %s", log)
	}

	overview := d.look(b, "/console")
	if after := d.act(b, overview, "/console/stop", url.Values{"to": {"all"}}, url.Values{"reason": {"drill"}}); !strings.Contains(after.Body, "Everything is stopped for everybody") {
		t.Errorf("after stopping: %s", after.Body)
	}
	if got := strings.TrimSpace(d.must("stop", "status")); got != "all" {
		t.Errorf("the switch stands at %s", got)
	}
	if overview = d.look(b, "/console"); !strings.Contains(overview.Body, "drill") {
		t.Error("the overview does not say why it stopped")
	}
	d.act(b, overview, "/console/stop", url.Values{"to": {"off"}}, url.Values{"reason": {"drill is over"}})

	// A page that was loaded before a colleague stopped everything lets nothing pass, and stops more at once.
	overview = d.look(b, "/console")
	d.must("stop", "all")
	entries := d.must("audit", "list", "--action", "stop.set", "--json")
	if after := d.act(b, overview, "/console/stop", url.Values{"to": {"writes"}}, url.Values{"reason": {"old page"}}); after.Status != http.StatusConflict || !strings.Contains(after.Body, "Everything is stopped for everybody") {
		t.Errorf("loosening by a page that shows less: status %d %s", after.Status, after.Body)
	}
	if again := d.must("audit", "list", "--action", "stop.set", "--json"); strings.TrimSpace(d.must("stop", "status")) != "all" || again != entries {
		t.Errorf("it stands at %s, with %s", d.must("stop", "status"), again)
	}
	d.must("stop", "writes")
	if after := d.act(b, overview, "/console/stop", url.Values{"to": {"all"}}, url.Values{"reason": {"old page"}}); after.Status != http.StatusOK || strings.TrimSpace(d.must("stop", "status")) != "all" {
		t.Errorf("stopping more by that page: status %d %s", after.Status, after.Body)
	}
	d.must("stop", "off")

	// What stops this machine alone is said first, with how it ends.
	file := filepath.Join(d.dir, "STOP")
	if err := os.WriteFile(file, []byte("night shift"), 0o600); err != nil {
		t.Fatal(err)
	}
	if overview = d.look(b, "/console"); !strings.Contains(overview.Body, "night shift. Whoever removes that file") || !strings.Contains(overview.Body, "stands at off") {
		t.Errorf("stopped by a file: %s", overview.Body)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}

	// Everything of one client, as it was counted.
	connections := d.look(b, "/console/connections?client="+d.ClientID)
	changed := d.act(b, connections, "/console/connections/end", url.Values{"client": {d.ClientID}}, url.Values{"reason": {"client compromised"}, "count": {"7"}})
	if changed.Status != http.StatusConflict {
		t.Errorf("another number than was counted: status %d", changed.Status)
	}
	if after := d.act(b, connections, "/console/connections/end", url.Values{"client": {d.ClientID}}, url.Values{"reason": {"client compromised"}}); !strings.Contains(after.Body, "1 connection ended") {
		t.Errorf("after: %s", after.Body)
	}
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("the next call: status %d", r.Status)
	}
}

// AD-11: what only a newer version knows as stopped stops everything here, and not where that version
// runs. Everything can be stopped for all of them from here, on the page and by a program.
func TestAD11EverythingCanAlwaysBeStopped(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	b, program := d.member(companysim.DefaultUsers()[1]), d.apiToken("security", "drill")
	const path = "/console/api/v1/stop"
	later := func() {
		d.change(`UPDATE stops SET value = 'exports'`)
		d.signed(db.Stops)
		d.change(`UPDATE stops SET name = name`) // whoever remembers reads anew
	}
	later()
	page := d.look(b, "/console")
	if !strings.Contains(page.Body, "Everything is stopped here") {
		t.Errorf("the page says: %s", page.Body)
	}
	if after := d.act(b, page, "/console/stop", url.Values{"to": {"all"}}, url.Values{"reason": {"drill"}}); after.Status != http.StatusOK || strings.TrimSpace(d.must("stop", "status")) != "all" {
		t.Errorf("by the page: status %d, the switch stands at %s", after.Status, d.must("stop", "status"))
	}
	later()
	seen := program.ask(http.MethodGet, path, nil)
	if seen.Status != http.StatusOK || seen.member("holds") != "all" || !strings.Contains(seen.Body, "newer version") {
		t.Errorf("a program sees %d %s", seen.Status, seen.Body)
	}
	if a := program.ask(http.MethodPut, path, map[string]any{"position": "all", "reason": "drill"}, "If-Match", seen.Header.Get("ETag")); a.Status != http.StatusOK || strings.TrimSpace(d.must("stop", "status")) != "all" {
		t.Errorf("by a program: %d %s", a.Status, a.Body)
	}
}

// A call is tried against the rules in force: nothing is sent, and a mistake is said in a sentence.
func TestConsoleTriesACall(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	d.lookAround()
	b := d.member(companysim.DefaultUsers()[2]) // an auditor: trying changes nothing
	page := d.look(b, "/console/policy")
	for _, tt := range []struct {
		name string
		with url.Values
		want string
	}{
		{"a read", url.Values{"tool": {"soqlQuery"}, "arguments": {`{"q":"SELECT Id FROM Account LIMIT 1"}`}}, ">allow<"},
		{"a write", url.Values{"tool": {"createSobjectRecord"}, "arguments": {`{"sobject-name":"Account","body":{"Name":"x"}}`}}, "role:approver"},
		{"a deletion", url.Values{"tool": {"deleteSobjectRecord"}}, ">deny<"},
		{"no tool", url.Values{"tool": {""}}, "A user and a tool are needed"},
		{"no server", url.Values{"tool": {"soqlQuery"}, "server": {""}}, "Choose a server"},
		{"arguments twice", url.Values{"tool": {"soqlQuery"}, "arguments": {`{"q":"a","q":"b"}`}}, "without duplicate names"},
		{"an id of nothing", url.Values{"tool": {"soqlQuery"}, "user": {"001xx000003DGb1AAG"}}, "001xx000003DGb1AAG"},
	} {
		form := url.Values{"server": {"sobject-all"}, "user": {rep}, "arguments": {"{}"}}
		for name, value := range tt.with {
			form[name] = value
		}
		if after := d.act(b, page, "/console/policy/try", nil, form); after.Status != http.StatusOK || !strings.Contains(after.Body, tt.want) {
			t.Errorf("%s: status %d, no %q\n%s", tt.name, after.Status, tt.want, after.Body)
		}
	}
	if after := d.act(b, page, "/console/policy/try", nil, url.Values{"server": {"sobject-all"}, "user": {rep}, "tool": {"x"}, "arguments": {strings.Repeat(" ", 70<<10)}}); after.Status < 400 || after.Status >= 500 {
		t.Errorf("too long: status %d", after.Status)
	}
}

// A definition is read and decided about in the browser, exactly the one that was read.
func TestConsoleDecidesAboutADefinition(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	c := d.lookAround()
	b := d.member(companysim.DefaultUsers()[1])
	page := d.look(b, "/console/tools/sobject-all/soqlQuery")
	if after := d.act(b, page, "/decide", url.Values{"decision": {"reject"}}, url.Values{"digest": {"0000"}}); after.Status != http.StatusNotFound {
		t.Errorf("another digest: status %d", after.Status)
	}
	if after := d.act(b, page, "/decide", url.Values{"decision": {"reject"}}, nil); !strings.Contains(after.Body, "Rejected") {
		t.Errorf("rejecting: %s", after.Body)
	}
	eventually(t, plenty, "the tool is hidden", func() bool {
		r := c.call("soqlQuery", map[string]any{"q": "SELECT Name FROM Account LIMIT 1"})
		return r.Error != nil || r.Result.IsError
	})
	page = d.look(b, "/console/tools/sobject-all/soqlQuery")
	d.act(b, page, "/decide", url.Values{"decision": {"accept"}}, nil)
	if log := d.must("audit", "list", "--action", "definition.", "--json"); strings.Count(log, "00u-security") < 2 {
		t.Errorf("the log: %s", log)
	}
}

// A browser that is signed out there is signed out with its next request.
func TestAD09ConsoleEndsSessions(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	users := companysim.DefaultUsers()
	other, b := d.member(users[2]), d.member(users[1])
	settings := d.look(b, "/console/settings")
	at := strings.Index(settings.Body, users[2].Name)
	id := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(settings.Body[at:])
	if id == nil {
		t.Fatal("no session of theirs")
	}
	d.act(b, settings, "/console/sessions/end", url.Values{"session": {id[1]}}, nil)
	if page := d.look(other, "/account"); !strings.Contains(page.Body, "Continue with your company") {
		t.Errorf("still signed in: %s", page.Body)
	}
}

// signInIn signs somebody in with the company, at the console.
func (d *companyDemo) signInIn(b *chrome, u companysim.User) view {
	b.open(d.PublicURL + "/signin/company?" + url.Values{"issuer": {d.provider.Issuer()}, "return_to": {"/console"}}.Encode())
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), u.Username), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), u.Password))
	return b.click(`button`)
}

// U14: the pages of the security team, with a person, an entry and a definition opened.
func TestU14PagesOfTheTeamAreAccessible(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startCompany(t)
	d.lookAround()
	d.must("review", "start", "--since", "1d", "--name", "spring")
	i := startAxe(t, startChrome(t))
	i.shows(d.signInIn(i.chrome, companysim.DefaultUsers()[1]), http.StatusOK, "Calls of the last")
	i.accessible("overview")
	for _, at := range [][2]string{
		{"/people", "rep@acme.example"}, {"/people/acme/" + salesforcesim.RepID, "Block"}, {"/connections?client=" + d.ClientID, "End all of these"}, {"/clients?id=" + d.ClientID, "Revoke this client"}, {"/incident", "the stop switch"}, {"/incident?person=rep@acme.example", "Contain"},
		{"/reviews", "Begin a review"}, {"/reviews/spring", "open and unused"}, {"/reviews/spring/sobject-all/acme/" + salesforcesim.RepID, "Seen and not used"},
		{"/tools", "Waiting for a person"}, {"/policy", "What is decided for a call?"}, {"/tools/sobject-all/soqlQuery", "Reject"}, {"/audit?client=" + d.ClientID, "More to search by"}, {"/audit/2", "Proof"}, {"/denials", "By person"}, {"/insights", "By who decided"}, {"/evidence", "What a pack can be of"}, {"/settings", "Who may use what here"},
	} {
		i.inspect("console"+at[0], d.PublicURL+"/console"+at[0], http.StatusOK, at[1])
	}
	i.inspect("console: no such person", d.PublicURL+"/console/people/acme/nobody", http.StatusNotFound, "Not found")
}
