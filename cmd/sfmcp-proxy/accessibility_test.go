package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// looks are how the pages are looked at by axe-core: both widths and both colour schemes by
// all rules, and the two other pairs of them by the rules that depend on colours. Only the first is
// looked at where somebody waits (SFMCP_TEST_ROUNDS below 50).
var looks = []struct {
	name, scheme string
	width        int64
	rules        string // of axe-core's runOnly
}{
	{"phone in the dark", "dark", 390, allRules},
	{"desktop", "light", 1280, allRules},
	{"phone", "light", 390, colourRules},
	{"desktop in the dark", "dark", 1280, colourRules},
}

const (
	allRules    = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	colourRules = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// violation is a rule of axe-core that a page breaks, and where.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// axe is axe-core in a world of its own beside the page, so that the page's content
// policy stays in force and its scripts, which it has none of, are not ours.
type axe struct {
	*chrome
	source string
}

func startAxe(t *testing.T, b *chrome) *axe {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(nodePackages(t), "axe-core", "axe.min.js"))
	need(t, "node", err == nil, "run .ci/node-clients")
	return &axe{chrome: b, source: string(source)}
}

// accessible requires that the page breaks no rule of WCAG 2.2 A and AA and of good practice
// that axe-core knows, in every look.
func (i *axe) accessible(name string) {
	i.t.Helper()
	for n, look := range looks {
		if n > 0 && !rounds.AreMany(i.t) {
			break
		}
		i.do(chromedp.EmulateViewport(look.width, 800), colourScheme(look.scheme))
		if cut := i.cut(); look.width < 500 && cut != "" {
			i.t.Errorf("%s, %s: a table is cut off at the right: %s", name, look.name, cut)
		}
		for _, v := range i.violations(look.rules) {
			var where []string
			for _, node := range v.Nodes {
				where = append(where, node.HTML+"\n\t"+strings.ReplaceAll(node.FailureSummary, "\n", "\n\t"))
			}
			i.t.Errorf("%s, %s: %s (%s): %s\n%s", name, look.name, v.ID, v.Impact, v.Help, strings.Join(where, "\n"))
		}
	}
}

// violations are what axe-core finds by the rules that its runOnly names.
func (i *axe) violations(rules string) (found []violation) {
	i.t.Helper()
	// preload fetches the style sheet by script, which the content policy refuses.
	run := `axe.run({preload: false, resultTypes: ["violations"], runOnly: ` + rules + `})
		.then(r => JSON.stringify({violations: r.violations, passed: r.passes.length}))`
	if i.aside(`Promise.resolve(typeof axe)`) == "undefined" { // the first look at this page
		i.aside(i.source + "\nPromise.resolve(\"\")")
	}
	text := i.aside(run)
	var result struct {
		Violations []violation
		Passed     int
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil || result.Passed == 0 {
		i.t.Fatalf("axe-core ran %d rules that pass: %v", result.Passed, err)
	}
	return result.Violations
}

// aside evaluates an expression in a world of its own on the page, which lasts as long as the
// page, and waits for the text that it promises.
func (i *axe) aside(expression string) string {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.ctx, browserLimit)
	defer cancel()
	text, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (string, error) {
		frames, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
		if err != nil {
			return "", err
		}
		world, err := chromedp.Call(ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: frames.FrameTree.Frame.ID, WorldName: "axe"})
		if err != nil {
			return "", err
		}
		return chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise, func(p *runtime.EvaluateParams) { p.ContextID = world.ExecutionContextID })(ctx, target)
	})
	if err != nil {
		i.t.Fatalf("axe-core: %v", err)
	}
	return text
}

// inspect opens a page and requires that it is accessible.
func (i *axe) inspect(name, address string, status int, texts ...string) {
	i.t.Helper()
	i.shows(i.open(address), status, texts...)
	i.accessible(name)
}

// U14: what a person meets on the way to a connection and back out of it.
func TestU14PagesOfSigningInAreAccessible(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startRegistering(t, "\nregistration: {dynamic: {enabled: true}}\n")
	i := startAxe(t, startChrome(t))
	p := startLoopbackClient(t)
	i.inspect("landing page", d.PublicURL+"/", http.StatusOK, "Sign in")
	i.inspect("connect page", d.PublicURL+"/connect/sobject-all", http.StatusOK, "Not set up yet")
	i.inspect("no such connect page", d.PublicURL+"/connect/nothing", http.StatusNotFound)
	i.inspect("no such page", d.PublicURL+"/nothing", http.StatusNotFound)
	i.inspect("unknown client", d.PublicURL+"/oauth/authorize?client_id=nobody", http.StatusBadRequest)
	i.inspect("callback of no login", d.PublicURL+"/oauth/callback?state=x", http.StatusBadRequest)
	i.inspect("consent", p.link(d, "sobject-all"), http.StatusOK, "Only after a person approves each call")
	unverified := strings.Replace(p.link(d, "sobject-reads"), "client_id="+d.ClientID, "client_id="+d.register(t, "Client by hand"), 1)
	i.inspect("consent for an unverified client", strings.Replace(unverified, url.QueryEscape(p.redirectURI), url.QueryEscape(testCallback), 1), http.StatusOK, "Unverified")

	i.open(d.PublicURL + "/account")
	d.control("PUT", "/faults", map[string]any{"token_refusal": "invalid_client: invalid client credentials"}, nil)
	i.shows(i.logIn(d, rep), http.StatusOK, "Allow Access?")
	i.shows(i.click(allowButton), http.StatusBadGateway, "You are not signed in")
	i.accessible("sign-in problem")
	d.control("PUT", "/faults", map[string]any{}, nil)
	i.shows(i.open(d.PublicURL+"/account"), http.StatusOK, "No assistant is connected")
	i.accessible("account without connections")
	i.inspect("landing page, signed in", d.PublicURL+"/", http.StatusOK, "Your account")
	i.inspect("no approvals", d.PublicURL+"/approvals", http.StatusOK, "Nothing waits")
	d.connect("sobject-reads", rep)
	i.inspect("account with a connection", d.PublicURL+"/account", http.StatusOK, "Disconnect")
	d.connect("sobject-all", rep)
	d.connect("sobject-all", rep)
	i.inspect("account with three connections", d.PublicURL+"/account", http.StatusOK, "Sales, read only", "Sales, with approved writes")
	i.shows(i.click(disconnectButton), http.StatusOK, "disconnected")
	i.accessible("account after a disconnection")
	i.shows(i.click(signOutButton), http.StatusOK, "You are signed out")
	i.accessible("signed out")
}

// U14: what a person meets who decides about calls, and while something is out of order.
func TestU14PagesOfApprovalsAreAccessible(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d := startDemo(t)
	i := startAxe(t, startChrome(t))
	c := d.connectIn(i.chrome, "sobject-all", rep)
	held := func(name string) string {
		return d.approvalURL(c.call("createSobjectRecord", map[string]any{"sobject-name": "Account", "body": map[string]any{
			"Name": name, "Description": "two\nlines", "Website": nil, "Tags": []string{"a", "b"}}}))
	}
	odd, approved, denied := held("p\u0430ypal \u202egnp.exe "+strings.Repeat("W", 200)), held("Approved Ltd"), held("Denied Ltd")
	foreign := d.approvalURL(d.connect("sobject-all", manager).call("createSobjectRecord", account("Foreign Ltd")))
	i.inspect("approval that waits", odd, http.StatusOK, "Approve this call?", "mixes Latin letters")
	i.do(chromedp.Click(chromedp.CSS("summary"), chromedp.NodeVisible))
	i.accessible("approval with its JSON")
	i.open(approved)
	i.shows(i.click(approveButton), http.StatusOK, "Approved")
	i.accessible("approval that was given")
	i.open(denied)
	i.shows(i.click(denyButton), http.StatusOK, "Denied")
	i.accessible("approval that was denied")
	i.inspect("somebody else's approval", foreign, http.StatusNotFound)
	i.inspect("approvals", d.PublicURL+"/approvals", http.StatusOK, "Waiting for you", "Recent")

	d.must("stop", "writes")
	i.inspect("account while changes are stopped", d.PublicURL+"/account", http.StatusOK, "Changes in Salesforce are stopped")
	d.must("stop", "all")
	i.inspect("approval while all is stopped", odd, http.StatusOK, "Access to Salesforce is stopped")
	d.must("stop", "off")

	d.control("PUT", "/faults", map[string]any{"token_refusal": "invalid_grant: user hasn't approved this consumer"}, nil)
	d.expireLogins()
	if r := c.call("getUserInfo", map[string]any{}); r.Status != http.StatusUnauthorized {
		t.Fatalf("with a lost login: %d %s", r.Status, r.body)
	}
	i.inspect("account with a login that is over", d.PublicURL+"/account", http.StatusOK, "login for org acme ended")
}

// U14: the choice between orgs.
func TestU14SignInPageIsAccessible(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	d, _ := startOrgs(t)
	i := startAxe(t, startChrome(t))
	i.inspect("sign-in", d.PublicURL+"/signin", http.StatusOK, "acme-sandbox", "Continue to Salesforce")
}

// The rules that the other tests rely on do find something, also beside a content policy.
func TestU14BarriersAreFound(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	i := startAxe(t, b)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:")
		fmt.Fprint(w, `<!doctype html><html><title>x</title><link rel="icon" href="data:,"><body bgcolor="#ffffff"><font color="#dddddd">faint</font><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><button></button>`)
	}))
	t.Cleanup(server.Close)
	b.open(server.URL)
	var found []string
	for _, v := range i.violations(allRules) {
		found = append(found, v.ID)
	}
	for _, want := range []string{"html-has-lang", "color-contrast", "image-alt", "button-name"} {
		if !slices.Contains(found, want) {
			t.Errorf("%s is not found, only %v", want, found)
		}
	}
}
