// Package console owns the pages for people: how to connect an assistant, their account
// with its connections, and the calls that wait for their decision.
//
//	GET  /                       what this place is
//	GET  /connect/{server}       how to add a server to ChatGPT, Claude and others
//	GET  /account                who I am, and which clients are connected as me
//	POST /account/disconnect     end one of my connections (field "grant")
//	GET  /approvals              my calls: waiting, and recent ones
//	GET  /approvals/events       says when that list is another one, as server-sent events
//	GET  /approvals/{id}         one call, complete
//	POST /approvals/{id}         decide it (field "decision": approve or deny)
//	GET  /approvals/{id}/counter change its values, to propose another call in its place
//	POST /approvals/{id}/counter show that (fields "v0", "v1", …), or propose it (field "arguments")
//	GET  /approvals/{id}/evidence  all that is known of one call, to be printed
//	POST /approvals/{id}/resolve   whether a call happened whose answer was lost (fields "happened": yes or no, "reason")
//	POST /approvals/{id}/undo      ask for the call that takes this one back
//
//	GET  /approvals/{id}/together calls of its connection that can be decided together
//	POST /approvals/{id}/together decide those (fields "call.ID", "decision")
//
// The first two are public; every other page needs a browser session. A bearer token is
// not looked at, so no MCP client can act here. Whoever is not signed in is sent to
// /signin and comes back.
// What belongs to somebody else does not exist: 404, in the same words as for a name that was
// never given. A POST must come from a page of ours and carry the session's token
// (see package ui); a GET never changes anything.
//
// A decision to approve is in the audit log before it takes effect: if it cannot be
// recorded, it is not made. A denial is made first and recorded then. Nothing is ever
// run from here: the client repeats its call, and that spends the approval.
//
// Where a person's Salesforce login is over, their account and the calls that wait for it
// say so, why, and lead to a sign-in that repairs it.
//
// Signing in and out belong to package authproxy, and so does ending a connection, which
// this package asks for through [Disconnector]. Who may decide is authproxy.Decisions' to say: the
// requester, or people with the role that is asked, signed in with the company.
package console
