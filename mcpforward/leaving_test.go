package mcpforward

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/examples/salesforcesim"
)

// leaves makes a request whose client goes as soon as definitions are being stored.
func (c *client) leaves(storing *atomic.Pointer[context.CancelFunc], method string) {
	c.t.Helper()
	ctx, leave := context.WithCancel(c.t.Context())
	defer leave()
	storing.Store(&leave)
	r := c.request(strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":"leaving","method":%q,"params":{}}`, method))).WithContext(ctx)
	r.RemoteAddr, r.RequestURI = "127.0.0.1:9", r.URL.Path
	c.handler.ServeHTTP(httptest.NewRecorder(), r)
	if ctx.Err() == nil {
		c.t.Errorf("%s: nothing was stored", method)
	}
	storing.Store(nil)
}

// FW-19, FW-20, AU-08: a client that goes while a list is compared keeps the first one from being the baseline as little as what is
// new in a later one from waiting for a person, and neither from being in the audit log.
func TestFW20ClientGoesWhileDefinitionsAreStored(t *testing.T) {
	t.Parallel()
	var storing atomic.Pointer[context.CancelFunc]
	w := newWorld(t, func(c *setup) {
		var err error
		c.Definitions, err = definition.New(definition.Config{DB: c.DB, Now: func() time.Time {
			if leave := storing.Load(); leave != nil {
				(*leave)()
			}
			return time.Now()
		}})
		if err != nil {
			t.Fatal(err)
		}
	})
	c := rep(w)
	c.leaves(&storing, "tools/list")
	begun := w.entries("definition.begin")
	if len(begun) != 2 || begun[1].Outcome != audit.OK || len(w.recorded("sales")) < 5 {
		t.Fatalf("the first list: %d are recorded, and the log has %+v", len(w.recorded("sales")), begun)
	}
	c.lists()
	w.redefine(salesforcesim.DefinitionChange{Name: "soqlQuery", Merge: map[string]any{"description": "Another."}})
	before := len(w.recorded("sales"))
	c.leaves(&storing, "tools/list")
	found := w.entries("definition.quarantine")
	if len(found) != 1 || !strings.HasPrefix(found[0].Reason, "changed; ") || len(w.recorded("sales")) != before+1 {
		t.Errorf("a change: %d of %d are recorded, and the log has %+v", len(w.recorded("sales")), before+1, found)
	}
}
