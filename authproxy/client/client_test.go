package client

import (
	"net/url"
	"strings"
	"testing"
)

func client(t *testing.T, publicURL string, uris ...string) Client {
	t.Helper()
	own, err := url.Parse(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	return Client{ID: "c", Name: "C", RedirectURIs: uris, own: own}
}

func TestAS13RedirectIsCompared(t *testing.T) {
	t.Parallel()
	c := client(t, "https://proxy.example", "https://c.example/cb", "https://c.example/q?a=1", "https://xn--bcher-kva.example/cb")
	for _, uri := range []string{"https://c.example/cb", "https://c.example/q?a=1", "https://xn--bcher-kva.example/cb"} {
		if !c.AllowsRedirect(uri) {
			t.Errorf("%q refused", uri)
		}
	}
	for _, uri := range []string{
		"", "https://c.example", "https://c.example/cb/", "https://c.example/cb?x=1", "https://c.example/cb?", "https://c.example/cb#f", "https://c.example/cb#",
		"https://c.example:443/cb", "HTTPS://c.example/cb", "https://C.example/cb", "https://c.example.evil/cb", "https://c.example@evil/cb",
		"https://evil/?https://c.example/cb", "https://c.example/cb/../x", "https://c.example/cb%2f..", `https://c.example\cb`, "https://c.example/cb\t",
		"https://c.example/c\rb", "https://c.example/cb\n", "https://b\u00fccher.example/cb", "https://xn--bcher-kva.example/cb\u200b", "https://[::1%25c.example]/cb",
		" https://c.example/cb", "http://c.example/cb", "//c.example/cb", "https:/c.example/cb", "https://c.example./cb", "https://c.example/cb\x00",
	} {
		if c.AllowsRedirect(uri) {
			t.Errorf("%q allowed", uri)
		}
	}
}

func TestAS14LoopbackPortIsFree(t *testing.T) {
	t.Parallel()
	c := client(t, "http://127.0.0.1:8080", "http://127.0.0.1/cb", "http://[::1]:7777/cb?x=1")
	for _, uri := range []string{
		"http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb",
		"http://[::1]/cb?x=1", "http://[::1]:9/cb?x=1",
	} {
		if !c.AllowsRedirect(uri) {
			t.Errorf("%q refused", uri)
		}
	}
	for _, uri := range []string{
		"http://localhost/cb", "http://localhost:49152/cb", "http://127.1/cb", "http://0x7f.1/cb", "http://2130706433/cb", "http://127.0.0.1.evil/cb",
		"http://127.0.0.1@evil/cb", "http://127.0.0.1:1@evil/cb", "http://[::ffff:127.0.0.1]/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb",
		"http://127.0.0.1:/cb", "http://127.0.0.1:080/cb", "http://127.0.0.1:1/cb/", "http://127.0.0.1:1/other", "http://127.0.0.1:1cb", "http://127.0.0.1:+1/cb",
		"https://127.0.0.1:1/cb", "http://127.0.0.1:1/cb?x=1", "http://[::1]:9/cb", "http://127.0.0.2:1/cb", "http://127.0.0.1:1\\@evil/cb",
		"http://127.0.0.1:8080/cb", // the proxy itself
		"http://127.0.0.1:\uff11/cb",
	} {
		if c.AllowsRedirect(uri) {
			t.Errorf("%q allowed", uri)
		}
	}
}

func TestLoopbackByNameOnlyWhereRegistered(t *testing.T) {
	t.Parallel()
	c := client(t, "http://127.0.0.1:8080", "http://localhost/callback")
	if !c.AllowsRedirect("http://localhost:5000/callback") {
		t.Error("localhost refused where it is registered")
	}
	for _, uri := range []string{"http://127.0.0.1:5000/callback", "http://localhost.evil:5000/callback", "http://localhost:8080/callback", "http://LOCALHOST:5000/callback"} {
		if c.AllowsRedirect(uri) {
			t.Errorf("%q allowed", uri)
		}
	}
	for uri, want := range map[string]bool{"http://localhost:1/x": true, "http://[::1]/": true, "https://localhost/x": false, "https://c.example/": false} {
		if got := LocalRedirect(uri); got != want {
			t.Errorf("LocalRedirect(%q) = %t, want %t", uri, got, want)
		}
	}
}

func TestAS15RedirectSchemes(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x", "vbscript:x",
		"file:///etc/passwd", "blob:https://c.example/1", "http://c.example/cb", "ftp://c.example/", "cursor://x/cb", "https:c.example", "https:///cb", "/cb", "",
		"HTTPS://c.example/cb", "https://C.example/cb", "https://u@c.example/cb", "https://u:p@c.example/cb", `https://c.example\cb`, "https://c.example:/cb",
		"https://c.example./cb", "https://b\u00fccher.example/cb", "https://c.example/a/../b", "http://127.0.0.1.evil/cb", "http://127.1/cb", "http://localhost.evil/cb",
		"https://c.example/c b", "https://c.example/<x>",
		"https://2130706433/cb", "https://0x7f.1/cb", "https://017700000001/cb", "https://127.1/cb", "https://[::ffff:127.0.0.1]:443/cb/%2e%2e/x", "https://[::1%25lo]/cb", "https://[0:0::1]/cb",
		"https://*.c.example/cb", "https://c_.example/cb", "https://-c.example/cb", "https://c..example/cb", "https://c.example/a/%2e%2E/b", "https://c.example/./b",
		"https://proxy.example/x", "https://proxy.example:443/x", "https://acme.my.salesforce.com/x", "https://acme.my.salesforce.com:8443/x",
		"https://login.salesforce.com/x", "https://other.my.salesforce.com/x", "https://acme.lightning.force.com/x", "https://acme.my.site.com/x", "https://acme.file.force.com/x", "https://salesforce.com/x",
	} {
		if err := ValidateRedirectURI(uri, "https://proxy.example", []string{"acme.my.salesforce.com"}); err == nil {
			t.Errorf("%q accepted", uri)
		}
	}
	for _, uri := range []string{"https://c.example/cb", "https://c.example:8443/cb?a=b", "http://127.0.0.1/cb", "http://[::1]:1/cb", "http://localhost/cb"} {
		if err := ValidateRedirectURI(uri, "https://proxy.example", nil); err != nil {
			t.Errorf("%q refused: %v", uri, err)
		}
	}
}

func TestAS16RedirectWithResponseParameters(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"https://c.example/cb?code=1", "https://c.example/cb?a=1&state=", "https://c.example/cb?iss=x", "https://c.example/cb?error=x", "https://c.example/cb?%63ode=1",
		"https://c.example/cb?a;code=1", "https://c.example/cb#f", "https://c.example/cb#",
	} {
		if err := ValidateRedirectURI(uri, "https://proxy.example", nil); err == nil {
			t.Errorf("%q accepted", uri)
		}
	}
}

func FuzzAllowsRedirect(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:49152/cb", "http://127.0.0.1@evil/cb", "http://127.0.0.1:1\\@evil/cb", "https://c.example/cb", "http://127.0.0.1:080/cb"} {
		f.Add(seed)
	}
	c := Client{RedirectURIs: []string{"https://c.example/cb", "http://127.0.0.1/cb"}}
	f.Fuzz(func(t *testing.T, uri string) {
		if !c.AllowsRedirect(uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("%q allowed, but does not parse", uri)
		}
		https := u.Scheme == "https" && u.Host == "c.example"
		loopback := u.Scheme == "http" && u.Hostname() == "127.0.0.1"
		if !https && !loopback || u.User != nil || u.Path != "/cb" || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q allowed", uri)
		}
	})
}

// AS-15: no client is redirected to a page of Salesforce's, of whichever org or cloud, by any spelling; names that only
// look alike are other hosts.
func TestAS15NoRedirectToSalesforce(t *testing.T) {
	t.Parallel()
	refused := func(uri string) string {
		if err := ValidateRedirectURI(uri, "https://proxy.example", []string{"login.acme.example"}); err != nil {
			return err.Error()
		}
		return ""
	}
	const says = "must not lead to Salesforce"
	for _, host := range []string{
		"salesforce.com", "login.salesforce.com", "test.salesforce.com", "other.my.salesforce.com", "other--uat.sandbox.my.salesforce.com", "api.salesforce.com", "help.salesforce.com",
		"acme.lightning.force.com", "acme--c.vf.force.com", "acme--c.visualforce.com", "acme.my.site.com", "acme.my.salesforce-sites.com", "acme.secure.force.com", "acme.file.force.com",
		"acme.my.salesforce-setup.com", "acme.my.salesforce-scrt.com", "acme.lightning.com", "c.na1.documentforce.com", "acme.cloudforce.com", "acme.file.forceusercontent.com",
		"acme.my.salesforce.mil", "acme.lightning.crmforce.mil", "acme.experience.crmforce.mil", "acme.force.mil", "acme.visualforce.mil", "acme.cloudforce.mil",
		"acme.my.sfcrmproducts.cn", "acme.lightning.sfcrmapps.cn", "acme.sites.sfcrmapps.cn", "login.acme.example",
	} {
		for _, uri := range []string{"https://" + host + "/cb", "https://" + host, "https://" + host + ":443/cb", "https://" + host + ":8443/cb?a=b"} {
			if got := refused(uri); got != says {
				t.Errorf("%s: %q", uri, got)
			}
		}
		for _, uri := range []string{
			"https://" + strings.ToUpper(host) + "/cb", "https://" + host + "./cb", "https://" + host + ".:443/cb", "https://c.example@" + host + "/cb", "https://" + host + "@c.example/cb",
			"https://" + strings.ReplaceAll(host, ".", "%2e") + "/cb", "https://" + strings.ReplaceAll(host, ".", "\u3002") + "/cb", "https://" + strings.Replace(host, "o", "\uff4f", 1) + "/cb",
			"https://" + host + `\.c.example/cb`, "http://" + host + "/cb", "//" + host + "/cb",
		} {
			if refused(uri) == "" {
				t.Errorf("%q accepted", uri)
			}
		}
		for _, uri := range []string{"https://not" + host + ".example/cb", "https://" + host + ".c.example/cb", "https://c.example/" + host} {
			if got := refused(uri); got != "" {
				t.Errorf("%q refused: %s", uri, got)
			}
		}
	}
	for _, uri := range []string{"https://notsalesforce.com/cb", "https://my-force.com/cb", "https://website.com/cb", "https://xn--salesforce-7ta.com/cb"} {
		if got := refused(uri); got != "" {
			t.Errorf("%q refused: %s", uri, got)
		}
	}
}
