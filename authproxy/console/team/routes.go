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

	serve func(*Team, *request) error
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
		{http.MethodPost, "/console/stop", actors, "stop writes or everything, or let calls pass again", "", (*Team).stop},
		{http.MethodGet, "/console/people", readers, "everybody who signed in or is blocked", "People", (*Team).people},
		{http.MethodGet, "/console/people/{org}/{subject}", readers, "one person: login, connections, calls that wait", "", (*Team).person},
		{http.MethodPost, "/console/people/{org}/{subject}/revoke", actors, "end everything that a person has", "", (*Team).revokePerson},
		{http.MethodPost, "/console/people/{org}/{subject}/block", actors, "end everything that a person has, and refuse them", "", (*Team).blockPerson},
		{http.MethodPost, "/console/people/{org}/{subject}/unblock", actors, "let a person connect again", "", (*Team).unblockPerson},
		{http.MethodGet, "/console/connections", readers, "connections by person, client and server", "Connections", (*Team).connections},
		{http.MethodPost, "/console/connections/end", actors, "end one connection, or all that were looked for", "", (*Team).endConnections},
		{http.MethodGet, "/console/clients", readers, "programs that are known, with their connections", "Clients", (*Team).clients},
		{http.MethodPost, "/console/clients/revoke", actors, "end all connections of a program", "", (*Team).revokeClient},
		{http.MethodGet, "/console/tools", readers, "what hosted servers list, and what of it waits", "Tools", (*Team).tools},
		{http.MethodGet, "/console/tools/{server}/{tool}", readers, "definitions of one name, and how they differ", "", (*Team).tool},
		{http.MethodPost, "/console/tools/{server}/{tool}/decide", actors, "accept or reject exactly one definition", "", (*Team).decideTool},
		{http.MethodGet, "/console/policy", readers, "the rules in force in words, and who can do what", "Policy", (*Team).policies},
		{http.MethodPost, "/console/policy/try", readers, "say what is decided for a call; changes nothing", "", (*Team).try},
		{http.MethodGet, "/console/audit", readers, "search the audit log", "Audit log", (*Team).entries},
		{http.MethodGet, "/console/audit/{entry}", readers, "one entry, whole; that it was read is an entry too", "", (*Team).entry},
		{http.MethodGet, "/console/denials", readers, "what was denied most, and to whom", "Denials", (*Team).denials},
		{http.MethodGet, "/console/settings", readers, "the configuration in force, without secrets; sign-ins to these pages", "Settings", (*Team).settings},
		{http.MethodPost, "/console/sessions/end", actors, "sign a browser out of these pages", "", (*Team).endSession},
	}
}
