package mcpforward

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/examples/salesforcesim"
)

func get(r *http.Request) { r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0 }

// RS-10: access that ends while a stream is being opened, at whatever moment, leaves no
// stream open, though another client of the same user has one, and is told as such.
func TestRS10CutOffBeforeTheStream(t *testing.T) {
	t.Parallel()
	var atOnce, later atomic.Pointer[func()]
	run := func(p *atomic.Pointer[func()]) {
		if f := p.Swap(nil); f != nil {
			(*f)()
		}
	}
	w, server := withAsking(t)
	w.handler.Links = slowLinks{w.handler.Links, func() { run(&later) }}
	admit := w.handler.admit
	w.handler.admit = func(ctx context.Context, token, server string) (access.Caller, error) {
		caller, err := admit(ctx, token, server)
		run(&atOnce)
		return caller, err
	}
	cut := func(c *client) *func() {
		f := func() {
			if _, err := w.grants.RevokeGrant(context.Background(), c.grant, "test"); err != nil {
				t.Error(err)
			}
			w.handler.Recheck(context.Background())
		}
		return &f
	}
	alone := w.capable("asking", `{}`)
	later.Store(cut(alone))
	if a := alone.send(alone.request(nil, get)); a.status != http.StatusUnauthorized {
		t.Errorf("while Salesforce is asked: %d %s", a.status, a.body)
	}
	other := w.connect(salesforcesim.RepID, "claude", "asking")
	stream := other.open(other.request(nil, get))
	c := w.capable("asking", `{}`)
	atOnce.Store(cut(c))
	if a := c.send(c.request(nil, get)); a.status != http.StatusUnauthorized {
		t.Errorf("while the request is looked at: %d %s", a.status, a.body)
	}
	server.changes <- "notifications/tools/list_changed"
	if m := stream.next(); m == nil {
		t.Error("the other client's stream has ended, too")
	}
}

// A proxy that shuts down opens no more streams, and says that it is not Salesforce's fault.
func TestNoStreamsWhileDraining(t *testing.T) {
	t.Parallel()
	w, _ := withAsking(t)
	c := w.capable("asking", `{}`)
	w.handler.Drain()
	if a := c.send(c.request(nil, get)); a.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", a.status, a.body)
	}
}
