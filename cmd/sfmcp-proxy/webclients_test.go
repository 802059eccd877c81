package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// C1: MCP Inspector as a web page, connecting directly: it finds the authorization server,
// registers, redeems its code and calls, all by scripts of its own origin.
func TestC1InspectorWeb(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	pages := filepath.Join(nodePackages(t), "inspector-web", "client", "dist")
	b := startChrome(t)
	b.foreign = true
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file := filepath.Join(pages, filepath.FromSlash(r.URL.Path))
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			file = filepath.Join(pages, "index.html") // every path is the one page's
		}
		http.ServeFile(w, r, file)
	}))
	t.Cleanup(site.Close)
	d := startRegistering(t, fmt.Sprintf("\nregistration: {dynamic: {enabled: true}}\nallowed_origins: [%q]\n", site.URL))
	b.open(site.URL + "/")
	ask[bool](b, fmt.Sprintf(`["lastConnectionType", "direct", "lastTransportType", "streamable-http", "lastSseUrl", %q]
		.forEach((v, i, all) => i %% 2 || localStorage.setItem(v, all[i + 1])) === undefined`, d.MCPURLs["sobject-reads"]))
	b.open(site.URL + "/")
	b.press("Connect")
	b.reaches(d.PublicURL + "/oauth/authorize?")
	b.shows(b.look(), 0, "MCP Inspector", "Unverified")
	b.click(allowButton)
	v := b.logIn(d, rep)
	if !strings.HasPrefix(v.URL, site.URL) {
		b.do(chromedp.Click(chromedp.CSS(allowButton), chromedp.NodeVisible))
	}
	b.reaches(site.URL)
	b.press("Tools")
	b.press("List Tools")
	eventually(t, browserLimit, "the tools are listed", func() bool { return strings.Contains(b.look().Text, "soqlQuery") })
	b.do(chromedp.Click(chromedp.Search(`//*[normalize-space(text())="soqlQuery"]`), chromedp.NodeVisible),
		chromedp.SendKeys(chromedp.CSS(`#q`), "SELECT Id, Name FROM Account LIMIT 2"))
	b.press("Run Tool")
	eventually(t, browserLimit, "the query is answered", func() bool { return strings.Contains(b.look().Text, "Tool Result: Success") })
}

// press clicks a button of a page that makes its buttons by scripts, once it is there.
func (b *chrome) press(label string) {
	b.t.Helper()
	eventually(b.t, browserLimit, "there is a button "+label, func() bool {
		found, err := try[bool](b, fmt.Sprintf(`(() => { const button = [...document.querySelectorAll("button")].find(b => b.innerText.trim() === %q && !b.disabled)
			button?.dispatchEvent(new MouseEvent("mousedown", { bubbles: true })); button?.click(); return button !== undefined })()`, label))
		return err == nil && found
	})
}

// reaches waits until the window is somewhere.
func (b *chrome) reaches(prefix string) {
	b.t.Helper()
	eventually(b.t, browserLimit, "the window reaches "+prefix, func() bool {
		here, err := try[string](b, `document.readyState == "complete" ? location.href : ""`)
		return err == nil && strings.HasPrefix(here, prefix)
	})
}

// C5: a person who clicks twice, because nothing seems to happen, gets where one click leads.
func TestC5BrowserSecondClick(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	b.foreign = true // the first navigation is given up for the second, which the browser calls a failure
	d := startDemo(t)
	p := startLoopbackClient(t)
	b.open(p.link(d, "sobject-reads"))
	b.do(latency(800))
	ask[bool](b, fmt.Sprintf(`(() => { const allow = document.querySelector('%s'); allow.click(); setTimeout(() => allow.click(), 200); return true })()`, allowButton))
	b.reaches(d.SalesforceURL)
	b.do(latency(0))
	b.shows(b.logIn(d, rep), http.StatusOK, "Allow Access?")
	b.shows(b.click(allowButton), http.StatusOK, "You can close this window.")
	if p.answer(t, d).Get("code") == "" {
		t.Error("the client got no code")
	}
}

// latency makes every answer come so many milliseconds late.
func latency(ms float64) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Latency: ms, DownloadThroughput: -1, UploadThroughput: -1}}})
		return chromedp.Void{}, err
	}
}
