package main

import (
	"fmt"
	"net/http"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/examples/salesforcesim"
)

// A person sees what an update would replace, under the name of the record.
func TestBrowserBeforeAndAfter(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	b := startChrome(t)
	d := startDemo(t)
	c := d.connectIn(b, "sobject-all", rep)
	var id, name, phone string
	for _, r := range d.records("Account") {
		if r["OwnerId"] == salesforcesim.RepID && r["Phone"] != nil {
			id, name, phone = fmt.Sprint(r["Id"]), fmt.Sprint(r["Name"]), fmt.Sprint(r["Phone"])
		}
	}
	link := d.approvalURL(c.call("updateSobjectRecord", map[string]any{"sobject-name": "Account", "id": id,
		"body": map[string]any{"Phone": "+49 30 1\u202e2", "NumberOfEmployees": 70, "Name": name}}))
	b.shows(b.open(link), http.StatusOK, "What would change", name, phone, "+49 30 1⟨U+202E⟩2", "NumberOfEmployees", "stays as it is", "Read from Salesforce at")
	startAxe(t, b).accessible("before and after")
}
