// Package team owns the pages under /console, where a security team runs the proxy: what
// happens, who is connected, what was decided, and the acts that end something.
//
// [Routes] is the one table of what there is, with the roles that may use it; nothing is
// served that does not stand there. People with the role auditor read, people with the role
// security read and act (package people says who holds which). A page never needs a script; where scripts run, the overview follows what happens.
//
// Every act is taken by what takes it everywhere else (authproxy.Cutoff, authproxy.Definitions),
// in the name of the person, and is in the audit log with the reason that they gave. What will
// end is counted on the page before, and what ended is told after; a page that tells that is
// the answer to the form, so that it says what this act did and not what an address claims.
// Reading one entry of the audit log shows arguments of calls, so that is an entry too.
//
// Nothing is kept here: each page is made from the stores, in bounded steps. Lists show a
// bounded number of lines and say how to see the others; what is counted over time is counted
// by the index of the audit log, and remembered once its day is over.
//
//	team.go         what the pages need, the tabs, errors
//	routes.go       the table
//	overview.go     numbers, with what to do about each
//	health.go       how Salesforce does, by server
//	live.go         what of the overview browsers are told of
//	unread.go       what stands in the place of a part that cannot be read
//	budgets.go      who is near the end of a budget
//	people.go       everybody, one person; revoke, block, unblock
//	connections.go  connections by person, client and server; ending many
//	incident.go     whom an incident is about; containing it, step by step
//	clients.go      programs, and ending all of one
//	reviews.go      access reviews: who has access, who uses it, keep or revoke
//	tools.go        definitions that wait; accept, reject
//	policy.go       the rules in words, who can do what, trying a call
//	pending.go      what a reload would change, and the last replay
//	outcome.go      what an act did, and where nothing was done about the same human
//	entries.go      the audit log: search, one entry
//	whole.go        whether the log is whole
//	evidence.go     packs of evidence: what one would hold, and its download
//	denials.go      what was denied most, and to whom
//	insights.go     how calls that waited were decided
//	settings.go     the configuration in force, sign-ins to these pages
package team
