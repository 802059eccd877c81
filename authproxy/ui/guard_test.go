package ui

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const formType = "application/x-www-form-urlencoded"

// guarded sends a form to a guard of https://mcp.example.com and returns the fields.
func guarded(t *testing.T, method, target, body string, header map[string]string) (url.Values, error) {
	t.Helper()
	g, err := NewGuard("https://mcp.example.com")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return g.Form(httptest.NewRecorder(), r)
}

func TestGuardAcceptsOurForms(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]map[string]string{
		"browser under no-referrer":   {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
		"browser":                     {"Origin": "https://mcp.example.com", "Sec-Fetch-Site": "same-origin"},
		"older browser":               {"Origin": "https://mcp.example.com"},
		"no browser":                  {},
		"charset":                     {"Content-Type": formType + "; charset=UTF-8"},
		"proxy changed the Host name": {"Origin": "https://mcp.example.com", "Host": "10.0.0.1"},
	} {
		form, err := guarded(t, "POST", "https://mcp.example.com/x?decision=query", "decision=approve", header)
		if err != nil || form.Get("decision") != "approve" {
			t.Errorf("%s: %v, %v", name, form, err)
		}
	}
}

func TestUI06AP08ForgedForms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, body string
		header       map[string]string
		want         int
	}{
		"GET":                     {method: "GET", want: 405},
		"HEAD":                    {method: "HEAD", want: 405},
		"PUT":                     {method: "PUT", want: 405},
		"Origin null":             {header: map[string]string{"Origin": "null"}, want: 403},
		"sandboxed frame":         {header: map[string]string{"Origin": "null", "Sec-Fetch-Site": "cross-site"}, want: 403},
		"null from nowhere":       {header: map[string]string{"Origin": "null", "Sec-Fetch-Site": "none"}, want: 403},
		"evil origin":             {header: map[string]string{"Origin": "https://evil.example"}, want: 403},
		"other scheme":            {header: map[string]string{"Origin": "http://evil.mcp.example.com"}, want: 403},
		"name as a prefix":        {header: map[string]string{"Origin": "https://mcp.example.com.evil.example"}, want: 403},
		"cross-site":              {header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		"sibling domain":          {header: map[string]string{"Origin": "https://wiki.example.com", "Sec-Fetch-Site": "same-site"}, want: 403},
		"same-site, no origin":    {header: map[string]string{"Sec-Fetch-Site": "same-site"}, want: 403},
		"text/plain":              {header: map[string]string{"Content-Type": "text/plain"}, body: `{"decision":"approve"}`, want: 403},
		"JSON":                    {header: map[string]string{"Content-Type": "application/json"}, body: `{"decision":"approve"}`, want: 403},
		"multipart":               {header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, want: 403},
		"no type":                 {header: map[string]string{"Content-Type": ""}, want: 403},
		"repeated field":          {body: "decision=deny&decision=approve", want: 400},
		"broken escape":           {body: "decision=%zz", want: 400},
		"huge":                    {body: "a=" + strings.Repeat("a", maxFormBytes), want: 413},
		"method override, no way": {method: "GET", header: map[string]string{"X-HTTP-Method-Override": "POST"}, want: 405},
	} {
		method, body := tt.method, tt.body
		if method == "" {
			method = "POST"
		}
		if body == "" {
			body = "decision=approve"
		}
		form, err := guarded(t, method, "https://mcp.example.com/x", body, tt.header)
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok || refusal.Status != tt.want || form != nil {
			t.Errorf("%s: form %v, error %v; want a refusal with %d", name, form, err, tt.want)
		}
	}
}

func TestFormToken(t *testing.T) {
	t.Parallel()
	a, b := newSecret(), newSecret()
	if err := CheckToken(FormToken(a), a); err != nil {
		t.Errorf("own token: %v", err)
	}
	for name, got := range map[string]string{"other browser": FormToken(b), "none": "", "the cookie itself": a, "prefix": FormToken(a)[:42], "longer": FormToken(a) + "A"} {
		if err := CheckToken(got, a); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if CheckToken(FormToken(""), "") == nil {
		t.Error("a browser without a cookie has a token")
	}
}

func TestNewGuardRefusesABrokenURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "mcp.example.com", "https://", "://x", "https://a b", "http://127.0.0.1:8080/base/"} {
		if _, err := NewGuard(bad); err == nil {
			t.Errorf("NewGuard(%q) works", bad)
		}
	}
	if _, err := NewGuard("http://127.0.0.1:8080"); err != nil {
		t.Error(err)
	}
}

func TestUI11OpenRedirect(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"/", "/account", "/approvals/apr_abc-DEF_1", "/approvals/?x=1", "/approvals?from=a%20b&x=/y"} {
		if got := SafeReturnTo(good); got != good {
			t.Errorf("SafeReturnTo(%q) = %q", good, got)
		}
	}
	if got := SafeReturnTo("/approvals#x"); got != "/approvals" {
		t.Errorf("the fragment stays: %q", got)
	}
	for _, evil := range []string{
		"", "account", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "/%09/evil.example", "/\t/evil.example", "/\n/evil.example",
		"/%0a/evil.example", "/%0d%0aSet-Cookie:x", "/%2f%2fevil.example", "/%2fevil.example", "/%5cevil.example", "/%5c%5cevil.example", "https:evil.example", "https:/evil.example",
		"https://evil.example", "https:///evil.example", "javascript:alert(1)", "data:text/html,x", "//evil.example/..", "/..//evil.example", "/x/..//evil.example", "/./evil.example",
		"/account/../../x", "/a//evil.example", "/%2e%2e/evil.example", "/%252f%252fevil.example", "/%25%32%66evil.example", "/ /evil.example", " /account", "/account ", "/ａ", "/\u202eevil",
		"/@evil.example:80/\\", "/x?a=%0d%0aSet-Cookie:x", "/x?a=%zz", "/x%zz", "/x:y", "?return=//evil.example", "#x", "/\x00", "http:account", "/.evil.example/../", "mailto:x@evil.example",
		"/" + strings.Repeat("a", 2048), "/" + strings.Repeat("}", 700),
	} {
		if got := SafeReturnTo(evil); got != Home {
			t.Errorf("SafeReturnTo(%q) = %q", evil, got)
		}
	}
}

func FuzzSafeReturnTo(f *testing.F) {
	f.Add("/account")
	f.Add("/%2f%2fevil.example")
	f.Fuzz(func(t *testing.T, target string) {
		got := SafeReturnTo(target)
		base, _ := url.Parse("https://mcp.example.com/signin")
		u, err := base.Parse(got)
		if err != nil || u.Host != "mcp.example.com" || u.Scheme != "https" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") {
			t.Fatalf("SafeReturnTo(%q) = %q leads to %v", target, got, u)
		}
		if again := SafeReturnTo(got); again != got {
			t.Fatalf("SafeReturnTo is not stable: %q, then %q", got, again)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest("GET", "/signin", nil), got, http.StatusSeeOther)
		if location := w.Header().Get("Location"); !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") {
			t.Fatalf("SafeReturnTo(%q): Location %q", target, location)
		}
	})
}
