package authproxy

import (
	"html"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"sfmcp-proxy/authproxy/audit"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// Every page that says what went wrong has a link to what works, and the request's id.
func TestU11EveryErrorLeadsOn(t *testing.T) {
	t.Parallel()
	f := start(t, change{beta: true})
	m := mux.NewRouter().SkipClean(true).UseEncodedPath()
	f.Register(m)
	ask := func(method, path, body string, headers ...string) reply {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, f.PublicURL+path, strings.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		m.ServeHTTP(w, r.WithContext(audit.WithOrigin(r.Context(), audit.Origin{RequestID: "req_test"})))
		return reply{w.Code, w.Header(), w.Body.String()}
	}
	// refused is the answer to a sign-in that ends at Salesforce as the query says.
	refused := func(answer url.Values) reply {
		b := f.browser(f.PublicURL + "/oauth/callback")
		location, err := b.LogIn(t.Context(), f.PublicURL+"/signin?org=acme&return_to=/approvals", sim.RepUsername, sim.RepPassword)
		if err != nil {
			t.Fatal(err)
		}
		back, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		answer.Set("state", back.Query().Get("state"))
		return ask("GET", "/oauth/callback?"+answer.Encode(), "", "Cookie", cookieHeader(b, f.PublicURL+"/oauth/callback"))
	}
	const again = "/signin?org=acme&return_to=%2Fapprovals"
	form := []string{"Content-Type", formType}
	for _, tt := range []struct {
		what   string
		got    reply
		status int
		link   string
	}{
		{"refused at Salesforce", refused(url.Values{"error": {"access_denied"}}), 403, again},
		{"Salesforce is down", refused(url.Values{"error": {"temporarily_unavailable"}}), 502, again},
		{"code of nobody", refused(url.Values{"code": {"x"}}), 403, again},
		{"no code", refused(url.Values{}), 502, again},
		{"unknown client", ask("GET", f.authorizePath("client_id", "x"), ""), 400, "/account"},
		{"another redirect URI", ask("GET", f.authorizePath("redirect_uri", "https://evil.example/"), ""), 400, "/account"},
		{"broken link", ask("GET", "/oauth/authorize?%zz", ""), 400, "/account"},
		{"in a frame", ask("GET", f.authorizePath(), "", "Sec-Fetch-Dest", "iframe"), 403, "/account"},
		{"unknown org", ask("GET", "/signin?org=x", ""), 400, "/signin"},
		{"stale sign-in form", ask("POST", "/signin", "org=acme&csrf_token=x", form...), 403, "/signin"},
		{"another site's form", ask("POST", "/oauth/consent", "request=x&decision=allow", append(form, "Origin", "https://evil.example")...), 403, "/account"},
		{"question is over", ask("POST", "/oauth/consent", "request=x&decision=allow", form...), 403, "/account"},
		{"no decision", ask("POST", "/oauth/consent", "request=x", form...), 400, "/account"},
		{"callback of nobody", ask("GET", "/oauth/callback?state=x&code=y", ""), 400, "/signin"},
		{"callback in another browser", func() reply {
			_, back := f.atCallback(t)
			return ask("GET", "/oauth/callback?"+back.RawQuery, "")
		}(), 403, "/signin"},
		{"another method", ask("POST", "/oauth/authorize", ""), 405, "/account"},
		{"another method of a form", ask("GET", "/oauth/consent", ""), 405, "/account"},
		{"stopped", func() reply {
			if err := f.Access.SetStop(t.Context(), "all", "test"); err != nil {
				t.Fatal(err)
			}
			defer f.Access.SetStop(t.Context(), "off", "test")
			return ask("GET", f.authorizePath(), "")
		}(), 503, f.authorizePath()},
		{"our fault", func() reply {
			if _, err := f.db.Writes.Exec("ALTER TABLE authorization_requests RENAME TO gone"); err != nil {
				t.Fatal(err)
			}
			return ask("GET", "/signin?org=acme", "")
		}(), 500, "/signin?org=acme"},
	} {
		if tt.got.status != tt.status {
			t.Errorf("%s: %d, want %d", tt.what, tt.got.status, tt.status)
		}
		_, content, _ := strings.Cut(tt.got.body, "<main")
		if content = html.UnescapeString(content); !strings.Contains(content, `href="`+tt.link+`"`) || !strings.Contains(content, `href="/account"`) {
			t.Errorf("%s: no link to %s or the account: %s", tt.what, tt.link, content)
		}
		if !strings.Contains(content, "<code>req_test</code>") || tt.got.header.Get("Location") != "" {
			t.Errorf("%s: no request id: %s", tt.what, content)
		}
	}
}
