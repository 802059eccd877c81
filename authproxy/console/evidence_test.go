package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sfmcp-proxy/authproxy/audit"
)

// The evidence of a call has all that is known of it, escaped, without a script or a form of its
// own; a call of somebody else has none (AP-05).
func TestAP05EvidencePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice := s.signIn("acme", "005A")
	call := alice.ask(`{"body":{"Name":"<script>alert(1)</script>"},"sobject-name":"Account"}`, "requester")
	path := "/approvals/" + call.ID + "/evidence"
	alice.post("/approvals/"+call.ID, url.Values{"decision": {"approve"}}).want(t, http.StatusSeeOther)
	if over := alice.get("/approvals/" + call.ID); !strings.Contains(over.body, `href="`+path+`"`) {
		t.Error("the page of the call does not lead to its evidence")
	}
	page := alice.get(path)
	page.want(t, 200, "Evidence of one call", call.ID, call.ArgumentsDigest, "approved it", "user 005A", "createSobjectRecord", "<script>alert(1)</script>", "approval.read", "audit prove")
	if strings.Contains(page.body, "<script") || strings.Count(page.body, "<form") != 1 { // that of signing out
		t.Error("the page has a script, or a form")
	}
	read := func() (n int) {
		if err := s.audit.List(t.Context(), audit.Filter{Action: string(audit.ApprovalRead)}, func(audit.Entry) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := read(); n != 1 {
		t.Errorf("reading it has %d entries", n)
	}
	for name, mallory := range map[string]*person{"another user": s.signIn("acme", "005B"), "the same id in another org": s.signIn("other", "005A")} {
		if got := mallory.get(path); got.status != http.StatusNotFound || strings.Contains(got.body, "alert(1)") {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	alice.get("/approvals/apr_none/evidence").want(t, http.StatusNotFound)
	if n := read(); n != 1 {
		t.Errorf("who was refused has an entry: %d", n)
	}
}
