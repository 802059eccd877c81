package api

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
)

// List is one page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"cursor of the page behind; missing: there is none"`
}

// Why is the reason of an act, which stands in the audit log.
type Why struct {
	Reason Reason `json:"reason" doc:"why, in a few words" min:"1" max:"200"`
}

// Person is somebody who signed in, or is blocked.
type Person struct {
	Org         string             `json:"org"`
	Subject     string             `json:"subject" doc:"Salesforce user id"`
	Username    string             `json:"username,omitempty"`
	Name        string             `json:"name,omitempty"`
	Standing    oversight.Standing `json:"standing"`
	Blocked     bool               `json:"blocked"`
	Connections int                `json:"connections"`
	FirstSeen   time.Time          `json:"first_seen,omitzero"`
	LastSeen    time.Time          `json:"last_seen,omitzero"`
	BlockedAt   time.Time          `json:"blocked_at,omitzero"`
}

func personOf(p oversight.Person) Person {
	return Person{p.Org, p.Subject, p.Username, p.Name, p.Standing, p.Blocked(), p.Connections, p.FirstSeenAt, p.LastSeenAt, p.BlockedAt}
}

// people lists everybody. The database finds the page: there may be very many.
func (a peopleRoutes) people(q *call) (list List[Person], err error) {
	search := oversight.PeopleSearch{Name: q.query.Get("name"), Standing: q.query.Get("standing"), ByID: true, Most: q.limit()}
	if search.Behind.Org, search.Behind.Subject, err = q.behind(); err != nil {
		return list, err
	}
	found, err := a.Reads.People(q.Context(), search)
	if err != nil {
		return list, err
	}
	list.Items = []Person{}
	for _, p := range found.Page {
		list.Items = append(list.Items, personOf(p))
		list.Next = cursorOf(p.Org, p.Subject)
	}
	if found.Found == len(found.Page) {
		list.Next = ""
	}
	return list, nil
}

// listed is a page of what was read, as it is answered.
func listed[T, Out any](q *call, all []T, key func(T) string, to func(T) Out) (List[Out], error) {
	items, next, err := page(q, all, key)
	list := List[Out]{Items: make([]Out, len(items)), Next: next}
	for i, one := range items {
		list.Items[i] = to(one)
	}
	return list, err
}

// WholePerson is a person with what they have.
type WholePerson struct {
	Person     Person       `json:"person"`
	Login      Login        `json:"salesforce_login"`
	Connection []Connection `json:"connections"`
	Waiting    []Waiting    `json:"waiting" doc:"calls that wait for a person"`
	Elsewhere  []Person     `json:"elsewhere" doc:"the same human in other orgs, by user id or username: what is done about this person does nothing there"`
}

// Login is somebody's Salesforce login.
type Login struct {
	State  string `json:"state,omitempty" doc:"missing: there is none"`
	Reason string `json:"reason,omitempty" doc:"why it is lost, or why its last refresh failed"`
}

// Waiting is a call that waits for a person.
type Waiting struct {
	Approval string    `json:"approval"`
	Org      string    `json:"org"`
	Subject  string    `json:"subject"`
	Client   string    `json:"client"`
	Server   string    `json:"server"`
	Tool     string    `json:"tool"`
	Class    string    `json:"class"`
	For      string    `json:"waits_for"`
	Digest   string    `json:"arguments_digest"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
}

func waitingOf(r approval.Request) Waiting {
	return Waiting{r.ID, r.Org, r.Subject, r.ClientID, r.Server, r.Tool, r.Class, r.WhoIsMissing(), r.ArgumentsDigest, r.CreatedAt, r.ExpiresAt}
}

// approvals lists calls that wait.
func (a peopleRoutes) approvals(q *call) (list List[Waiting], err error) {
	f := approval.Filter{State: approval.Pending, OldestFirst: true, Limit: q.limit() + 1}
	at, id, err := q.behind()
	if err == nil && id != "" {
		var millis int64
		if millis, err = strconv.ParseInt(at, 16, 64); err != nil {
			err = wrongCursor()
		}
		f.Behind = approval.Place{At: time.UnixMilli(millis), ID: id}
	}
	if err != nil {
		return list, err
	}
	found, err := a.Reads.Approvals.List(q.Context(), f)
	if err != nil {
		return list, err
	}
	list.Items = []Waiting{}
	for _, r := range found[:min(len(found), q.limit())] {
		list.Items = append(list.Items, waitingOf(r))
		if len(found) > q.limit() {
			list.Next = cursorOf(strconv.FormatInt(r.CreatedAt.UnixMilli(), 16), r.ID)
		}
	}
	return list, nil
}

// newestFirst is the key of lists that are in the order of time.
func newestFirst(at time.Time, id string) string {
	return fmt.Sprintf("%016x %s", uint64(1)<<62-uint64(at.UnixMilli()), id)
}

// person is one person.
func (a peopleRoutes) person(q *call) (*WholePerson, error) {
	p, err := a.Reads.Person(q.Context(), q.variable("org"), q.variable("subject"))
	if err != nil {
		return nil, err
	}
	whole := &WholePerson{Person: personOf(p.Person), Login: Login{string(p.Login.State), p.Login.Failure.Reason()}, Connection: []Connection{}, Waiting: []Waiting{}}
	for _, g := range p.Grants {
		whole.Connection = append(whole.Connection, connectionOf(g))
	}
	for _, r := range p.Waiting {
		whole.Waiting = append(whole.Waiting, waitingOf(r))
	}
	whole.Elsewhere, err = a.elsewhere(q, &p.User)
	return whole, err
}

// elsewhere is the human who is that user, in other orgs.
func (a peopleRoutes) elsewhere(q *call, u *grant.User) ([]Person, error) {
	others, err := a.Reads.Elsewhere(q.Context(), u)
	list := []Person{}
	for _, p := range others.People {
		list = append(list, personOf(p))
	}
	return list, err
}

// Ended is how much an act ended.
type Ended struct {
	Connections int `json:"connections"`
	Approvals   int `json:"approvals" doc:"calls that waited, or were approved and not made yet"`
	Sessions    int `json:"sessions" doc:"browsers that were signed in"`
}

// PersonEnded is how much of what a person had was ended, in one org.
type PersonEnded struct {
	Ended
	Elsewhere []Person `json:"elsewhere" doc:"the same human in other orgs, where nothing was done: do it there, too"`
}

func (a peopleRoutes) revokePerson(q *call, in *Why) (PersonEnded, error) {
	return a.endPerson(q, in, a.Cutoff.RevokeUser)
}

func (a peopleRoutes) blockPerson(q *call, in *Why) (PersonEnded, error) {
	return a.endPerson(q, in, a.Cutoff.BlockUser)
}

// endPerson ends everything that a person has.
func (a peopleRoutes) endPerson(q *call, in *Why, end func(context.Context, string, string, authproxy.Act) (authproxy.Ended, error)) (PersonEnded, error) {
	p, err := a.Reads.Person(q.Context(), q.variable("org"), q.variable("subject"))
	if err != nil {
		return PersonEnded{}, err
	}
	ended, err := end(q.Context(), p.Org, p.Subject, q.act(in.Reason))
	others, err := readAfter(a.API, q, a.partly(q, err), func(q *call) ([]Person, error) { return a.elsewhere(q, &p.User) })
	return PersonEnded{Ended{ended.Connections, ended.Approvals, ended.Sessions}, others}, err
}

// partly is the error of an act of which some may be done.
func (a *API) partly(q *call, err error) error {
	if audit.TookEffect(err) {
		return err
	}
	a.Log.ErrorContext(q.Context(), "an act of the API is incomplete", "path", q.URL.Path, "error", err)
	return incomplete.is("Not all of it could be done; what is done stays done.", "Do it again, with another Idempotency-Key. The proxy's log says what failed.")
}

// Nothing is an empty answer.
type Nothing struct{}

// unblockPerson lets a person connect again.
func (a peopleRoutes) unblockPerson(q *call, in *Why) (Nothing, error) {
	p, err := a.Reads.Person(q.Context(), q.variable("org"), q.variable("subject"))
	if err != nil {
		return Nothing{}, err
	}
	if !p.Blocked() {
		return Nothing{}, conflict.is("The person is not blocked; nothing was done.", "Look at the person first.")
	}
	return Nothing{}, a.Cutoff.UnblockUser(q.Context(), p.Org, p.Subject, q.act(in.Reason))
}
