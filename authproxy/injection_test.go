package authproxy

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/access"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// injections are texts that would become more than text where something is not escaped.
var injections = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`, `</title><svg onload=alert(1)>`, `</textarea><script>`,
	`<!--`, `-->`, `]]>`, `{{.Viewer.CSRF}}`, `{{7*7}}`, "${alert(1)}", "`${alert(1)}`", `javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`,
	`0;url=https://evil.example`, `<meta http-equiv=refresh content="0;url=//evil.example">`, `<base href=//evil.example>`, `</form><form action=//evil.example>`,
	`\u003cscript\u003e`, `&lt;script&gt;`, `&#60;script>`, `<a href="jav&#x09;ascript:alert(1)">`, `//evil.example/`, "a\r\nSet-Cookie: x=y",
}

// pagesSaying asks for every page that text of somebody else gets into, in every place where
// it can stand.
func (f *fixture) pagesSaying(t *testing.T, text string) map[string]reply {
	t.Helper()
	name, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) reply { return f.send(t, "GET", path, "") }
	registered := f.registered(t, `{"redirect_uris":["`+testRedirect+`"],"client_name":`+string(name)+`}`)
	q := url.Values{"state": {text}, "code": {text}, "error": {text}, "error_description": {text}}
	pages := map[string]reply{
		"a client's name":       get(f.authorizePath("client_id", registered)),
		"scope, state and more": get(f.authorizePath("scope", text, "state", text, "login_hint", text, "prompt", text, "nonce", text, "ui_locales", text)),
		"client_id":             get(f.authorizePath("client_id", text)),
		"redirect_uri":          get(f.authorizePath("redirect_uri", text)),
		"callback":              get("/oauth/callback?" + q.Encode()),
		"consent":               f.post(t, "/oauth/consent", url.Values{"request": {text}, "decision": {"allow"}, "csrf": {text}}),
		"no decision":           f.post(t, "/oauth/consent", url.Values{"request": {text}, "decision": {text}}),
		"sign-in":               f.post(t, "/signin", url.Values{"org": {text}, "return": {text}}),
		"sign-in page":          get("/signin?" + url.Values{"return": {text}, "org": {text}, "error": {text}}.Encode()),
		"sign-out":              f.post(t, "/signout", url.Values{"return": {text}, "csrf": {text}}),
	}
	if !strings.ContainsAny(text, "\r\n") {
		pages["program"] = f.send(t, "GET", f.authorizePath("client_id", "nobody"), "", "User-Agent", text, "Referer", text, "Accept-Language", text)
	}
	// What Salesforce says went wrong, in a sign-in that a person began.
	b := f.browser(f.PublicURL + "/oauth/callback")
	location, err := b.LogIn(t.Context(), f.PublicURL+"/signin?org=acme", sim.RepUsername, sim.RepPassword)
	if err == nil {
		back, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		pages["Salesforce's error"] = f.callbackWith(t, b, url.Values{"state": back.Query()["state"], "error": {"access_denied"}, "error_description": {text}})
	}
	return pages
}

// markup is what a document is made of: with the same counts, text added no element, no
// attribute and no end of one.
func markup(document string) map[string]int {
	return map[string]int{"<": strings.Count(document, "<"), ">": strings.Count(document, ">"), `"`: strings.Count(document, `"`), "'": strings.Count(document, "'")}
}

// UI-10: whatever text comes in, by whatever way, every page keeps exactly the markup that
// it has with a harmless word, and runs nothing; what is shown is shown as it was sent.
func TestUI10Injection(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	harmless := f.pagesSaying(t, "harmless")
	for _, text := range injections {
		for name, r := range f.pagesSaying(t, text) {
			if r.status == http.StatusFound && strings.HasPrefix(r.header.Get("Location"), testRedirect+"?error=invalid_request") {
				continue // refused, and no page: a state with line ends
			}
			if diff := cmp.Diff(markup(harmless[name].body), markup(r.body)); diff != "" || r.status != harmless[name].status {
				t.Errorf("%s: %q changed the page (%d, was %d): %s", name, text, r.status, harmless[name].status, diff)
			}
			if policy := r.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: %q: policy %q", name, text, policy)
			}
			for _, cookie := range r.header.Values("Set-Cookie") {
				if strings.HasPrefix(cookie, "x=") {
					t.Errorf("%s: %q set a cookie", name, text)
				}
			}
		}
	}
	if len(harmless) < 12 || !strings.Contains(harmless["a client's name"].body, "harmless") {
		t.Errorf("%d pages; the name is shown: %t", len(harmless), strings.Contains(harmless["a client's name"].body, "harmless"))
	}
	for _, text := range injections[:8] {
		id := f.registered(t, string(must(json.Marshal(map[string]any{"redirect_uris": []string{testRedirect}, "client_name": text}))))
		if body := f.send(t, "GET", f.authorizePath("client_id", id), "").body; !strings.Contains(html.UnescapeString(body), text) {
			t.Errorf("a client is not called %q", text)
		}
	}
}

// UI-10: titles and descriptions of the configuration, and what a client is told in
// error_description, are text as well.
func TestUI10ErrorDescriptions(t *testing.T) {
	t.Parallel()
	f := start(t, change{access: func(c *access.Config) { c.Servers[0].Title, c.Servers[0].Description = hostileName, hostileName }})
	if body := f.send(t, "GET", f.authorizePath(), "").body; strings.Contains(body, "<script") || !strings.Contains(body, html.EscapeString(hostileName)) {
		t.Errorf("a server's title:\n%s", body)
	}
	for _, text := range injections {
		r := f.send(t, "GET", f.authorizePath("response_type", text, "scope", text, "state", text), "")
		q := r.location(t).Query()
		if r.status != http.StatusFound && r.status != http.StatusSeeOther && r.status != http.StatusOK {
			t.Errorf("%q: %d", text, r.status)
		}
		if d := q.Get("error_description"); strings.ContainsAny(d, "<>\"'\\&") || strings.Contains(d, "evil") || strings.Contains(d, "javascript") {
			t.Errorf("%q: error_description %q", text, d)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
