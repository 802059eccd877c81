package main

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"testing"
	"time"

	"sfmcp-proxy/examples/salesforcesim"
	"sfmcp-proxy/examples/salesforcesim/companysim"
)

// tile is a number of the overview with what it counts.
var tile = regexp.MustCompile(`<strong>([^<]*)</strong> ([^<]*)`)

// tiles are the numbers of the overview, by what they count.
func (d *companyDemo) tiles(b *salesforcesim.Browser) map[string]string {
	d.t.Helper()
	page := d.look(b, "/console")
	if page.Status != http.StatusOK {
		d.t.Fatalf("the overview: status %d", page.Status)
	}
	all := map[string]string{}
	for _, found := range tile.FindAllStringSubmatch(page.Body, -1) {
		all[found[2]] = found[1]
	}
	return all
}

// Each number of the overview, and those of people, connections and clients, are what happened.
func TestConsoleNumbersAreWhatHappened(t *testing.T) {
	t.Parallel()
	d := startCompany(t)
	b := d.member(companysim.DefaultUsers()[1])
	none := map[string]string{"calls today": "0", "denied today": "0", "calls waiting for a person": "0", "Salesforce logins lost": "0", "tools changed and hidden": "0",
		"servers that do not answer": "0", "budgets near their end": "0", "stop switch": "off"}
	day := time.Now().UTC().Day()
	expect := func(when string, changed map[string]string) {
		t.Helper()
		got, want := d.tiles(b), maps.Clone(none)
		for label, number := range changed {
			if label == "call waiting for a person" {
				delete(want, "calls waiting for a person")
			}
			want[label] = number
		}
		if time.Now().UTC().Day() != day { // which has ended meanwhile, and with it what is counted
			for _, of := range []string{"calls today", "denied today"} {
				want[of] = got[of]
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect("at first", nil)
	c := d.lookAround() // one answered, one denied, one that waits
	expect("after three calls", map[string]string{"calls today": "3", "denied today": "1", "call waiting for a person": "1"})
	for i := range 2 {
		c.call("soqlQuery", map[string]any{"q": "SELECT Id FROM Account LIMIT 1"})
		c.call("deleteSobjectRecord", map[string]any{"sobject-name": "Account", "id": "001xx000003DGb1AAG"})
		d.approvalURL(c.call("createSobjectRecord", account(fmt.Sprint("Another ", i))))
	}
	d.control("PUT", "/definitions", salesforcesim.Definitions{Changes: []salesforcesim.DefinitionChange{
		{Name: "getUserInfo", Merge: map[string]any{"description": "Says who you are, and more."}}}}, nil)
	c.send("tools/list", map[string]any{})
	expect("after nine calls and a changed definition", map[string]string{"calls today": "9", "denied today": "3", "calls waiting for a person": "3", "tools changed and hidden": "1"})
	other := d.connect("sobject-reads", rep)
	for path, wants := range map[string][]string{
		"/console/people/acme/" + salesforcesim.RepID:  {"2 connections, 3 waiting calls, every browser session"},
		"/console/connections?client=" + d.ClientID:    {"2 connections of 1 user"},
		"/console/clients?id=" + d.ClientID:            {"2 connections"},
		"/console/incident?person=" + rep:              {"2 connections, 3 waiting calls"},
		"/console/incident?client=" + d.ClientID:       {"2 connections"},
		"/console/connections?server=sobject-reads":    {"1 connection of 1 user"},
		"/console/denials":                             {"3 of 3"},
		"/console/connections?person=nobody@acme.test": {"None"},
	} {
		page := d.look(b, path)
		for _, want := range wants {
			if !regexp.MustCompile(regexp.QuoteMeta(want)).MatchString(page.Body) {
				t.Errorf("%s lacks %q:\n%s", path, want, page.Body)
			}
		}
	}
	d.must("user", "block", rep)
	if r := other.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("blocked, and answered %d", r.Status)
	}
	d.must("stop", "writes")
	expect("after a block and a stop", map[string]string{"calls today": "9", "denied today": "3", "tools changed and hidden": "1", "stop switch": "writes"})
}
