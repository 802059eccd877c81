package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/cmd/sfmcp-proxy/demonstration"
	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

var pictures = flag.String("pictures", "", "folder into which TestPictures puts a picture of each page that people decide on, in each state")

// pictured are the screens on which pages are pictured. The first screen of a phone is one picture,
// all other pictures are of the whole page.
var pictured = []struct {
	name, scheme  string
	width, height int64
	scale         float64
	whole         bool
}{
	{"desktop", "light", 1280, 800, 1, true},
	{"phone", "light", 390, 844, 2, false},
	{"dark", "dark", 390, 844, 1, true},
}

// gallery takes the pictures.
type gallery struct {
	*companyDemo
	kind string // of the org
}

// picturesConfig has a rule for each way in which a call can wait.
const picturesConfig = `
public_url: %[1]s
listen: "%[2]s"
admin_listen: %[3]s
database: sqlite:proxy.db
keys_file: keys
salesforce:
  orgs:
    - {name: acme, login_url: %[4]s, org_id: %[5]s, client_id: %[6]s, insecure_http: true, kind: %[7]s}
servers:
  - {name: sales, title: Sales, org: acme, upstream: %[4]s/platform/mcp/v1/platform/sobject-all, policy: sales, groups: ["*"]}
  - {name: open, title: Integration, org: acme, upstream: %[4]s/platform/mcp/v1/platform/sobject-mutations, policy: open, groups: ["*"]}
  - {name: rest, title: REST API, org: acme, upstream: %[4]s/platform/mcp/v1/platform/headless-360, policy: rest, groups: ["*"]}
policies:
  - name: open
    mode: enforce
    rules: [{effect: allow}]
  - name: rest
    mode: enforce
    rules:
      - {effect: allow, classes: [read]}
      - {effect: confirm, approvers: requester}
  - name: sales
    mode: enforce
    rules:
      - {effect: allow, classes: [read], mask: [Contact.Email]}
      - {effect: confirm, classes: [delete], approvers: "role:approver"}
      - {effect: confirm, classes: [update], objects: [Contact], approvers: "role:approver", verify: true}
      - {effect: confirm, classes: [update], objects: [Opportunity], factors: [{role: approver}, {role: security}]}
      - {effect: confirm, classes: [update], objects: [Account], approvers: requester, verify: true}
      - {effect: confirm, classes: [create], objects: [Lead], approvers: "role:approver", step_up: true}
      - {effect: confirm, classes: [create], objects: [Contact], approvers: "role:approver", group: true}
      - {effect: confirm, classes: [create], objects: [Task], approvers: requester}
      - {effect: confirm, approvers: "role:approver", verify: true}
console:
  oidc: {issuer: "%[8]s", client_id: %[9]s, client_secret: %[10]s, name: Acme, groups_claim: groups, acr: "%[11]s"}
  roles:
    - {role: approver, groups: [sales-approvers]}
    - {role: security, groups: [security-team]}
    - {role: auditor, groups: [audit]}
clients:
  - {id: demo, name: ChatGPT, redirect_uris: [http://127.0.0.1/callback]}
`

func startGallery(t *testing.T, kind string) *gallery {
	t.Helper()
	public, listen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	private, adminListen, err := demonstration.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	publicURL := "http://" + listen
	sim, err := salesforcesim.Listen(salesforcesim.Config{Callbacks: []string{publicURL + "/oauth/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	provider := listenAsProvider(t, publicURL+"/oauth/company/callback")
	p, file := configured(t, fmt.Sprintf(picturesConfig, publicURL, listen, adminListen, sim.BaseURL(), salesforcesim.OrgID, salesforcesim.PublicClientID, kind,
		provider.Issuer(), companysim.ClientID, companysim.ClientSecret, companysim.MFA))
	d := &companyDemo{provider: provider, issuer: provider.Issuer(),
		demo: &demo{t: t, dir: filepath.Dir(file), log: &lockedBuffer{}, Setup: setupOf(p.config, sim, file)}}
	serveOn(t, p, map[string]net.Listener{listen: public, adminListen: private})
	return &gallery{d, kind}
}

// take takes the pictures of a page, which must say these texts.
func (g *gallery) take(b *chrome, name, address string, texts ...string) {
	g.t.Helper()
	b.do(chromedp.EmulateViewport(1280, 800), colourScheme("light"))
	v := b.open(address)
	b.shows(v, v.Status, texts...)
	g.takeShown(b, name)
}

// takeShown takes the pictures of the page in view.
func (g *gallery) takeShown(b *chrome, name string) {
	g.t.Helper()
	for _, p := range pictured {
		b.do(screen(p.width, p.height, p.scale), colourScheme(p.scheme))
		if wide := ask[int64](b, "document.documentElement.scrollWidth"); wide > p.width {
			widest := ask[string](b, `[...document.querySelectorAll("main *")].sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right)[0].outerHTML.slice(0, 300)`)
			g.t.Errorf("%s is %d wide on a screen of %d: %s", name, wide, p.width, widest)
		}
		if cut := b.cut(); p.width < 500 && cut != "" {
			g.t.Errorf("%s: a table is cut off at the right: %s", name, cut)
		}
		if p.whole {
			b.do(screen(p.width, max(p.height, ask[int64](b, "document.documentElement.scrollHeight")), p.scale))
		}
		g.write(b, name+"-"+p.name)
	}
}

// screen gives the window a screen; one that is narrower than 500 pixels is a phone's.
func screen(width, height int64, scale float64) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: width < 500})
	}
}

// write pictures what is on the screen, in as few bytes as it takes.
func (g *gallery) write(b *chrome, name string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserLimit)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		g.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		g.t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(*pictures, name+".png"))
	if err != nil {
		g.t.Fatal(err)
	}
	if err := errors.Join((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, picture), f.Close()); err != nil {
		g.t.Fatal(err)
	}
}

// forReadme takes the pictures of the README: the first screen of a page, on a desktop or on a phone.
func (g *gallery) forReadme(b *chrome, name, address string, width, height int64, scale float64) {
	g.t.Helper()
	b.do(screen(width, height, scale), colourScheme("light"))
	b.open(address)
	g.write(b, "readme-"+name)
}

// first is the first record of an object with that value in a field.
func (g *gallery) first(object, field, value string) (id string) {
	g.t.Helper()
	for _, r := range g.records(object) {
		if r[field] == value {
			return fmt.Sprint(r["Id"])
		}
	}
	g.t.Fatalf("no %s with %s %s", object, field, value)
	return ""
}

// decideIn takes a decision on the page in a window.
func (b *chrome) decideIn(address, button string) {
	b.t.Helper()
	b.open(address)
	b.click(button)
}

type recordValues = map[string]any

func update(object, id string, body recordValues) recordValues {
	return recordValues{"sobject-name": object, "id": id, "body": body}
}

func create(object string, body recordValues) recordValues {
	return recordValues{"sobject-name": object, "body": body}
}

// Every page that people decide on, in every state that it can be in, is put into a folder as people
// see it on a desktop, on a phone and in the dark: go test ./cmd/sfmcp-proxy -run TestPictures -pictures DIR
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("without -pictures DIR there is nothing to do")
	}
	if err := os.MkdirAll(*pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	g := startGallery(t, "production")
	requester := startChrome(t)
	people := companysim.DefaultUsers()
	p := startLoopbackClient(t)
	approver, empty := g.meet(people[0], "/approvals")
	approver.shows(empty, http.StatusOK, "Nothing waits")
	requester.foreign, approver.foreign = true, true
	g.take(approver, "inbox-empty", g.PublicURL+"/approvals")
	g.take(requester, "consent", p.link(g.demo, "sales"), "Let ChatGPT use Salesforce as you?")
	c := g.connectInGallery(requester, "sales", rep)
	g.picturesOfWaiting(c, approver, requester)
	g.picturesOfOver(c, approver, requester)
	g.take(approver, "inbox-full", g.PublicURL+"/approvals", "Waiting for you")
	g.forReadme(approver, "inbox-phone", g.PublicURL+"/approvals", 390, 844, 500./390)
	g.take(requester, "inbox-requester", g.PublicURL+"/approvals", "Waiting for somebody else")
	g.take(requester, "account", g.PublicURL+"/account", "Disconnect")
	security, _ := g.meet(people[1], "/console/insights")
	security.foreign = true
	g.take(security, "insights", g.PublicURL+"/console/insights", "By who decided")
	g.take(approver, "account-company", g.PublicURL+"/account", "With your company")

	sandbox := startGallery(t, "sandbox")
	in := startChrome(t)
	in.foreign = true
	c = sandbox.connectInGallery(in, "sales", rep)
	held := sandbox.approvalURL(c.call("updateSobjectRecord", update("Account", sandbox.first("Account", "Name", "Northwind Logistics"), recordValues{"Phone": "+1 206 555 0190"})))
	sandbox.take(in, "pending-sandbox", held, "in a sandbox")
}

// connectInGallery is connectIn where the client is called ChatGPT.
func (g *gallery) connectInGallery(b *chrome, server, username string) *mcpClient {
	g.t.Helper()
	c := g.authorize(g.browser(), server, username)
	c.initialize()
	b.open(g.PublicURL + "/account")
	if v := b.look(); strings.Contains(v.Text, "Continue to Salesforce") {
		b.click(`form[action="/signin"] button`)
	}
	b.logIn(g.demo, username)
	if v := b.look(); strings.Contains(v.Text, "Allow Access?") {
		b.click(allowButton)
	}
	return c
}

// picturesOfWaiting are those of calls that wait.
func (g *gallery) picturesOfWaiting(c *mcpClient, approver, requester *chrome) {
	northwind, dana := g.first("Account", "Name", "Northwind Logistics"), g.first("Contact", "LastName", "Whitfield")
	held := func(tool string, arguments recordValues) string {
		g.t.Helper()
		return g.approvalURL(c.call(tool, arguments))
	}
	change := held("updateSobjectRecord", update("Contact", dana, recordValues{"Title": "Chief Operating Officer", "Phone": "+1 206 555 0163", "AccountId": g.first("Account", "Name", "Northwind Cold Storage")}))
	g.take(approver, "pending-update", change, "What would change")
	g.forReadme(approver, "approval", change, 1100, 760, 1)
	g.take(requester, "pending-others", change, "waits for somebody else")
	g.take(approver, "pending-create", held("createSobjectRecord", create("Account", recordValues{"Name": "Northwind Logistics", "Industry": "Logistics", "Description": "Two lines:\nwith an invisible \u200b character and a name that reads backwards: \u202egnp.exe", "NumberOfEmployees": 620, "Website": nil})), "There is a record of this name already")
	g.take(approver, "pending-delete", held("deleteSobjectRecord", recordValues{"sobject-name": "Account", "id": northwind}), "What hangs on it")
	g.forReadme(approver, "approval-phone", ask[string](approver, "location.href"), 390, 844, 500./390)
	g.take(approver, "pending-hidden", held("updateSobjectRecord", update("Contact", dana, recordValues{"Email": "dana@elsewhere.example", "Department": "Finance"})), "hide this field")
	g.take(approver, "pending-step-up", held("createSobjectRecord", create("Lead", recordValues{"LastName": "Nakamura", "Company": "Harbor Foods"})))
	g.take(approver, "pending-cannot-read", held("updateSobjectRecord", update("Contact", "003000000000001AAA", recordValues{"Title": "Nobody"})), "not known")
	many := recordValues{}
	for i := range 200 {
		many[fmt.Sprintf("Field_%03d__c", i)] = fmt.Sprint("value ", i)
	}
	g.take(approver, "pending-200-fields", held("updateSobjectRecord", update("Contact", dana, many)), "200")
	for _, name := range []string{"Marquez", "Okonkwo", "Petrov"} {
		change = held("createSobjectRecord", create("Contact", recordValues{"LastName": name, "AccountId": northwind}))
	}
	g.take(approver, "pending-group", change, "can be decided together")
	g.take(approver, "together", change+"/together", "Decide 3 calls together")
	g.take(approver, "counter", change+"/counter", "Propose other values")
	for id := range g.waiting() {
		g.must("approval", "deny", id, "--as", "Sam")
	}

	two := held("updateSobjectRecord", update("Opportunity", g.first("Opportunity", "Name", "Northwind renewal"), recordValues{"Amount": 149000, "NextStep": "Sign"}))
	approver.decideIn(two, approveButton)
	g.take(requester, "pending-half", two, "waits for somebody else")
	g.take(approver, "pending-half-approver", two)
	rest := g.authorize(g.browser(), "rest", rep)
	rest.initialize()
	g.take(requester, "pending-rest", g.approvalURL(rest.call("dispatch", recordValues{"method": "PATCH", "url": "/services/data/v67.0/sobjects/Account/" + northwind, "body": recordValues{"Rating": "Cold"}})))
	own := held("createSobjectRecord", create("Task", recordValues{"Subject": "Call Dana about the renewal", "WhatId": northwind, "WhoId": dana}))
	g.take(requester, "pending-own", own, "Approve this call?")
}

// waiting are the ids of the calls that wait.
func (g *gallery) waiting() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(g.must("approval", "list", "--json")) {
		if at := strings.Index(line, `"apr_`); at >= 0 {
			id, _, _ := strings.Cut(line[at+1:], `"`)
			all[id] = true
		}
	}
	return all
}

// picturesOfOver are those of calls that were decided, and of what became of them.
func (g *gallery) picturesOfOver(c *mcpClient, approver, requester *chrome) {
	northwind, dana := g.first("Account", "Name", "Northwind Logistics"), g.first("Contact", "LastName", "Whitfield")
	held := func(tool string, arguments recordValues) string {
		g.t.Helper()
		return g.approvalURL(c.call(tool, arguments))
	}
	title := update("Contact", dana, recordValues{"Title": "Chief Operating Officer", "Department": "Board"})

	link := held("updateSobjectRecord", title)
	approver.open(link)
	g.take(approver, "pending-before-approve", link)
	approver.click(approveButton)
	g.take(approver, "approved", link, "Approved")
	g.take(requester, "approved-requester", link, "Approved")
	open := g.authorize(g.browser(), "open", rep)
	open.initialize()
	open.call("updateSobjectRecord", update("Contact", dana, recordValues{"Department": "Sales"}))
	c.call("updateSobjectRecord", title)
	g.take(approver, "pending-changed", link, "has changed in Salesforce")
	approver.click(approveButton)
	c.call("updateSobjectRecord", title)
	g.take(requester, "done", link, "as intended")
	g.take(requester, "evidence", link+"/evidence", "Evidence of one call")
	requester.open(link)
	requester.click(`form[action$="/undo"] button`)
	g.take(requester, "undone", link, "asked to undo it")
	g.take(approver, "undo", g.PublicURL+"/approvals/"+path.Base(ask[string](requester, `document.querySelector("main p > a[href^='/approvals/apr']").href`)), "takes back another call")

	other := update("Contact", dana, recordValues{"Phone": "+1 206 555 0170"})
	link = held("updateSobjectRecord", other)
	approver.open(link)
	approver.click(approveButton)
	g.control("PUT", "/faults", map[string]any{"answer_delay": "2s"}, nil)
	made := make(chan reply)
	go func() {
		r, _ := c.post(context.Background(), "tools/call", map[string]any{"name": "updateSobjectRecord", "arguments": other}, false)
		made <- r
	}()
	eventually(g.t, plenty, "the change is made", func() bool { return g.phone(dana) == "+1 206 555 0170" })
	open.call("updateSobjectRecord", update("Contact", dana, recordValues{"Phone": "+12065550170"}))
	<-made
	g.control("PUT", "/faults", map[string]any{}, nil)
	g.take(requester, "differs", link, "differently")

	lost := create("Task", recordValues{"Subject": "Send the contract", "WhatId": northwind})
	link = held("createSobjectRecord", lost)
	requester.decideIn(link, approveButton)
	g.control("PUT", "/faults", map[string]any{"dropped_connections": 1}, nil)
	c.call("createSobjectRecord", lost)
	g.control("PUT", "/faults", map[string]any{}, nil)
	g.take(requester, "unknown", link, "Was it carried out?")
	requester.do(chromedp.SendKeys(chromedp.CSS("#how"), "The task is in the list of today."))
	requester.click(`button[name="happened"][value="yes"]`)
	g.take(requester, "unknown-resolved", link, "it happened")

	link = held("createSobjectRecord", create("Account", recordValues{"Name": "Denied Ltd", "AnnualRevenue": 5}))
	approver.open(link)
	approver.do(chromedp.Click(chromedp.CSS(".bar summary"), chromedp.NodeVisible), chromedp.SendKeys(chromedp.CSS("#reason"), "We have this customer already, under Northwind."))
	approver.click(denyButton)
	g.take(approver, "denied", link, "Denied")
	g.take(requester, "denied-requester", link, "Denied")

	link = held("createSobjectRecord", create("Account", recordValues{"Name": "Fair Ltd", "AnnualRevenue": 1000000}))
	approver.open(link + "/counter")
	approver.do(chromedp.SetValue(chromedp.CSS(`form[action$="/counter"] input[name="v0"]`), "900000"))
	approver.click(`form[action$="/counter"] button`)
	g.shoot(approver, "counter-shown")
	g.must("approval", "counter", path.Base(link), "--as", "Sam", "--arguments", `{"sobject-name":"Account","body":{"Name":"Fair Ltd","AnnualRevenue":900000}}`)
	g.take(approver, "countered", link, "Another call was proposed")
	g.take(requester, "countered-requester", link, "Another call was proposed")
	for id := range g.waiting() {
		if v := approver.open(g.PublicURL + "/approvals/" + id); strings.Contains(v.Text, "in the place of what was asked for") {
			g.take(approver, "pending-proposal", g.PublicURL+"/approvals/"+id)
		}
	}

	link = held("createSobjectRecord", create("Account", recordValues{"Name": "Late Ltd"}))
	approver.open(link)
	g.must("approval", "deny", path.Base(link), "--as", "Sam", "--reason", "Not this quarter.")
	approver.click(approveButton)
	g.shoot(approver, "decided-meanwhile")
	link = held("createSobjectRecord", create("Account", recordValues{"Name": "Expired Ltd"}))
	g.change(`UPDATE approvals SET expires_at = created_at + 1 WHERE id = $1`, path.Base(link))
	g.signed(db.Approvals, db.ApprovalStates)
	g.take(approver, "expired", link, "did not come back, in time")
	g.take(requester, "expired-requester", link, "did not come back, in time")
	colleague := g.authorize(g.browser(), "sales", manager)
	colleague.initialize()
	link = g.approvalURL(colleague.call("createSobjectRecord", create("Account", recordValues{"Name": "Ended Ltd"})))
	g.must("user", "revoke", manager)
	g.take(approver, "void", link, "its connection has ended")

	held("createSobjectRecord", create("Account", recordValues{"Name": "Harbor Foods", "Industry": "Food"}))
	held("updateSobjectRecord", update("Contact", dana, recordValues{"Title": "Advisor"}))
	held("deleteSobjectRecord", recordValues{"sobject-name": "Contact", "id": dana})
	held("createSobjectRecord", create("Task", recordValues{"Subject": "Write to Priya"}))
}

// shoot pictures the page that a window is on, on a desktop.
func (g *gallery) shoot(b *chrome, name string) {
	g.t.Helper()
	b.do(screen(1000, 1200, 1), colourScheme("light"))
	g.write(b, name+"-desktop")
}

// phone is the number that Salesforce has of a contact.
func (g *gallery) phone(id string) any {
	for _, r := range g.records("Contact") {
		if r["Id"] == id {
			return r["Phone"]
		}
	}
	return nil
}
