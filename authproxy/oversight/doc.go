// Package oversight reads what a security team looks at: people, connections, clients,
// definitions of tools, denials, the audit log, and what the policy would decide about a call.
// Pages and the API for programs ask here, so that both find the same and are bounded alike.
//
// Nothing is changed here but the log, which notes whoever reads an entry whole. What takes
// access away or gives it is done by authproxy.Cutoff and authproxy.Definitions.
//
//	reader.go       what is needed, errors
//	people.go       everybody, one person
//	human.go        who somebody is, at Salesforce and at the company
//	connections.go  connections by person, client and server
//	clients.go      clients with their connections, and which of them nobody uses
//	tools.go        definitions by server and state
//	entries.go      searching the audit log, reading one entry
//	known.go        whether what a search names exactly is there
//	elsewhere.go    where else a human is whom an act reaches in one org
//	log.go          how the log itself is, verifying it
//	insights.go     how calls that waited were decided
//	denials.go      what was denied most, and to whom
//	counts.go       calls of the last days
//	trial.go        what is decided for a call that somebody tries
package oversight
