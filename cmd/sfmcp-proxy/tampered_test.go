package main

import (
	"net/http"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/access"
)

// S7: somebody who can write the database of a running proxy, and has not its keys, approves
// no write, makes no token, unblocks nobody and ends no stop; what he did is in the audit log.
func TestS7WriterOfTheDatabase(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	c := d.connect("sobject-all", rep)
	held := d.approvalURL(c.call("createSobjectRecord", account("Forged Ltd")))
	d.change(`UPDATE approvals SET state = 'approved', decided_at = created_at, decided_by_kind = 'user', decided_by_id = 'boss'`)
	if r := c.call("createSobjectRecord", account("Forged Ltd")); d.named("Account", "Forged Ltd") != 0 {
		t.Errorf("the write was made: %s", r.body)
	}
	b := d.browser()
	if page, err := b.LogIn(t.Context(), held, rep, d.password(rep)); err != nil {
		t.Logf("the page: %s, %v", page, err) // it has no button
	}
	page, err := b.Get(t.Context(), held)
	if err != nil || !strings.Contains(page.Body, "changed by something else than the proxy") || strings.Contains(page.Body, `value="approve"`) || strings.Contains(page.Body, "boss") {
		t.Errorf("its page: %v\n%s", err, page.Body)
	}

	d.must("user", "block", rep)
	d.change(`UPDATE users SET blocked_at = 0`)
	d.change(`UPDATE grants SET revoked_at = 0, revoked_why = ''`)
	if r := c.send("tools/list", nil); r.Status != http.StatusUnauthorized {
		t.Errorf("unblocked by hand: %d", r.Status)
	}
	if out, status := d.command("user", "unblock", rep); status != exitFailed || !strings.Contains(out, "by the Salesforce user id") {
		t.Errorf("unblock by a username that may be a lie: %d %s", status, out)
	}

	other := d.connect("sobject-all", manager)
	d.must("stop", "all")
	d.change(`UPDATE stops SET value = 'off'`)
	if r := other.call("getUserInfo", map[string]any{}); !strings.Contains(r.body, "stopped") {
		t.Errorf("a stop ended by hand: %d %s", r.Status, r.body)
	}
	if out, status := d.command("stop", "status"); status != exitFailed || !strings.Contains(out, access.ErrStopAltered.Error()) {
		t.Errorf("stop status: %d %s", status, out)
	}
	d.must("stop", "off")
	if r := other.call("getUserInfo", map[string]any{}); r.Status != http.StatusOK || r.Result.IsError {
		t.Errorf("set anew: %d %s", r.Status, r.body)
	}

	var told string
	eventually(t, plenty, "what was changed is in the log", func() bool {
		told = d.must("audit", "export", "--action", "store.tamper")
		return strings.Contains(told, `"object":"approvals apr_`) && strings.Contains(told, `"object":"users acme/`) &&
			strings.Contains(told, `"object":"stops mode"`)
	})
	if n := strings.Count(told, `"object":"stops mode"`); n > 3 { // the proxy and two commands, once each
		t.Errorf("one row is told %d times", n)
	}
}
