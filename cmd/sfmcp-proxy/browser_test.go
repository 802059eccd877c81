package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
)

// The tests of this file share one Chromium and run side by side: each has cookies and
// a product of its own.

// The buttons of contract.md.
const (
	allowButton      = `button[name="decision"][value="allow"]`
	approveButton    = `button[name="decision"][value="approve"]`
	denyButton       = `button[name="decision"][value="deny"]`
	disconnectButton = `form[action="/account/disconnect"] button`
	signOutButton    = `form[action="/signout"] button`
)

// logIn fills the login form of Salesforce, on which the window is.
func (b *chrome) logIn(d *demo, username string) view {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), username),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), d.password(username)))
	return b.click(`form button`)
}

// loopbackClient is an MCP client on the person's computer, as its browser sees it: a
// listener on a loopback port.
type loopbackClient struct {
	redirectURI string
	host        string
	verifier    string
	answers     chan url.Values
}

func startLoopbackClient(t *testing.T) *loopbackClient {
	p := &loopbackClient{verifier: seal.Secret(""), answers: make(chan url.Values, 4)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		p.answers <- r.URL.Query()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>Client</title><link rel="icon" href="data:,"><p>You can close this window.`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.host = strings.TrimPrefix(server.URL, "http://")
	p.redirectURI = server.URL + "/callback"
	return p
}

// link is where the client sends the person.
func (p *loopbackClient) link(d *demo, server string) string {
	sum := sha256.Sum256([]byte(p.verifier))
	return d.PublicURL + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {d.ClientID}, "redirect_uri": {p.redirectURI}, "state": {"s t&te"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "resource": {d.MCPURLs[server]},
	}.Encode()
}

// answer is what the client's callback was given.
func (p *loopbackClient) answer(t *testing.T, d *demo) url.Values {
	t.Helper()
	select {
	case q := <-p.answers:
		if q.Get("state") != "s t&te" || q.Get("iss") != d.PublicURL {
			t.Errorf("the callback got %v", q)
		}
		return q
	default: // its page has been shown, so it was there already
		t.Fatal("the client's callback got nothing")
		return nil
	}
}

// connectIn walks a person who is nowhere signed in from the client's link back to the
// client, and opens an MCP session with what it got.
func (d *demo) connectIn(b *chrome, server, username string) *mcpClient {
	d.t.Helper()
	p := startLoopbackClient(d.t)
	consent := b.open(p.link(d, server))
	b.shows(consent, http.StatusOK, "Demo client", d.ClientID, server, "acme", p.host, strings.TrimPrefix(d.SalesforceURL, "http://"))
	login := b.click(allowButton)
	b.shows(login, http.StatusOK, "Simulated Salesforce", "Log In")
	approval := b.logIn(d, username)
	b.shows(approval, http.StatusOK, "Allow Access?", username)
	b.shows(b.click(allowButton), http.StatusOK, "You can close this window.")
	code := p.answer(d.t, d).Get("code")
	c := &mcpClient{d: d, url: d.MCPURLs[server]}
	c.token(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.redirectURI},
		"client_id": {d.ClientID}, "code_verifier": {p.verifier}, "resource": {c.url}})
	c.initialize()
	return c
}

// A person connects a client and approves a call of it, all in one browser.
func TestBrowserSignInAndApproval(t *testing.T) {
	t.Parallel()
	b := startChrome(t)
	d := startDemo(t)
	c := d.connectIn(b, "sobject-all", rep)

	const name = "<b>x</b> & \u202egnp.exe"
	arguments := map[string]any{"sobject-name": "Account", "body": map[string]any{
		"Name": name, "Description": `<script>document.title="owned"</script>`, "NumberOfEmployees": 70,
	}}
	link := d.approvalURL(c.call("createSobjectRecord", arguments))
	before := len(b.askedSince(0))
	v := b.open(link)
	if asked := b.askedSince(before); len(asked) != 1 {
		t.Errorf("the person had to go to %q, the browser is signed in", asked)
	}
	b.shows(v, http.StatusOK, "createSobjectRecord", "sobject-name", "Account", "Name", "<b>x</b> & ⟨U+202E⟩gnp.exe",
		"Description", `<script>document.title="owned"</script>`, "NumberOfEmployees", "70", rep, "Demo client", "acme", "creates records")
	if strings.ContainsRune(v.Text, '\u202e') || v.Title == "owned" || ask[int](b, `document.querySelectorAll("main b, script").length`) != 0 {
		t.Errorf("an argument is more than text on %q:\n%s", v.Title, v.Text)
	}

	v = b.click(approveButton)
	b.shows(v, http.StatusOK, "Approved", "ask the assistant to repeat the call")
	if v.URL != link || ask[int](b, `document.querySelectorAll("main button").length`) != 0 {
		t.Errorf("after the decision the window is at %s, with buttons:\n%s", v.URL, v.Text)
	}
	if n := d.named("Account", name); n != 0 {
		t.Errorf("%d records by the click alone", n)
	}
	if r := c.call("createSobjectRecord", arguments); r.Result.IsError {
		t.Errorf("the approved retry: %s", r.body)
	}
	c.call("createSobjectRecord", arguments)
	if n := d.named("Account", name); n != 1 {
		t.Errorf("%d records after two retries", n)
	}
	b.shows(b.open(link), http.StatusOK, "Done")
}

// Deny on the consent page tells the client so, and Salesforce never hears of it.
func TestBrowserDeny(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	p := startLoopbackClient(t)
	b.open(p.link(d, "sobject-reads"))
	b.shows(b.click(denyButton), http.StatusOK, "You can close this window.")
	if q := p.answer(t, d); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("the callback got %v", q)
	}
	for _, address := range b.askedSince(0) {
		if strings.HasPrefix(address, d.SalesforceURL) {
			t.Errorf("the browser went to %s", address)
		}
	}
}

// The account page disconnects at once (UI-16), and a browser that signed out shows
// nothing, not even by its back button (UI-18).
func TestBrowserAccount(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	c := d.connectIn(b, "sobject-reads", rep)
	b.shows(b.open(d.PublicURL+"/account"), http.StatusOK, rep, "Demo client", "Sales, read only", "Disconnect")

	v := b.click(disconnectButton)
	b.shows(v, http.StatusOK, "disconnected", "No assistant is connected")
	if r := c.send("tools/list", map[string]any{}); r.Status != http.StatusUnauthorized {
		t.Errorf("after Disconnect: %d %s", r.Status, r.body)
	}
	b.shows(b.click(signOutButton), http.StatusOK, "You are signed out")

	b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) { // signed out of Salesforce, too
		return chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: "salesforcesim_sid_acme", URL: d.SalesforceURL})
	})
	b.back(d.PublicURL + "/signout")
	if v := b.look(); !strings.HasPrefix(v.URL, d.SalesforceURL) || strings.Contains(v.Text, rep) {
		t.Errorf("the back button shows %s:\n%s", v.URL, v.Text)
	}
}

// An approval link opened in a browser that is not signed in leads straight to
// Salesforce's login, and from there to the approval.
func TestBrowserApprovalLinkWhenNotSignedIn(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	link := d.approvalURL(c.call("createSobjectRecord", account("Elsewhere Ltd")))

	v := b.open(link)
	if b.shows(v, http.StatusOK, "Log In"); !strings.HasPrefix(v.URL, d.SalesforceURL) {
		t.Fatalf("the link leads to %s", v.URL)
	}
	if v = b.logIn(d, rep); v.URL != link {
		t.Fatalf("the login leads to %s:\n%s", v.URL, v.Text)
	}
	b.shows(v, http.StatusOK, "Elsewhere Ltd")
	b.shows(b.click(denyButton), http.StatusOK, "Denied", "The call will not be made")
	if r := c.call("createSobjectRecord", account("Elsewhere Ltd")); !r.Result.IsError || d.named("Account", "Elsewhere Ltd") != 0 {
		t.Errorf("after Deny: %s", r.body)
	}
}

// Every page fits a phone in both colour schemes, and no page asks for what its own
// content policy refuses (startChrome fails the test for that).
func TestBrowserPagesFitAndAreSilent(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	p := startLoopbackClient(t)
	c := d.connectIn(b, "sobject-all", rep)
	long := strings.Repeat("W", 200)
	link := d.approvalURL(c.call("createSobjectRecord", map[string]any{"sobject-name": "Account",
		"body": map[string]any{"Name": long, "Description": "two\nlines"}}))
	for address, status := range map[string]int{
		d.PublicURL + "/": 200, d.PublicURL + "/connect/sobject-all": 200, d.PublicURL + "/connect/nothing": 404, d.PublicURL + "/account": 200, d.PublicURL + "/approvals": 200, link: 200,
		d.PublicURL + "/nothing": 404, d.PublicURL + "/approvals/apr_none": 404,
		d.PublicURL + "/oauth/authorize?client_id=nobody": 400, d.PublicURL + "/oauth/callback?state=x": 400,
		p.link(d, "acme-ops"): 200,
	} {
		b.shows(b.open(address), status)
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 1280} {
				b.do(chromedp.EmulateViewport(width, 800), colourScheme(scheme))
				if wide := ask[int64](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide on a screen of %d", address, wide, width)
				}
				if dark := ask[bool](b, `getComputedStyle(document.body).backgroundColor.match(/\d+/)[0] < 128`); dark != (scheme == "dark") {
					t.Errorf("%s is dark: %v, in the scheme %s", address, dark, scheme)
				}
			}
		}
	}
}

// cut is what of a table does not fit beside the edge of the screen and is only seen by who moves it sideways;
// "": all fits.
func (b *chrome) cut() string {
	b.t.Helper()
	return ask[string](b, `[...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent.slice(0, 200)).join("; ")`)
}

// One click on a value of the connect page selects all of it and nothing else, and the
// printed address of that page is right.
func TestBrowserConnectValuesAreSelectedWhole(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	var printed strings.Builder
	if err := d.Announce(&printed, false); err != nil {
		t.Fatal(err)
	}
	address := d.PublicURL + "/connect/sobject-all"
	if !strings.Contains(printed.String(), address) {
		t.Errorf("the demo does not announce %s:\n%s", address, printed.String())
	}
	b.shows(b.open(address), http.StatusOK, "Sales, with approved writes", "Claude Code", "Not set up yet", "ChatGPT")
	for selector, want := range map[string]string{
		"dd code.copy":                      d.MCPURLs["sobject-all"],
		"li:nth-of-type(1) > pre.copy":      "claude mcp add --transport http --client-id demo sobject-all " + d.MCPURLs["sobject-all"],
		"section:nth-of-type(3) .copy":      "{\n  \"mcpServers\": {\n    \"sobject-all\": {\n      \"url\": \"" + d.MCPURLs["sobject-all"] + "\",\n      \"auth\": {\n        \"CLIENT_ID\": \"demo\"\n      }\n    }\n  }\n}",
		"[aria-labelledby=postman] > .copy": "  - id: postman\n    name: Postman\n    redirect_uris:\n      - https://oauth.pstmn.io/v1/callback",
	} {
		b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
		if got := ask[string](b, "getSelection().toString()"); got != want {
			t.Errorf("a click on %s selects %q, want %q", selector, got, want)
		}
	}
}

// The complaints that the other tests rely on do arrive.
func TestBrowserComplaintsAreSeen(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
		case "/favicon.ico": // the browser asks for it when it likes, perhaps after the test
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src 'self'")
		fmt.Fprint(w, `<!doctype html><title>x</title><style>p{color:red}</style><img src="/missing.png"><p>x`)
	}))
	t.Cleanup(server.Close)
	b.open(server.URL)
	for _, want := range []string{"Content Security Policy", "/missing.png"} {
		eventually(t, browserLimit, "a complaint about "+want, func() bool {
			return slices.ContainsFunc(b.complained(), func(c string) bool { return strings.Contains(c, want) })
		})
	}
	b.mu.Lock()
	b.complaints = nil // they were meant
	b.mu.Unlock()
}

// A client on the web opens the authorization in a window of its own and waits for
// its end, as ChatGPT does; a window that is cut off from its opener looks closed.
func TestBrowserWindowKeepsItsOpener(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	p := startLoopbackClient(t)
	const opener = `<!doctype html><title>Client</title><link rel="icon" href="data:,">
<button>Connect</button>
<script>document.querySelector("button").onclick = () => { w = open(%q, "authorization", "width=800,height=900") }</script>`
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, opener, p.link(d, "sobject-reads"))
	}))
	t.Cleanup(site.Close)
	b.open(site.URL)
	b.do(chromedp.Click(chromedp.CSS("button")))
	window := b.opened(p.link(d, "sobject-reads"))
	if ask[bool](b, "w.closed") {
		t.Error("the consent page is cut off from the client's window")
	}
	window.click(allowButton)
	window.logIn(d, rep)
	window.shows(window.click(allowButton), http.StatusOK, "You can close this window.")
	p.answer(t, d)
	if !ask[bool](window, "opener !== null") || ask[bool](b, "w.closed") {
		t.Error("the client's callback is cut off from its window")
	}
}
