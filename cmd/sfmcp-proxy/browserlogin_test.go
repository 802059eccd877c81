package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// A person whose login Salesforce ended finds the way back on their account and on a call
// that waits, on a phone and in the dark too; and nobody else's login gets them in.
func TestBrowserLostLogin(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	c := d.connectIn(b, "sobject-all", rep)
	link := d.approvalURL(c.call("createSobjectRecord", account("Back Again Ltd")))
	d.control("PUT", "/faults", map[string]any{"token_refusal": "invalid_grant: user hasn't approved this consumer"}, nil)
	d.expireLogins()
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusUnauthorized {
		t.Fatalf("with a lost login: %d %s", r.Status, r.body)
	}
	d.control("PUT", "/faults", map[string]any{}, nil)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			b.do(chromedp.EmulateViewport(width, 800), colourScheme(scheme))
			for _, address := range []string{d.PublicURL + "/account", link} {
				v := b.open(address)
				b.shows(v, http.StatusOK, "Your Salesforce login for org acme ended on", "user hasn't approved this consumer", "Sign in to Salesforce again")
				if wide := ask[int64](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide on a screen of %d", address, wide, width)
				}
			}
		}
	}
	const again = `.lost a.button`

	// The browser is signed in to Salesforce as somebody else.
	b.do(deleteCookie("salesforcesim_sid_acme", d.SalesforceURL))
	b.open(link)
	b.shows(b.click(again), http.StatusOK, "Log In")
	b.shows(b.logIn(d, manager), http.StatusOK, "Allow Access?")
	b.shows(b.click(allowButton), http.StatusForbidden, "Salesforce is open as somebody else", "Nothing was changed")
	b.shows(b.open(d.PublicURL+"/account"), http.StatusOK, rep, "login for org acme ended")

	b.do(deleteCookie("salesforcesim_sid_acme", d.SalesforceURL))
	b.open(link)
	b.click(again)
	if v := b.logIn(d, rep); v.URL != link {
		b.shows(v, http.StatusOK, "Allow Access?")
		if v = b.click(allowButton); v.URL != link {
			t.Errorf("the sign-in ends at %s", v.URL)
		}
	}
	v := b.click(approveButton)
	b.shows(v, http.StatusOK, "Approved")
	if strings.Contains(v.Text, "login for org acme ended") {
		t.Errorf("after the sign-in:\n%s", v.Text)
	}
	if r := c.call("createSobjectRecord", account("Back Again Ltd")); r.Result.IsError || d.named("Account", "Back Again Ltd") != 1 {
		t.Errorf("the approved retry over the connection that was there: %d %s", r.Status, r.body)
	}
}

func deleteCookie(name, address string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: address})
	}
}
