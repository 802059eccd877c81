package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/examples/salesforcesim"
)

// exported is what `audit export` says of one action since entry after, without what must
// differ: who, from where, when, of which object, and what names that object.
func (d *demo) exported(action string, after *int) (entries []map[string]any) {
	d.t.Helper()
	total := 0
	for line := range strings.Lines(d.must("audit", "export", "--action", action)) {
		if total++; total <= *after {
			continue
		}
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			d.t.Fatal(err)
		}
		e["follows an intent"] = e["intent"] != nil
		for _, name := range []string{"actor", "actor_kind", "actor_as", "source", "request_id", "seq", "at", "mac", "intent", "object", "approval", "arguments_digest", "grant"} {
			delete(e, name)
		}
		entries = append(entries, e)
	}
	*after = total
	return entries
}

// One fact has one entry, whichever way it came about: on a page, by command, from a client.
func TestOneEntryForOneFact(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	b := d.browser()
	d.authorize(b, "sobject-all", rep) // signs the browser in
	seen := 0
	held := func(name string) (link, id string) {
		link = d.approvalURL(c.call("createSobjectRecord", account(name)))
		return link, path.Base(link)
	}
	byPage := func(page *salesforcesim.Page, decision string) {
		t.Helper()
		if _, err := b.Choose(t.Context(), page, "decision", decision); err != nil {
			t.Fatal(err)
		}
	}
	open := func(link string) *salesforcesim.Page {
		t.Helper()
		page, err := b.Get(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	for decision, late := range map[string]string{"approve": "deny", "deny": "approve"} {
		onPage, _ := held(decision + " on the page")
		stale := open(onPage)
		byPage(open(onPage), decision)
		page := d.exported("approval.decide", &seen)
		byPage(stale, decision) // a second click is no second fact
		byPage(stale, late)
		pageLate := d.exported("approval.decide", &seen)

		_, id := held(decision + " by command")
		d.must("approval", decision, id, "--as", "Sam Security")
		command := d.exported("approval.decide", &seen)
		for _, again := range []string{decision, late} {
			if out, status := d.command("approval", again, id, "--as", "Sam Security"); status == exitDone || !strings.Contains(out, id+" is ") {
				t.Errorf("%s after %s: status %d, %s", again, decision, status, out)
			}
		}
		commandLate := d.exported("approval.decide", &seen)

		if diff := cmp.Diff(page, command); diff != "" || len(page) == 0 || page[len(page)-1]["decision"] != decision {
			t.Errorf("%s (-page +command): %s\n%v", decision, diff, page)
		}
		if diff := cmp.Diff(pageLate, commandLate); diff != "" || len(pageLate) != 1 || pageLate[0]["outcome"] != "denied" {
			t.Errorf("%s after %s (-page +command): %s\n%v", late, decision, diff, pageLate)
		}
	}

	seen = 0
	var ways [][]map[string]any
	for way, end := range map[string]func(c *mcpClient){
		"page": func(*mcpClient) {
			account := open(d.PublicURL + "/account")
			form := account.Forms[slices.IndexFunc(account.Forms, func(f salesforcesim.Form) bool { return strings.HasSuffix(f.Action, "/account/disconnect") })]
			if page, err := b.Submit(t.Context(), account, form, nil); err != nil || page.Status != http.StatusOK {
				t.Fatalf("disconnecting: %v, %+v", err, page)
			}
		},
		"command": func(*mcpClient) {
			var live struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal([]byte(d.must("grant", "list", "--json")), &live); err != nil { // there is one
				t.Fatal(err)
			}
			d.must("grant", "revoke", live.ID)
		},
		"client": func(c *mcpClient) {
			resp, err := http.PostForm(d.PublicURL+"/oauth/revoke", url.Values{"token": {c.refresh}, "client_id": {d.ClientID}})
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", resp, err)
			}
			resp.Body.Close()
		},
	} {
		d.must("user", "revoke", rep)
		c := d.connect("sobject-all", rep)
		b = d.browser()
		d.decide(b, d.approvalURL(c.call("createSobjectRecord", account("ended by "+way))), rep, "deny") // signs in
		d.exported("grant.revoke", &seen)
		end(c)
		entries := d.exported("grant.revoke", &seen)
		if len(entries) != 1 {
			t.Fatalf("%s: %v", way, entries)
		}
		delete(entries[0], "reason") // by whose wish
		ways = append(ways, entries)
	}
	for _, other := range ways[1:] {
		if diff := cmp.Diff(ways[0], other); diff != "" {
			t.Error(diff)
		}
	}
}

func TestActionFilterIsChecked(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, command := range []string{"list", "export"} {
		if out, status := d.command("audit", command, "--action", "tool.cal"); status != exitUsage || !strings.Contains(out, "tool.call") {
			t.Errorf("audit %s: status %d, %s", command, status, out)
		}
		d.must("audit", command, "--action", "tool.")
	}
}

// Whatever an operator types for a person, nobody is taken for that person, and the
// operator stays named.
func TestNamedDeciderIsNotTheUser(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	b := d.browser()
	d.authorize(b, "sobject-all", rep)
	for _, name := range []string{"user " + salesforcesim.RepID, "proxy", "you", salesforcesim.RepID, "أحمد", `x" as "you`} {
		link := d.approvalURL(c.call("createSobjectRecord", account("for "+name)))
		d.must("approval", "deny", path.Base(link), "--as", name)
		page, err := b.Get(t.Context(), link)
		if err != nil || strings.Contains(page.Body, "by you") || !strings.Contains(page.Body, "by operator") {
			t.Errorf("--as %q (%v): %s", name, err, page.Body)
		}
		var row struct {
			By   string     `json:"decided_by"`
			Kind actor.Kind `json:"decided_by_kind"`
		}
		if err := json.Unmarshal([]byte(d.must("approval", "show", path.Base(link), "--json")), &row); err != nil {
			t.Fatal(err)
		}
		if by := actor.Parse(row.By); !by.IsOperator() || by.As != name || row.Kind != "operator" {
			t.Errorf("--as %q is stored as %+v", name, row)
		}
	}
	link := d.approvalURL(c.call("createSobjectRecord", account("undecided")))
	for _, name := range []string{"", " ", "a\nb", "\x1b[31mred", "\u202ereversed", "nul\x00", strings.Repeat("n", 10000)} {
		if out, status := d.command("approval", "approve", path.Base(link), "--as", name); status != exitUsage {
			t.Errorf("--as %.20q: status %d, %.200s", name, status, out)
		}
	}
	recorded := 0
	for line := range strings.Lines(d.must("audit", "export", "--action", "approval.decide")) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e["actor_kind"] != "operator" || !strings.HasPrefix(e["actor"].(string), "operator") {
			t.Errorf("entry: %v", e)
		}
		recorded++
	}
	if recorded != 6 {
		t.Errorf("%d decisions are recorded", recorded)
	}
}
