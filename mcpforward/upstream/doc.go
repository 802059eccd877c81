// Package upstream is the MCP client of Salesforce's hosted MCP servers.
//
// Salesforce speaks the session protocol of MCP (2025-06-18) over one Streamable
// HTTP endpoint per server: initialize, then a session id that goes with every
// request and dies without notice. [Pool] owns these sessions. It keeps one per
// org, user, server and [ClientCapabilities], opens it when a call needs it, once for
// all callers that wait for it, and replaces it when Salesforce no longer knows it.
// Sessions of one key never wait for another key's.
//
// # Calls
//
// [Pool.Call] sends one request and returns its [Answer]: what Salesforce sends on
// the way, then its response. A call is made of attempts (call.go: what is tried again;
// attempt.go: one HTTP request and its answer). The HTTP request is built fresh from the
// parsed message: fixed URL, fixed set of headers, the user's Salesforce token as the only
// credential, an id and a progress token of ours that are mapped back. Of what
// Salesforce sends, only this passes:
//
//   - the response to this request, once;
//   - progress of this request;
//   - log messages, of the severity that the client asked for;
//   - requests to the client that can take them. [Answer.Respond] sends the client's
//     response back; nobody else's answer can, and it can once.
//
// Other requests are refused in the protocol, so that the server does not wait, and a
// ping is answered. Everything else is dropped. An answer is bounded in bytes, events
// and requests.
//
// A request is sent again only where that cannot do anything twice:
//
//   - 401: once, with a renewed token. Salesforce refused before acting.
//   - session unknown (400, 404): once, on a new session. Likewise.
//   - nothing of the request's body left this process: once.
//   - 5xx, lost connections, answers that break off, [ToolFailed]: once, and only what the
//     caller calls repeatable and has asked nobody anything. Not if Salesforce says when
//     to come back.
//
// The transport itself never repeats a request that has a body: it is given no way to
// rewind it. Everything else ends in an [*Error] whose MayHaveHappened tells whether
// Salesforce may have acted. Where it depends on the words of an answer what it means,
// they stand in sentences.go.
//
// When the caller goes away or the time is up, the connection is closed and
// Salesforce is told by notifications/cancelled. [Pool.Forget] ends the sessions,
// calls and streams of one user at once.
//
// # Servers that fail
//
// Ten failures of one server in a row (no connection, no answer in time, 5xx, answers
// that break off), whoever's calls they are, open its circuit: nothing is sent to it for
// 1 s, and calls fail at once with RetryAfter. Then one request passes as a probe; if it
// fails the time doubles, up to 30 s. A write is not risked: a ping goes before it.
// A refusal (401, 403, 404, a limit) proves that the server is up. Timeouts of one user
// count once, so that somebody's slow query cuts off nobody else.
//
// # Listening
//
// [Pool.Listen] gives the notifications that concern no call, from one GET stream that
// all listeners of a session share, and from the streams of calls. Salesforce answers GET
// with 405, which is the Kind [NotOffered] and harms nothing else. Requests on that
// stream are refused: nobody knows whom they concern.
// Nothing is resumed (Last-Event-ID): what an answer has lost stays lost, and tools are
// listed anew after each connection.
//
// The package does not decide, does not read arguments, and keeps no token beyond
// a call. Neither errors nor logs carry text of Salesforce's, which may echo
// tokens and records; only the name of a tool that is listed twice is logged.
// DESIGN.md has the choices that were made, with their reasons.
package upstream
