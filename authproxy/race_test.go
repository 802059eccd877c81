package authproxy

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/grant"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// A race is decided by what the database does between two statements, so it is run
// often: each of these tests lets raceCallers loose on one thing, for many rounds.
const raceCallers = 50

// raced is what one of the callers was answered.
type raced struct {
	status int
	body   string
	tokens
}

// race posts one form for each caller at the same time. Whatever comes of it, no answer
// may be a failure of the server.
func (f *fixture) race(t *testing.T, form func(caller int) (path string, v url.Values)) []raced {
	t.Helper()
	answers := make([]raced, raceCallers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		path, v := form(i)
		all.Go(func() {
			<-start
			res, err := f.http.Post(f.PublicURL+path, formType, strings.NewReader(v.Encode()))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			var m struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
			}
			if len(body) > 0 {
				err = json.Unmarshal(body, &m)
			}
			if err != nil || res.StatusCode >= 500 {
				t.Errorf("%s: %d %s %v", path, res.StatusCode, body, err)
			}
			answers[i] = raced{res.StatusCode, string(body), tokens{access: m.Access, refresh: m.Refresh}}
		})
	}
	close(start)
	all.Wait()
	if t.Failed() {
		t.FailNow() // one broken round says enough
	}
	return answers
}

// startRace is a server whose clients keep their connections, with a user who stays
// connected whatever a race ends.
func startRace(t *testing.T) *fixture {
	t.Helper()
	f := start(t, change{})
	f.Cutoff.Forget = func(string, string) {} // the fixture's is for one caller at a time
	f.http.Transport.(*http.Transport).MaxIdleConnsPerHost = raceCallers
	f.tokens(t, f.codeForm(f.code(t)))
	return f
}

// quickCode is what the consent and the login give, without the pages.
func (f *fixture) quickCode(t *testing.T) (grantID, code string) {
	t.Helper()
	ctx := t.Context()
	id, err := f.Grants.Requests.Open(ctx, grant.AuthorizationRequest{Kind: grant.Authorize, Org: "acme", Server: "sales", Resource: f.Access.Resource("sales"),
		ClientID: "chatgpt", RedirectURI: testRedirect, Scope: "mcp", CodeChallenge: challengeOf(testVerifier)}, "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Grants.Requests.Send(ctx, id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := f.Grants.Requests.Finish(ctx, sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	grantID, code, err = f.Grants.CreateGrant(ctx, r, sim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	return grantID, code
}

// AS-05: one caller redeems the code. The others are replays, so that afterwards the
// grant is over, once, and what the winner got opens nothing.
func TestAS05RaceToRedeem(t *testing.T) {
	t.Parallel()
	f := startRace(t)
	for range rounds.Count(t) {
		id, code := f.quickCode(t)
		var won []raced
		for _, a := range f.race(t, func(int) (string, url.Values) { return "/oauth/token", f.codeForm(code) }) {
			if a.status == http.StatusOK {
				won = append(won, a)
			} else if a.status != http.StatusBadRequest || !strings.Contains(a.body, `"invalid_grant"`) {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if len(won) != 1 {
			t.Fatalf("%d callers redeemed one code", len(won))
		}
		f.opens(t, won[0].access, false)
		if g, err := f.Grants.Grant(t.Context(), id); err != nil || g.RevokedAt.IsZero() {
			t.Fatalf("after replays the grant is %+v, %v", g, err)
		}
	}
}

// AS-25: inside the grace window every caller gets the same successor, and it is the
// only leaf of the family.
func TestAS25RaceToRotate(t *testing.T) {
	t.Parallel()
	f := startRace(t)
	id, code := f.quickCode(t)
	present := f.tokens(t, f.codeForm(code))
	for range rounds.Count(t) {
		answers := f.race(t, func(int) (string, url.Values) { return "/oauth/token", refreshForm(present.refresh) })
		for _, a := range answers {
			if a.status != http.StatusOK || a.refresh != answers[0].refresh || a.refresh == present.refresh {
				t.Fatalf("%d, the successor the others got: %t", a.status, a.refresh == answers[0].refresh)
			}
		}
		f.opens(t, answers[0].access, true)
		f.opens(t, answers[raceCallers-1].access, true)
		if n := f.count(t, `SELECT COUNT(*) FROM refresh_tokens WHERE rotated_at = 0 AND grant_id = '`+id+`'`); n != 1 {
			t.Fatalf("the family has %d leaves", n)
		}
		f.clock.Add(f.Grants.Lifetimes().AccessToken) // a grant gets so many in that time
		present = answers[0].tokens
	}
}

// AS-47: revocations among refreshes. One of them ends the grant, is recorded once, and
// nothing that any caller got opens anything afterwards.
func TestAS47RaceToRevoke(t *testing.T) {
	t.Parallel()
	f := startRace(t)
	for range rounds.Count(t) {
		id, code := f.quickCode(t)
		first := f.tokens(t, f.codeForm(code))
		answers := f.race(t, func(caller int) (string, url.Values) {
			if caller%5 == 4 {
				return "/oauth/revoke", url.Values{"token": {first.refresh}, "client_id": {"chatgpt"}}
			}
			return "/oauth/token", refreshForm(first.refresh)
		})
		got := []tokens{first}
		for i, a := range answers {
			switch {
			case i%5 == 4 && a.status == http.StatusOK && a.body == "":
			case i%5 != 4 && a.status == http.StatusOK:
				got = append(got, a.tokens)
			case i%5 != 4 && a.status == http.StatusBadRequest && strings.Contains(a.body, `"invalid_grant"`):
			default:
				t.Fatalf("caller %d: %d %s", i, a.status, a.body)
			}
		}
		for _, have := range got {
			f.opens(t, have.access, false)
		}
		f.wantError(t, f.post(t, "/oauth/token", refreshForm(got[len(got)-1].refresh)), 400, "invalid_grant")
		ended := 0
		for _, e := range f.audited(t, "grant.revoke") {
			if e.Grant == id {
				ended++
			}
		}
		if ended != 1 {
			t.Fatalf("the end of one grant is recorded %d times", ended)
		}
	}
}
