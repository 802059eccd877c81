package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAP20HookHearsOfAHeldCall: a webhook of the configuration hears of a call that waits and
// how it was decided; neither message nor queue has the call's arguments.
func TestAP20HookHearsOfAHeldCall(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
	}))
	defer hook.Close()
	d := startEdited(t, func(text string) string {
		return text + `
approvals:
  notify:
    - {name: hook, kind: webhook, url: ` + hook.URL + `, allow_addresses: [127.0.0.0/8], events: [requested, decided], roles: [requester]}
    - {name: blocked, kind: webhook, url: ` + hook.URL + `, roles: [requester]}
`
	})
	if out := d.must("notice", "test", "hook"); !strings.Contains(out, "took the message") || !strings.Contains(<-heard, "this is a test of sfmcp-proxy") {
		t.Errorf("notice test: %s", out)
	}
	c := d.connect("sobject-all", rep)
	const canary = "Canary-Account-7731"
	c.call("createSobjectRecord", map[string]any{"sobject-name": "Account", "body": map[string]any{"Name": canary}})
	next := func() (m struct {
		Type, Title string
		Approval    struct{ ID, URL, State, Tool, Object, User, Client, Reopened string }
	}) {
		t.Helper()
		select {
		case text := <-heard:
			if strings.Contains(text, canary) {
				t.Errorf("an argument is told: %s", text)
			}
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
		case <-time.After(plenty):
			t.Fatal("nobody was told")
		}
		return m
	}
	m := next()
	if m.Type != "approval.requested" || m.Title != "Creation of Account waits for approval" || m.Approval.URL != d.PublicURL+"/approvals/"+m.Approval.ID ||
		m.Approval.Tool != "createSobjectRecord" || m.Approval.User != rep || m.Approval.State != "pending" {
		t.Errorf("%+v", m)
	}
	eventually(t, plenty, "the other target is refused", func() bool { return strings.Contains(d.must("notice", "list"), "failed") })
	d.change(`UPDATE approvals SET reopened = 'changed', reopenings = 1 WHERE id = $1`, m.Approval.ID) // as Spend does
	if m := next(); m.Type != "approval.requested" || m.Title != "Creation of Account waits for approval again" || m.Approval.Reopened != "changed" {
		t.Errorf("%+v", m)
	}
	eventually(t, plenty, "the other target is refused again", func() bool { // else it is moot by then
		return strings.Count(d.must("notice", "list", "--all", "--json"), `"outcome":"failed"`) == 2
	})
	d.must("approval", "deny", m.Approval.ID, "--as", "alice")
	if m := next(); m.Type != "approval.decided" || m.Approval.State != "denied" {
		t.Errorf("%+v", m)
	}
	var list string
	eventually(t, plenty, "each message is sent or refused", func() bool {
		list = d.must("notice", "list", "--all", "--json")
		return strings.Count(list, `"outcome":"sent"`) == 3 && strings.Count(list, `"outcome":"failed"`) == 2
	})
	if !strings.Contains(list, "not an address of the public internet") || strings.Contains(list, canary) {
		t.Errorf("%s", list)
	}
	if n := metricOf(d, `sfmcp_notices_total{outcome="sent"}`); n != "3" {
		t.Errorf("the metric says %q", n)
	}
}
