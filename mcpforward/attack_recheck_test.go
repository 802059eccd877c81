package mcpforward

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/salesforce"
	"sfmcp-proxy/examples/salesforcesim"
)

// losses are ways in which access ends though nobody takes it away: the grant is alive, its
// user is not blocked, and nothing in flight is told. Only the second look sees them.
var losses = map[string]func(*world, *client) error{
	"the username, by which the group goes, moved": func(w *world, _ *client) error {
		ctx := context.Background()
		if err := w.grants.SeeUser(ctx, "acme", salesforcesim.ManagerID); err != nil {
			return err
		}
		return w.grants.NameUser(ctx, "acme", salesforcesim.ManagerID, salesforcesim.RepUsername, "Manager")
	},
	"the token expired": func(w *world, _ *client) error { w.age(15 * time.Minute); return nil },
}

// losing is a world in which the user who calls is in the server's group by username, and
// nothing needs a person. admitted counts how often the token was found good.
func losing(t *testing.T, change func(*setup)) (w *world, c *client, admitted *atomic.Int32) {
	t.Helper()
	w = newWorld(t, func(c *setup) {
		c.Groups = []access.Group{{Name: "pilot", Members: []string{salesforcesim.RepUsername}}}
		c.Servers[0].Groups, c.Servers[0].Policy = []string{"pilot"}, allowAll()
		if change != nil {
			change(c)
		}
	})
	admitted = new(atomic.Int32)
	admit := w.handler.admit
	w.handler.admit = func(ctx context.Context, token, server string) (access.Caller, error) {
		caller, err := admit(ctx, token, server)
		if err == nil {
			admitted.Add(1)
		}
		return caller, err
	}
	if err := w.grants.SeeUser(t.Context(), "acme", salesforcesim.RepID); err != nil {
		t.Fatal(err)
	}
	if err := w.grants.NameUser(t.Context(), "acme", salesforcesim.RepID, salesforcesim.RepUsername, "Rep"); err != nil {
		t.Fatal(err)
	}
	return w, rep(w), admitted
}

// RS-20: access ends while the body of a call is still arriving, after its token was found
// good. The call does not leave.
func TestRS20AccessEndsDuringUpload(t *testing.T) {
	t.Parallel()
	for name, lose := range losses {
		w, c, admitted := losing(t, nil)
		before := admitted.Load()
		body, feed := io.Pipe()
		answers := make(chan *answer, 1)
		go func() { answers <- c.send(c.request(body)) }()
		message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"createSobjectRecord","arguments":` + createAccount + `}}`
		if _, err := io.WriteString(feed, message[:40]); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return admitted.Load() > before })
		if err := lose(w, c); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(feed, message[40:]); err != nil {
			t.Fatal(err)
		}
		feed.Close()
		wantChallenge(t, w, name, <-answers, "sales", "invalid_token")
		if got := outcomes(w.entries("tool.call")); len(got) != 2 || got[1] != audit.Denied {
			t.Errorf("%s: recorded %v", name, got)
		}
	}
}

// RS-20: access ends while a call waits for its turn behind another. It does not leave
// when its turn comes.
func TestRS20AccessEndsBeforeItsTurn(t *testing.T) {
	t.Parallel()
	for name, lose := range losses {
		w, c, _ := losing(t, func(c *setup) { c.Limits.ConcurrentCalls = 1 })
		slow, queued := w.underWay(t, c, `"slow"`), make(chan *answer, 1)
		go func() {
			d := *c
			queued <- d.create(createAccount)
		}()
		waitFor(t, func() bool { return w.handler.calls.count() == 2 })
		if err := lose(w, c); err != nil {
			t.Fatal(err)
		}
		w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
		<-slow
		if a := <-queued; a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if got := w.forwarded(); slices.Contains(got, "createSobjectRecord") || w.accounts("Nimbus") != 0 {
			t.Errorf("%s: forwarded %v", name, got)
		}
	}
}

// RS-20: who is cut off while a call waits for its turn has lost that call, whatever is true
// when its turn would have come.
func TestRS20CutOffBeforeItsTurn(t *testing.T) {
	t.Parallel()
	w, c, _ := losing(t, func(c *setup) { c.Limits.ConcurrentCalls = 1 })
	slow, queued := w.underWay(t, c, `"slow"`), make(chan *answer, 1)
	go func() {
		d := *c
		queued <- d.create(createAccount)
	}()
	waitFor(t, func() bool { return w.handler.calls.count() == 2 })
	w.handler.calls.end(func(string) error { return errCutOff }) // and the grant opens something again at once
	w.switches(func(f *salesforcesim.Switches) { f.AnswersHeld = false })
	<-slow
	if a := <-queued; a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("the queued call: %d %s", a.status, a.body)
	}
	if got := w.forwarded(); slices.Contains(got, "createSobjectRecord") || w.accounts("Nimbus") != 0 {
		t.Errorf("forwarded %v", got)
	}
}

// RS-20: access ends while a list is made for a call. The call does not leave.
func TestRS20AccessEndsWhileAListIsMade(t *testing.T) {
	t.Parallel()
	for name, lose := range losses {
		var meanwhile atomic.Pointer[func()]
		w, c, _ := losing(t, func(c *setup) {
			c.Links = slowLinks{c.Links, func() {
				if f := meanwhile.Swap(nil); f != nil {
					(*f)()
				}
			}}
		})
		end := func() {
			if err := lose(w, c); err != nil {
				t.Error(err)
			}
		}
		meanwhile.Store(&end)
		if a := c.create(createAccount); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if n := len(w.sim.Requests(salesforcesim.RequestFilter{RPC: "tools/list"})); n != 1 || len(w.forwarded()) != 0 {
			t.Errorf("%s: %d lists were made, forwarded %v", name, n, w.forwarded())
		}
	}
}

// CL-09: a server is pointed at another org, in which the same person has the same id and a
// login. What was granted for the one org opens nothing in the other.
func TestCL09ServerPointedAtAnotherOrg(t *testing.T) {
	t.Parallel()
	w, second := twoOrgs(t)
	c := rep(w)
	token, refresh, err := second.IssueTokens(salesforcesim.RepUsername, salesforcesim.PublicClientID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.links.Replace(t.Context(), sandbox, &salesforce.Token{AccessToken: token, RefreshToken: refresh,
		ExpiresAt: time.Now().Add(time.Hour), OrgID: sandboxID, Subject: salesforcesim.RepID}); err != nil {
		t.Fatal(err)
	}
	w.reconfigure(func(c *access.Config) {
		c.Servers[0].Org, c.Servers[0].URL = sandbox, second.ServerURL(sandbox, "platform/sobject-all")
	})
	wantChallenge(t, w, "server of another org", c.tool("getUserInfo", `{}`), "sales", "invalid_token")
	if n := len(second.Requests(salesforcesim.RequestFilter{})); n != 0 {
		t.Errorf("%d requests in the other org", n)
	}
}
