package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/party"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// crowd are people of a company, of whom one is in the browser. Rae is the human behind every user
// whose id begins with 005R.
type crowd struct{ onePerson }

func personOf(name string, roles ...string) *people.Person {
	return &people.Person{Identity: company.Identity{Issuer: "https://id.example", Subject: name, Name: name}, ID: "this", Roles: roles}
}

func (c *crowd) HumanOf(_ context.Context, org, subject string) (string, error) {
	if strings.HasPrefix(subject, "005R") {
		return personOf("rae").Human(), nil
	}
	return approval.SalesforceHuman(org, subject), nil
}
func (c *crowd) Holds(context.Context, string, string) (bool, error)      { return true, nil }
func (c *crowd) Called(context.Context, string) ([]string, error)         { return nil, nil }
func (c *crowd) Holders(context.Context, string) ([]people.Person, error) { return nil, nil }

// onlooker is who looks at a call: as a Salesforce user, as a person of the company, or as both.
type onlooker struct {
	name    string
	session string // "requester", "other" or none
	person  *people.Person
}

var onlookers = []onlooker{
	{"who asked", "requester", nil},
	{"who asked, as an approver too", "requester", personOf("ann", "approver")},
	{"who asked, as a person of the company alone", "", personOf("rae", "approver", "lead")},
	{"another user", "other", nil},
	{"ann", "", personOf("ann", "approver")},
	{"ann, as another user too", "other", personOf("ann", "approver")},
	{"bob", "", personOf("bob", "approver")},
	{"sue", "", personOf("sue", "security")},
	{"lea", "", personOf("lea", "lead")},
	{"somebody with another role", "", personOf("joe", "other")},
	{"ann, cut off", "other", &people.Person{Identity: personOf("ann").Identity, ID: "this", Blocked: true}},
	{"ann, of whom the company was not asked lately", "other", &people.Person{Identity: personOf("ann").Identity, ID: "this", Stale: true, Aging: true}},
}

// waiting is how many of asks wait.
const waiting = 7

// asks are calls of a user in each state; every one is new.
var asks = []struct {
	name string
	make func(*asking) *approval.Request
}{
	{"theirs to decide", func(a *asking) *approval.Request { return a.ask(policy.Rule{}) }},
	{"by a role", func(a *asking) *approval.Request { return a.ask(policy.Rule{Approvers: "role:approver"}) }},
	{"by two, and ann agreed", func(a *asking) *approval.Request {
		return a.agree(a.ask(policy.Rule{Factors: []policy.Factor{{Role: "approver", Quorum: 2}}}), "ann", "approver")
	}},
	{"by two roles, and ann agreed", func(a *asking) *approval.Request {
		return a.agree(a.ask(policy.Rule{Factors: []policy.Factor{{Role: "approver", Quorum: 1}, {Role: "security", Quorum: 1}}}), "ann", "approver")
	}},
	{"proposed by ann", func(a *asking) *approval.Request {
		of := a.ask(policy.Rule{Approvers: "role:approver"})
		return must[*approval.Request](a.t)(a.approvals.Counter(a.t.Context(), of.ID, personDecider(personOf("ann")).Actor, personOf("ann").Human(), []byte(`{"n":2}`)))
	}},
	{"by a fresh sign-in", func(a *asking) *approval.Request {
		return a.ask(policy.Rule{Approvers: "role:approver", StepUp: true})
	}},
	{"escalated", func(a *asking) *approval.Request {
		r := a.ask(policy.Rule{Approvers: "role:approver", Escalate: policy.Escalation{After: time.Minute, To: "role:lead"}})
		a.now = a.now.Add(2 * time.Minute)
		return r
	}},
	{"approved", func(a *asking) *approval.Request {
		return a.agree(a.ask(policy.Rule{Approvers: "role:approver"}), "bob", "approver")
	}},
	{"denied", func(a *asking) *approval.Request {
		return must[*approval.Request](a.t)(a.approvals.Deny(a.t.Context(), a.ask(policy.Rule{Approvers: "role:approver"}).ID, actor.Operator("root", ""), ""))
	}},
	{"expired", func(a *asking) *approval.Request {
		r := a.ask(policy.Rule{Approvers: "role:approver"})
		a.now = a.now.Add(16 * time.Minute)
		return r
	}},
	{"done", func(a *asking) *approval.Request { return a.sent(`{"n":1}`, approval.Done, theImages) }},
	{"done, and rules do not let it be undone", func(a *asking) *approval.Request { return a.sent(`{"n":"refused"}`, approval.Done, theImages) }},
	{"lost", func(a *asking) *approval.Request { return a.sent(`{"n":1}`, approval.Unknown, nil) }},
}

var theImages = &approval.Images{Object: "Account", ID: "001", Read: true, Fields: []approval.Image{{Name: "Name", Before: []byte(`"a"`), After: []byte(`"b"`), Set: []byte(`"b"`)}}}

// asking is a user whose assistant asks.
type asking struct{ *person }

func (a *asking) ask(rule policy.Rule) *approval.Request {
	b := binding("acme", a.subject, `{"n":1}`)
	b.Confirmation = rule.Confirmation()
	return must[*approval.Request](a.t)(a.approvals.Submit(a.t.Context(), b, "create"))
}

func (a *asking) agree(r *approval.Request, name, role string) *approval.Request {
	return must[*approval.Request](a.t)(a.approvals.Approve(a.t.Context(), r.ID,
		approval.Decision{By: personDecider(personOf(name)).Actor, Human: personOf(name).Human(), Factor: role, Role: role}))
}

// deeds are what a page of a call offers: the form or link by which, what is sent, and whether it was done.
var deeds = []struct {
	name, offer, path string
	waits             bool // about a call that waits
	form              url.Values
	done              func(before, after *approval.Request) bool
}{
	{"approve", `value="approve"`, "", true, url.Values{"decision": {"approve"}}, func(before, after *approval.Request) bool {
		return before.State == approval.Pending && (after.State == approval.Approved || len(after.Decisions) > len(before.Decisions))
	}},
	{"deny", `value="deny"`, "", true, url.Values{"decision": {"deny"}}, func(before, after *approval.Request) bool {
		return before.State == approval.Pending && after.State == approval.Denied
	}},
	{"propose", `/counter"`, "/counter", true, url.Values{"arguments": {`{"n":3}`}}, func(_, after *approval.Request) bool { return after.Counter != nil }},
	{"resolve", `/resolve"`, "/resolve", false, url.Values{"happened": {"yes"}, "reason": {"looked"}}, func(before, after *approval.Request) bool {
		return before.Check == nil && after.Check != nil
	}},
	{"undo", `/undo"`, "/undo", false, url.Values{}, func(_, after *approval.Request) bool { return after.Undo != nil }},
}

// What the page of a call offers can be done, and what can be done it offers: whoever looks, whatever
// became of the call. A sign-in that is asked for in between is no refusal.
func TestPageOffersWhatCanBeDone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.console.Decisions.(*authproxy.Decisions)
	d.StepUpACR = "mfa"
	offered := map[string]int{}
	for n, o := range onlookers {
		for m, one := range asks {
			for k, deed := range deeds {
				if deed.waits != (m < waiting) && deed.name != "approve" {
					continue // of one kind: it is never offered
				}
				s.console.budgets = party.NewBudgets[access.Person](pagesPerSecond, pagesAtOnce)
				s.console.People = nil
				a := &asking{s.signIn("acme", fmt.Sprintf("005R%d_%d_%d", n, m, k))}
				call := one.make(a)
				var look browser
				look, s.console.People, d.People = o.browser(a)
				before := must[*approval.Request](t)(s.approvals.Get(t.Context(), call.ID))
				page := look.get("/approvals/" + call.ID)
				offers := page.status == http.StatusOK && strings.Contains(page.body, deed.offer)
				did := look.do("/approvals/"+call.ID+deed.path, deed.form)
				if strings.Contains(did.body, "Sign in again") {
					look.signInFreshly()
					did = look.do("/approvals/"+call.ID+deed.path, deed.form)
				}
				after := must[*approval.Request](t)(s.approvals.Get(t.Context(), call.ID))
				if done := deed.done(before, after); done != offers {
					t.Errorf("%s, a call %s: the page (%d) offers to %s: %t; done: %t, %d %s", o.name, one.name, page.status, deed.name, offers, done, did.status, did.text())
				}
				if offers {
					offered[deed.name]++
				}
			}
		}
	}
	for _, deed := range deeds {
		if offered[deed.name] < 2 {
			t.Errorf("to %s was offered %d times: %v", deed.name, offered[deed.name], offered)
		}
	}
}

// browser is one in which somebody is signed in, in one way or two.
type browser struct {
	*site
	header http.Header
	csrf   string
	who    *crowd
}

// browser is that of the onlooker at a call of a, and who is signed in with the company there.
func (o onlooker) browser(a *asking) (browser, People, approval.People) {
	b := browser{site: a.site, header: http.Header{}, who: &crowd{}}
	p := a.person
	if o.session == "other" {
		p = a.signIn("acme", "005B")
	}
	if o.session != "" {
		b.header, b.csrf = p.header(), p.csrf
	}
	if o.person == nil {
		return b, nil, b.who
	}
	b.who.is = *o.person
	b.who.is.CreatedAt, b.who.is.SeenAt, b.who.is.ExpiresAt, b.who.is.AuthTime = a.now, a.now, a.now.Add(time.Hour), a.now.Add(-time.Hour)
	if o.session != "" {
		b.header = p.withPerson()
		return b, b.who, b.who
	}
	with := p.withPerson()["Cookie"][0]
	_, cookie, _ := strings.Cut(with, "; ")
	id := strings.Repeat("x", 43)
	b.header.Set("Cookie", cookie)
	b.csrf = ui.FormToken(id)
	return b, b.who, b.who
}

func (b browser) signInFreshly() { b.who.is.AuthTime, b.who.is.ACR = b.now, "mfa" }

func (b browser) get(path string) answer { return b.send("GET", path, "", b.header) }

// do posts a form of the page of a call.
func (b browser) do(path string, form url.Values) answer {
	sent := url.Values{"csrf_token": {b.csrf}, "shown": {b.console.Marks.Mark(ui.Shown{Browser: b.csrf, Page: strings.TrimPrefix(path, "/approvals/"), At: b.now})}}
	for name, values := range form {
		sent[name] = values
	}
	h := b.header.Clone()
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("Sec-Fetch-User", "?1")
	return b.send("POST", path, sent.Encode(), h)
}
