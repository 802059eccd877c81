// Package mcpforward is the protected resource: it takes MCP requests of clients at
// /mcp/{server}, has each one decided, and forwards to Salesforce what was decided.
//
// # Life of a call
//
// [Handler.ServeHTTP] in handler.go takes every request (request.go) through the steps of request.serve in call.go;
// each returns an error if the request ends with it:
//
//   - transport.go: path, host and origin are those of an endpoint;
//   - authenticate.go: who calls, checked again right before the call is forwarded;
//   - decode.go: the body is one strict JSON-RPC message;
//   - era.go: which protocol version it belongs to, and what its client can do (declared.go),
//     as its headers say it (headervalue.go);
//   - session.go: the session that it names;
//   - methods.go: how its method is handled; what is not there is refused;
//   - turn.go: the limits of its user and of the server (package limit);
//   - tools.go, list.go, prompts.go with params.go and meta.go: the call that is to be
//     judged and sent, built from the parse;
//   - decide.go: the policy, the kill switch; describe.go: what the org says of its objects,
//     where that is in question;
//   - hold.go: a person who has to approve it; wait.go: whose quick decision is waited for;
//     ask.go: how the client learns of it;
//   - budget.go: what it uses of budgets, before it is made and by its answer; outside.go:
//     that the answer holds text which people outside wrote;
//   - record.go: the intent, without which nothing is sent;
//   - current.go: what Salesforce has of the record now, and whether who agreed saw that;
//   - recheck.go: everything once more, since the steps above take their time;
//   - definitions.go and seen.go: what the call means, and whether that is accepted;
//     dispatch.go and operations.go: the same of operations behind a meta-tool;
//   - hold.go: the approval is spent;
//   - send.go: token, Salesforce, what comes before the response; serverrequests.go: what
//     the hosted server asks of the client meanwhile;
//   - outcome.go: how it ended, which record.go and hold.go record;
//   - verify.go: what the call came to, read again where its rule says so;
//   - hide.go: what of it the rules hide, index.go: of the index of all objects; pages.go: what
//     was made of pages of lists is remembered;
//   - deliver.go: what of it the client gets;
//   - watch.go: who measures hears that it was answered, and what was wrong.
//
// Steps that have much to do are types of their own, each with the call: meaning (definitions.go,
// seen.go), budgetUse (budget.go), obligations (rewrite.go, hide.go), askingClient (ask.go, wait.go),
// operationCheck (operations.go), outsideNotes (outside.go), ending (outcome.go), delivery
// (deliver.go).
//
// For the page of a call that waits, and for one that was made, Salesforce is read as its requester (reading.go):
// current.go for the record, hanging.go for what hangs on it, names.go for what the records are called, undo.go
// for the call that takes it back. profile.go asks for the name of who has signed in.
//
// What is not forwarded is answered by initialize.go and notifications.go. Requests that
// are under way are known to inflight.go.
//
// # What a client gets
//
// A result, or one of the errors of answers.go: erroranswer.go decides what each leads to, and
// render.go alone puts it on the wire; the sentences are in texts.go. A refusal of the transport (no token, wrong type, not one
// strict message, unknown session) is an HTTP status. Everything after that is HTTP 200
// with a JSON-RPC answer, as clients of these protocol versions expect: a call that is
// denied, held or failed is a tool result with isError and a sentence that a model can
// pass on. The answer is JSON, or an event stream if progress precedes it (package
// stream). The handler builds every header itself; nothing of Salesforce's headers,
// challenges or error data passes.
//
// # Sessions
//
// initialize is answered here and opens a session (table mcp_sessions), named by
// Mcp-Session-Id, stored as a hash, bound to the grant. It authenticates nothing: it
// only carries what the client declared. Salesforce's sessions are another thing and
// belong to package upstream.
//
// # Cut-off
//
// Every request in flight is registered under its grant. When access was taken away
// anywhere (see db.DB.WatchAccess), Recheck ends those whose grant is not alive any
// more; their results are not delivered. Independently, everything is checked again
// right before a call is forwarded, and that the grant is alive before an answer is
// delivered.
//
// # Protocol versions
//
// 2026-07-28, which is stateless: each request says its version, its client's
// capabilities and, in headers, what it is (era.go). 2025-11-25, 2025-06-18, 2025-03-26
// and 2024-11-05, which begin with initialize, over this one transport: the event-stream
// transport of 2024-11-05 is not offered. Batches, which 2025-03-26 has, are refused in
// every version. Beyond era.go, initialize.go and render.go little depends on the era: Salesforce is
// spoken to in its own sessions in any case.
//
// # Choices
//
// Cursors of lists are Salesforce's and pass unchanged: the list behind them is
// always read with the caller's own Salesforce login, and every page is filtered
// for the caller, so somebody else's cursor opens nothing.
//
// If a client goes away, a read is given up. A write that was forwarded runs to its
// end, so that its outcome is recorded and a repeat is answered from the record.
//
// What a hosted server asks of a client (serverrequests.go) and streams of notifications
// (notifications.go) are for custom servers: Salesforce's own use neither today.
//
// What an answer gave away is read by package records, for the entry of how the call ended.
//
// The package does not issue or refresh tokens, does not parse SOQL and keeps no answer but what it
// made of pages of lists (pages.go).
package mcpforward
