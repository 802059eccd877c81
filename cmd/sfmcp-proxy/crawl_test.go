package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/examples/salesforcesim"
)

var linked = regexp.MustCompile(`(?:href|action|src)="([^"]*)"`)

// known are the paths that no page leads to.
func (d *demo) known(approval string) []string {
	return []string{"/", "/account", "/approvals", approval, approval + "?decision=approve", approval + "/decide?decision=approve", "/connect/sobject-all", "/connect/nothing",
		"/oauth/consent?decision=allow", "/oauth/callback?state=x&code=y", "/oauth/token", "/oauth/revoke", "/oauth/register", "/signout", "/account/disconnect",
		"/account/disconnect?grant=x", "/console/", "/console/users", "/console/stop?mode=off", "/mcp/sobject-all", "/assets/", "/healthz", "/nothing",
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource/mcp/sobject-all"}
}

// UI-17: whoever is signed in can follow every link, and a browser can fetch it ahead:
// nothing in the database changes.
func TestUI17CrawlChangesNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	store := d.database()
	approvals := map[string]string{}
	browsers := map[string]*salesforcesim.Browser{}
	for _, user := range []string{rep, manager} {
		browsers[user] = d.browser()
		c := d.authorize(browsers[user], "sobject-all", user)
		c.initialize()
		approvals[user] = d.approvalURL(c.call("createSobjectRecord", account("Crawled by "+user)))
	}
	before := cells(t, store)
	for user, b := range browsers {
		var cookies []string
		for _, c := range b.Cookies(d.PublicURL) {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		header := http.Header{"Cookie": {strings.Join(cookies, "; ")}}
		queue, seen := []string{}, map[string]bool{}
		for _, approval := range approvals { // the other user's, too
			queue = append(queue, d.known(strings.TrimPrefix(approval, d.PublicURL))...)
		}
		pages := 0
		for len(queue) > 0 {
			path := queue[0]
			queue = queue[1:]
			// These two begin a sign-in; their rows are what they are for.
			if seen[path] || strings.HasPrefix(path, "/signin") || strings.HasPrefix(path, "/oauth/authorize") {
				continue
			}
			seen[path] = true
			if got, _, _ := status(t, http.MethodHead, d.PublicURL+path, header); got >= 500 {
				t.Errorf("%s: HEAD %s: %d", user, path, got)
			}
			got, _, body := status(t, http.MethodGet, d.PublicURL+path, header)
			if got >= 500 {
				t.Errorf("%s: GET %s: %d", user, path, got)
			}
			if got == http.StatusOK {
				pages++
			}
			for _, found := range linked.FindAllStringSubmatch(body, -1) {
				address, err := url.Parse(html.UnescapeString(found[1]))
				if err == nil && *address == (url.URL{Fragment: address.Fragment}) {
					continue // a place in the page itself
				}
				if err != nil || address.Host != "" || !strings.HasPrefix(address.Path, "/") {
					t.Errorf("%s: %s leads to %q", user, path, found[1])
					continue
				}
				queue = append(queue, address.RequestURI())
			}
		}
		if pages < 8 {
			t.Errorf("%s saw %d pages only", user, pages)
		}
	}
	if diff := cmp.Diff(before, cells(t, store), cmp.AllowUnexported(stored{})); diff != "" {
		t.Errorf("the crawl changed (-before +after):\n%s", diff)
	}
}

// UI-11: no spelling of a path makes the product redirect to another host, or lead a
// browser there by a relative Location.
func TestUI11NoPathRedirectsElsewhere(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	own, err := url.Parse(d.PublicURL)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{"", "/account", "/approvals", "/signin", "/connect", "/assets", "/oauth/authorize", "/mcp"} {
		for _, evil := range []string{"//evil.example", "///evil.example/", "//evil.example/..", "//evil.example/%2e%2e", `/\evil.example`, "/%5cevil.example", "/%09/evil.example",
			"/%2f%2fevil.example", "/.//evil.example", "/..//evil.example", "/;//evil.example", "/%0d%0aLocation:%20https://evil.example", "/https://evil.example", "/@evil.example",
			"/?return_to=//evil.example", "/?next=https://evil.example", "/?rd=//evil.example", "?return_to=https:evil.example&next=/%5cevil.example&rd=//evil.example"} {
			for _, target := range []string{start + evil, start + evil + "/"} {
				location := d.location(t, target)
				to, err := own.Parse(location)
				if err != nil || location != "" && (to.Host != own.Host || strings.HasPrefix(location, "//") || strings.ContainsAny(location, "\\\t\r\n")) &&
					!strings.HasPrefix(location, d.SalesforceURL+"/services/oauth2/authorize?") {
					t.Errorf("GET %s leads to %s", target, location)
				}
			}
		}
	}
}

// location is where a request target, sent as it is, is redirected to.
func (d *demo) location(t *testing.T, target string) string {
	t.Helper()
	_, header, _ := d.raw(t, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, strings.TrimPrefix(d.PublicURL, "http://")))
	return header.Get("Location")
}

// raw sends bytes and reads one answer.
func (d *demo) raw(t *testing.T, request string) (int, http.Header, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.PublicURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, request) // the answer may come, and the connection end, before it is read
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// AS-20: what the product says of itself comes from its configuration, whatever a
// request, or a proxy before us, claims.
func TestAS20NothingIsTakenFromTheRequest(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	host := strings.TrimPrefix(d.PublicURL, "http://")
	paths := []string{"/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp/sobject-all", "/mcp/sobject-all"}
	for _, path := range paths {
		wantStatus, wantHeader, wantBody := d.raw(t, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		for _, evil := range []string{
			"GET " + path + " HTTP/1.1\r\nHost: evil.example\r\n", "GET http://evil.example" + path + " HTTP/1.1\r\nHost: " + host + "\r\n",
			"GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Host: evil.example\r\n", "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Proto: javascript\r\n",
			"GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nForwarded: host=evil.example;proto=https\r\n", "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Prefix: /evil\r\n",
			"GET " + path + " HTTP/1.0\r\n",
		} {
			got, header, body := d.raw(t, evil+"Connection: close\r\n\r\n")
			same := got == wantStatus && body == wantBody && header.Get("WWW-Authenticate") == wantHeader.Get("WWW-Authenticate")
			refused := got == http.StatusMisdirectedRequest || got == http.StatusBadRequest
			if got == http.StatusMisdirectedRequest { // C8: it names the host that came, and nothing else
				body = strings.Replace(body, "the Host header says evil.example, expected", "", 1)
			}
			if !same && !refused || strings.Contains(body+fmt.Sprint(header), "evil") {
				t.Errorf("%q: %d %v %s", evil, got, header, body)
			}
		}
	}
}

// AS-52: no page or form lets another origin read or send with the browser's cookies.
// The endpoints of clients are open to scripts, without credentials: see authproxy.
func TestAS52PagesHaveNoCORS(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	b := d.browser()
	d.authorize(b, "sobject-all", rep)
	header := http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization"}}
	for _, c := range b.Cookies(d.PublicURL) {
		header.Add("Cookie", c.Name+"="+c.Value)
	}
	for _, path := range []string{"/", "/account", "/account/disconnect", "/approvals", "/approvals/apr_x", "/connect/sobject-all", "/console/",
		"/oauth/authorize", "/oauth/consent", "/oauth/callback", "/signin", "/signout", "/mcp/sobject-all", "/assets/x", "/nothing"} {
		for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodPost} {
			_, answer, _ := status(t, method, d.PublicURL+path, header)
			for name := range answer {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s answers %s", method, path, name)
				}
			}
		}
	}
}

// UI-12: after a form with a credential or a decision in it the browser goes on with
// GET, so that nothing sends the form again.
func TestUI12FormsEndIn303(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	var codes []int
	b := salesforcesim.NewBrowser(&http.Client{Transport: watch(func(r *http.Request, status int) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.String(), d.PublicURL) && status >= 300 && status < 400 {
			codes = append(codes, status)
		}
	})}, testCallback)
	c := d.authorize(b, "sobject-all", rep)
	c.initialize()
	d.decide(b, d.approvalURL(c.call("createSobjectRecord", account("Form Ltd"))), rep, "approve")
	page, err := b.Get(t.Context(), d.PublicURL+"/account")
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range page.Forms {
		if _, err := b.Submit(t.Context(), page, form, nil); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(codes)
	if codes = slices.Compact(codes); !slices.Equal(codes, []int{http.StatusSeeOther}) {
		t.Errorf("forms were answered with the redirects %v", codes)
	}
}

// watch is a transport that tells of every answer.
type watch func(r *http.Request, status int)

func (w watch) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		w(r, resp.StatusCode)
	}
	return resp, err
}

// RS-09: headers that no client needs are cut off before a handler sees them.
func TestRS09HugeHeaders(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	start := "POST /mcp/sobject-all HTTP/1.1\r\nHost: " + strings.TrimPrefix(d.PublicURL, "http://") + "\r\nContent-Length: 0\r\nConnection: close\r\n"
	for what, header := range map[string]string{
		"one of a megabyte":      "Authorization: Bearer " + strings.Repeat("a", 1<<20) + "\r\n",
		"a million dots":         "Authorization: Bearer " + strings.Repeat(".", 1_000_000) + "\r\n",
		"ten thousand":           strings.Repeat("X-A: b\r\n", 20_000),
		"a cookie of a megabyte": "Cookie: " + strings.Repeat("a=;", 1<<18) + "\r\n",
	} {
		if got, _, _ := d.raw(t, start+header+"\r\n"); got != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %d", what, got)
		}
	}
	if got, _, _ := d.raw(t, start+"Authorization: Bearer "+strings.Repeat("a.", 16<<10)+"\r\n\r\n"); got != http.StatusUnauthorized {
		t.Errorf("32 KB: %d", got)
	}
}
