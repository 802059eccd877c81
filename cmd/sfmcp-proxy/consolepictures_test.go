package main

import (
	"net/http"
	"os"
	"testing"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// TestPicturesOfTheConsole puts a picture of each page of the console into the folder of -pictures.
func TestPicturesOfTheConsole(t *testing.T) {
	if *pictures == "" {
		t.Skip("without -pictures DIR there is nothing to do")
	}
	if err := os.MkdirAll(*pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	d := startCompany(t)
	c := d.lookAround()
	for range 12 {
		c.call("soqlQuery", map[string]any{"q": "SELECT Id, Name FROM Account LIMIT 3"})
	}
	d.control("PUT", "/definitions", salesforcesim.Definitions{Changes: []salesforcesim.DefinitionChange{
		{Name: "getUserInfo", Merge: map[string]any{"description": "Says who you are, and more."}}}}, nil)
	c.send("tools/list", map[string]any{})
	d.must("review", "start", "--since", "1d", "--name", "spring")
	g, b := &gallery{companyDemo: d}, startChrome(t)
	b.shows(d.signInIn(b, companysim.DefaultUsers()[1]), http.StatusOK)
	for name, path := range map[string]string{
		"overview": "", "incident": "/incident", "incident-person": "/incident?person=" + rep, "people": "/people", "person": "/people/acme/" + salesforcesim.RepID,
		"connections": "/connections", "clients": "/clients", "reviews": "/reviews", "tools": "/tools", "tool": "/tools/sobject-all/getUserInfo",
		"policy": "/policy", "audit": "/audit", "audit-search": "/audit?tool=soqlQuery", "entry": "/audit/12", "denials": "/denials", "decisions": "/insights", "settings": "/settings",
		"evidence": "/evidence", "review": "/reviews/spring", "review-item": "/reviews/spring/sobject-all/acme/" + salesforcesim.RepID, "client": "/clients?id=" + d.ClientID,
		"client-connections": "/connections?client=" + d.ClientID, "incident-client": "/incident?client=" + d.ClientID,
	} {
		g.take(b, "console-"+name, d.PublicURL+"/console"+path)
	}
	d.must("stop", "writes")
	b.open(d.PublicURL + "/console")
	d.must("stop", "all")
	ask[bool](b, `(() => { const form = [...document.forms].find(f => f.textContent.includes("Let calls pass again")); form.elements.reason.value = "over"; form.requestSubmit(); return true })()`)
	eventually(t, browserLimit, "the switch was set meanwhile", func() bool {
		there, err := try[bool](b, `document.body.innerText.includes("set meanwhile")`)
		return err == nil && there
	})
	g.takeShown(b, "console-stop-moved")
}
