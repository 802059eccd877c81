package console

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/client"
)

// Every page that says what went wrong has a link to what works, and the request's id.
func TestU11EveryErrorLeadsOn(t *testing.T) {
	t.Parallel()
	s := newSiteWith(t, "https://mcp.example.com", client.Config{}, client.Client{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{"https://chatgpt.com/cb"}})
	alice, blocked := s.signIn("acme", "005A"), s.signIn("acme", "005X")
	waiting := alice.ask(`{"a":1}`, "requester")
	elsewhere := alice.ask(`{"a":2}`, "role:approver")
	if _, err := s.grants.BlockUser(t.Context(), "acme", "005X", "test"); err != nil {
		t.Fatal(err)
	}
	call := "/approvals/" + waiting.ID
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, tt := range []struct {
		what   string
		got    answer
		status int
		links  []string
	}{
		{"no such call", alice.get("/approvals/apr_x"), 404, []string{"/approvals", "/account"}},
		{"no such connection", alice.post("/account/disconnect", url.Values{"grant": {"grt_x"}}), 404, []string{"/account"}},
		{"no such server", alice.get("/connect/nothing"), 404, []string{"/account"}},
		{"no such server, nobody", s.send("GET", "/connect/nothing", "", nil), 404, []string{"/account"}},
		{"blocked", blocked.get("/account"), 403, []string{"/signin"}},
		{"blocked, start page", blocked.get("/"), 403, []string{"/signin"}},
		{"signed out", s.send("POST", call, "decision=approve", form), 401, []string{"/signin?org=acme&return_to=" + url.QueryEscape(call)}},
		{"no decision", alice.post(call, url.Values{}), 400, []string{call, "/approvals", "/account"}},
		{"somebody else decides", alice.post("/approvals/"+elsewhere.ID, url.Values{"decision": {"approve"}}), 403, []string{"/approvals", "/account"}},
		{"stale form", alice.postRaw(call, "decision=approve&csrf_token=old", nil), 403, []string{call, "/account"}},
		{"another site's form", alice.postRaw(call, "decision=approve", http.Header{"Origin": {"https://evil.example"}}), 403, []string{call, "/account"}},
		{"stale form to disconnect", alice.postRaw("/account/disconnect", "grant=x&csrf_token=old", nil), 403, []string{"/account"}},
		{"our fault", func() answer {
			if _, err := s.db.Writes.Exec("ALTER TABLE approvals RENAME TO gone"); err != nil {
				t.Fatal(err)
			}
			return alice.get(call)
		}(), 500, []string{call, "/account"}},
	} {
		if tt.got.status != tt.status {
			t.Errorf("%s: %d, want %d", tt.what, tt.got.status, tt.status)
		}
		_, content, _ := strings.Cut(tt.got.body, "<main")
		for _, link := range tt.links {
			if !strings.Contains(html.UnescapeString(content), `href="`+link+`"`) {
				t.Errorf("%s: no link to %s: %s", tt.what, link, content)
			}
		}
		if !strings.Contains(content, "<code>req_test</code>") {
			t.Errorf("%s: no request id: %s", tt.what, content)
		}
	}
}
