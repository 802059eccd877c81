package ui

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled returns a copy of page with every text set to s, every list holding two
// such elements, every number 2 and every switch on.
func filled(page Page, s string) Page {
	v := reflect.New(reflect.TypeOf(page)).Elem()
	fill(v, s)
	return v.Interface().(Page)
}

func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(2)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), s)
		fill(v.Index(1), s)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "FormTargets" { // no text: a header, tested on its own
				fill(v.Field(i), s)
			}
		}
	}
}

func rendered(t *testing.T, page Page) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := (Site{}).Render(t.Context(), w, http.StatusOK, page); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

var xssCorpus = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`, `</title><svg onload=alert(1)>`,
	`</textarea><script>`, `<!--`, `-->`, `]]>`, `{{.Viewer.CSRF}}`, `{{7*7}}`, "${alert(1)}", "`${alert(1)}`", `javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`,
	`0;url=https://evil.example`, `<meta http-equiv=refresh content="0;url=//evil.example">`, `<base href=//evil.example>`, `<form action=//evil.example>`, `</form><form>`,
	`\u003cscript\u003e`, `&lt;script&gt;`, `&#60;script>`, "\x00<script>", "＜script＞", `<a href="jav&#x09;ascript:alert(1)">`, `//evil.example/`, `[click](javascript:alert(1))`, "a\r\nSet-Cookie: x=y",
}

// The corpus stands in every text of every page. Whatever it does, the document must
// keep exactly the markup that it has with a harmless letter.
func TestUI10ScriptInjection(t *testing.T) {
	t.Parallel()
	markup := func(html string) []int {
		return []int{strings.Count(html, "<"), strings.Count(html, ">"), strings.Count(html, `"`), strings.Count(html, "'")}
	}
	for _, page := range allPages {
		want := markup(rendered(t, filled(page, "x")))
		for _, attack := range xssCorpus {
			html := rendered(t, filled(page, attack))
			if diff := cmp.Diff(want, markup(html)); diff != "" {
				t.Errorf("%T: %q changed the markup: %s", page, attack, diff)
			}
			if strings.Contains(html, `href="javascript:`) || strings.Contains(html, `action="//`) {
				t.Errorf("%T: %q became a link", page, attack)
			}
			if strings.Contains(attack, "{{7*7}}") && !strings.Contains(html, "{{7*7}}") {
				t.Errorf("%T: %q was evaluated or lost", page, attack)
			}
		}
	}
}

func TestUI09EveryPageForbidsFraming(t *testing.T) {
	t.Parallel()
	for _, page := range allPages {
		w := httptest.NewRecorder()
		if err := (Site{}).Render(t.Context(), w, http.StatusForbidden, page); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name := range w.Header() {
			got[name] = w.Header().Get(name)
		}
		delete(got, "Content-Length")
		scripts := "" // one page has a script, from a file of ours, and no other may run any
		if _, ok := page.(ApprovalsPage); ok {
			scripts = "script-src 'self'; connect-src 'self'; "
		}
		want := map[string]string{
			"Content-Security-Policy":    "default-src 'none'; " + scripts + "style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Content-Type":               "text/html; charset=utf-8",
			"Cache-Control":              "no-store",
			"X-Frame-Options":            "DENY",
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Permissions-Policy":         permissions,
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusForbidden {
			t.Errorf("%T: status %d, headers (-want +got): %s", page, w.Code, diff)
		}
	}
}

func TestUI19HeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, https := range []bool{true, false} {
		w := httptest.NewRecorder()
		Headers(https, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/nothing", nil))
		h := w.Header()
		if w.Code != 404 || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != emptyPolicy {
			t.Errorf("https %v: %d %v", https, w.Code, h)
		}
		if got := h.Get("Strict-Transport-Security") != ""; got != https {
			t.Errorf("https %v: Strict-Transport-Security present: %v", https, got)
		}
	}
}

// A page whose window a client watches keeps its opener; every other is alone.
func TestKeepOpener(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		w := httptest.NewRecorder()
		Headers(true, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if keep {
				KeepOpener(w.Header())
			}
			if err := (Site{}).Render(t.Context(), w, http.StatusOK, MessagePage{Title: "x"}); err != nil {
				t.Error(err)
			}
		})).ServeHTTP(w, httptest.NewRequest("GET", "/oauth/authorize", nil))
		if got := w.Header().Get("Cross-Origin-Opener-Policy"); (got == "unsafe-none") != keep || (got == "same-origin") == keep {
			t.Errorf("keep %v: %s", keep, got)
		}
	}
}

func TestFormTargets(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"https://acme.my.salesforce.com/services/oauth2/authorize?x=y": "https://acme.my.salesforce.com",
		"http://127.0.0.1:33418/callback":                              "http://127.0.0.1:33418",
		"http://localhost:1/callback":                                  "http://localhost:1",
		"http://[::1]:1/callback":                                      "http:", // CSP cannot name IPv6 addresses
		"cursor://anysphere/oauth":                                     "cursor:",
		"com.example.app:/callback":                                    "com.example.app:",
		"https:":                                                       "https:",
		"javascript:alert(1)":                                          "",
		"data:text/html,x":                                             "",
		"https://a.example; script-src *":                              "",
		"https://*.example":                                            "",
		"https://a.example,b.example":                                  "",
		"//a.example":                                                  "",
		"https:///path":                                                "",
		"":                                                             "",
		"x y":                                                          "",
	} {
		got, err := formSource(target)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("formSource(%q) = %q, %v; want %q", target, got, err, want)
		}
	}
	w := httptest.NewRecorder()
	if err := (Site{}).Render(t.Context(), w, 200, ConsentPage{FormTargets: []string{"https://a.example/x", "https://a.example/y", "http://127.0.0.1:9/cb"}}); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' https://a.example http://127.0.0.1:9;") {
		t.Errorf("policy is %q", got)
	}
	w = httptest.NewRecorder()
	if err := (Site{}).Render(t.Context(), w, 200, ConsentPage{FormTargets: []string{"https://a.example; script-src *"}}); err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("a broken form target was rendered: %v, %v", err, w.Header())
	}
}

func TestUI15ConsentSaysWhatMatters(t *testing.T) {
	t.Parallel()
	page := ConsentPage{
		RequestID: "the-request", ClientName: "Inspector", ClientID: "insp", RedirectHost: "127.0.0.1:33418", Local: true,
		ServerName: "sales", ServerTitle: "Sales, read only", ServerDescription: "Accounts", OrgName: "acme", OrgHost: "acme.my.salesforce.com",
		Scopes: []string{"mcp_api", "refresh_token"}, Can: []string{"Read records."}, NeedsApproval: []string{"Change records."},
		Cannot: []string{"Delete records."}, AccessLifetime: "15 minutes", ConnectionLifetime: "90 days",
	}
	html := rendered(t, page)
	for _, want := range []string{"Inspector", "insp", "127.0.0.1:33418", "Sales, read only", "Accounts", "acme", "acme.my.salesforce.com", "sales", "mcp_api", "refresh_token",
		"servers that Salesforce runs for assistants", "Stay connected",
		"Read records.", "Change records.", "Delete records.", "15 minutes", "90 days", "runs on a computer", `name="request" value="the-request"`,
		`name="decision" value="allow"`, `name="decision" value="deny"`, `action="/oauth/consent"`} {
		if !strings.Contains(html, want) {
			t.Errorf("consent page lacks %q", want)
		}
	}
	page.Local = false
	if strings.Contains(rendered(t, page), "runs on a computer") {
		t.Error("the warning for loopback clients stands on every consent page")
	}
}

// The page begins with what the person decides about: the kind of record, then its
// fields; once it is decided, with what to do next.
func TestApprovalPageOrder(t *testing.T) {
	t.Parallel()
	arguments, err := Arguments([]byte(`{"body":{"Name":"first-in-text"},"sobject-name":"Opportunity"}`))
	if err != nil {
		t.Fatal(err)
	}
	page := ApprovalPage{Tool: "createSobjectRecord", Arguments: arguments, RequesterID: "the-requester", Open: true, Sentence: "Create a record of Opportunity"}
	inOrder := func(html string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			_, rest, ok := strings.Cut(html, text)
			if !ok {
				t.Fatalf("%q is missing or too early in %q", text, texts)
			}
			html = rest
		}
	}
	inOrder(rendered(t, page), "<title>Approve createSobjectRecord?", "<h1><bdi>Create a record of Opportunity", "Opportunity", "first-in-text", "the-requester", "Approve this call?", `value="approve"`)
	page.Open, page.Status, page.Next = false, "Approved", "Go back to your chat"
	html := rendered(t, page)
	inOrder(html, "<title>Approved: createSobjectRecord", "<h1>Approved", "Go back to your chat", "asked to run", "Opportunity")
	if strings.Contains(html, `value="approve"`) {
		t.Error("a decided call has buttons")
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	html := rendered(t, LandingPage{})
	found := regexp.MustCompile(`/assets/[a-z0-9.-]+`).FindAllString(html, -1)
	slices.Sort(found)
	if diff := cmp.Diff([]string{iconPath, stylePath}, slices.Compact(found)); diff != "" {
		t.Fatalf("assets of a page (-want +got): %s", diff)
	}
	for path, want := range map[string]int{stylePath: 200, iconPath: 200, inboxPath: 200, livePath: 200, "/assets/": 404, "/assets/style.css": 404, "/assets/../pages.go": 404} {
		w := httptest.NewRecorder()
		Assets().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("GET %s = %d, want %d", path, w.Code, want)
		}
		if immutable := strings.Contains(w.Header().Get("Cache-Control"), "immutable"); immutable != (want == 200) {
			t.Errorf("GET %s: immutable %v", path, immutable)
		}
	}
	w := httptest.NewRecorder()
	Assets().ServeHTTP(w, httptest.NewRequest("POST", stylePath, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST of an asset = %d", w.Code)
	}
	css, err := os.ReadFile("assets/style.css")
	if err != nil || strings.Contains(string(css), "url(") || strings.Contains(string(css), "@import") {
		t.Errorf("the style sheet loads something: %v", err)
	}
}

// S2: a call of a megabyte does not become a page of a hundred.
func TestS2ArgumentsAreBounded(t *testing.T) {
	t.Parallel()
	for what, arguments := range map[string]string{
		"leaves":                  `{"body":[` + strings.Repeat(`0,`, 499_999) + `0]}`,
		"empty lists":             `{"body":[` + strings.Repeat(`[],`, 299_999) + `[]]}`,
		"one long text":           `{"body":"` + strings.Repeat("x", 3_000_000) + `"}`,
		"a text that is too long": `{"body":"` + strings.Repeat("x", maxArgumentJSON-10) + `"}`,
		"a name that many share":  `{"` + strings.Repeat("n", 100_000) + `":[` + strings.Repeat(`1,`, 30) + `1]}`,
		"deep and wide":           strings.Repeat(`{"`+strings.Repeat("n", 200)+`":`, 60) + `[` + strings.Repeat(`1,`, 1000) + `1]` + strings.Repeat(`}`, 60),
	} {
		if lines, err := Arguments([]byte(arguments)); !errors.Is(err, ErrUnreadable) || len(lines) > maxArgumentLines {
			t.Errorf("%s: %d lines, %v", what, len(lines), err)
		}
	}
	most := `{"body":[` + strings.Repeat(`{"Name":"Acme","Industry":"Energy"},`, maxArgumentLines/2-1) + `{"Name":"Acme","Industry":"Energy"}]}`
	lines, err := Arguments([]byte(most))
	if err != nil || len(lines) != maxArgumentLines {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	w := httptest.NewRecorder()
	if err := (Site{}).Render(t.Context(), w, http.StatusOK, ApprovalPage{Arguments: lines}); err != nil || w.Body.Len() > 2<<20 {
		t.Errorf("a page of %d bytes, %v", w.Body.Len(), err)
	}
}
