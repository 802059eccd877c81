package api

import (
	"errors"
	"net/http"

	"sfmcp-proxy/authproxy/packing"
	"sfmcp-proxy/authproxy/people"
)

// Route is one address with a method, and who may use it.
type Route struct {
	Method string // GET (which HEAD is too), POST or PUT
	Path   string // as the router has it, with {parts}
	Roles  []string
	Name   string // of the operation, for programs that are made from the description
	Does   string
	Query  []Param
	Body   any // an empty body; nil: it takes none
	Answer any // an empty answer
	// Media is what it answers with, if that is a file and no JSON; Answer is nil then.
	Media string

	decode func(text []byte) (any, error) // reads the body; nil: it takes none
	serve  func(*API, *call) (any, error)
	// file makes a file that is answered as it is; nil: the answer is what serve returns.
	file func(*API, *call) (file, error)
	// edits reads what the route changes, where a program must have seen it before; nil: nothing.
	edits func(*API, *call) (tagged, error)
}

func readers() []string { return []string{people.Security, people.Auditor} }

// The routes by what they are about; each is the API's.
type (
	peopleRoutes   struct{ *API }
	toolRoutes     struct{ *API }
	logRoutes      struct{ *API }
	reviewRoutes   struct{ *API }
	settingsRoutes struct{ *API }
)

// of is one of these.
type of interface{ ~struct{ *API } }

// reading is a route that only reads.
func reading[On of, Out any](path, name, does string, query []Param, f func(On, *call) (Out, error)) Route {
	var out Out
	return Route{Method: http.MethodGet, Path: version + path, Roles: readers(), Name: name, Does: does, Query: query, Answer: out,
		serve: func(a *API, q *call) (any, error) { return f(On{a}, q) }}
}

// acting is a route by which the role security does something.
func acting[On of, In, Out any](path, name, does string, f func(On, *call, *In) (Out, error)) Route {
	var in In
	var out Out
	return Route{Method: http.MethodPost, Path: version + path, Roles: []string{people.Security}, Name: name, Does: does, Body: in, Answer: out,
		decode: func(text []byte) (any, error) { return decoded[In](text) },
		serve: func(a *API, q *call) (any, error) {
			in, ok := q.in.(*In)
			if !ok {
				return nil, errors.New("the body was not read")
			}
			return f(On{a}, q, in)
		}}
}

// editing is a route that changes what a program has seen.
func editing[On of, In any, Out tagged](path, name, does string, now func(On, *call) (Out, error), f func(On, *call, *In) (Out, error)) Route {
	r := acting(path, name, does, f)
	r.Method = http.MethodPut
	r.edits = func(a *API, q *call) (tagged, error) { return now(On{a}, q) }
	return r
}

// file is an answer that is no JSON, for one caller. Whoever has it closes it.
type file interface {
	Answer(w http.ResponseWriter) error
	Close() error
}

// filing is a route that makes a file of a media type; it changes nothing but the log.
func filing[On of, In any, Out file](path, name, does, media string, f func(On, *call, *In) (Out, error)) Route {
	r := forReaders(acting(path, name, does, func(On, *call, *In) (Out, error) {
		var none Out
		return none, errors.New("a file is no JSON")
	}))
	r.Answer, r.Media = nil, media
	r.file = func(a *API, q *call) (file, error) {
		in, ok := q.in.(*In)
		if !ok {
			return nil, errors.New("the body was not read")
		}
		return f(On{a}, q, in)
	}
	return r
}

// forReaders lets a route be used by those who read: it changes nothing.
func forReaders(r Route) Route {
	r.Roles = readers()
	return r
}

// Routes is everything that there is under /console/api/v1. What does not stand here is not there.
func Routes() []Route {
	selected := []Param{{Name: "person", Doc: "a part of the name, username or user id"}, {Name: "client", Doc: "client id", Length: maxClient}, {Name: "server", Doc: "name of the endpoint"}}
	return []Route{
		reading("/overview", "overview", "numbers of the last days, and what waits or is stopped", nil, settingsRoutes.overview),
		reading("/stop", "getStop", "the kill switch", nil, settingsRoutes.stop),
		editing("/stop", "setStop", "stop writes or everything, or let calls pass again", settingsRoutes.stop, settingsRoutes.setStop),
		reading("/people", "listPeople", "everybody who signed in or is blocked", paging(Param{Name: "name", Doc: "a part of the name, username or user id"},
			Param{Name: "standing", Doc: "how they stand", Enum: []string{"blocked", "login lost", "not connected", "connected"}}), peopleRoutes.people),
		reading("/people/{org}/{subject}", "getPerson", "one person: login, connections, calls that wait", nil, peopleRoutes.person),
		acting("/people/{org}/{subject}/revoke", "revokePerson", "end everything that a person has", peopleRoutes.revokePerson),
		acting("/people/{org}/{subject}/block", "blockPerson", "end everything that a person has, and refuse them", peopleRoutes.blockPerson),
		acting("/people/{org}/{subject}/unblock", "unblockPerson", "let a person connect again", peopleRoutes.unblockPerson),
		reading("/connections", "listConnections", "connections by person, client and server", paging(selected...), peopleRoutes.connections),
		acting("/connections/end", "endConnections", "end all connections that were looked for and counted", peopleRoutes.endConnections),
		acting("/connections/{connection}/end", "endConnection", "end one connection", peopleRoutes.endConnection),
		reading("/clients", "listClients", "programs that are known, with their connections", paging(), peopleRoutes.clients),
		acting("/clients/revoke", "revokeClient", "end all connections of a program", peopleRoutes.revokeClient),
		acting("/clients/block", "blockClient", "end all connections of a program, and refuse it", peopleRoutes.blockClient),
		acting("/clients/unblock", "unblockClient", "let people connect a program again", peopleRoutes.unblockClient),
		acting("/incident/contain", "contain", "block a person or a program, end what they have, and say of each step whether it is so", peopleRoutes.contain),
		reading("/approvals", "listApprovals", "calls that wait for a person, without their arguments; people decide on the pages", paging(), peopleRoutes.approvals),
		reading("/reviews", "listReviews", "access reviews that have begun", paging(), reviewRoutes.reviews),
		acting("/reviews/start", "startReview", "begin the access review of a quarter; ends nothing", reviewRoutes.startReview),
		reading("/reviews/{review}", "getReview", "each person and server of a review, with what they used and what was decided; people decide on the pages", paging(), reviewRoutes.review),
		reading("/tools", "listTools", "what hosted servers list, and what of it waits", paging(Param{Name: "server", Doc: "name of the endpoint"},
			Param{Name: "state", Doc: "of the definition", Enum: []string{"waiting", "accepted", "rejected"}}), toolRoutes.tools),
		reading("/tools/{server}/{tool}", "getTool", "definitions of one name, and how they differ", nil, toolRoutes.tool),
		editing("/tools/{server}/{tool}/decision", "decideTool", "accept or reject exactly one definition", toolRoutes.tool, toolRoutes.decideTool),
		reading("/policy", "getPolicy", "the rules in force in words", []Param{{Name: "server", Doc: "name of the endpoint"}}, toolRoutes.policy),
		forReaders(acting("/policy/try", "tryCall", "say what is decided for a call; changes nothing", toolRoutes.try)),
		reading("/audit", "listEntries", "search the audit log, the newest entries first, without arguments", entryParams(), logRoutes.entries),
		reading("/audit/{entry}", "getEntry", "one entry, whole; that it was read is an entry too", nil, logRoutes.entry),
		reading("/evidence", "previewEvidence", "what a pack of evidence would hold", packParams(), logRoutes.previewEvidence),
		filing("/evidence/make", "makeEvidence", "make a pack of evidence; that it was made is an entry with the SHA-256 of its manifest, and 'evidence verify' checks it with the log's public key alone",
			packing.MediaType, logRoutes.makeEvidence),
		reading("/log", "getLog", "how many entries the log of the process that answers has, and up to which one it is signed", nil, logRoutes.log),
		forReaders(acting("/log/verify", "verifyLog", "read the whole log and say whether it is as it was written; changes nothing", logRoutes.verify)),
		reading("/denials", "listDenials", "what was denied most, and to whom", []Param{{Name: "since", Doc: "7d, 2026-03-01; 7d without it"}}, logRoutes.denials),
		reading("/insights", "listInsights", "how calls that waited were decided, by rule and by who decided", []Param{{Name: "since", Doc: "30d, 2026-03-01; 30d without it"}}, logRoutes.insights),
		reading("/settings", "getSettings", "the configuration in force, without secrets", nil, settingsRoutes.settings),
		reading("/sessions", "listSessions", "browsers that are signed in with the company", paging(), settingsRoutes.sessions),
		acting("/sessions/{session}/end", "endSession", "sign a browser out", settingsRoutes.endSession),
		reading("/tokens", "listTokens", "tokens of programs, with their end and last use; not the tokens themselves", paging(), settingsRoutes.tokens),
		acting("/tokens/{token}/revoke", "revokeToken", "refuse a token from now on", settingsRoutes.revokeToken),
	}
}
