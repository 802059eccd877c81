package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// phone makes the window one of 390×844 pixels that is touched.
func phone(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
	if _, err := chromedp.Call(ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true}); err != nil {
		return chromedp.Void{}, err
	}
	return chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true})
}

// tap presses the one button or link with that text, which has to be on the screen as the page
// was opened, and big enough for a thumb (WCAG 2.2, 2.5.8: 24 pixels).
func (b *chrome) tap(text string) view {
	b.t.Helper()
	at := ask[[]float64](b, `(() => {
		const found = [...document.querySelectorAll("main button, main a.button, form button")].filter((e, i, all) => all.indexOf(e) == i && e.innerText.startsWith(`+"`"+text+"`"+`));
		if (found.length != 1) return [found.length];
		const r = found[0].getBoundingClientRect();
		return [1, scrollY, r.top, r.bottom, r.width, innerHeight, r.left + r.width / 2, r.top + r.height / 2]})()`)
	if len(at) == 1 {
		b.t.Fatalf("%v things to tap say %q:\n%s", at[0], text, b.look().Text)
	}
	if scrolled, top, bottom, width, screen := at[1], at[2], at[3], at[4], at[5]; scrolled != 0 || top < 0 || bottom > screen || bottom-top < 24 || width < 24 {
		b.t.Errorf("%q is from %v to %v, %v wide, on a screen of %v that is scrolled by %v", text, top, bottom, width, screen, scrolled)
	}
	return b.goes(chromedp.MouseClickXY(at[6], at[7]))
}

// Whoever is sent a link decides with at most three taps on a phone, the sign-in included, and without
// typing or scrolling: an approver at the company, and a requester at Salesforce.
func TestFromTheLinkToADecisionInThreeTaps(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startDemo(t)
	for _, person := range []struct {
		name, server, account string
		taps                  []string
	}{
		{"approver", "sobject-reviewed", "Three taps", []string{"Continue with your company", "Sign in as Avery Okafor", "Approve"}},
		{"requester", "sobject-all", "Own taps", []string{"Log in as Riley Reyes", "Approve"}},
	} {
		c := d.connect(person.server, rep)
		b := startChrome(t)
		b.do(phone)
		b.open(d.approvalURL(c.call("createSobjectRecord", account(person.account))))
		var v view
		for _, text := range person.taps {
			if n := ask[int](b, "document.documentElement.scrollWidth"); n > 390 {
				t.Errorf("the page of %q is %d wide", text, n)
			}
			v = b.tap(text)
		}
		b.shows(v, http.StatusOK, "Approved")
		if r := c.call("createSobjectRecord", account(person.account)); r.Result.IsError || d.named("Account", person.account) != 1 {
			t.Errorf("%s: the approved call: %s", person.name, r.body)
		}
	}
}
