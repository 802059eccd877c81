package authproxy

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/review"
	"sfmcp-proxy/authproxy/seal"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// act is one act, as the table of the DESIGN names it.
type act struct {
	name   string
	action audit.Action
	gives  bool
	asks   bool                  // it reads something first, while a caller who goes keeps it from beginning
	do     func(*try) error      // what somebody does
	left   func(t *try) int      // how much of it is not done
	ready  func(t *try) (of int) // makes it possible; of is what left says then
}

// try is one act that is tried.
type try struct {
	*testing.T
	*fixture
	ctx     context.Context // of the caller
	reviews *Reviews
	id      string // of what it is about
	token   string // an access token of the rep
	more    []grant.Grant
}

var repFilter = grant.Filter{Org: "acme", Subject: sim.RepID}

// must is for what makes an act possible.
func (t *try) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var actVerifier = strings.Repeat("v", 43)

// connected gives the rep so many connections, and no other.
func (t *try) connected(n int) int {
	t.Helper()
	_, err := t.Grants.RevokeUser(t.Context(), "acme", sim.RepID, "anew")
	t.must(err)
	for range n {
		r := &grant.AuthorizationRequest{Kind: grant.Authorize, Status: grant.Done, Org: "acme", Server: "sales", Resource: t.PublicURL + "/mcp/sales", ClientID: "chatgpt",
			RedirectURI: "https://chatgpt.com/cb", Scope: "mcp", CodeChallenge: challengeOf(actVerifier), GrantID: seal.Secret("grt_")}
		_, code, err := t.Grants.CreateGrant(t.Context(), r, sim.RepID)
		t.must(err)
		got, err := t.Grants.Redeem(t.Context(), grant.Redemption{Code: code, ClientID: r.ClientID, RedirectURI: r.RedirectURI, Verifier: actVerifier, Resource: r.Resource})
		t.must(err)
		t.token = got.AccessToken
	}
	t.more, err = t.Grants.Grants(t.Context(), repFilter)
	t.must(err)
	t.id = t.more[0].ID
	return n
}

// unblocked has the client and the rep refused no more.
func (t *try) unblocked() {
	t.Helper()
	if err := t.Clients.Unblock(t.Context(), "chatgpt"); err != nil && !errors.Is(err, client.ErrNotBlocked) {
		t.Fatal(err)
	}
	if err := t.Grants.UnblockUser(t.Context(), "acme", sim.RepID); err != nil && !errors.Is(err, grant.ErrNotFound) {
		t.Fatal(err)
	}
}

func (t *try) connections() int {
	t.Helper()
	n, err := t.Grants.LiveGrants(t.Context(), "acme", sim.RepID)
	t.must(err)
	return n
}

// is is 0 if something is so.
func is(so bool, err error) int {
	if err == nil && so {
		return 0
	}
	return 1
}

func (t *try) stopped(at access.Stop) int {
	mode, err := t.Access.StopMode(t.Context())
	return is(mode == at, err)
}

func (t *try) decisions() *Decisions {
	return &Decisions{Approvals: t.Cutoff.Approvals, Grants: t.Grants, Audit: t.Audit, Undos: inverse{}}
}

// waiting has a call wait.
func (t *try) waiting() int {
	t.Helper()
	t.connected(1)
	a, err := t.Cutoff.Approvals.Submit(t.Context(), approval.Binding{Org: "acme", Subject: sim.RepID, ClientID: "chatgpt", GrantID: t.id, Server: "sales", Tool: "createSobjectRecord", DefinitionHash: "d",
		PolicyVersion: "p", Arguments: jsontext.Value(`{"n":"` + seal.Secret("n") + `"}`), Confirmation: policy.Confirmation{Approvers: policy.Requester}}, "create")
	t.must(err)
	t.id = a.ID
	return 1
}

func (t *try) decide(approve bool) error {
	_, err := t.decisions().Decide(t.ctx, approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}, t.id, approval.Choice{Approve: approve})
	return err
}

func (t *try) isDecided(as approval.State) int {
	a, err := t.Cutoff.Approvals.Get(t.Context(), t.id)
	return is(err == nil && a.State == as, err)
}

// definition is the one that the acts are about, in its current state.
func (t *try) definition() (of definition.Pinned) {
	t.Helper()
	s := servers()[0]
	all, err := t.reviews.Definitions.List(t.Context(), definition.Server{Org: s.Org, URL: s.URL})
	t.must(err)
	return all[0]
}

func (t *try) definitions() *Definitions {
	return &Definitions{Store: t.reviews.Definitions, Audit: t.Audit}
}

// reviewed begins a review of a person who has so many connections, none of which is used.
func (t *try) reviewed(n int) int {
	t.Helper()
	t.connected(n)
	t.clock.Add(time.Hour)
	now := t.clock.Now()
	t.id = "q" + strconv.FormatInt(now.Unix(), 10)
	_, err := t.reviews.Begin(t.Context(), Act{By: reviewer.Actor, Why: "access review"}, t.id, review.Scope{Since: now.Add(-time.Minute), Until: now})
	t.must(err)
	return n
}

// actsOfTheTeam are those of the table by which the security team takes and gives access.
func actsOfTheTeam() []act {
	connections := func(n int) func(*try) int { return func(t *try) int { return t.connected(n) } }
	return []act{
		{name: "revoke a person", action: audit.UserRevoke, ready: connections(2), left: (*try).connections,
			do: func(t *try) error { _, err := t.Cutoff.RevokeUser(t.ctx, "acme", sim.RepID, byAdmin); return err }},
		{name: "block a person", action: audit.UserBlock,
			ready: func(t *try) int { t.unblocked(); return 1 + t.connected(2) },
			left: func(t *try) int {
				blocked, err := t.Grants.Blocked(t.Context(), "acme", sim.RepID)
				return is(blocked, err) + t.connections()
			},
			do: func(t *try) error { _, err := t.Cutoff.BlockUser(t.ctx, "acme", sim.RepID, byAdmin); return err }},
		{name: "unblock a person", action: audit.UserUnblock, gives: true, asks: true,
			ready: func(t *try) int {
				_, err := t.Grants.BlockUser(t.Context(), "acme", sim.RepID, "x")
				t.must(err)
				return 1
			},
			left: func(t *try) int {
				blocked, err := t.Grants.Blocked(t.Context(), "acme", sim.RepID)
				return is(!blocked, err)
			},
			do: func(t *try) error { return t.Cutoff.UnblockUser(t.ctx, "acme", sim.RepID, byAdmin) }},
		{name: "end a connection", action: audit.GrantRevoke, ready: connections(1), left: (*try).connections,
			do: func(t *try) error { _, err := t.Cutoff.RevokeGrant(t.ctx, t.id, byAdmin); return err }},
		{name: "disconnect", action: audit.GrantRevoke, ready: connections(1), left: (*try).connections, asks: true,
			do: func(t *try) error { _, err := t.Cutoff.Disconnect(t.ctx, "acme", sim.RepID, t.id); return err }},
		{name: "end connections", action: audit.GrantRevoke, ready: connections(3), left: (*try).connections,
			do: func(t *try) error {
				n, err := t.Cutoff.RevokeGrants(t.ctx, t.more, byAdmin)
				if n != len(t.more) {
					t.Errorf("%d of %d are said to have ended", n, len(t.more))
				}
				return err
			}},
		{name: "revoke a token", action: audit.TokenRevoke,
			ready: func(t *try) int { return t.connected(1) },
			left: func(t *try) int {
				_, err := t.Grants.Authenticate(t.Context(), t.token, "sales")
				return is(err != nil, nil)
			},
			do: func(t *try) error { return t.Cutoff.RevokeToken(t.ctx, t.token, "chatgpt") }},
		{name: "revoke a client", action: audit.ClientRevoke, ready: connections(2), left: (*try).connections,
			do: func(t *try) error { _, err := t.Cutoff.RevokeClient(t.ctx, "chatgpt", byAdmin); return err }},
		{name: "block a client", action: audit.ClientBlock,
			ready: func(t *try) int { t.unblocked(); return 1 + t.connected(2) },
			left: func(t *try) int {
				blocked, err := t.Clients.Blocked(t.Context())
				return is(blocked["chatgpt"], err) + t.connections()
			},
			do: func(t *try) error { _, _, err := t.Cutoff.BlockClient(t.ctx, "chatgpt", byAdmin); return err }},
		{name: "unblock a client", action: audit.ClientUnblock, gives: true, asks: true,
			ready: func(t *try) int { t.must(t.Clients.Block(t.Context(), "chatgpt")); return 1 },
			left:  func(t *try) int { blocked, err := t.Clients.Blocked(t.Context()); return is(!blocked["chatgpt"], err) },
			do:    func(t *try) error { return t.Cutoff.UnblockClient(t.ctx, "chatgpt", byAdmin) }},
		{name: "end a session", action: audit.SessionEnd,
			ready: func(t *try) int {
				_, err := t.Cutoff.People.Start(t.Context(), company.Identity{Issuer: idp, Subject: "ann", CheckedAt: t.clock.Now()}, "", math.MaxInt64)
				t.must(err)
				all, err := t.Cutoff.People.Sessions(t.Context())
				t.must(err)
				t.id = all[0].ID
				return len(all)
			},
			left: func(t *try) int { all, err := t.Cutoff.People.Sessions(t.Context()); t.must(err); return len(all) },
			do:   func(t *try) error { return t.Cutoff.EndSession(t.ctx, t.id, byAdmin) }},
		{name: "revoke a program's token", action: audit.APITokenRevoke,
			ready: func(t *try) int {
				_, token, err := t.Cutoff.Tokens.Create(t.Context(), apitoken.Wanted{Name: "siem", Role: "security", Lifetime: time.Hour, By: byAdmin.By})
				t.must(err)
				t.id = token.ID
				return 1
			},
			left: func(t *try) int {
				all, err := t.Cutoff.Tokens.List(t.Context())
				t.must(err)
				return is(slices.ContainsFunc(all, func(a apitoken.Token) bool { return a.ID == t.id && a.State(t.clock.Now()) == "revoked" }), nil)
			},
			do: func(t *try) error { _, err := t.Cutoff.RevokeAPIToken(t.ctx, t.id, byAdmin); return err }},
		{name: "tighten the stop", action: audit.StopSet,
			ready: func(t *try) int { t.must(t.Access.SetStop(t.Context(), access.StopOff, "x")); return 1 },
			left:  func(t *try) int { return t.stopped(access.StopWrites) },
			do:    func(t *try) error { return t.Cutoff.Stop(t.ctx, access.StopWrites, byAdmin) }},
		{name: "loosen the stop", action: audit.StopSet, gives: true,
			ready: func(t *try) int { t.must(t.Access.SetStop(t.Context(), access.StopAll, "x")); return 1 },
			left:  func(t *try) int { return t.stopped(access.StopOff) },
			do:    func(t *try) error { return t.Cutoff.Stop(t.ctx, access.StopOff, byAdmin) }},
		{name: "deny a call", action: audit.ApprovalDecide, asks: true, ready: (*try).waiting,
			left: func(t *try) int { return t.isDecided(approval.Denied) }, do: func(t *try) error { return t.decide(false) }},
		{name: "approve a call", action: audit.ApprovalDecide, gives: true, asks: true, ready: (*try).waiting,
			left: func(t *try) int { return t.isDecided(approval.Approved) }, do: func(t *try) error { return t.decide(true) }},
		{name: "reject a definition", action: audit.DefinitionReject,
			ready: func(t *try) int {
				if err := t.definitions().Accept(t.Context(), byAdmin.By, "sales", t.definition()); !errors.Is(err, definition.ErrAlready) {
					t.must(err)
				}
				return 1
			},
			left: func(t *try) int { return is(t.definition().State == definition.Rejected, nil) },
			do:   func(t *try) error { return t.definitions().Reject(t.ctx, byAdmin.By, "sales", t.definition()) }},
		{name: "accept a definition", action: audit.DefinitionAccept, gives: true,
			ready: func(t *try) int {
				if err := t.definitions().Reject(t.Context(), byAdmin.By, "sales", t.definition()); !errors.Is(err, definition.ErrAlready) {
					t.must(err)
				}
				return 1
			},
			left: func(t *try) int { return is(t.definition().State == definition.Accepted, nil) },
			do:   func(t *try) error { return t.definitions().Accept(t.ctx, byAdmin.By, "sales", t.definition()) }},
		{name: "revoke in a review", action: audit.ReviewDecide, asks: true, ready: func(t *try) int { return t.reviewed(2) }, left: (*try).connections,
			do: func(t *try) error {
				_, err := t.reviews.Decide(t.ctx, reviewer, t.id, review.Of{Org: "acme", Subject: sim.RepID, Server: "sales"}, audit.Revoke, "gone")
				return err
			}},
		{name: "unlink a user from a person", action: audit.PersonUnlink, gives: true, asks: true,
			ready: func(t *try) int {
				if err := t.Cutoff.People.Unlink(t.Context(), "acme", sim.RepID); !errors.Is(err, people.ErrNotFound) {
					t.must(err)
				}
				t.must(t.Cutoff.People.Link(t.Context(), people.Link{Org: "acme", Subject: sim.RepID, Issuer: idp, Person: "ann"}))
				return 1
			},
			left: func(t *try) int {
				l, err := t.Cutoff.People.LinkOf(t.Context(), "acme", sim.RepID)
				return is(l == nil, err)
			},
			do: func(t *try) error {
				_, err := t.Cutoff.Unlink(t.ctx, grant.User{Org: "acme", Subject: sim.RepID}, byAdmin)
				return err
			}},
		{name: "revoke what is unused in a review", action: audit.ReviewDecide, asks: true, ready: func(t *try) int { return t.reviewed(2) }, left: (*try).connections,
			do: func(t *try) error { _, err := t.reviews.RevokeIdle(t.ctx, reviewer, t.id, 9, "unused"); return err }},
	}
}

// acts are all of the table.
func acts() []act { return append(actsOfTheTeam(), moreActs()...) }

// eachAct makes each act possible and has test try it.
func eachAct(t *testing.T, test func(t *try, a act, of int)) {
	t.Helper()
	eachActIn(t, change{}, test)
}

// eachActIn is eachAct in another set-up.
func eachActIn(t *testing.T, ch change, test func(t *try, a act, of int)) {
	t.Helper()
	f, reviews, _ := startReviewsIn(t, ch)
	for _, a := range acts() {
		t.Run(a.name, func(t *testing.T) {
			one := &try{T: t, fixture: f, ctx: t.Context(), reviews: reviews}
			one.must(f.Access.SetStop(t.Context(), access.StopOff, "x"))
			one.unblocked()
			test(one, a, one.begin(a))
		})
	}
}

// begin makes an act possible, and says how much of it there is to do.
func (t *try) begin(a act) int {
	t.Helper()
	of := a.ready(t)
	if left := a.left(t); left != of {
		t.Fatalf("%d of %d are to be done", left, of)
	}
	return of
}

// AU-08: while the log cannot be written, what takes access away is done, and told as that; what gives it is not
// done. The table of the DESIGN says which is which, and names all of them.
func TestAU08ActsWhileTheLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	eachAct(t, func(t *try, a act, of int) {
		t.refuseEntries("")
		defer t.Audit.Refuse(func(audit.Entry) error { return nil })
		err := a.do(t)
		switch left := a.left(t); {
		case a.gives && (left != of || !errors.Is(err, audit.ErrNoIntent) || audit.TookEffect(err)):
			t.Errorf("it gives: %d of %d left, %v", left, of, err)
		case !a.gives && (left != 0 || audit.Unrecorded(err) == nil || !audit.TookEffect(err)):
			t.Errorf("it takes: %d of %d left, %v", left, of, err)
		case !a.gives && !strings.HasPrefix(err.Error(), "done, but not in the audit log: ") || strings.Count(err.Error(), "not in the audit log") > 1:
			t.Errorf("told as %q", err)
		}
	})
}

// The DESIGN lists each act that is tested here, as what it is, and no other.
func TestAU08DesignListsTheActs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([a-z' ]+) \\| (gives|takes) \\| `([a-z.]+)`").FindAllStringSubmatch(string(text), -1) {
		listed[row[1]] = row[2] + " " + row[3]
	}
	for _, a := range acts() {
		want := "takes " + string(a.action)
		if a.gives {
			want = "gives " + string(a.action)
		}
		if listed[a.name] != want {
			t.Errorf("%s: the DESIGN says %q, want %q", a.name, listed[a.name], want)
		}
		delete(listed, a.name)
	}
	for name := range listed {
		t.Errorf("%s: no such act is tested", name)
	}
}

// SR-AD-2: whenever the caller goes, an act is done and recorded, or neither; what takes access away and has
// begun is done.
func TestSRAD2ActsOutliveTheirCaller(t *testing.T) {
	t.Parallel()
	eachAct(t, func(t *try, a act, of int) {
		for n := range 60 {
			before := len(t.recorded(a))
			caller := dbtest.Leaving(n)
			t.ctx = caller
			err := a.do(t)
			gone := caller.End()
			left, more := a.left(t), t.recorded(a)[before:]
			switch {
			case left != 0 && left != of:
				t.Errorf("gone after %d: %d of %d left, %v", n, left, of, err)
			case left == 0 && (len(more) == 0 || slices.ContainsFunc(more, func(e audit.Entry) bool { return e.Outcome == audit.Failed })):
				t.Errorf("gone after %d: done, and recorded as %+v, %v", n, more, err)
			case left != 0 && slices.ContainsFunc(more, func(e audit.Entry) bool { return e.Outcome == audit.OK }):
				t.Errorf("gone after %d: recorded and not done, %v", n, err)
			case !gone && (left != 0 || err != nil):
				t.Errorf("there all the time: %d of %d left, %v", left, of, err)
			case left != 0 && !a.gives && !a.asks:
				t.Errorf("gone after %d: not done, %v", n, err)
			}
			if t.Failed() || !gone {
				return
			}
			of = t.begin(a)
		}
		t.Error("the caller is asked for without end")
	})
}

// recorded are the entries of an act that say how it went.
func (t *try) recorded(a act) []audit.Entry {
	return slices.DeleteFunc(t.audited(t.T, a.action), func(e audit.Entry) bool { return e.Outcome == audit.Intent })
}

// AU-08: a client is told that its token is revoked, though that is not in the log.
func TestAU08RevocationEndpoint(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	_, got := f.connect(t, sim.RepUsername, sim.RepPassword)
	f.refuseEntries("")
	if r := f.post(t, "/oauth/revoke", url.Values{"token": {got.refresh}, "client_id": {"chatgpt"}}); r.status != http.StatusOK {
		t.Errorf("status %d: %s", r.status, r.body)
	}
	f.opens(t, got.access, false)
}
