package authproxy

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/definition"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/review"
	sim "sfmcp-proxy/examples/salesforcesim"
)

// reviewer is who decides, by the command line.
var reviewer = approval.Decider{Actor: actor.Operator("alice", "ann")}

// startReviews has two people with connections and three tools, one of which the first called.
func startReviews(t *testing.T) (*fixture, *Reviews, map[string]tokens) {
	t.Helper()
	return startReviewsIn(t, change{})
}

// startReviewsIn is startReviews for another set-up.
func startReviewsIn(t *testing.T, ch change) (*fixture, *Reviews, map[string]tokens) {
	t.Helper()
	f := start(t, ch)
	got := map[string]tokens{}
	_, got[sim.RepID] = f.connect(t, sim.RepUsername, sim.RepPassword)
	_, got[sim.ManagerID] = f.connect(t, sim.ManagerUsername, sim.ManagerPassword)
	store, err := definition.New(definition.Config{DB: f.db, Now: f.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	var tools []definition.Definition
	for _, name := range []string{"soqlQuery", "find", "deleteSobjectRecord"} {
		text := jsontext.Value(`{"name":"` + name + `"}`)
		tools = append(tools, definition.Definition{Kind: definition.Tool, Name: name, Text: text, Digest: definition.Digest(text)})
	}
	s := servers()[0]
	if _, _, err := store.Begin(t.Context(), definition.Server{Org: s.Org, URL: s.URL}, definition.Tool, tools); err != nil {
		t.Fatal(err)
	}
	for _, outcome := range []audit.Outcome{audit.Intent, audit.OK, audit.Denied} {
		tool := "soqlQuery"
		if outcome == audit.Denied { // an attempt is no use
			tool = "find"
		}
		if _, err := f.Audit.Append(t.Context(), audit.Entry{Actor: actor.User(sim.RepID), Action: audit.ToolCall, Outcome: outcome, Org: "acme", Subject: sim.RepID, Username: sim.RepUsername,
			Server: "sales", Tool: tool, Class: "read"}); err != nil {
			t.Fatal(err)
		}
	}
	return f, &Reviews{Cutoff: f.Cutoff, Definitions: store, Now: f.clock.Now}, got
}

func (f *fixture) review(t *testing.T, r *Reviews, name string) *review.Review {
	t.Helper()
	now := f.clock.Now()
	one, err := r.Begin(t.Context(), Act{By: reviewer.Actor, Why: "access review"}, name, review.Scope{Since: now.Add(-time.Hour), Until: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// A review has everybody who is connected or may connect, with what they used and what not.
func TestReviewListsWhoHasAccess(t *testing.T) {
	t.Parallel()
	f, r, _ := startReviews(t)
	one := f.review(t, r, "2026-Q3")
	var got []string
	for _, i := range one.Items {
		var used []string
		for _, use := range i.Used {
			used = append(used, use.Tool)
		}
		got = append(got, strings.Join([]string{i.Server, i.Username, strings.Join(used, "+"), strings.Join(i.Unused, "+"), strings.Join(i.Groups, "+")}, "|"))
		if connected := i.Connections == 1; connected != (i.Server == "sales") || connected == i.Granted.IsZero() {
			t.Errorf("%s: %d connections, since %s", i.Server, i.Connections, i.Granted)
		}
	}
	want := []string{
		"all|" + sim.ManagerUsername + "||find+soqlQuery|managers",
		"sales|" + sim.ManagerUsername + "||find+soqlQuery|sellers",
		"sales|" + sim.RepUsername + "|soqlQuery|find|sellers", // nobody may delete, so nobody leaves that unused
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if one.Open() != 3 || one.Scope.Items != 3 || len(one.Unknown) != 0 || one.By != reviewer.Actor.String() {
		t.Errorf("%+v", one)
	}
	if _, err := r.Begin(t.Context(), Act{By: reviewer.Actor}, "2026-Q3", review.Scope{}); !errors.Is(err, ErrReviewed) {
		t.Errorf("again: %v", err)
	}
	if all, err := r.Reviews(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d reviews, %v", len(all), err)
	}
	if text := one.Proposal(map[string]string{"sales": "sales", "all": "sales", "nobody": "sales"})[0]; strings.Join(text.Tools, "+") != "find" {
		t.Errorf("nobody called find: %+v", text)
	}
}

// Keep changes nothing, revoke ends the connections to that server and no other; both stay on
// record, and the last one stands.
func TestReviewDecides(t *testing.T) {
	t.Parallel()
	f, r, got := startReviews(t)
	f.review(t, r, "q")
	rep, manager := review.Of{Org: "acme", Subject: sim.RepID, Server: "sales"}, review.Of{Org: "acme", Subject: sim.ManagerID, Server: "sales"}
	if n, err := r.Decide(t.Context(), reviewer, "q", rep, audit.Keep, "needs it"); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	f.opens(t, got[sim.RepID].access, true)
	if n, err := r.Decide(t.Context(), reviewer, "q", manager, audit.Revoke, "never used"); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	f.opens(t, got[sim.ManagerID].access, false)
	f.opens(t, got[sim.RepID].access, true)
	f.wantLogin(t, sim.ManagerID, "revoked")
	f.wantAudited(t, "grant.revoke", "ok", "access review q: never used")
	if n, err := r.Decide(t.Context(), reviewer, "q", rep, audit.Revoke, "left"); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	one, err := r.Review(t.Context(), "")
	if err != nil || one.Open() != 1 {
		t.Fatalf("%+v, %v", one, err)
	}
	if i := one.Find(rep); i.Decision.What != audit.Revoke || i.Decision.Reason != "left" || i.Earlier != 1 || !strings.Contains(i.Decision.By, "ann") {
		t.Errorf("%+v", i.Decision)
	}
	changes := one.Proposal(map[string]string{"sales": "sales", "all": "sales"})
	if len(changes) != 1 || len(changes[0].Members) != 2 || !strings.Contains(changes[0].Difference(), "-      "+sim.RepID+"\n") {
		t.Errorf("%+v", changes)
	}
}

// What nobody used ends all at once, in steps, but never the access of who decides; what was used, or
// decided about, stays, and so does what another replica saw used, whose calls are not in this log. Who may only
// connect has nothing that could end.
func TestReviewRevokesWhatNobodyUsed(t *testing.T) {
	t.Parallel()
	f, r, got := startReviews(t)
	f.clock.Add(24 * time.Hour)
	rep := f.tokens(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got[sim.RepID].refresh}, "client_id": {"chatgpt"}})
	if one := f.review(t, r, "q"); one.Find(review.Of{Org: "acme", Subject: sim.RepID, Server: "sales"}).UsedTotal != 0 {
		t.Fatal("the log has a call")
	}
	live := func(subject string) int {
		all, err := f.Grants.Grants(t.Context(), grant.Filter{Subject: subject})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	f.linkPerson(t, sim.ManagerID)
	human, err := f.Cutoff.People.HumanOf(t.Context(), "acme", sim.ManagerID)
	if err != nil {
		t.Fatal(err)
	}
	open := func(want int) {
		t.Helper()
		all, err := r.Summaries(t.Context())
		if err != nil || len(all) != 1 || all[0].ID != "q" || all[0].Open != want || all[0].Scope.Items != 3 {
			t.Errorf("%+v, %v, want %d open", all, err, want)
		}
	}
	for _, tt := range []struct {
		name   string
		by     approval.Decider
		most   int
		reason string
		want   Idle
		err    error
		open   int
	}{
		{"without a reason", reviewer, 9, " ", Idle{}, actor.ErrReason, 3},
		{"of themselves", approval.Decider{Actor: actor.Person(idp, "ann"), Human: human}, 9, "unused", Idle{Own: 2}, nil, 3},
		{"one of two", reviewer, 1, "unused", Idle{Items: 1, Without: 1, Left: 1}, nil, 2},
		{"the other", reviewer, 9, "unused", Idle{Items: 1, Connections: 1}, nil, 1},
		{"again", reviewer, 9, "unused", Idle{}, nil, 1},
	} {
		did, err := r.RevokeIdle(t.Context(), tt.by, "q", tt.most, tt.reason)
		if did != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %v", tt.name, did, err)
		}
		open(tt.open)
	}
	f.opens(t, rep.access, true)
	if live(sim.RepID) != 1 || live(sim.ManagerID) != 0 {
		t.Errorf("%d connections of who used theirs, %d of who did not", live(sim.RepID), live(sim.ManagerID))
	}
	if one, err := r.Review(t.Context(), "q"); err != nil || *one.Find(review.Of{Org: "acme", Subject: sim.ManagerID, Server: "all"}).Decision.Ended != 0 {
		t.Errorf("of who may connect nothing ended, and the review has %+v, %v", one, err)
	}
	if _, err := r.RevokeIdle(t.Context(), reviewer, "x", 9, "r"); !errors.Is(err, ErrNoReview) {
		t.Error(err)
	}
}

// What was not used when the review began, and is since, is not ended as unused.
func TestReviewLeavesWhatIsUsedMeanwhile(t *testing.T) {
	t.Parallel()
	f, r, got := startReviews(t)
	f.clock.Add(24 * time.Hour)
	one := f.review(t, r, "q")
	item := one.Find(review.Of{Org: "acme", Subject: sim.ManagerID, Server: "sales"})
	if !r.Unused(one, item) {
		t.Fatalf("%+v is used", item)
	}
	manager := f.tokens(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got[sim.ManagerID].refresh}, "client_id": {"chatgpt"}})
	if n, err := r.RevokeUnused(t.Context(), reviewer, one, item, "unused"); n != 0 || !errors.Is(err, ErrUsed) {
		t.Errorf("%d ended, %v", n, err)
	}
	if did, err := r.RevokeIdle(t.Context(), reviewer, "q", 9, "unused"); err != nil || did.Used != 1 {
		t.Errorf("%+v, %v", did, err)
	}
	f.opens(t, manager.access, true)
}

// Of several that begin one name at once, one does, and the others are told.
func TestReviewBeginsOnce(t *testing.T) {
	t.Parallel()
	f, r, _ := startReviews(t)
	const callers = 3
	var all sync.WaitGroup
	all.Add(callers)
	f.Audit.Refuse(func(e audit.Entry) error {
		if e.Action == audit.ReviewBegin && e.Outcome == audit.Intent { // each has looked, and there was none
			all.Done()
			all.Wait()
		}
		return nil
	})
	began := make(chan error, callers)
	for range callers {
		go func() {
			_, err := r.Begin(t.Context(), Act{By: reviewer.Actor}, "q", review.Scope{})
			began <- err
		}()
	}
	n := 0
	for range callers {
		if err := <-began; err == nil {
			n++
		} else if !errors.Is(err, ErrReviewed) {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d have begun it", n)
	}
}

// What does not count changes nothing: a person or server that is not in the review, another
// decision, no reason, and somebody's own access by whatever way they signed in.
func TestReviewRefuses(t *testing.T) {
	t.Parallel()
	f, r, got := startReviews(t)
	f.review(t, r, "q")
	rep := review.Of{Org: "acme", Subject: sim.RepID, Server: "sales"}
	own := approval.Decider{Actor: actor.User(sim.RepID), Org: "acme"}
	human, err := f.Cutoff.People.HumanOf(t.Context(), "acme", sim.RepID)
	if err != nil {
		t.Fatal(err)
	}
	asPerson := approval.Decider{Actor: actor.Person(idp, "ann"), Human: human}
	for _, tt := range []struct {
		name, review string
		by           approval.Decider
		of           review.Of
		what         audit.Decision
		reason       string
		want         error
	}{
		{"another review", "x", reviewer, rep, audit.Revoke, "r", ErrNoReview},
		{"another server", "q", reviewer, review.Of{Org: "acme", Subject: sim.RepID, Server: "all"}, audit.Revoke, "r", ErrNotInIt},
		{"no text", "q", reviewer, rep, audit.Revoke, "\xff", actor.ErrReason},
		{"no reason", "q", reviewer, rep, audit.Revoke, " \u200b", actor.ErrReason},
		{"their own", "q", own, rep, audit.Keep, "r", ErrOwnAccess},
		{"their own as a person", "q", asPerson, rep, audit.Keep, "r", ErrOwnAccess},
		{"their own at the command line", "q", as(sim.RepID), rep, audit.Keep, "r", ErrOwnAccess},
		{"their own at the command line, by a short id", "q", as(" " + sim.RepID[:15]), rep, audit.Keep, "r", ErrOwnAccess},
		{"neither", "q", reviewer, rep, audit.Approve, "r", nil},
	} {
		if _, err := r.Decide(t.Context(), tt.by, tt.review, tt.of, tt.what, tt.reason); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	f.opens(t, got[sim.RepID].access, true)
	if one, err := r.Review(t.Context(), "q"); err != nil || one.Open() != 3 {
		t.Errorf("%+v, %v", one, err)
	}
	// Nothing stands in the way of ending access at the command line.
	if n, err := r.Decide(t.Context(), as(sim.RepID), "q", rep, audit.Revoke, "r"); err != nil || n == 0 {
		t.Errorf("ending their own: %d, %v", n, err)
	}
}

// A review that did not begin to the end is none, and its name can be used.
func TestReviewBeginsWholeOrNot(t *testing.T) {
	t.Parallel()
	f, r, _ := startReviews(t)
	n := 0
	f.Audit.Refuse(func(e audit.Entry) error {
		if n++; e.Action == audit.ReviewInclude && n > 2 {
			return errors.New("disk full")
		}
		return nil
	})
	if _, err := r.Begin(t.Context(), Act{By: reviewer.Actor}, "q", review.Scope{}); err == nil {
		t.Fatal("it began")
	}
	f.Audit.Refuse(func(audit.Entry) error { return nil })
	if all, err := r.Reviews(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d reviews, %v", len(all), err)
	}
	if one := f.review(t, r, "q"); len(one.Items) != 3 {
		t.Errorf("%d items", len(one.Items))
	}
}

// AU-15: whoever is erased is in no review by name, and nothing is said to be unused because of them.
func TestAU15ReviewForgetsWhoIsErased(t *testing.T) {
	t.Parallel()
	f, r, _ := startReviews(t)
	f.review(t, r, "q")
	if _, err := f.Cutoff.EraseSubject(t.Context(), "acme", sim.RepID, byAdmin); err != nil {
		t.Fatal(err)
	}
	one, err := r.Review(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	erased := 0
	for _, i := range one.Items {
		if i.Subject == sim.RepID || i.Username == sim.RepUsername {
			t.Errorf("%+v", i)
		}
		if i.Erased {
			erased++
		}
	}
	if changes := one.Proposal(map[string]string{"sales": "sales", "all": "sales"}); erased != 1 || len(changes) != 0 {
		t.Errorf("%d erased, %+v", erased, changes)
	}
}

// AU-08: whatever keeps a review from beginning, and whenever the caller goes: each intent has an outcome in the log, a review is
// there with all of its items or not at all, and then it can be begun.
func TestAU08ReviewBeginsOrIsRecordedAsNotBegun(t *testing.T) {
	t.Parallel()
	f, r, _ := startReviews(t)
	begin := func(ctx context.Context, name string) error {
		now := f.clock.Now()
		one, err := r.Begin(ctx, Act{By: reviewer.Actor, Why: "access review"}, name, review.Scope{Since: now.Add(-time.Hour), Until: now.Add(time.Hour)})
		if err == nil && len(one.Items) != 3 {
			t.Errorf("%s has %d items", name, len(one.Items))
		}
		return err
	}
	check := func(when, name string, begun bool) {
		t.Helper()
		intents := map[int64]bool{}
		for _, e := range f.audited(t, audit.ReviewBegin) {
			if e.Outcome == audit.Intent {
				intents[e.Seq] = true
			} else {
				delete(intents, e.IntentSeq)
			}
		}
		if len(intents) > 0 {
			t.Errorf("%s: %d intents have no outcome", when, len(intents))
		}
		one, err := r.Review(t.Context(), name)
		if begun != (err == nil) || begun && len(one.Items) != 3 {
			t.Errorf("%s: it is %+v, %v", when, one, err)
		}
	}
	f.refuseEntries(audit.ReviewInclude)
	if err := begin(t.Context(), "refused"); err == nil {
		t.Error("it begins without its items")
	}
	check("without its items", "refused", false)
	f.Audit.Refuse(func(e audit.Entry) error {
		if e.Action == audit.ReviewBegin && e.Outcome == audit.OK {
			return errors.New("the disk is full")
		}
		return nil
	})
	if err := begin(t.Context(), "unsaid"); err == nil || errors.Is(err, ErrReviewed) {
		t.Errorf("it begins without the entry that says so: %v", err)
	}
	f.Audit.Refuse(func(audit.Entry) error { return nil })
	for _, name := range []string{"refused", "unsaid"} {
		if err := begin(t.Context(), name); err != nil {
			t.Errorf("%s, again: %v", name, err)
		}
	}
	for n := range 200 {
		caller := dbtest.Leaving(n)
		name, before := "gone"+strconv.Itoa(n), len(f.audited(t, audit.ReviewBegin))
		err := begin(caller, name)
		gone := caller.End()
		more := f.audited(t, audit.ReviewBegin)[before:]
		if len(more) == 1 || err == nil && len(more) != 2 {
			t.Errorf("gone after %d: recorded as %+v, %v", n, more, err)
		}
		if one, readErr := r.Review(t.Context(), name); (err == nil) != (readErr == nil) {
			t.Errorf("gone after %d: it is %+v, %v; said was %v", n, one, readErr, err)
		}
		if !gone {
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the caller is asked for without end")
}

// Whoever is cut off from what every user of the org may use is in no group that they could be taken out of.
func TestConnectAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		groups []string
		want   string
	}{
		{nil, ""},
		{[]string{"sales", "pilot"}, "they can connect again by the groups sales, pilot, until they are taken out of them"},
		{[]string{"sales", access.Everyone}, "they can connect again, because every user of the org may: whoever must not, has to be blocked"},
	} {
		if got := ConnectAgain(tt.groups); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.groups, got, tt.want)
		}
	}
}
