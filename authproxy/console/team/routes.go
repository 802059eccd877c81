package team

import (
	"net/http"

	"sfmcp-proxy/authproxy/people"
)

// Route is one page, or one act, and who may use it.
type Route struct {
	Method string // GET (which HEAD is too) or POST
	Path   string // as the router has it, with {parts}
	Roles  []string
	Does   string
	Tab    string // of the page's navigation; empty: it hangs on another page

	serve func(*Team, *request) error // nil: it is no page
}

// Methods are those of HTTP that reach it.
func (r Route) Methods() []string {
	if r.Method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.Method}
}

// Routes is everything that there is under /console. What does not stand here is not there.
func Routes() []Route {
	readers, actors := []string{people.Security, people.Auditor}, []string{people.Security}
	return []Route{
		{http.MethodGet, "/console", readers, "numbers of the last days, with what to do about each", "Overview", (*Team).overview},
		{http.MethodGet, eventsPath, readers, "tells browsers which have the overview in view what has changed", "", nil},
		{http.MethodPost, "/console/stop", actors, "stop writes or everything, or let calls pass again", "", (*Team).stop},
		{http.MethodGet, "/console/incident", actors, "whom an incident is about, and what containing it will end", "Incident", on(peoplePages.incident)},
		{http.MethodPost, "/console/incident/contain", actors, "block a person or a program, end what they have, and say of each step whether it is so", "", on(peoplePages.contain)},
		{http.MethodPost, "/console/incident/evidence", actors, "download every entry of the audit log about a person or a program; that it was read is an entry too", "", on(peoplePages.evidence)},
		{http.MethodGet, "/console/people", readers, "everybody who signed in or is blocked", "People", on(peoplePages.people)},
		{http.MethodGet, "/console/people/{org}/{subject}", readers, "one person: login, connections, calls that wait", "", on(peoplePages.person)},
		{http.MethodPost, "/console/people/{org}/{subject}/revoke", actors, "end everything that a person has", "", on(peoplePages.revokePerson)},
		{http.MethodPost, "/console/people/{org}/{subject}/block", actors, "end everything that a person has, and refuse them", "", on(peoplePages.blockPerson)},
		{http.MethodPost, "/console/people/{org}/{subject}/unblock", actors, "let a person connect again", "", on(peoplePages.unblockPerson)},
		{http.MethodGet, "/console/connections", readers, "connections by person, client and server", "Connections", on(peoplePages.connections)},
		{http.MethodPost, "/console/connections/end", actors, "end one connection, or all that were looked for", "", on(peoplePages.endConnections)},
		{http.MethodGet, "/console/clients", readers, "programs that are known, with their connections", "Clients", on(peoplePages.clients)},
		{http.MethodPost, "/console/clients/block", actors, "end all connections of a program, and refuse it", "", on(peoplePages.blockClient)},
		{http.MethodPost, "/console/clients/unblock", actors, "let people connect a program again", "", on(peoplePages.unblockClient)},
		{http.MethodPost, "/console/clients/revoke", actors, "end all connections of a program", "", on(peoplePages.revokeClient)},
		{http.MethodGet, "/console/reviews", readers, "access reviews that have begun", "Reviews", on(reviewPages.reviews)},
		{http.MethodPost, "/console/reviews/start", actors, "begin an access review", "", on(reviewPages.start)},
		{http.MethodGet, "/console/reviews/{review}", readers, "one review: each person and server, with what they used and what was decided", "", on(reviewPages.review)},
		{http.MethodPost, "/console/reviews/{review}/idle", actors, "end access that nobody used in the time of the review", "", on(reviewPages.revokeIdle)},
		{http.MethodGet, "/console/reviews/{review}/{server}/{org}/{subject}", readers, "one person's access to one server, with the tools that they used", "", on(reviewPages.item)},
		{http.MethodPost, "/console/reviews/{review}/{server}/{org}/{subject}/decide", actors, "keep that access, or end it", "", on(reviewPages.decide)},
		{http.MethodGet, "/console/tools", readers, "what hosted servers list, and what of it waits", "Tools", on(toolPages.tools)},
		{http.MethodGet, "/console/tools/{server}/{tool}", readers, "definitions of one name, and how they differ", "", on(toolPages.tool)},
		{http.MethodPost, "/console/tools/{server}/{tool}/decide", actors, "accept or reject exactly one definition", "", on(toolPages.decideTool)},
		{http.MethodGet, "/console/policy", readers, "the rules in force in words, and who can do what", "Policy", on(policyPages.policies)},
		{http.MethodPost, "/console/policy/try", readers, "say what is decided for a call; changes nothing", "", on(policyPages.try)},
		{http.MethodGet, "/console/audit", readers, "search the audit log", "Audit log", on(logPages.entries)},
		{http.MethodGet, "/console/audit/{entry}", readers, "one entry, whole; that it was read is an entry too", "", on(logPages.entry)},
		{http.MethodPost, "/console/log/verify", readers, "read the whole audit log and say whether it is as it was written", "", on(logPages.verify)},
		{http.MethodGet, "/console/evidence", readers, "what a pack of evidence would hold, of a person, a call, a control or a time", "", on(logPages.evidence)},
		{http.MethodPost, "/console/evidence/make", readers, "make that pack and download it; that it was made is an entry too", "", on(logPages.makeEvidence)},
		{http.MethodGet, "/console/denials", readers, "what was denied most, and to whom", "Denials", on(logPages.denials)},
		{http.MethodGet, "/console/insights", readers, "how calls that waited were decided, and who approves by habit", "Decisions", on(logPages.insights)},
		{http.MethodGet, "/console/settings", readers, "the configuration in force, without secrets; sign-ins to these pages", "Settings", (*Team).settings},
		{http.MethodPost, "/console/sessions/end", actors, "sign a browser out of these pages", "", (*Team).endSession},
	}
}

// The pages by what they are about; each is the team's.
type (
	peoplePages struct{ *Team }
	toolPages   struct{ *Team }
	reviewPages struct{ *Team }
	policyPages struct{ *Team }
	logPages    struct{ *Team }
)

// on is a page of one of these.
func on[Pages ~struct{ *Team }](f func(Pages, *request) error) func(*Team, *request) error {
	return func(t *Team, q *request) error { return f(Pages{t}, q) }
}
