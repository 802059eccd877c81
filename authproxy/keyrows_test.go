package authproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// FT-46: whatever is stored under a key that is not here yet gives nothing, is not taken for something that somebody changed, and
// is as good as before once the key is here: nothing was ended, begun anew or deleted meanwhile.
func TestFaultFT46RowsOfEveryKindBehindAKey(t *testing.T) {
	t.Parallel()
	f := startDynamic(t)
	f.db.OnAltered(func(a db.Altered) { t.Errorf("told as changed by somebody: %+v", a) })
	_, got := f.connect(t, sim.RepUsername, sim.RepPassword)
	code := f.code(t)
	browser := f.browser()
	f.signInAt(t, browser, "/signin?org=acme&return_to=/account")
	request, err := f.Grants.Requests.Open(t.Context(), grant.AuthorizationRequest{Kind: grant.SignIn, Org: "acme"}, "browser")
	if err != nil {
		t.Fatal(err)
	}
	registered := f.registered(t, plainRegistration)
	secret, _, err := f.Cutoff.Tokens.Create(t.Context(), apitoken.Wanted{Name: "ci", Role: "security", Lifetime: time.Hour, By: actor.Operator("root", "")})
	if err != nil {
		t.Fatal(err)
	}
	held := call("Acme", policy.Rule{Approvers: "role:security", Quorum: 2})
	waits, err := f.Cutoff.Approvals.Submit(t.Context(), held, "create")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cutoff.Approvals.Approve(t.Context(), waits.ID, approval.Decision{By: actor.User("005bob"), Human: "bob", Factor: "security", Role: "security"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Access.SetStop(t.Context(), "writes", "root"); err != nil {
		t.Fatal(err)
	}
	asked := httptest.NewRequest("GET", f.PublicURL+"/account", nil)
	asked.Header.Set("Cookie", cookieHeader(browser, f.PublicURL))

	ask := func(f func(context.Context) error) func() error { return func() error { return f(t.Context()) } }
	user := ask(func(ctx context.Context) error { _, err := f.Grants.User(ctx, "acme", sim.RepID); return err })
	opens := ask(func(ctx context.Context) error { _, err := f.Grants.Authenticate(ctx, got.access, "sales"); return err })
	waiting := ask(func(ctx context.Context) error {
		r, err := f.Cutoff.Approvals.Get(ctx, waits.ID)
		if err == nil && (r.State != approval.Pending || len(r.Decisions) != 1) {
			err = fmt.Errorf("it is %+v", r)
		}
		return err
	})
	for _, of := range []struct {
		of   db.Guard
		what string
		ask  func() error
	}{
		{db.Users, "user", user},
		{db.Users, "connection of the user", opens},
		{db.Users, "name", ask(func(ctx context.Context) error {
			return f.Grants.NameUser(ctx, "acme", sim.RepID, sim.RepUsername, "Rep")
		})},
		{db.Grants, "connection", opens},
		{db.AccessTokens, "access token", opens},
		{db.Stops, "kill switch", ask(func(ctx context.Context) error { _, err := f.Access.StopSetting(ctx); return err })},
		{db.Approvals, "call", waiting},
		{db.ApprovalStates, "state", waiting},
		{db.ApprovalDecisions, "decision", waiting},
		{db.BrowserSessions, "session", func() error { _, err := f.Sessions.Current(asked); return err }},
		{db.Requests, "request", ask(func(ctx context.Context) error {
			_, err := f.Grants.Requests.Pending(ctx, request, "browser")
			return err
		})},
		{db.RegisteredClients, "client", ask(func(ctx context.Context) error { _, err := f.Clients.Current(ctx, registered); return err })},
		{db.APITokens, "token of a program", ask(func(ctx context.Context) error { _, err := f.Cutoff.Tokens.Use(ctx, secret); return err })},
		// Last, what is used once:
		{db.RefreshTokens, "refresh", ask(func(ctx context.Context) error {
			_, err := f.Grants.Rotate(ctx, grant.Rotation{RefreshToken: got.refresh, ClientID: "chatgpt"})
			return err
		})},
		{db.Codes, "code", ask(func(ctx context.Context) error {
			_, err := f.Grants.Redeem(ctx, grant.Redemption{Code: code, ClientID: "chatgpt", RedirectURI: testRedirect, Verifier: testVerifier, Resource: f.Access.Resource("sales")})
			return err
		})},
	} {
		name := of.of.Table + "." + of.of.Column + ": " + of.what
		back := dbtest.Behind(t, f.db, of.of, f.ring)
		f.db.AwaitWatchers()
		for range 2 {
			if err := of.ask(); !errors.Is(err, db.ErrKeyMissing) {
				t.Errorf("%s: %v", name, err)
			}
		}
		back()
		f.db.AwaitWatchers()
		if err := of.ask(); err != nil {
			t.Errorf("%s, once the key is here: %v", name, err)
		}
	}
}
