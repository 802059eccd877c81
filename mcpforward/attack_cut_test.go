package mcpforward

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
)

// RS-20: changes are stopped while an approved write waits for Salesforce, after every
// other check. It does not leave, and its approval is not burned.
func TestRS20StoppedBeforeSending(t *testing.T) {
	t.Parallel()
	for _, mode := range []access.Stop{access.StopWrites, access.StopAll} {
		var meanwhile atomic.Pointer[func()]
		w := newWorld(t, func(c *setup) {
			c.Links = slowLinks{c.Links, func() {
				if f := meanwhile.Load(); f != nil {
					(*f)()
				}
			}}
		})
		c := rep(w)
		w.wantHeld("first", c.create(createAccount))
		approved := w.decide(true)
		stop := func() {
			if !slices.Contains(outcomes(w.entries("tool.call")), audit.Intent) {
				return // it is still being judged
			}
			if err := w.handler.Access.SetStop(context.Background(), mode, "test"); err != nil {
				t.Error(err)
			}
		}
		meanwhile.Store(&stop)
		w.wantDenied("stopped right before sending", c.create(createAccount))
		meanwhile.Store(nil)
		if r, _ := w.approvals.Get(t.Context(), approved.ID); r.State != approval.Approved {
			t.Errorf("%s: the approval is %s", mode, r.State)
		}
		if got := outcomes(w.entries("tool.call")); got[len(got)-1] != audit.Denied {
			t.Errorf("%s: recorded %v", mode, got)
		}
		if err := w.handler.Access.SetStop(t.Context(), access.StopOff, "test"); err != nil {
			t.Fatal(err)
		}
		if a := c.create(createAccount); a.failed() || w.accounts("Nimbus") != 1 {
			t.Errorf("%s: afterwards: %s", mode, a.body)
		}
	}
}

// What a hosted server asks on the way to a change is not answered while changes are
// stopped: the answer could be what it waits for.
func TestRS20StoppedBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	w, server := withAsking(t, "elicitation")
	c := w.capable("asking", everything)
	stream := c.open(c.asks("elicitation/create", `{}`))
	asked := stream.next()
	if err := w.handler.Access.SetStop(t.Context(), access.StopWrites, "test"); err != nil {
		t.Fatal(err)
	}
	a := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, asked.ID))
	if a.status != http.StatusServiceUnavailable || server.got("accept") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if m := stream.next(); m == nil || !strings.Contains(m.raw, "cancelled") {
		t.Errorf("the call: %+v", m)
	}
	waitFor(t, func() bool { return server.got("notifications/cancelled") })
	if got := outcomes(w.entries("server.answer")); len(got) != 1 || got[0] != audit.Denied {
		t.Errorf("recorded %v", got)
	}
}
