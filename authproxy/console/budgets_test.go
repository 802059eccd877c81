package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/ui"
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

// D15: of one person so many pages are answered at a time, however slowly a browser takes
// them; the next ones wait, and are refused when they would wait long. Others go on.
func TestD15PagesOfAPersonAtATimeAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Console{turns: party.NewTurns[access.Person](pagesUnderWay)}
		var mu sync.Mutex
		now, most := map[string]int{}, map[string]int{}
		slow := c.inTurn(func(_ http.ResponseWriter, _ *http.Request, v *visit) error {
			mu.Lock()
			now[v.session.Subject]++
			most[v.session.Subject] = max(most[v.session.Subject], now[v.session.Subject])
			mu.Unlock()
			time.Sleep(pageWait * 2 / 3)
			mu.Lock()
			now[v.session.Subject]--
			mu.Unlock()
			return nil
		})
		var all sync.WaitGroup
		refused := 0
		ask := func(subject string) {
			all.Go(func() {
				w := httptest.NewRecorder()
				err := slow(w, httptest.NewRequest("GET", "/approvals/apr_x", nil), &visit{session: &ui.Session{Org: "acme", Subject: subject}})
				if err == nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				refused++
				if err != errTooMany || w.Header().Get("Retry-After") == "" {
					t.Errorf("%v %v", err, w.Header())
				}
			})
		}
		for range 3 * pagesUnderWay {
			ask("005A")
		}
		ask("005B")
		all.Wait()
		if most["005A"] != pagesUnderWay || most["005B"] != 1 || refused != pagesUnderWay {
			t.Errorf("at a time %v, %d refused", most, refused)
		}
	})
}
