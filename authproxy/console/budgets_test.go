package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// D15: what a signed-in person asks for is bounded, over all browsers and pages; others and
// those without a session go on.
func TestD15PagesOfAPersonAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.signIn("acme", "005A"), s.signIn("acme", "005A")
	other := s.signIn("acme", "005B")
	shown := 0
	var last answer
	for i := range 2 * pagesAtOnce {
		p, path := a, "/approvals/apr_none"
		if i%2 == 0 {
			p, path = b, []string{"/account", "/", "/approvals", "/connect/sales"}[i/2%4]
		}
		if last = p.get(path); last.status != http.StatusTooManyRequests {
			shown++
		}
	}
	if shown != pagesAtOnce {
		t.Errorf("%d pages", shown)
	}
	if last.header.Get("Retry-After") == "" || !strings.Contains(last.body, "Too many pages") || !strings.Contains(last.body, "<html") {
		t.Errorf("%v %s", last.header, last.body)
	}
	if got := a.post("/approvals/apr_none", url.Values{"decision": {"approve"}}); got.status != http.StatusTooManyRequests {
		t.Errorf("a form: %d", got.status)
	}
	if got := other.get("/account"); got.status != http.StatusOK {
		t.Errorf("another person: %d", got.status)
	}
	if got := s.send("GET", "/", "", nil); got.status != http.StatusOK {
		t.Errorf("a stranger: %d", got.status)
	}
	s.now = s.now.Add(time.Minute)
	if got := a.get("/account"); got.status != http.StatusOK {
		t.Errorf("a minute later: %d", got.status)
	}
}
