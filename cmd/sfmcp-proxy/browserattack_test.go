package main

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// meet signs a window in with the company, and leads it to a path.
func (d *companyDemo) meet(u companysim.User, to string) (*chrome, view) {
	d.t.Helper()
	b := startChrome(d.t)
	b.foreign = true // attacks make it complain
	b.open(d.wayIn(to, ""))
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), u.Username), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), u.Password))
	return b, b.click("form button")
}

// Attacks on pages, each under its id, in a real browser: what a browser itself adds, fetches ahead,
// frames, lays out and keeps is part of each. Where a row has nothing that a browser does otherwise
// than a program, its test is beside what it tests.
func TestBrowserAttacksOnPages(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startCompanyWith(t, `approvers: "role:approver", step_up: true`)
	c := d.authorize(d.browser(), "sobject-all", rep)
	c.initialize()
	users := companysim.DefaultUsers()
	held := func(name string) (link, id string) {
		t.Helper()
		link = d.approvalURL(c.call("createSobjectRecord", account(name)))
		return link, path.Base(link)
	}
	waits := func(t *testing.T, id string) {
		t.Helper()
		if out := d.must("approval", "show", id); !strings.Contains(out, "pending") {
			t.Errorf("it does not wait any more: %s", out)
		}
	}
	link, id := held("Browser Ltd")
	approver, page := d.meet(users[0], strings.TrimPrefix(link, d.PublicURL))
	stranger, hidden := d.meet(users[1], strings.TrimPrefix(link, d.PublicURL))

	// Somebody else's page, in the browser of the approver who is signed in.
	const foreignPage = `<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,"><link rel="prefetch" href="%[1]s?decision=approve"><link rel="prerender" href="%[1]s">
<script type="speculationrules">{"prerender": [{"source": "list", "urls": ["%[1]s"]}]}</script>
<img src="%[1]s?decision=approve"><iframe id="frame" src="%[1]s"></iframe>
<form method="post" action="%[1]s"><input name="decision" value="approve"><button id="decide">Win</button></form>
<form method="post" action="%[2]s/console/stop" enctype="text/plain"><input name="mode" value="all"><button id="stop">Win</button></form>`
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, foreignPage, html.EscapeString(link), html.EscapeString(d.PublicURL))
	}))
	t.Cleanup(elsewhere.Close)

	attack := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			approver.t, stranger.t = t, t
			f(t)
		})
	}
	attack("AP05AP06 whoever may not decide sees nothing", func(t *testing.T) {
		stranger.shows(hidden, http.StatusNotFound)
		if strings.Contains(hidden.Text, "Browser Ltd") {
			t.Errorf("the page of somebody without the role:\n%s", hidden.Text)
		}
	})
	attack("AP09 the page says who asks", func(t *testing.T) {
		approver.shows(page, http.StatusOK, rep, "Demo client", "acme", "createSobjectRecord", "Browser Ltd")
	})
	attack("AP07 links that are fetched ahead decide nothing", func(t *testing.T) {
		approver.open(elsewhere.URL)
		waits(t, id)
	})
	attack("AP08 another site can neither frame the page nor send its form", func(t *testing.T) {
		if framed := ask[bool](approver, `(() => { try { return document.querySelector("#frame").contentDocument.body.innerText.includes("Approve") } catch { return false } })()`); framed {
			t.Error("the page is shown in a frame of another site")
		}
		after := approver.click("#decide")
		if after.Status != http.StatusForbidden {
			t.Errorf("a form of another site: status %d\n%s", after.Status, after.Text)
		}
		waits(t, id)
	})
	attack("AD05 nor a form of the console", func(t *testing.T) {
		stranger.open(elsewhere.URL)
		if after := stranger.click("#stop"); after.Status != http.StatusForbidden {
			t.Errorf("status %d\n%s", after.Status, after.Text)
		}
		if r := c.send("tools/call", userInfo); r.Result.IsError {
			t.Errorf("calls are stopped: %s", r.body)
		}
	})
	attack("AP10 what an assistant writes cannot move or imitate the page", func(t *testing.T) {
		forged := map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": "Forged", "Description": strings.Repeat("\n", 10000) + "<button name=decision value=approve>APPROVED BY SECURITY</button>\u202e[a](https://evil.example)"}}
		approver.do(chromedp.EmulateViewport(390, 844))
		approver.shows(approver.open(d.approvalURL(c.call("createSobjectRecord", forged))), http.StatusOK, "Forged", "APPROVED BY SECURITY", "⟨U+202E⟩")
		if n := ask[int](approver, `document.querySelectorAll("main script, main img, button[value=approve], main a[href*=evil]").length`); n != 1 {
			t.Errorf("%d buttons, scripts and links", n)
		}
		if !ask[bool](approver, `(() => { const r = document.querySelector("button[value=approve]").getBoundingClientRect(); return r.top > 0 && r.bottom <= innerHeight })()`) {
			t.Error("the decision is not on the screen")
		}
	})
	attack("AP19 an old sign-in is renewed before it counts", func(t *testing.T) {
		approver.open(link)
		approver.do(chromedp.Click(chromedp.CSS(approveButton), chromedp.NodeVisible)) // a page that goes on by itself
		eventually(t, browserLimit, "the company's sign-in", func() bool {
			ready, err := try[bool](approver, `location.href.startsWith("`+d.issuer+`") && document.readyState == "complete"`)
			return err == nil && ready
		})
		approver.do(chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), users[0].Username), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), users[0].Password))
		if v := approver.click("form button"); v.URL != link {
			t.Errorf("the fresh sign-in leads to %s:\n%s", v.URL, v.Text)
		}
		waits(t, id)
	})
	attack("AP11 a page that was left open decides nothing once it is over", func(t *testing.T) {
		approver.open(link)
		d.must("approval", "deny", id, "--as", "Sam")
		late := approver.click(approveButton)
		approver.shows(late, http.StatusGone, "came too late", "decided meanwhile by", "Sam", "Denied")
	})
	attack("AP14 no page offers to remember a decision", func(t *testing.T) {
		always, denied := held("Always Ltd")
		approver.shows(approver.open(always), http.StatusOK, "Approve this call?")
		fields := ask[string](approver, `[...document.querySelectorAll("form.bar input, form.bar button, form.bar select, form.bar textarea")].map(e => e.name + "=" + (e.tagName == "BUTTON" ? e.value : e.type)).join(" ")`)
		if fields != "csrf_token=hidden shown=hidden reason=text decision=deny decision=approve" {
			t.Errorf("the form has %s", fields)
		}
		approver.click(denyButton)
		// AP-13: the same again is answered by the denial, and asks nobody.
		if again := c.call("createSobjectRecord", account("Always Ltd")); !again.Result.IsError || !strings.Contains(again.text(), "denied") {
			t.Errorf("the same again: %s", again.body)
		}
		approver.open(d.PublicURL + "/approvals")
		if n := ask[int](approver, `[...document.querySelectorAll("a.line:has(.until)")].filter(a => a.href.endsWith("`+denied+`")).length`); n != 0 {
			t.Error("it waits again")
		}
	})
	attack("AP18AP22 an approver sees what became of a call, and no answer; and it is that call alone", func(t *testing.T) {
		status, _ := held("Status Ltd")
		_, other := held("Other Ltd")
		approver.open(status)
		approver.shows(approver.click(approveButton), http.StatusOK, "Approved")
		waits(t, other)
		made := c.call("createSobjectRecord", account("Status Ltd"))
		id := d.idOf("Account", "Status Ltd")
		if made.Result.IsError || id == "" || !strings.Contains(made.body, id) {
			t.Fatalf("the approved call: %s", made.body)
		}
		v := approver.open(status)
		if approver.shows(v, http.StatusOK, "Done"); strings.Contains(v.Text, id) {
			t.Errorf("the approver reads the answer:\n%s", v.Text)
		}
		stranger.shows(stranger.open(status), http.StatusNotFound)
	})
	attack("AD03 ids of others in the address", func(t *testing.T) {
		for _, path := range []string{"/console/people/acme/" + salesforcesim.RepID, "/console/audit/1", "/console/api/v1/people"} {
			if v := approver.open(d.PublicURL + path); v.Status == http.StatusOK || strings.Contains(v.Text, rep) {
				t.Errorf("%s: status %d\n%s", path, v.Status, v.Text)
			}
		}
	})
	attack("AD01 an answer of a sign-in that nobody began", func(t *testing.T) {
		fresh := startChrome(t)
		fresh.foreign = true
		v := fresh.open(d.PublicURL + "/oauth/company/callback?" + url.Values{"state": {"x"}, "code": {"y"}, "iss": {d.issuer}}.Encode())
		if v.Status < 400 || strings.Contains(v.Text, "Sign out") {
			t.Errorf("status %d\n%s", v.Status, v.Text)
		}
	})
	attack("AD04 a field more in a form raises nothing", func(t *testing.T) {
		more, _ := held("More Ltd")
		approver.open(more)
		ask[bool](approver, `(() => { for (const [n, v] of [["role", "security"], ["roles", "security"], ["Role", "admin"], ["csrf_token", "x"]]) {
			const i = document.createElement("input"); i.type = "hidden"; i.name = n; i.value = v; document.querySelector("form.bar").append(i) } return true })()`)
		approver.click(denyButton)
		approver.shows(approver.open(d.PublicURL+"/console"), http.StatusForbidden)
	})
	attack("AD14AD15AD17 the console shows no secret, takes searches as text, and changes no policy", func(t *testing.T) {
		settings := stranger.open(d.PublicURL + "/console/settings")
		if stranger.shows(settings, http.StatusOK, "(set)"); strings.Contains(settings.Text, companysim.ClientSecret) {
			t.Error("the settings show a secret")
		}
		for _, search := range []string{"' OR '1'='1", "x'; DROP TABLE grants; --", `%" UNION SELECT * FROM meta --`} {
			for _, path := range []string{"/console/audit?tool=", "/console/audit?text=", "/console/people?name=", "/console/connections?person="} {
				v := stranger.open(d.PublicURL + path + url.QueryEscape(search))
				if stranger.shows(v, http.StatusOK); strings.Contains(v.Text, rep) {
					t.Errorf("%s%s finds somebody:\n%s", path, search, v.Text)
				}
			}
		}
		stranger.shows(stranger.open(d.PublicURL+"/console/policy"), http.StatusOK)
		if forms := ask[string](stranger, `[...document.querySelectorAll("main form[method=post]")].map(f => new URL(f.action).pathname).join(" ")`); strings.Trim(strings.ReplaceAll(forms, "/console/policy/try", ""), " ") != "" {
			t.Errorf("forms of the policy page: %s", forms)
		}
	})
	attack("AD08AD16 nothing is set up or measured from the public address", func(t *testing.T) {
		for _, path := range []string{"/setup", "/admin", "/metrics", "/debug/pprof/", "/healthz"} {
			stranger.shows(stranger.open(d.PublicURL+path), http.StatusNotFound)
		}
	})
	attack("AD06 names are text in lists", func(t *testing.T) {
		approver.shows(approver.open(d.PublicURL+"/approvals"), http.StatusOK, "Forged")
		if n := ask[int](approver, `document.querySelectorAll("main script, main b, main img").length`); n != 0 {
			t.Errorf("%d elements that nobody of us wrote", n)
		}
	})
	attack("AD02 the console opens for its roles alone", func(t *testing.T) {
		approver.shows(approver.open(d.PublicURL+"/console"), http.StatusForbidden)
		stranger.shows(stranger.open(d.PublicURL+"/console"), http.StatusOK, "Stop everything")
	})
	attack("AP12 the connection ended while the page was open", func(t *testing.T) {
		ended, _ := held("Ended Ltd")
		approver.open(ended)
		d.must("user", "revoke", rep)
		approver.shows(approver.click(approveButton), http.StatusGone, "came too late", "its connection has ended")
	})
	attack("AD09 a session that was ended elsewhere shows nothing more", func(t *testing.T) {
		for _, found := range regexp.MustCompile(`"id":"([0-9a-f]+)"`).FindAllStringSubmatch(d.must("session", "list", "--json"), -1) {
			d.must("session", "end", found[1])
		}
		approver.shows(approver.open(d.PublicURL+"/approvals"), http.StatusOK, "Sign in")
	})
}
