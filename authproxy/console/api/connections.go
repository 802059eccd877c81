package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/oversight"
)

// Connection lets one program act as one person at one server.
type Connection struct {
	ID       string    `json:"id"`
	Org      string    `json:"org"`
	Subject  string    `json:"subject"`
	Username string    `json:"username,omitempty"`
	Client   string    `json:"client"`
	Server   string    `json:"server"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	LastUse  time.Time `json:"last_use,omitzero"`
}

func connectionOf(g grant.Grant) Connection {
	return Connection{g.ID, g.Org, g.Subject, g.Username, g.ClientID, g.Server, g.CreatedAt, g.ExpiresAt, g.LastUsedAt}
}

// Connections is a page of connections, with how many were found in all: what an act that ends
// them must say.
type Connections struct {
	Items []Connection `json:"items"`
	Next  string       `json:"next,omitempty" doc:"cursor of the page behind; missing: there is none"`
	Count int          `json:"count" doc:"how many were found in all"`
}

// connections lists connections, the newest first. The database finds the page: there may be very
// many.
func (a peopleRoutes) connections(q *call) (list Connections, err error) {
	at, id, err := q.behind()
	if err != nil {
		return list, err
	}
	behind, err := connectionAt(at, id)
	if err != nil {
		return list, err
	}
	search := oversight.Search{Person: q.query.Get("person"), Client: q.query.Get("client"), Server: q.query.Get("server")}
	if err := a.Reads.CheckSearch(q.Context(), search); err != nil {
		return list, err
	}
	found, err := a.Reads.NewestConnections(q.Context(), search, q.limit()+1, behind)
	if err != nil {
		return list, err
	}
	list.Items, list.Count = []Connection{}, found.Connections
	for i, g := range found.Newest[:min(len(found.Newest), q.limit())] {
		list.Items = append(list.Items, connectionOf(g))
		if i+1 == q.limit() && len(found.Newest) > q.limit() {
			list.Next = base64.RawURLEncoding.EncodeToString([]byte(newestFirst(g.CreatedAt, g.ID)))
		}
	}
	return list, nil
}

// connectionAt is what a cursor says of the connection behind which to go on; nil: it says nothing.
func connectionAt(at, id string) (*grant.Grant, error) {
	if at == "" && id == "" {
		return nil, nil
	}
	millis, err := strconv.ParseUint(at, 16, 63)
	if err != nil || millis > 1<<62 {
		return nil, wrongCursor()
	}
	return &grant.Grant{ID: id, CreatedAt: time.UnixMilli(1<<62 - int64(millis))}, nil
}

// endConnection ends one connection.
func (a peopleRoutes) endConnection(q *call, in *Why) (Ended, error) {
	g, err := a.Cutoff.RevokeGrant(q.Context(), q.variable("connection"), q.act(in.Reason))
	if g == nil {
		return Ended{}, err
	}
	return Ended{Connections: 1}, a.partly(q, err)
}

// Selected are the connections that somebody looked for, counted, and wants to end.
type Selected struct {
	Person string `json:"person,omitempty" doc:"a part of the name, username or user id" max:"300"`
	Client string `json:"client,omitempty" doc:"client id" max:"2048"`
	Server string `json:"server,omitempty" doc:"name of the endpoint" max:"300"`
	Count  *int64 `json:"count" doc:"how many were found; with another number nothing is ended" min:"1" max:"1000000"`
	Reason Reason `json:"reason" doc:"why, in a few words" min:"1" max:"200"`
}

// endConnections ends all that were looked for, if they are as many as were counted.
func (a peopleRoutes) endConnections(q *call, in *Selected) (Ended, error) {
	all, err := a.Reads.Counted(q.Context(), oversight.Search{Person: in.Person, Client: in.Client, Server: in.Server}, int(*in.Count))
	if others, ok := errors.AsType[*oversight.OthersError](err); ok {
		return Ended{}, conflict.is(fmt.Sprintf("%d connections fit what was looked for, another number was counted or everything was looked for; nothing was done.", others.Found),
			"List them again with a person, a client or a server, and send the count of that list.")
	}
	if err != nil {
		return Ended{}, err
	}
	n, err := a.Cutoff.RevokeGrants(q.Context(), all, q.act(in.Reason))
	return Ended{Connections: n}, a.partly(q, err)
}

// Client is a program with what its connections amount to.
type Client struct {
	ID          string    `json:"id"`
	Name        string    `json:"name" doc:"what it says of itself, unless it is configured"`
	Kind        string    `json:"kind" enum:"configured,document,dynamic" doc:"where what is known of it comes from"`
	Connections int       `json:"connections"`
	People      int       `json:"people"`
	LastUse     time.Time `json:"last_use,omitzero"`
	Blocked     bool      `json:"blocked" doc:"refused until somebody unblocks it"`
	Hidden      bool      `json:"hidden" doc:"nobody used it for so long that lists for people leave it out"`
	EndsAt      time.Time `json:"ends_at,omitzero" doc:"when its connections end if it stays unused; missing: never"`
}

// clients lists programs: those of the configuration first. The database finds the page of the
// others, of which many may have registered themselves.
func (a peopleRoutes) clients(q *call) (list List[Client], err error) {
	kind, id, err := q.behind()
	if err != nil {
		return list, err
	}
	var behind *client.Client
	if kind != "" || id != "" {
		is, ours := kindsBehind[kind]
		if !ours {
			return list, wrongCursor()
		}
		behind = &client.Client{ID: id, Kind: is}
	}
	found, err := a.Reads.ClientsBehind(q.Context(), behind, q.limit()+1)
	if err != nil {
		return list, err
	}
	list.Items = []Client{}
	for i, c := range found[:min(len(found), q.limit())] {
		list.Items = append(list.Items, clientOf(c))
		if i+1 == q.limit() && len(found) > q.limit() {
			list.Next = cursorOf(kindName(c.Kind), c.ID)
		}
	}
	return list, nil
}

func clientOf(c oversight.Client) Client {
	kind := kindName(c.Kind)
	if kind == blockedOnly {
		kind = "dynamic"
	}
	return Client{c.ID, c.Name, kind, c.Connections, c.People, c.LastUse, c.Blocked, c.Hidden, c.EndsAt}
}

// blockedOnly is, in a cursor, a program of which nothing is known but that it is blocked.
const blockedOnly = "blocked"

// kindsBehind are the kinds of clients as cursors say them.
var kindsBehind = map[string]client.Kind{"configured": client.Configured, "document": client.Document, "dynamic": client.Dynamic, blockedOnly: ""}

// kindName is how the API says where what is known of a client comes from.
func kindName(kind client.Kind) string {
	for name, is := range kindsBehind {
		if is == kind {
			return name
		}
	}
	return blockedOnly
}

// OfClient is a program whose connections are to end, and why.
type OfClient struct {
	Client string `json:"client" doc:"client id" min:"1" max:"2048"`
	Reason Reason `json:"reason" doc:"why, in a few words" min:"1" max:"200"`
}

// revokeClient ends all connections of a program.
func (a peopleRoutes) revokeClient(q *call, in *OfClient) (Ended, error) {
	if _, err := a.Reads.Client(q.Context(), in.Client); err != nil {
		return Ended{}, err
	}
	ended, err := a.Cutoff.RevokeClient(q.Context(), in.Client, q.act(in.Reason))
	return Ended{Connections: len(ended)}, a.partly(q, err)
}

// blockClient ends all connections of a program and refuses it.
func (a peopleRoutes) blockClient(q *call, in *OfClient) (Ended, error) {
	if _, err := a.Reads.Client(q.Context(), in.Client); err != nil {
		return Ended{}, err
	}
	ended, approvals, err := a.Cutoff.BlockClient(q.Context(), in.Client, q.act(in.Reason))
	return Ended{Connections: len(ended), Approvals: approvals}, a.partly(q, err)
}

// unblockClient lets people connect a program again.
func (a peopleRoutes) unblockClient(q *call, in *OfClient) (Nothing, error) {
	err := a.Cutoff.UnblockClient(q.Context(), in.Client, q.act(in.Reason))
	if errors.Is(err, client.ErrNotBlocked) {
		err = conflict.is("The program is not blocked; nothing was done.", "Look at the list of clients first.")
	}
	return Nothing{}, err
}

// Suspect is whom an incident is about: a person, by org and user id, or a program.
type Suspect struct {
	Org     string `json:"org,omitempty" max:"300"`
	Subject string `json:"subject,omitempty" doc:"Salesforce user id" max:"300"`
	Client  string `json:"client,omitempty" doc:"client id; then no person" max:"2048"`
	Reason  Reason `json:"reason" doc:"why, in a few words" min:"1" max:"200"`
}

// Contained is what was done to contain an incident.
type Contained struct {
	Confirmed bool     `json:"confirmed" doc:"each step was looked at again after it was done, and is so; otherwise do it again"`
	Ended     Ended    `json:"ended"`
	Steps     []Step   `json:"steps"`
	Elsewhere []Person `json:"elsewhere" doc:"the same human in other orgs, where nothing was done: contain it there, too"`
}

// Step is one thing that was done.
type Step struct {
	Name      string `json:"step"`
	Text      string `json:"text"`
	Confirmed bool   `json:"confirmed"`
	Problem   string `json:"problem,omitempty" doc:"what keeps it from being confirmed"`
}

// contain blocks whom an incident is about, ends what they have, and looks at each part again.
func (a peopleRoutes) contain(q *call, in *Suspect) (Contained, error) {
	var err error
	switch {
	case (in.Client == "") == (in.Org == "" && in.Subject == ""):
		return Contained{}, badRequest.is("The body names neither one person nor one program.", "Send org and subject, or client.")
	case in.Client != "":
		_, err = a.Reads.Client(q.Context(), in.Client)
	default:
		_, err = a.Reads.Person(q.Context(), in.Org, in.Subject)
	}
	if err != nil {
		return Contained{}, err
	}
	done := a.Cutoff.ContainForAnswer(q.Context(), authproxy.Target{Org: in.Org, Subject: in.Subject, Client: in.Client}, q.act(in.Reason))
	others := []Person{}
	if in.Client == "" && len(done.People) > 0 {
		if others, err = a.elsewhere(q, &done.People[0]); err != nil {
			done.Add("elsewhere", "it is looked where else they are", err)
		}
	}
	answer := Contained{done.Confirmed(), Ended{done.Ended.Connections, done.Ended.Approvals, done.Ended.Sessions}, []Step{}, others}
	for _, s := range done.Steps {
		answer.Steps = append(answer.Steps, Step(s))
	}
	return answer, nil
}
